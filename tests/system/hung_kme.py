# SPDX-License-Identifier: Apache-2.0
"""A web server while its key server takes requests and never answers: what other connections
notice."""
import http.client
import re
import select

from harness import LIMIT_S, HarnessError, metric, wait_until
from web_servers import lab_env, misbehave

PLAIN_PORT = 8445
NEVER_MS = "600000"


def edit(recipe, name, pattern, text):
    """Replaces the one line of a file of the recipe that is like this."""
    path = recipe.dir / name
    changed, count = re.subn(pattern, text, path.read_text(encoding="utf-8"), flags=re.M)
    if count != 1:
        raise HarnessError(f"{name} has {count} lines like {pattern}")
    path.write_text(changed, encoding="utf-8")


def set_timeout(recipe, timeout_ms):
    edit(recipe, "lab/bob/openssl.cnf", r"^timeout-ms = .*$", f"timeout-ms = {timeout_ms}")


def adapt_nginx(recipe, workers, timeout_ms):
    """So many workers, this time budget, and a port for plain HTTP beside."""
    edit(recipe, "nginx.conf", r"^worker_processes .*;", f"worker_processes {workers};")
    edit(recipe, "nginx.conf", r"^( *)listen 127\.0\.0\.1:8443 ssl;",
         rf"\g<0>\n\1listen 127.0.0.1:{PLAIN_PORT};")
    set_timeout(recipe, timeout_ms)


def adapt_apache(recipe, timeout_ms):
    """This time budget, and a port for plain HTTP beside."""
    edit(recipe, "server.conf", r"^Listen .*$",
         rf"\g<0>\nListen 127.0.0.1:{PLAIN_PORT}\n<VirtualHost *:{PLAIN_PORT}>\n"
         r"SSLEngine off\n</VirtualHost>")
    set_timeout(recipe, timeout_ms)


def adapt_haproxy(recipe, threads, timeout_ms):
    """So many threads, this time budget, and a port for plain HTTP beside."""
    edit(recipe, "haproxy.cfg", r"^( *)nbthread .*$", rf"\1nbthread {threads}")
    edit(recipe, "haproxy.cfg", r"^( *)bind 127\.0\.0\.1:8443 .*$",
         rf"\g<0>\n\1bind 127.0.0.1:{PLAIN_PORT}")
    set_timeout(recipe, timeout_ms)


def hang(recipe):
    """From now on bob's key server keeps silent when it is asked for the key of a handshake."""
    misbehave(recipe, "KME_B_ADMIN", "delay", "--method", "dec_keys", "--ms", NEVER_MS)


def hung_calls(recipe):
    """How many calls the key server has kept waiting."""
    return metric(lab_env(recipe)["KME_B_ADMIN"], "qkd_kme_misbehaved_total", kind="delay")


class KeptConnection:
    """Plain HTTP on one connection, which stays with the worker that accepted it."""

    def __enter__(self):
        self._http = http.client.HTTPConnection("127.0.0.1", PLAIN_PORT, timeout=LIMIT_S)
        self._http.connect()
        return self

    def __exit__(self, *_):
        self._http.close()

    def ask(self):
        """Sends a request, whose answer will make fileno() readable."""
        self._http.request("GET", "/")

    def fileno(self):
        return self._http.sock.fileno()

    def get(self):
        """The status of an answer."""
        self.ask()
        answer = self._http.getresponse()
        answer.read()
        return answer.status


def wait_for_answers(connections, count):
    """Asks on all these connections; returns when so many of them have an answer."""
    for one in connections:
        one.ask()
    wait_until(lambda: len(select.select(connections, [], [], 0)[0]) >= count,
               f"answers on {count} of {len(connections)} connections")
