# SPDX-License-Identifier: Apache-2.0
"""The ssl module of Python, as examples/python has it."""
import contextlib
import re
import subprocess

from harness import LIMIT_S, OPENSSL35, SYSTEM_OPENSSL, qkdctl, wait_until
from recipe import Recipe, RecipeCase, is_35

PORT = 8443

OPEN_AT_EXIT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile="lab/pki/ca.pem")
connection = context.wrap_socket(socket.create_connection(("127.0.0.1", 8443), 10),
                                 server_hostname="localhost")
idle = context.wrap_socket(socket.socket(), server_hostname="localhost")
print(connection.version())
"""

CURVE = """
import socket, ssl
context = ssl.create_default_context(cafile="lab/pki/ca.pem")
try:
    context.set_ecdh_curve("GROUP")
except ValueError as error:
    print(error)
else:
    with context.wrap_socket(socket.create_connection(("127.0.0.1", 8443), 10),
                             server_hostname="localhost") as connection:
        print(connection.version())
"""


class Python(RecipeCase):
    def answer(self, recipe):
        """What the recipe's server answers on this OpenSSL."""
        return f"hello from OpenSSL {'3.5' if is_35(recipe.openssl) else '3.0'}."

    def python(self, recipe, program, log=None):
        return subprocess.run(["python3", "-c", program], cwd=recipe.dir, check=False, text=True,
                              env=recipe.environment("alice", log), capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=LIMIT_S)

    @contextlib.contextmanager
    def connection(self, recipe):
        """A client that stays connected."""
        command = [recipe.openssl.program, "s_client", "-connect", f"127.0.0.1:{PORT}"]
        path = recipe.dir / "run" / "connected.out"
        with open(path, "wb") as out, \
                subprocess.Popen(command, env=recipe.environment("alice"), stdin=subprocess.PIPE,
                                 stdout=out, stderr=out) as client:
            try:
                wait_until(lambda: "\nNew, TLSv1.3" in path.read_text(errors="replace"),
                           "s_client connected")
                yield
            finally:
                client.kill()

    def check_log(self, recipe, ends):
        """The block `check` shows one key, of the group that was configured."""
        lines = recipe.run("check").stdout.splitlines()
        keys = {re.search("handshake key .* key_id=([0-9a-f-]{36})", line)[1] for line in lines}
        self.assertEqual((len(lines), len(keys)), (ends, 1), lines)
        group = "qkd_x25519mlkem768" if is_35(recipe.openssl) else "qkd_x25519"
        for line in lines:
            self.assertIn(f"handshake key {group} ", line)

    def server(self, recipe):
        recipe.start("server", ready=PORT)
        done, _ = recipe.client(PORT)
        self.assertIn(self.answer(recipe), done.stdout, done.stderr)
        (recipe.dir / "run" / "client.log").touch()
        self.check_log(recipe, 1)
        for role in ("initiator", "responder"):
            self.assertEqual(recipe.delivered(role), 1)

    def client(self, recipe):
        """The recipe as it stands: its client to its server."""
        recipe.start("server", ready=PORT)
        done = recipe.run("client")
        self.assertEqual(done.stderr, "")
        self.assertIn(self.answer(recipe), done.stdout)
        self.check_log(recipe, 2)
        for role in ("initiator", "responder"):
            self.assertEqual(recipe.delivered(role), 1)

    def test_server_on_35(self):
        self.for_each_flow("python", OPENSSL35, self.server)

    def test_server_on_30(self):
        self.for_each_flow("python", SYSTEM_OPENSSL, self.server)

    def test_client_on_35(self):
        self.for_each_flow("python", OPENSSL35, self.client)

    def test_client_on_30(self):
        self.for_each_flow("python", SYSTEM_OPENSSL, self.client)

    # What the README says to know.

    def test_an_interpreter_that_exits_with_connections_open_is_quiet(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program), \
                    Recipe("python", openssl=openssl) as recipe:
                server = recipe.start("server", ready=PORT)
                done = self.python(recipe, OPEN_AT_EXIT, log="exit")
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "TLSv1.3\n", ""))
                self.assertEqual(len(recipe.keys("exit")), 1)
                # The server's own exit, with a connection of a thread open.
                with self.connection(recipe):
                    server.terminate()
                    self.assertEqual(server.wait(LIMIT_S), 0, recipe.output(server))
                self.assertNotIn("Traceback", recipe.output(server))

    def test_a_curve_that_the_program_sets_takes_the_place_of_qkd(self):
        with Recipe("python") as recipe:
            recipe.server(PORT, options=("-www", "-groups", "qkd_x25519mlkem768:P-256"))
            done = self.python(recipe, CURVE.replace("GROUP", "prime256v1"), log="curve")
            self.assertEqual((done.returncode, done.stdout), (0, "TLSv1.3\n"), done.stderr)
            self.assertEqual((recipe.keys("curve"), recipe.delivered("initiator")), ([], 0))

    def test_a_group_of_ours_is_no_curve_to_the_ssl_module(self):
        with Recipe("python") as recipe:
            done = self.python(recipe, CURVE.replace("GROUP", "qkd_x25519mlkem768"))
            self.assertIn("unknown elliptic curve name", done.stdout)

    def test_a_provider_that_is_not_there_is_an_error_where_openssl_can_tell(self):
        with Recipe("python") as recipe:
            conf = recipe.lab / "alice" / "openssl.cnf"
            text = conf.read_text(encoding="utf-8")
            conf.write_text(re.sub("^module = .*$", "module = /nowhere/qkd.so", text, flags=re.M),
                            encoding="utf-8")
            done = self.python(recipe, "import ssl; ssl.create_default_context()")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("ssl.SSLError", done.stderr)

    def test_a_handshake_without_a_key_is_an_exception_and_in_the_log(self):
        with Recipe("python") as recipe:
            recipe.start("server", ready=PORT)
            recipe.run("client")
            qkdctl("lab", "down", recipe.lab, check=True)
            done = recipe.run("client", check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("ssl.SSLError", done.stderr)
            log = (recipe.dir / "run" / "client.log").read_text(encoding="utf-8")
            self.assertRegex(log, "error .*KME localhost:17400: connect")
