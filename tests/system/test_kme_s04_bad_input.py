# SPDX-License-Identifier: Apache-2.0
"""What an ETSI 004 client can do wrong, or on purpose: a defined answer or a closed connection,
and nothing of it disturbs others."""
import pathlib
import random
import re
import unittest

import harness
from etsi004 import (CLOSE, GET_KEY, NO_QKD, OPEN_CONNECT, PEER_NOT_CONNECTED, PEER_NOT_YET, SUCCESS,
                     VERSIONS, W1, W2, Closed, close_request, frame, get_key_request, new_id,
                     open_request)
from streams_case import StreamCase


class BadInput(StreamCase):
    def memory_kib(self, sites):
        status = pathlib.Path(f"/proc/{sites.pid('kme-a')}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def assert_grew_less(self, sites, before, limit_kib):
        """AddressSanitizer keeps freed memory; there, that the server stops reading must do."""
        if not harness.SANITIZED:
            self.assertLess(self.memory_kib(sites) - before, limit_kib)

    def test_requests_that_are_cut_anywhere_do_nothing(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        requests = [open_request("sae://alice", "sae://bob"), get_key_request(ksid, 0),
                    close_request(ksid), get_key_request(ksid, 0, 40, W2)]
        opened = sites.metric("a", "qkd_kme_streams_opened_total")
        count = 0
        for request in requests:
            for cut in range(0, len(request), 1 if len(request) < 100 else 17):
                with self.client(sites, "alice") as client:
                    client.send(request[:cut])
                count += 1
        self.assertGreater(count, 100)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)
        self.assertEqual(sites.metric("a", "qkd_kme_streams_opened_total"), opened)

    def test_random_and_mutated_frames_end_their_connection_at_most(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        waiting = self.client(sites, "alice")
        lonely = waiting.open("bob", timeout=60000).ksid
        waiting.send(get_key_request(lonely, 0))
        source = random.Random(4)
        samples = [open_request("sae://mallory", "sae://bob", new_id(), timeout=100),
                   open_request("sae://mallory", "sae://bob", profile=W2),
                   get_key_request(ksid, 0), get_key_request(ksid, 1, 30, W2),
                   close_request(ksid)]
        for _ in range(300):
            octets = bytearray(b"".join(source.sample(samples, 2)))
            for _ in range(source.randrange(6)):
                octets[source.randrange(len(octets))] = source.randrange(256)
            with self.client(sites, "mallory") as client:
                client.send(bytes(octets))
                client.send(source.randbytes(source.randrange(40)))
        self.assertTrue(waiting.is_silent())
        self.assert_status(bob.open("alice", ksid=lonely), SUCCESS)
        self.assert_same_key(waiting.read(), bob.get_key(lonely), 0)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_frames_behind_a_call_that_waits_are_kept_within_bounds(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = alice.open("bob", timeout=60000).ksid
        alice.send(get_key_request(ksid, 0))
        behind = close_request(new_id()) * 20000
        before = self.memory_kib(sites)
        alice.tls.settimeout(1)
        sent = 0
        with self.assertRaises(TimeoutError):  # the server has stopped reading
            while True:
                sent += alice.tls.send(behind[sent % 24:][:16384 - 16384 % 24])
        self.assert_grew_less(sites, before, 4096)
        mallory = self.client(sites, "mallory")
        self.assert_status(mallory.open("bob"), PEER_NOT_YET)
        alice.tls.settimeout(harness.LIMIT_S)
        self.assert_status(bob.open("alice", ksid=ksid), SUCCESS)
        self.assert_key(alice.read(), 0)
        for _ in range(sent // 24):
            self.assert_short(alice.read(), PEER_NOT_CONNECTED)

    def test_a_client_that_does_not_read_holds_up_itself_only(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        mute = self.client(sites, "alice")
        before = self.memory_kib(sites)
        mute.tls.settimeout(1)
        with self.assertRaises(TimeoutError):
            while True:
                mute.send(get_key_request(new_id(), 0, 4096, W2) * 4)
        self.assert_grew_less(sites, before, 8192)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_connections_are_bounded(self):
        sites = self.sites_004(limits={"max_connections": 5})
        clients = [self.client(sites, "alice") for _ in range(5)]
        with self.assertRaises((OSError, Closed)):
            self.client(sites, "alice").open("bob")
        clients[0].drop()
        harness.wait_until(lambda: self.opens(sites), "a free place")
        for client in clients[1:]:
            self.assert_status(client.open("bob"), PEER_NOT_YET)

    def opens(self, sites):
        try:
            with self.client(sites, "alice") as client:
                return client.open("bob").status == PEER_NOT_YET
        except (OSError, Closed):
            return False

    def test_an_idle_connection_is_closed_and_its_stream_stays(self):
        sites = self.sites_004(limits={"idle_timeout_s": 1, "max_timeout_ms": 1000,
                                       "default_timeout_ms": 1000})
        alice, bob = self.pair(sites)
        ksid = alice.open("bob").ksid
        with self.assertRaises(Closed):
            alice.read()
        half = self.client(sites, "alice")
        half.send(get_key_request(ksid, 0)[:20])
        with self.assertRaises(Closed):
            half.read()
        alice, bob = self.pair(sites)
        self.assert_status(bob.open("alice", ksid=ksid), SUCCESS)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_plain_text_and_http_get_no_answer_that_a_client_would_take(self):
        sites = self.sites_004()
        for octets in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\n" * 64, b"\0" * 64):
            self.assert_closes(self.client(sites, "alice"), octets)

    def test_answers_services_and_responses_are_no_requests(self):
        sites = self.sites_004()
        for service in (OPEN_CONNECT + 1, GET_KEY + 1, CLOSE + 1):
            self.assert_closes(self.client(sites, "alice"), frame(service, bytes(4), VERSIONS[W1]))

    def test_a_server_without_etsi004_in_its_configuration_does_not_listen(self):
        sites = self.sites(up=False)
        sites.edit("kme-a", r"^etsi004 = .*$", "")
        sites.up()
        with self.assertRaises(ConnectionRefusedError):
            self.client(sites, "alice")
        sites.freeze()
        bob = self.client(sites, "bob")
        before = sites.metric("b", "qkd_kme_available_bits")
        ksid = bob.open("alice", timeout=60000).ksid
        self.assertIn(bob.get_key(ksid).status, (PEER_NOT_CONNECTED, NO_QKD))
        self.assert_short(bob.get_key(ksid), PEER_NOT_CONNECTED)
        for site in "ab":  # both ends have burnt the block of position 0
            harness.wait_until(lambda site=site: sites.metric(
                site, "qkd_kme_lost_bits_total", reason="closed") == 256, "the burnt block")
        self.assertEqual(sites.metric("b", "qkd_kme_available_bits"), before - 256)
        self.assertEqual(len(sites.reserve()), 1)


if __name__ == "__main__":
    unittest.main()
