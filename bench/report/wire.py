# SPDX-License-Identifier: Apache-2.0
"""Two sites, as two network namespaces, and a long wire between them.

Site A is where this process is; site B is a namespace that one thread of it has entered. The wire
is a TUN device at each site and bench/delay.c between the two.
"""
import concurrent.futures
import contextlib
import fcntl
import os
import socket
import struct
import subprocess

import harness
import own_net

PROGRAM = harness.BUILD / "bench" / "delay"
ADDRESS_A, ADDRESS_B, NETMASK = "10.77.0.1", "10.77.0.2", "255.255.255.0"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
SIOCSIFADDR, SIOCSIFNETMASK, SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8916, 0x891C, 0x8913, 0x8914
IFF_UP = 1


def _new_device(name, address):
    """The descriptor of a TUN device in the namespace of the calling thread, up."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name, IFF_TUN | IFF_NO_PI))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, NETMASK)):
                fcntl.ioctl(control, request, struct.pack(
                    "16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(value)))
            flags = struct.unpack_from("H", fcntl.ioctl(
                control, SIOCGIFFLAGS, struct.pack("16s24x", name)), 16)[0]
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name, flags | IFF_UP))
    except OSError:
        os.close(fd)
        raise
    return fd


class Wire:
    """One way takes `delay_us`. HarnessError where namespaces or TUN devices are not to be had."""

    def __init__(self, delay_us):
        self._delay_us = delay_us
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._enter()
        except OSError as error:
            self._stack.close()
            raise harness.HarnessError(f"a TUN device is needed here: {error}") from error
        except BaseException:
            self._stack.close()
            raise
        return self

    def _enter(self):
        self._site_b = self._stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        if not self.at_b(own_net.unshare):
            raise harness.HarnessError("a network namespace is needed here, and none may be made")
        ends = [_new_device(b"qkd-a", ADDRESS_A), self.at_b(_new_device, b"qkd-b", ADDRESS_B)]
        for end in ends:
            self._stack.callback(os.close, end)
        process = subprocess.Popen([PROGRAM, *map(str, ends), str(self._delay_us)],
                                   pass_fds=ends)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)

    def __exit__(self, *_):
        self._stack.close()

    def at_b(self, function, *words, **options):
        """What a function gives, called at site B. What it starts stays there."""
        return self._site_b.submit(function, *words, **options).result()
