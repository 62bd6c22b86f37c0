# SPDX-License-Identifier: Apache-2.0
"""TLS sessions of SAEs that are resumed: who somebody is, and until when, is as sure as before."""
import datetime
import ssl
import time
import unittest

import harness
from fake_kme import FakeKme
from harness import Server, run_client
from kme_sites import Case, exchange, request
from test_bad_kme import close_after_each

GROUP = "qkd_x25519"
LIFE_S = 12


def resumed(sites, api="014", site="a"):
    return sites.metric(site, "qkd_kme_tls_resumed_total", api=api)


class Sessions(Case):
    """Clients that are not ours."""

    def ask(self, sites, context, session=None, sae="alice", path="bob/status"):
        """(answer, whether the session was resumed, the session for next time)"""
        with sites.connect(sae, context, session=session) as connection:
            answer = exchange(connection, request(path))[0]
            return answer, connection.session_reused, connection.session

    def test_a_resumed_session_is_its_sae(self):
        sites = self.sites()
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            context = sites.tls_context("alice", version, version)
            first, reused, session = self.ask(sites, context)
            self.assertFalse(reused)
            again, reused, _ = self.ask(sites, context, session)
            self.assertTrue(reused, version)
            for answer in (first, again):
                self.assertEqual(answer.code, 200)
                self.assertEqual(answer.json()["master_SAE_ID"], "alice")
        self.assertEqual(resumed(sites), 2)

    def test_an_sae_that_was_taken_off_the_list_is_nobody_with_an_old_session_too(self):
        sites = self.sites()
        context = sites.tls_context("mallory")
        answer, _, session = self.ask(sites, context, sae="mallory")
        self.assertEqual(answer.code, 200)
        sites.edit("kme-a", r'^saes = .*$', 'saes = ( { id = "alice"; } );')
        sites.reload("kme-a")
        answer, reused, session = self.ask(sites, context, session, sae="mallory")
        self.assertEqual(answer.code, 401)
        self.assertFalse(reused, "tickets of before a reload are void")
        answer, reused, _ = self.ask(sites, context, session, sae="mallory")
        self.assertEqual(answer.code, 401)
        self.assertTrue(reused)

    def test_a_session_ends_with_its_certificate(self):
        sites = self.sites()
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=LIFE_S)
        sites.issue("alice", "alice", options=("-not_after", end.strftime("%Y%m%d%H%M%SZ")))
        context = sites.tls_context("alice")
        _, _, session = self.ask(sites, context)
        answer, reused, session = self.ask(sites, context, session)
        self.assertEqual((answer.code, reused), (200, True))
        time.sleep(max(0, end.timestamp() + 1 - time.time()))
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.ask(sites, context, session)
        self.assertEqual(resumed(sites), 1)


class Provider(unittest.TestCase):
    """Programs with our provider."""

    def handshakes(self, lab, count, **settings):
        """So many from one server, whose log is given back."""
        with Server(lab, "-num_tickets", "0", conf=lab.conf_with("bob", **settings)) as server:
            for _ in range(count):
                client = run_client(lab, server.port, groups=GROUP,
                                    conf=lab.conf_with("alice", **settings))
                self.assertTrue(client.connected, f"{client}{server.stderr()}")
            return server.log()

    def test_a_connection_for_each_request_of_etsi_014_is_one_full_handshake_and_resumed_ones(self):
        with harness.Lab(up=False) as lab, FakeKme(lab, close_after_each) as kme:
            log = self.handshakes(lab, 5, kme=kme.url)
            self.assertEqual(log.count("connected to the key server"), 5)
            self.assertEqual(log.count("TLS session resumed"), 4)
            self.assertEqual(kme.resumed, 4)

    def test_a_connection_for_each_call_of_etsi_004_is_one_full_handshake_and_resumed_ones(self):
        with harness.Lab(api="004") as lab:
            log = self.handshakes(lab, 5, etsi004_dialect="w2")
            connections = log.count("connected to the key server")
            self.assertGreaterEqual(connections, 10)
            self.assertEqual(log.count("TLS session resumed"), connections - 1)
            self.assertEqual(harness.metric(lab.kme_b_admin, "qkd_kme_tls_resumed_total", api="004"),
                             connections - 1)

    def test_a_key_server_that_comes_back_without_its_old_keys_is_reached(self):
        with harness.Lab() as lab:
            with Server(lab, "-num_tickets", "0") as server:
                for turn in range(2):
                    client = run_client(lab, server.port, groups=GROUP)
                    self.assertTrue(client.connected, f"{client}{server.stderr()}")
                    if turn == 0:
                        lab.down()
                        lab.up()
                self.assertEqual(server.log().count("connected to the key server"), 2)
                self.assertEqual(server.log().count("TLS session resumed"), 0)


if __name__ == "__main__":
    unittest.main()
