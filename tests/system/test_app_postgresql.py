# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, as examples/postgresql has it: psql, and a server behind stunnel."""
import contextlib
import functools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from harness import LIMIT_S, MODULES, OPENSSL35, SYSTEM_OPENSSL, handshake_keys, qkdctl, wait_until
from recipe import Recipe, RecipeCase, is_35
from web_servers import stop_kme, text

PORT, DATABASE_PORT, GATEWAY_PORT, PIECES_PORT = 5432, 5433, 5434, 5435
HANDSHAKES = 3
VERIFIED = "sslmode=verify-full sslrootcert=lab/pki/ca.pem"
REFUSED_WITHOUT_TLS = "PostgreSQL client did not request TLS, rejecting"


def forward_in_pieces(source, to):
    """Until either end closes; then both are closed."""
    with contextlib.suppress(OSError):
        while octets := source.recv(65536):
            for begin in range(0, len(octets), 200):
                to.sendall(octets[begin:begin + 200])
                time.sleep(0.003)  # so that a piece is read before the next one comes
    for end in (source, to):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def in_pieces(port):
    """PIECES_PORT passes a connection on, what each side sends in pieces smaller than a record."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", PIECES_PORT)))

        def serve():
            with contextlib.suppress(OSError):
                near = stack.enter_context(listener.accept()[0])
                far = stack.enter_context(socket.create_connection(("127.0.0.1", port), LIMIT_S))
                far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=forward_in_pieces, args=(far, near))
                back.start()
                forward_in_pieces(near, far)
                back.join()

        server = threading.Thread(target=serve)
        server.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        server.join(LIMIT_S)


def on_each_openssl(**options):
    """Makes a test of check(self, recipe): with OpenSSL 3.5 and with the system's."""
    def decorate(check):
        @functools.wraps(check)
        def test(self):
            for openssl in (OPENSSL35, SYSTEM_OPENSSL):
                with self.subTest(openssl=openssl.program), \
                        Recipe("postgresql", openssl=openssl, **options) as recipe:
                    check(self, recipe)
        return test
    return decorate


class PostgreSql(RecipeCase):
    def setUp(self):
        self.made = pathlib.Path(tempfile.mkdtemp(prefix="qkd-postgresql-data-"))
        self.made.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.made)

    def make_data(self, recipe):
        """The block `database` finds the data that it has made, once for all recipes of a test."""
        names = ("data", "password")
        if not (self.made / names[0]).exists():
            recipe.blocks["make-data"] = recipe.blocks["database"].strip() + " -C port"
            self.assertIn("5433\n", recipe.run("make-data").stdout)
            for name in names:
                (recipe.dir / "run" / name).rename(self.made / name)
        for name in names:
            (recipe.dir / "run" / name).symlink_to(self.made / name)

    def group(self, recipe):
        return "qkd_x25519mlkem768" if is_35(recipe.openssl) else "qkd_x25519"

    def prepare(self, recipe):
        if not is_35(recipe.openssl):
            recipe.run("openssl-3.0")

    def change(self, recipe, name, pattern, replacement):
        path = recipe.dir / name
        changed, times = re.subn(pattern, replacement, path.read_text(encoding="utf-8"),
                                 flags=re.M)
        self.assertEqual(times, 1)
        path.write_text(changed, encoding="utf-8")

    def without_provider(self, recipe, sae):
        self.change(recipe, f"lab/{sae}/openssl.cnf", "^module = .*$", "module = /nowhere/qkd.so")

    def start(self, recipe):
        self.prepare(recipe)
        self.make_data(recipe)
        self.wait_for(recipe, recipe.start("database"))
        recipe.start("server", ready=PORT)

    def wait_for(self, recipe, database):
        wait_until(lambda: "ready to accept connections" in recipe.output(database), "PostgreSQL")

    def psql(self, recipe, how, query, **more):
        """Runs psql, SAE alice, with a connection string of ours."""
        env = recipe.environment("alice", **more)
        env["PGPASSWORD"] = text(recipe, "run/password").strip()
        return subprocess.run(["psql", "-XAt", f"host=localhost user=app dbname=postgres {how}"],
                              cwd=recipe.dir, env=env, check=False, input=query, text=True,
                              capture_output=True, timeout=LIMIT_S)

    def both_ends(self, recipe, handshakes):
        """The block `check` shows so many keys, each at the server and at the client."""
        keys = handshake_keys(recipe.run("check").stdout)
        self.assertEqual({key[0] for key in keys}, {self.group(recipe)})
        ends = [sorted(key[2] for key in keys if key[1] == role)
                for role in ("initiator", "responder")]
        self.assertEqual(ends[0], ends[1], "both ends, one key")
        self.assertEqual((len(ends[0]), len(set(ends[0]))), (handshakes, handshakes))
        for role in ("initiator", "responder"):
            self.assertEqual(recipe.delivered(role), handshakes, role)

    def serve(self, recipe):
        """Clients that are not psql: s_client, to see the group from outside, and a query."""
        self.start(recipe)
        done, group = recipe.client(PORT, options=("-starttls", "postgres"))
        self.assertIn("New, TLSv1.3", done.stdout, done.stderr)
        self.assertEqual(group, self.group(recipe) if is_35(recipe.openssl) else None)
        self.assertEqual([key[0] for key in recipe.keys("s_client")], [self.group(recipe)])
        self.assertIn("PostgreSQL", recipe.run("client").stdout)
        keys = handshake_keys(text(recipe, "run/server.log"))
        self.assertEqual(keys[0][2], recipe.keys("s_client")[0][2])
        self.assertEqual(len({key[2] for key in keys}), 2)
        for role in ("initiator", "responder"):
            self.assertEqual(recipe.delivered(role), 2)

    def connect(self, recipe):
        """The recipe as it stands."""
        self.start(recipe)
        for _ in range(HANDSHAKES):
            done = recipe.run("client")
            self.assertEqual(done.stderr, "")
            self.assertRegex(done.stdout, r"(?s)PostgreSQL \d.*\nSSL connection \(.*TLSv1\.3")
            self.assertNotIn("qkd", done.stdout)
        self.both_ends(recipe, HANDSHAKES)

    def test_server_on_35(self):
        self.for_each_flow("postgresql", OPENSSL35, self.serve)

    def test_server_on_30(self):
        self.for_each_flow("postgresql", SYSTEM_OPENSSL, self.serve)

    def test_client_on_35(self):
        self.for_each_flow("postgresql", OPENSSL35, self.connect)

    def test_client_on_30(self):
        self.for_each_flow("postgresql", SYSTEM_OPENSSL, self.connect)

    @on_each_openssl()
    def test_a_gateway_takes_clients_whose_tls_is_not_of_openssl(self, recipe):
        self.start(recipe)
        recipe.start("gateway", ready=lambda: "Configuration successful" in
                     text(recipe, "run/gateway.log"))
        done = recipe.run("query", OPENSSL_CONF="/dev/null")
        self.assertIn("PostgreSQL", done.stdout)
        self.both_ends(recipe, 1)

    # The server's own TLS.

    def own_tls(self, recipe, *options):
        """The database server with TLS of its own, of SAE bob; it, its OpenSSL and bob's files are
        where the user that it runs as can read them. Returns the process."""
        own = recipe.dir / "own"
        own.mkdir()
        shutil.copy(MODULES / "qkd.so", own)
        more = {"OPENSSL_MODULES": str(own)}
        if recipe.openssl.library_path:
            for name in ("libcrypto.so.3", "libssl.so.3"):
                shutil.copy(os.path.join(recipe.openssl.library_path, name), own)
            more["LD_LIBRARY_PATH"] = str(own)
        self.change(recipe, "lab/bob/openssl.cnf", "^module = .*$", f"module = {own}/qkd.so")
        if os.geteuid() == 0:
            for folder, _, names in os.walk(recipe.lab):
                for path in [folder] + [os.path.join(folder, name) for name in names]:
                    shutil.chown(path, "postgres")
        self.prepare(recipe)
        self.make_data(recipe)
        pki = recipe.lab / "pki" / "localhost"
        recipe.blocks["own-tls"] = " ".join((
            recipe.blocks["database"].strip(), "-c ssl=on", f"-c ssl_cert_file={pki}.pem",
            f"-c ssl_key_file={pki}.key", *options))
        conf = str(recipe.lab / "bob" / "openssl.cnf")
        return recipe.start("own-tls", log="own", OPENSSL_CONF=conf, **more)

    @on_each_openssl()
    def test_its_own_tls_knows_no_group_of_ours(self, recipe):
        database = self.own_tls(recipe, f"-c ssl_ecdh_curve={self.group(recipe)}")
        self.assertNotEqual(database.wait(LIMIT_S), 0)
        self.assertIn(f"unrecognized curve name: {self.group(recipe)}", recipe.output(database))

    @on_each_openssl()
    def test_its_own_tls_goes_on_without_qkd_and_the_default_sslmode_without_tls(self, recipe):
        database = self.own_tls(recipe)
        self.wait_for(recipe, database)
        self.assertIn("loaded version", recipe.log("own"))
        pid = text(recipe, "run/data/postmaster.pid").split()[0]
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
        self.assertEqual(f"{recipe.dir}/own/libssl.so.3" in maps, is_35(recipe.openssl))
        tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        own = f"port={DATABASE_PORT}"
        done = self.psql(recipe, f"{own} {VERIFIED}", tls)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("handshake failure", done.stderr)
        self.assertEqual(self.psql(recipe, own, tls).stdout, "f\n")
        for _ in range(HANDSHAKES):
            done = self.psql(recipe, f"{own} {VERIFIED}", tls, OPENSSL_CONF="/dev/null")
            self.assertEqual((done.stdout, done.stderr), ("t\n", ""))
        self.assertNotIn("terminated by signal", recipe.output(database))
        self.assertEqual(recipe.delivered("responder"), 0)

    # What else the README says to know.

    @on_each_openssl()
    def test_without_the_provider_psql_does_not_get_in(self, recipe):
        self.start(recipe)
        self.without_provider(recipe, "alice")
        done = recipe.run("client", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("could not create SSL context" if is_35(recipe.openssl)
                      else "handshake failure", done.stderr)
        done = self.psql(recipe, "", "SELECT 1")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(REFUSED_WITHOUT_TLS, text(recipe, "run/stunnel.log"))
        self.assertEqual(recipe.delivered("initiator"), 0)

    def test_without_the_provider_psql_on_30_gets_in_where_more_than_qkd_is_accepted(self):
        with Recipe("postgresql", openssl=SYSTEM_OPENSSL) as recipe:
            self.prepare(recipe)
            self.change(recipe, "stunnel.conf", "^curves = (.*)$", r"curves = \1:X25519")
            self.change(recipe, "lab/alice/openssl.cnf", "^module = .*$", "module = /nowhere/q.so")
            self.start(recipe)
            self.assertIn("TLSv1.3", recipe.run("client").stdout)
            self.assertEqual(recipe.delivered("initiator"), 0)

    @on_each_openssl()
    def test_without_the_provider_stunnel_does_not_start(self, recipe):
        self.prepare(recipe)
        for block, sae in (("server", "bob"), ("gateway", "alice")):
            self.without_provider(recipe, sae)
            done = recipe.run(block, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Failed to set the minimum protocol version" if is_35(recipe.openssl)
                          else "Invalid groups list in 'curves'", done.stderr)

    @on_each_openssl()
    def test_stunnel_without_curves_has_no_qkd(self, recipe):
        self.change(recipe, "stunnel.conf", "^curves = .*$", "")
        self.start(recipe)
        self.assertIn("handshake failure", recipe.run("client", check=False).stderr)
        done = self.psql(recipe, VERIFIED, "SELECT 42", OPENSSL_CONF="/dev/null")
        self.assertEqual(done.stdout, "42\n", done.stderr)

    @on_each_openssl()
    def test_psql_says_that_the_key_server_gave_no_key(self, recipe):
        self.start(recipe)
        stop_kme(recipe, "KME_A_PID")
        done = recipe.run("client", check=False)
        self.assertIn("SSL error: the key server gave no key", done.stderr)
        self.assertIn("KME localhost:17400: connect: Connection refused",
                      text(recipe, "run/client.log"))
        done = self.psql(recipe, "", "SELECT 1")
        self.assertNotEqual(done.returncode, 0, "it went on without TLS")
        self.assertIn(REFUSED_WITHOUT_TLS, text(recipe, "run/stunnel.log"))
        qkdctl("lab", "up", recipe.lab, check=True)
        self.assertIn("PostgreSQL", recipe.run("client").stdout)

    @on_each_openssl(initiator="server")
    def test_stunnel_says_that_the_key_server_gave_no_key(self, recipe):
        self.start(recipe)
        stop_kme(recipe, "KME_B_PID")
        self.assertIn("alert internal error", recipe.run("client", check=False).stderr)
        reason = re.compile(r" LOG3\[\d+\]: .*:qkd::the key server gave no key")
        wait_until(lambda: reason.search(text(recipe, "run/stunnel.log")), "the reason in the log")
        self.assertIn("KME localhost:17410: connect: Connection refused",
                      text(recipe, "run/server.log"))

    def test_the_server_sees_no_tls_and_no_channel_to_bind_to(self):
        with Recipe("postgresql") as recipe:
            self.start(recipe)
            done = self.psql(recipe, VERIFIED, "SELECT ssl, client_addr FROM pg_stat_ssl "
                             "NATURAL JOIN pg_stat_activity WHERE pid = pg_backend_pid()")
            self.assertEqual(done.stdout, "f|127.0.0.1\n", done.stderr)
            done = self.psql(recipe, VERIFIED + " channel_binding=require", "SELECT 1")
            self.assertIn("channel binding is required, but server did not offer", done.stderr)

    def test_records_in_pieces_pass_and_break_a_connection_where_stunnel_logs_the_group(self):
        query = f"SELECT length('{'x' * 30000}')"
        for level, openssl in (("notice", OPENSSL35), ("info", OPENSSL35),
                               ("info", SYSTEM_OPENSSL)):
            passes = level == "notice" or not is_35(openssl)
            with self.subTest(level=level, openssl=openssl.program), \
                    Recipe("postgresql", openssl=openssl) as recipe:
                self.change(recipe, "stunnel.conf", "^debug = notice$", f"debug = {level}")
                self.start(recipe)
                with in_pieces(PORT):
                    done = self.psql(recipe, f"port={PIECES_PORT} {VERIFIED}", query)
                self.assertEqual(done.stdout == "30000\n", passes, done.stderr)
                self.assertEqual("unknown nid" not in text(recipe, "run/stunnel.log"), passes)
