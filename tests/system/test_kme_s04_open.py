# SPDX-License-Identifier: Apache-2.0
"""Server checks S04 6-19 and 32 of ETSI GS QKD 004: OPEN_CONNECT."""
import re
import unittest
import uuid

import harness
from etsi004 import (IN_USE, JSON, NO_ID, NO_QKD, PEER_NOT_CONNECTED, PEER_NOT_YET, QOS_NOT_MET,
                     SUCCESS, TIMEOUT, get_key_request, new_id, open_request)
from streams_case import StreamCase, stopwatch

W1_TERMS = 28 + 256 + 16
BOTH_WAYS = (("alice", "bob"), ("bob", "alice"))


class Open(StreamCase):
    def test_s04_06_open_without_id_returns_a_fresh_uuid4_and_the_qos_at_once(self):
        sites = self.sites_004()
        reply = self.client(sites, "alice").open("bob", chunk=48, max_bps=40000, timeout=60000)
        self.assertEqual((reply.status, len(reply.payload)), (PEER_NOT_YET, 4 + W1_TERMS))
        ksid = uuid.UUID(bytes=reply.ksid)
        self.assertEqual((ksid.version, ksid.variant), (4, uuid.RFC_4122))
        self.assertEqual((reply.qos["chunk"], reply.qos["max_bps"], reply.qos["timeout"]),
                         (48, 40000, 60000))

    def test_s04_07_open_without_id_never_gives_the_same_id(self):
        sites = self.sites_004()
        clients = [self.client(sites, sae) for sae in ("alice", "alice", "bob")]
        seen = set()
        for _ in range(100):
            for client in clients:
                seen.add(client.open("alice" if client.sae == "bob" else "bob").ksid)
        self.assertEqual(len(seen), 300)

    def test_s04_08_a_fresh_predefined_id_comes_back(self):
        sites = self.sites_004()
        ksid = new_id()
        reply = self.client(sites, "alice").open("bob", ksid=ksid, timeout=100)
        self.assertEqual((reply.status, reply.ksid), (PEER_NOT_YET, ksid), reply)

    def test_s04_09_the_second_open_gets_the_first_callers_qos(self):
        sites = self.sites_004()
        for first, second in BOTH_WAYS:
            one, other = self.client(sites, first), self.client(sites, second)
            opened = one.open(second, chunk=24, max_bps=80000, ttl=77, timeout=3000, priority=3,
                              mimetype="")
            for asked in ({}, {"chunk": 99999}, {"chunk": 32, "ttl": 5, "mimetype": "text/csv"}):
                joined = other.open(first, ksid=opened.ksid, **asked)
                self.assertEqual((joined.status, joined.ksid, joined.qos),
                                 (SUCCESS, opened.ksid, opened.qos), joined)
                other.drop()
                other = self.client(sites, second)
                harness.wait_until(lambda: self.detached(sites, second), "the lost connection")
            self.assert_same_key(one.get_key(opened.ksid), other.get_key(opened.ksid), 0, 24)

    def detached(self, sites, sae):
        """Whether the key server has seen that an SAE's connection is gone: it answers there."""
        with self.client(sites, sae) as probe:
            probe.close(new_id())
        return True

    def test_s04_10_a_third_open_and_identities_outside_the_pair_get_5(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.assert_short(self.client(sites, "alice").open("bob", ksid=ksid), IN_USE)
        self.assert_short(self.client(sites, "bob").open("alice", ksid=ksid), IN_USE)
        self.assert_short(bob.open("alice", ksid=ksid), IN_USE)
        for sae, peer in (("carol", "alice"), ("mallory", "bob")):
            stranger = self.client(sites, sae)
            self.assert_short(stranger.open(peer, ksid=ksid), IN_USE)
            self.assert_status(stranger.open(uris=("sae://bob", "sae://alice"), ksid=ksid), IN_USE)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_s04_10_only_the_named_peer_can_be_the_second(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = alice.open("bob").ksid
        self.assert_short(self.client(sites, "carol").open("alice", ksid=ksid), IN_USE)
        self.assert_status(bob.open("alice", ksid=ksid), SUCCESS)

    def test_s04_10_a_stranger_who_opens_the_id_before_the_link_tells_loses_it(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        sites.relay.hold()
        ksid = alice.open("bob").ksid
        stranger = self.client(sites, "carol")
        stranger.send(open_request("sae://carol", "sae://alice", ksid, timeout=60000))
        harness.wait_until(lambda: self.streams(sites, "b", state="local_only") == 1, "carol's")
        sites.relay.release()
        self.assert_short(stranger.read(), IN_USE)
        self.assert_status(bob.open("alice", ksid=ksid), SUCCESS)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_s04_11_uris_in_either_order_and_no_others(self):
        sites = self.sites_004()
        for order in (("sae://bob", "sae://alice"), ("sae://alice", "sae://bob")):
            alice, bob = self.pair(sites)
            ksid = alice.open("bob").ksid
            harness.wait_until(lambda: self.streams(sites, "b", state="peer_only") == 1, "the news")
            for uris in (("sae://bob", "sae://carol"), ("sae://bob", "sae://bob"),
                         ("sae://BOB", "sae://alice"), ("x://bob", "x://alice")):
                self.assert_short(bob.open(uris=uris, ksid=ksid), IN_USE)
            self.assert_status(bob.open(uris=order, ksid=ksid), SUCCESS)

    def test_s04_11_other_schemes_name_the_sae_by_their_host(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        uris = ("client://anything", "server://bob:25575/path")
        ksid = alice.open(uris=uris).ksid
        harness.wait_until(lambda: self.streams(sites, "b", state="peer_only") == 1, "the news")
        self.assert_status(self.client(sites, "carol").open(uris=uris, ksid=ksid), IN_USE)
        self.assert_status(bob.open(uris=uris[::-1], ksid=ksid), SUCCESS)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_s04_11_with_one_sae_behind_the_link_any_host_is_that_sae(self):
        sites = self.sites_004(saes={"kme-a": ["alice"], "kme-b": ["bob"]})
        alice, bob = self.pair(sites)
        uris = ("client://a", "server://b")
        ksid = alice.open(uris=uris).ksid
        self.assert_status(bob.open(uris=uris, ksid=ksid), SUCCESS)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_s04_12_a_predefined_id_waits_for_the_peer_up_to_the_timeout_then_1(self):
        sites = self.sites_004()
        alice = self.client(sites, "alice")
        ksid = new_id()
        with stopwatch() as elapsed:
            reply = alice.open("bob", ksid=ksid, timeout=1000, chunk=16)
        self.assertGreaterEqual(elapsed(), 0.7)
        self.assertEqual((reply.status, len(reply.payload), reply.ksid, reply.qos["chunk"]),
                         (PEER_NOT_YET, 4 + W1_TERMS, ksid, 16))

    def test_s04_12_a_predefined_id_is_answered_when_the_peer_comes(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        for one, other in ((alice, bob), (bob, alice)):
            ksid = new_id()
            one.send(open_request(*one.uris(other.sae), ksid, timeout=60000, chunk=40))
            harness.wait_until(lambda: self.streams(sites, "a", state="peer_only") +
                               self.streams(sites, "b", state="peer_only") == 1, "the news")
            second = other.open(one.sae, ksid=ksid, timeout=60000)
            first = one.read()
            self.assertEqual((first.status, second.status, first.qos), (0, 0, second.qos))
            self.assert_same_key(one.get_key(ksid), other.get_key(ksid), 0, 40)
            self.assert_same_key(other.get_key(ksid, 3), one.get_key(ksid, 3), 3, 40)

    def test_s04_12_compat_answers_0_at_once(self):
        sites = self.sites_004(compat="qubip")
        alice = self.client(sites, "alice")
        ksid = new_id()
        for asked in (NO_ID, ksid):
            reply = alice.open("bob", ksid=asked, timeout=60000)
            self.assertEqual((reply.status, len(reply.payload)), (SUCCESS, 4 + W1_TERMS))
        self.assertEqual(reply.ksid, ksid)

    def test_s04_13_in_either_order_both_are_at_0_on_the_next_call(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        for one, other in ((alice, bob), (bob, alice)):
            ksid = new_id()
            self.assert_status(one.open(other.sae, ksid=ksid, timeout=200), PEER_NOT_YET)
            self.assert_status(other.open(one.sae, ksid=ksid, timeout=60000), SUCCESS)
            again = one.open(other.sae, ksid=ksid, timeout=60000)
            self.assertEqual((again.status, again.ksid), (SUCCESS, ksid))
            self.assert_same_key(one.get_key(ksid), other.get_key(ksid), 0)

    def test_s04_13_both_at_the_same_moment_become_one_stream(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        for hold_link in (False, True):
            for _ in range(20 if not hold_link else 3):
                ksid = new_id()
                if hold_link:
                    sites.relay.hold()
                alice.send(open_request("sae://alice", "sae://bob", ksid, timeout=60000, chunk=32))
                bob.send(open_request("sae://bob", "sae://alice", ksid, timeout=60000, chunk=64))
                if hold_link:
                    harness.wait_until(lambda: self.streams(sites, "b", state="local_only") == 1,
                                       "bob's stream")
                    sites.relay.release()
                one, other = alice.read(), bob.read()
                self.assertEqual((one.status, other.status), (0, 0))
                self.assertEqual(one.qos, other.qos)
                chunk = one.qos["chunk"]
                self.assert_same_key(bob.get_key(ksid, 1), alice.get_key(ksid, 1), 1, chunk)
                self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0, chunk)
                for client in (alice, bob):
                    self.assert_status(client.close(ksid), SUCCESS)
            self.wait_for_streams(sites, 0)
        for site in "ab":
            self.assertEqual(sites.metric(site, "qkd_kme_lost_bits_total", reason="mismatch"), 0)

    def test_s04_13_the_id_may_overtake_the_news_of_its_stream(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        sites.relay.hold()
        ksid = alice.open("bob", timeout=9000, chunk=64).ksid
        bob.send(open_request("sae://bob", "sae://alice", ksid, timeout=60000, chunk=32) +
                 get_key_request(ksid, 0))
        harness.wait_until(lambda: self.streams(sites, "b", state="local_only") == 1, "bob's end")
        sites.relay.release()
        joined = bob.read()
        self.assertEqual((joined.status, joined.qos["chunk"], joined.qos["timeout"]), (0, 64, 9000))
        self.assert_same_key(bob.read(), alice.get_key(ksid), 0, 64)

    def test_s04_14_a_uri_without_scheme_or_authority_gets_4(self):
        sites = self.sites_004()
        alice = self.client(sites, "alice")
        good = ("sae://alice", "sae://bob")
        for bad in ("", "alice", "sae:bob", "//bob", "://bob", "sae://", "sae:///bob", "1x://bob",
                    "sae//bob", "s ae://bob"):
            for uris in ((bad, good[1]), (good[0], bad)):
                self.assert_short(alice.open(uris=uris), NO_QKD)
        self.assertEqual(self.streams(sites, "a"), 0)

    def test_s04_14_a_uri_of_nobody_we_know_and_a_false_source_get_4(self):
        sites = self.sites_004()
        alice = self.client(sites, "alice")
        for uris in (("sae://alice", "sae://dave"), ("sae://alice", "sae://mallory"),
                     ("sae://alice", "sae://alice"), ("sae://mallory", "sae://bob"),
                     ("sae://alice", "server://elsewhere"), ("sae://bob", "sae://alice")):
            self.assert_short(alice.open(uris=uris), NO_QKD)
        self.assertEqual(self.streams(sites, "a"), 0)

    def test_s04_15_fields_that_are_null_are_chosen_by_the_server(self):
        sites = self.sites_004(limits={"default_chunk_bytes": 48, "default_timeout_ms": 4321,
                                       "default_ttl_s": 1234, "max_stream_bps": 555555})
        reply = self.client(sites, "alice").open("bob")
        self.assertEqual(reply.qos, {
            "chunk": 48, "max_bps": 555555, "min_bps": 0, "jitter": 0, "priority": 0,
            "timeout": 4321, "ttl": 1234, "mimetype": JSON})

    def test_s04_15_wishes_beyond_our_limits_are_lowered_without_a_word(self):
        sites = self.sites_004(limits={"max_stream_bps": 1000000})
        reply = self.client(sites, "alice").open("bob", max_bps=0xffffffff, timeout=0xffffffff,
                                                 ttl=0xffffffff, jitter=7, priority=9)
        self.assertEqual((reply.status, reply.qos["max_bps"], reply.qos["timeout"],
                          reply.qos["ttl"], reply.qos["jitter"], reply.qos["priority"]),
                         (PEER_NOT_YET, 1000000, 60000, 86400, 7, 9))

    def test_s04_16_an_unsupported_media_type_gets_7_and_strict_opens_nothing(self):
        sites = self.sites_004()
        reply = self.client(sites, "alice").open("bob", mimetype="text/plain")
        self.assertEqual((reply.status, reply.qos["mimetype"], reply.ksid, len(reply.payload)),
                         (QOS_NOT_MET, JSON, NO_ID, 4 + W1_TERMS))
        self.assertEqual(self.streams(sites, "a"), 0)

    def test_s04_16_compat_opens_with_the_proposal(self):
        sites = self.sites_004(compat="qubip")
        alice, bob = self.pair(sites)
        reply = alice.open("bob", mimetype="text/plain", timeout=5000)
        self.assertEqual((reply.status, reply.qos["mimetype"]), (QOS_NOT_MET, JSON))
        self.assert_status(bob.open("alice", ksid=reply.ksid, timeout=5000), SUCCESS)
        self.assert_same_key(alice.get_key(reply.ksid), bob.get_key(reply.ksid), 0)

    def test_s04_17_json_is_accepted_and_an_empty_type_means_no_metadata_ever(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        for mimetype, expected in ((JSON, b'{"age":'), ("Application/JSON", b'{"age":'), ("", b"")):
            ksid = self.opened(alice, bob, mimetype=mimetype)
            for client in (alice, bob):
                reply = client.get_key(ksid, 0, metadata=1024)
                self.assert_key(reply, 0)
                self.assertEqual(reply.metadata[:7], expected)

    def test_s04_18_what_cannot_be_met_gets_7_and_the_proposal_can(self):
        sites = self.sites_004()
        alice = self.client(sites, "alice")
        for asked in ({"chunk": 8193}, {"chunk": 0xffffffff}, {"min_bps": 1000001},
                      {"min_bps": 0xffffffff, "chunk": 100000, "mimetype": "a/b", "max_bps": 5}):
            reply = alice.open("bob", **asked)
            self.assertEqual((reply.status, reply.ksid), (QOS_NOT_MET, NO_ID), asked)
            again = alice.open("bob", **reply.qos)
            self.assertEqual((again.status, again.qos), (PEER_NOT_YET, reply.qos), asked)
            alice.close(again.ksid)

    def test_s04_18_minimum_rates_of_all_streams_share_the_rate_of_the_link(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        first = alice.open("bob", min_bps=700000).ksid
        harness.wait_until(lambda: self.streams(sites, "b", state="peer_only") == 1, "the news")
        for client, peer in ((alice, "bob"), (bob, "alice")):
            unmet = client.open(peer, min_bps=400000)
            self.assertEqual((unmet.status, unmet.qos["min_bps"]), (QOS_NOT_MET, 300000))
        self.assert_status(bob.open("alice", min_bps=300000), PEER_NOT_YET)
        self.assert_status(alice.close(first), SUCCESS)
        self.assert_status(alice.open("bob", min_bps=700000), PEER_NOT_YET)

    def test_s04_19_timeout_0_is_our_default_and_in_compat_6_at_once(self):
        sites = self.sites_004(limits={"default_timeout_ms": 2500})
        reply = self.client(sites, "alice").open("bob", timeout=0)
        self.assertEqual((reply.status, reply.qos["timeout"]), (PEER_NOT_YET, 2500))
        sites = self.sites_004(compat="qubip")
        self.assert_short(self.client(sites, "alice").open("bob", timeout=0), TIMEOUT)
        self.assertEqual(self.streams(sites, "a"), 0)

    def test_s04_32_a_closed_id_cannot_be_opened_again(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.assert_status(bob.close(ksid), SUCCESS)
        self.assert_short(bob.open("alice", ksid=ksid), IN_USE)
        self.assert_status(alice.close(ksid), SUCCESS)
        self.wait_for_streams(sites, 0)
        self.assert_short(alice.open("bob", ksid=ksid), IN_USE)
        self.assert_short(bob.open("alice", ksid=ksid), IN_USE)

    def test_s04_32_an_expired_id_cannot_be_opened_again(self):
        sites = self.sites_004()
        alice = self.client(sites, "alice")
        ksid = alice.open("bob", ttl=1).ksid
        alice.drop()
        self.wait_for_streams(sites, 0)
        self.assert_short(self.client(sites, "alice").open("bob", ksid=ksid), IN_USE)
        self.assert_short(self.client(sites, "bob").open("alice", ksid=ksid), IN_USE)

    def test_s04_32_compat_opens_a_closed_id_again_with_other_keys(self):
        sites = self.sites_004(compat="qubip")
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.wait_for_streams(sites, 1, state="both")
        old = alice.get_key(ksid).key
        for client in (alice, bob):
            self.assert_status(client.close(ksid), SUCCESS)
        self.wait_for_streams(sites, 0)
        self.assertEqual(alice.open("bob", ksid=ksid, timeout=5000).ksid, ksid)
        self.assert_status(bob.open("alice", ksid=ksid, timeout=5000), SUCCESS)
        new = bob.get_key(ksid)
        self.assert_same_key(alice.get_key(ksid), new, 0)
        self.assertNotEqual(new.key, old)

    def test_streams_of_one_sae_and_of_all_are_bounded(self):
        sites = self.sites_004(limits={"max_streams": 12, "max_streams_per_sae": 8})
        alice, bob = self.pair(sites)
        ksids = [alice.open("bob").ksid for _ in range(8)]
        self.assert_short(alice.open("bob"), NO_QKD)
        mallory = self.client(sites, "mallory")
        for _ in range(4):
            self.assert_status(mallory.open("bob"), PEER_NOT_YET)
        self.assert_short(mallory.open("bob"), NO_QKD)
        harness.wait_until(lambda: self.streams(sites, "b") == 12, "the news")
        self.assert_short(bob.open("alice"), NO_QKD)
        self.assert_status(alice.close(ksids[0]), SUCCESS)
        self.assert_status(alice.open("bob"), PEER_NOT_YET)

    def test_an_sae_that_the_other_site_does_not_know_ends_the_stream(self):
        sites = self.sites_004()
        sites.edit("kme-b", r'^saes = .*$', 'saes = ( { id = "bob"; } );')
        sites.reload("kme-b")
        alice = self.client(sites, "alice")
        ksid = alice.open("carol", timeout=60000).ksid
        self.assertIn(alice.get_key(ksid).status, (PEER_NOT_CONNECTED, NO_QKD))
        self.assert_short(alice.get_key(ksid), PEER_NOT_CONNECTED)
        self.assert_short(alice.open("carol", ksid=new_id(), timeout=60000), NO_QKD)
        self.assertTrue(re.search("no such SAE", sites.log("kme-b")))


if __name__ == "__main__":
    unittest.main()
