# SPDX-License-Identifier: Apache-2.0
"""Handshakes under valgrind: no error, nothing lost, at the client, the server and the key
servers."""
import os
import pathlib
import signal
import subprocess
import unittest

from harness import (LIMIT_S, OPENSSL35, QKD_KME, SANITIZED, SYSTEM_OPENSSL, Lab, OpenSSL, Server,
                     child_env, http_get, run_client, wait_until)

VALGRIND = ["valgrind", "--vgdb=no", "--error-exitcode=99", "--leak-check=full",
            "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible"]


def under_valgrind(openssl, folder, name):
    """The same OpenSSL, whose program runs under valgrind; and where its report goes."""
    report = pathlib.Path(folder) / f"{name}.valgrind"
    script = pathlib.Path(folder) / f"{name}.sh"
    script.write_text(f"#!/bin/sh\nexec {' '.join(VALGRIND)} --log-file={report} "
                      f"{openssl.program} \"$@\"\n", encoding="utf-8")
    script.chmod(0o755)
    return OpenSSL(script, openssl.library_path), report


@unittest.skipIf(SANITIZED, "valgrind cannot run a program built with AddressSanitizer")
class Valgrind(unittest.TestCase):
    def handshakes(self, openssl, group):
        with Lab() as lab:
            client_openssl, client_report = under_valgrind(openssl, lab.temp, "client")
            server_openssl, server_report = under_valgrind(openssl, lab.temp, "server")
            confs = [lab.conf_with(name, timeout_ms=20000, **settings) for name, settings in
                     (("alice", {"initiator": "client"}), ("alice", {"initiator": "server"}),
                      ("alice", {"cert": "/nonexistent"}), ("bob", {}))]
            with Server(lab, "-groups", group, "-naccept", "2", openssl=server_openssl,
                        conf=confs[3]) as server:
                for conf in confs[:2]:
                    client = run_client(lab, server.port, groups=group, conf=conf,
                                        openssl=client_openssl)
                    self.assertTrue(client.connected,
                                    f"{client}{client_report.read_text(encoding='utf-8')}")
                self.assertEqual(server.process.wait(LIMIT_S), 0,
                                 server_report.read_text(encoding="utf-8"))
            failing = run_client(lab, 1, groups=group, conf=confs[2], openssl=client_openssl)
            self.assertNotEqual(failing.returncode, 99,
                                client_report.read_text(encoding="utf-8"))

    def test_handshakes_with_openssl_3_5_are_clean(self):
        self.handshakes(OPENSSL35, "qkd_x25519mlkem768")

    def test_handshakes_with_the_systems_openssl_are_clean(self):
        self.handshakes(SYSTEM_OPENSSL, "qkd_x25519")

    def test_the_key_servers_are_clean(self):
        with Lab(up=False) as lab:
            reports = {name: lab.temp / f"{name}.valgrind" for name in ("kme-a", "kme-b")}
            servers = [subprocess.Popen(
                [*VALGRIND, f"--log-file={report}", QKD_KME, "--config",
                 lab.dir / f"{name}.conf"], env=child_env(), stderr=subprocess.DEVNULL)
                for name, report in reports.items()]
            try:
                for url in (lab.kme_a_admin, lab.kme_b_admin):
                    wait_until(lambda url=url: self.is_healthy(url), f"health of {url}", 60)
                with Server(lab, conf=lab.conf_with("bob", timeout_ms=20000)) as server:
                    for flow in ("client", "server"):
                        client = run_client(lab, server.port, conf=lab.conf_with(
                            "alice", initiator=flow, timeout_ms=20000))
                        self.assertTrue(client.connected, str(client))
            finally:
                for server in servers:
                    os.kill(server.pid, signal.SIGTERM)
            for server, report in zip(servers, reports.values()):
                self.assertEqual(server.wait(LIMIT_S), 0, report.read_text(encoding="utf-8"))

    @staticmethod
    def is_healthy(url):
        try:
            return http_get(url + "/healthz").startswith("ok")
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()
