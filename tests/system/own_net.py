# SPDX-License-Identifier: Apache-2.0
"""A loopback of its own for a test that listens on fixed ports.

The files of examples/ name their ports, and tests run side by side. Where the kernel lets us,
enter() moves this process (and its children) into a network namespace with nothing but a
loopback interface; elsewhere one such test after the other uses the machine's own.
"""
import ctypes
import fcntl
import os
import pathlib
import socket
import struct
import sys
import tempfile

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_UP = 1

_entered = None


def enter():
    """Once a process; says on stderr when the machine's own loopback had to do."""
    global _entered
    if _entered is None:
        _entered = unshare() or _take_turns()


def unshare():
    """Moves the calling thread (a process that has but one: the process) and what it starts from
    now on into a network namespace of its own, with its loopback up; None where that is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET) != 0:
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            return None
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"),
                           ("gid_map", f"{group} {group} 1")):
            pathlib.Path("/proc/self", name).write_text(text, encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(probe, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))
    return "namespace"


def _take_turns():
    path = pathlib.Path(tempfile.gettempdir()) / f"qkd-test-fixed-ports-{os.getuid()}.lock"
    lock = open(path, "w", encoding="ascii")  # held until this process ends
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("no network namespace may be made here: the ports of the recipes are taken on the "
          "machine's own loopback, one test at a time", file=sys.stderr)
    return lock
