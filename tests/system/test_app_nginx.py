# SPDX-License-Identifier: Apache-2.0
"""The recipe of nginx, as it stands: as server, as client, and what its log says."""
import re
import subprocess

import hung_kme
from harness import LIMIT_S, OPENSSL35, SYSTEM_OPENSSL, handshake_keys, wait_until
from recipe import Recipe
from reloads import check_that_a_reload_reads_no_settings, measure
from web_servers import (NGINX, SERVER_PORT, WebServerCase, load_command, misbehave, stop_kme,
                         text)

HANDSHAKES = 3


class Nginx(WebServerCase):
    def serve(self, recipe):
        self.prepare(recipe)
        recipe.start("server", ready=SERVER_PORT)
        for _ in range(HANDSHAKES):
            done = recipe.run("client", log="client")
            self.assertIn(f"group {self.group(recipe)}\n", done.stdout)
        self.check_handshakes(recipe, "run/error.log", "client", HANDSHAKES)
        self.assertEqual(handshake_keys(recipe.run("check").stdout),
                         handshake_keys(text(recipe, "run/error.log")))
        self.assertEqual(text(recipe, "run/access.log").count(
            f" TLSv1.3 group={self.group(recipe)} pid="), HANDSHAKES)

    def forward(self, recipe):
        self.check_gateway(recipe, "run/gateway-error.log", HANDSHAKES)

    def test_server_on_35(self):
        self.for_each_flow("nginx", OPENSSL35, self.serve)

    def test_server_on_30(self):
        self.for_each_flow("nginx", SYSTEM_OPENSSL, self.serve)

    def test_client_on_35(self):
        self.for_each_flow("nginx", OPENSSL35, self.forward)

    def test_client_on_30(self):
        self.for_each_flow("nginx", SYSTEM_OPENSSL, self.forward)

    def test_the_server_does_not_start_without_the_provider(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program):
                self.assertIn("[emerg]", self.check_it_does_not_start("nginx", "server", openssl))

    def test_the_gateway_does_not_start_without_the_provider(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program):
                self.assertIn("[emerg]", self.check_it_does_not_start("nginx", "gateway", openssl))

    def test_the_first_server_of_a_port_decides_on_the_group(self):
        with Recipe("nginx") as recipe:
            path = recipe.dir / "nginx.conf"
            head, server, tail = re.split(r"(?ms)^(    server \{.*?^    \}\n)",
                                          path.read_text(encoding="utf-8"))
            first = server.replace("localhost;", "first.example;", 1).replace(
                "ssl_certificate ", "ssl_ecdh_curve X25519;\n        ssl_certificate ")
            path.write_text(head + first + server + tail, encoding="utf-8")
            self.check_that_the_first_server_decides(recipe, "server")

    def test_the_log_says_that_the_key_id_is_unknown(self):
        with Recipe("nginx") as recipe:
            recipe.start("server", ready=SERVER_PORT)
            misbehave(recipe, "KME_B_ADMIN", "error", "--method", "dec_keys", "--code", "404")
            self.assertIn("alert illegal parameter",
                          recipe.run("client", check=False).stderr)
            self.assertRegex(self.reason_line(recipe, "run/error.log"), (
                r"^\S+ \S+ \[crit\] \d+#\d+: \*\d+ SSL_do_handshake\(\) failed "
                r"\(SSL: error:40800006:qkd::the peer's key ID is not acceptable:"
                r"group qkd_x25519mlkem768, peer alice: KME localhost:17410: it answered HTTP 404 "
                r'"misbehaviour on command".*bad key share\) while SSL handshaking, '
                r"client: 127\.0\.0\.1, server: 127\.0\.0\.1:8443$"))

    def test_the_log_says_that_the_key_server_is_down(self):
        with Recipe("nginx", initiator="server") as recipe:
            recipe.start("server", ready=SERVER_PORT)
            stop_kme(recipe, "KME_B_PID")
            self.assertIn("alert internal error", recipe.run("client", check=False).stderr)
            self.assertRegex(self.reason_line(recipe, "run/error.log"), (
                r"^\S+ \S+ \[crit\] \d+#\d+: \*\d+ SSL_do_handshake\(\) failed "
                r"\(SSL: error:4080000\d:qkd::[^:]+:group qkd_x25519mlkem768, peer alice: "
                r"KME localhost:17410: .*Connection refused.*\) while SSL handshaking, "
                r"client: 127\.0\.0\.1, server: 127\.0\.0\.1:8443$"))

    def test_reloads_under_load_share_no_key_and_leave_nothing_behind(self):
        figures = measure(NGINX, handshakes=300, points=5)
        self.assertEqual((figures.wrong(), figures.reloads), ([], 5), figures)
        self.assertGreater(figures.processes, 5)

    def test_workers_that_live_long_grow_neither_in_memory_nor_in_descriptors(self):
        figures = measure(NGINX, handshakes=600, points=7, reload=False)
        self.assertEqual(figures.wrong(), [], figures)

    def test_a_reload_keeps_the_settings_and_workers_may_read_none(self):
        check_that_a_reload_reads_no_settings(self, NGINX)

    def test_a_hung_key_server_delays_the_worker_until_the_handshake_fails_and_no_longer(self):
        with Recipe("nginx") as recipe:
            hung_kme.adapt_nginx(recipe, workers=1, timeout_ms=500)
            recipe.start("server", ready=SERVER_PORT)
            with hung_kme.KeptConnection() as kept:
                self.assertEqual(kept.get(), 200)
                hung_kme.hang(recipe)
                with subprocess.Popen(load_command(recipe, 1, 1, retries=0),
                                      env=recipe.environment("alice"), stdout=subprocess.PIPE,
                                      text=True) as load:
                    wait_until(lambda: hung_kme.hung_calls(recipe) == 1, "a call that hangs")
                    # It comes although the key server is silent for ten minutes.
                    self.assertEqual(kept.get(), 200)
                    self.assertIn("the key server did not answer in time",
                                  self.reason_line(recipe, "run/error.log"))
                    self.assertIn("failed handshake", load.communicate(timeout=LIMIT_S)[0])
                    self.assertEqual(load.returncode, 1)
                self.assertEqual(kept.get(), 200)
