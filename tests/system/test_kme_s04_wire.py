# SPDX-License-Identifier: Apache-2.0
"""Server checks S04 1-5, 38 and 40 of ETSI GS QKD 004: frames, profiles, what is malformed."""
import pathlib
import re
import struct
import unittest

import harness
from etsi004 import (CLOSE, GET_KEY, IN_USE, INSUFFICIENT, JSON, METADATA_SIZE, NO_ID, OPEN_CONNECT,
                     PEER_NOT_CONNECTED, PEER_NOT_YET, QOS_NOT_MET, SUCCESS, VERSIONS, W1, W2,
                     close_request, frame, get_key_request, new_id, open_request, qos_octets)
from streams_case import StreamCase

URIS = ("sae://alice", "sae://bob")
TERMS_W1 = 28 + 256 + 16  # QoS and stream ID


class Wire(StreamCase):
    def test_s04_01_answers_in_the_requesters_profile_and_version(self):
        sites = self.sites_004()
        for profile, version in ((W1, VERSIONS[W1]), (W1, bytes((9, 9, 9))),
                                 (W2, VERSIONS[W2]), (W2, bytes((1, 0, 1)))):
            with self.subTest(profile=profile, version=version):
                alice, bob = (self.client(sites, sae, profile=profile) for sae in ("alice", "bob"))
                opened = alice.ask(open_request(*URIS, profile=profile, version=version,
                                                timeout=2000))
                self.assertEqual((opened.service, opened.version), (OPEN_CONNECT + 1, version))
                terms = TERMS_W1 if profile == W1 else 28 + len(JSON) + 1 + 16
                self.assertEqual(len(opened.payload), 4 + terms)
                ksid = opened.ksid
                self.assert_status(bob.open("alice", ksid=ksid), SUCCESS)
                key = alice.ask(get_key_request(ksid, 0, 64, profile, version))
                self.assertEqual((key.service, key.version), (GET_KEY + 1, version))
                self.assert_key(key, 0)
                closed = alice.ask(close_request(ksid, profile, version))
                self.assertEqual((closed.service, closed.version, closed.payload),
                                 (CLOSE + 1, version, bytes(4)))

    def test_s04_01_get_key_of_the_other_profile_is_answered_in_that_one(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        short = alice.ask(get_key_request(new_id(), 0, 64, W1))
        self.assert_short(short, PEER_NOT_CONNECTED)
        full = alice.ask(get_key_request(new_id(), 0, 64, W2))
        self.assertEqual(len(full.payload), 16, full)
        self.assert_key(alice.ask(get_key_request(ksid, 0, 64, W2)), 0)
        self.assert_short(alice.ask(get_key_request(ksid, 0, 64, W1)), INSUFFICIENT)

    def test_s04_02_a_request_may_come_in_any_pieces(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        request = open_request(*URIS, timeout=2000)
        for at in range(len(request)):
            alice.send(request[at:at + 1])
        ksid = alice.read().ksid
        for cut in (1, 7, 8, 9, 12, len(request) - 1):
            joining = open_request("sae://bob", "sae://alice", ksid)
            bob.send(joining[:cut])
            bob.send(joining[cut:])
            self.assertIn(bob.read().status, (SUCCESS, IN_USE))
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_s04_02_several_requests_in_one_read_are_answered_in_order(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = alice.open("bob").ksid
        bob.send(open_request("sae://bob", "sae://alice", ksid) +
                 b"".join(get_key_request(ksid, index) for index in range(200)) +
                 close_request(ksid))
        self.assert_status(bob.read(), SUCCESS)
        keys = []
        for index in range(200):
            reply = bob.read()
            self.assert_key(reply, index)
            keys.append(reply.key)
        self.assert_status(bob.read(), SUCCESS)
        self.assertEqual(len(set(keys)), 200)
        self.assertEqual([alice.get_key(ksid, index).key for index in range(200)], keys)

    def test_s04_03_a_payload_above_the_limit_closes_the_connection_and_takes_no_memory(self):
        sites = self.sites_004()
        status = pathlib.Path(f"/proc/{sites.pid('kme-a')}/status")

        def peak_kib():
            return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])

        before = peak_kib()
        for length in (65537, 0x7fffffff, 0xffffffff):
            for service in (OPEN_CONNECT, GET_KEY, CLOSE, 0x77):
                client = self.client(sites, "alice")
                self.assert_closes(client, VERSIONS[W1] + struct.pack(">BI", service, length))
        self.assertLess(peak_kib() - before, 16384 * harness.SLOWNESS)
        self.assert_status(self.client(sites, "alice").open("bob"), PEER_NOT_YET)

    def test_s04_03_a_payload_at_the_limit_is_read_whole(self):
        sites = self.sites_004()
        client = self.client(sites, "alice")
        self.assert_closes(client, frame(OPEN_CONNECT, b"a" * 65536))

    def test_s04_04_an_unknown_service_closes_the_connection_and_0xff_stops_nothing(self):
        sites = self.sites_004()
        for service in (0x00, 0x01, 0x03, 0x05, 0x06, 0x0a, 0x80, 0xff):
            for version in VERSIONS.values():
                client = self.client(sites, "alice")
                self.assert_closes(client, frame(service, b"", version))
        self.assert_status(self.client(sites, "alice").open("bob"), PEER_NOT_YET)
        self.assertEqual(sites.metric("a", "qkd_kme_link_up"), 1)

    def test_s04_05_a_malformed_payload_closes_the_connection_at_once(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        good = open_request(*URIS)[8:]
        bad_padding = bytearray(good)
        bad_padding[-20] = 1
        for service, payload in (
                (OPEN_CONNECT, b""), (OPEN_CONNECT, b"sae://alice"), (OPEN_CONNECT, good[:-1]),
                (OPEN_CONNECT, good + b"\0"), (OPEN_CONNECT, bytes(bad_padding)),
                (OPEN_CONNECT, good[:28]), (OPEN_CONNECT, b"x" * 2000),
                (OPEN_CONNECT, b"u" * 1025 + b"\0" + good),
                (OPEN_CONNECT, URIS[0].encode() + b"\0" + qos_octets(W1) + NO_ID),
                (GET_KEY, b""), (GET_KEY, ksid), (GET_KEY, ksid + b"\0\0"),
                (GET_KEY, ksid + bytes(7)), (GET_KEY, ksid + bytes(9)),
                (GET_KEY, ksid + struct.pack(">II", 0, 5) + bytes(4)),
                (GET_KEY, ksid + struct.pack(">II", 0, 0xffffffff) + bytes(4)),
                (CLOSE, b""), (CLOSE, ksid[:15]), (CLOSE, ksid + b"\0")):
            with self.subTest(service=service, payload=payload[:32]):
                client = self.client(sites, "alice")
                self.assert_closes(client, frame(service, payload))
        self.assertGreater(sites.metric("a", "qkd_kme_requests_total", api="004",
                                        outcome="malformed"), 15)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_s04_38_the_largest_index_and_positions_beyond_4_gib_do_not_overflow(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, chunk=8192, timeout=2000)
        for index in (0xffffffff, 0xfffffffe, 0x80000000, 0x7fffffff, 1 << 19, 1 << 27):
            self.assert_short(alice.get_key(ksid, index), INSUFFICIENT)
            self.assert_short(bob.get_key(ksid, index), INSUFFICIENT)
        sites.stock(2 * 65536)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0, 8192)

    def test_s04_40_w2_answers_are_complete_structures_with_lengths_zero_on_error(self):
        sites = self.sites_004()
        alice, bob = (self.client(sites, sae, profile=W2) for sae in ("alice", "bob"))
        nothing = bytes(28) + b"\0" + NO_ID
        refused = alice.open(uris=("nowhere", "sae://bob"))
        self.assertEqual((refused.status, refused.payload[4:]), (4, nothing))
        ksid = self.opened(alice, bob, timeout=2000)
        stranger = self.client(sites, "carol", profile=W2)
        refused = stranger.open("alice", ksid=ksid)
        self.assertEqual((refused.status, refused.payload[4:]), (IN_USE, nothing))
        for reply, status, index in ((alice.get_key(new_id(), 7), PEER_NOT_CONNECTED, 7),
                                     (alice.get_key(ksid, 5000), INSUFFICIENT, 5000),
                                     (alice.get_key(ksid, 0, metadata=3), METADATA_SIZE, 0)):
            self.assertEqual((reply.status, reply.payload[4:]),
                             (status, struct.pack(">III", index, 0, 0)), reply)
        unmet = alice.open("bob", chunk=100000)
        self.assertEqual((unmet.status, unmet.ksid, unmet.qos["chunk"]), (QOS_NOT_MET, NO_ID, 8192))
        self.assertEqual(alice.close(new_id()).payload, struct.pack(">I", PEER_NOT_CONNECTED))


if __name__ == "__main__":
    unittest.main()
