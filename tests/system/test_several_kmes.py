# SPDX-License-Identifier: Apache-2.0
"""Several key servers of one site (kme = URL, URL): which one is asked, what happens when one is no
help, and when it is one again; and a single one that hangs."""
import threading
import time
import unittest

from fake_kme import FakeKme, black_hole, good_with_status
from harness import (OPENSSL35, SYSTEM_OPENSSL, SLOWNESS, Lab, Server, free_ports, handshake_keys,
                     run_client, wait_until)
from probe import Probe

HUNG = "did not answer in time"
TIMEOUT_MS = 800 * SLOWNESS  # of which each of two key servers gets half
LEFT_OUT = "not asked again before it answers a probe"


class Switch:
    """A key server that hangs until it is told not to."""

    def __init__(self, good_now):
        self.released = threading.Event()
        if good_now:
            self.released.set()

    def __call__(self, request):
        while not self.released.wait(0.02):
            if request.fake.ending.is_set():
                return
        good_with_status(request)


def reservations(fake):
    return sum(path.endswith("/enc_keys") for _, path in fake.requests)


class Handshakes(unittest.TestCase):
    """An unmodified client and server; one end has several key servers, the other one."""

    def check(self, lab, name, urls, used):
        """Handshakes of which each uses the key server `used`."""
        conf = lab.conf_with(name, kme=", ".join(urls))
        confs = {"alice": lab.conf("alice"), "bob": lab.conf("bob"), name: conf}
        with Server(lab, conf=confs["bob"]) as server:
            for count in range(1, 4):
                client = run_client(lab, server.port, conf=confs["alice"])
                self.assertTrue(client.connected, str(client))
                log = client.log if name == "alice" else wait_until(
                    lambda: len(handshake_keys(server.log())) == count and server.log(),
                    "the server's log")
                self.assertEqual(handshake_keys(log)[-1][3], used)

    def test_the_first_is_used_while_it_answers(self):
        with Lab() as lab, FakeKme(lab) as other:
            self.check(lab, "alice", [lab.kme_a_014, other.url], lab.kme_a_014)
            self.assertEqual(other.connections, 0)

    def test_one_that_is_down_is_passed_over_at_either_end(self):
        with Lab() as lab:
            for name, url in (("alice", lab.kme_a_014), ("bob", lab.kme_b_014)):
                self.check(lab, name, [f"https://localhost:{free_ports(1)[0]}", url], url)

    def test_one_in_a_black_hole_is_passed_over_at_either_end(self):
        with Lab() as lab, black_hole() as nowhere:
            for name, url in (("alice", lab.kme_a_014), ("bob", lab.kme_b_014)):
                self.check(lab, name, [nowhere, url], url)

    def test_one_without_keys_is_passed_over(self):
        with Lab() as lab, FakeKme(lab, lambda request: request.answer(503)) as empty:
            self.check(lab, "alice", [empty.url, lab.kme_a_014], lab.kme_a_014)

    def test_a_key_is_found_at_whichever_key_server_of_the_site_has_it(self):
        def knows_nothing(request):
            request.answer(404, {"message": "one or more keys specified are not found on KME"})

        with Lab() as lab, FakeKme(lab, knows_nothing) as other:
            self.check(lab, "bob", [other.url, lab.kme_b_014], lab.kme_b_014)
            self.assertGreaterEqual(len(other.requests), 3)

    def test_the_same_over_etsi_004(self):
        with Lab(api="004") as lab:
            for name, url in (("alice", lab.kme_a_004), ("bob", lab.kme_b_004)):
                self.check(lab, name,
                           [f"etsi004://localhost:{free_ports(1)[0]}", f"etsi004://{url}"],
                           f"etsi004://{url}")

    def test_what_each_of_them_said_is_in_the_reason(self):
        with Lab() as lab, FakeKme(lab, lambda request: request.answer(503)) as empty:
            ports = free_ports(1)
            conf = lab.conf_with("alice", kme=f"https://localhost:{ports[0]},{empty.url}")
            with Server(lab) as server:
                client = run_client(lab, server.port, conf=conf)
            self.assertIn(f"KME localhost:{ports[0]}: connect: Connection refused; "
                          f"KME localhost:{empty.port}: it answered HTTP 503", client.stderr)


class Health(unittest.TestCase):
    """A process that asks again and again, and key servers that hang."""

    def setUp(self):
        self.lab = self.enterContext(Lab(up=False))

    def conf(self, *fakes):
        return self.lab.conf_with("alice", kme=",".join(fake.url for fake in fakes),
                                  timeout_ms=TIMEOUT_MS, initiator="client")

    def test_a_key_server_that_hangs_is_asked_twice_and_then_left_out(self):
        with FakeKme(self.lab, Switch(False)) as hung, \
                Probe(self.conf(hung), *["try"] * 12) as probe:
            lines = probe.lines()
            self.assertEqual([HUNG in line for line in lines[:2]], [True, True], lines)
            self.assertEqual([LEFT_OUT in line for line in lines[2:]], [True] * 10, lines)
            self.assertIn(f"KME localhost:{hung.port}: it failed 2 times, last ", lines[2])
            self.assertIn("the time budget ended while waiting for the answer", lines[2])
            self.assertEqual(reservations(hung), 2)

    def test_a_key_server_that_is_left_out_costs_no_turns(self):
        with FakeKme(self.lab, Switch(False)) as hung, \
                Probe(self.lab.conf_with("alice", kme=hung.url, timeout_ms=TIMEOUT_MS,
                                         initiator="client", max_keys_per_second=1,
                                         max_keys_burst=3), *["try"] * 12) as probe:
            lines = probe.lines()
            self.assertEqual([LEFT_OUT in line for line in lines[2:]], [True] * 10, lines)

    def test_it_is_asked_again_when_it_is_back(self):
        switch = Switch(False)
        with FakeKme(self.lab, switch) as kme, \
                Probe(self.conf(kme), *["try"] * 3, *["wait", "try"] * 60) as probe:
            self.assertIn(LEFT_OUT, probe.lines()[2])
            switch.released.set()
            back = False
            for _ in range(60):
                time.sleep(0.05)
                probe.go_on()
                back = probe.lines() == ["key"]
                if back:
                    break
            self.assertTrue(back, "no key after 60 calls every 50 ms")

    def check_server(self, initiator, openssl):
        """What clients of a server are told whose key server hangs, and what its log says."""
        group = "qkd_x25519"
        conf = {"timeout_ms": TIMEOUT_MS, "groups": group}
        with Lab() as lab, FakeKme(lab, Switch(False), cert="kme-b") as hung, \
                Server(lab, conf=lab.conf_with("bob", kme=hung.url, **conf),
                       openssl=openssl) as server:
            for count in range(5):
                seen = len(server.stderr())
                client = run_client(lab, server.port, openssl=openssl,
                                    conf=lab.conf_with("alice", initiator=initiator, groups=group))
                self.assertFalse(client.connected, str(client))
                wait_until(lambda: group in server.stderr()[seen:], "the server's reason")
                said = server.stderr()[seen:]
                self.assertEqual("the key server did not answer in time" in said, count < 2, said)
                self.assertEqual(LEFT_OUT in said, count >= 2, said)
                if count >= 2:
                    self.assertIn("alert internal error", client.stderr)
            self.assertLessEqual(sum(not path.endswith("/status") for _, path in hung.requests), 2)

    def test_clients_of_a_server_whose_key_server_hangs_get_internal_error(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            for initiator in ("client", "server"):
                with self.subTest(openssl=openssl.program, initiator=initiator):
                    self.check_server(initiator, openssl)

    def test_another_takes_its_place_and_gives_it_back(self):
        switch = Switch(False)
        with FakeKme(self.lab, switch) as first, FakeKme(self.lab, good_with_status) as second, \
                Probe(self.conf(first, second), *["try"] * 10, *["wait", "try"] * 60) as probe:
            self.assertEqual(probe.lines(), ["key"] * 10)
            self.assertEqual((reservations(first), reservations(second)), (1, 10))
            switch.released.set()
            for _ in range(60):
                time.sleep(0.05)
                probe.go_on()
                self.assertEqual(probe.lines(), ["key"])
                if reservations(first) > 1:
                    break
            self.assertGreater(reservations(first), 1, "the first was never asked again")


if __name__ == "__main__":
    unittest.main()
