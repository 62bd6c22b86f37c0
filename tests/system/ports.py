# SPDX-License-Identifier: Apache-2.0
"""TCP ports for tests that run side by side."""
import contextlib
import random
import socket


class PortBlock:
    """Consecutive ports that no other test takes while this object is open."""
    SIZE = 20
    FIRST, LAST = 20000, 31980  # below the ports that the kernel hands out

    def __init__(self):
        blocks = list(range(self.FIRST, self.LAST, self.SIZE))
        random.SystemRandom().shuffle(blocks)
        for base in blocks:
            # An abstract name leaves no file behind and belongs to this network namespace.
            self._lock = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(OSError):
                self._lock.bind(f"\0qkd-test-ports-{base}")
                if all(_is_free(base + offset) for offset in range(self.SIZE)):
                    self.base = base
                    return
            self._lock.close()
        raise RuntimeError("no free block of ports")

    def close(self):
        self._lock.close()


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count):
    """Ports that are free now. Prefer PortBlock or port 0 where something else may race."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
