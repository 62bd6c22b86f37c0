# SPDX-License-Identifier: Apache-2.0
"""What the tests and measurements of nginx, Apache, HAProxy and stunnel share."""
import collections
import os
import pathlib
import signal

from harness import BUILD, LIMIT_S, handshake_keys, is_gone, qkdctl, wait_until
from recipe import Recipe, RecipeCase, is_35

SERVER_PORT, GATEWAY_PORT = 8443, 8444
HTTPS_LOAD = BUILD / "tests" / "bin" / "https_load"

# A way to run a web server: the recipe and its block, how it is told to reload, whether its
# children have threads, the file with our lines, the one with a line for each request, and what is
# in these lines alone.
WebServer = collections.namedtuple(
    "WebServer", "name program block pid_file reload_signal threads error_log access_log request",
    defaults=("run/error.log", "run/access.log", ""))

NGINX = WebServer("nginx", "nginx", "server", "run/nginx.pid", signal.SIGHUP, False)
PREFORK = WebServer("Apache prefork", "apache", "prefork", "run/httpd.pid", signal.SIGUSR1,
                    False)
EVENT = WebServer("Apache event", "apache", "event", "run/httpd.pid", signal.SIGUSR1, True)
HAPROXY = WebServer("HAProxy", "haproxy", "server", "run/haproxy.pid", signal.SIGUSR2, True,
                    "run/server.log", "run/server-0.out", " 200 TLSv1.3 ")


def text(recipe, name):
    """A file of the recipe's folder; "" when it is not there."""
    path = recipe.dir / name
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def lab_env(recipe):
    """The variables of lab/lab.env."""
    return dict(line.split("=", 1) for line in text(recipe, "lab/lab.env").splitlines()
                if "=" in line and not line.startswith("#"))


def children(pid):
    """Process IDs of the direct children that still live."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text(encoding="utf-8").rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(path.parent.name))
    return found


def stop_kme(recipe, name):
    """Kills the key server whose process ID is in this variable, and waits for its end."""
    pid = int(lab_env(recipe)[name])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid), f"end of {name}")


def misbehave(recipe, admin, kind, *options):
    """A rule of misbehaviour at the key server whose admin address is in this variable."""
    qkdctl("misbehave", "set", "--admin", lab_env(recipe)[admin], "--kind", kind, *options,
           check=True)


def load_command(recipe, connections, threads, retries, port=SERVER_PORT):
    return [str(HTTPS_LOAD), str(recipe.lab / "pki" / "ca.pem"), str(port), str(connections),
            str(threads), str(retries)]


class WebServerCase(RecipeCase):
    """Base of the tests of nginx, Apache, HAProxy and stunnel."""

    def prepare(self, recipe):
        if not is_35(recipe.openssl):
            recipe.run("openssl-3.0")

    def group(self, recipe):
        return "qkd_x25519mlkem768" if is_35(recipe.openssl) else "qkd_x25519"

    def check_handshakes(self, recipe, error_log, other_end, count):
        """So many keys of each role were delivered; the server's error log and the other end's
        QKD_LOG tell of the same ones."""
        self.check_keys(recipe, count, (other_end,))
        told = handshake_keys(text(recipe, error_log))
        self.assertEqual({key[0] for key in told}, {self.group(recipe)}, recipe.logs())
        self.assertEqual(sorted(key[2] for key in told),
                         sorted(key[2] for key in recipe.keys(other_end)))

    def check_gateway(self, recipe, error_log, count):
        """So many fetches through the recipe's gateway, each over a handshake with s_server."""
        self.prepare(recipe)
        recipe.server(SERVER_PORT, log="s_server")
        recipe.start("gateway", ready=GATEWAY_PORT)
        for _ in range(count):
            self.assertIn("s_server", recipe.run("fetch").stdout)
        self.check_handshakes(recipe, error_log, "s_server", count)

    def check_it_does_not_start(self, program, block, openssl):
        """A group that OpenSSL does not know, since nobody loads the provider, is an error."""
        with Recipe(program, openssl=openssl) as recipe:
            self.prepare(recipe)
            for sae in ("alice", "bob"):
                (recipe.lab / sae / "openssl.cnf").write_text("", encoding="ascii")
            process = recipe.start(block)
            self.assertNotEqual(process.wait(LIMIT_S), 0)
            said = recipe.output(process) + recipe.logs()
            self.assertIn(self.group(recipe), said)
            return said

    def check_that_the_first_server_decides(self, recipe, block):
        """Of two names on one port the first has X25519 and the second QKD; both get X25519."""
        recipe.start(block, ready=SERVER_PORT)
        for name in ("first.example", "localhost"):
            done, group = recipe.client(SERVER_PORT, options=("-groups", "qkd_x25519mlkem768:X25519",
                                                              "-servername", name))
            self.assertEqual((done.returncode, group), (0, "X25519"), done.stdout + recipe.logs())
        self.assertEqual(recipe.delivered("responder"), 0)

    def reason_line(self, recipe, error_log):
        """The line with the provider's reason, once it is written."""
        def find():
            return next((line for line in text(recipe, error_log).splitlines()
                         if ":qkd:" in line), None)
        return wait_until(find, f"a reason in {error_log}")
