# SPDX-License-Identifier: Apache-2.0
"""qkdctl check-kme --api 014: our key server passes, and of a deliberately broken one exactly
those checks fail that must."""
import json
import pathlib
import re
import unittest

import harness
import meddler
from harness import qkdctl
from kme_sites import Case

KEYS_FOR_A_RUN = 1000
TIMEOUT_MS = 3000 * harness.SLOWNESS
DOCUMENT = pathlib.Path(harness.ROOT, "docs", "check-kme.md")


def results(done):
    """{ID: (result, text, deviations)} of a run with --json."""
    report = json.loads(done.stdout)
    return {check["id"]: (check["result"], check["text"], check["deviations"])
            for check in report["checks"]}


class Kit(Case):
    def options(self, sites, initiator="alice", responder="bob", stranger="carol", kmes=None):
        """Options for a run between SAEs of these sites."""
        near, far = (kmes or [sites.url(sites.site_of(sae)) for sae in (initiator, responder)])
        words = ["--kme", near, "--sae", initiator, "--ca", sites.ca, "--peer-kme", far, "--peer",
                 responder, "--timeout-ms", TIMEOUT_MS]
        for prefix, sae in (("", initiator), ("peer-", responder), ("stranger-", stranger)):
            if sae:
                cert, key = sites.pki(sae)
                words += [f"--{prefix}cert", cert, f"--{prefix}key", key]
        return words + (["--stranger", stranger] if stranger else [])

    def quiet_sites(self):
        """Two sites with keys for a run, and a source that stands still: counts are exact."""
        sites = self.sites()
        for site in "ab":
            sites.stock(KEYS_FOR_A_RUN * 256, site)
        sites.freeze()
        return sites

    def check(self, sites, *more, **options):
        return qkdctl("check-kme", *self.options(sites, **options), "--json", *more)

    def failed(self, done):
        return {one for one, (result, *_) in results(done).items() if result == "failed"}


class Ours(Kit):
    def test_ours_passes_the_whole_list_from_either_end(self):
        sites = self.quiet_sites()
        for ends in (("alice", "bob", "carol"), ("bob", "alice", "mallory")):
            done = self.check(sites, "--deplete", initiator=ends[0], responder=ends[1],
                              stranger=ends[2])
            found = results(done)
            self.assertEqual((done.returncode, len(found)), (0, 47), done.stdout + done.stderr)
            skipped = {one for one, (result, *_) in found.items() if result == "skipped"}
            self.assertEqual(skipped, {"S14.04", "S14.18", "S14.46"})

    def test_a_laboratory_needs_no_other_option(self):
        with harness.Lab() as lab:
            for words in ([], ["--reverse"]):
                done = qkdctl("check-kme", "--lab", lab.dir, "--restart", "--deplete", "--json",
                              "--timeout-ms", TIMEOUT_MS, *words)
                found = results(done)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                # The source runs: whether a few keys can be seen to go is a matter of luck.
                self.assertEqual({one for one, (result, *_) in found.items()
                                  if result != "passed"} - {"S14.25"}, {"S14.18"})

    def test_the_report_counts_what_was_consumed_and_nothing_is_left(self):
        sites = self.quiet_sites()
        done = self.check(sites)
        taken = sites.metric("a", "qkd_kme_keys_delivered_total", role="initiator")
        self.assertEqual(json.loads(done.stdout)["keys_consumed"], taken)
        # One key of the run has two responders.
        self.assertEqual(sites.metric("b", "qkd_kme_keys_delivered_total", role="responder"),
                         taken + 1)

    def test_a_run_of_a_few_checks_prints_a_line_for_each(self):
        sites = self.sites()
        done = qkdctl("check-kme", *self.options(sites), "--only", "S14.0[56],S14.18")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"(?m)^S14\.05  passed   status has its 11 members with the "
                                      r"right types$")
        self.assertRegex(done.stdout, r"(?m)^S14\.18  skipped  .*: not checked from outside: ")
        self.assertRegex(done.stdout, r"(?m)^3 checks: 2 passed, 0 failed, 1 skipped$")

    def test_what_is_only_recommended_can_be_left_out(self):
        sites = self.quiet_sites()
        proxy = self.enterContext(meddler.Meddler(sites, "b", meddler.Unordered()))
        kmes = [sites.url("a"), proxy.url("b")]
        self.assertEqual(self.failed(self.check(sites, kmes=kmes)), {"S14.26"})
        done = self.check(sites, "--required-only", kmes=kmes)
        self.assertEqual(done.returncode, 0, done.stdout)
        result, text, deviations = results(done)["S14.26"]
        self.assertEqual((result, deviations), ("passed", ["D22"]))
        self.assertIn("in the order asked", text)
        self.assertNotIn("S14.45", results(done))

    def test_a_key_server_that_is_not_there_is_an_error_and_no_report(self):
        sites = self.sites()
        done = qkdctl("check-kme", *self.options(sites, kmes=["https://localhost:1",
                                                              sites.url("b")]))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("localhost:1", done.stderr)

    def test_a_wrong_call_says_what_is_wrong(self):
        for words, sentence in ((["--api", "013"], "--api '013'"), ([], "needs --kme"),
                                (["--kme", "https://x"], "needs --sae"),
                                (["--only", "S15.*"], "matches no check"),
                                (["--only", "S14.01,S14.9"], "'S14.9' matches no check"),
                                (["--colour"], "no option '--colour'")):
            done = qkdctl("check-kme", *words)
            self.assertIn(sentence, done.stderr)
            self.assertEqual(done.returncode, 2)


class Broken(Kit):
    """Each with a kind of meddler.py between qkdctl and our key servers."""

    def assert_fails(self, kind, expected, deviations="", between="ab"):
        sites = self.quiet_sites()
        proxies = {site: self.enterContext(meddler.Meddler(sites, site, kind))
                   for site in between}
        done = self.check(sites, "--lab", sites.dir, "--deplete",
                          kmes=[proxies.get(site, sites).url(site) for site in "ab"])
        self.assertEqual(self.failed(done), set(expected.split()), done.stdout + done.stderr)
        self.assertEqual(done.returncode, 1 if expected else 0)
        self.assertEqual({name for _, _, names in results(done).values() for name in names},
                         set(deviations.split()), done.stdout)
        self.assert_no_key_is_shown(sites, done)

    def assert_no_key_is_shown(self, sites, done):
        """A report must not hold what could be a key of 256 bits in base64 or hexadecimal."""
        self.assertNotRegex(done.stdout + done.stderr, r"[A-Za-z0-9+/]{42}[A-Za-z0-9+/]=|"
                                                       r"[0-9a-fA-F]{64}")

    def test_a_proxy_that_changes_nothing_passes(self):
        self.assert_fails(meddler.Honest(), "")

    def test_tls_1_1(self):
        self.assert_fails(meddler.OldTls(), "S14.01")

    def test_no_identity_is_checked(self):
        self.assert_fails(meddler.AnybodyIsAlice(), "S14.02 S14.04", between="a")

    def test_a_header_names_the_sae(self):
        self.assert_fails(meddler.HeaderIsIdentity(), "S14.03")

    def test_a_status_with_a_wrong_type(self):
        self.assert_fails(meddler.StatusTypes(), "S14.05")

    def test_a_status_with_swapped_names(self):
        self.assert_fails(meddler.StatusSwapsNames(), "S14.03 S14.06 S14.43")

    def test_a_stored_count_that_stays(self):
        self.assert_fails(meddler.CountsNothing(), "S14.25")

    def test_keys_of_the_wrong_length(self):
        self.assert_fails(meddler.WrongLength(), "S14.09 S14.10 S14.11 S14.12 S14.14 S14.20")

    def test_a_size_that_is_ignored(self):
        self.assert_fails(meddler.IgnoresSize(), "S14.10 S14.12 S14.14 S14.16 S14.24", "D16")

    def test_key_ids_in_upper_case(self):
        self.assert_fails(meddler.UpperCaseIds(), "S14.13")

    def test_key_ids_made_of_the_key(self):
        self.assert_fails(meddler.IdsOfKeys(), "S14.13", "D28")

    def test_a_key_that_is_delivered_twice(self):
        self.assert_fails(meddler.KeyTwice(), "S14.13 S14.26 S14.30 S14.36 S14.45")

    def test_keys_that_are_swapped(self):
        self.assert_fails(meddler.SwapsKeys(), "S14.26 S14.30 S14.36 S14.45")

    def test_keys_in_another_order(self):
        self.assert_fails(meddler.Unordered(), "S14.26", "D22")

    def test_a_partial_delivery(self):
        self.assert_fails(meddler.PartialDelivery(), "S14.24", "D16")

    def test_a_second_delivery_of_a_claimed_key(self):
        self.assert_fails(meddler.Redelivers(), "S14.31 S14.32 S14.38")

    def test_a_refused_batch_that_costs_keys(self):
        self.assert_fails(meddler.ConsumesOnRefusal(), "S14.30")

    def test_keys_that_come_late_to_the_other_end(self):
        self.assert_fails(meddler.LateAtTheOtherEnd(), "S14.47", "D31")

    def test_404_for_a_key_that_is_not_found(self):
        self.assert_fails(meddler.NotFoundIs404(), "S14.30 S14.31 S14.32 S14.33 S14.47")

    def test_errors_without_a_body(self):
        self.assert_fails(meddler.NoErrorBody(),
                          "S14.16 S14.17 S14.24 S14.30 S14.31 S14.42 S14.47", "D12")

    def test_errors_in_html(self):
        self.assert_fails(meddler.HtmlErrors(),
                          "S14.16 S14.17 S14.24 S14.30 S14.31 S14.42 S14.47", "D12")

    def test_errors_in_detail(self):
        self.assert_fails(meddler.ErrorsInDetail(),
                          "S14.16 S14.17 S14.24 S14.30 S14.31 S14.42 S14.47", "D11")

    def test_a_key_in_a_401(self):
        self.assert_fails(meddler.LeaksOn401(), "S14.28 S14.29 S14.42", "D14")

    def test_any_slave_will_do(self):
        self.assert_fails(meddler.AnySlaveWillDo(), "S14.28 S14.29")

    def test_a_connection_for_each_request(self):
        self.assert_fails(meddler.ClosesAlways(), "S14.40 S14.44", "D30")

    def test_broken_json_taken_for_none(self):
        self.assert_fails(meddler.BrokenJsonIsNone(), "S14.39 S14.40", "D18")

    def test_additional_slaves_that_are_ignored(self):
        self.assert_fails(meddler.ExtraSlavesAreIgnored(), "S14.21 S14.22 S14.38")

    def test_paths_with_a_slash_at_their_end(self):
        self.assert_fails(meddler.WantsSlash(), "S14.05", "D5")

    def test_answers_that_may_be_stored(self):
        self.assert_fails(meddler.NoCacheControl(), "S14.45")


class Document(unittest.TestCase):
    def test_the_list_in_the_document_is_that_of_the_program(self):
        listed = qkdctl("check-kme", "--list", check=True).stdout
        self.assertIn(f"\n```\n{listed}```\n", DOCUMENT.read_text(encoding="utf-8"))

    def test_the_list_as_json_has_what_the_list_has(self):
        for api in ("014", "004"):
            listed = qkdctl("check-kme", "--api", api, "--list", check=True).stdout.split("\n")[:-1]
            as_json = json.loads(
                qkdctl("check-kme", "--api", api, "--list", "--json", check=True).stdout)
            self.assertEqual(as_json["api"], api)
            self.assertEqual([re.split("  +", line) for line in listed],
                             [[one["id"], one["strictness"], one["clause"], one["name"]]
                              for one in as_json["checks"]])

    def test_the_deviations_in_the_document_are_those_of_the_program(self):
        source = pathlib.Path(harness.ROOT, "ctl", "check_deviation.c").read_text(encoding="utf-8")
        named = re.findall(r'^    \[(\d+)\] = "(.*)",$', source, re.M)
        text = DOCUMENT.read_text(encoding="utf-8")
        self.assertTrue(named)
        for number, sentence in named:
            sentence = sentence.replace('\\"', '"')
            self.assertIn(f"| D{number} | {sentence} |", text)


if __name__ == "__main__":
    unittest.main()
