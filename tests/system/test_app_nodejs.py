# SPDX-License-Identifier: Apache-2.0
"""Node.js, as examples/nodejs has it: the distribution's, which uses the system's OpenSSL or the
one of LD_LIBRARY_PATH, or one with an OpenSSL 3.0 built in."""
import subprocess
import sys

from harness import LIMIT_S, OPENSSL35, SYSTEM_OPENSSL, child_env, handshake_keys
from recipe import Recipe, RecipeCase, is_35

PORT = 8443

# Connects, prints what it is told of the key exchange, and exits with the connection open.
OPEN_AT_EXIT = """
const socket = require('node:tls').connect({
  host: '127.0.0.1', port: 8443, servername: 'localhost',
  ca: require('node:fs').readFileSync('lab/pki/ca.pem'),
}, () => { console.log(socket.getProtocol(), socket.getEphemeralKeyInfo()); process.exit(0); });
"""
SHARED = "--openssl-shared-config"
GROUPS = ("--require", "./groups.cjs")


def about_node(expression):
    return subprocess.run(["node", "-p", expression], env=child_env(), capture_output=True,
                          text=True, check=True, timeout=LIMIT_S).stdout.strip()


class NodeJs(RecipeCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = about_node("process.config.variables.node_shared_openssl") == "true"

    def flows_on_35(self, check):
        """The flows on OpenSSL 3.5; where Node.js has an OpenSSL of its own, the reason why not."""
        if self.shared:
            self.for_each_flow("nodejs", OPENSSL35, check)
            return
        version = about_node("process.versions.openssl")
        print(f"the node of this machine has OpenSSL {version} built in: LD_LIBRARY_PATH does not "
              "change it, and its refusal of a group with ML-KEM is tested instead of the flows",
              file=sys.stderr)
        self.assertRegex(version, r"^3\.0\.")
        with Recipe("nodejs") as recipe:
            done = self.node(recipe, SHARED, *GROUPS, "-e", OPEN_AT_EXIT)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Failed to set ECDH curve", done.stderr)

    def prepare(self, recipe):
        if not is_35(recipe.openssl):
            recipe.run("openssl-3.0")

    def node(self, recipe, *words, log=None):
        return subprocess.run(["node", *words], cwd=recipe.dir, check=False, text=True,
                              env=recipe.environment("alice", log), capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=LIMIT_S)

    def check_one_key(self, recipe, ends):
        """The block `check` shows one key, of the group that was configured."""
        keys = handshake_keys(recipe.run("check").stdout)
        group = "qkd_x25519mlkem768" if is_35(recipe.openssl) else "qkd_x25519"
        self.assertEqual({key[0] for key in keys}, {group})
        self.assertEqual((len(keys), len({key[2] for key in keys})), (ends, 1))
        for role in ("initiator", "responder"):
            self.assertEqual(recipe.delivered(role), 1)

    def server(self, recipe):
        self.prepare(recipe)
        recipe.start("server", ready=PORT)
        done, _ = recipe.client(PORT)
        self.assertIn("hello from Node.js v", done.stdout, done.stderr)
        (recipe.dir / "run" / "client.log").touch()
        self.check_one_key(recipe, 1)

    def client(self, recipe):
        """The recipe as it stands: its client to its server."""
        self.prepare(recipe)
        recipe.start("server", ready=PORT)
        done = recipe.run("client")
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"^hello from Node.js v\S+\n$")
        self.check_one_key(recipe, 2)

    def test_server_on_35(self):
        self.flows_on_35(self.server)

    def test_server_on_30(self):
        self.for_each_flow("nodejs", SYSTEM_OPENSSL, self.server)

    def test_client_on_35(self):
        self.flows_on_35(self.client)

    def test_client_on_30(self):
        self.for_each_flow("nodejs", SYSTEM_OPENSSL, self.client)

    # What the README says to know.

    def test_it_exits_with_connections_open_quietly_and_tells_no_group(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL)[0 if self.shared else 1:]:
            with self.subTest(openssl=openssl.program), \
                    Recipe("nodejs", openssl=openssl) as recipe:
                self.prepare(recipe)
                server = recipe.start("server", ready=PORT)
                done = self.node(recipe, SHARED, *GROUPS, "-e", OPEN_AT_EXIT, log="exit")
                self.assertEqual((done.returncode, done.stdout, done.stderr),
                                 (0, "TLSv1.3 {}\n", ""))
                self.assertEqual(len(recipe.keys("exit")), 1)
                server.terminate()
                self.assertEqual(server.wait(LIMIT_S), 0, recipe.output(server))

    def test_without_the_shared_configuration_it_has_no_qkd_and_the_preload_notices(self):
        with Recipe("nodejs", openssl=SYSTEM_OPENSSL) as recipe:
            self.prepare(recipe)
            recipe.server(PORT, options=("-www", "-groups", "qkd_x25519:X25519"))
            done = self.node(recipe, "-e", OPEN_AT_EXIT, log="silent")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("X25519", done.stdout)
            self.assertEqual((recipe.log("silent"), recipe.delivered("initiator")), ("", 0))
            done = self.node(recipe, *GROUPS, "-e", OPEN_AT_EXIT)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Failed to set ECDH curve", done.stderr)

    def test_a_section_of_its_own_does_what_the_option_does(self):
        with Recipe("nodejs", openssl=SYSTEM_OPENSSL) as recipe:
            recipe.server(PORT)
            conf = recipe.lab / "alice" / "openssl.cnf"
            conf.write_text("nodejs_conf = init\n" + conf.read_text(encoding="utf-8"),
                            encoding="utf-8")
            done = self.node(recipe, "-e", OPEN_AT_EXIT, log="section")
            self.assertEqual((done.returncode, done.stdout), (0, "TLSv1.3 {}\n"), done.stderr)
            self.check_keys(recipe, 1, ("section", "s_server"))
