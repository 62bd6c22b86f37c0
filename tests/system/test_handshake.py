# SPDX-License-Identifier: Apache-2.0
"""Unmodified openssl s_server and s_client complete handshakes keyed by QKD and a KEM."""
import unittest

from harness import (OPENSSL35, SYSTEM_OPENSSL, Lab, Server, delivered, handshake_keys, metric,
                     run_client, wait_until)

KEM_GROUPS = ("qkd_mlkem512", "qkd_mlkem768", "qkd_mlkem1024", "qkd_x25519mlkem768",
              "qkd_secp256r1mlkem768", "qkd_secp384r1mlkem1024")
ECDH_GROUPS = ("qkd_x25519", "qkd_secp256r1", "qkd_secp384r1")
FLOWS = ("client", "server")
ROLES = {"client": ("initiator", "responder"), "server": ("responder", "initiator")}


class Handshake(unittest.TestCase):
    def check(self, server, client, group, flow):
        """Both ends logged one key of the group, the same one, in the roles of the flow."""
        self.assertTrue(client.connected, f"{client}\n--- server\n{server.stderr()}{server.log()}")
        at_client = handshake_keys(client.log)
        at_server = handshake_keys(server.log())
        self.assertEqual(len(at_client), 1, client.log)
        self.assertGreaterEqual(len(at_server), 1, server.log())
        self.assertEqual(at_client[0][:2], (group, ROLES[flow][0]))
        self.assertEqual(at_server[-1][:2], (group, ROLES[flow][1]))
        self.assertEqual(at_client[0][2], at_server[-1][2], "not the same key ID")
        self.assertNotEqual(at_client[0][3], at_server[-1][3], "both at one key server")

    def run_groups(self, groups, client_openssl=OPENSSL35, server_openssl=OPENSSL35):
        with Lab() as lab:
            confs = {flow: lab.conf_with("alice", initiator=flow) for flow in FLOWS}
            with Server(lab, "-groups", ":".join(groups), openssl=server_openssl) as server:
                for group in groups:
                    for flow in FLOWS:
                        with self.subTest(group=group, flow=flow):
                            client = run_client(lab, server.port, conf=confs[flow], groups=group,
                                                openssl=client_openssl)
                            self.check(server, client, group, flow)
                            if client_openssl is OPENSSL35:
                                self.assertEqual(client.group, group, client.stdout)
            handshakes = len(groups) * len(FLOWS)
            self.assertEqual(delivered(lab, "initiator"), handshakes)
            self.assertEqual(delivered(lab, "responder"), handshakes)

    def test_every_group_of_openssl_in_both_flows(self):
        self.run_groups(KEM_GROUPS + ECDH_GROUPS)

    def test_ecdh_groups_on_the_systems_openssl(self):
        self.run_groups(ECDH_GROUPS, SYSTEM_OPENSSL, SYSTEM_OPENSSL)

    def test_systems_openssl_as_client_of_the_newer_one(self):
        self.run_groups(ECDH_GROUPS, SYSTEM_OPENSSL, OPENSSL35)

    def test_newer_openssl_as_client_of_the_systems_one(self):
        self.run_groups(ECDH_GROUPS, OPENSSL35, SYSTEM_OPENSSL)

    def test_the_groups_of_the_configuration_files_are_used_without_options(self):
        with Lab() as lab, Server(lab) as server:
            client = run_client(lab, server.port)
            self.check(server, client, "qkd_x25519mlkem768", "client")
            self.assertEqual(client.group, "qkd_x25519mlkem768")

    def test_data_flows_both_ways(self):
        with Lab() as lab, Server(lab, "-rev") as server:
            client = run_client(lab, server.port, line="quantum", expect="mutnauq")
            self.assertIn("mutnauq", client.stdout)

    def test_a_code_point_from_the_configuration_is_used_on_the_wire(self):
        with Lab() as lab:
            setting = "codepoint-qkd_mlkem768 = 0xFE77"
            with Server(lab, "-groups", "qkd_mlkem768", "-trace",
                        conf=lab.conf_with("bob", extra=setting)) as server:
                client = run_client(lab, server.port, "-trace", groups="qkd_mlkem768",
                                    conf=lab.conf_with("alice", extra=setting))
                self.check(server, client, "qkd_mlkem768", "client")
                self.assertIn("65143", client.stdout)  # 0xFE77

    def test_nothing_is_left_on_the_error_queue_of_a_non_blocking_program(self):
        """Before OpenSSL 4.0 an error that a provider leaves behind on success makes
        s_client -nbio take a wait for a failure."""
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with Lab() as lab, Server(lab, "-nbio", "-groups", "qkd_x25519",
                                      openssl=openssl) as server:
                for flow in FLOWS:
                    client = run_client(lab, server.port, "-nbio", groups="qkd_x25519",
                                        conf=lab.conf_with("alice", initiator=flow),
                                        openssl=openssl)
                    self.check(server, client, "qkd_x25519", flow)

    def test_small_stacks_of_async_jobs_suffice(self):
        with Lab() as lab, Server(lab, "-async") as server:
            for flow in FLOWS:
                for group in ("qkd_x25519mlkem768", "qkd_x25519"):
                    client = run_client(lab, server.port, "-async", groups=group,
                                        conf=lab.conf_with("alice", groups=group, initiator=flow))
                    self.check(server, client, group, flow)

    def test_small_stacks_of_async_jobs_suffice_for_a_failure(self):
        with Lab(up=False) as lab, Server(lab, "-async") as server:
            for flow, failing in (("client", lambda: client.stderr), ("server", server.stderr)):
                client = run_client(lab, server.port, "-async",
                                    conf=lab.conf_with("alice", initiator=flow))
                self.assertFalse(client.connected, str(client))
                self.assertIn("the key server gave no key", failing())


class ManyHandshakes(unittest.TestCase):
    COUNT = 200

    def one_process_each(self, flow):
        """COUNT full handshakes between one server and one client process."""
        with Lab() as lab:
            conf = lab.conf_with("alice", initiator=flow)
            with Server(lab, "-groups", "qkd_mlkem768", "-num_tickets", "0") as server:
                # -reconnect makes five more connections; each round is a process of its own.
                rounds, last = divmod(self.COUNT, 6)
                for _ in range(rounds):
                    client = run_client(lab, server.port, "-reconnect", "-no_ticket", conf=conf,
                                        groups="qkd_mlkem768")
                    self.assertTrue(client.connected, str(client))
                for _ in range(last):
                    client = run_client(lab, server.port, conf=conf, groups="qkd_mlkem768")
                    self.assertTrue(client.connected, str(client))
                wait_until(lambda: len(handshake_keys(server.log())) >= self.COUNT,
                           "all handshakes at the server")
                ids = [key[2] for key in handshake_keys(server.log())]
                self.assertEqual(len(ids), self.COUNT)
                self.assertEqual(len(set(ids)), self.COUNT, "a key ID was used twice")
                self.assertEqual(delivered(lab, "initiator"), self.COUNT)
                self.assertEqual(delivered(lab, "responder"), self.COUNT)
                connections = {url: metric(url, "qkd_kme_connections_total", api="014")
                               for url in (lab.kme_a_admin, lab.kme_b_admin)}
                self.assertLessEqual(connections[lab.kme_a_admin], rounds + last)
                self.assertLessEqual(connections[lab.kme_b_admin], 2)

    def test_200_client_initiated_handshakes_cost_200_keys_and_two_connections(self):
        self.one_process_each("client")

    def test_200_server_initiated_handshakes_cost_200_keys_and_two_connections(self):
        self.one_process_each("server")


if __name__ == "__main__":
    unittest.main()
