# SPDX-License-Identifier: Apache-2.0
"""Server checks S04 20-28, 31 and 36 of ETSI GS QKD 004: GET_KEY."""
import json
import random
import time
import unittest

import harness
from etsi004 import (INSUFFICIENT, METADATA_SIZE, PEER_NOT_CONNECTED, SUCCESS, TIMEOUT, W2,
                     get_key_request, new_id)
from streams_case import StreamCase, stopwatch


class GetKey(StreamCase):
    def test_s04_20_an_unknown_stream_gets_3_at_once(self):
        sites = self.sites_004()
        alice = self.client(sites, "alice")
        for ksid in (new_id(), bytes(16), b"\xff" * 16):
            self.assert_short(alice.get_key(ksid), PEER_NOT_CONNECTED)

    def test_s04_20_a_stream_that_the_peer_never_opened_gets_3_after_waiting(self):
        sites = self.sites_004()
        alice = self.client(sites, "alice")
        ksid = alice.open("bob", timeout=1000).ksid
        with stopwatch() as elapsed:
            self.assert_short(alice.get_key(ksid), PEER_NOT_CONNECTED)
        self.assertGreaterEqual(elapsed(), 0.7)
        bob = self.client(sites, "bob")
        self.assert_short(bob.get_key(ksid), PEER_NOT_CONNECTED)
        self.assert_status(bob.open("alice", ksid=ksid), SUCCESS)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_s04_20_get_key_waits_for_the_peer_to_open(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = alice.open("bob", timeout=60000).ksid
        for index in (0, 5):
            alice.send(get_key_request(ksid, index))
        self.assert_status(bob.open("alice", ksid=ksid), SUCCESS)
        for index in (0, 5):
            self.assert_same_key(alice.read(), bob.get_key(ksid, index), index)

    def test_s04_20_compat_lets_the_first_read_before_the_peer_opens(self):
        sites = self.sites_004(compat="qubip")
        alice, bob = self.pair(sites)
        ksid = alice.open("bob", timeout=5000).ksid
        first = alice.get_key(ksid)
        self.assert_key(first, 0)
        self.assert_status(bob.open("alice", ksid=ksid, timeout=5000), SUCCESS)
        self.assert_same_key(bob.get_key(ksid), first, 0)

    def test_s04_21_a_key_has_the_size_of_the_chunk_and_the_index_comes_back(self):
        sites = self.sites_004()
        for chunk in (1, 2, 31, 32, 33, 64, 100, 1000, 8192):
            alice, bob = self.pair(sites)
            sites.stock(-(-chunk // 32) * 256 * 3)
            ksid = self.opened(alice, bob, chunk=chunk)
            for index in (0, 1):
                one, other = alice.get_key(ksid, index), bob.get_key(ksid, index)
                self.assertEqual((one.index, len(one.key)), (index, chunk))
                self.assertEqual((one.status, one.key), (other.status, other.key))
                self.assertEqual(len(one.payload), 16 + chunk + len(one.metadata))

    def test_s04_22_both_ends_read_the_same_octets_and_no_two_positions_share_any(self):
        sites = self.sites_004(link={"simulated_rate_bps": 20000000})
        alice, bob = self.pair(sites)
        seen = set()
        for chunk in (32, 16, 48, 32):
            for one, other in ((alice, bob), (bob, alice)):
                first = one.open(other.sae, chunk=chunk)
                ksid = first.ksid
                self.assert_status(other.open(one.sae, ksid=ksid), SUCCESS)
                for index in range(10):
                    reader, second = random.choice(((alice, bob), (bob, alice)))
                    reply = reader.get_key(ksid, index)
                    self.assert_same_key(reply, second.get_key(ksid, index), index, chunk)
                    pieces = {reply.key[at:at + 16] for at in range(0, chunk, 16)}
                    self.assertFalse(seen & pieces)
                    seen |= pieces
        keys = sites.reserve(number=20)
        self.assertEqual(sites.claim(*(one for one, _ in keys)).keys(), keys)
        self.assertFalse({octets[at:at + 16] for _, octets in keys for at in (0, 16)} & seen)

    def test_s04_23_the_same_index_twice_gets_2(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)
        for client in (alice, bob, self.client(sites, "alice")):
            self.assert_short(client.get_key(ksid), INSUFFICIENT)
        self.assertEqual(sites.metric("a", "qkd_kme_keys_delivered_total", api="004"), 1)

    def test_s04_23_compat_gives_the_same_key_until_its_ttl(self):
        sites = self.sites_004(compat="qubip")
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, ttl=2)
        first = alice.get_key(ksid)
        for client in (alice, bob, alice, bob):
            self.assert_same_key(client.get_key(ksid), first, 0)
        for client in (alice, bob):
            harness.wait_until(lambda client=client: client.get_key(ksid).status == INSUFFICIENT,
                               "the TTL")

    def test_s04_23_back_in_strict_what_was_delivered_is_spent(self):
        sites = self.sites_004(compat="qubip")
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)
        sites.edit("kme-a", '"qubip"', '"strict"')
        sites.reload("kme-a")
        self.assert_short(alice.get_key(ksid), INSUFFICIENT)
        self.assert_key(bob.get_key(ksid), 0)

    def test_s04_24_indexes_inside_the_window_come_in_any_order_and_others_get_2_at_once(self):
        sites = self.sites_004(limits={"stream_window_chunks": 16})
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        for client in (alice, bob):
            for index in (16, 17, 1000):
                self.assert_short(client.get_key(ksid, index), INSUFFICIENT)
        order = list(range(16))
        random.shuffle(order)
        for index in order:
            reader, second = random.choice(((alice, bob), (bob, alice)))
            self.assert_same_key(reader.get_key(ksid, index), second.get_key(ksid, index), index)
        self.assert_same_key(bob.get_key(ksid, 31), alice.get_key(ksid, 31), 31)
        for client in (alice, bob):
            self.assert_short(client.get_key(ksid, 48), INSUFFICIENT)
            self.assert_short(client.get_key(ksid, 12), INSUFFICIENT)
        self.assert_same_key(alice.get_key(ksid, 20), bob.get_key(ksid, 20), 20)

    def test_s04_24_an_end_that_lags_two_windows_behind_loses_the_oldest_only(self):
        sites = self.sites_004(limits={"stream_window_chunks": 16})
        alice, bob = self.pair(sites)
        sites.stock(100 * 256)
        ksid = self.opened(alice, bob, timeout=60000)
        keys = {index: alice.get_key(ksid, index).key for index in range(40)}
        harness.wait_until(
            lambda: sites.metric("b", "qkd_kme_lost_bits_total", reason="displaced") == 8 * 256,
            "the displaced chunks")
        for index in range(8):
            self.assert_short(bob.get_key(ksid, index), INSUFFICIENT)
        for index in range(8, 40):
            self.assertEqual(bob.get_key(ksid, index).key, keys[index])

    def test_s04_25_the_next_index_blocks_until_there_is_key(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        sites.freeze()
        self.drain(sites, "alice", "bob")
        alice.send(get_key_request(ksid, 1))
        bob.send(get_key_request(ksid, 2))
        self.assert_same_key(self.client(sites, "alice").get_key(ksid, 0),
                             self.client(sites, "bob").get_key(ksid, 0), 0)
        self.refill(sites)
        one, other = alice.read(), bob.read()
        self.assert_same_key(one, bob.get_key(ksid, 1), 1)
        self.assert_same_key(other, alice.get_key(ksid, 2), 2)

    def test_s04_25_without_key_the_answer_is_6_at_the_timeout(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=4000)
        sites.freeze()
        self.drain(sites, "alice", "bob")
        for client in (alice, bob):
            with stopwatch() as elapsed:
                self.assert_short(client.get_key(ksid, 1), TIMEOUT)
            self.assertGreaterEqual(elapsed(), 0.9 * 4)
            self.assertLess(elapsed(), 1.1 * 4 * harness.SLOWNESS)
        self.refill(sites)
        self.assert_same_key(alice.get_key(ksid, 1), bob.get_key(ksid, 1), 1)

    def test_s04_26_without_room_for_metadata_there_is_none(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        reply = alice.get_key(ksid, 0, metadata=0)
        self.assert_key(reply, 0)
        self.assertEqual((reply.metadata, len(reply.payload)), (b"", 16 + 32))
        self.assertEqual(bob.get_key(ksid, 0, metadata=0).key, reply.key)

    def test_s04_26_too_little_room_gets_8_and_keeps_the_key(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        for room in (1, 10, 17):
            reply = alice.get_key(ksid, 0, metadata=room)
            self.assertEqual((reply.status, len(reply.payload)), (METADATA_SIZE, 8))
            self.assertGreater(reply.needed, room)
        time.sleep(0.15)  # the age has more digits then
        again = alice.get_key(ksid, 0, metadata=reply.needed)
        self.assertLessEqual(len(again.metadata), reply.needed)
        self.assert_same_key(again, bob.get_key(ksid), 0)
        self.assertEqual(sites.metric("a", "qkd_kme_requests_total", api="004",
                                      outcome="metadata_too_small"), 3)

    def test_s04_27_metadata_is_json_with_a_real_age_and_hops(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        ages = []
        for index in (0, 1):
            if index == 0:
                time.sleep(0.3)
            reply = alice.get_key(ksid, index)
            self.assertNotIn(b"\0", reply.metadata)
            metadata = json.loads(reply.metadata.decode("utf-8"))
            self.assertEqual(set(metadata), {"age", "hops"})
            self.assertIs(type(metadata["age"]), int)
            self.assertEqual(metadata["hops"], 0)
            ages.append(metadata["age"])
        self.assertGreaterEqual(ages[0], 300)
        self.assertLess(ages[0], 1000 * harness.LIMIT_S)
        self.assertLess(ages[1], ages[0])

    def test_s04_28_metadata_never_exceeds_the_room_that_was_given(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        fit = 0
        for index in range(2):
            for room in range(1, 40):
                reply = alice.get_key(ksid, index, metadata=room)
                if reply.status == SUCCESS:
                    self.assertLessEqual(len(reply.metadata), room)
                    fit += 1
                    break
                self.assertEqual(reply.status, METADATA_SIZE)
        self.assertEqual(fit, 2)
        w2 = self.client(sites, "alice", profile=W2)
        self.assert_status(w2.get_key(ksid, 2, metadata=5), METADATA_SIZE)
        self.assertLessEqual(len(w2.get_key(ksid, 2, metadata=27).metadata), 27)

    def test_s04_31_a_chunk_older_than_its_ttl_is_erased_at_both_ends(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, ttl=1)
        alice.get_key(ksid, 3)
        for site in "ab":
            harness.wait_until(lambda site=site: sites.metric(
                site, "qkd_kme_lost_bits_total", reason="expired") >= 256, "the expiry")
        for client in (alice, bob):
            self.assert_short(client.get_key(ksid, 0), INSUFFICIENT)
        self.assert_short(bob.get_key(ksid, 3), INSUFFICIENT)
        self.assert_same_key(alice.get_key(ksid, 4), bob.get_key(ksid, 4), 4)

    def test_s04_31_a_stream_that_everybody_has_left_disappears(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        self.opened(alice, bob, ttl=1)
        alice.open("bob", ttl=1)
        bob.open("alice", ttl=1)
        alice.drop()
        bob.drop()
        self.wait_for_streams(sites, 0)
        for site in "ab":
            self.assertEqual(sites.metric(site, "qkd_kme_streams_closed_total"), 3)

    def test_s04_36_delivery_keeps_to_max_bps(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, chunk=100, max_bps=8000, timeout=60000)
        for client in (alice, bob):
            with stopwatch() as elapsed:
                for index in range(6):
                    self.assert_key(client.get_key(ksid, index), index, 100)
            self.assertGreaterEqual(elapsed(), 5 * 0.1)

    def test_s04_36_several_connections_share_the_rate_of_their_stream(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, chunk=100, max_bps=8000, timeout=60000)
        clients = [self.client(sites, "alice") for _ in range(6)]
        with stopwatch() as elapsed:
            for index, client in enumerate(clients):
                client.send(get_key_request(ksid, index))
            keys = {client.read().key for client in clients}
        self.assertEqual(len(keys), 6)
        self.assertGreaterEqual(elapsed(), 5 * 0.1)

    def test_s04_36_a_rate_too_slow_for_the_timeout_gets_6(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, chunk=1000, max_bps=8, timeout=500)
        self.assert_key(alice.get_key(ksid, 0), 0, 1000)
        self.assert_short(alice.get_key(ksid, 1), TIMEOUT)

    def test_s04_36_a_minimum_rate_that_was_granted_is_kept_while_there_is_key(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, min_bps=100000, timeout=10000)
        for index in range(100):
            self.assert_same_key(alice.get_key(ksid, index), bob.get_key(ksid, index), index)


if __name__ == "__main__":
    unittest.main()
