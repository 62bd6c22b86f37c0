# SPDX-License-Identifier: Apache-2.0
"""The link between two key servers: what a broken link and a restart cost, and who is let in."""
import socket
import ssl
import unittest

import harness
from kme_sites import NOT_FOUND, Case


class Link(Case):
    def health(self, sites, site):
        return harness.http_get(getattr(sites, f"kme_{site}_admin") + "/healthz")

    def lost(self, sites, site, reason):
        return sites.metric(site, "qkd_kme_lost_bits_total", reason=reason)

    def test_without_a_link_reservations_are_503_and_cost_nothing(self):
        sites = self.sites()
        sites.freeze()
        before = sites.stored()
        sites.relay.cut()
        sites.wait_for_link(False)
        for sae, peer, kme in (("alice", "bob", "kme-b"), ("bob", "alice", "kme-a")):
            answer = sites.call(sae, f"{peer}/enc_keys")
            self.assert_refused(answer, 503, f"no link to peer key server {kme}")
            self.assertEqual(answer.headers["retry-after"], "1")
        self.assertEqual(self.health(sites, "a"), "no link to peer key server kme-b\n")
        self.assertEqual(sites.stored(), before)

    def test_keys_assigned_before_the_link_broke_stay_claimable(self):
        sites = self.sites()
        keys = sites.reserve(number=3)
        sites.claim(keys[0][0])
        sites.relay.cut()
        sites.wait_for_link(False)
        self.assertEqual(sites.claim(keys[1][0], keys[2][0]).keys(), keys[1:])

    def test_an_assignment_lost_with_the_link_arrives_over_the_next_one(self):
        sites = self.sites()
        sites.freeze()
        before = sites.stored()
        sites.relay.hold()
        keys = sites.reserve(number=4)
        sites.relay.cut()
        sites.wait_for_link(False)
        sites.relay.mend()
        sites.wait_for_link(True)
        self.assertEqual(sites.claim(*(one for one, _ in keys)).keys(), keys)
        self.assertEqual(sites.stored(), before - 4)
        self.assertIn("resumed", sites.log("kme-b"))
        for site in "ab":
            self.assertEqual(self.lost(sites, site, "peer_restart"), 0)
            self.assertEqual(self.lost(sites, site, "mismatch"), 0)

    def test_blocks_lost_with_the_link_are_counted_and_both_ends_stay_in_step(self):
        sites = self.sites(link={"simulated_rate_bps": 20000000})
        sites.stock(512 * 256)
        for _ in range(5):
            sites.relay.hold()
            self.assertTrue(sites.reserve(number=8))
            sites.relay.cut()
            sites.wait_for_link(False)
            sites.relay.mend()
            sites.wait_for_link(True)
        sites.freeze()
        self.assertEqual(sites.generated("a"), sites.generated("b"))
        for sae, peer, other in (("alice", "bob", "bob"), ("bob", "alice", "alice")):
            keys = sites.reserve(number=64, sae=sae, peer=peer)
            answer = sites.claim(*(one for one, _ in keys), sae=other, peer=sae)
            self.assertEqual(answer.keys(), keys)
        for site in "ab":
            self.assertEqual(self.lost(sites, site, "mismatch"), 0)

    def test_a_restart_drops_all_unassigned_blocks_of_both_ends(self):
        sites = self.sites()
        (kept, key), = sites.reserve(sae="bob", peer="alice")
        (lost, _), = sites.reserve()
        self.assertEqual(sites.call("alice", f"bob/dec_keys?key_ID={lost}").code, 401)
        sites.freeze()
        bits = sites.metric("a", "qkd_kme_available_bits")
        sites.edit("kme-b", r"^( *simulated_rate_bps =) 0;", r"\1 1000000;")
        sites.kill("kme-b")
        sites.edit("kme-a", r"^( *simulated_rate_bps =) 0;", r"\1 1000000;")
        sites.reload("kme-a")
        sites.start("kme-b")
        sites.wait_for_link(True)
        self.assertGreaterEqual(self.lost(sites, "a", "peer_restart"), bits)
        self.assertEqual(self.lost(sites, "b", "peer_restart"), 0)
        self.assert_refused(sites.claim(lost), 400, NOT_FOUND)
        self.assertEqual(sites.claim(kept, sae="alice", peer="bob").keys(), [(kept, key)])
        keys = sites.reserve(number=3)
        self.assertEqual(sites.claim(*(one for one, _ in keys)).keys(), keys)

    def test_keys_expire_at_both_ends_and_are_counted(self):
        sites = self.sites(limits={"key_lifetime_s": 1})
        (one, _), = sites.reserve(size=264)
        harness.wait_until(lambda: self.lost(sites, "b", "expired") == 264, "the expiry")
        self.assert_refused(sites.claim(one), 400, NOT_FOUND)
        harness.wait_until(lambda: sites.claim(one, sae="alice", peer="bob").code == 400,
                           "the expiry at the initiator's key server")
        self.assertEqual(self.lost(sites, "a", "expired"), 0)

    def test_key_bits_stop_at_the_capacity_and_belong_to_both_sites_alike(self):
        capacity = 1048576
        sites = self.sites(link={"capacity_bits": capacity, "simulated_rate_bps": 50000000})
        harness.wait_until(lambda: sites.generated("a") == capacity, "a full store")
        harness.wait_until(lambda: sites.generated("b") == capacity, "a full store")
        for site in "ab":
            self.assertEqual(sites.metric(site, "qkd_kme_available_bits"), capacity / 2)
        keys = sites.reserve(number=8)
        sites.claim(*(one for one, _ in keys))
        harness.wait_until(lambda: sites.generated("a") == capacity + 8 * 256, "the refill")
        harness.wait_until(
            lambda: sites.metric("a", "qkd_kme_available_bits") == capacity / 2, "the balance")

    def test_only_the_peers_certificate_is_let_in(self):
        sites = self.sites()
        port = sites.base_port + 13
        for name in ("alice", "kme-b", "mallory"):
            with socket.create_connection(("127.0.0.1", port), harness.LIMIT_S) as raw:
                context = sites.tls_context(name)
                context.check_hostname = False
                try:
                    with context.wrap_socket(raw) as tls:
                        self.assertEqual(tls.recv(1), b"", name)
                except (ssl.SSLError, ConnectionError):
                    pass
        self.assertEqual(sites.metric("b", "qkd_kme_link_up"), 1)
        keys = sites.reserve()
        self.assertEqual(sites.claim(keys[0][0]).keys(), keys)

    def test_strangers_who_only_connect_do_not_keep_the_peer_out(self):
        sites = self.sites()
        sites.relay.cut()
        sites.wait_for_link(False)
        strangers = [socket.create_connection(("127.0.0.1", sites.base_port + 13))
                     for _ in range(100)]
        sites.relay.mend()
        sites.wait_for_link(True)
        for stranger in strangers:
            stranger.close()

    def test_garbage_from_the_peer_ends_the_connection_not_the_server(self):
        sites = self.sites()
        sites.relay.cut()
        sites.wait_for_link(False)
        for octets in (b"\0\0\0\1\x7f", b"\xff" * 64, b"\0\0\0\0", b"\0\0\0\x11\2" + b"\0" * 16):
            raw = socket.create_connection(("127.0.0.1", sites.base_port + 13), harness.LIMIT_S)
            context = sites.tls_context("kme-a")
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.sendall(octets)
                try:
                    while tls.recv(4096):
                        pass
                except (ssl.SSLError, ConnectionError):
                    pass
        self.assertEqual(sites.metric("b", "qkd_kme_link_up"), 0)
        sites.relay.mend()
        sites.wait_for_link(True)

    def test_a_peer_that_falls_silent_is_noticed(self):
        sites = self.sites()
        sites.pause("kme-b")
        harness.wait_until(lambda: sites.metric("a", "qkd_kme_link_up") == 0, "silence")
        self.assert_refused(sites.call("alice", "bob/enc_keys"), 503)
        sites.resume("kme-b")
        sites.wait_for_link(True)


if __name__ == "__main__":
    unittest.main()
