# SPDX-License-Identifier: Apache-2.0
"""ETSI GS QKD 004 as a client that is not ours: both wire profiles, written from their
description, over Python's TLS."""
import contextlib
import socket
import ssl
import struct
import uuid

import harness

OPEN_CONNECT, GET_KEY, CLOSE = 0x02, 0x04, 0x08
W1, W2 = "W1", "W2"
VERSIONS = {W1: bytes((1, 0, 1)), W2: bytes((2, 1, 1))}
NO_ID = bytes(16)
JSON = "application/json"
QOS_FIELDS = ("chunk", "max_bps", "min_bps", "jitter", "priority", "timeout", "ttl")

SUCCESS, PEER_NOT_YET, INSUFFICIENT, PEER_NOT_CONNECTED, NO_QKD, IN_USE, TIMEOUT, QOS_NOT_MET, \
    METADATA_SIZE = range(9)


def frame(service, payload, version=VERSIONS[W1]):
    """Header and payload."""
    return version + struct.pack(">BI", service, len(payload)) + payload


def qos_octets(profile, mimetype=JSON, **fields):
    """The QoS block; fields that are not named are 0, which leaves them to the server."""
    unknown = set(fields) - set(QOS_FIELDS)
    if unknown:
        raise TypeError(f"no QoS fields {unknown}")
    numbers = struct.pack(">7I", *(fields.get(name, 0) for name in QOS_FIELDS))
    text = mimetype.encode()
    return numbers + (text.ljust(256, b"\0") if profile == W1 else text + b"\0")


def open_request(source, destination, ksid=NO_ID, profile=W1, version=None, **qos):
    payload = source.encode() + b"\0" + destination.encode() + b"\0"
    payload += qos_octets(profile, **qos) + ksid
    return frame(OPEN_CONNECT, payload, version or VERSIONS[profile])


def get_key_request(ksid, index, metadata=1024, profile=W1, version=None):
    payload = ksid + struct.pack(">II", index, metadata)
    if profile == W2:
        payload += bytes(metadata)
    return frame(GET_KEY, payload, version or VERSIONS[profile])


def close_request(ksid, profile=W1, version=None):
    return frame(CLOSE, ksid, version or VERSIONS[profile])


class Reply:
    """An answer: version, service, payload, and what the payload says."""

    def __init__(self, header, payload):
        self.version, self.service, self.payload = header[:3], header[3], payload
        self.status = struct.unpack(">I", payload[:4])[0]
        self.qos = self.ksid = self.index = self.key = self.metadata = self.needed = None
        body = payload[4:]
        if self.service == OPEN_CONNECT + 1 and body:
            self._read_terms(body)
        elif self.service == GET_KEY + 1 and self.status == METADATA_SIZE and len(body) == 4:
            self.needed = struct.unpack(">I", body)[0]
        elif self.service == GET_KEY + 1 and body:
            self._read_key(body)

    def _read_terms(self, body):
        numbers = struct.unpack(">7I", body[:28])
        self.qos = dict(zip(QOS_FIELDS, numbers))
        mimetype, self.ksid = body[28:-16], body[-16:]
        self.qos["mimetype"] = mimetype[:mimetype.index(b"\0")].decode()
        self.mimetype_octets = len(mimetype)

    def _read_key(self, body):
        self.index, length = struct.unpack(">II", body[:8])
        self.key, rest = body[8:8 + length], body[8 + length:]
        size = struct.unpack(">I", rest[:4])[0]
        self.metadata = rest[4:]
        if len(self.key) != length or len(self.metadata) != size:
            raise harness.HarnessError(f"lengths of {self.payload!r} do not add up")

    def __repr__(self):
        return f"service {self.service:#x} status {self.status}: {self.payload.hex()}"


class Closed(Exception):
    """The server ended the connection instead of answering."""


class Client:
    """One TLS connection of an SAE to a key server. By default it speaks W1."""

    def __init__(self, sites, sae, site=None, profile=W1, context=None):
        self.sae, self.profile = sae, profile
        address = getattr(sites, f"kme_{site or sites.site_of(sae)}_004")
        port = address.rsplit(":", 1)[1]
        # Not by name: a minimal container cannot even resolve localhost.
        raw = socket.create_connection(("127.0.0.1", int(port)), timeout=harness.LIMIT_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.tls = (context or sites.tls_context(sae)).wrap_socket(
                raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    def drop(self):
        """Ends the connection without a word."""
        with contextlib.suppress(OSError):
            self.tls.close()

    def send(self, octets):
        self.tls.sendall(octets)

    def _receive(self, length):
        octets = b""
        while len(octets) < length:
            try:
                more = self.tls.recv(length - len(octets))
            except (ssl.SSLError, ConnectionError) as error:
                raise Closed(str(error)) from error
            if not more:
                raise Closed(f"after {octets!r}")
            octets += more
        return octets

    def read(self):
        """The next answer."""
        header = self._receive(8)
        return Reply(header, self._receive(struct.unpack(">I", header[4:])[0]))

    def is_silent(self):
        """Whether nothing has come that was not read."""
        self.tls.setblocking(False)
        try:
            return self.tls.recv(1) is None
        except ssl.SSLWantReadError:
            return True
        finally:
            self.tls.settimeout(harness.LIMIT_S)

    def ask(self, octets):
        self.send(octets)
        return self.read()

    def uris(self, peer):
        return f"sae://{self.sae}", f"sae://{peer}"

    def open(self, peer=None, ksid=NO_ID, uris=None, **qos):
        source, destination = uris or self.uris(peer)
        return self.ask(open_request(source, destination, ksid, self.profile, **qos))

    def get_key(self, ksid, index=0, metadata=1024):
        return self.ask(get_key_request(ksid, index, metadata, self.profile))

    def close(self, ksid):
        return self.ask(close_request(ksid, self.profile))


def new_id():
    """A stream ID that an SAE brings."""
    return uuid.uuid4().bytes
