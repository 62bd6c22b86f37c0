# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the provider's section never lead to a handshake without QKD, and the shipped
configuration works where it is harmful to be naive."""
import pathlib
import unittest

from harness import (BUILD, OPENSSL35, SYSTEM_OPENSSL, Lab, Server, delivered, handshake_keys, metric,
                     run_client)

GROUP = "qkd_x25519mlkem768"

# What; settings (None removes one); what the error must name.
MISTAKES = (
    ("no key server", {"kme": None}, "kme is not set"),
    ("a URL of another kind", {"kme": "http://localhost:1"}, "kme: 'http://localhost:1' is"),
    ("a port that is none", {"kme": "https://localhost:70000"}, "has no valid port"),
    ("a URL with a path", {"kme": "https://localhost:1/api"}, "a key server has no path"),
    ("no SAE of our own", {"sae": None}, "sae is not set"),
    ("no peer", {"peer": None}, "peer is not set"),
    ("ourselves as peer", {"peer": "alice"}, "sae and peer are both 'alice'"),
    ("a missing certificate", {"cert": "/nonexistent.pem"},
     "cert: cannot open '/nonexistent.pem': No such file or directory"),
    ("a missing key", {"key": "/nonexistent.key"}, "key: cannot open '/nonexistent.key'"),
    ("no CA", {"ca": None}, "ca is not set"),
    ("a CA that is no PEM file", {"ca": "/etc/hostname"}, "ca: '/etc/hostname' is not a PEM file"),
    ("a folder as CA", {"ca": "/tmp"}, "ca: '/tmp' is not a regular file"),
    ("an initiator that is none", {"initiator": "both"},
     "initiator = 'both' is neither client nor server"),
    ("a time that is none", {"timeout_ms": "1s"}, "timeout-ms = '1s' is not a number"),
    ("no time at all", {"timeout_ms": "0"}, "timeout-ms = '0' is not a number from 10"),
    ("a code point that is none", {"codepoint_qkd_mlkem768": "0xZZZZ"},
     "codepoint-qkd_mlkem768 = '0xZZZZ' is not"),
    ("the code point of X25519", {"codepoint_qkd_mlkem768": "0x001D"},
     "codepoint-qkd_mlkem768 = 0x001D is the number of another TLS group"),
    ("a code point twice", {"codepoint_qkd_mlkem768": "0xFE18"}, "code point 0xFE18 belongs to both"),
)


class Mistakes(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab(up=False))

    def conf(self, name, settings):
        """codepoint_GROUP keeps the '_' of the group's name; all others are written with '-'."""
        code_points = {key: value for key, value in settings.items()
                       if key.startswith("codepoint_")}
        others = {key: value for key, value in settings.items() if key not in code_points}
        return self.lab.conf_with(
            name, remove=[key for key, value in others.items() if value is None],
            extra="\n".join(f"{key.replace('_', '-', 1)} = {value}"
                            for key, value in code_points.items()),
            **{key: value for key, value in others.items() if value is not None})

    def test_every_mistake_of_a_client_fails_its_handshakes_with_the_settings_name(self):
        with Server(self.lab, "-groups", f"{GROUP}:X25519") as server:
            for what, settings, text in MISTAKES:
                with self.subTest(what=what):
                    client = run_client(self.lab, server.port, conf=self.conf("alice", settings))
                    self.assertFalse(client.connected, str(client))
                    self.assertIn("wrong setting in the provider's section", client.stderr)
                    self.assertIn(text, client.stderr)
                    self.assertIn(text, client.log)

    def test_every_mistake_of_a_server_fails_its_handshakes_with_the_settings_name(self):
        for what, settings, text in MISTAKES:
            if "alice" in settings.values():
                settings = {"peer": "bob"}
                text = "sae and peer are both 'bob'"
            with self.subTest(what=what):
                with Server(self.lab, conf=self.conf("bob", settings)) as server:
                    client = run_client(self.lab, server.port,
                                        conf=self.lab.conf_with("alice", initiator="server"),
                                        groups=GROUP)
                    self.assertFalse(client.connected, str(client))
                    self.assertIn("tlsv1 alert internal error", client.stderr)
                    self.assertIn(text, server.stderr())

    def test_a_mistake_on_the_systems_openssl_is_no_x25519_handshake_either(self):
        with Server(self.lab, "-groups", "qkd_x25519:X25519", openssl=SYSTEM_OPENSSL) as server:
            conf = self.lab.conf_with("alice", groups="qkd_x25519", cert="/nonexistent.pem")
            client = run_client(self.lab, server.port, conf=conf, openssl=SYSTEM_OPENSSL)
            self.assertFalse(client.connected, str(client))
            self.assertIn("cert: cannot open '/nonexistent.pem'", client.stderr)

    def test_files_of_a_wrong_kind_fail_at_first_use_with_the_settings_name(self):
        cert, key = self.lab.pki("alice")
        other_key = self.lab.pki("bob")[1]
        with Server(self.lab) as server:
            for settings, text in (({"cert": key}, "cert: the file holds no PEM certificate"),
                                   ({"key": cert}, "key: the file holds no PEM private key"),
                                   ({"key": other_key}, "key: the private key is not that of"),
                                   ({"ca": key}, "ca: the file holds no PEM certificate")):
                with self.subTest(settings=settings):
                    client = run_client(self.lab, server.port, conf=self.lab.conf_with(
                        "alice", **settings))
                    self.assertFalse(client.connected, str(client))
                    self.assertIn(text, client.stderr)

    def test_a_module_that_cannot_be_loaded_is_no_handshake_without_qkd(self):
        text = pathlib.Path(self.lab.conf("alice")).read_text(encoding="utf-8")
        path = self.lab.temp / "no-module.cnf"
        lines = ["module = /nonexistent/qkd.so" if line.startswith("module") else line
                 for line in text.splitlines()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with Server(self.lab, "-groups", f"{GROUP}:X25519") as server:
            client = run_client(self.lab, server.port, conf=path)
            self.assertFalse(client.connected, str(client))

    def test_a_number_that_another_provider_has_too_is_no_handshake_without_qkd(self):
        """Whichever of the two comes first in the file: libssl goes by the number."""
        module = BUILD / "tests" / "bin" / "foreign.so"
        section = f"\n[foreign]\nmodule = {module}\nactivate = 1\n"
        for line in ("foreign = foreign\nqkd = qkd_provider", "qkd = qkd_provider\nforeign = foreign"):
            paths = {}
            for name in ("alice", "bob"):
                path = pathlib.Path(self.lab.conf_with(name, groups=GROUP))
                path.write_text(path.read_text(encoding="utf-8").replace(
                    "qkd = qkd_provider", line) + section, encoding="utf-8")
                paths[name] = path
            with Server(self.lab, "-groups", "X25519") as server:
                client = run_client(self.lab, server.port, conf=paths["alice"])
                self.assertFalse(client.connected, str(client))
                self.assertIn("qkd_x25519mlkem768 is not offered: provider foreign has its number "
                              "0xFE18 for foreign_group", client.log)

    def test_a_provider_without_any_setting_offers_no_group(self):
        remove = ("sae", "peer", "kme", "cert", "key", "ca", "initiator", "timeout-ms")
        with Server(self.lab) as server:
            client = run_client(self.lab, server.port, groups=GROUP,
                                conf=self.lab.conf_with("alice", groups="X25519", remove=remove))
            self.assertFalse(client.connected)
            self.assertNotIn("wrong setting", client.stderr)

    def test_tls_1_2_is_refused_by_the_shipped_configuration(self):
        with Server(self.lab) as server:
            client = run_client(self.lab, server.port, "-no_tls1_3")
            self.assertFalse(client.connected)


class SystemWide(unittest.TestCase):
    def test_groups_for_the_whole_system_do_not_reach_the_way_to_the_key_server(self):
        """The key server is reached over HTTPS from the process whose every SSL_CTX is told to
        use a QKD group: no recursion, and the connection to it is made without one."""
        with Lab() as lab:
            confs = {name: lab.conf_with(name, groups=GROUP) for name in ("alice", "bob")}
            with Server(lab, conf=confs["bob"]) as server:
                for _ in range(2):
                    client = run_client(lab, server.port, conf=confs["alice"])
                    self.assertTrue(client.connected, f"{client}{server.stderr()}")
                    self.assertEqual(client.group, GROUP)
                    self.assertEqual(len(handshake_keys(client.log)), 1)
            self.assertEqual((delivered(lab, "initiator"), delivered(lab, "responder")), (2, 2))
            self.assertEqual(metric(lab.kme_b_admin, "qkd_kme_connections_total", api="014"), 1)

    def test_harmful_system_wide_tls_settings_do_not_reach_it_either(self):
        with Lab() as lab:
            conf = pathlib.Path(lab.conf_with("alice", groups=GROUP))
            text = conf.read_text(encoding="utf-8").replace(
                f"Groups = {GROUP}", f"Groups = {GROUP}\nCiphersuites = TLS_CHACHA20_POLY1305_SHA256\n"
                "VerifyMode = Peer\nOptions = -SessionTicket")
            conf.write_text(text, encoding="utf-8")
            with Server(lab) as server:
                client = run_client(lab, server.port, conf=conf)
                self.assertTrue(client.connected, str(client))
                self.assertIn("TLS_CHACHA20_POLY1305_SHA256", client.stdout)

    def test_the_order_of_providers_in_the_file_does_not_matter(self):
        with Lab() as lab, Server(lab) as server:
            path = pathlib.Path(lab.conf_with("alice"))
            lines = path.read_text(encoding="utf-8").splitlines()
            first = next(i for i, line in enumerate(lines) if line.startswith("default ="))
            second = next(i for i, line in enumerate(lines) if line.startswith("qkd ="))
            lines[first], lines[second] = lines[second], lines[first]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            client = run_client(lab, server.port, conf=path)
            self.assertTrue(client.connected, str(client))

    def test_default_properties_that_do_not_exclude_us_are_fine(self):
        with Lab() as lab, Server(lab) as server:
            client = run_client(lab, server.port, "-propquery", "?fips=yes",
                                openssl=OPENSSL35)
            self.assertTrue(client.connected, str(client))


if __name__ == "__main__":
    unittest.main()
