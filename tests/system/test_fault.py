# SPDX-License-Identifier: Apache-2.0
"""Every call out of our libraries fails once: memory, files, sockets, name resolution, EVP.

tests/fault runs one key exchange between two library contexts, again and again, with another
call failing each time, and says what was not clean; here are the key servers that it needs.
"""
import subprocess
import unittest

import harness
from fake_kme import FakeKme, good_with_status
from test_bad_kme import close_after_each

PROGRAMS = harness.BUILD / "tests" / "bin"
GROUPS = ("qkd_x25519", "qkd_secp256r1", "qkd_mlkem768")


def run(test, lab, *words, **settings):
    """Runs a program between alice's configuration and bob's; what it printed. It ends with 0
    when all was as it must be."""
    program, *words = words
    # A slow machine is not the fault that is looked for.
    confs = [lab.conf_with(name, timeout_ms=30000, **settings) for name in ("alice", "bob")]
    env = harness.child_env(QKD_LOG=f"debug:{lab.temp}/fault.log")
    done = subprocess.run([PROGRAMS / program, *words, *confs], env=env, capture_output=True,
                          text=True, timeout=6 * harness.LIMIT_S, check=False)
    test.assertEqual(0, done.returncode, done.stdout + done.stderr)
    return done.stdout


class EveryCallFailsOnce(unittest.TestCase):
    """Clean failures, or successes where the failure is survivable; the next exchange works."""

    def run_both(self, temperature, initiator, **settings):
        with harness.Lab(initiator=initiator, rate_bps=10000000) as lab:
            for group in GROUPS:
                with self.subTest(group):
                    self.assertRegex(run(self, lab, "fault", temperature, group,
                                         kme_groups="X25519:P-256", **settings),
                                     r"each of \d+ calls failed once")

    def test_client_initiated_from_the_configuration_on(self):
        self.run_both("cold", "client")

    def test_server_initiated_from_the_configuration_on(self):
        self.run_both("cold", "server")

    def test_client_initiated_over_kept_connections(self):
        self.run_both("warm", "client")

    def test_server_initiated_over_kept_connections(self):
        self.run_both("warm", "server")

    def test_client_initiated_with_keys_on_their_way(self):
        self.run_both("ahead", "client", pool=2)

    def test_server_initiated_with_keys_on_their_way(self):
        self.run_both("ahead", "server", pool=2)

    def test_with_keys_on_their_way_from_one_of_two_key_servers(self):
        with harness.Lab(up=False) as lab, FakeKme(lab, good_with_status) as first, \
                FakeKme(lab, good_with_status) as second:
            first.share_keys_with(second)
            self.assertRegex(run(self, lab, "fault", "ahead", GROUPS[0], pool=2,
                                 kme=f"{first.url},{second.url}"),
                             r"each of \d+ calls failed once")

    def test_over_connections_that_resume_tls_sessions(self):
        with harness.Lab(up=False) as lab, FakeKme(lab, close_after_each) as kme:
            self.assertRegex(run(self, lab, "fault", "warm", GROUPS[0], kme=kme.url),
                             r"each of \d+ calls failed once")
            self.assertGreater(kme.resumed, kme.connections / 2)


class SizesCostNothing(unittest.TestCase):
    """Queries of sizes and buffers that are too small cost no key."""

    def check_cost(self, initiator):
        with harness.Lab(initiator=initiator, rate_bps=10000000) as lab:
            for group in GROUPS:
                before = [harness.delivered(lab, role) for role in ("initiator", "responder")]
                run(self, lab, "sizes", group)
                self.assertEqual([count + 1 for count in before],
                                 [harness.delivered(lab, role)
                                  for role in ("initiator", "responder")], group)

    def test_a_hundred_size_queries_of_a_client_initiated_exchange_cost_one_key(self):
        self.check_cost("client")

    def test_a_hundred_size_queries_of_a_server_initiated_exchange_cost_one_key(self):
        self.check_cost("server")


if __name__ == "__main__":
    unittest.main()
