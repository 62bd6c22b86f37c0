# SPDX-License-Identifier: Apache-2.0
"""What strangers and unused reservations can cost a link is bounded (settings max-keys-per-second
and max-keys-burst)."""
import os
import subprocess
import unittest

from fake_kme import FakeKme
from harness import (LIMIT_S, OPENSSL35, Lab, Server, delivered, handshake_keys, metric,
                     run_client, wait_until)
from probe import Probe
from tls_wire import Proxy

ID_BYTES = 16
UNUSED_MAX = 100  # own reservations in a row; then ten a second


def with_id(key_id):
    return lambda share: share[:-ID_BYTES] + key_id


class Reservations(unittest.TestCase):
    def test_keys_that_nobody_uses_come_to_an_end(self):
        with Lab() as lab:
            conf = lab.conf_with("alice", initiator="client")
            with Probe(conf, *["try"] * 400) as probe:
                lines = probe.lines()
            self.assertEqual(lines[:UNUSED_MAX], ["key"] * UNUSED_MAX)
            refused = [line for line in lines if "too many in a row were not used" in line]
            self.assertGreater(len(refused), 0)
            self.assertEqual(len(lines) - len(refused), delivered(lab, "initiator"))

    def test_openssl_speed_cannot_empty_a_link(self):
        with Lab() as lab:
            conf = lab.conf_with("alice", initiator="client")
            done = subprocess.run([OPENSSL35.program, "speed", "-seconds", "2", "qkd_x25519"],
                                  env=OPENSSL35.env(conf), capture_output=True, text=True,
                                  timeout=LIMIT_S, check=False)
            spent = delivered(lab, "initiator")
            self.assertGreater(spent, 0, done.stdout + done.stderr)
            # Three kinds of operation of two seconds each, and some more for a slow machine.
            self.assertLess(spent, UNUSED_MAX + 10 * LIMIT_S)

    def test_a_key_that_was_used_lets_the_next_ones_through(self):
        with Lab() as lab, Server(lab) as server:
            for _ in range(3):
                self.assertTrue(run_client(lab, server.port,
                                           conf=lab.conf_with("alice", max_keys_burst=1,
                                                              max_keys_per_second=1)).connected)


class LookUps(unittest.TestCase):
    def attempt(self, lab, server, key_id, conf=None):
        with Proxy(server.port, client=with_id(key_id)) as proxy:
            return run_client(lab, proxy.port, conf=conf or lab.conf_with("alice",
                                                                         initiator="server"))

    def test_an_id_that_was_refused_is_not_asked_for_again(self):
        def refuse(request):
            request.answer(404, {"message": "one or more keys specified are not found on KME"})

        with Lab() as lab, FakeKme(lab, refuse, cert="kme-b") as kme, \
                Server(lab, conf=lab.conf_with("bob", kme=kme.url)) as server:
            self.attempt(lab, server, b"\1" * ID_BYTES)
            asked = len(kme.requests)
            self.assertGreater(asked, 0)
            for _ in range(3):
                self.attempt(lab, server, b"\1" * ID_BYTES)
            self.assertEqual(len(kme.requests), asked)
            self.assertIn("was refused a moment ago and is not asked for again", server.stderr())
            self.attempt(lab, server, b"\2" * ID_BYTES)
            self.assertGreater(len(kme.requests), asked)

    def test_more_ids_than_the_bound_are_refused_with_internal_error(self):
        with Lab() as lab, Server(lab, conf=lab.conf_with("bob", max_keys_per_second=1,
                                                          max_keys_burst=2, timeout_ms=800)) as server:
            alerts = [self.attempt(lab, server, os.urandom(ID_BYTES)).stderr for _ in range(12)]
            self.assertRegex(server.stderr(), "keys are asked for faster than this end allows.*"
                                              "key IDs come faster than max-keys-per-second = 1")
            self.assertTrue(any("alert internal error" in text for text in alerts))
            asked = metric(lab.kme_b_admin, "qkd_kme_requests_total", method="dec_keys")
            self.assertLess(asked, 12)

    def test_zero_ids_spend_no_more_keys_than_the_bound(self):
        with Lab() as lab, Server(lab, conf=lab.conf_with("bob", max_keys_per_second=1,
                                                          max_keys_burst=2, timeout_ms=800)) as server:
            clients = [run_client(lab, server.port, conf=lab.conf_with("alice", initiator="server"))
                       for _ in range(12)]
            connected = sum(client.connected for client in clients)
            self.assertEqual(delivered(lab, "initiator"), connected)
            self.assertGreaterEqual(connected, 2)
            self.assertLess(connected, 12)
            self.assertIn("keys are reserved faster than max-keys-per-second = 1", server.stderr())

    def test_keys_of_handshakes_that_succeed_are_not_counted(self):
        with Lab() as lab, Server(lab, conf=lab.conf_with("bob", max_keys_per_second=1,
                                                          max_keys_burst=1, timeout_ms=800)) as server:
            for count in range(1, 9):
                client = run_client(lab, server.port, conf=lab.conf_with("alice",
                                                                         initiator="client"))
                self.assertTrue(client.connected, str(client))
                wait_until(lambda: len(handshake_keys(server.log())) == count, "the server's log")


if __name__ == "__main__":
    unittest.main()
