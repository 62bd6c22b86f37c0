# SPDX-License-Identifier: Apache-2.0
"""The recipe of stunnel, as it stands: as server, as client, and what its log says."""
import os
import pathlib
import re
import signal
import subprocess

import hung_kme
from harness import LIMIT_S, OPENSSL35, SYSTEM_OPENSSL, handshake_keys, qkdctl, wait_until
from recipe import Recipe
from reloads import signal_until
from web_servers import (GATEWAY_PORT, SERVER_PORT, WebServerCase, lab_env, load_command,
                         misbehave, stop_kme, text)

HANDSHAKES = 3
SERVICE_PORT = 8080
PAGE = "This page came over a connection keyed by QKD."
LISTEN = "0A"


def listens(port):
    """Whether anybody does. To try would make stunnel, as a client, connect to the other end."""
    table = pathlib.Path("/proc/self/net/tcp").read_text(encoding="ascii")
    return any(local.endswith(f":{port:04X}") and state == LISTEN for local, state in
               re.findall(r"^ *\d+: (\S+) \S+ (\S+)", table, re.M))


def start(recipe, block, port):
    return recipe.start(block, ready=lambda: listens(port))


def without_curves(recipe):
    for name in ("server.conf", "client.conf"):
        hung_kme.edit(recipe, name, "^curves = .*\n", "")


class Stunnel(WebServerCase):
    def start_server(self, recipe):
        """The service, and stunnel before it."""
        start(recipe, "service", SERVICE_PORT)
        return start(recipe, "server", SERVER_PORT)

    def serve(self, recipe):
        self.prepare(recipe)
        self.start_server(recipe)
        for _ in range(HANDSHAKES):
            self.assertIn(PAGE, recipe.client(SERVER_PORT)[0].stdout)
        self.check_handshakes(recipe, "run/server.qkd", "s_client", HANDSHAKES)
        (recipe.dir / "run" / "client.qkd").touch()
        self.assertEqual(handshake_keys(recipe.run("check").stdout),
                         handshake_keys(text(recipe, "run/server.qkd")))
        self.assertNotIn("SSL_", text(recipe, "run/server.log"))

    def forward(self, recipe):
        """The recipe as it stands, from plain HTTP to plain HTTP."""
        self.prepare(recipe)
        self.start_server(recipe)
        start(recipe, "client", GATEWAY_PORT)
        for _ in range(HANDSHAKES):
            self.assertIn(PAGE, recipe.run("fetch").stdout)
        self.check_handshakes(recipe, "run/client.qkd", "server", HANDSHAKES)
        self.assertEqual(len(handshake_keys(recipe.run("check").stdout)), 2 * HANDSHAKES)
        self.assertNotIn("SSL_", text(recipe, "run/client.log"))

    def test_server_on_35(self):
        self.for_each_flow("stunnel", OPENSSL35, self.serve)

    def test_server_on_30(self):
        self.for_each_flow("stunnel", SYSTEM_OPENSSL, self.serve)

    def test_client_on_35(self):
        self.for_each_flow("stunnel", OPENSSL35, self.forward)

    def test_client_on_30(self):
        self.for_each_flow("stunnel", SYSTEM_OPENSSL, self.forward)

    # Without QKD.

    def test_neither_end_starts_without_the_provider(self):
        for block in ("server", "client"):
            for openssl in (OPENSSL35, SYSTEM_OPENSSL):
                with self.subTest(block=block, openssl=openssl.program):
                    self.check_it_does_not_start(block, openssl)

    def check_it_does_not_start(self, block, openssl):
        with Recipe("stunnel", openssl=openssl) as recipe:
            self.prepare(recipe)
            for sae in ("alice", "bob"):
                (recipe.lab / sae / "openssl.cnf").write_text("", encoding="ascii")
            process = recipe.start(block)
            self.assertNotEqual(process.wait(LIMIT_S), 0)
            self.assertIn("[!] Invalid groups list in 'curves'", recipe.output(process))

    def test_without_curves_both_ends_go_on_without_qkd_whatever_openssl_cnf_says(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program), \
                    Recipe("stunnel", openssl=openssl) as recipe:
                without_curves(recipe)
                self.start_server(recipe)
                start(recipe, "client", GATEWAY_PORT)
                self.assertIn(PAGE, recipe.run("fetch").stdout)
                self.assertEqual(recipe.delivered("initiator"), 0)

    # What the logs say.

    def check_failure(self, recipe, log, stunnel_says, qkd_says):
        """stunnel's line of an error, and ours."""
        line = wait_until(lambda: next((line for line in text(recipe, f"run/{log}.log").splitlines()
                                        if ":qkd:" in line), None), "stunnel's line")
        self.assertRegex(line, rf"^\S+ \S+ LOG3\[\d+\]: {stunnel_says}$")
        self.assertRegex(text(recipe, f"run/{log}.qkd"),
                         rf"qkd\[\d+\] error group qkd_x25519mlkem768, peer \w+: {qkd_says}")

    def test_the_logs_say_that_the_key_id_is_unknown(self):
        with Recipe("stunnel") as recipe:
            self.start_server(recipe)
            misbehave(recipe, "KME_B_ADMIN", "error", "--method", "dec_keys", "--code", "404")
            self.assertIn("alert illegal parameter", recipe.client(SERVER_PORT)[0].stderr)
            self.check_failure(recipe, "server",
                               r"SSL_accept: \S+: error:40800006:qkd::"
                               "the peer's key ID is not acceptable",
                               "KME localhost:17410: it answered HTTP 404")

    def test_the_logs_say_that_the_key_server_is_down(self):
        with Recipe("stunnel") as recipe:
            recipe.server(SERVER_PORT)
            start(recipe, "client", GATEWAY_PORT)
            stop_kme(recipe, "KME_A_PID")
            self.assertNotEqual(recipe.run("fetch", check=False).returncode, 0)
            self.check_failure(recipe, "client",
                               r"SSL_connect: \S+: error:40800002:qkd::the key server gave no key",
                               "KME localhost:17400: connect: Connection refused")

    # The process.

    def test_a_reload_keeps_the_settings_of_the_provider(self):
        with Recipe("stunnel") as recipe:
            server = self.start_server(recipe)
            (recipe.lab / "bob" / "openssl.cnf").unlink()
            signal_until(server.pid, signal.SIGHUP, lambda: text(recipe, "run/server.log").count(
                "Configuration successful") > 1, "a reload")
            wait_until(lambda: listens(SERVER_PORT), "a server after the reload")
            self.assertIn(PAGE, recipe.client(SERVER_PORT)[0].stdout)
            self.check_handshakes(recipe, "run/server.qkd", "s_client", 1)

    def test_a_daemon_has_no_standard_error_and_logs_to_a_file(self):
        with Recipe("stunnel") as recipe:
            pid_file = recipe.dir / "run" / "server.pid"
            hung_kme.edit(recipe, "server.conf", "^foreground = yes$", "foreground = no")
            hung_kme.edit(recipe, "server.conf", "^pid =$", f"pid = {pid_file}")
            hung_kme.edit(recipe, "server.conf", "^output = ", f"output = {recipe.dir}/")
            self.start_server(recipe)
            pid = wait_until(lambda: int(text(recipe, "run/server.pid") or 0), "its process ID")
            try:
                self.assertEqual(os.readlink(f"/proc/{pid}/fd/2"), "/dev/null")
                self.assertIn(PAGE, recipe.client(SERVER_PORT)[0].stdout)
                self.check_handshakes(recipe, "run/server.qkd", "s_client", 1)
            finally:
                os.kill(pid, signal.SIGKILL)

    def test_a_hung_key_server_delays_no_other_connection(self):
        with Recipe("stunnel") as recipe:
            hung_kme.set_timeout(recipe, 30000)
            self.start_server(recipe)
            hung_kme.hang(recipe)
            with subprocess.Popen(load_command(recipe, 1, 1, retries=0),
                                  env=recipe.environment("alice"),
                                  stdout=subprocess.DEVNULL) as load:
                wait_until(lambda: hung_kme.hung_calls(recipe) == 1, "a call that hangs")
                qkdctl("misbehave", "clear", "--admin", lab_env(recipe)["KME_B_ADMIN"], check=True)
                self.assertIn(PAGE, recipe.client(SERVER_PORT)[0].stdout)
                self.assertIsNone(load.poll(), "the handshake still waits")
                load.kill()
