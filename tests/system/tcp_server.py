# SPDX-License-Identifier: Apache-2.0
"""What the stand-ins for servers and the relays of the tests share: a TCP server in threads."""
import socket
import ssl
import threading


def require_certificates(pki, ca):
    """The TLS of a server with these files (certificate, key), whose clients have certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pki)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class TcpServer:
    """Listens on 127.0.0.1 between `with` and its end; serve(socket) runs in a thread for each
    connection, and closes it. Attributes: port, connections (how many there were)."""

    def __init__(self, port=0):
        self.port = port
        self.connections = 0

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        finally:
            self._listener.close()

    def serve(self, connection):
        raise NotImplementedError

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()
