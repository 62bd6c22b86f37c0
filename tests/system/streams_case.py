# SPDX-License-Identifier: Apache-2.0
"""What the tests of key streams share: two sites, and streams that are open at both."""
import contextlib
import time

import etsi004
import harness
from kme_sites import Case


class StreamCase(Case):
    """A test of ETSI 004 with two sites of its own."""

    def sites_004(self, compat=None, **options):
        """Two sites; with `compat`, both key servers have that setting."""
        sites = self.sites(up=False, **options)
        if compat:
            for name in ("kme-a", "kme-b"):
                sites.edit(name, r"^etsi004 = \{", f'etsi004 = {{ compat = "{compat}";')
        sites.up()
        for site in "ab":
            sites.stock(16 * 256, site)
        return sites

    def client(self, sites, sae, **options):
        return self.enterContext(etsi004.Client(sites, sae, **options))

    def pair(self, sites):
        """Connections of alice and of bob."""
        return self.client(sites, "alice"), self.client(sites, "bob")

    def opened(self, alice, bob, **qos):
        """The ID of a stream that alice has opened and bob has joined."""
        first = alice.open("bob", **{"timeout": 30000, **qos})
        self.assertIn(first.status, (etsi004.SUCCESS, etsi004.PEER_NOT_YET), first)
        second = bob.open("alice", ksid=first.ksid, timeout=30000)
        self.assertEqual(second.status, etsi004.SUCCESS, second)
        return first.ksid

    def assert_status(self, reply, status):
        self.assertEqual(reply.status, status, reply)

    def assert_short(self, reply, status):
        """A W1 answer that is nothing but a status."""
        self.assertEqual((reply.status, len(reply.payload)), (status, 4), reply)

    def assert_key(self, reply, index, chunk=32):
        self.assert_status(reply, etsi004.SUCCESS)
        self.assertEqual((reply.index, len(reply.key)), (index, chunk), reply)
        self.assertNotEqual(reply.key, bytes(chunk))

    def assert_same_key(self, one, other, index, chunk=32):
        self.assert_key(one, index, chunk)
        self.assert_key(other, index, chunk)
        self.assertEqual(one.key, other.key)

    def assert_closes(self, client, *octets):
        """The server ends the connection and says nothing; it still serves others."""
        with contextlib.suppress(OSError):
            for piece in octets:
                client.send(piece)
        with self.assertRaises(etsi004.Closed):
            reply = client.read()
            self.fail(f"answered: {reply}")

    def streams(self, sites, site, **labels):
        return sites.metric(site, "qkd_kme_streams", **labels)

    def wait_for_streams(self, sites, count, **labels):
        """Until both key servers have so many streams."""
        for site in "ab":
            harness.wait_until(lambda site=site: self.streams(sites, site, **labels) == count,
                               f"{count} streams {labels} at kme-{site}")

    def drain(self, sites, sae, peer):
        """Reserves over ETSI 014 all that a site has, with the simulated channel at a stop. Its last
        blocks may still be on the way."""
        site = sites.site_of(sae)
        empty = 0
        while empty < 3:
            blocks = int(sites.metric(site, "qkd_kme_available_bits")) // 256
            if blocks == 0:
                empty += 1
                time.sleep(0.05)
                continue
            empty = 0
            answer = sites.call(sae, f"{peer}/enc_keys?number={min(blocks, 128)}&size=256")
            self.assertEqual(answer.code, 200, answer)

    def refill(self, sites, rate_bps=1000000):
        """Starts the simulated channel again."""
        for name in ("kme-a", "kme-b"):
            sites.edit(name, r"^( *simulated_rate_bps =) \d+;", rf"\1 {rate_bps};")
            sites.reload(name)


@contextlib.contextmanager
def stopwatch():
    """A function that tells the seconds since the beginning, or of the whole once it is over."""
    begin = time.monotonic()
    end = []
    yield lambda: (end[0] if end else time.monotonic()) - begin
    end.append(time.monotonic())
