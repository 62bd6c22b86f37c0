#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTPS server of Python's standard library; nothing here knows of QKD.

    server.py PORT CERT.pem KEY.pem
"""
import http.server
import signal
import ssl
import sys


class Page(http.server.BaseHTTPRequestHandler):
    timeout = 10  # seconds; for the handshake, too

    def do_GET(self):
        body = f"hello from {ssl.OPENSSL_VERSION}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, address, context):
        super().__init__(address, Page)
        # The handshake comes with the first read, in the connection's own thread: a client that
        # is slow, or a key server, delays nobody else.
        self.socket = context.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        print(f"{client_address[0]}: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


def main():
    port, cert, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(cert, key)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server(("127.0.0.1", int(port)), context) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.serve_forever()


if __name__ == "__main__":
    main()
