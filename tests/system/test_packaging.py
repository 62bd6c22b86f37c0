# SPDX-License-Identifier: Apache-2.0
"""What packaging/ holds: the systemd unit and the example configuration."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import harness
from kme_sites import Case, exchange, request

PACKAGING = harness.ROOT / "packaging"
EXPOSURE_MAX = 15  # tenths, of what `systemd-analyze security` says


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


def output_of(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False,
                          timeout=harness.LIMIT_S)
    return done.returncode, done.stdout + done.stderr


def system_calls(*sets):
    """The names in sets of systemd, such as @system-service."""
    names = set()
    for one in sets:
        code, text = output_of("systemd-analyze", "syscall-filter", one)
        if code != 0:
            raise harness.HarnessError(text)
        for word in re.findall(r"^    ([@\w-]+)$", text, re.M):
            names |= system_calls(word) if word.startswith("@") else {word}
    return names


class Unit(Case):
    @needs("systemd-analyze")
    def test_systemd_accepts_the_unit_and_rates_it_well(self):
        text = (PACKAGING / "qkd-kme.service").read_text(encoding="utf-8")
        sites = self.sites(up=False)
        unit = sites.temp / "qkd-kme.service"
        unit.write_text(text.replace("/usr/bin/qkd-kme", str(harness.QKD_KME)), encoding="utf-8")
        self.assertEqual(output_of("systemd-analyze", "verify", "--man=no", str(unit)), (0, ""))
        code, text = output_of("systemd-analyze", "security", "--offline=true",
                               f"--threshold={EXPOSURE_MAX}", str(unit))
        self.assertEqual(code, 0, text)

    def allowed(self):
        """What the unit lets through."""
        text = (PACKAGING / "qkd-kme.service").read_text(encoding="utf-8")
        allowed = set()
        for sets in re.findall(r"^SystemCallFilter=(.*)$", text, re.M):
            names = system_calls(*sets.lstrip("~").split())
            allowed = allowed - names if sets.startswith("~") else allowed | names
        return allowed

    def start(self, sites, name, *before):
        with open(sites.dir / f"{name}.log", "ab") as log:
            child = subprocess.Popen([*before, harness.QKD_KME, "--config", sites.config(name)],
                                     stdin=subprocess.DEVNULL, stderr=log,
                                     env=harness.child_env(NOTIFY_SOCKET="@qkd-test-nobody"))
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    @staticmethod
    def end(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    @needs("systemd-analyze")
    @needs("strace")
    @unittest.skipIf(harness.SANITIZED, "sanitizers make system calls of their own")
    def test_the_key_server_makes_no_call_that_the_unit_forbids(self):
        sites = self.sites(up=False)
        trace = sites.temp / "trace"
        self.start(sites, "kme-b")
        child = self.start(sites, "kme-a", "strace", "-f", "-qq", "-e", "signal=none", "-o", trace)
        harness.wait_until(lambda: "listens on" in sites.log("kme-a"), "a start")
        (pid,) = map(int, pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text(
            encoding="ascii").split())
        self.addCleanup(self.end, pid)
        sites.reserve(number=2)
        with sites.connect("alice") as connection:
            self.assertEqual(exchange(connection, request("bob/status"))[0].code, 200)
        for number, line in ((signal.SIGHUP, "was read again"), (signal.SIGTERM, " info ended")):
            os.kill(pid, number)
            harness.wait_until(lambda line=line: line in sites.log("kme-a"), line)
        self.assertEqual(child.wait(timeout=harness.LIMIT_S), 0)
        text = trace.read_text(encoding="utf-8", errors="replace")
        called = set(re.findall(r"^\d+ +(\w+)\(", text, re.M))
        self.assertIn("epoll_wait", called)
        self.assertEqual(called - self.allowed(), set())
        self.assertNotRegex(text, r"mprotect\(.*PROT_EXEC")
        self.assertNotRegex(text, r"mmap\(.*PROT_WRITE\|PROT_EXEC")


class Example(Case):
    def test_the_example_configuration_is_accepted(self):
        sites = self.sites(up=False)
        text = (PACKAGING / "qkd-kme.conf").read_text(encoding="utf-8")
        for name in ("cert", "key", "ca"):
            text, count = re.subn(rf'^{name} = "', f'{name} = "{sites.dir}/pki/', text, flags=re.M)
            self.assertEqual(count, 1)
        for pattern, value in (
                (r'^user = .*$', "".join(re.findall(r"^user = .*$", sites.config(
                    "kme-a").read_text(encoding="utf-8"), re.M))),
                (r'"/etc/qkd-kme/store-key"', f'"{sites.temp}/store-key"'),
                (r'"/var/lib/qkd-kme/', f'"{sites.temp}/'),
                (r'"/var/log/qkd-kme/', f'"{sites.temp}/')):
            text, count = re.subn(pattern, lambda _, value=value: value, text, flags=re.M)
            self.assertEqual(count, 1, pattern)
        (sites.temp / "store-key").write_bytes(os.urandom(32))
        (sites.temp / "store-key").chmod(0o600)
        path = sites.temp / "example.conf"
        path.write_text(text, encoding="utf-8")
        code, text = output_of(harness.QKD_KME, "--check-config", "--config", path)
        self.assertEqual((code, text), (0, ""))


if __name__ == "__main__":
    unittest.main()
