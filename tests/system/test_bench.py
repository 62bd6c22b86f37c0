# SPDX-License-Identifier: Apache-2.0
"""`make bench` on a small scale: that it measures what it says, never how long something takes."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import own_net
from harness import (BUILD, LIMIT_S, OPENSSL35, ROOT, HarnessError, Lab, delivered, metric,
                     wait_until)

sys.path.insert(0, str(ROOT / "bench"))
from report import labs, outage, tls  # noqa: E402  (the path is set above)
from report.relay import Relay  # noqa: E402
from report.wire import ADDRESS_B, Wire  # noqa: E402

HELLOS = BUILD / "bench" / "hellos"


class Bench(unittest.TestCase):
    def test_a_quick_run_writes_figures_and_a_report(self):
        with tempfile.TemporaryDirectory() as folder:
            report, figures = (pathlib.Path(folder) / name for name in ("b.md", "b.json"))
            done = subprocess.run(
                [ROOT / "bench" / "run.py", "--quick", "--only", "counts,far", "--out", report,
                 "--json", figures], capture_output=True, text=True, check=False,
                timeout=10 * LIMIT_S)
            found = json.loads(figures.read_text(encoding="utf-8"))
            text = report.read_text(encoding="utf-8")
            charts = {path.name for path in (report.parent / "benchmarks").glob("*.svg")}
        self.assertEqual(charts, set(re.findall(r"\(benchmarks/([^)]*)\)", text)))
        self.assertIn("## Keys and connections", text)
        self.assertEqual({one["number"] for one in found["claims"]} - {3}, {5})
        for arm, one in found["sections"]["Keys and connections"].items():
            with self.subTest(arm=arm):
                self.assertEqual(one["handshakes"], 40)
                self.assertEqual(one["claimed"], 40)
                self.assertGreaterEqual(one["reserved"], 40)
                if arm.endswith("pool = 1"):
                    self.assertEqual(one["reserved"], 40)
        failed = [one for one in found["sections"].values() if "failed" in one]
        self.assertEqual(done.returncode, 1 if failed else 0, done.stderr)
        for one in failed:  # a machine may have no TUN devices; nothing else may be missing
            self.assertRegex(one["failed"], "TUN device|namespace")

    def test_each_arm_takes_its_turn_and_a_key_for_each_handshake(self):
        with Lab() as lab, tls.server(lab, labs.conf(lab, "bob", "014 client"),
                                      workers=2) as kept, \
                tls.server(lab, labs.conf(lab, "bob", "014 client"), "fresh", 2) as fresh:
            conf = {way: labs.conf(lab, "alice", way) for way in ("014 client", "014 server")}
            arms = {"none": tls.Arm("kept", kept, conf["014 client"], labs.INNER),
                    "client": tls.Arm("kept", kept, conf["014 client"], labs.QKD),
                    "server": tls.Arm("kept", kept, conf["014 server"], labs.QKD),
                    "naive": tls.Arm("fresh", fresh, conf["014 client"], labs.QKD)}
            with tls.Client(lab.ca, arms) as client:
                samples = client.run(list(arms), 4)
                before = metric(lab.kme_a_admin, "qkd_kme_connections_total", api="014")
                client.run(["naive"], 3)
                naive = metric(lab.kme_a_admin, "qkd_kme_connections_total", api="014") - before
            self.assertEqual({name: len(them) for name, them in samples.items()},
                             dict.fromkeys(arms, 4))
            for sample in (sample for them in samples.values() for sample in them):
                self.assertTrue(sample.ok)
                self.assertTrue(0 < sample.client_ns < sample.total_ns, sample)
                self.assertTrue(0 < sample.server_ns < sample.total_ns, sample)
            self.assertEqual((delivered(lab, "initiator"), delivered(lab, "responder")), (15, 15))
            self.assertEqual(naive, 3, "a naive client connects for every key")

    def test_a_failed_handshake_is_counted_where_it_may_fail_and_ends_a_run_where_not(self):
        with Lab() as lab, tls.server(lab, labs.conf(lab, "bob", "014 client",
                                                     groups=labs.QKD)) as address:
            arm = tls.Arm("kept", address, labs.conf(lab, "alice", "014 client"), labs.INNER)
            with tls.Client(lab.ca, {"it": arm}) as client:
                self.assertEqual([one.ok for one in client.run(["it"], 2, may_fail=True)["it"]],
                                 [False, False])
                with self.assertRaisesRegex(HarnessError, "a handshake of 'it' failed"):
                    client.run(["it"], 1)

    def test_a_black_hole_ends_handshakes_and_carrying_brings_them_back(self):
        with Lab() as lab, Relay(outage.port_of(lab.kme_a_014)) as relay, \
                tls.server(lab, labs.conf(lab, "bob", "014 client")) as address:
            conf = labs.conf(lab, "alice", "014 client", kme=relay.url, timeout_ms=200)
            with tls.Client(lab.ca, {"it": tls.Arm("kept", address, conf, labs.QKD)}) as client:
                client.run(["it"], 2)
                relay.swallow()
                for sample in client.run(["it"], 3, may_fail=True)["it"]:
                    self.assertFalse(sample.ok)
                relay.carry()
                wait_until(lambda: client.run(["it"], 1, may_fail=True)["it"][0].ok, "a handshake")
                client.run(["it"], 2)

    def test_hellos_reach_the_provider_and_are_answered(self):
        with Lab() as lab, tls.server(lab, labs.conf(lab, "bob", "014 client",
                                                     groups="qkd_x25519")) as address:
            found = {}
            for ids in ("zero", "random"):
                done = subprocess.run(
                    [HELLOS, *address.split(":"), "5", "2", "0", "60000", ids], check=True,
                    env=OPENSSL35.env("/dev/null"), capture_output=True, text=True,
                    timeout=3 * LIMIT_S)
                found[ids] = tuple(map(int, done.stdout.split()[:5]))
            # sent, ServerHellos, alerts, closed, given up
            self.assertEqual(found, {"zero": (5, 5, 0, 0, 0), "random": (5, 0, 5, 0, 0)})
            self.assertEqual((delivered(lab, "initiator"), delivered(lab, "responder")), (5, 0))

    def test_two_sites_reach_each_other_over_the_wire_only(self):
        own_net.enter()
        try:
            wire = self.enterContext(Wire(1000))
        except HarnessError as error:
            self.skipTest(str(error))
        with Lab() as lab, tls.server(lab, lab.conf("bob"), host="127.0.0.1",
                                      popen=lambda *a, **k: wire.at_b(subprocess.Popen, *a, **k)
                                      ) as address:
            arm = tls.Arm("kept", address, lab.conf("alice"), labs.INNER)
            with tls.Client(lab.ca, {"it": arm}) as client:
                self.assertFalse(client.run(["it"], 1, may_fail=True)["it"][0].ok,
                                 "the sites share a loopback")
        with Lab() as lab, tls.server(lab, labs.conf(lab, "bob", "014 client"), host=ADDRESS_B,
                                      popen=lambda *a, **k: wire.at_b(subprocess.Popen, *a, **k)
                                      ) as address:
            arm = tls.Arm("kept", address, labs.conf(lab, "alice", "014 client"), labs.INNER)
            with tls.Client(lab.ca, {"it": arm}) as client:
                for sample in client.run(["it"], 3)["it"]:
                    self.assertGreaterEqual(sample.total_ns, 6 * 1_000_000, "packets are late")


if __name__ == "__main__":
    unittest.main()
