# SPDX-License-Identifier: Apache-2.0
"""TLS groups on the way to the key server: kme-groups and kme-require-pq."""
import re
import unittest

from fake_kme import FakeKme
from harness import OPENSSL35, SYSTEM_OPENSSL, Lab, Server, metric, run_client

GROUP = "qkd_x25519"
HYBRID = "X25519MLKEM768"


def on_the_way(log):
    """[(TLS version, group)] of the connections to the key server."""
    return re.findall(r"connected to the key server at \S+: (\S+), ([^,\n]+)", log)


class KmeGroups(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())

    def handshake(self, openssl=OPENSSL35, **settings):
        """Client and server with these settings at the client: (client, the server's stderr)."""
        with Server(self.lab, "-groups", GROUP, openssl=openssl) as server:
            client = run_client(self.lab, server.port, groups=GROUP, openssl=openssl,
                                conf=self.lab.conf_with("alice", **settings))
            return client, server.stderr()

    def assert_works(self, group, openssl=OPENSSL35, **settings):
        client, stderr = self.handshake(openssl, **settings)
        self.assertTrue(client.connected, f"{client}{stderr}")
        self.assertEqual([(version, name.lower()) for version, name in on_the_way(client.log)],
                         [("TLSv1.3", group.lower())])

    def assert_refused(self, text, openssl=OPENSSL35, **settings):
        client, _ = self.handshake(openssl, **settings)
        self.assertFalse(client.connected, str(client))
        self.assertRegex(client.stderr, text)

    def requests(self):
        return metric(self.lab.kme_a_admin, "qkd_kme_requests_total", api="014",
                      method="enc_keys", outcome="200")

    def test_the_hybrid_is_used_where_both_ends_have_it(self):
        self.assert_works(HYBRID)
        self.assert_works(HYBRID, kme_require_pq="yes")
        self.assert_works(HYBRID, kme_groups=f"{HYBRID}:P-256", kme_require_pq="no")

    def test_the_groups_that_are_named_are_used_and_no_others(self):
        self.assert_works("secp384r1", kme_groups="P-384")
        self.assert_works("secp256r1", kme_groups="P-256:P-384")
        self.assert_refused("handshake failure", kme_groups="P-521")

    def test_a_list_that_openssl_cannot_read_fails_every_handshake_with_its_name(self):
        self.assert_refused("kme-groups = 'X25519:X25518' is no list of groups",
                            kme_groups="X25519:X25518")
        self.assert_refused("kme-require-pq = 'on' is neither yes nor no", kme_require_pq="on")

    def test_a_key_server_without_a_hybrid_gets_no_request_when_one_is_required(self):
        with FakeKme(self.lab, groups="X25519") as kme:
            self.assert_refused("the key server chose the group x25519, and kme-require-pq = yes",
                                kme=kme.url, kme_require_pq="yes")
            self.assertGreaterEqual(kme.connections, 1)
            self.assertEqual(kme.requests, [])

    def test_an_openssl_server_with_and_without_a_hybrid(self):
        """Its s_server, which reads a request and never answers it."""
        cert, key = self.lab.pki("kme-a")
        options = ("-cert", cert, "-key", key, "-CAfile", self.lab.ca, "-Verify", "1")
        for groups, text in (("X25519", "chose the group x25519, and kme-require-pq"),
                             (f"{HYBRID}:X25519", "the time budget ended while waiting for the "
                                                  "answer")):
            with Server(self.lab, "-groups", groups, *options, conf="/dev/null") as server:
                self.assert_refused(text, kme=f"https://localhost:{server.port}",
                                    kme_require_pq="yes", timeout_ms=500)

    def test_the_systems_openssl_says_that_it_has_no_hybrid(self):
        self.assert_works("x25519", openssl=SYSTEM_OPENSSL)
        before = self.requests()
        self.assert_refused(rf"kme-require-pq = yes: OpenSSL 3\.0\.\d+ has no {HYBRID}",
                            openssl=SYSTEM_OPENSSL, kme_require_pq="yes")
        self.assert_refused(rf"kme-groups = '{HYBRID}' is no list of groups that OpenSSL 3\.0",
                            openssl=SYSTEM_OPENSSL, kme_groups=HYBRID)
        self.assertEqual(self.requests(), before)


if __name__ == "__main__":
    unittest.main()
