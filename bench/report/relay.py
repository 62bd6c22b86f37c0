# SPDX-License-Identifier: Apache-2.0
"""The way to a key server, which can turn into a black hole and back."""
import contextlib
import socket
import threading

FILLERS = 4


class Relay:
    """Carries TCP connections to a port of this machine, in threads of this process.

    swallow(): what is connected falls silent, and connecting neither succeeds nor fails, as
    where packets are dropped. carry(): all goes on.
    """

    def __init__(self, to_port):
        self._to_port = to_port
        self._carrying = threading.Event()
        self._carrying.set()
        self._sockets = set()
        self._fillers = []
        self._ended = False

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self._listener.getsockname()[1]
        # Not localhost: that may be two addresses, one of which is refused at once.
        self.url = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._ended = True
        self.carry()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def swallow(self):
        self._carrying.clear()
        for _ in range(FILLERS):  # the queue of those who want to connect is full then
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._fillers.append(filler)

    def carry(self):
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self._carrying.set()

    def _accept(self):
        while not self._ended:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._carrying.wait()
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                near.close()
                continue
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.add(one)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._carrying.wait()
                sink.sendall(data)
        self._carrying.wait()
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.discard(source)
        source.close()
