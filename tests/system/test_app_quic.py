# SPDX-License-Identifier: Apache-2.0
"""QUIC between s_client and the server of examples/quic."""
import re

from harness import OPENSSL35, SYSTEM_OPENSSL, HarnessError, handshake_keys, qkdctl
from recipe import Recipe, RecipeCase

_ANSWER = re.compile(r"hello by QUIC: group (\S+), QKD key (\S+)$", re.M)


class Quic(RecipeCase):
    def start(self, recipe):
        self.assertEqual(recipe.run("build").stderr, "")
        server = recipe.start("server", ready=lambda: recipe.logs().count("quic-server: ready"))
        return server

    def both_ends(self, recipe):
        server = self.start(recipe)
        done = recipe.run("client")
        self.assertIn("Protocol: QUICv1", done.stdout)
        (answer,) = _ANSWER.findall(done.stdout)
        self.assertEqual(_ANSWER.findall(recipe.output(server)), [answer])
        keys = handshake_keys(recipe.run("check").stdout)
        self.assertEqual([key[0::2][:2] for key in keys], [answer] * 2, "both ends, one key")
        self.assertEqual({key[1] for key in keys}, {"initiator", "responder"})
        self.assertEqual(answer[0], "qkd_x25519mlkem768")
        for role in ("initiator", "responder"):
            self.assertEqual(recipe.delivered(role), 1, role)

    def test_server_on_35(self):
        self.for_each_flow("quic", OPENSSL35, self.both_ends)

    def test_client_on_35(self):
        """The same program is at each end: the largest share goes through, too."""
        self.for_each_flow("quic", OPENSSL35, self.with_large_share)

    def with_large_share(self, recipe):
        for name in ("alice", "bob"):
            conf = recipe.lab / name / "openssl.cnf"
            text = conf.read_text(encoding="utf-8")
            conf.write_text(re.sub("^Groups = .*$", "Groups = qkd_secp384r1mlkem1024", text,
                                   flags=re.M), encoding="utf-8")
        self.start(recipe)
        answers = [_ANSWER.search(recipe.run("client").stdout).groups() for _ in range(3)]
        self.assertEqual({group for group, _ in answers}, {"qkd_secp384r1mlkem1024"})
        self.assertEqual(len({key_id for _, key_id in answers}), 3)
        for role in ("initiator", "responder"):
            self.assertEqual(recipe.delivered(role), 3, role)

    def test_server_on_30(self):
        """Cannot: there is no QUIC to compile against."""
        with Recipe("quic", openssl=SYSTEM_OPENSSL) as recipe:
            with self.assertRaisesRegex(HarnessError, "openssl/quic.h: No such file"):
                self.assertEqual(recipe.run("build").stderr, "")

    def test_client_on_30(self):
        """Cannot: s_client knows no QUIC."""
        with Recipe("quic", openssl=SYSTEM_OPENSSL) as recipe:
            done = recipe.run("client", check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Unknown option: -quic", done.stderr)

    def test_without_a_key_there_is_no_connection_and_with_one_again(self):
        with Recipe("quic") as recipe:
            server = self.start(recipe)
            qkdctl("lab", "down", recipe.lab, check=True)
            done = recipe.run("client", check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(_ANSWER.findall(done.stdout + recipe.output(server)), [])
            self.assertIn("the key server gave no key", done.stderr)
            qkdctl("lab", "up", recipe.lab, check=True)
            self.assertEqual(len(_ANSWER.findall(recipe.run("client").stdout)), 1)
