# SPDX-License-Identifier: Apache-2.0
"""qkdctl check-kme --api 004: our key server passes, and one with a defect fails the checks that
are about that defect and no others."""
import concurrent.futures
import json
import unittest

import broken004
import harness
from harness import Lab, qkdctl
from proxy004 import Proxy, Sound

# What cannot be seen from outside, or only with more options.
ALWAYS_SKIPPED = {"S04.39"}
HEAVY = {"S04.04b", "S04.35b"}
RESTART = {"S04.37"}
W2_ONLY = {"S04.40"}
# All checks in which a key is read.
READS = {"S04.17b", "S04.21", "S04.22a", "S04.22b", "S04.23", "S04.24a", "S04.25a", "S04.25b",
         "S04.26a", "S04.26b", "S04.27", "S04.28", "S04.30", "S04.31a", "S04.33", "S04.34b",
         "S04.35a", "S04.36a", "S04.36b"}


def check(*words):
    """(exit status, {ID: result}, the whole report) of check-kme --api 004."""
    done = qkdctl("check-kme", "--api", "004", "--json", *words)
    if done.returncode not in (0, 1) or not done.stdout:
        raise harness.HarnessError(f"check-kme: exit {done.returncode}: {done.stderr}")
    report = json.loads(done.stdout)
    return done.returncode, {one["id"]: one["result"] for one in report["checks"]}, report


def those(results, result):
    return {one for one, value in results.items() if value == result}


def lines(report, result):
    return "\n".join(f"{one['id']} {one['name']}: {one['text']}" for one in report["checks"]
                     if one["result"] == result)


class Ours(unittest.TestCase):
    """Our key server passes its list."""

    def assert_passes(self, skipped, *words):
        code, results, report = check(*words)
        self.assertEqual((code, lines(report, "failed")), (0, ""))
        self.assertEqual(those(results, "skipped"), skipped, lines(report, "skipped"))
        self.assertEqual(report["summary"]["checks"], len(results))
        self.assertGreater(len(those(results, "passed")), 45)
        self.assertGreater(report["keys_consumed"], 50)
        self.assertLess(report["keys_consumed"], 200)

    def assert_left_nothing(self, lab):
        for url in (lab.kme_a_admin, lab.kme_b_admin):
            harness.wait_until(lambda url=url: harness.metric(url, "qkd_kme_streams") == 0,
                               "no stream left")

    def test_ours_passes_in_w1(self):
        with Lab() as lab:
            self.assert_passes(ALWAYS_SKIPPED | W2_ONLY, "--lab", lab.dir, "--heavy", "--restart")
            self.assert_left_nothing(lab)

    def test_ours_passes_in_w2_and_in_the_other_direction(self):
        with Lab() as lab:
            self.assert_passes(ALWAYS_SKIPPED | HEAVY - {"S04.04b"} | RESTART | {"S04.10a"},
                               "--lab", lab.dir, "--heavy", "--reverse", "--dialect", "w2")
            self.assert_left_nothing(lab)

    def test_ours_passes_in_the_dialect_of_the_field(self):
        with Lab(up=False) as lab:
            for name in ("kme-a", "kme-b"):
                config = lab.dir / f"{name}.conf"
                text = config.read_text(encoding="utf-8")
                config.write_text(text.replace("etsi004 = {", 'etsi004 = { compat = "qubip";'),
                                  encoding="utf-8")
            lab.up()
            self.assert_passes(ALWAYS_SKIPPED | HEAVY | RESTART | W2_ONLY | {"S04.17b"},
                               "--lab", lab.dir, "--dialect", "qubip")
            self.assert_left_nothing(lab)

    def test_a_third_sae_takes_the_part_of_the_stranger(self):
        from kme_sites import Sites
        with Sites() as sites:
            cert, key = sites.pki("carol")
            _, results, report = check("--lab", sites.dir, "--stranger", "carol",
                                       "--stranger-cert", cert, "--stranger-key", key,
                                       "--only", "S04.10b,S04.34b")
            self.assertEqual(set(results.values()), {"passed"}, lines(report, "failed"))

    def test_a_key_server_that_is_not_there_is_no_check_that_failed(self):
        with Lab(up=False) as lab:
            done = qkdctl("check-kme", "--api", "004", "--lab", lab.dir, "--only", "S04.06")
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"KME localhost:{lab.base_port + 1}", done.stderr)


class Document(unittest.TestCase):
    """docs/check-kme.md has the list as it is."""

    def test_the_document_has_every_check_of_004(self):
        text = (harness.ROOT / "docs" / "check-kme.md").read_text(encoding="utf-8")
        listed = qkdctl("check-kme", "--api", "004", "--list", check=True).stdout
        self.assertGreater(len(listed.splitlines()), 50)
        self.assertIn(f"```\n{listed}```\n", text)


class Broken(unittest.TestCase):
    """One defect each."""

    def failures(self, defect, *more):
        """(the checks that fail, the report) with that defect at both key servers."""
        with Lab() as lab, Proxy(lab, "a", defect) as a, Proxy(lab, "b", defect) as b:
            words = []
            for prefix, sae, url in (("", "alice", a.url), ("peer-", "bob", b.url)):
                cert, key = lab.pki(sae)
                words += [f"--{prefix}kme", url, f"--{prefix}cert", cert, f"--{prefix}key", key]
            code, results, report = check("--ca", lab.ca, "--sae", "alice", "--peer", "bob",
                                          *words, *more)
            failed = those(results, "failed")
            self.assertEqual(code, 1 if failed else 0)
            return failed, report

    def assert_fail(self, expected):
        """`expected` has the IDs by defect; all at once, since most of it is waiting."""
        with concurrent.futures.ThreadPoolExecutor(len(expected)) as pool:
            futures = {defect: pool.submit(self.failures, defect()) for defect in expected}
        for defect, future in futures.items():
            with self.subTest(defect=defect.__name__):
                failed, report = future.result()
                self.assertEqual(failed, expected[defect], lines(report, "failed"))

    def test_a_proxy_without_a_defect_passes(self):
        self.assert_fail({Sound: set()})

    def test_mutated_answers_fail_checks_and_no_more(self):
        defects = [broken004.MutatesAnswers(seed) for seed in range(3)]
        with concurrent.futures.ThreadPoolExecutor(len(defects)) as pool:
            futures = [pool.submit(self.failures, defect, "--timeout-ms", 100)
                       for defect in defects]
        for defect, future in zip(defects, futures):
            failed, report = future.result()
            self.assertGreater(defect.mutated, 20)
            self.assertGreater(len(failed), 5)
            self.assertEqual(report["summary"]["checks"], len(report["checks"]))

    def test_defects_of_keys(self):
        self.assert_fail({
            broken004.OneBufferForAllStreams: {"S04.22b"},
            broken004.DeliversTwice: {"S04.23"},
            broken004.IgnoresIndex: {"S04.23", "S04.24a", "S04.24b", "S04.31a", "S04.38"},
            broken004.OtherOctetsAtOneEnd: {"S04.22a", "S04.24a", "S04.26b", "S04.30", "S04.33"},
        })

    def test_defects_of_the_quality_of_service(self):
        self.assert_fail({
            broken004.IgnoresChunkSize: {"S04.21"},
            broken004.IgnoresMaxBps: {"S04.36a"},
            broken004.IgnoresTtl: {"S04.31a", "S04.31b"},
            broken004.SecondGetsItsOwnQos: {"S04.09"},
        })

    def test_defects_of_metadata_and_statuses(self):
        self.assert_fail({
            broken004.MetadataOverRoom: {"S04.26b", "S04.28"},
            broken004.AgeIsTheTimeOfDay: {"S04.27"},
            broken004.KeyOfNoStream: {"S04.20a"},
            broken004.NoKeyInsteadOfTimeout: {"S04.25b"},
        })

    def test_defects_of_the_wire(self):
        self.assert_fail({
            broken004.WrongService: {"S04.01"},
            broken004.WrongVersion: {"S04.01"},
        })

    def test_defects_of_bad_input(self):
        self.assert_fail({
            broken004.HangsOnMalformed: {"S04.05"},
            broken004.IgnoresUnknownServices: {"S04.04a"},
        })

    def test_defects_of_lengths(self):
        self.assert_fail({
            broken004.WrongLength: READS,
            broken004.WaitsForGigabytes: {"S04.03"},
            broken004.NeedsWholeRequests: {"S04.02"},
        })

    def test_defects_of_streams(self):
        self.assert_fail({
            broken004.NeverTellsThatNobodyIsThere: {"S04.12a"},
            broken004.OpensAgainWhatIsInUse: {"S04.10a", "S04.11b"},
            broken004.CloseAlwaysSucceeds: {"S04.29", "S04.34b"},
            broken004.ReusesIds: {"S04.32"},
        })

    def test_defects_of_connections(self):
        self.assert_fail({
            broken004.StreamsEndWithTheirConnection: {"S04.33"},
            broken004.OneAtATime: {"S04.35a"},
        })

    def test_defects_of_identities(self):
        self.assert_fail({
            broken004.AsksNobodysName: {"S04.10b", "S04.34b"},
            broken004.AsksForNoCertificate: {"S04.10b", "S04.34a", "S04.34b"},
        })


if __name__ == "__main__":
    unittest.main()
