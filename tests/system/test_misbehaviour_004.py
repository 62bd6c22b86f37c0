# SPDX-License-Identifier: Apache-2.0
"""Misbehaviour on command in ETSI 004, as it is on the wire."""
import unittest
import uuid

import etsi004
from etsi004 import W2, close_request, get_key_request, open_request
from harness import qkdctl, wait_until
from streams_case import StreamCase


class Misbehaviour004(StreamCase):
    def sites_004(self, **options):
        self.at = super().sites_004(**options)
        return self.at

    def set_rule(self, site, **rule):
        words = [word for name, value in rule.items()
                 for word in ("--" + name.replace("_", "-"), value)]
        qkdctl("misbehave", "set", "--admin", getattr(self.at, f"kme_{site}_admin"), *words,
               check=True)

    def clear(self, site):
        qkdctl("misbehave", "clear", "--admin", getattr(self.at, f"kme_{site}_admin"), check=True)

    def happened(self, site, kind):
        return self.at.metric(site, "qkd_kme_misbehaved_total", kind=kind)

    def test_every_status_may_be_told_in_each_call_and_wire_profile(self):
        sites = self.sites_004()
        for profile in (etsi004.W1, W2):
            alice = self.client(sites, "alice", profile=profile)
            for method, ask in (("open_connect", lambda one=alice: one.open("bob")),
                                ("get_key", lambda one=alice: one.get_key(etsi004.new_id())),
                                ("close", lambda one=alice: one.close(etsi004.new_id()))):
                for status in range(1, 9):
                    self.set_rule("a", kind="error", method=method, code=status)
                    self.assert_status(ask(), status)
                    self.clear("a")
        self.assertEqual(self.streams(sites, "a"), 0)

    def test_depletion_consumes_nothing(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.set_rule("a", kind="depletion", sae="alice")
        self.assert_short(alice.get_key(ksid, 0), etsi004.INSUFFICIENT)
        self.clear("a")
        self.assert_same_key(alice.get_key(ksid, 0), bob.get_key(ksid, 0), 0)

    def test_one_position_in_n_differs_by_one_bit_and_the_log_says_which(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.set_rule("a", kind="flip", sae="alice", one_in=3)
        changed = []
        for index in range(7):
            one, other = alice.get_key(ksid, index), bob.get_key(ksid, index)
            self.assert_key(one, index)
            self.assert_key(other, index)
            bits = int.from_bytes(one.key, "big") ^ int.from_bytes(other.key, "big")
            self.assertEqual(bin(bits).count("1"), 1 if index in (2, 5) else 0)
            if bits:
                changed.append(f"position {index} of stream {uuid.UUID(bytes=ksid)} reaches "
                               "'alice' with one bit changed")
            self.assertNotIn(one.key.hex(), sites.log("kme-a"))
        for sentence in changed:
            self.assertIn(sentence, sites.log("kme-a"))
        self.assertEqual(self.happened("a", "flip"), len(changed))

    def test_a_dropped_answer_has_spent_its_position(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.set_rule("b", kind="drop", sae="bob", method="get_key")
        bob.send(get_key_request(ksid, 0))
        with self.assertRaises(etsi004.Closed):
            bob.read()
        self.clear("b")
        bob = self.client(sites, "bob")
        self.assert_short(bob.get_key(ksid, 0), etsi004.INSUFFICIENT)
        self.assert_same_key(alice.get_key(ksid, 1), bob.get_key(ksid, 1), 1)

    def test_success_is_told_as_status_7_with_the_stream(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        self.set_rule("a", kind="status_7")
        answer = alice.open("bob", chunk=32)
        self.assert_status(answer, etsi004.QOS_NOT_MET)
        self.assertNotEqual(answer.ksid, etsi004.NO_ID)
        self.assertEqual(answer.qos["chunk"], 32)
        self.assert_status(bob.open("alice", ksid=answer.ksid), etsi004.SUCCESS)
        self.assert_same_key(alice.get_key(answer.ksid), bob.get_key(answer.ksid), 0)

    def test_another_index_and_half_a_key(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.set_rule("a", kind="wrong_index")
        self.assert_key(alice.get_key(ksid, 0), 1)
        self.set_rule("a", kind="short_key")
        short = alice.get_key(ksid, 1)
        self.assert_key(short, 2, chunk=16)
        self.assertEqual(bob.get_key(ksid, 1).key[:16], short.key)

    def test_a_delay_holds_up_its_own_connection_only_and_keeps_the_order(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.set_rule("a", kind="delay", sae="alice", method="get_key", min_ms=1, max_ms=20)
        alice.send(b"".join(get_key_request(ksid, index) for index in range(4)) +
                   close_request(ksid))
        for index in range(4):
            self.assert_same_key(alice.read(), bob.get_key(ksid, index), index)
        self.assert_status(alice.read(), etsi004.SUCCESS)
        self.assertEqual(self.happened("a", "delay"), 4)
        self.clear("a")
        self.set_rule("a", kind="delay", sae="alice", ms=600000)
        alice.send(open_request(*alice.uris("bob")))
        wait_until(lambda: self.happened("a", "delay") == 5, "the delay")
        self.assert_status(self.client(sites, "mallory").open("bob"), etsi004.PEER_NOT_YET)
        self.assertTrue(alice.is_silent())
        alice.drop()
        wait_until(lambda: sites.metric("a", "qkd_kme_requests_total", api="004",
                                        method="open_connect", outcome="aborted") == 1,
                   "the end of the delayed call")

    def test_a_delayed_call_may_be_refused_afterwards(self):
        sites = self.sites_004()
        alice = self.client(sites, "alice")
        self.set_rule("a", kind="delay", ms=5)
        self.set_rule("a", kind="error", api="004", code=4, one_in=2)
        self.assert_status(alice.open("bob"), etsi004.PEER_NOT_YET)
        self.assert_short(alice.open("bob"), etsi004.NO_QKD)
        self.assertEqual((self.happened("a", "delay"), self.happened("a", "error")), (2, 1))


if __name__ == "__main__":
    unittest.main()
