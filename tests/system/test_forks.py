# SPDX-License-Identifier: Apache-2.0
"""A process that forks: each child makes handshakes with connections and keys of its own, whatever
its parent was doing at that moment."""
import os
import pathlib
import subprocess
import threading
import unittest

import fake_kme
import fake_kme004
from harness import (BUILD, LIMIT_S, OPENSSL35, SANITIZED, Lab, handshake_keys, metric,
                     wait_until)

PROGRAM = BUILD / "tests" / "bin" / "forks"
GROUP = "qkd_x25519mlkem768"
CHILDREN, HANDSHAKES_OF_CHILD = 4, 3  # as in forks.c
WAYS = (("014", "client"), ("014", "server"), ("004", "client"))


def opens_stream(call):
    return call.service == fake_kme004.OPEN and call.stream_id == fake_kme004.ZERO


def joins_stream(call):
    return call.service == fake_kme004.OPEN and call.stream_id != fake_kme004.ZERO


def reads_key(call):
    return call.service == fake_kme004.GET_KEY


class Gate:
    """A behaviour that is right, but holds the first request of a kind until open() is called."""

    def __init__(self, good, is_held):
        self._good, self._is_held = good, is_held
        self._first = threading.Lock()
        self._opened = threading.Event()
        self.holds = threading.Event()

    def __call__(self, request):
        if self._is_held(request) and self._first.acquire(blocking=False):
            self.holds.set()
            self._opened.wait(2 * LIMIT_S)
        return self._good(request)

    def open(self):
        self._opened.set()


class ForkCase(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab(up=False))
        self.log = self.lab.temp / "forks.log"

    def environment(self):
        return OPENSSL35.env("/dev/null", f"info:{self.log}")

    def start(self, initiator, kmes, *steps):
        confs = [self.lab.conf_with(name, initiator=initiator, kme=kme, timeout_ms=60000)
                 for name, kme in zip(("alice", "bob"), kmes)]
        command = [PROGRAM, self.lab.ca, *self.lab.pki("localhost"), *confs, GROUP, *steps]
        return subprocess.Popen(command, env=self.environment(),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def check_keys(self, handshakes):
        """Each was of a key of its own, which both ends had, and none was lost."""
        text = self.log.read_text(encoding="utf-8")
        self.assertNotIn("key lost", text)
        for role in ("initiator", "responder"):
            ids = [key[2] for key in handshake_keys(text) if key[1] == role]
            self.assertEqual((len(ids), len(set(ids))), (handshakes, handshakes))
        self.log.unlink()


class Forks(ForkCase):
    """With real key servers, which count the connections."""

    def setUp(self):
        super().setUp()
        self.lab.up()

    def connections(self, api):
        return [metric(url, "qkd_kme_connections_total", api=api)
                for url in (self.lab.kme_a_admin, self.lab.kme_b_admin)]

    def check(self, *steps):
        for api, initiator in WAYS:
            with self.subTest(api=api, initiator=initiator):
                kmes = (self.lab.kme_a_014, self.lab.kme_b_014) if api == "014" else (
                    f"etsi004://{self.lab.kme_a_004}", f"etsi004://{self.lab.kme_b_004}")
                before = self.connections(api)
                with self.start(initiator, kmes, *steps) as process:
                    _, errors = process.communicate(timeout=2 * LIMIT_S)
                self.assertEqual((process.returncode, errors), (0, ""))
                self.check_keys(CHILDREN * HANDSHAKES_OF_CHILD + steps.count("handshake"))
                # One for each process, kept while it lives: the parent's outlives its children.
                self.assertEqual([now - then for then, now in zip(before, self.connections(api))],
                                 [CHILDREN + 1] * 2)

    def test_children_forked_before_first_use_have_connections_and_keys_of_their_own(self):
        self.check("children", "handshake")

    def test_children_forked_after_first_use_have_connections_and_keys_of_their_own(self):
        self.check("handshake", "children", "handshake")


class ForkWhileWaiting(ForkCase):
    """A thread waits for its key server, which holds the answer back, when the process forks."""

    def environment(self):
        """In a child the waiting thread's memory is nobody's any more, which is no leak of ours."""
        env = super().environment()
        if SANITIZED:
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        return env

    def wait_until_all_sleep(self, pid):
        def all_sleep():
            tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
            return all((task / "stat").read_text(encoding="ascii", errors="replace")
                       .rpartition(")")[2].split()[0] == "S" for task in tasks)
        wait_until(all_sleep, "all threads asleep")

    def fork_at(self, kind, good, is_held, initiator):
        """Forks while a request that is_held() waits; then lets the waiting thread go on."""
        gate = Gate(good, is_held)
        with kind(self.lab, gate) as fake, \
                self.start(initiator, (fake.url, fake.url), "thread", "read", "children", "read",
                           "join", "handshake") as process:
            try:
                self.assertEqual(process.stdout.readline(), "waiting\n", "before the fork")
                self.assertTrue(gate.holds.wait(LIMIT_S), "no request was held")
                self.wait_until_all_sleep(process.pid)
                process.stdin.write("\n")
                process.stdin.flush()
                if process.stdout.readline() != "waiting\n":
                    self.fail(f"the children's handshakes: {process.communicate()[1]}")
                gate.open()
                _, errors = process.communicate("\n", timeout=2 * LIMIT_S)
            finally:
                gate.open()
                process.kill()
        self.assertEqual((process.returncode, errors), (0, ""))
        self.check_keys(CHILDREN * HANDSHAKES_OF_CHILD + 2)
        self.assertEqual(fake.connections, 2 * (CHILDREN + 1), "one of each end and process")

    def fork014(self, is_held):
        for initiator in ("client", "server"):
            with self.subTest(initiator=initiator):
                self.fork_at(fake_kme.FakeKme, fake_kme.good, is_held, initiator)

    def test_a_reservation_of_014(self):
        self.fork014(lambda request: request.is_reservation)

    def test_a_claim_of_014(self):
        self.fork014(lambda request: request.is_claim)

    def test_the_opening_of_a_stream_of_004(self):
        self.fork_at(fake_kme004.FakeKme004, fake_kme004.good, opens_stream, "client")

    def test_the_joining_of_a_stream_of_004(self):
        self.fork_at(fake_kme004.FakeKme004, fake_kme004.good, joins_stream, "client")

    def test_a_key_of_004(self):
        self.fork_at(fake_kme004.FakeKme004, fake_kme004.good, reads_key, "client")


if __name__ == "__main__":
    unittest.main()
