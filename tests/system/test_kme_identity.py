# SPDX-License-Identifier: Apache-2.0
"""Whose a certificate is: the rules of the configuration, many SAEs, and reloads."""
import itertools
import string
import subprocess
import unittest

import etsi004
import harness
from kme_sites import Case, exchange, request

CLIENT = "extendedKeyUsage = clientAuth"


def fingerprint(sites, name):
    """SHA-256 of a certificate as openssl prints it."""
    openssl = harness.OPENSSL35
    done = subprocess.run([openssl.program, "x509", "-in", sites.pki(name)[0], "-noout",
                           "-fingerprint", "-sha256"], env=openssl.env(OPENSSL_CONF="/dev/null"),
                          capture_output=True, text=True, check=True, timeout=harness.LIMIT_S)
    return done.stdout.strip().split("=", 1)[1]


class Rules(Case):
    def issue(self, sites, name, cn=(), san=()):
        names = (f"subjectAltName = {', '.join(san)}",) if san else ()
        sites.issue(name, *cn, extensions=(CLIENT, *names))

    def set_saes(self, sites, *groups, reload=True):
        groups = ", ".join(f"{{ {group} }}" for group in groups)
        sites.edit("kme-a", r"^saes = .*$", f"saes = ( {groups} );".replace("\\", r"\\"))
        if reload:
            sites.reload("kme-a")

    def code(self, sites, name):
        """What the key server of alice's site answers to a certificate that asks for the status."""
        return sites.call(name, "bob/status", site="a").code

    def master(self, sites, name):
        answer = sites.call(name, "bob/status", site="a")
        self.assertEqual(answer.code, 200, f"{name}: {answer}")
        return answer.json()["master_SAE_ID"]

    def test_each_kind_of_rule_finds_its_sae(self):
        sites = self.sites()
        self.issue(sites, "by-cn", ["Zoë / 7"])
        self.issue(sites, "by-uri", ["x"], ["URI:urn:example:sae:1", "DNS:x.example"])
        self.issue(sites, "by-dns", [], ["DNS:SAE.example"])
        self.issue(sites, "by-print", ["alice-2"], ["URI:urn:example:other"])
        self.issue(sites, "nobody", ["nobody"], ["URI:urn:example:sae", "DNS:y.sae.example"])
        pin = fingerprint(sites, "by-print")
        self.set_saes(sites, 'id = "s1"; cn = ( "unused", "Zoë / 7" );',
                      'id = "s2"; san_uri = "urn:example:sae:1";',
                      'id = "s3"; san_dns = ( "sae.example" );',
                      f'id = "s4"; fingerprint = "{pin.replace(":", "").lower()}";')
        for name, sae in (("by-cn", "s1"), ("by-uri", "s2"), ("by-dns", "s3"), ("by-print", "s4")):
            self.assertEqual(self.master(sites, name), sae)
        for name in ("nobody", "alice"):
            self.assertEqual(self.code(sites, name), 401, name)
        self.set_saes(sites, f'id = "s5"; fingerprint = "{pin}";')
        self.assertEqual(self.master(sites, "by-print"), "s5")

    def test_a_certificate_that_fits_two_saes_is_nobodys_and_the_log_says_why(self):
        sites = self.sites()
        self.issue(sites, "both", ["alice"], ["URI:urn:example:sae:2"])
        self.set_saes(sites, 'id = "alice";', 'id = "two"; san_uri = "urn:example:sae:2";')
        answer = sites.call("both", "bob/enc_keys", site="a")
        self.assertEqual((answer.code, answer.body), (401, b""))
        self.assertIn("with the certificate of 'alice', which fits 'alice' by cn and 'two' by "
                      "san_uri, was refused", sites.log("kme-a"))
        with etsi004.Client(sites, "both", site="a") as client:
            self.assertEqual(client.open("bob", timeout=1000).status, etsi004.NO_QKD)
        self.assertEqual(self.master(sites, "alice"), "alice")

    def test_a_certificate_with_a_name_that_is_no_name_is_nobodys(self):
        sites = self.sites()
        many = [f"DNS:n{i}.example" for i in range(33)]
        self.issue(sites, "many", ["alice"], many)
        self.issue(sites, "most", ["alice"], many[1:])
        self.issue(sites, "long", ["alice"], ["URI:urn:" + 252 * "x"])
        self.assertEqual(self.master(sites, "most"), "alice")
        for name, why in (("many", "too many alternative names"), ("long", "too long")):
            self.assertEqual(self.code(sites, name), 401, name)
            self.assertRegex(sites.log("kme-a"), f"belongs to nobody: .*{why}")

    def test_a_reload_adds_an_sae_and_changes_a_rule_for_open_connections(self):
        sites = self.sites()
        self.issue(sites, "late", ["late"], ["URI:urn:example:late"])
        ask = request("bob/status")
        with sites.connect("late", site="a") as late, sites.connect("alice") as alice:
            self.assertEqual(exchange(late, ask)[0].code, 401)
            self.assertEqual(exchange(alice, ask)[0].code, 200)
            self.set_saes(sites, 'id = "alice";', 'id = "late"; san_uri = "urn:example:late";')
            self.assertEqual(exchange(late, ask)[0].json()["master_SAE_ID"], "late")
            self.set_saes(sites, 'id = "alice"; cn = "late";')
            self.assertEqual(exchange(late, ask)[0].json()["master_SAE_ID"], "alice")
            self.assertEqual(exchange(alice, ask)[0].code, 401)

    def test_a_file_with_a_rule_that_is_there_twice_is_refused(self):
        sites = self.sites()
        self.set_saes(sites, 'id = "one"; san_dns = "a.example";',
                      'id = "two"; san_dns = "A.EXAMPLE";', reload=False)
        sites.reload("kme-a", "the old configuration stays")
        self.assertRegex(sites.log("kme-a"), r"conf:\d+: saes\[1\] has a san_dns that is there")
        self.assertEqual(self.master(sites, "alice"), "alice")

    def test_fifty_saes_get_their_own_keys(self):
        names = ["".join(one) for one in
                 itertools.islice(itertools.product(string.ascii_lowercase, repeat=2), 50)]
        sites = self.sites(saes={"kme-a": ["alice", *names[:25]], "kme-b": ["bob", *names[25:]]})
        for master, slave in zip(names[:25], names[25:]):
            (one, key), = sites.reserve(sae=master, peer=slave)
            self.assertEqual(sites.claim(one, sae="bob", peer=master).code, 401)
            self.assertEqual(sites.claim(one, sae=slave, peer=master).keys(), [(one, key)])
            self.assertEqual(sites.metric("a", "qkd_kme_keys_delivered_total", api="014",
                                          role="initiator", sae=master), 1)


class Peer(Case):
    def set_peer(self, sites, pin):
        sites.edit("kme-b", r'^( *peer_kme_id = .*)$', rf'\1 peer_cert_fingerprint = "{pin}";')

    def test_a_peer_may_be_pinned_by_its_certificate(self):
        sites = self.sites(up=False)
        self.set_peer(sites, fingerprint(sites, "kme-a"))
        sites.up()
        keys = sites.reserve()
        self.assertEqual(sites.claim(keys[0][0]).keys(), keys)

    def test_another_certificate_than_the_pinned_one_is_not_let_in(self):
        sites = self.sites()
        self.set_peer(sites, fingerprint(sites, "localhost"))
        sites.reload("kme-b")
        sites.wait_for_link(True)  # a reload does not end what is open
        sites.relay.cut()
        sites.wait_for_link(False)
        sites.relay.mend()
        harness.wait_until(lambda: "the certificate of 'kme-a' is no peer's" in sites.log("kme-b"),
                           "the refusal")
        self.assertEqual(sites.metric("b", "qkd_kme_link_up"), 0)
        sites.edit("kme-b", r' peer_cert_fingerprint = ".*";', "")
        sites.reload("kme-b")
        sites.wait_for_link(True)


if __name__ == "__main__":
    unittest.main()
