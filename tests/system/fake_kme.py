# SPDX-License-Identifier: Apache-2.0
"""A key server that can be told to misbehave, for what a client must survive.

One FakeKme serves both SAEs: it is the two key servers of a pair in one process. A behaviour
is a function that gets a Request and answers it; the good ones below give the answers of real
servers of the field, the bad ones something broken.
"""
import base64
import contextlib
import json
import os
import socket
import threading
import time
import uuid

from tcp_server import TcpServer, require_certificates


class Request:
    """One HTTP request, and ways to answer it."""

    def __init__(self, fake, connection, method, path, body):
        self.fake = fake
        self.connection = connection
        self.method = method
        self.path = path
        self.body = body

    @property
    def is_reservation(self):
        return self.path.endswith("/enc_keys")

    @property
    def is_claim(self):
        return self.path.endswith("/dec_keys")

    def json(self):
        return json.loads(self.body)

    def send(self, octets):
        self.connection.sendall(octets)

    def close(self):
        """Ends the connection at once, without a word of TLS."""
        self.connection.shutdown(socket.SHUT_RDWR)

    def answer(self, code, body=b"", content_type="application/json", headers=()):
        """A complete answer with Content-Length."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        lines = [f"HTTP/1.1 {code} Whatever", f"Content-Length: {len(body)}", *headers]
        if content_type:
            lines.append(f"Content-Type: {content_type}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def keys(self):
        """The key container of a correct answer: what was asked for, as the standard says."""
        if self.is_reservation:
            wanted = self.json()
            return {"keys": [self.fake.new_key(wanted["size"] // 8)
                             for _ in range(wanted.get("number", 1))]}
        return {"keys": [{"key_ID": entry["key_ID"], "key": self.fake.take(entry["key_ID"])}
                         for entry in self.json()["key_IDs"]]}


def good(request):
    """What the standard says."""
    request.answer(200, request.keys())


def good_with_status(request):
    """What the standard says, of Get status too."""
    if request.path.endswith("/status"):
        request.answer(200, {"max_key_per_request": 16, "stored_key_count": 100})
    else:
        good(request)


class FakeKme(TcpServer):
    """An HTTPS server with mutual TLS on a free port, in threads of this process.

    Attributes: url, requests (list of (method, path)), connections (how many were accepted), resumed
    (how many of those resumed a TLS session).
    `groups` is the only TLS group. `cert` names the certificate in the lab's PKI that it shows.
    """

    def __init__(self, lab, behaviour=good, cert="kme-a", accept_tls=True, groups=None):
        super().__init__()
        self._behaviour = behaviour
        self._accept_tls = accept_tls
        pki = lab.pki(cert) if isinstance(cert, str) else cert
        self._context = require_certificates(pki, lab.ca)
        if groups is not None:
            self._context.set_ecdh_curve(groups)
        self._keys = {}
        self._open = set()
        self.requests = []
        self.resumed = 0
        self.ending = threading.Event()

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def __exit__(self, *_):
        self.ending.set()
        super().__exit__()
        for connection in list(self._open):
            connection.close()

    def new_key(self, size_bytes, key_id=None):
        """A key that exists from now on, as an entry of a container."""
        key_id = key_id or str(uuid.uuid4())
        self._keys[key_id.lower()] = base64.b64encode(os.urandom(size_bytes)).decode()
        return {"key_ID": key_id, "key": self._keys[key_id.lower()]}

    def share_keys_with(self, other):
        """From now on what one has, the other has."""
        other._keys = self._keys

    def take(self, key_id):
        """The base64 text of a key, once."""
        return self._keys.pop(key_id.lower())

    def has(self, key_id):
        return key_id.lower() in self._keys

    def serve(self, connection):
        self._open.add(connection)
        try:
            if not self._accept_tls:
                self.ending.wait(60)
                return
            with self._context.wrap_socket(connection, server_side=True) as near:
                self._open.add(near)
                self.resumed += near.session_reused
                stream = near.makefile("rb")
                while self._serve_one(near, stream):
                    pass
        except (OSError, ValueError):
            pass
        finally:
            connection.close()

    def _serve_one(self, connection, stream):
        line = stream.readline().decode()
        if not line:
            return False
        method, path, _ = line.split(" ", 2)
        length = 0
        while (header := stream.readline().decode().strip()):
            name, value = header.split(":", 1)
            if name.lower() == "content-length":
                length = int(value)
        body = stream.read(length)
        self.requests.append((method, path))
        self._behaviour(Request(self, connection, method, path, body))
        return True


def wait_forever(request):
    """Takes the request and never answers."""
    request.fake.ending.wait(60)


def slowly(delay_s):
    """A correct answer, one octet at a time."""
    def behave(request):
        body = json.dumps(request.keys()).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        for octet in head + body:
            request.send(bytes([octet]))
            time.sleep(delay_s)
    return behave


@contextlib.contextmanager
def black_hole():
    """The URL of an address where connecting neither succeeds nor fails."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
