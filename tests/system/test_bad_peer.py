# SPDX-License-Identifier: Apache-2.0
"""What the other end of the TLS connection can get wrong: a clean failure with the right alert
and a reason, no key spent on a malformed share, and the process goes on."""
import json
import unittest

from harness import (OPENSSL35, SYSTEM_OPENSSL, HarnessError, Lab, Server, delivered, metric,
                     qkdctl, run_client)
from tls_wire import CLIENT_HELLO, Proxy

ILLEGAL_PARAMETER = "alert illegal parameter"
ID = 16
ZERO_ID = bytes(ID)
UNKNOWN_ID = bytes.fromhex("0123456789ab4def8123456789abcdef")


def replace(start, octets):
    """A change that writes octets over a place of the share (negative: from its end)."""
    def change(share):
        at = start % len(share)
        return share[:at] + octets + share[at + len(octets):]
    return change


# What; the change to the client's share.
MALFORMED = {
    "qkd_x25519mlkem768": (
        ("one octet", lambda share: share[:1]),
        ("the ID alone", lambda share: share[-ID:]),
        ("one octet less", lambda share: share[:-1]),
        ("one octet more", lambda share: share + b"\0"),
        ("without the ID", lambda share: share[:-ID]),
        ("two IDs", lambda share: share + share[-ID:]),
        ("an ML-KEM key with coefficients beyond q", replace(0, b"\xff" * 96)),
        ("an X25519 key of zeros", replace(-ID - 32, bytes(32))),
    ),
    "qkd_mlkem768": (
        ("one octet less", lambda share: share[:-1]),
        ("coefficients beyond q", replace(0, b"\xff" * 96)),
    ),
    "qkd_x25519": (
        ("one octet less", lambda share: share[:-1]),
        ("a public key of zeros", replace(0, bytes(32))),
    ),
    "qkd_secp256r1": (
        ("a point that is not on the curve", replace(1, b"\x01" * 64)),
        ("a compressed point", replace(0, b"\x02")),
        ("the point at infinity", replace(0, bytes(65))),
    ),
}


class BadClient(unittest.TestCase):
    def attempt(self, lab, server, group, change, openssl=OPENSSL35, conf=None):
        with Proxy(server.port, client=change) as proxy:
            client = run_client(lab, proxy.port, groups=group, openssl=openssl, conf=conf)
            self.assertFalse(client.connected, str(client))
            return client

    def malformed_shares(self, groups, openssl):
        with Lab() as lab, Server(lab, "-groups", ":".join(groups), openssl=openssl) as server:
            for group in groups:
                for what, change in MALFORMED[group]:
                    with self.subTest(group=group, what=what):
                        seen = len(server.stderr())
                        client = self.attempt(lab, server, group, change, openssl)
                        self.assertIn(ILLEGAL_PARAMETER, client.stderr)
                        self.assertIn(f"group {group}", server.stderr()[seen:])
            self.assertEqual(delivered(lab, "responder"), 0, "a malformed share cost a key")
            client = run_client(lab, server.port, groups=groups[0], openssl=openssl)
            self.assertTrue(client.connected, str(client))

    def test_malformed_shares_give_illegal_parameter_and_cost_no_key(self):
        self.malformed_shares(tuple(MALFORMED), OPENSSL35)

    def test_malformed_shares_give_illegal_parameter_on_the_systems_openssl(self):
        self.malformed_shares(("qkd_x25519", "qkd_secp256r1"), SYSTEM_OPENSSL)

    def refused_id(self, lab, server, change, reason="the peer's key ID is not acceptable",
                   text="not found on KME"):
        client = self.attempt(lab, server, "qkd_x25519mlkem768", change)
        self.assertIn(ILLEGAL_PARAMETER, client.stderr)
        for part in (reason, "peer alice", "KME localhost:", text):
            self.assertIn(part, server.stderr())
        client = run_client(lab, server.port)
        self.assertTrue(client.connected, f"the next handshake failed: {client}")

    def test_an_unknown_key_id_is_refused(self):
        with Lab() as lab, Server(lab) as server:
            self.refused_id(lab, server, replace(-ID, UNKNOWN_ID))

    def test_a_key_id_that_was_used_is_refused(self):
        with Lab() as lab, Server(lab) as server:
            with Proxy(server.port) as proxy:
                self.assertTrue(run_client(lab, proxy.port).connected)
                used = next(share for kind, share in proxy.shares if kind == CLIENT_HELLO)[-ID:]
            self.refused_id(lab, server, replace(-ID, used))

    def test_a_key_that_is_not_from_this_peer_is_refused(self):
        """A key that bob himself reserved must not serve as alice's."""
        with Lab() as lab, Server(lab) as server:
            done = qkdctl("get-key", "--config", lab.conf("bob"), "--json", check=True)
            key_id = json.loads(done.stdout)["keys"][0]["key_ID"]
            self.refused_id(lab, server, replace(-ID, bytes.fromhex(key_id.replace("-", ""))),
                            "the key server gave no key", "the key is not for us")

    def test_a_zero_id_where_the_client_reserved_one_is_noticed_by_the_client(self):
        with Lab() as lab, Server(lab) as server:
            client = self.attempt(lab, server, "qkd_x25519mlkem768", replace(-ID, ZERO_ID))
            self.assertIn("the server answered with another key ID", client.stderr)

    def test_random_ids_deliver_nothing(self):
        with Lab() as lab, Server(lab) as server:
            for i in range(20):
                self.attempt(lab, server, "qkd_x25519mlkem768",
                             replace(-ID, bytes([i]) + UNKNOWN_ID[1:]))
            self.assertEqual(delivered(lab, "responder"), 0)
            self.assertTrue(run_client(lab, server.port).connected)


class BadServer(unittest.TestCase):
    """The client ends the handshake with internal_error, the only alert that libssl offers."""

    def check(self, change, text, flow="client", group="qkd_x25519mlkem768", openssl=OPENSSL35):
        with Lab() as lab, Server(lab, "-groups", group, openssl=openssl) as server:
            conf = lab.conf_with("alice", initiator=flow)
            with Proxy(server.port, server=change) as proxy:
                client = run_client(lab, proxy.port, conf=conf, groups=group, openssl=openssl)
                self.assertFalse(client.connected, str(client))
                self.assertIn(text, client.stderr)
            client = run_client(lab, server.port, conf=conf, groups=group, openssl=openssl)
            self.assertTrue(client.connected, str(client))
            return lab

    def test_a_share_that_is_too_short_is_refused(self):
        self.check(lambda share: share[:-1], "its key share has 1135 octets instead of 1136")

    def test_a_share_that_is_too_long_is_refused(self):
        self.check(lambda share: share + b"\0", "its key share has 1137 octets instead of 1136")

    def test_a_share_of_one_octet_is_refused(self):
        self.check(lambda share: share[:1], "its key share has 1 octets")

    def test_another_key_id_than_ours_is_refused(self):
        self.check(replace(-ID, UNKNOWN_ID), "the server answered with another key ID")

    def test_a_zero_id_is_refused_in_both_flows(self):
        for flow in ("client", "server"):
            self.check(replace(-ID, ZERO_ID), "the server named no key", flow)

    def test_an_unknown_id_is_refused_when_the_server_is_the_initiator(self):
        self.check(replace(-ID, UNKNOWN_ID), "not found on KME", "server")

    def test_a_changed_ciphertext_is_noticed_by_tls(self):
        self.check(replace(0, b"\x55" * 8), "bad record mac")

    def test_a_public_key_off_the_curve_is_refused(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            self.check(replace(1, b"\x01" * 64), "reading the public key of EC failed",
                       group="qkd_secp256r1", openssl=openssl)

    def test_a_malformed_answer_costs_no_claim(self):
        with Lab() as lab, Server(lab) as server:
            conf = lab.conf_with("alice", initiator="server")
            with Proxy(server.port, server=lambda share: share[:-1]) as proxy:
                self.assertFalse(run_client(lab, proxy.port, conf=conf).connected)
            try:
                claims = metric(lab.kme_a_admin, "qkd_kme_requests_total", method="dec_keys")
            except HarnessError:
                claims = 0
            self.assertEqual(claims, 0)


if __name__ == "__main__":
    unittest.main()
