# SPDX-License-Identifier: Apache-2.0
"""Captures made without any right to capture: relays that note what passes, and a writer of pcap
files that puts it into TCP segments or UDP datagrams."""
import itertools
import pathlib
import selectors
import socket
import struct
import threading

from tcp_server import TcpServer

CLIENT, SERVER = 0, 1  # who sent a piece
SERVER_PORT = 443      # in every file: the one where Wireshark expects TLS
LINKTYPE_RAW = 101     # packets begin with the IP header


class TcpRecorder(TcpServer):
    """Forwards TCP connections to a port and notes what passes.

    Attributes: port, conversations: [[(CLIENT or SERVER, octets), ...], ...] in order of time.
    """

    def __init__(self, to_port):
        super().__init__()
        self._to_port = to_port
        self.conversations = []

    def serve(self, connection):
        pieces = []
        self.conversations.append(pieces)
        with connection as near, socket.create_connection(("127.0.0.1", self._to_port)) as far, \
                selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, (CLIENT, far))
            selector.register(far, selectors.EVENT_READ, (SERVER, near))
            while selector.get_map():
                for key, _ in selector.select():
                    sender, sink = key.data
                    data = _read(key.fileobj)
                    if data:
                        _note(pieces, sender, data)
                        sink.sendall(data)
                        continue
                    selector.unregister(key.fileobj)
                    _end(sink)


def _read(source):
    try:
        return source.recv(65536)
    except OSError:
        return b""


def _note(pieces, sender, data):
    """Adds octets; what one end says in a row is one piece."""
    if pieces and pieces[-1][0] == sender:
        data = pieces.pop()[1] + data
    pieces.append((sender, data))


def _end(sink):
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class UdpRecorder:
    """Forwards the datagrams of one client to a port; notes them like TcpRecorder.

    Attributes: port, pieces: [(CLIENT or SERVER, datagram), ...].
    """

    def __init__(self, to_port):
        self._to_port = to_port
        self.pieces = []

    def __enter__(self):
        self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._near.bind(("127.0.0.1", 0))
        self._far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._far.connect(("127.0.0.1", self._to_port))
        self.port = self._near.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self._near.close()
        self._far.close()

    def _relay(self):
        client = None
        with selectors.DefaultSelector() as selector:
            selector.register(self._near, selectors.EVENT_READ)
            selector.register(self._far, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in selector.select(0.05):
                    if key.fileobj is self._near:
                        data, client = self._near.recvfrom(65536)
                        self.pieces.append((CLIENT, data))
                        self._far.send(data)
                    else:
                        data = _read(self._far)
                        if data:
                            self.pieces.append((SERVER, data))
                            self._near.sendto(data, client)


# --- files ---------------------------------------------------------------------------------

def _ip(protocol, sender, payload):
    addresses = [socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2")]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    return head + addresses[sender] + addresses[1 - sender] + payload


def _ports(sender, client_port):
    return (client_port, SERVER_PORT) if sender == CLIENT else (SERVER_PORT, client_port)


def tcp_packets(pieces, client_port, segment_bytes=1400):
    """The IP packets of one TCP connection, its hand-shake of three included."""
    sequence = [1000, 2000]

    def packet(sender, flags, data=b""):
        head = struct.pack(">HHIIBBHHH", *_ports(sender, client_port), sequence[sender],
                           0 if flags == 0x02 else sequence[1 - sender], 5 << 4, flags, 65535, 0, 0)
        sequence[sender] += len(data) + (flags & 0x02 != 0)
        return _ip(6, sender, head + data)

    yield packet(CLIENT, 0x02)
    yield packet(SERVER, 0x12)
    yield packet(CLIENT, 0x10)
    for sender, data in pieces:
        for at in range(0, len(data), segment_bytes):
            yield packet(sender, 0x18, data[at:at + segment_bytes])


def udp_packets(pieces, client_port):
    """The IP packets of a conversation over UDP."""
    for sender, data in pieces:
        head = struct.pack(">HHHH", *_ports(sender, client_port), 8 + len(data), 0)
        yield _ip(17, sender, head + data)


def write_pcap(path, *conversations):
    """Writes conversations, each an iterable of IP packets, one behind the other."""
    with open(pathlib.Path(path), "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, LINKTYPE_RAW))
        for number, packet in enumerate(itertools.chain(*conversations)):
            file.write(struct.pack("<IIII", number // 1000, number % 1000 * 1000, len(packet),
                                   len(packet)) + packet)
