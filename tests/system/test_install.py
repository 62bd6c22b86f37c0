# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` puts somewhere works there, on the system's OpenSSL."""
import re
import subprocess
import tempfile
import unittest

from harness import (BUILD, LIMIT_S, SANITIZED, SYSTEM_OPENSSL, Lab, Server, child_env, qkdctl,
                     run_client)


@unittest.skipIf(SANITIZED, "a build with sanitizers is not one to install")
class Installed(unittest.TestCase):
    def setUp(self):
        self.prefix = self.enterContext(tempfile.TemporaryDirectory(prefix="qkd-install-"))
        subprocess.run(["cmake", "--install", BUILD, "--prefix", self.prefix], env=child_env(),
                       check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S)
        self.qkdctl = f"{self.prefix}/bin/qkdctl"

    def test_a_laboratory_of_installed_files_makes_handshakes_on_the_systems_openssl(self):
        self.assertIn("OpenSSL " + ".".join(map(str, SYSTEM_OPENSSL.version())),
                      qkdctl("version", program=self.qkdctl, check=True).stdout)
        with Lab(program=self.qkdctl, groups="qkd_x25519") as lab, \
                Server(lab, openssl=SYSTEM_OPENSSL) as server:
            client = run_client(lab, server.port, openssl=SYSTEM_OPENSSL)
            self.assertTrue(client.connected, str(client))
            self.assertRegex(client.log, r"handshake key qkd_x25519 role=initiator key_id=")
            done = qkdctl("doctor", "--config", lab.conf("alice"), program=self.qkdctl, check=True)
            self.assertRegex(done.stdout, re.escape(f"{self.prefix}/lib/ossl-modules/qkd.so"))


if __name__ == "__main__":
    unittest.main()
