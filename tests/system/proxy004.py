# SPDX-License-Identifier: Apache-2.0
"""A proxy before a key server of ETSI 004, through which whole frames pass: what a defect of
broken004.py changes, it changes here."""
import contextlib
import select
import socket
import ssl
import struct
import threading

from etsi004 import GET_KEY, OPEN_CONNECT, SUCCESS
from tcp_server import TcpServer, require_certificates

LIMIT = 65536
ENDS = {"a": "alice", "b": "bob"}


class Frame:
    """One message of W1."""

    def __init__(self, version, service, payload):
        self.version, self.service, self.payload = version, service, payload

    def octets(self):
        return self.version + struct.pack(">BI", self.service, len(self.payload)) + self.payload

    @property
    def status(self):
        return struct.unpack(">I", self.payload[:4])[0]

    @property
    def ksid(self):
        """Of any request, and of an answer to OPEN_CONNECT."""
        is_answer_or_open = self.service in (OPEN_CONNECT, OPEN_CONNECT + 1)
        return self.payload[-16:] if is_answer_or_open else self.payload[:16]

    def with_payload(self, payload):
        return Frame(self.version, self.service, payload)

    def number(self, offset):
        return struct.unpack(">I", self.payload[offset:offset + 4])[0]

    def with_number(self, offset, value):
        return self.with_payload(self.payload[:offset] + struct.pack(">I", value) +
                                 self.payload[offset + 4:])


# Where numbers stand: in GET_KEY and its answer, and in the QoS.
INDEX, ROOM = 16, 20
KEY_INDEX, KEY_LENGTH, KEY = 4, 8, 12
QOS = {"chunk": 0, "max_bps": 4, "ttl": 24}


def qos_at(frame):
    """Where the QoS begins in OPEN_CONNECT or a full answer to it."""
    if frame.service == OPEN_CONNECT + 1:
        return 4
    return frame.payload.index(b"\0", frame.payload.index(b"\0") + 1) + 1


def is_open(frame):
    """Whether this is a well-formed OPEN_CONNECT."""
    return frame.service == OPEN_CONNECT and frame.payload.count(b"\0") > 2 and \
        len(frame.payload) > 300


def has_terms(frame):
    return frame.service == OPEN_CONNECT + 1 and len(frame.payload) == 304


def is_key(frame):
    return frame.service == GET_KEY + 1 and frame.status == SUCCESS


def with_key(frame, key):
    return frame.with_payload(frame.payload[:KEY] + key + frame.payload[KEY + len(key):])


def key_of(frame):
    return frame.payload[KEY:KEY + frame.number(KEY_LENGTH)]


class Swallow(Exception):
    """Says nothing to this request."""


class Answer(Exception):
    """Answers by itself; the argument is a Frame."""


class Sound:
    """No defect. `verify` is whether clients need a certificate of the laboratory's,
    `whole_reads` whether a request must come in one piece, `believes_lengths` whether any length
    in a header is waited for."""
    verify, whole_reads, believes_lengths = True, False, False

    def __init__(self):
        self.lock = threading.Lock()

    def request(self, connection, frame):
        """What is passed on instead, or Swallow, or Answer."""
        del connection
        return frame

    def answer(self, connection, asked, frame):
        """What is passed on instead."""
        del connection, asked
        return frame

    def identity(self, connection):
        """As whom the real key server is asked."""
        return connection.sae

    def may_begin(self, connection):
        """Whether a request may be passed on now; else it is tried again in a moment."""
        del connection
        return True

    def ended(self, connection, count):
        """After so many answers, or with the connection."""

    def gone(self, connection):
        """The client has ended its connection."""


class Side:
    """One of the two TLS connections, and what came over it and was not taken yet."""

    def __init__(self, tls, one_read=False):
        self.tls, self.octets, self.ended, self.one_read = tls, b"", False, one_read
        tls.setblocking(False)

    def receive(self):
        """Takes what is there."""
        try:
            while True:
                more = self.tls.recv(65536)
                self.ended = self.ended or not more
                self.octets += more
                if not more or self.one_read:
                    return
        except ssl.SSLWantReadError:
            pass
        except OSError:
            self.ended = True

    def send(self, octets):
        self.tls.settimeout(30)
        self.tls.sendall(octets)
        self.tls.setblocking(False)

    def take(self):
        """The next whole frame; octets where a header announces too much; or None."""
        if len(self.octets) < 8:
            return None
        length = struct.unpack(">I", self.octets[4:8])[0]
        if length > LIMIT:
            head, self.octets = self.octets[:8], self.octets[8:]
            return head
        if len(self.octets) < 8 + length:
            return None
        head, payload = self.octets[:8], self.octets[8:8 + length]
        self.octets = self.octets[8 + length:]
        return Frame(head[:3], head[3], payload)


class Connection:
    """One client's connection, and the one behind it. One thread: a TLS connection of Python
    does not stand two."""

    def __init__(self, proxy, raw):
        self.proxy, self.defect, self.site = proxy, proxy.defect, proxy.site
        self.sae = ENDS[self.site]
        self.asked, self.streams, self.held, self.running = [], [], None, 0
        raw.settimeout(30)
        near = proxy.context.wrap_socket(raw, server_side=True)
        peer = near.getpeercert()
        if peer:
            self.sae = dict(pair for one in peer["subject"] for pair in one)["commonName"]
        self.near = Side(near, self.defect.whole_reads)
        self.far = Side(proxy.reach(self.defect.identity(self)))

    def run(self):
        try:
            while not (self.near.ended or self.far.ended):
                select.select([self.near.tls, self.far.tls], [], [], 0.02 if self.held else 1)
                self.near.receive()
                self.far.receive()
                self._pass_on()
        except (OSError, ValueError):
            pass
        finally:
            with contextlib.suppress(OSError):
                self.defect.gone(self)
            self.defect.ended(self, self.running)
            self.near.tls.close()
            self.far.tls.close()

    def _pass_on(self):
        while (frame := self.far.take()) is not None:
            self.defect.ended(self, 1)
            self.near.send(self.defect.answer(self, self.asked.pop(0), frame).octets())
        while True:
            self.held = self.held or self.near.take()
            if self.held is None or not self.defect.may_begin(self):
                break
            frame, self.held = self.held, None
            self._request(frame)
        if self.defect.whole_reads and self.near.octets:
            raise ValueError("half a request")

    def _request(self, frame):
        if isinstance(frame, bytes):
            if not self.defect.believes_lengths:
                self.far.send(frame)
            return
        try:
            changed = self.defect.request(self, frame)
        except Swallow:
            return
        except Answer as answer:
            self.near.send(answer.args[0].octets())
            return
        self.asked.append(frame)
        self.far.send(changed.octets())


class Proxy(TcpServer):
    """Before the key server of one site."""

    def __init__(self, lab, site, defect):
        super().__init__()
        self.lab, self.site, self.defect = lab, site, defect
        self.context = require_certificates(lab.pki(f"kme-{site}"), lab.ca)
        if not defect.verify:
            self.context.verify_mode = ssl.CERT_NONE

    @property
    def url(self):
        return f"etsi004://localhost:{self.port}"

    def reach(self, sae):
        """A connection to the real key server."""
        context = ssl.create_default_context(cafile=self.lab.ca)
        context.load_cert_chain(*self.lab.pki(sae))
        address = getattr(self.lab, f"kme_{self.site}_004")
        raw = socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(raw, server_hostname="localhost")

    def serve(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            frames = Connection(self, connection)
        except OSError:
            connection.close()
            return
        frames.run()
