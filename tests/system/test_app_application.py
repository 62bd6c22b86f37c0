# SPDX-License-Identifier: Apache-2.0
"""A program asks its own connection whether QKD was used (examples/application)."""
import contextlib
import re

from harness import OPENSSL35, SYSTEM_OPENSSL
from recipe import Recipe, RecipeCase, is_35

_LINE = re.compile(r"^(client|server|server says): group (\S+), QKD key ([0-9a-f-]{36}), "
                   r"we are its (initiator|responder)$", re.M)


def group_of(openssl):
    return "qkd_x25519mlkem768" if is_35(openssl) else "qkd_x25519"


class Application(RecipeCase):
    def talk(self, recipe):
        self.assertEqual(recipe.run("build").stderr, "")
        recipe.start("server", ready=8443, log="server")
        done = recipe.run("client", log="client")
        self.assertEqual(done.stderr, "")
        return _LINE.findall(done.stdout)

    def both_ends(self, recipe):
        group = group_of(recipe.openssl)
        (end, *client), (other, *server) = self.talk(recipe)
        self.assertEqual((end, other), ("client", "server says"))
        self.assertEqual(client[:2], server[:2], "both ends name one group and one key")
        self.assertEqual({client[2], server[2]}, {"initiator", "responder"})
        # What the program sees is what the provider logged.
        for name, seen in (("client", client), ("server", server)):
            self.assertEqual([(key[0], key[2], key[1]) for key in recipe.keys(name)],
                             [tuple(seen)])
        self.assertEqual(client[0], group)
        self.check_keys(recipe, 1, ("client", "server"))

    def test_server_on_35(self):
        self.for_each_flow("application", OPENSSL35, self.server_alone)

    def test_server_on_30(self):
        self.for_each_flow("application", SYSTEM_OPENSSL, self.server_alone)

    def server_alone(self, recipe):
        """With an unmodified client, which reads what the server says to it."""
        self.assertEqual(recipe.run("build").stderr, "")
        recipe.start("server", ready=8443, log="server")
        done, _ = recipe.client(8443, request="")
        (key,) = recipe.keys("s_client")
        self.assertIn(f"group {key[0]}, QKD key {key[2]}, we are its ", done.stdout)
        self.check_keys(recipe, 1, ("s_client", "server"))

    def test_client_on_35(self):
        self.for_each_flow("application", OPENSSL35, self.both_ends)

    def test_client_on_30(self):
        self.for_each_flow("application", SYSTEM_OPENSSL, self.both_ends)

    # What else may come of a handshake.

    @contextlib.contextmanager
    def with_groups(self, openssl, alice, bob):
        """A recipe whose ends have these Groups."""
        with Recipe("application", openssl=openssl) as recipe:
            for name, groups in (("alice", alice), ("bob", bob)):
                path = recipe.lab / name / "openssl.cnf"
                text = path.read_text(encoding="utf-8")
                path.write_text(re.sub("^Groups = .*$", f"Groups = {groups}", text, flags=re.M),
                                encoding="utf-8")
            yield recipe

    def test_a_connection_without_qkd_is_seen_as_one(self):
        for openssl, qkd in ((OPENSSL35, "qkd_x25519mlkem768"), (SYSTEM_OPENSSL, "qkd_x25519")):
            with self.subTest(group=qkd), \
                    self.with_groups(openssl, f"{qkd}:X25519", "X25519") as recipe:
                self.assertEqual(recipe.run("build").stderr, "")
                server = recipe.start("server", ready=8443)
                done = recipe.run("client", check=False)
                self.assertEqual((done.returncode, done.stderr), (2, ""))
                self.assertRegex(done.stdout, r"^client: no QKD key in this connection, group x25519\n$")
                self.assertIn("server: no QKD key in this connection, group x25519",
                              recipe.output(server))

    def check_name(self, openssl, alice, bob):
        """Both ends name the key that was used, where only bob's group is common."""
        with self.with_groups(openssl, alice, bob) as recipe:
            (_, *client), (_, *server) = self.talk(recipe)
            self.assertEqual(client[:2], server[:2])
            self.assertEqual(client[0], bob)
            for end in ("client", "server"):
                self.assertEqual([key[2] for key in recipe.keys(end)], [client[1]])

    def test_of_two_offered_keys_the_one_that_was_used_is_named(self):
        self.check_name(OPENSSL35, "*qkd_x25519mlkem768:*qkd_mlkem768", "qkd_mlkem768")

    def test_after_a_retry_request_the_key_of_the_second_offer_is_named(self):
        self.check_name(OPENSSL35, "qkd_x25519mlkem768:qkd_mlkem768", "qkd_mlkem768")
        self.check_name(SYSTEM_OPENSSL, "qkd_x25519:qkd_secp256r1", "qkd_secp256r1")

    # Sessions that are resumed.

    def resume(self, recipe):
        """What the server saw of a client that came twice with one session."""
        self.assertEqual(recipe.run("build").stderr, "")
        server = recipe.start("server", ready=8443, log="server")
        path = str(recipe.dir / "run" / "session")
        recipe.client(8443, request="", options=("-sess_out", path))
        second, _ = recipe.client(8443, request="", options=("-sess_in", path))
        self.assertIn("\nReused, TLSv1.3", second.stdout, second.stderr)
        said = [line for line in second.stdout.splitlines() if ", QKD key " in line]
        lines = re.findall("^server: (.*)$", recipe.output(server), re.M)
        self.assertEqual(said, [line for line in lines[1:] if ", QKD key " in line])
        return lines

    def test_a_resumed_session_has_a_key_of_its_own(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program), \
                    Recipe("application", openssl=openssl) as recipe:
                lines = self.resume(recipe)
                key_ids = [re.search("QKD key ([0-9a-f-]{36}),", line)[1] for line in lines]
                self.assertEqual([key[2] for key in recipe.keys("server")], key_ids)
                self.assertEqual(len(set(key_ids)), 2)

    def test_one_that_was_resumed_without_a_key_exchange_has_none(self):
        with Recipe("application") as recipe:
            for name in ("alice", "bob"):
                conf = recipe.lab / name / "openssl.cnf"
                conf.write_text(conf.read_text(encoding="utf-8") +
                                "Options = AllowNoDHEKEX,PreferNoDHEKEX\n", encoding="utf-8")
            lines = self.resume(recipe)
            self.assertIn(", QKD key ", lines[0])
            # The name is that of the session's first connection: only the key ID tells.
            self.assertEqual(lines[1],
                             "no QKD key in this connection, group qkd_x25519mlkem768")
            self.assertEqual(len(recipe.keys("server")), 1)
