# SPDX-License-Identifier: Apache-2.0
"""Server checks S04 29, 30, 33-35, 37 and 39 of ETSI GS QKD 004: CLOSE, identities, lost
connections and links, and what many streams share."""
import base64
import contextlib
import os
import pathlib
import random
import re
import ssl
import unittest

import etsi004
import harness
from etsi004 import (IN_USE, INSUFFICIENT, NO_QKD, PEER_NOT_CONNECTED, PEER_NOT_YET, SUCCESS, W2,
                     close_request, get_key_request, new_id, open_request)
from streams_case import StreamCase, stopwatch


class Close(StreamCase):
    def test_s04_29_close_gets_0_and_then_the_stream_is_gone_for_that_side(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        for client in (alice, bob):
            self.assert_short(client.close(ksid), SUCCESS)
            self.assert_short(client.close(ksid), PEER_NOT_CONNECTED)
            self.assert_short(client.get_key(ksid), PEER_NOT_CONNECTED)
        self.wait_for_streams(sites, 0)

    def test_s04_29_a_stream_that_only_one_has_opened_is_gone_for_both(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = alice.open("bob").ksid
        self.wait_for_streams(sites, 1)
        self.assert_short(alice.close(ksid), SUCCESS)
        self.wait_for_streams(sites, 0)
        self.assert_short(bob.open("alice", ksid=ksid), IN_USE)
        self.assert_short(bob.close(new_id()), PEER_NOT_CONNECTED)

    def test_s04_29_a_call_that_waits_ends_with_the_close_of_its_stream(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = alice.open("bob", timeout=60000).ksid
        alice.send(get_key_request(ksid, 0))
        opening = self.client(sites, "alice")
        other = new_id()
        opening.send(open_request(*alice.uris("bob"), other, timeout=60000))
        harness.wait_until(lambda: self.streams(sites, "a") == 2, "both streams")
        closing = self.client(sites, "alice")
        for one in (ksid, other):
            self.assert_short(closing.close(one), SUCCESS)
        self.assert_short(alice.read(), PEER_NOT_CONNECTED)
        self.assert_short(opening.read(), NO_QKD)
        self.wait_for_streams(sites, 0)

    def test_s04_30_what_is_allocated_stays_readable_after_the_peers_close(self):
        sites = self.sites_004()
        for first, second in (("alice", "bob"), ("bob", "alice")):
            one, other = self.client(sites, first), self.client(sites, second)
            ksid = one.open(second, timeout=60000).ksid
            self.assert_status(other.open(first, ksid=ksid), SUCCESS)
            keys = [one.get_key(ksid, index).key for index in range(4)]
            self.assert_status(one.close(ksid), SUCCESS)
            self.wait_for_state(sites, second, "local_left")
            self.assertEqual([other.get_key(ksid, index).key for index in range(4)], keys)
            self.assert_short(other.get_key(ksid, 4), INSUFFICIENT)
            self.assert_short(other.get_key(ksid, 0), INSUFFICIENT)
            self.assert_status(other.close(ksid), SUCCESS)
            self.wait_for_streams(sites, 0)

    def test_s04_30_the_second_to_open_may_close_first(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = alice.open("bob", timeout=60000).ksid
        bob.send(open_request(*bob.uris("alice"), ksid, timeout=60000) +
                 get_key_request(ksid, 0) + close_request(ksid))
        replies = [bob.read() for _ in range(3)]
        self.assertEqual([reply.status for reply in replies], [SUCCESS] * 3)
        self.assert_same_key(alice.get_key(ksid), replies[1], 0)
        self.wait_for_state(sites, "alice", "local_left")
        self.assert_short(alice.get_key(ksid, 1), INSUFFICIENT)
        self.assert_status(alice.close(ksid), SUCCESS)
        self.wait_for_streams(sites, 0)

    def test_s04_30_unread_keys_of_a_closed_stream_are_counted(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        for index in range(3):
            alice.get_key(ksid, index)
        self.assert_status(bob.close(ksid), SUCCESS)
        harness.wait_until(lambda: sites.metric("b", "qkd_kme_lost_bits_total",
                                                reason="closed") == 3 * 256, "the count")
        self.assert_status(alice.close(ksid), SUCCESS)
        self.assertEqual(sites.metric("a", "qkd_kme_lost_bits_total", reason="closed"), 0)

    def wait_for_state(self, sites, sae, state):
        site = sites.site_of(sae)
        harness.wait_until(lambda: self.streams(sites, site, state=state) == 1, state)


class Identity(StreamCase):
    def test_s04_33_streams_outlive_their_connection_and_their_owner_comes_back(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)
        for sae, peer in (("alice", "bob"), ("bob", "alice")):
            (alice if sae == "alice" else bob).drop()
            back = self.client(sites, sae)
            harness.wait_until(lambda: back.open(peer, ksid=ksid).status == SUCCESS,  # noqa: B023
                               "the owner's return")
        self.assert_same_key(self.client(sites, "alice").get_key(ksid, 1),
                             self.client(sites, "bob").get_key(ksid, 1), 1)

    def test_s04_33_a_connection_lost_while_a_call_waits_costs_no_key(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        sites.freeze()
        self.drain(sites, "alice", "bob")
        for client in (alice, bob):
            client.send(get_key_request(ksid, 1))
        harness.wait_until(lambda: sites.metric("a", "qkd_kme_requests_total", api="004",
                                                method="open_connect") == 1, "the calls")
        alice.drop()
        bob.drop()
        for site in "ab":
            harness.wait_until(lambda site=site: sites.metric(
                site, "qkd_kme_requests_total", api="004", outcome="aborted") == 1, "the end")
        self.refill(sites)
        alice, bob = self.pair(sites)
        self.assert_same_key(alice.get_key(ksid, 1), bob.get_key(ksid, 1), 1)

    def test_s04_33_w2_clients_may_use_a_connection_for_each_call(self):
        sites = self.sites_004()

        def call(sae, what):
            with etsi004.Client(sites, sae, profile=W2) as client:
                return what(client)

        ksid = call("alice", lambda one: one.open("bob", timeout=30000)).ksid
        self.assert_status(call("bob", lambda one: one.open("alice", ksid=ksid)), SUCCESS)
        for index in (0, 1):
            self.assert_same_key(call("alice", lambda one: one.get_key(ksid, index)),  # noqa: B023
                                 call("bob", lambda one: one.get_key(ksid, index)), index)
        for sae in ("alice", "bob"):
            self.assert_status(call(sae, lambda one: one.close(ksid)), SUCCESS)
        self.wait_for_streams(sites, 0)

    def test_s04_34_a_client_certificate_is_required(self):
        sites = self.sites_004()
        for context in (sites.tls_context(None), self.foreign(sites)):
            with self.assertRaises((ssl.SSLError, ConnectionError, etsi004.Closed)):
                self.client(sites, "alice", context=context).open("bob")
        old = sites.tls_context("alice")
        old.minimum_version = ssl.TLSVersion.TLSv1_2
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assert_status(self.client(sites, "alice", context=old).open("bob"), PEER_NOT_YET)

    def foreign(self, sites):
        sites.issue("foreign", "alice", ca=sites.foreign_authority())
        return sites.tls_context("foreign")

    def test_s04_34_a_certificate_of_no_sae_here_gets_nothing(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        for name in ("bob", "kme-b"):
            stranger = self.client(sites, name, site="a")
            self.assert_short(stranger.open(uris=("sae://alice", "sae://bob")), NO_QKD)
            self.assert_short(stranger.get_key(ksid), PEER_NOT_CONNECTED)
            self.assert_short(stranger.close(ksid), PEER_NOT_CONNECTED)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_s04_34_other_identities_get_3_on_get_key_and_close(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        for sae in ("mallory", "carol"):
            stranger = self.client(sites, sae)
            self.assert_short(stranger.get_key(ksid), PEER_NOT_CONNECTED)
            self.assert_short(stranger.close(ksid), PEER_NOT_CONNECTED)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)

    def test_s04_34_an_sae_that_was_taken_from_the_configuration_gets_nothing_more(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        sites.edit("kme-a", r'^saes = .*$', 'saes = ( { id = "mallory"; } );')
        sites.reload("kme-a")
        self.assert_short(alice.get_key(ksid), PEER_NOT_CONNECTED)
        self.assert_short(alice.open("bob"), NO_QKD)


class Many(StreamCase):
    def test_s04_35_calls_that_wait_delay_nobody_else(self):
        sites = self.sites_004(link={"simulated_rate_bps": 20000000})
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        sites.stock(1200 * 256)
        for _ in range(10):
            alice.send(b"".join(open_request(*alice.uris("bob"), timeout=60000)
                                for _ in range(100)))
            lonely = [alice.read().ksid for _ in range(100)]
        blocked = [self.client(sites, "alice") for _ in range(100)]
        for client, one in zip(blocked, lonely):
            client.send(get_key_request(one, 0))
        self.assertEqual(self.streams(sites, "a"), 1001)
        for index in range(200):
            self.assert_same_key(alice.get_key(ksid, index), bob.get_key(ksid, index), index)
        self.assertTrue(all(client.is_silent() for client in blocked))
        for client, one in zip(blocked, lonely):
            self.assert_status(bob.open("alice", ksid=one), SUCCESS)
            self.assert_same_key(client.read(), bob.get_key(one), 0)

    def test_a_thousand_streams_of_two_sites_share_no_octets_and_repeat_nothing(self):
        streams, positions = (200, 10) if harness.SANITIZED else (1000, 20)
        sites = self.sites_004(link={"simulated_rate_bps": 200000000})
        clients = {"alice": self.client(sites, "alice"), "bob": self.client(sites, "bob")}
        opened = []
        for number in range(streams):
            one, other = random.choice((("alice", "bob"), ("bob", "alice")))
            ksid = clients[one].open(other, timeout=60000).ksid
            self.assertEqual(clients[other].open(one, ksid=ksid).status, SUCCESS, number)
            opened.append(ksid)
        asked = [(sae, ksid, index) for sae in clients for ksid in opened
                 for index in range(positions)]
        random.shuffle(asked)
        got = self.read_all(clients, asked)
        halves = set()
        for ksid in opened:
            for index in range(positions):
                key = got["alice", ksid, index]
                self.assertEqual(key, got["bob", ksid, index])
                halves |= {key[:16], key[16:]}
        self.assertEqual(len(halves), 2 * streams * positions)
        again = random.sample(asked, 500)
        for sae, ksid, index in again:
            self.assert_short(clients[sae].get_key(ksid, index), INSUFFICIENT)
        for site, sae in (("a", "alice"), ("b", "bob")):
            self.assertEqual(sites.metric(site, "qkd_kme_keys_delivered_total", api="004",
                                          sae=sae), streams * positions)
            self.assertEqual(sites.metric(site, "qkd_kme_lost_bits_total", reason="mismatch"), 0)
        for ksid in opened:
            for client in clients.values():
                self.assert_status(client.close(ksid), SUCCESS)
        self.wait_for_streams(sites, 0)

    def read_all(self, clients, asked, batch=50):
        """{(SAE, stream, index): key}, each position asked for once, some at a time."""
        got = {}
        for sae, client in clients.items():
            mine = [one for one in asked if one[0] == sae]
            for at in range(0, len(mine), batch):
                part = mine[at:at + batch]
                client.send(b"".join(get_key_request(ksid, index, 0) for _, ksid, index in part))
                for one in part:
                    reply = client.read()
                    self.assert_key(reply, one[2])
                    got[one] = reply.key
        return got


class BrokenLink(StreamCase):
    def test_s04_37_without_a_link_open_gets_4_and_all_recovers_without_a_restart(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=1500)
        sites.relay.cut()
        sites.wait_for_link(False)
        for client, peer in ((alice, "bob"), (bob, "alice")):
            self.assert_short(client.open(peer), NO_QKD)
            self.assert_short(client.open(peer, ksid=new_id()), NO_QKD)
            with stopwatch() as elapsed:
                self.assert_short(client.get_key(ksid, 1), NO_QKD)
            self.assertGreaterEqual(elapsed(), 1.2)
        sites.relay.mend()
        sites.wait_for_link(True)
        for site in "ab":
            sites.stock(16 * 256, site)
        for index in (0, 1, 2):
            self.assert_same_key(alice.get_key(ksid, index), bob.get_key(ksid, index), index)
        self.assert_same_key(bob.get_key(ksid, 3), alice.get_key(ksid, 3), 3)
        self.opened(alice, bob)

    def test_s04_37_calls_that_wait_for_the_link_go_on_when_it_is_back(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        sites.relay.cut()
        sites.wait_for_link(False)
        alice.send(get_key_request(ksid, 1))
        bob.send(get_key_request(ksid, 2))
        sites.relay.mend()
        sites.wait_for_link(True)
        self.assert_same_key(alice.read(), self.client(sites, "bob").get_key(ksid, 1), 1)
        self.assert_same_key(bob.read(), self.client(sites, "alice").get_key(ksid, 2), 2)

    def test_s04_37_nothing_that_was_told_is_lost_with_the_link(self):
        sites = self.sites_004(link={"simulated_rate_bps": 20000000})
        alice, bob = self.pair(sites)
        sites.stock(512 * 256)
        for _ in range(4):
            ksid = self.opened(alice, bob, timeout=60000)
            gone = self.opened(alice, bob, timeout=60000)
            sites.relay.hold()
            fresh = alice.open("bob", timeout=60000).ksid
            keys = [alice.get_key(ksid, index).key for index in range(20)]
            self.assert_status(alice.close(gone), SUCCESS)
            sites.relay.cut()
            sites.wait_for_link(False)
            self.assert_status(alice.close(ksid), SUCCESS)
            sites.relay.mend()
            sites.wait_for_link(True)
            self.assertEqual([bob.get_key(ksid, index).key for index in range(20)], keys)
            self.assert_status(bob.open("alice", ksid=fresh, timeout=60000), SUCCESS)
            self.assert_same_key(alice.get_key(fresh), bob.get_key(fresh), 0)
            for one in (ksid, gone, fresh):
                self.assert_status(bob.close(one), SUCCESS)
            self.assert_status(alice.close(fresh), SUCCESS)
            self.wait_for_streams(sites, 0)
        for site in "ab":
            self.assertEqual(sites.metric(site, "qkd_kme_lost_bits_total", reason="mismatch"), 0)

    def test_s04_37_a_restart_of_one_key_server_ends_the_streams_of_both(self):
        sites = self.sites_004()
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, timeout=60000)
        lonely = alice.open("bob", timeout=60000).ksid
        alice.send(get_key_request(lonely, 0))
        sites.kill("kme-b")
        sites.start("kme-b")
        sites.wait_for_link(True)
        self.assert_short(alice.read(), NO_QKD)
        self.wait_for_streams(sites, 0)
        self.assert_short(alice.get_key(ksid), PEER_NOT_CONNECTED)
        self.assert_short(alice.open("bob", ksid=ksid), IN_USE)
        bob = self.client(sites, "bob")
        for site in "ab":
            sites.stock(16 * 256, site)
        ksid = self.opened(alice, bob)
        self.assert_same_key(alice.get_key(ksid), bob.get_key(ksid), 0)


class Secrecy(StreamCase):
    def test_s04_39_no_key_in_logs_and_no_core_dumps(self):
        sites = self.sites_004()
        for name in ("kme-a", "kme-b"):
            sites.edit(name, r'^log_level = .*$', 'log_level = "debug";')
            sites.reload(name)
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob)
        keys = [alice.get_key(ksid, index).key for index in range(5)]
        self.assertEqual([bob.get_key(ksid, index).key for index in range(5)], keys)
        alice.get_key(ksid)
        alice.open("nobody")
        text = sites.log("kme-a") + sites.log("kme-b")
        for key in keys:
            for form in (key.hex(), key.hex().upper(), base64.b64encode(key).decode(), key[:8].hex()):
                self.assertNotIn(form, text)
        for name in ("kme-a", "kme-b"):
            limits = pathlib.Path(f"/proc/{sites.pid(name)}/limits").read_text()
            self.assertRegex(limits, r"Max core file size +0 +0 ")

    def test_s04_39_memory_is_locked_or_the_log_says_that_it_is_not(self):
        sites = self.sites_004()
        status = pathlib.Path(f"/proc/{sites.pid('kme-a')}/status").read_text()
        if "key memory is not locked" not in sites.log("kme-a") and not harness.SANITIZED:
            self.assertGreater(int(re.search(r"VmLck:\s+(\d+)", status)[1]), 0)

    @unittest.skipIf(harness.SANITIZED, "AddressSanitizer keeps freed memory as it was")
    def test_s04_39_closed_delivered_and_expired_keys_leave_no_octets_in_memory(self):
        sites = self.sites_004()
        pids = [sites.pid("kme-a"), sites.pid("kme-b")]
        try:
            memory_of(pids[0])
        except PermissionError as error:
            self.skipTest(f"the memory of another process cannot be read here: {error}")
        alice, bob = self.pair(sites)
        ksid = self.opened(alice, bob, ttl=3)
        held = alice.get_key(ksid, 0).key
        self.assertIn(held, memory_of(pids[1]))
        delivered = [alice.get_key(ksid, 1).key, bob.get_key(ksid, 1).key]
        large = self.opened(alice, bob, chunk=8192, ttl=60)
        sites.stock(2 * 65536)
        wide = [alice.get_key(large, 0).key, bob.get_key(large, 0).key]
        self.assertEqual(wide[0], wide[1])
        closed = alice.get_key(large, 1).key
        for client in (bob, alice):
            self.assert_status(client.close(large), SUCCESS)
        harness.wait_until(lambda: sites.metric("b", "qkd_kme_lost_bits_total",
                                                reason="expired") >= 256, "the expiry")
        for pid in pids:
            memory = memory_of(pid)
            for name, key in (("expired", held), ("delivered", delivered[0]), ("wide", wide[0]),
                              ("closed", closed)):
                for at in range(0, len(key), 32):
                    self.assertNotIn(key[at:at + 32], memory, (name, at, pid))


def memory_of(pid):
    """All writable memory of a process."""
    pieces = []
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match and "[v" not in line:
                begin, end = (int(one, 16) for one in match.groups())
                with contextlib.suppress(OSError):  # given back since the list was read
                    pieces.append(os.pread(memory.fileno(), end - begin, begin))
    return b"".join(pieces)


if __name__ == "__main__":
    unittest.main()
