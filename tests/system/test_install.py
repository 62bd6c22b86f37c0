# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` puts somewhere works there, on the system's OpenSSL."""
import re
import subprocess
import tempfile
import unittest

import harness
import own_net

PORT = 8443


@unittest.skipIf(harness.SANITIZED, "a build with sanitizers is not one to install")
class Installed(unittest.TestCase):
    def setUp(self):
        own_net.enter()
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="qkd-install-"))
        self.prefix = f"{self.folder}/prefix"
        self.run_program("cmake", "--install", harness.BUILD, "--prefix", self.prefix)

    def run_program(self, *words, **env):
        done = subprocess.run(list(map(str, words)), env=harness.child_env(**env), text=True,
                              input="GET / HTTP/1.0\r\n\r\n", capture_output=True, check=False,
                              timeout=harness.LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def qkdctl(self, *words):
        return self.run_program(f"{self.prefix}/bin/qkdctl", *words)

    def test_a_laboratory_of_installed_files_makes_handshakes_on_the_systems_openssl(self):
        lab = f"{self.folder}/lab"
        self.assertIn("OpenSSL " + ".".join(map(str, harness.SYSTEM_OPENSSL.version())),
                      self.qkdctl("version"))
        self.qkdctl("lab", "init", lab, "--groups", "qkd_x25519")
        self.qkdctl("lab", "up", lab)
        self.addCleanup(self.qkdctl, "lab", "down", lab)
        server = subprocess.Popen(
            ["/usr/bin/openssl", "s_server", "-www", "-accept", str(PORT), "-cert",
             f"{lab}/pki/localhost.pem", "-key", f"{lab}/pki/localhost.key"],
            env=harness.child_env(OPENSSL_CONF=f"{lab}/bob/openssl.cnf"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        while "ACCEPT" not in server.stdout.readline():
            self.assertIsNone(server.poll(), "the server has ended")
        said = self.run_program("/usr/bin/openssl", "s_client", "-connect", f"localhost:{PORT}",
                                "-CAfile", f"{lab}/pki/ca.pem", "-verify_return_error",
                                "-ign_eof", OPENSSL_CONF=f"{lab}/alice/openssl.cnf",
                                QKD_LOG="info")
        self.assertRegex(said, r"handshake key qkd_x25519 role=initiator key_id=")
        self.assertRegex(self.qkdctl("doctor", "--config", f"{lab}/alice/openssl.cnf"),
                         re.escape(f"{self.prefix}/lib/ossl-modules/qkd.so"))


if __name__ == "__main__":
    unittest.main()
