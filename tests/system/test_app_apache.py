# SPDX-License-Identifier: Apache-2.0
"""The recipe of Apache httpd, as it stands: as server with both kinds of processes, as client, and
what its log says."""
import re
import subprocess

import hung_kme
from harness import OPENSSL35, SYSTEM_OPENSSL, handshake_keys, wait_until
from recipe import Recipe
from reloads import check_that_a_reload_reads_no_settings, measure
from web_servers import (EVENT, PREFORK, SERVER_PORT, WebServerCase, load_command, misbehave,
                         stop_kme, text)

HANDSHAKES = 3
PAGE = "This page came over a connection keyed by QKD."


class Apache(WebServerCase):
    def serve(self, block):
        """What serves with prefork or with event."""
        def check(recipe):
            self.prepare(recipe)
            recipe.start(block, ready=SERVER_PORT)
            for _ in range(HANDSHAKES):
                self.assertIn(PAGE, recipe.run("client", log="client").stdout)
            self.check_handshakes(recipe, "run/error.log", "client", HANDSHAKES)
            self.assertEqual(handshake_keys(recipe.run("check").stdout),
                             handshake_keys(text(recipe, "run/error.log")))
        return check

    def forward(self, recipe):
        self.check_gateway(recipe, "run/gateway-error.log", HANDSHAKES)

    def test_server_on_35(self):
        for block in ("prefork", "event"):
            with self.subTest(block=block):
                self.for_each_flow("apache", OPENSSL35, self.serve(block))

    def test_server_on_30(self):
        for block in ("prefork", "event"):
            with self.subTest(block=block):
                self.for_each_flow("apache", SYSTEM_OPENSSL, self.serve(block))

    def test_client_on_35(self):
        self.for_each_flow("apache", OPENSSL35, self.forward)

    def test_client_on_30(self):
        self.for_each_flow("apache", SYSTEM_OPENSSL, self.forward)

    def test_the_server_does_not_start_without_the_provider(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program):
                self.assertIn("SSLOpenSSLConfCmd",
                              self.check_it_does_not_start("apache", "event", openssl))

    def test_the_first_virtual_host_of_a_port_decides_on_the_group(self):
        with Recipe("apache") as recipe:
            path = recipe.dir / "server.conf"
            head, ssl = re.split(r"(?m)^(?=SSLEngine)", path.read_text(encoding="utf-8"))
            hosts = "".join(f"<VirtualHost *:{SERVER_PORT}>\nServerName {name}\n"
                            f"{ssl.replace('qkd_x25519mlkem768', group)}</VirtualHost>\n"
                            for name, group in (("first.example", "X25519"),
                                                ("localhost", "qkd_x25519mlkem768")))
            path.write_text(head + hosts, encoding="utf-8")
            self.check_that_the_first_server_decides(recipe, "event")

    def test_the_log_says_that_the_key_id_is_unknown(self):
        for block in ("prefork", "event"):
            with self.subTest(block=block), Recipe("apache") as recipe:
                recipe.start(block, ready=SERVER_PORT)
                misbehave(recipe, "KME_B_ADMIN", "error", "--method", "dec_keys", "--code", "404")
                self.assertIn("alert illegal parameter",
                              recipe.run("client", check=False).stderr)
                self.assertRegex(self.reason_line(recipe, "run/error.log"), (
                    r"^\[.*\] \[ssl:info\] \[pid \d+:tid \d+\] SSL Library Error: "
                    r"error:40800006:qkd::the peer's key ID is not acceptable "
                    r"\(group qkd_x25519mlkem768, peer alice: KME localhost:17410: "
                    r'it answered HTTP 404 "misbehaviour on command"'))

    def test_the_log_says_that_the_key_server_is_down(self):
        for block in ("prefork", "event"):
            with self.subTest(block=block), Recipe("apache", initiator="server") as recipe:
                recipe.start(block, ready=SERVER_PORT)
                stop_kme(recipe, "KME_B_PID")
                self.assertIn("alert internal error", recipe.run("client", check=False).stderr)
                self.assertRegex(self.reason_line(recipe, "run/error.log"), (
                    r"^\[.*\] \[ssl:info\] \[pid \d+:tid \d+\] SSL Library Error: "
                    r"error:4080000\d:qkd::.*\(group qkd_x25519mlkem768, peer alice: "
                    r"KME localhost:17410: .*Connection refused"))

    def test_graceful_restarts_under_load_share_no_key_with_prefork(self):
        self.check_reloads(PREFORK)

    def test_graceful_restarts_under_load_share_no_key_with_event(self):
        self.check_reloads(EVENT)

    def test_children_that_live_long_grow_neither_in_memory_nor_in_descriptors(self):
        for server in (PREFORK, EVENT):
            with self.subTest(server=server.name):
                figures = measure(server, handshakes=600, points=7, reload=False)
                self.assertEqual(figures.wrong(), [], figures)

    def test_a_graceful_restart_keeps_the_settings_and_children_may_read_none(self):
        for server in (PREFORK, EVENT):
            with self.subTest(server=server.name):
                check_that_a_reload_reads_no_settings(self, server)

    def test_a_hung_key_server_delays_no_other_connection(self):
        for block in ("prefork", "event"):
            with self.subTest(block=block), Recipe("apache") as recipe:
                hung_kme.adapt_apache(recipe, timeout_ms=30000)
                recipe.start(block, ready=SERVER_PORT)
                hung_kme.hang(recipe)
                with subprocess.Popen(load_command(recipe, 1, 1, retries=0),
                                      env=recipe.environment("alice"),
                                      stdout=subprocess.DEVNULL) as load:
                    wait_until(lambda: hung_kme.hung_calls(recipe) == 1, "a call that hangs")
                    with hung_kme.KeptConnection() as kept:
                        self.assertEqual(kept.get(), 200)
                    self.assertIsNone(load.poll(), "the handshake still waits")
                    self.assertNotIn(":qkd:", text(recipe, "run/error.log"))
                    load.kill()

    def check_reloads(self, server):
        figures = measure(server, handshakes=300, points=5)
        self.assertEqual((figures.wrong(), figures.reloads), ([], 5), figures)
        self.assertGreater(figures.processes, 5)
