# SPDX-License-Identifier: Apache-2.0
"""qkd-kme as a program: its command line, its configuration, signals, limits, and what it must
not be talked into by its environment."""
import contextlib
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import unittest

import harness
from kme_sites import Case, exchange, request


def run(*words, **env):
    return subprocess.run([harness.QKD_KME, *map(str, words)], env=harness.child_env(**env),
                          capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=harness.LIMIT_S, check=False)


class CommandLine(Case):
    def test_version_and_help_go_to_standard_output(self):
        self.assertRegex(run("--version").stdout, r"\Aqkd-kme \d+\.\d+\.\d+\n\Z")
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("SIMULATED", done.stdout)

    def test_wrong_words_are_a_usage_error(self):
        for words in ((), ("--colour",), ("--config",), ("--config", "x", "y")):
            self.assertEqual(run(*words).returncode, 2, words)

    def test_check_config_accepts_a_good_file(self):
        sites = self.sites(up=False)
        done = run("--config", sites.config("kme-a"), "--check-config")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_bad_value_is_fatal_with_file_line_and_key(self):
        sites = self.sites(up=False)
        sites.edit("kme-a", r"^( *capacity_bits =) \d+;", r"\1 -5;")
        text = sites.config("kme-a").read_text(encoding="utf-8")
        line = 1 + text[:text.index("capacity_bits")].count("\n")
        for words in ((), ("--check-config",)):
            done = run("--config", sites.config("kme-a"), *words)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{sites.config('kme-a')}:{line}: link.capacity_bits = -5", done.stderr)

    def test_a_missing_or_foreign_certificate_file_is_named(self):
        sites = self.sites(up=False)
        for name, value in (("cert", "pki/nothing.pem"), ("key", "pki/alice.key"),
                            ("ca", "pki/alice.key")):
            text = sites.config("kme-a").read_text(encoding="utf-8")
            sites.edit("kme-a", rf'^{name} = "[^"]*";', f'{name} = "{value}";')
            done = run("--config", sites.config("kme-a"), "--check-config")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f'{name} = "', done.stderr)
            self.assertIn(value, done.stderr)
            sites.config("kme-a").write_text(text, encoding="utf-8")

    def test_an_address_in_use_is_named(self):
        sites = self.sites()
        done = run("--config", sites.config("kme-a"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"cannot listen on 127\.0\.0\.1:{sites.base_port}\b")

    def test_an_admin_address_that_others_reach_is_refused(self):
        sites = self.sites(up=False)
        sites.edit("kme-a", r'^admin = .*$', 'admin = { listen = "0.0.0.0:1"; };')
        done = run("--config", sites.config("kme-a"), "--check-config")
        self.assertEqual(done.returncode, 1)
        self.assertIn("admin.listen", done.stderr)


class Process(Case):
    def test_it_says_that_its_quantum_channel_is_simulated(self):
        sites = self.sites()
        for name in ("kme-a", "kme-b"):
            self.assertIn("THE QUANTUM CHANNEL IS SIMULATED", sites.log(name))

    def test_each_listener_has_a_line_in_the_log(self):
        sites = self.sites()
        for port in (sites.base_port + 10, sites.base_port + 12, sites.base_port + 13):
            self.assertRegex(sites.log("kme-b"), rf"listens on \S*127\.0\.0\.1:{port}\b")

    def test_sigterm_and_sigint_end_it_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            sites = self.sites()
            sites.reserve()
            with sites.connect("alice"):
                sites.stop("kme-a", number)
            self.assertRegex(sites.log("kme-a"), r" info ended\n\Z")
            self.assertNotRegex(sites.log("kme-a"), "Sanitizer|runtime error")

    def test_it_leaves_no_core_and_cannot_be_looked_into(self):
        sites = self.sites()
        limits = pathlib.Path(f"/proc/{sites.pid('kme-a')}/limits").read_text(encoding="ascii")
        self.assertRegex(limits, r"(?m)^Max core file size +0 +0 ")

    def test_the_users_openssl_conf_does_not_reach_it(self):
        sites = self.sites(up=False)
        conf = sites.temp / "hostile.cnf"
        conf.write_text(
            "openssl_conf = init\nconfig_diagnostics = 1\n[init]\nproviders = p\nssl_conf = s\n"
            f"[p]\nqkd = q\n[q]\nactivate = 1\nmodule = {harness.MODULES}/qkd.so\n"
            "[s]\nsystem_default = t\n[t]\nGroups = qkd_mlkem768\nMinProtocol = TLSv1.3\n"
            "CipherString = NULL\n", encoding="utf-8")
        for name in ("kme-a", "kme-b"):
            process = subprocess.Popen(
                [harness.QKD_KME, "--config", sites.config(name)], stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=harness.child_env(OPENSSL_CONF=str(conf), OPENSSL_MODULES=str(harness.MODULES)))
            self.addCleanup(process.wait)
            self.addCleanup(process.terminate)
            maps = pathlib.Path(f"/proc/{process.pid}/maps")
        harness.wait_until(lambda: self.is_up(sites), "both key servers")
        self.assertEqual(len(sites.reserve()), 1)
        self.assertNotIn("qkd.so", maps.read_text(encoding="utf-8"))

    @staticmethod
    def is_up(sites):
        with contextlib.suppress(OSError):
            return sites.metric("a", "qkd_kme_link_up") and sites.metric("b", "qkd_kme_link_up")
        return False

    def test_the_server_prefers_the_hybrid_group(self):
        sites = self.sites()
        if harness.OPENSSL35.version() < (3, 5, 0):
            self.skipTest("this OpenSSL has no X25519MLKEM768")
        cert, key = sites.pki("alice")
        for groups, chosen in ((["-groups", "X25519MLKEM768:X25519"], "X25519MLKEM768"),
                               (["-groups", "X25519"], "X25519"), (["-groups", "P-384"], "secp384r1")):
            done = subprocess.run(
                [harness.OPENSSL35.program, "s_client", "-connect",
                 f"127.0.0.1:{sites.base_port}", "-CAfile", sites.ca, "-cert", cert, "-key", key,
                 "-alpn", "http/1.1", *groups], env=harness.OPENSSL35.env("/dev/null"), input="",
                capture_output=True, text=True, timeout=harness.LIMIT_S, check=False)
            self.assertRegex(done.stdout, rf"(group: {chosen}\b|Peer Temp Key: .*{chosen[-6:]})")
            self.assertIn("ALPN protocol: http/1.1", done.stdout)

    def test_a_client_that_wants_only_http_2_is_refused(self):
        sites = self.sites()
        context = sites.tls_context("alice")
        context.set_alpn_protocols(["h2"])
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            sites.connect("alice", context).close()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with sites.connect("alice", context) as connection:
            self.assertEqual(connection.selected_alpn_protocol(), "http/1.1")

    def test_a_resumed_session_has_the_identity_of_its_certificate(self):
        sites = self.sites()
        context = sites.tls_context("alice")
        with sites.connect("alice", context) as connection:
            exchange(connection, request("bob/status"))
            session = connection.session
        raw = socket.create_connection(("127.0.0.1", sites.base_port), harness.LIMIT_S)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
            answer, = exchange(connection, request("bob/status"))
            self.assertTrue(connection.session_reused)
            self.assertEqual(answer.json()["master_SAE_ID"], "alice")


class Limits(Case):
    def test_connections_beyond_the_limit_are_refused_and_come_back(self):
        sites = self.sites(limits={"max_connections": 4})
        kept = [sites.connect("alice") for _ in range(4)]
        for _ in range(3):
            with self.assertRaises((ssl.SSLError, OSError)):
                sites.connect("alice").close()
        for connection in kept:
            self.assertEqual(exchange(connection, request("bob/status"))[0].code, 200)
        self.assertEqual(sites.log("kme-a").count("max_connections"), 1)
        for connection in kept:
            connection.close()
        harness.wait_until(lambda: self.can_connect(sites), "room")

    @staticmethod
    def can_connect(sites):
        with contextlib.suppress(ssl.SSLError, OSError):
            sites.connect("alice").close()
            return True
        return False

    def test_an_idle_connection_is_closed(self):
        sites = self.sites(limits={"idle_timeout_s": 1})
        with sites.connect("alice") as connection:
            exchange(connection, request("bob/status"))
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                self.assertEqual(connection.recv(1), b"")

    def test_many_connections_at_once_are_all_served(self):
        sites = self.sites()
        count = 64
        sites.stock(count * 256)
        codes = []

        def work():
            with sites.connect("alice") as connection:
                codes.append(exchange(connection, request("bob/enc_keys"))[0].code)

        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(codes, [200] * count)


class Reload(Case):
    def test_a_new_sae_is_known_and_a_removed_one_is_not_even_on_its_old_connection(self):
        sites = self.sites()
        sites.issue("dora", "dora")
        self.assertEqual(sites.call("dora", "bob/status").code, 401)
        with sites.connect("mallory") as old:
            self.assertEqual(exchange(old, request("bob/status"))[0].code, 200)
            sites.edit("kme-a", r"mallory", "dora")
            sites.reload("kme-a")
            self.assertEqual(exchange(old, request("bob/status"))[0].code, 401)
        self.assertEqual(sites.call("dora", "bob/status").code, 200)
        self.assertEqual(sites.metric("a", "qkd_kme_keys_delivered_total", sae="dora"), 0)

    def test_limits_and_the_rate_change_at_run_time(self):
        sites = self.sites()
        sites.freeze()
        self.assertEqual(sites.call("alice", "bob/status").json()["max_key_size"], 65536)
        sites.edit("kme-a", r"limits = \{ *\}", "limits = { max_key_bits = 512; }")
        sites.edit("kme-a", r"^( *simulated_rate_bps =) 0;", r"\1 5000000;")
        before = sites.generated("a")
        sites.reload("kme-a")
        self.assertEqual(sites.call("alice", "bob/status").json()["max_key_size"], 512)
        harness.wait_until(lambda: sites.generated("a") > before, "new key bits")

    def test_a_bad_file_keeps_the_old_configuration_and_says_why(self):
        sites = self.sites()
        sites.edit("kme-a", r"^saes = .*$", 'saes = ( { id = "x"; colour = 1; } );')
        sites.reload("kme-a", "the old configuration stays")
        self.assertRegex(sites.log("kme-a"),
                         rf"{re.escape(str(sites.config('kme-a')))}:\d+: saes\[0\]\.colour is unknown")
        self.assertEqual(sites.call("alice", "bob/status").code, 200)

    def test_what_needs_a_restart_is_named_and_stays(self):
        sites = self.sites()
        sites.edit("kme-a", r"^( *capacity_bits =) \d+;", r"\1 1048576;")
        sites.edit("kme-a", r"^etsi014 = .*$", 'etsi014 = { listen = "127.0.0.1:1"; };')
        before = sites.call("alice", "bob/status").json()["max_key_count"]
        sites.reload("kme-a")
        for key in ("link to 'kme-b': capacity_bits", "etsi014.listen"):
            self.assertIn(f"{key}: the new value needs a restart", sites.log("kme-a"))
        self.assertEqual(sites.call("alice", "bob/status").json()["max_key_count"], before)

    def test_the_log_level_changes_at_run_time(self):
        sites = self.sites()
        sites.call("alice", "x/status")
        self.assertNotIn(" debug ", sites.log("kme-a"))
        sites.edit("kme-a", r'^log_level = "\w+";', 'log_level = "debug";')
        sites.reload("kme-a")
        sites.call("alice", "x/status")
        self.assertIn("'alice' was answered 400", sites.log("kme-a"))


class Admin(Case):
    def test_health_is_ok_when_keys_flow(self):
        sites = self.sites()
        self.assertEqual(harness.http_get(sites.kme_a_admin + "/healthz"), "ok\n")

    def test_every_metric_has_help_and_type_and_counters_start_at_zero(self):
        sites = self.sites()
        text = harness.http_get(sites.kme_a_admin + "/metrics")
        names = {re.sub("_(bucket|sum|count)$", "", name)
                 for name in re.findall(r"(?m)^(qkd_kme_\w+)[{ ]", text)}
        self.assertEqual(names, {
            "qkd_kme_keys_delivered_total", "qkd_kme_requests_total", "qkd_kme_connections_total",
            "qkd_kme_tls_resumed_total",
            "qkd_kme_link_up", "qkd_kme_available_bits", "qkd_kme_open_bits", "qkd_kme_resting_bits",
            "qkd_kme_generated_bits_total",
            "qkd_kme_lost_bits_total", "qkd_kme_streams", "qkd_kme_streams_opened_total",
            "qkd_kme_streams_closed_total", "qkd_kme_request_duration_seconds",
            "qkd_kme_audit_lost_lines_total",
            "qkd_kme_reloads_total", "qkd_kme_misbehaved_total", "qkd_kme_misbehaviour_rules"})
        for name in names:
            self.assertRegex(text, rf"(?m)^# HELP {name} \S")
            self.assertRegex(text, rf"(?m)^# TYPE {name} (counter|gauge|histogram)$")
        for sae in ("alice", "mallory"):
            for api in ("014", "004"):
                for role in ("initiator", "responder"):
                    self.assertIn(f'qkd_kme_keys_delivered_total{{api="{api}",role="{role}",'
                                  f'sae="{sae}"}} 0\n', text)

    def test_keys_and_requests_are_counted(self):
        sites = self.sites()
        ids = [one for one, _ in sites.reserve(number=3)]
        sites.claim(*ids)
        sites.claim(ids[0])
        sites.claim(ids[0], sae="alice")
        sites.call("alice", "bob/nothing")
        for site, name, labels, value in (
                ("a", "keys_delivered", {"role": "initiator", "sae": "alice"}, 3),
                ("b", "keys_delivered", {"role": "responder", "sae": "bob"}, 3),
                ("a", "requests", {"method": "enc_keys", "outcome": "ok"}, 1),
                ("b", "requests", {"method": "dec_keys", "outcome": "ok"}, 1),
                ("b", "requests", {"method": "dec_keys", "outcome": "not_found"}, 1),
                ("a", "requests", {"method": "dec_keys", "outcome": "unauthorised"}, 1),
                ("a", "requests", {"method": "other", "outcome": "bad_request"}, 1)):
            self.assertEqual(sites.metric(site, f"qkd_kme_{name}_total", api="014", **labels),
                             value, (name, labels))

    def test_each_answered_request_is_one_duration(self):
        sites = self.sites(limits={"hold_ms": 30})
        name = "qkd_kme_request_duration_seconds"
        ids = [one for one, _ in sites.reserve(number=2)]
        sites.claim(*ids)
        sites.claim(*ids)
        sites.call("alice", "bob/nothing")
        for site, method, count in (("a", "enc_keys", 1), ("b", "dec_keys", 2), ("a", "other", 1)):
            labels = {"api": "014", "method": method}
            self.assertEqual(sites.metric(site, f"{name}_count", **labels), count, method)
            self.assertEqual(sites.metric(site, f"{name}_bucket", le="+Inf", **labels), count)
            self.assertGreater(sites.metric(site, f"{name}_sum", **labels), 0)

    def test_a_claim_that_waited_for_news_of_its_key_is_told_apart(self):
        sites = self.sites(limits={"hold_ms": 30})
        name = "qkd_kme_request_duration_seconds"
        sites.stock(256)
        sites.relay.hold()
        (key_id, _), = sites.reserve()
        self.assert_refused(sites.claim(key_id), 400)
        labels = {"method": "dec_keys", "held": "yes"}
        self.assertEqual(sites.metric("b", f"{name}_count", **labels), 1)
        self.assertEqual(sites.metric("b", f"{name}_bucket", le="0.025", **labels), 0)
        self.assertEqual(sites.metric("b", f"{name}_count", method="dec_keys", held="no"), 0)
        sites.relay.release()

    def test_other_paths_and_methods_are_refused(self):
        sites = self.sites()
        port = int(sites.kme_a_admin.rsplit(":", 1)[1])
        for method, path, code in (("GET", "/nothing", 404), ("GET", "/", 403), ("GET", "/metricsx", 404),
                                   ("POST", "/metrics", 405), ("GET", "/healthz?x", 200)):
            with socket.create_connection(("127.0.0.1", port), harness.LIMIT_S) as connection:
                text = f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n"
                self.assertEqual(exchange(connection, text.encode())[0].code, code)


if __name__ == "__main__":
    unittest.main()
