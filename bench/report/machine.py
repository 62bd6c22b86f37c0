# SPDX-License-Identifier: Apache-2.0
"""Where and when something was measured."""
import datetime
import os
import pathlib
import platform
import re
import subprocess

import harness


def machine():
    """Processor, kernel and OpenSSL, in a line."""
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(
        encoding="ascii"), re.M)
    version = ".".join(map(str, harness.OPENSSL35.version()))
    return (f"{model[1] if model else platform.machine()}, {os.cpu_count()} CPUs, "
            f"Linux {platform.release()}, OpenSSL {version}")


def today():
    return datetime.date.today().isoformat()


def commit():
    """Of this tree, "+" when it has been changed since; "" outside of git."""
    def git(*words):
        return subprocess.run(["git", "-C", str(harness.ROOT), *words], capture_output=True,
                              text=True, check=False).stdout.strip()
    found = git("rev-parse", "--short", "HEAD")
    return found + ("+" if found and git("status", "--porcelain", "-uno") else "")
