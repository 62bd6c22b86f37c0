# SPDX-License-Identifier: Apache-2.0
"""Handshakes of unmodified programs whose key servers speak ETSI 004."""
import unittest

from harness import (OPENSSL35, SYSTEM_OPENSSL, Lab, Server, handshake_keys, metric, run_client,
                     wait_until)
from tls_wire import CLIENT_HELLO, Proxy

GROUPS = ("qkd_mlkem768", "qkd_x25519mlkem768", "qkd_x25519")
ID = 16


def total(lab, name, **labels):
    """The sum of a metric over both key servers."""
    return sum(metric(url, name, **labels) for url in (lab.kme_a_admin, lab.kme_b_admin))


def delivered(lab):
    """(keys delivered to initiators, to responders) over ETSI 004."""
    return tuple(total(lab, "qkd_kme_keys_delivered_total", api="004", role=role)
                 for role in ("initiator", "responder"))


class Handshake004(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab(api="004"))

    def check(self, server, client, group):
        self.assertTrue(client.connected, f"{client}\n--- server\n{server.stderr()}{server.log()}")
        at_client, at_server = handshake_keys(client.log)[0], handshake_keys(server.log())[-1]
        self.assertEqual(at_client[:2], (group, "initiator"))
        self.assertEqual(at_server[:2], (group, "responder"))
        self.assertEqual(at_client[2], at_server[2], "not the same Key_stream_ID")
        self.assertTrue(at_client[3].startswith("etsi004://"))

    def wait_for_no_stream(self):
        """Closing waits for nothing, so the last one may take a moment."""
        wait_until(lambda: total(self.lab, "qkd_kme_streams") == 0, "all streams closed")

    def test_every_kind_of_group_works(self):
        with Server(self.lab, "-groups", ":".join(GROUPS)) as server:
            for group in GROUPS:
                client = run_client(self.lab, server.port, groups=group)
                self.check(server, client, group)
                self.assertEqual(client.group, group)
        self.assertEqual(delivered(self.lab), (len(GROUPS), len(GROUPS)))
        self.wait_for_no_stream()

    def test_the_systems_openssl_works_with_itself_and_with_the_newer_one(self):
        for openssl_client, openssl_server in ((SYSTEM_OPENSSL, SYSTEM_OPENSSL),
                                               (SYSTEM_OPENSSL, OPENSSL35),
                                               (OPENSSL35, SYSTEM_OPENSSL)):
            with Server(self.lab, "-groups", "qkd_x25519", openssl=openssl_server) as server:
                client = run_client(self.lab, server.port, groups="qkd_x25519",
                                    openssl=openssl_client)
                self.check(server, client, "qkd_x25519")

    def test_small_stacks_of_async_jobs_suffice(self):
        with Server(self.lab, "-async", "-groups", ":".join(GROUPS)) as server:
            for group in GROUPS:
                client = run_client(self.lab, server.port, "-async", groups=group)
                self.check(server, client, group)

    def test_200_handshakes_cost_200_streams_at_each_key_server_and_200_keys_at_each_end(self):
        count, runs = 200, 0
        with Server(self.lab, "-groups", "qkd_mlkem768", "-num_tickets", "0") as server:
            for size in [6] * (count // 6) + [1] * (count % 6):
                options = ("-reconnect", "-no_ticket") if size == 6 else ()
                client = run_client(self.lab, server.port, *options, groups="qkd_mlkem768")
                self.assertTrue(client.connected, str(client))
                runs += 1
            wait_until(lambda: len(handshake_keys(server.log())) >= count, "all at the server")
            ids = {key[2] for key in handshake_keys(server.log())}
            self.assertEqual(len(ids), count, "a Key_stream_ID was used twice")
            self.wait_for_no_stream()
            self.assertEqual(delivered(self.lab), (count, count))
            for url in (self.lab.kme_a_admin, self.lab.kme_b_admin):
                for name in ("qkd_kme_streams_opened_total", "qkd_kme_streams_closed_total"):
                    self.assertEqual(metric(url, name), count, f"{name} at {url}")
                for method in ("open_connect", "get_key", "close"):
                    self.assertEqual(metric(url, "qkd_kme_requests_total", api="004",
                                            method=method), count, f"{method} at {url}")
            self.assertLessEqual(metric(self.lab.kme_a_admin, "qkd_kme_connections_total",
                                        api="004"), 2 * runs)
            self.assertLessEqual(metric(self.lab.kme_b_admin, "qkd_kme_connections_total",
                                        api="004"), 2)

    def test_a_retry_with_another_group_closes_the_stream_that_was_not_used(self):
        with Server(self.lab, "-groups", "qkd_mlkem768") as server:
            client = run_client(self.lab, server.port, groups="qkd_x25519mlkem768:qkd_mlkem768")
            self.check(server, client, "qkd_mlkem768")
            self.assertEqual(client.log.count("key lost"), 1, client.log)
        self.assertEqual(delivered(self.lab), (1, 1))
        self.wait_for_no_stream()


class Refusals004(unittest.TestCase):
    """Against key servers of ours; test_bad_kme004.py has those that misbehave."""

    def setUp(self):
        self.lab = self.enterContext(Lab(api="004"))

    def attempt(self, server, change, text):
        seen = len(server.stderr())
        with Proxy(server.port, client=change) as proxy:
            client = run_client(self.lab, proxy.port)
            self.assertFalse(client.connected, str(client))
            self.assertIn("alert illegal parameter", client.stderr)
            for part in ("peer alice", "KME localhost:", text):
                self.assertIn(part, server.stderr()[seen:])
        client = run_client(self.lab, server.port)
        self.assertTrue(client.connected, f"the next handshake failed: {client}")

    def test_a_stream_id_that_nobody_opened_is_refused(self):
        with Server(self.lab) as server:
            self.attempt(server, lambda share: share[:-ID] + b"\7" * ID, "it refused")

    def test_a_stream_id_that_was_used_is_refused(self):
        with Server(self.lab) as server:
            with Proxy(server.port) as proxy:
                self.assertTrue(run_client(self.lab, proxy.port).connected)
                used = next(share for kind, share in proxy.shares if kind == CLIENT_HELLO)[-ID:]
            self.attempt(server, lambda share: share[:-ID] + used, "it refused")

    def test_our_own_stream_is_not_disturbed_by_a_stranger_who_repeats_its_id_to_us(self):
        """alice's server is sent the ID of alice's client before bob's server sees it."""
        conf = self.lab.conf("alice")
        with Server(self.lab) as server, Server(self.lab, conf=conf) as own_server:
            def repeat(share):
                with Proxy(own_server.port, client=lambda own: own[:-ID] + share[-ID:]) as proxy:
                    stranger = run_client(self.lab, proxy.port, conf=self.lab.conf("bob"))
                self.assertFalse(stranger.connected, str(stranger))
                return share
            with Proxy(server.port, client=repeat) as proxy:
                client = run_client(self.lab, proxy.port)
            self.assertTrue(client.connected, f"{client}{server.stderr()}")
            self.assertIn("it refused OPEN_CONNECT", own_server.stderr())

    def test_ends_with_different_standards_fail_cleanly_with_reasons(self):
        """A server whose key server speaks 004, a client whose key server speaks 014."""
        conf = self.lab.conf_with("alice", kme=self.lab.kme_a_014, initiator="client")
        with Server(self.lab) as server:
            client = run_client(self.lab, server.port, conf=conf)
            self.assertFalse(client.connected)
            self.assertIn("alert illegal parameter", client.stderr)
            self.assertIn("it refused", server.stderr())
        conf = self.lab.conf_with("bob", kme=self.lab.kme_b_014)
        with Server(self.lab, conf=conf) as server:
            client = run_client(self.lab, server.port)
            self.assertFalse(client.connected)
            self.assertIn("alert illegal parameter", client.stderr)
            self.assertIn("not found on KME", server.stderr())

    def test_a_link_that_is_down_fails_the_handshake_with_the_reason(self):
        self.lab.stop("kme-b")
        with Server(self.lab) as server:
            client = run_client(self.lab, server.port)
            self.assertFalse(client.connected)
            self.assertIn("it refused OPEN_CONNECT: ", client.stderr)

    def test_a_key_server_that_stops_answering_costs_no_more_than_the_time_budget(self):
        with Server(self.lab, conf=self.lab.conf_with("bob", timeout_ms=300)) as server:
            self.assertTrue(run_client(self.lab, server.port).connected)
            self.lab.pause("kme-b")
            client = run_client(self.lab, server.port)
            self.assertFalse(client.connected)
            self.assertIn("the time budget ended", server.stderr())
            self.lab.resume("kme-b")
            client = run_client(self.lab, server.port)
            self.assertTrue(client.connected, f"{client}{server.stderr()}")


if __name__ == "__main__":
    unittest.main()
