# SPDX-License-Identifier: Apache-2.0
"""Every call out of our libraries fails once: memory, files, sockets, name resolution, EVP.

tests/fault runs one key exchange between two library contexts, again and again, with another
call failing each time, and says what was not clean; here are the key servers that it needs.
"""
import subprocess
import unittest

import harness

FAULT = harness.BUILD / "tests" / "bin" / "fault"


def fault(test, lab, temperature, group, initiator):
    """Runs the program; it ends with 0 when every failure was clean."""
    confs = [lab.conf_with(name, initiator=initiator) for name in ("alice", "bob")]
    env = harness.child_env(QKD_LOG=f"debug:{lab.temp}/fault.log")
    done = subprocess.run([FAULT, temperature, group, *confs], env=env, capture_output=True,
                          text=True, timeout=6 * harness.LIMIT_S, check=False)
    test.assertEqual(0, done.returncode, done.stdout + done.stderr)
    test.assertRegex(done.stdout, r"each of \d+ calls failed once")


class EveryCallFailsOnce(unittest.TestCase):
    """Clean failures, or successes where the failure is survivable; the next exchange works."""

    def run_both(self, temperature, initiator):
        with harness.Lab(initiator=initiator) as lab:
            for group in ("qkd_x25519", "qkd_secp256r1", "qkd_mlkem768"):
                with self.subTest(group):
                    fault(self, lab, temperature, group, initiator)

    def test_client_initiated_from_the_configuration_on(self):
        self.run_both("cold", "client")

    def test_server_initiated_from_the_configuration_on(self):
        self.run_both("cold", "server")

    def test_client_initiated_over_kept_connections(self):
        self.run_both("warm", "client")

    def test_server_initiated_over_kept_connections(self):
        self.run_both("warm", "server")


if __name__ == "__main__":
    unittest.main()
