# SPDX-License-Identifier: Apache-2.0
"""The recipe of HAProxy, as it stands: as server, as client, reloaded, and what its log says."""
import contextlib
import os
import pathlib
import re
import socket
import subprocess

import hung_kme
from harness import LIMIT_S, OPENSSL35, SYSTEM_OPENSSL, handshake_keys, wait_until
from recipe import Recipe, is_35
from reloads import master_pid, measure, reload_once, signal_until, used_ids
from web_servers import (GATEWAY_PORT, HAPROXY, SERVER_PORT, WebServerCase, children, load_command,
                         misbehave, stop_kme, text)

HANDSHAKES = 3
GREETING = "hello from HAProxy"


def add_global(recipe, name, *lines):
    hung_kme.edit(recipe, name, "^global$", "\n    ".join(("global", *lines)))


def without_guard(recipe):
    """The gateway's file as it would be without its frontend `guard`."""
    hung_kme.edit(recipe, "gateway.cfg", r"(?s)^# Serves nobody\..*\Z", "")


def statistics_of(recipe):
    """What the gateway knows of bob, as CSV."""
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(LIMIT_S)
        admin.connect(str(recipe.dir / "run" / "gateway.sock"))
        admin.sendall(b"show stat\n")
        with admin.makefile() as answer:
            return next(line for line in answer if line.startswith("bob,bob,"))


@contextlib.contextmanager
def waiting_handshake(recipe):
    """A handshake that waits for bob's key server, which keeps silent: its client."""
    hung_kme.hang(recipe)
    with subprocess.Popen(load_command(recipe, 1, 1, retries=0), env=recipe.environment("alice"),
                          stdout=subprocess.PIPE, text=True) as load:
        try:
            wait_until(lambda: hung_kme.hung_calls(recipe) == 1, "a call that hangs")
            yield load
        finally:
            load.kill()


class Haproxy(WebServerCase):
    def serve(self, recipe):
        self.prepare(recipe)
        server = recipe.start("server", ready=SERVER_PORT)
        for _ in range(HANDSHAKES):
            self.assertIn(GREETING, recipe.run("client", log="client").stdout)
        self.check_handshakes(recipe, "run/server.log", "client", HANDSHAKES)
        self.assertEqual(handshake_keys(recipe.run("check").stdout),
                         handshake_keys(text(recipe, "run/server.log")))
        requests = re.findall(r' "GET / HTTP/1\.0" 200 TLSv1\.3 \S+ pid=(\d+)$',
                              recipe.output(server), re.M)
        self.assertEqual([int(pid) for pid in requests],
                         [pid for pid, _ in used_ids(text(recipe, "run/server.log"))])

    def forward(self, recipe):
        self.check_gateway(recipe, "run/gateway.log", HANDSHAKES)

    def test_server_on_35(self):
        self.for_each_flow("haproxy", OPENSSL35, self.serve)

    def test_server_on_30(self):
        self.for_each_flow("haproxy", SYSTEM_OPENSSL, self.serve)

    def test_client_on_35(self):
        self.for_each_flow("haproxy", OPENSSL35, self.forward)

    def test_client_on_30(self):
        self.for_each_flow("haproxy", SYSTEM_OPENSSL, self.forward)

    # Without the provider.

    def test_neither_the_server_nor_the_gateway_starts_without_the_provider(self):
        for block in ("server", "gateway"):
            for openssl in (OPENSSL35, SYSTEM_OPENSSL):
                with self.subTest(block=block, openssl=openssl.program):
                    self.assertIn("unable to set SSL curves list",
                                  self.check_it_does_not_start("haproxy", block, openssl))

    def check_it_forwards_without_qkd(self, recipe):
        recipe.server(SERVER_PORT, options=("-www", "-groups", "X25519"))
        recipe.start("gateway", ready=GATEWAY_PORT)
        self.assertIn("s_server", recipe.run("fetch").stdout)
        self.assertEqual(recipe.delivered("initiator"), 0)

    def test_without_the_guard_the_gateway_goes_on_without_qkd_where_openssl_cannot_tell(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program), \
                    Recipe("haproxy", openssl=openssl) as recipe:
                self.prepare(recipe)
                without_guard(recipe)
                hung_kme.edit(recipe, "lab/alice/openssl.cnf", "^module = .*$",
                              "module = /nowhere/qkd.so")
                if is_35(openssl):
                    gateway = recipe.start("gateway")
                    self.assertNotEqual(gateway.wait(LIMIT_S), 0)
                    self.assertIn("'server bob/bob' : unable to allocate ssl context",
                                  recipe.output(gateway))
                else:
                    self.check_it_forwards_without_qkd(recipe)

    def test_ssl_provider_is_no_guard(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program), \
                    Recipe("haproxy", openssl=openssl) as recipe:
                self.prepare(recipe)
                without_guard(recipe)
                add_global(recipe, "gateway.cfg", "ssl-provider qkd")
                (recipe.lab / "alice" / "openssl.cnf").write_text("", encoding="ascii")
                self.check_it_forwards_without_qkd(recipe)

    def test_without_ssl_min_ver_tls_1_2_goes_on_without_qkd(self):
        with Recipe("haproxy") as recipe:
            hung_kme.edit(recipe, "haproxy.cfg", "^ *ssl-default-bind-options .*\n", "")
            pki = recipe.lab / "pki"
            subprocess.run([recipe.openssl.program, "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                            "-subj", "/CN=localhost", "-keyout", pki / "localhost.key", "-out",
                            pki / "localhost.pem"], env=recipe.environment(), check=True,
                           capture_output=True, timeout=LIMIT_S)
            recipe.start("server", ready=SERVER_PORT)
            done = subprocess.run([recipe.openssl.program, "s_client", "-tls1_2", "-ign_eof",
                                   "-connect", f"127.0.0.1:{SERVER_PORT}"], check=False, text=True,
                                  env=recipe.environment(), input="GET / HTTP/1.0\r\n\r\n",
                                  capture_output=True, timeout=LIMIT_S)
            self.assertIn(GREETING, done.stdout, done.stderr)
            self.assertEqual(recipe.delivered("responder"), 0)

    # What the logs say.

    def check_failure(self, recipe, break_it, alert, haproxy_says, qkd_says):
        server = recipe.start("server", ready=SERVER_PORT)
        break_it()
        self.assertIn(alert, recipe.run("client", check=False).stderr)
        line = wait_until(lambda: next((line for line in recipe.output(server).splitlines()
                                        if ":qkd:" in line), None), "HAProxy's line")
        self.assertRegex(line, r"^127\.0\.0\.1:\d+ qkd~ SSL handshake failure: "
                               rf"error:4080000\d:qkd::{haproxy_says}$")
        self.assertRegex(text(recipe, "run/server.log"), (
            r"qkd\[\d+\] error group qkd_x25519mlkem768, peer alice: KME localhost:17410: "
            + qkd_says))

    def test_the_logs_say_that_the_key_id_is_unknown(self):
        with Recipe("haproxy") as recipe:
            self.check_failure(
                recipe, lambda: misbehave(recipe, "KME_B_ADMIN", "error", "--method", "dec_keys",
                                          "--code", "404"),
                "alert illegal parameter", "the peer's key ID is not acceptable",
                'it answered HTTP 404 "misbehaviour on command"')

    def test_the_logs_say_that_the_key_server_is_down(self):
        with Recipe("haproxy", initiator="server") as recipe:
            self.check_failure(recipe, lambda: stop_kme(recipe, "KME_B_PID"),
                               "alert internal error", "the key server gave no key",
                               "connect: Connection refused")

    def test_the_gateway_answers_503_when_its_key_server_is_down(self):
        with Recipe("haproxy") as recipe:
            recipe.server(SERVER_PORT)
            gateway = recipe.start("gateway", ready=GATEWAY_PORT)
            stop_kme(recipe, "KME_A_PID")
            self.assertIn("503", recipe.run("fetch", check=False).stderr)
            self.assertRegex(recipe.output(gateway), (
                r'plain bob "GET / HTTP/1\.1" 503 - SSL handshake failure '
                r"error:40800002:qkd::the key server gave no key\n"))
            self.assertRegex(text(recipe, "run/gateway.log"), (
                r"error group qkd_x25519mlkem768, peer bob: KME localhost:17400: "
                r"connect: Connection refused"))

    # Processes and threads.

    def test_reloads_under_load_share_no_key_and_leave_nothing_behind(self):
        figures = measure(HAPROXY, handshakes=300, points=5)
        self.assertEqual((figures.wrong(), figures.reloads), ([], 5), figures)
        self.assertGreater(figures.processes, 5)

    def test_a_reload_reads_the_settings_anew(self):
        with Recipe("haproxy") as recipe:
            recipe.start("server", ready=SERVER_PORT)
            master = master_pid(recipe, HAPROXY)
            hung_kme.edit(recipe, "lab/bob/openssl.cnf", "^(kme = .*)localhost", r"\g<1>127.0.0.1")
            reload_once(HAPROXY, master)
            recipe.run("client")
            self.assertEqual([key[3] for key in handshake_keys(text(recipe, "run/server.log"))],
                             ["https://127.0.0.1:17410"])

    def test_a_reload_without_the_provider_leaves_the_old_worker_at_work(self):
        with Recipe("haproxy") as recipe:
            server = recipe.start("server", ready=SERVER_PORT)
            master = master_pid(recipe, HAPROXY)
            before = wait_until(lambda: children(master), "a worker")
            (recipe.lab / "bob" / "openssl.cnf").write_text("", encoding="ascii")
            signal_until(master, HAPROXY.reload_signal,
                         lambda: "Loading failure" in recipe.output(server), "a reload that fails")
            self.assertIn("unable to set SSL curves list", recipe.output(server))
            recipe.run("client")
            self.assertEqual([pid for pid, _ in used_ids(text(recipe, "run/server.log"))], before)

    def test_a_worker_needs_neither_root_nor_files(self):
        if os.getuid() != 0:
            self.skipTest("only root may chroot")
        with Recipe("haproxy") as recipe:
            empty = recipe.dir / "run" / "empty"
            empty.mkdir()
            add_global(recipe, "haproxy.cfg", f"chroot {empty}", "uid 65534", "gid 65534")
            recipe.start("server", ready=SERVER_PORT)
            recipe.run("client")
            worker = pathlib.Path(f"/proc/{children(master_pid(recipe, HAPROXY))[0]}")
            self.assertEqual((os.readlink(worker / "root"), worker.stat().st_uid),
                             (str(empty), 65534))
            self.assertEqual(len(used_ids(text(recipe, "run/server.log"))), 1)

    def test_ssl_mode_async_works(self):
        with Recipe("haproxy") as recipe:
            add_global(recipe, "haproxy.cfg", "ssl-mode-async")
            recipe.start("server", ready=SERVER_PORT)
            subprocess.run(load_command(recipe, 50, 4, retries=0), check=True,
                           env=recipe.environment("alice", log="load"), stdout=subprocess.DEVNULL,
                           timeout=LIMIT_S)
            self.check_handshakes(recipe, "run/server.log", "load", 50)

    def test_a_hung_key_server_delays_all_connections_of_one_thread_until_the_handshake_fails(self):
        for mode in ((), ("ssl-mode-async",)):
            with self.subTest(mode=mode), Recipe("haproxy") as recipe:
                add_global(recipe, "haproxy.cfg", *mode)
                hung_kme.adapt_haproxy(recipe, threads=1, timeout_ms=500)
                recipe.start("server", ready=SERVER_PORT)
                self.check_that_all_wait(recipe)

    def check_that_all_wait(self, recipe):
        with hung_kme.KeptConnection() as kept:
            self.assertEqual(kept.get(), 200)
            with waiting_handshake(recipe) as load:
                # It comes although the key server is silent for ten minutes; it comes late.
                self.assertEqual(kept.get(), 200)
                self.assertIn("the time budget ended", text(recipe, "run/server.log"))
                self.assertIn("failed handshake", load.communicate(timeout=LIMIT_S)[0])

    def test_a_hung_key_server_delays_no_connection_of_another_thread(self):
        with Recipe("haproxy") as recipe, contextlib.ExitStack() as stack:
            hung_kme.adapt_haproxy(recipe, threads=4, timeout_ms=30000)
            recipe.start("server", ready=SERVER_PORT)
            kept = [stack.enter_context(hung_kme.KeptConnection()) for _ in range(16)]
            load = stack.enter_context(waiting_handshake(recipe))
            new = [stack.enter_context(hung_kme.KeptConnection()) for _ in range(16)]
            # HAProxy spreads them evenly, so a quarter of them waits with the handshake.
            for connections in (kept, new):
                hung_kme.wait_for_answers(connections, 8)
            self.assertIsNone(load.poll(), "the handshake still waits")
            self.assertNotIn(" error ", text(recipe, "run/server.log"))

    def test_a_health_check_takes_a_key_each_time(self):
        with Recipe("haproxy") as recipe:
            hung_kme.edit(recipe, "gateway.cfg", "^ *server bob .*$", r"\g<0> check inter 50")
            recipe.server(SERVER_PORT)
            recipe.start("gateway", ready=GATEWAY_PORT)
            wait_until(lambda: recipe.delivered("responder") >= 5, "keys of checks")

    def test_a_health_check_takes_no_key_with_no_check_ssl(self):
        with Recipe("haproxy") as recipe:
            add_global(recipe, "gateway.cfg", "stats socket unix@run/gateway.sock")
            hung_kme.edit(recipe, "gateway.cfg", "^ *server bob .*$",
                          r"\g<0> check inter 50 no-check-ssl")
            server = recipe.server(SERVER_PORT)
            recipe.start("gateway", ready=GATEWAY_PORT)
            wait_until((recipe.dir / "run" / "gateway.sock").exists, "the gateway's stats socket")
            wait_until(lambda: ",L4OK," in statistics_of(recipe), "a check that succeeds")
            recipe.stop(server)
            wait_until(lambda: ",L4CON," in statistics_of(recipe), "a check that fails")
            self.assertEqual(recipe.delivered("initiator"), 0)
