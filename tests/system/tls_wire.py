# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that changes the key share in a ClientHello or a ServerHello on its way."""
import socket
import struct
import threading

from tcp_server import TcpServer

KEY_SHARE = 51
CLIENT_HELLO, SERVER_HELLO = 1, 2


def _vector(data, at, width):
    """(content, place behind it) of a length-prefixed vector."""
    length = int.from_bytes(data[at:at + width], "big")
    return data[at + width:at + width + length], at + width + length


def _put_vector(content, width):
    return len(content).to_bytes(width, "big") + content


def _change_entry(entry, change):
    """group(2) length(2) key_exchange, changed."""
    return entry[:2] + _put_vector(change(entry[4:]), 2)


def _change_key_share(kind, content, change):
    if kind == SERVER_HELLO:
        return _change_entry(content, change)
    entries, _ = _vector(content, 0, 2)
    length = 4 + struct.unpack(">H", entries[2:4])[0]
    return _put_vector(_change_entry(entries[:length], change) + entries[length:], 2)


def _change_extensions(kind, extensions, change):
    out, at = b"", 0
    while at < len(extensions):
        number = extensions[at:at + 2]
        content, at = _vector(extensions, at + 2, 2)
        if int.from_bytes(number, "big") == KEY_SHARE:
            content = _change_key_share(kind, content, change)
        out += number + _put_vector(content, 2)
    return out


def change_hello(record, change):
    """A TLS record that begins with a hello, with the octets of its first key share replaced by
    change(octets). All lengths around them are made to fit."""
    kind = record[5]
    hello, _ = _vector(record, 6, 3)
    at = 2 + 32
    _, at = _vector(hello, at, 1)
    if kind == CLIENT_HELLO:
        _, at = _vector(hello, at, 2)
        _, at = _vector(hello, at, 1)
    else:
        at += 2 + 1
    extensions, _ = _vector(hello, at, 2)
    body = hello[:at] + _put_vector(_change_extensions(kind, extensions, change), 2)
    return record[:3] + _put_vector(bytes([kind]) + _put_vector(body, 3), 2)


def _read_record(stream):
    head = stream.read(5)
    return head + stream.read(int.from_bytes(head[3:5], "big")) if len(head) == 5 else b""


class Proxy(TcpServer):
    """Forwards connections to a port; `client` and `server` change the key share that each of
    them sends (None: as it is). Attributes: port, shares (list of (kind, octets) as sent)."""

    def __init__(self, to_port, client=None, server=None):
        super().__init__()
        self._to_port = to_port
        self._changes = {CLIENT_HELLO: client, SERVER_HELLO: server}
        self.shares = []

    def serve(self, connection):
        far = socket.create_connection(("127.0.0.1", self._to_port))
        for source, sink in ((connection, far), (far, connection)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _note_and_change(self, kind):
        def change(octets):
            self.shares.append((kind, octets))
            wanted = self._changes[kind]
            return wanted(octets) if wanted else octets
        return change

    def _pump(self, source, sink):
        try:
            with source.makefile("rb") as stream:
                first = _read_record(stream)
                if len(first) > 9 and first[0] == 22 and first[5] in self._changes:
                    first = change_hello(first, self._note_and_change(first[5]))
                sink.sendall(first)
                while (data := stream.read1(65536)):
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
