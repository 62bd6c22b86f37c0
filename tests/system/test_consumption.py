# SPDX-License-Identifier: Apache-2.0
"""What each event of a TLS connection costs in keys, counted at the key servers."""
import subprocess
import unittest

from harness import BUILD, OPENSSL35, Lab, Server, delivered, handshake_keys, metric, run_client

A, B = "qkd_x25519mlkem768", "qkd_mlkem768"
PROBE = BUILD / "tests" / "bin" / "evp_probe"


class Consumption(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())

    def cost(self):
        """(keys delivered to initiators, to responders) so far."""
        return delivered(self.lab, "initiator"), delivered(self.lab, "responder")

    def conf(self, flow):
        return self.lab.conf_with("alice", initiator=flow)

    def probe(self, *steps, name="alice", flow="client"):
        """(what it printed, what it logged)"""
        log = self.lab.temp / "probe.log"
        done = subprocess.run([PROBE, A, *steps], capture_output=True, text=True, check=False,
                              env=OPENSSL35.env(self.lab.conf_with(name, initiator=flow),
                                                f"info:{log}"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout, log.read_text(encoding="utf-8") if log.exists() else ""

    # Through EVP.

    def test_parameters_cost_nothing_and_ask_nobody(self):
        self.probe(*["parameters"] * 10)
        self.assertEqual(self.cost(), (0, 0))
        self.assertEqual(metric(self.lab.kme_a_admin, "qkd_kme_connections_total", api="014"), 0)

    def test_generation_costs_one_key_where_the_client_is_the_initiator(self):
        self.probe("generate")
        self.assertEqual(self.cost(), (1, 0))

    def test_generation_costs_nothing_where_the_server_is_the_initiator(self):
        self.probe("generate", flow="server")
        self.assertEqual(self.cost(), (0, 0))

    def test_size_queries_cost_nothing(self):
        self.probe("generate", "sizes", flow="server")
        self.assertEqual(self.cost(), (0, 0))

    def test_copies_cost_nothing(self):
        self.probe("generate", "copies")
        self.assertEqual(self.cost(), (1, 0), "only the generation")

    def test_operations_that_are_given_up_cost_nothing(self):
        self.probe("generate", "init-only", flow="server")
        self.assertEqual(self.cost(), (0, 0))

    def test_an_encapsulation_costs_one_key_after_any_number_of_queries(self):
        self.probe("parameters", "generate", "sizes", "copies", "init-only", "encapsulate",
                   flow="server")
        self.assertEqual(self.cost(), (1, 0))

    def test_a_key_names_the_id_of_the_key_that_it_was_used_with(self):
        named, log = self.probe("generate", "no-key-id", "copies", "encapsulate", "key-id",
                                flow="server")
        self.assertEqual([(key_id, role) for _, role, key_id, _ in handshake_keys(log)],
                         [(named.strip(), "initiator")])

    def test_a_key_that_was_used_with_two_names_none(self):
        self.probe("generate", "encapsulate", "encapsulate", "no-key-id", flow="server")
        self.assertEqual(self.cost(), (2, 0))

    def test_a_forked_process_shares_no_connection_with_its_parent(self):
        self.probe("generate", "encapsulate", "child", "encapsulate", "child", "encapsulate",
                   flow="server")
        self.assertEqual(self.cost(), (5, 0))
        self.assertEqual(metric(self.lab.kme_a_admin, "qkd_kme_connections_total", api="014"), 3)

    # In TLS.

    def handshake(self, flow, *options, server_options=(), groups=A, expected_group=A):
        with Server(self.lab, *server_options) as server:
            client = run_client(self.lab, server.port, *options, conf=self.conf(flow),
                                groups=groups)
            self.assertTrue(client.connected, f"{client}{server.stderr()}")
            self.assertEqual(client.group, expected_group)
            return client

    def test_a_full_handshake_costs_one_key_at_each_end(self):
        for flow in ("client", "server"):
            before = self.cost()
            self.handshake(flow)
            self.assertEqual(self.cost(), (before[0] + 1, before[1] + 1))

    def test_a_retry_with_another_group_costs_the_initiating_client_a_second_key(self):
        client = self.handshake("client", server_options=("-groups", B), groups=f"{A}:{B}",
                                expected_group=B)
        self.assertEqual(self.cost(), (2, 1))
        self.assertEqual(client.log.count("key lost"), 1, client.log)

    def test_a_retry_with_another_group_costs_nothing_more_where_the_server_is_the_initiator(self):
        self.handshake("server", server_options=("-groups", B), groups=f"{A}:{B}",
                       expected_group=B)
        self.assertEqual(self.cost(), (1, 1))

    def test_a_retry_with_a_cookie_repeats_the_same_share_and_costs_nothing_more(self):
        program = BUILD / "tests" / "bin" / "cookie_retry"
        for flow in ("client", "server"):
            before = self.cost()
            done = subprocess.run([program, self.conf(flow), self.lab.conf("bob"), A,
                                   *self.lab.pki("localhost")], capture_output=True, text=True,
                                  env=OPENSSL35.env(), check=False)
            self.assertRegex(done.stdout, "completed after [12] retries", done.stderr)
            self.assertEqual(self.cost(), (before[0] + 1, before[1] + 1))

    def test_a_second_share_that_is_not_chosen_costs_the_initiating_client_its_key(self):
        client = self.handshake("client", server_options=("-groups", A), groups=f"*{A}:*{B}")
        self.assertEqual(self.cost(), (2, 1))
        self.assertEqual(client.log.count("key lost"), 1, client.log)

    def test_an_offer_that_a_server_without_qkd_passes_over_costs_one_key(self):
        client = self.handshake("client", server_options=("-groups", "X25519"),
                                groups=f"{A}:X25519", expected_group="X25519")
        self.assertEqual(self.cost(), (1, 0))
        self.assertEqual(handshake_keys(client.log), [])

    def test_an_offer_of_the_other_flow_that_is_passed_over_costs_nothing(self):
        self.handshake("server", server_options=("-groups", "X25519"), groups=f"{A}:X25519",
                       expected_group="X25519")
        self.assertEqual(self.cost(), (0, 0))

    def resume(self, flow, *options, server_options=()):
        session = self.lab.temp / f"session-{flow}.pem"
        conf = self.conf(flow)
        with Server(self.lab, "-rev", *server_options) as server:
            first = run_client(self.lab, server.port, "-sess_out", session, conf=conf, groups=A,
                               line="abc", expect="cba")
            self.assertTrue(first.connected, str(first))
            second = run_client(self.lab, server.port, "-sess_in", session, *options, conf=conf,
                                groups=A, line="abc", expect="cba")
            self.assertTrue(second.connected, str(second))
            self.assertIn("Reused, TLSv1.3", second.stdout)
            return second

    def test_a_resumption_uses_a_fresh_key(self):
        for flow in ("client", "server"):
            before = self.cost()
            second = self.resume(flow)
            self.assertEqual(self.cost(), (before[0] + 2, before[1] + 2))
            self.assertEqual(len(handshake_keys(second.log)), 1)

    def test_a_resumption_without_key_exchange_is_not_done_by_the_shipped_configuration(self):
        """Both ends would have to ask for it by name."""
        second = self.resume("client", "-allow_no_dhe_kex")
        self.assertEqual(len(handshake_keys(second.log)), 1)
        self.assertEqual(self.cost(), (2, 2))

    def test_a_resumption_without_key_exchange_wastes_the_offered_key(self):
        options = ("-allow_no_dhe_kex", "-prefer_no_dhe_kex")
        second = self.resume("client", "-allow_no_dhe_kex", server_options=options)
        self.assertEqual(handshake_keys(second.log), [])
        self.assertEqual(self.cost(), (2, 1))

    def test_a_connection_that_the_server_refuses_costs_the_offered_key(self):
        with Server(self.lab, "-groups", "X25519") as server:
            client = run_client(self.lab, server.port, conf=self.conf("client"), groups=A)
            self.assertFalse(client.connected)
            self.assertEqual(client.log.count("key lost"), 1, client.log)
        self.assertEqual(self.cost(), (1, 0))


if __name__ == "__main__":
    unittest.main()
