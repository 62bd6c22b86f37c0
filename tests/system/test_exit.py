# SPDX-License-Identifier: Apache-2.0
"""Programs that exit with the provider loaded: as quietly as without it, whatever is open."""
import os
import pathlib
import re
import subprocess
import unittest

from harness import (LIMIT_S, OPENSSL35, SANITIZED, SYSTEM_OPENSSL, Lab, Server, child_env,
                     handshake_keys)

GROUPS = {OPENSSL35: "qkd_x25519mlkem768", SYSTEM_OPENSSL: "qkd_x25519"}

# Each is given the CA's certificate and a port, and exits with its connection open.
PYTHON = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
connection = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2])), 60),
                                 server_hostname="localhost")
print(connection.version())
"""
NODE = """
const [ca, port] = process.argv.slice(1);
const socket = require('node:tls').connect({
  host: '127.0.0.1', port: Number(port), servername: 'localhost',
  ca: require('node:fs').readFileSync(ca),
}, () => { console.log(socket.getProtocol()); process.exit(0); });
"""
# As PYTHON, while another thread waits for a key.
PYTHON_WAITING = """
import socket, ssl, sys, threading, time
context = ssl.create_default_context(cafile=sys.argv[1])
def connect():
    context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2])), 60),
                        server_hostname="localhost")
threading.Thread(target=connect, daemon=True).start()
time.sleep(0.3)
print("TLSv1.3")
"""
# The handshake is made by a child, and so is the one of the parent after it.
PYTHON_FORKED = """
import os
child = os.fork()
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""" + PYTHON.replace("print(", "child and print(")

LOADED_ONLY = "import ssl; print(ssl.create_default_context().protocol.name)"


def node_is_shared():
    done = subprocess.run(["node", "-p", "process.config.variables.node_shared_openssl"],
                          env=child_env(), capture_output=True, text=True, check=True,
                          timeout=LIMIT_S)
    return done.stdout.strip() == "true"


def s_client(openssl, ca, port):
    return [openssl.program, "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", ca,
            "-verify_return_error", "-verify_quiet", "-quiet", "-no_ign_eof"]


def python(program):
    return lambda openssl, ca, port: ["/usr/bin/python3", "-c", program, ca, str(port)]


def node(_, ca, port):
    return ["node", "--openssl-shared-config", "-e", NODE, ca, str(port)]


class ExitCase(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab())

    def conf(self, name, openssl, **settings):
        return self.lab.conf_with(name, groups=GROUPS[openssl], **settings)

    def server(self, openssl):
        return self.enterContext(Server(self.lab, "-groups", f"{GROUPS[openssl]}:X25519",
                                        conf=self.conf("bob", openssl, timeout_ms=20000),
                                        openssl=openssl))

    def run_program(self, command, openssl, conf, log=None):
        env = openssl.env(conf, log)
        if SANITIZED and command[0] != openssl.program:
            # What an interpreter keeps until its end looks lost; valgrind tells it from ours.
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False, timeout=5 * LIMIT_S)

    def openssls(self, program):
        """Those that it can run on; node with an OpenSSL of its own has only that 3.0."""
        if program is node and not node_is_shared():
            return (SYSTEM_OPENSSL,)
        return tuple(GROUPS)


class Exit(ExitCase):
    def check(self, program, handshakes=1):
        """It exits as it does without the provider, and had used it (`handshakes` times)."""
        for openssl in self.openssls(program):
            with self.subTest(openssl=openssl.program):
                server = self.server(openssl)
                command = program(openssl, self.lab.ca, server.port)
                log = self.lab.temp / f"{openssl.program.replace('/', '-')}.log"
                without = self.run_program(command, openssl, "/dev/null")
                done = self.run_program(command, openssl, self.conf("alice", openssl),
                                        f"info:{log}")
                self.assertEqual((done.returncode, done.stdout, done.stderr),
                                 (without.returncode, without.stdout, without.stderr))
                self.assertEqual(done.returncode, 0, done.stderr)
                keys = handshake_keys(log.read_text(encoding="utf-8"))
                self.assertEqual(len(keys), handshakes)

    def test_openssl_exits_as_without_the_provider(self):
        self.check(s_client)

    def test_python_exits_with_a_connection_open_as_without_the_provider(self):
        self.check(python(PYTHON))

    def test_python_exits_as_without_the_provider_when_it_was_only_loaded(self):
        self.check(python(LOADED_ONLY), handshakes=0)

    def test_a_forked_python_and_its_parent_exit_as_without_the_provider(self):
        self.check(python(PYTHON_FORKED), handshakes=2)

    @unittest.skipIf(SANITIZED, "V8 reserves address space that AddressSanitizer takes")
    def test_node_exits_with_a_connection_open_as_without_the_provider(self):
        self.check(node)

    def test_python_exits_while_a_thread_waits_for_the_key_server(self):
        for openssl in GROUPS:
            with self.subTest(openssl=openssl.program):
                server = self.server(openssl)
                self.lab.pause("kme-a")
                try:
                    done = self.run_program(
                        python(PYTHON_WAITING)(openssl, self.lab.ca, server.port), openssl,
                        self.conf("alice", openssl, timeout_ms=20000))
                finally:
                    self.lab.resume("kme-a")
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "TLSv1.3\n", ""))


@unittest.skipIf(SANITIZED, "valgrind cannot run a module built with AddressSanitizer")
class ExitUnderValgrind(ExitCase):
    """No invalid access, and no memory lost that code of ours had allocated. What the
    interpreters keep is theirs: Python's own objects are possibly lost by the hundred."""

    def check(self, program, openssls, **env):
        for openssl in openssls:
            with self.subTest(openssl=openssl.program):
                server = self.server(openssl)
                report = self.lab.temp / "report.valgrind"
                command = ["valgrind", "--vgdb=no", "--keep-debuginfo=yes", "--error-exitcode=99",
                           "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
                           "--errors-for-leak-kinds=none", f"--log-file={report}",
                           *program(openssl, self.lab.ca, server.port)]
                conf = self.conf("alice", openssl, timeout_ms=20000)
                done = subprocess.run(command, env={**openssl.env(conf), **env},
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                      check=False, timeout=5 * LIMIT_S)
                text = report.read_text(encoding="utf-8")
                self.assertEqual((done.returncode, done.stdout, done.stderr),
                                 (0, "TLSv1.3\n", ""), text)
                self.assertIn("ERROR SUMMARY: 0 errors", text)
                self.assertEqual([block for block in re.split(r"^==\d+== $\n", text, flags=re.M)
                                  if self.is_ours(block)], [])

    def is_ours(self, block):
        return "qkd.so" in block or any(f"({name}:" in block for name in self.sources)

    @classmethod
    def setUpClass(cls):
        root = pathlib.Path(__file__).resolve().parents[2]
        cls.sources = [path.name for room in ("base", "etsi", "net", "keys", "provider")
                       for path in (root / room).glob("*.c")]

    def test_python_loses_nothing_of_ours(self):
        self.check(python(PYTHON), GROUPS, PYTHONMALLOC="malloc")

    def test_node_loses_nothing_of_ours(self):
        self.check(node, self.openssls(node)[:1])  # slow: one of them
