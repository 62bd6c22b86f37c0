# SPDX-License-Identifier: Apache-2.0
"""Key servers whose key material outlives them: what a clean restart keeps, what kill -9 costs, and
that nothing is delivered twice or differs."""
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

import harness
from etsi004 import IN_USE, SUCCESS, new_id, open_request
from kme_sites import NOT_FOUND
from streams_case import StreamCase

BOTH = ("kme-a", "kme-b")


class Durable(StreamCase):
    def durable(self, names=BOTH, **options):
        options.setdefault("link", {"simulated_rate_bps": 10000000})
        return self.sites(durable=names, **options)

    def fill(self, sites, bits=1048576):
        """Material well beyond the window, and then no more of it."""
        for site in "ab":
            sites.stock(bits, site)
        sites.freeze()

    def resting(self, sites, site):
        return sites.metric(site, "qkd_kme_resting_bits")

    def available(self, sites):
        return [sites.metric(site, "qkd_kme_available_bits") for site in "ab"]

    def lost(self, sites, site, reason):
        return sites.metric(site, "qkd_kme_lost_bits_total", reason=reason)

    def let_rest(self, sites):
        """Until keys that were reserved are on the disk."""
        time.sleep(4.0)
        self.assertEqual(harness.http_get(sites.kme_a_admin + "/healthz"), "ok\n")

    def assert_flow(self, sites):
        for sae, peer in (("alice", "bob"), ("bob", "alice")):
            keys = sites.reserve(number=16, size=512, sae=sae, peer=peer)
            answer = sites.claim(*(one for one, _ in keys), sae=peer, peer=sae)
            self.assertEqual(answer.keys(), keys)
        for site in "ab":
            self.assertEqual(self.lost(sites, site, "mismatch"), 0)

    def test_what_is_beyond_the_window_rests_and_is_opened_when_needed(self):
        sites = self.durable()
        self.fill(sites)
        for site in "ab":
            self.assertGreater(self.resting(sites, site), 1048576)
        before = self.available(sites)
        keys = sites.reserve(number=128, size=2048)  # twice the window
        self.assertEqual(sites.claim(*(one for one, _ in keys)).keys(), keys)
        taken = 128 * 2048
        while taken < 6 * sites.WINDOW_BITS:
            keys = sites.reserve(number=64, size=1024)
            answer = sites.claim(*(one for one, _ in keys))
            self.assertEqual(answer.keys(), keys)
            taken += 64 * 1024
        self.assertEqual(self.available(sites), [before[0] - taken, before[1]])
        self.assertEqual(self.lost(sites, "b", "mismatch"), 0)

    def test_a_request_that_is_refused_opens_nothing_that_rests(self):
        sites = self.durable()
        self.fill(sites)
        answer = sites.call("alice", "bob/enc_keys?number=128&size=65536")
        self.assert_refused(answer, 503)
        sites.claim(*(one for one, _ in sites.reserve()))
        self.assertLessEqual(sites.metric("a", "qkd_kme_open_bits"), 4 * sites.WINDOW_BITS)

    def test_a_clean_restart_loses_nothing(self):
        sites = self.durable()
        self.fill(sites)
        there = sites.reserve(number=5)
        back = sites.reserve(number=3, size=264, sae="bob", peer="alice")
        before = self.available(sites)
        for names in (("kme-a",), ("kme-b",), BOTH):
            for name in names:
                sites.stop(name)
            sites.up()
            sites.wait_for_link(1)
            self.assertEqual(self.available(sites), before, names)
            for site in "ab":
                for reason in ("peer_restart", "crash", "mismatch", "link"):
                    self.assertEqual(self.lost(sites, site, reason), 0, (names, site, reason))
        self.assertEqual(sites.claim(*(one for one, _ in there)).keys(), there)
        self.assertEqual(sites.claim(*(one for one, _ in back), sae="alice", peer="bob").keys(),
                         back)
        self.assert_refused(sites.claim(there[0][0]), 400, NOT_FOUND)
        self.assert_flow(sites)

    def test_an_assignment_under_way_arrives_at_a_peer_that_started_again(self):
        sites = self.durable()
        self.fill(sites)
        sites.relay.hold()
        keys = sites.reserve(number=4)
        sites.relay.cut()
        sites.wait_for_link(0)
        sites.stop("kme-b")
        sites.relay.mend()
        sites.start("kme-b")
        sites.wait_for_link(1)
        self.assertEqual(sites.claim(*(one for one, _ in keys)).keys(), keys)
        self.assertEqual(self.lost(sites, "a", "peer_restart"), 0)

    def crash(self, names):
        sites = self.durable()
        self.fill(sites)
        kept = sites.reserve(number=3) + sites.reserve(number=2, size=1024)
        delivered = sites.reserve(number=4)
        sites.claim(*(one for one, _ in delivered))
        self.let_rest(sites)
        resting = min(self.resting(sites, site) for site in "ab")
        for name in names:
            sites.kill(name)
        sites.up()
        sites.wait_for_link(1)
        self.assertGreaterEqual(sum(self.available(sites)), resting)
        for name in names:
            self.assertGreater(self.lost(sites, name[-1], "crash"), 0)
            self.assertLessEqual(self.lost(sites, name[-1], "crash"), 6 * sites.WINDOW_BITS)
        for one, _ in delivered:
            self.assert_refused(sites.claim(one), 400, NOT_FOUND)
        self.assertEqual(sites.claim(*(one for one, _ in kept)).keys(), kept)
        self.assert_refused(sites.claim(kept[0][0]), 400, NOT_FOUND)
        self.assert_flow(sites)

    def test_kill_9_of_the_initiators_end_costs_no_more_than_the_window(self):
        self.crash(("kme-a",))

    def test_kill_9_of_the_responders_end_costs_no_more_than_the_window(self):
        self.crash(("kme-b",))

    def test_kill_9_of_both_ends_costs_no_more_than_the_window(self):
        self.crash(BOTH)

    def test_a_durable_key_server_and_one_in_memory_get_on(self):
        for durable in BOTH:
            sites = self.durable((durable,))
            self.fill(sites)
            before = self.available(sites)
            self.assert_flow(sites)
            sites.stop(durable)
            sites.start(durable)
            sites.wait_for_link(1)
            self.assertEqual(sum(self.available(sites)), sum(before) - 2 * 16 * 512)
            self.assert_flow(sites)

    def test_what_a_peer_in_memory_forgot_is_dropped_here_too(self):
        sites = self.durable(("kme-a",))
        self.fill(sites)
        before = sum(self.available(sites))
        sites.edit("kme-b", r"^( *simulated_rate_bps =) 0;", r"\1 1000000;")
        sites.edit("kme-a", r"^( *simulated_rate_bps =) 0;", r"\1 1000000;")
        sites.reload("kme-a")
        sites.kill("kme-b")
        sites.start("kme-b")
        sites.wait_for_link(1)
        self.assertGreaterEqual(self.lost(sites, "a", "peer_restart"), before)
        self.assert_flow(sites)

    def test_no_stream_id_comes_again_after_a_crash_of_both_ends(self):
        sites = self.sites_004(durable=BOTH)
        alice, bob = self.pair(sites)
        made = self.opened(alice, bob)
        brought = new_id()
        self.opened_as(alice, bob, brought)
        for ksid in (made, brought):
            self.assert_same_key(alice.get_key(ksid, 0), bob.get_key(ksid, 0), 0)
        for name in BOTH:
            sites.kill(name)
        sites.up()
        sites.wait_for_link(1)
        alice, bob = self.pair(sites)
        for ksid in (made, brought):
            self.assert_short(alice.open("bob", ksid=ksid), IN_USE)
            self.assert_short(bob.open("alice", ksid=ksid), IN_USE)
        fresh = self.opened(alice, bob)
        self.assertNotIn(fresh, (made, brought))
        self.assert_same_key(alice.get_key(fresh, 0), bob.get_key(fresh, 0), 0)

    def test_an_id_not_yet_on_record_at_its_second_end_is_refused_by_the_first(self):
        sites = self.sites_004(durable=BOTH)
        alice, bob = self.pair(sites)
        ids = [self.opened(alice, bob) for _ in range(3)]
        sites.kill("kme-b")
        sites.start("kme-b")
        sites.wait_for_link(1)
        alice, bob = self.pair(sites)
        for ksid in ids:
            self.assert_short(bob.open("alice", ksid=ksid), IN_USE)
            self.assert_short(alice.open("bob", ksid=ksid), IN_USE)

    def test_the_second_end_alone_remembers_an_id_after_a_clean_stop(self):
        sites = self.sites_004(durable=("kme-b",))
        ksid = self.opened(*self.pair(sites))
        sites.stop("kme-b")
        self.refused_by_b(sites, ksid)

    def test_the_second_end_alone_remembers_an_id_some_seconds_after_its_opening(self):
        sites = self.sites_004(durable=("kme-b",))
        ksid = self.opened(*self.pair(sites))
        self.let_rest(sites)
        sites.kill("kme-b")
        self.refused_by_b(sites, ksid)

    def refused_by_b(self, sites, ksid):
        """The server of alice forgets everything; that of bob has the ID on record."""
        sites.kill("kme-a")
        sites.up()
        sites.wait_for_link(1)
        alice, bob = self.pair(sites)
        self.assert_short(bob.open("alice", ksid=ksid), IN_USE)
        self.assert_short(alice.open("bob", ksid=ksid, timeout=30000), IN_USE)

    def opened_as(self, alice, bob, ksid):
        """A stream whose ID alice and bob bring."""
        alice.send(open_request(*alice.uris("bob"), ksid, timeout=30000))
        self.assert_status(bob.open("alice", ksid=ksid, timeout=30000), SUCCESS)
        self.assert_status(alice.read(), SUCCESS)

    @unittest.skipIf(harness.SANITIZED, "strace and LeakSanitizer both want to trace the process")
    def test_the_event_loop_never_waits_for_the_disk(self):
        self.assertIsNotNone(shutil.which("strace"), "strace is not installed")
        sites = self.durable(link={"simulated_rate_bps": 20000000})
        pid = sites.pid("kme-a")
        trace = sites.temp / "trace"
        with subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range",
                               "-o", trace, "-p", str(pid)], stderr=subprocess.PIPE) as tracer:
            try:
                harness.wait_until(lambda: self.traced(trace), "a sync of the writer")
                for _ in range(20):
                    self.assert_flow(sites)
            finally:
                tracer.send_signal(signal.SIGINT)
        threads = set(self.traced(trace))
        self.assertTrue(threads)
        self.assertNotIn(str(pid), threads)

    @staticmethod
    def traced(trace):
        """The threads that synced."""
        path = pathlib.Path(trace)
        text = path.read_text(encoding="ascii") if path.exists() else ""
        return re.findall(r"(?m)^(\d+) +f(?:data)?sync\(", text)


if __name__ == "__main__":
    unittest.main()
