# SPDX-License-Identifier: Apache-2.0
"""An ETSI 004 key server that can be told to misbehave; serves both SAEs of a pair.

A behaviour is a function that gets a Call and returns the octets to answer with; None answers
nothing. `good` is what the standard says, in either wire profile.
"""
import os
import socket
import struct
import threading
import uuid

from tcp_server import TcpServer, require_certificates

OPEN, GET_KEY, CLOSE = 2, 4, 8
NAMES = {OPEN: "OPEN_CONNECT", GET_KEY: "GET_KEY", CLOSE: "CLOSE"}
ZERO = bytes(16)
MIMETYPE_BYTES = 256
SUCCESS, NOT_YET, INSUFFICIENT, NO_PEER, NO_LINK, IN_USE, TIMEOUT, QOS, METADATA = range(9)


def frame(service, payload, profile="w1"):
    """One message."""
    version = b"\x01\x00\x01" if profile == "w1" else b"\x02\x01\x01"
    return version + bytes([service]) + struct.pack(">I", len(payload)) + payload


class Call:
    """One request: service, stream_id, and for OPEN qos (7 numbers), mimetype, source,
    destination, for GET_KEY index and room."""

    def __init__(self, fake, connection, service, payload):
        self.fake, self.connection = fake, connection
        self.service, self.profile = service, fake.profile
        if service == OPEN:
            self.source, self.destination, rest = payload.split(b"\0", 2)
            self.qos = list(struct.unpack(">7I", rest[:28]))
            self.mimetype = rest[28:-16].rstrip(b"\0")
            self.stream_id = rest[-16:]
        else:
            self.stream_id = payload[:16]
        if service == GET_KEY:
            self.index, self.room = struct.unpack(">II", payload[16:24])

    def opened(self, status, stream_id, **changes):
        """The full answer to OPEN_CONNECT; `chunk` replaces the granted chunk size."""
        qos = list(self.qos)
        qos[0] = changes.get("chunk", qos[0])
        mimetype = self.mimetype.ljust(MIMETYPE_BYTES, b"\0") if self.profile == "w1" \
            else self.mimetype + b"\0"
        return self.answer(struct.pack(">I7I", status, *qos) + mimetype + stream_id)

    def key(self, key, index=None, metadata=b""):
        """The answer to GET_KEY with a key."""
        index = self.index if index is None else index
        return self.answer(struct.pack(">III", SUCCESS, index, len(key)) + key +
                           struct.pack(">I", len(metadata)) + metadata)

    def refuse(self, status, *numbers):
        """The short answer of W1."""
        return self.answer(struct.pack(f">{1 + len(numbers)}I", status, *numbers))

    def answer(self, payload):
        return frame(self.service + 1, payload, self.profile)


def good(call):
    """What the standard says."""
    streams = call.fake.streams
    if call.service == OPEN:
        if call.stream_id == ZERO:
            stream_id = uuid.uuid4().bytes
            streams[stream_id] = {}
            return call.opened(NOT_YET, stream_id)
        known = call.stream_id in streams
        return call.opened(SUCCESS if known else NOT_YET, call.stream_id)
    if call.service == GET_KEY:
        if call.stream_id not in streams:
            return call.refuse(NO_PEER)
        return call.key(streams[call.stream_id].setdefault(call.index, os.urandom(32)))
    return call.refuse(SUCCESS)


class FakeKme004(TcpServer):
    """A TLS server with client certificates on a free port. Attributes: url, calls (list of
    (service, stream_id)), keys that were handed out in `streams`, connections."""

    def __init__(self, lab, behaviour=good, profile="w1", cert="kme-a"):
        super().__init__()
        self._behaviour, self.profile = behaviour, profile
        self._context = require_certificates(lab.pki(cert), lab.ca)
        self.calls, self.streams = [], {}
        self.ending = threading.Event()

    @property
    def url(self):
        return f"etsi004://localhost:{self.port}"

    def __exit__(self, *_):
        self.ending.set()
        super().__exit__()

    def count(self, service):
        return sum(1 for seen, _ in self.calls if seen == service)

    def serve(self, connection):
        try:
            with self._context.wrap_socket(connection, server_side=True) as near, \
                    near.makefile("rb") as stream:
                while len(head := stream.read(8)) == 8:
                    payload = stream.read(struct.unpack(">I", head[4:])[0])
                    call = Call(self, near, head[3], payload)
                    self.calls.append((call.service, call.stream_id))
                    octets = self._behaviour(call)
                    if octets is not None:
                        near.sendall(octets)
                    if self.profile == "w2":  # one request on each connection
                        near.shutdown(socket.SHUT_RDWR)
                        return
        except (OSError, ValueError):
            pass
        finally:
            connection.close()
