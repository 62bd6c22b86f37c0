# SPDX-License-Identifier: Apache-2.0
"""evp_probe as a process that a test goes along with."""
import subprocess

from harness import BUILD, OPENSSL35

PROGRAM = BUILD / "tests" / "bin" / "evp_probe"
GROUP = "qkd_x25519mlkem768"


class Probe:
    """A process that takes these steps; it stops at each "wait" until go_on()."""

    def __init__(self, conf, *steps, log=None):
        self._command = [PROGRAM, GROUP, *steps]
        self._env = OPENSSL35.env(conf, f"debug:{log}" if log else None)

    def __enter__(self):
        self._process = subprocess.Popen(self._command, env=self._env, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.read()
        self._process.stdout.close()
        self._process.wait()

    def lines(self):
        """What it printed up to the next "wait", or its end."""
        found = []
        for line in self._process.stdout:
            if line == "waiting\n":
                break
            found.append(line.rstrip("\n"))
        return found

    def go_on(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
