# SPDX-License-Identifier: Apache-2.0
"""Groups whose inner algorithm another provider brings, with lengths that are asked for."""
import re
import unittest

import oqsprovider
from harness import (OPENSSL35, SYSTEM_OPENSSL, Lab, Server, delivered, handshake_keys, run_client)
from tls_wire import Proxy


class InnerAlgorithms(unittest.TestCase):
    def every_group(self, openssl, flow):
        """One handshake of each group costs one key at each end, the same one."""
        with Lab() as lab:
            bob = oqsprovider.conf(lab.conf_with("bob", groups="qkd_frodo640aes"))
            alice = oqsprovider.conf(lab.conf_with("alice", groups="qkd_frodo640aes",
                                                   initiator=flow))
            with Server(lab, "-groups", ":".join(oqsprovider.GROUPS), conf=bob,
                        openssl=openssl) as server:
                for count, group in enumerate(oqsprovider.GROUPS, 1):
                    with self.subTest(group=group):
                        client = run_client(lab, server.port, groups=group, conf=alice,
                                            openssl=openssl)
                        self.assertTrue(client.connected, f"{client}{server.stderr()}")
                        keys = handshake_keys(client.log)
                        self.assertEqual([key[0] for key in keys], [group])
                        self.assertEqual(keys[0][2], handshake_keys(server.log())[-1][2])
                        self.assertEqual((delivered(lab, "initiator"), delivered(lab, "responder")),
                                         (count, count))

    def test_every_group_client_initiated_on_35(self):
        self.every_group(OPENSSL35, "client")

    def test_every_group_server_initiated_on_35(self):
        self.every_group(OPENSSL35, "server")

    def test_every_group_client_initiated_on_30(self):
        self.every_group(SYSTEM_OPENSSL, "client")

    def test_a_share_of_another_length_is_refused(self):
        """Lengths that are not in our table are the provider's to check."""
        with Lab() as lab:
            bob = oqsprovider.conf(lab.conf_with("bob", groups="qkd_frodo640aes"))
            alice = oqsprovider.conf(lab.conf_with("alice", groups="qkd_frodo640aes"))
            with Server(lab, conf=bob) as server:
                for change in (lambda share: share[:-1], lambda share: share[:-16],
                               lambda share: share[1:]):
                    with Proxy(server.port, client=change) as proxy:
                        client = run_client(lab, proxy.port, conf=alice)
                        self.assertFalse(client.connected, str(client))
                        self.assertIn("alert illegal parameter", client.stderr)
                self.assertEqual(delivered(lab, "responder"), 0)
                for change in (lambda share: share[:-1], lambda share: share + b"\0"):
                    with Proxy(server.port, server=change) as proxy:
                        client = run_client(lab, proxy.port, conf=alice)
                        self.assertFalse(client.connected, str(client))
                        self.assertIn("its key share has", client.stderr)


class DefaultNumbers(unittest.TestCase):
    def test_groups_whose_number_oqsprovider_has_are_withdrawn_and_named(self):
        with Lab() as lab:
            confs = {sae: oqsprovider.conf(lab.conf_with(sae, groups="qkd_frodo640aes"),
                                           numbers=False) for sae in ("alice", "bob")}
            with Server(lab, conf=confs["bob"]) as server:
                client = run_client(lab, server.port, conf=confs["alice"])
                self.assertTrue(client.connected, f"{client}{server.stderr()}")
                self.assertEqual(client.group, "qkd_frodo640aes")
                withdrawn = re.findall(r"(qkd_\w+) is not offered: provider oqsprovider has its "
                                       r"number 0xFE\w\w for (\w+),", client.log)
                self.assertEqual(sorted(name for name, _ in withdrawn),
                                 sorted(oqsprovider.CLASHING))
                self.assertIn(("qkd_x25519mlkem768", "hqc1"), withdrawn)
                for group in oqsprovider.CLASHING:
                    client = run_client(lab, server.port, conf=confs["alice"], groups=group)
                    self.assertFalse(client.connected, str(client))


if __name__ == "__main__":
    unittest.main()
