# SPDX-License-Identifier: Apache-2.0
"""curl, as examples/curl has it: a client alone."""
import contextlib
import re
import subprocess

from harness import LIMIT_S, OPENSSL35, SYSTEM_OPENSSL, handshake_keys, qkdctl
from recipe import Recipe, RecipeCase, is_35
from web_servers import stop_kme, text

PORT = 8443
URL = f"https://localhost:{PORT}/"
WAYS = ("client", "curves")

# s_server closes after each answer; this one keeps the connection.
KEPT_URL = f"https://localhost:{PORT + 1}/"
KEEPING_SERVER = """
import http.server, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"kept\\n")
server = http.server.HTTPServer(("127.0.0.1", 8444), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("lab/pki/localhost.pem", "lab/pki/localhost.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"""


class Curl(RecipeCase):
    def group(self, recipe):
        return "qkd_x25519mlkem768" if is_35(recipe.openssl) else "qkd_x25519"

    def prepare(self, recipe):
        if not is_35(recipe.openssl):
            recipe.run("openssl-3.0")

    def curl(self, recipe, *words, log=None, **more):
        return subprocess.run(["curl", "-sS", "--cacert", "lab/pki/ca.pem", *words],
                              cwd=recipe.dir, env=recipe.environment("alice", log, **more),
                              check=False, capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, timeout=LIMIT_S)

    @contextlib.contextmanager
    def keeping_server(self, recipe):
        """A server, SAE bob, that keeps its connections."""
        with subprocess.Popen(["python3", "-c", KEEPING_SERVER], cwd=recipe.dir,
                              env=recipe.environment("bob"), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
            try:
                self.assertEqual(server.stdout.readline(), b"ready\n")
                yield
            finally:
                server.kill()

    def also_without_qkd(self, recipe):
        """A server that takes X25519 if the client offers no QKD."""
        recipe.server(PORT, options=("-www", "-groups", f"{self.group(recipe)}:X25519"))

    def change(self, recipe, pattern, replacement):
        """Alters alice's openssl.cnf."""
        conf = recipe.lab / "alice" / "openssl.cnf"
        changed, times = re.subn(pattern, replacement, conf.read_text(encoding="utf-8"),
                                 flags=re.M)
        self.assertEqual(times, 1)
        conf.write_text(changed, encoding="utf-8")

    def without_provider(self, recipe):
        self.change(recipe, "^module = .*$", "module = /nowhere/qkd.so")

    def fetch(self, recipe):
        """Both ways of the README: each one key, of the same group at both ends."""
        self.prepare(recipe)
        recipe.start("server", ready=lambda: "ACCEPT" in recipe.logs())
        for block in WAYS:
            done = recipe.run(block)
            self.assertIn("TLSv1.3", done.stdout)
            self.assertEqual(done.stderr, "")
        keys = handshake_keys(recipe.run("check").stdout)
        self.assertEqual({key[0] for key in keys}, {self.group(recipe)})
        self.assertEqual({key[1] for key in keys}, {"initiator", "responder"})
        key_ids = [key[2] for key in keys]
        self.assertEqual(len(key_ids), 2 * len(WAYS))
        self.assertEqual(key_ids[:len(WAYS)], key_ids[len(WAYS):], "both ends, one key")
        self.assertEqual(len(set(key_ids)), len(WAYS), "a key ID was used twice")
        for role in ("initiator", "responder"):
            self.assertEqual(recipe.delivered(role), len(WAYS))

    def no_server(self, openssl):
        """No option of curl's accepts a TLS connection."""
        with Recipe("curl", openssl=openssl) as recipe:
            options = re.findall(r"--[a-z0-9.-]+", self.curl(recipe, "--help", "all").stdout)
            self.assertIn("--curves", options)
            self.assertEqual([option for option in options
                              if re.match("--(listen|accept|serve)", option)], [])

    def test_server_on_35(self):
        self.no_server(OPENSSL35)

    def test_server_on_30(self):
        self.no_server(SYSTEM_OPENSSL)

    def test_client_on_35(self):
        self.for_each_flow("curl", OPENSSL35, self.fetch)

    def test_client_on_30(self):
        self.for_each_flow("curl", SYSTEM_OPENSSL, self.fetch)

    # What the README says to know.

    def test_it_names_its_openssl_and_no_group(self):
        for openssl, version in ((OPENSSL35, "3.5"), (SYSTEM_OPENSSL, "3.0")):
            with self.subTest(openssl=openssl.program), Recipe("curl", openssl=openssl) as recipe:
                self.assertIn(f" OpenSSL/{version}.", self.curl(recipe, "--version").stdout)
                recipe.server(PORT)
                done = self.curl(recipe, "-v", URL, log="verbose")
                self.assertRegex(done.stderr, r"(?m)^\* SSL connection using TLSv1\.3 / \w+$")
                self.assertNotRegex(done.stderr, "(?i)qkd|x25519|group")
                self.assertEqual(len(recipe.keys("verbose")), 1)

    def test_the_option_alone_does_it_and_next_forgets_it(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program), Recipe("curl", openssl=openssl) as recipe:
                self.prepare(recipe)
                self.change(recipe, "^Groups = .*$", "")
                self.also_without_qkd(recipe)
                done = self.curl(recipe, "--config", "curlrc", URL, log="option")
                self.assertEqual((done.returncode, len(recipe.keys("option"))), (0, 1))
                (recipe.dir / ".curlrc").write_text(text(recipe, "curlrc"), encoding="utf-8")
                again = ("--next", "-sS", "--cacert", "lab/pki/ca.pem", URL)
                done = self.curl(recipe, URL, *again, log="next", HOME=str(recipe.dir))
                self.assertEqual((done.returncode, done.stdout.count("<HTML>")), (0, 2))
                self.assertEqual(len(recipe.keys("next")), 1)

    def test_a_curve_without_qkd_takes_the_place_of_groups(self):
        with Recipe("curl") as recipe:
            self.also_without_qkd(recipe)
            done = self.curl(recipe, "--curves", "X25519", URL)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(recipe.delivered("initiator"), 0)

    def test_without_the_provider_35_makes_no_connection(self):
        with Recipe("curl") as recipe:
            self.without_provider(recipe)
            self.also_without_qkd(recipe)
            for block in WAYS:
                done = recipe.run(block, check=False)
                self.assertEqual(done.returncode, 27, done.stdout)
                self.assertIn("SSL: couldn't create a context", done.stderr)

    def test_without_the_provider_only_the_option_stops_30(self):
        with Recipe("curl", openssl=SYSTEM_OPENSSL) as recipe:
            self.prepare(recipe)
            self.without_provider(recipe)
            self.also_without_qkd(recipe)
            self.assertEqual(recipe.run("client").stderr, "")
            self.assertEqual(recipe.delivered("initiator"), 0)
            done = recipe.run("curves", check=False)
            self.assertEqual(done.returncode, 59, done.stdout)
            self.assertIn("failed setting curves list: 'qkd_x25519'", done.stderr)

    def test_it_says_that_the_key_server_gave_no_key(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program), Recipe("curl", openssl=openssl) as recipe:
                self.prepare(recipe)
                recipe.start("server", ready=lambda: "ACCEPT" in recipe.logs())
                stop_kme(recipe, "KME_A_PID")
                for block in WAYS:
                    done = recipe.run(block, check=False)
                    self.assertEqual((done.returncode, done.stdout), (35, ""))
                    self.assertIn("error:40800002:qkd::the key server gave no key", done.stderr)
                self.assertEqual(text(recipe, "run/client.log").count(
                    "KME localhost:17400: connect: Connection refused"), len(WAYS))
                qkdctl("lab", "up", recipe.lab, check=True)
                self.assertIn("TLSv1.3", recipe.run("client").stdout)

    def test_each_connection_takes_a_key_and_a_request_on_a_kept_one_none(self):
        for openssl in (OPENSSL35, SYSTEM_OPENSSL):
            with self.subTest(openssl=openssl.program), Recipe("curl", openssl=openssl) as recipe:
                recipe.server(PORT)
                done = self.curl(recipe, URL, URL, log="closed")
                self.assertIn("Reused, TLSv1.3", done.stdout)
                keys = recipe.keys("closed")
                self.assertEqual((len(keys), len({key[2] for key in keys})), (2, 2))
                with self.keeping_server(recipe):
                    done = self.curl(recipe, KEPT_URL, KEPT_URL, log="kept")
                    self.assertEqual(done.stdout, "kept\nkept\n", done.stderr)
                self.assertEqual(len(recipe.keys("kept")), 1)
