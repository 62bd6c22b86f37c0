# SPDX-License-Identifier: Apache-2.0
"""The laboratory and qkdctl, as a user meets them."""
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import tempfile
import unittest

import harness
from harness import Lab, qkdctl

PKI = [f"pki/{name}.{ending}" for name in ("ca", "kme-a", "kme-b", "alice", "bob", "carol", "dave",
                                      "localhost")
       for ending in ("pem", "key")]
STORE_KEYS = ["kme-a.store-key", "kme-b.store-key"]
FILES = sorted(PKI + ["kme-a.conf", "kme-b.conf", "alice/openssl.cnf", "bob/openssl.cnf",
                      "lab.env"] + STORE_KEYS)


def files_below(folder):
    """Relative paths of all files."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class Init(unittest.TestCase):
    def test_init_writes_exactly_the_promised_files(self):
        with Lab(up=False) as lab:
            self.assertEqual(files_below(lab.dir), FILES)

    def test_init_keeps_private_keys_private(self):
        with Lab(up=False) as lab:
            for name in PKI:
                mode = stat.S_IMODE((lab.dir / name).stat().st_mode)
                self.assertEqual(mode, 0o600 if name.endswith(".key") else 0o644, name)

    def test_init_gives_each_key_server_a_key_file_of_its_own(self):
        with Lab(up=False) as lab:
            keys = [(lab.dir / name).read_bytes() for name in STORE_KEYS]
            modes = {stat.S_IMODE((lab.dir / name).stat().st_mode) for name in STORE_KEYS}
        self.assertEqual([len(key) for key in keys], [32, 32])
        self.assertNotEqual(keys[0], keys[1])
        self.assertEqual(modes, {0o600})

    def test_init_puts_the_ports_where_interfaces_say(self):
        with Lab(up=False) as lab:
            base = lab.base_port
            self.assertEqual(lab.env_file["KME_A_014"], f"https://localhost:{base}")
            self.assertEqual(lab.env_file["KME_A_004"], f"localhost:{base + 1}")
            self.assertEqual(lab.env_file["KME_A_ADMIN"], f"http://127.0.0.1:{base + 2}")
            self.assertEqual(lab.env_file["KME_B_014"], f"https://localhost:{base + 10}")
            self.assertEqual(lab.env_file["KME_B_004"], f"localhost:{base + 11}")
            self.assertEqual(lab.env_file["KME_B_ADMIN"], f"http://127.0.0.1:{base + 12}")

    def test_certificates_verify_for_their_purpose_and_names(self):
        wanted = {"kme-a": ("sslserver", "sslclient"), "kme-b": ("sslserver", "sslclient"),
                  "alice": ("sslclient",), "bob": ("sslclient",), "carol": ("sslclient",),
                  "dave": ("sslclient",), "localhost": ("sslserver",)}
        with Lab(up=False) as lab:
            for name, purposes in wanted.items():
                for purpose in ("sslserver", "sslclient"):
                    for option in (["-verify_hostname", "localhost"], ["-verify_hostname", name],
                                   ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]):
                        done = self.openssl("verify", "-x509_strict", "-CAfile", lab.ca,
                                            "-purpose", purpose, *option, lab.pki(name)[0])
                        self.assertEqual(done.returncode == 0, purpose in purposes,
                                         f"{name} {purpose} {option}\n{done.stderr}")
                subject = self.openssl("x509", "-noout", "-subject", "-in", lab.pki(name)[0])
                self.assertRegex(subject.stdout, rf"CN\s*=\s*{name}$")

    def openssl(self, *words):
        """Runs the openssl of this build without any configuration."""
        return subprocess.run([harness.OPENSSL35.program, *words], capture_output=True, text=True,
                              env=harness.OPENSSL35.env("/dev/null"), timeout=harness.LIMIT_S,
                              check=False)

    def test_two_labs_share_no_key_and_no_serial(self):
        with Lab(up=False) as one, Lab(up=False) as two:
            for name in ("ca", "alice"):
                texts = {pathlib.Path(lab.pki(name)[1]).read_bytes() for lab in (one, two)}
                self.assertEqual(len(texts), 2)
            serials = [self.openssl("x509", "-noout", "-serial", "-in", lab.pki(name)[0]).stdout
                       for lab in (one, two) for name in ("ca", "alice", "bob", "kme-a")]
            self.assertEqual(len(set(serials)), len(serials))

    def test_init_refuses_a_folder_that_holds_a_lab_and_changes_nothing(self):
        with Lab(up=False) as lab:
            before = {name: (lab.dir / name).read_bytes() for name in FILES}
            done = qkdctl("lab", "init", lab.dir)
            self.assertEqual(done.returncode, 1)
            self.assertIn("already holds a lab", done.stderr)
            self.assertIn("qkdctl lab up", done.stderr)
            self.assertEqual({name: (lab.dir / name).read_bytes() for name in FILES}, before)

    def test_openssl_cnf_fails_closed_and_names_absolute_files(self):
        with Lab(up=False, initiator="server") as lab:
            for sae, peer, port in (("alice", "bob", 0), ("bob", "alice", 10)):
                text = pathlib.Path(lab.conf(sae)).read_text(encoding="utf-8")
                self.assertLess(text.index("config_diagnostics = 1"), text.index("[init]"))
                self.assertIn("MinProtocol = TLSv1.3\nGroups = qkd_x25519mlkem768:", text)
                values = dict(re.findall(r"^([a-z-]+) = (.*)$", text, re.M))
                self.assertEqual(values["sae"], sae)
                self.assertEqual(values["peer"], peer)
                self.assertEqual(values["kme"], f"https://localhost:{lab.base_port + port}")
                self.assertEqual(values["initiator"], "server")
                self.assertEqual(values["timeout-ms"], "1000")
                for name in ("cert", "key", "ca"):
                    self.assertTrue(os.path.isabs(values[name]) and os.path.exists(values[name]))
                self.assertEqual(values["module"], str(harness.MODULES.resolve() / "qkd.so"))

    def test_init_writes_the_groups_that_were_asked_for(self):
        with Lab(up=False, groups="qkd_x25519:?qkd_secp256r1") as lab:
            for name in ("alice", "bob"):
                conf = pathlib.Path(lab.conf(name)).read_text(encoding="utf-8")
                self.assertIn("\nGroups = qkd_x25519:?qkd_secp256r1\n", conf)

    def test_init_for_etsi_004_points_both_saes_at_its_ports(self):
        with Lab(up=False, api="004") as lab:
            for sae, port in (("alice", 1), ("bob", 11)):
                text = pathlib.Path(lab.conf(sae)).read_text(encoding="utf-8")
                values = dict(re.findall(r"^([a-z-]+) = (.*)$", text, re.M))
                self.assertEqual(values["kme"], f"etsi004://localhost:{lab.base_port + port}")
                self.assertEqual(values["initiator"], "client")
                self.assertIn("ETSI GS QKD 004", text)
                self.assertNotIn("014", re.sub(r"/\S+", "", text))  # paths and ports may have it

    def test_init_refuses_etsi_004_with_the_server_as_initiator(self):
        with tempfile.TemporaryDirectory() as folder:
            done = qkdctl("lab", "init", f"{folder}/lab", "--api", "004", "--initiator", "server")
            self.assertEqual(done.returncode, 2)
            self.assertIn("with ETSI 004 the client opens the key stream", done.stderr)
            self.assertIn("--api 014", done.stderr)
            self.assertFalse(os.path.exists(f"{folder}/lab"))

    def test_init_refuses_bad_options_without_writing(self):
        with tempfile.TemporaryDirectory() as folder:
            for words in (["--base-port", "70000"], ["--base-port", "12x"], ["--base-port"],
                          ["--initiator", "both"], ["--api", "015"], ["--rate-bps", "0"],
                          ["--groups", ""],
                          ["--groups", "a b"], ["--groups", "a\n[x]"], ["--nonsense"],
                          ["second"]):
                done = qkdctl("lab", "init", f"{folder}/lab", *words)
                self.assertEqual(done.returncode, 2, words)
                self.assertIn("qkdctl help lab", done.stderr)
            self.assertFalse(os.path.exists(f"{folder}/lab"))

    def test_init_refuses_a_path_that_configuration_files_cannot_hold(self):
        with tempfile.TemporaryDirectory() as folder:
            done = qkdctl("lab", "init", f"{folder}/a$b")
            self.assertEqual(done.returncode, 1)
            self.assertIn("a$b", done.stderr)

    def test_init_and_up_work_in_a_path_with_spaces(self):
        with tempfile.TemporaryDirectory() as folder, Lab(up=False) as ports:
            path = f"{folder}/my first lab"
            qkdctl("lab", "init", path, "--base-port", ports.base_port, check=True)
            try:
                qkdctl("lab", "up", path, check=True)
                done = qkdctl("get-key", conf=f"{path}/alice/openssl.cnf")
                self.assertEqual(done.returncode, 0, done.stderr)
            finally:
                qkdctl("lab", "down", path)


class UpAndDown(unittest.TestCase):
    def test_up_writes_process_ids_and_keys_flow(self):
        with Lab() as lab:
            for name, variable in (("kme-a", "KME_A_PID"), ("kme-b", "KME_B_PID")):
                pid = int(lab.env_file[variable])
                self.assertEqual(pid, lab.pid(name))
                self.assertIn(b"qkd-kme", pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
                # A daemon: a session of its own, no terminal.
                self.assertEqual(os.getsid(pid), pid)
            for url in (lab.kme_a_admin, lab.kme_b_admin):
                self.assertEqual(harness.http_get(url + "/healthz"), "ok\n")
                self.assertGreater(harness.metric(url, "qkd_kme_available_bits"), 0)

    def test_up_of_a_lab_that_is_up_changes_nothing(self):
        with Lab() as lab:
            before = (lab.pid("kme-a"), lab.pid("kme-b"))
            done = qkdctl("lab", "up", lab.dir)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("already up", done.stdout)
            self.assertEqual((lab.pid("kme-a"), lab.pid("kme-b")), before)

    def test_up_starts_only_the_server_that_is_missing(self):
        with Lab() as lab:
            kept, ended = lab.pid("kme-a"), lab.pid("kme-b")
            lab.kill("kme-b")
            lab.start("kme-b")
            self.assertEqual(lab.pid("kme-a"), kept)
            self.assertNotEqual(lab.pid("kme-b"), ended)

    def test_down_ends_both_and_takes_their_ids_back(self):
        with Lab() as lab:
            pids = [lab.pid("kme-a"), lab.pid("kme-b")]
            lab.down()
            for pid in pids:
                self.assertFalse(self.is_alive(pid))
            self.assertNotIn("KME_A_PID", lab.env_file)
            self.assertNotIn("KME_B_PID", lab.env_file)
            self.assertEqual([name for name in files_below(lab.dir) if name.endswith(".pid")], [])

    def is_alive(self, pid):
        try:
            return bool(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
        except FileNotFoundError:
            return False

    def test_down_of_a_lab_that_is_down_is_no_error(self):
        with Lab() as lab:
            lab.down()
            done = qkdctl("lab", "down", lab.dir)
            self.assertEqual(done.returncode, 0)
            self.assertIn("already down", done.stdout)

    def test_down_signals_no_process_that_is_not_our_key_server(self):
        with Lab(up=False) as lab, subprocess.Popen(["sleep", "60"]) as stranger:
            with open(lab.dir / "lab.env", "a", encoding="utf-8") as env:
                env.write(f"KME_A_PID={stranger.pid}\n")
            self.assertEqual(qkdctl("lab", "down", lab.dir).returncode, 0)
            self.assertIsNone(stranger.poll())
            stranger.kill()

    def test_down_kills_a_server_that_does_not_end_and_says_so(self):
        with Lab() as lab:
            pid = lab.pid("kme-a")
            lab.pause("kme-a")  # a stopped process does not see SIGTERM
            done = qkdctl("lab", "down", lab.dir)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("was killed", done.stdout)
            self.assertFalse(self.is_alive(pid))

    def test_up_fails_with_the_reason_when_a_port_is_taken(self):
        with Lab(up=False) as lab, socket.socket() as squatter:
            # An old connection of this port, which may wait for its end, does not take it.
            squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            squatter.bind(("127.0.0.1", lab.base_port + 10))
            squatter.listen()
            done = qkdctl("lab", "up", lab.dir)
            self.assertEqual(done.returncode, 1)
            self.assertIn("kme-b", done.stderr)
            self.assertIn("ended while it started", done.stderr)
            self.assertIn(str(lab.base_port + 10), done.stderr)
            status = json.loads(qkdctl("lab", "status", lab.dir, "--json").stdout)
            self.assertEqual([row["running"] for row in status["servers"]], [False, False])

    def cut_link(self, lab):
        """Alters kme-a's file so that it looks for its peer where nobody is."""
        path = lab.dir / "kme-a.conf"
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r'connect = ".*"', 'connect = "127.0.0.1:1"', text),
                        encoding="utf-8")

    def test_up_fails_with_the_reason_when_no_keys_flow(self):
        with Lab(up=False) as lab:
            self.cut_link(lab)
            done = qkdctl("lab", "up", lab.dir)
            self.assertEqual(done.returncode, 1)
            self.assertIn("no keys at kme-a after 15 s", done.stderr)
            self.assertIn("kme-b", done.stderr.splitlines()[0])
            self.assertIn("kme-a.log", done.stderr)
            self.assertEqual([name for name in files_below(lab.dir) if name.endswith(".pid")], [])

    def test_down_ends_what_an_interrupted_up_has_started(self):
        with Lab(up=False) as lab:
            self.cut_link(lab)
            with subprocess.Popen([harness.QKDCTL, "lab", "up", lab.dir],
                                  env=harness.child_env()) as up:
                harness.wait_until(lambda: (lab.dir / "kme-b.pid").exists() and "KME_B_PID" in
                                   (lab.dir / "lab.env").read_text(encoding="utf-8"), "lab up")
                up.kill()
            pids = [lab.pid("kme-a"), lab.pid("kme-b")]
            done = qkdctl("lab", "down", lab.dir)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([self.is_alive(pid) for pid in pids], [False, False])

    def test_up_fails_with_the_reason_when_a_configuration_is_wrong(self):
        with Lab(up=False) as lab:
            with open(lab.dir / "kme-a.conf", "a", encoding="utf-8") as conf:
                conf.write('colour = "blue";\n')
            done = qkdctl("lab", "up", lab.dir)
            self.assertEqual(done.returncode, 1)
            self.assertIn("colour", done.stderr)

    def test_commands_on_a_folder_without_a_lab_say_how_to_make_one(self):
        with tempfile.TemporaryDirectory() as folder:
            for word in ("up", "status", "down"):
                done = qkdctl("lab", word, folder)
                self.assertEqual(done.returncode, 1)
                self.assertIn("qkdctl lab init", done.stderr)

    def test_status_table_and_json_tell_the_same(self):
        with Lab(rate_bps=2000000) as lab:
            qkdctl("get-key", "--number", 3, conf=lab.conf("alice"), check=True)
            done = qkdctl("lab", "status", lab.dir, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            status = json.loads(done.stdout)
            self.assertEqual(status["quantum_channel"], "simulated")
            one, two = status["servers"]
            self.assertEqual((one["name"], two["name"]), ("kme-a", "kme-b"))
            self.assertEqual(one["pid"], lab.pid("kme-a"))
            self.assertEqual(one["keys_delivered_to_initiators"], 3)
            self.assertEqual(two["keys_delivered_to_initiators"], 0)
            self.assertGreater(one["available_bits"], 0)
            self.assertEqual(one["simulated_rate_bps"], 2000000)
            self.assertTrue(one["running"] and one["healthy"] and one["link_up"])
            table = qkdctl("lab", "status", lab.dir)
            self.assertEqual(table.returncode, 0)
            self.assertRegex(table.stdout, rf"kme-a\s+{one['pid']}\s+running\s+up\s+\d+ %\s+\d+\s+3\s+0"
                                           r"\s+0\s+2000000\s+ok")
            self.assertIn("simulated", table.stdout)

    def test_status_of_a_lab_with_a_dead_server_says_which(self):
        with Lab() as lab:
            lab.kill("kme-b")
            done = qkdctl("lab", "status", lab.dir)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, r"kme-b\s+\d+\s+down\s+not running")


class Keys(unittest.TestCase):
    def key_json(self, conf, *words):
        """The keys of one get-key call."""
        done = qkdctl("get-key", "--json", *words, conf=conf)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["keys"]

    def test_both_ends_get_the_same_octets(self):
        with Lab() as lab:
            for initiator, responder in (("alice", "bob"), ("bob", "alice")):
                reserved = self.key_json(lab.conf(initiator), "--number", "3", "--size-bits", "512",
                                         "--show-key")
                ids = ",".join(key["key_ID"] for key in reserved)
                claimed = self.key_json(lab.conf(responder), "--key-id", ids, "--show-key")
                self.assertEqual(reserved, claimed)
                self.assertEqual(len({key["key_hex"] for key in reserved}), 3)
                for key in reserved:
                    self.assertEqual(len(key["key_hex"]), 128)
                    self.assertEqual(key["size_bits"], 512)

    def test_keys_are_hidden_unless_asked_for(self):
        with Lab() as lab:
            text = qkdctl("get-key", conf=lab.conf("alice"), check=True).stdout
            self.assertRegex(text, r"^[0-9a-f-]{36}\s+256 bits\s+\(hidden; --show-key prints it\)$")
            key = self.key_json(lab.conf("alice"))[0]
            self.assertEqual(sorted(key), ["key_ID", "size_bits"])
            shown = qkdctl("get-key", "--show-key", conf=lab.conf("alice"), check=True).stdout
            self.assertRegex(shown, r"^[0-9a-f-]{36}\s+256 bits\s+[0-9a-f]{64}$")

    def test_second_claim_of_a_key_is_refused_with_the_servers_message(self):
        with Lab() as lab:
            key_id = self.key_json(lab.conf("alice"))[0]["key_ID"]
            self.key_json(lab.conf("bob"), "--key-id", key_id)
            again = qkdctl("get-key", "--key-id", key_id, conf=lab.conf("bob"))
            self.assertEqual(again.returncode, 1)
            self.assertEqual(again.stdout, "")
            self.assertIn("one or more keys specified are not found on KME", again.stderr)
            self.assertIn(f"localhost:{lab.base_port + 10}", again.stderr)

    def test_options_come_before_the_file_and_suffice_without_it(self):
        with Lab() as lab:
            cert, key = lab.pki("alice")
            alone = qkdctl("get-key", "--kme", lab.kme_a_014, "--sae", "alice", "--peer=bob",
                           "--cert", cert, "--key", key, "--ca", lab.ca)
            self.assertEqual(alone.returncode, 0, alone.stderr)
            over = qkdctl("get-key", "--config", lab.conf("alice"), "--peer", "nobody")
            self.assertEqual(over.returncode, 1)
            self.assertIn("nobody", over.stderr)

    def test_options_come_before_the_file_of_the_environment_too(self):
        """Unless they name another key server, which has nothing to do with that file."""
        with Lab() as lab:
            for words in (("--timeout-ms", 5000), ("--peer", "bob"), ("--ca", lab.ca)):
                done = qkdctl("get-key", *words, conf=lab.conf("alice"))
                self.assertEqual(done.returncode, 0, f"{words}: {done.stderr}")
            other = qkdctl("get-key", "--kme", lab.kme_a_014, "--timeout-ms", 5000,
                           conf=lab.conf("alice"))
            self.assertEqual(other.returncode, 1)
            self.assertIn("sae is not set", other.stderr)

    def test_status_tells_what_the_key_server_says(self):
        with Lab() as lab:
            value = json.loads(qkdctl("status", "--json", conf=lab.conf("alice"),
                                      check=True).stdout)
            self.assertEqual(value["source_KME_ID"], "kme-a")
            self.assertEqual(value["target_KME_ID"], "kme-b")
            self.assertEqual(value["master_SAE_ID"], "alice")
            self.assertEqual(value["slave_SAE_ID"], "bob")
            table = qkdctl("status", "--config", lab.conf("alice"), check=True).stdout
            self.assertRegex(table, r"default key size\s+256 bits")
            self.assertRegex(table, r"responder \(slave SAE\)\s+bob")


class Settings(unittest.TestCase):
    def assert_refused(self, conf, *words):
        """status with this file fails with a sentence that has all the words."""
        done = qkdctl("status", conf=conf)
        self.assertEqual(done.returncode, 1, done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_mistake_in_the_file_is_named(self):
        with Lab(up=False) as lab:
            self.assert_refused(lab.conf_with("alice", extra="colour = blue"), "colour",
                                "qkd_provider")
            self.assert_refused(lab.conf_with("alice", timeout_ms="soon"), "timeout-ms", "soon")
            self.assert_refused(lab.conf_with("alice", remove=["peer"]), "peer")
            self.assert_refused(lab.conf_with("alice", cert="/nowhere.pem"), "cert",
                                "/nowhere.pem")
            self.assert_refused("/nowhere.cnf", "/nowhere.cnf")
            self.assert_refused("/dev/null", "no section of the provider qkd")

    def test_no_settings_at_all_says_what_to_give(self):
        done = qkdctl("status")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--config", done.stderr)
        self.assertIn("OPENSSL_CONF", done.stderr)

    def test_a_stopped_key_server_is_an_error_with_its_address(self):
        with Lab(up=False) as lab:
            done = qkdctl("status", conf=lab.conf("alice"))
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"localhost:{lab.base_port}", done.stderr)

    def test_qkdctl_loads_no_provider_of_the_users_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            conf = pathlib.Path(folder) / "openssl.cnf"
            conf.write_text("openssl_conf = a\nconfig_diagnostics = 1\n[a]\nproviders = b\n"
                            "[b]\nbroken = c\n[c]\nmodule = /nowhere.so\nactivate = 1\n",
                            encoding="utf-8")
            self.assertEqual(qkdctl("version", conf=conf).returncode, 0)

    def test_wrong_calls_exit_with_2_and_name_the_help(self):
        for words, expected in ((["nonsense"], "'nonsense'"), ([], "needs a subcommand"),
                                (["lab"], "qkdctl help lab"), (["lab", "x"], "'x'"),
                                (["get-key", "--key-id", "12"], "not a UUID"),
                                (["get-key", "--number", "0"], "--number '0'"),
                                (["status", "--colour"], "--colour"),
                                (["help", "nonsense"], "'nonsense'")):
            done = qkdctl(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(expected, done.stderr)
            self.assertIn("qkdctl help", done.stderr)

    def test_help_lists_and_explains_every_subcommand(self):
        listed = re.findall(r"^  qkdctl (\S+)", qkdctl("help", check=True).stdout, re.M)
        self.assertEqual(listed, ["lab", "status", "get-key", "doctor", "check-kme",
                                  "misbehave", "version", "help"])
        for name in listed:
            said = qkdctl("help", name, check=True).stdout
            self.assertIn(f"usage: qkdctl {name}", said)
            self.assertEqual(qkdctl(name, "--help", check=True).stdout, said)
        self.assertEqual(qkdctl("lab", "init", "--help", check=True).stdout,
                         qkdctl("help", "lab", check=True).stdout)


if __name__ == "__main__":
    unittest.main()
