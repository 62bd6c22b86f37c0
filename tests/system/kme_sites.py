# SPDX-License-Identifier: Apache-2.0
"""Two key servers with more SAEs than a laboratory has, a link that a test can hold or cut, and
clients that are not ours: curl, and TLS sockets for what curl would not send."""
import base64
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import unittest

import harness

NOT_FOUND = "one or more keys specified are not found on KME"
PATH = "/api/v1/keys/"


class Answer:
    """An HTTP answer; header names in lower case."""

    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    def json(self):
        return json.loads(self.body)

    def message(self):
        return self.json()["message"]

    def keys(self):
        """[(key_ID, octets)] in the order of the answer."""
        return [(key["key_ID"], base64.b64decode(key["key"], validate=True))
                for key in self.json()["keys"]]

    def __repr__(self):
        return f"{self.code} {self.headers} {self.body!r}"


def parse_answers(octets):
    """All answers in what a connection gave, interim ones included."""
    answers = []
    while octets:
        head, _, rest = octets.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, value in
                   (line.split(":", 1) for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        answers.append(Answer(int(lines[0].split()[1]), headers, rest[:length]))
        octets = rest[length:]
    return answers


class Case(unittest.TestCase):
    """A test with two sites of its own."""

    def sites(self, **options):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        return stack.enter_context(Sites(**options))

    def assert_refused(self, answer, code, message=None):
        self.assertEqual(answer.code, code, answer)
        self.assertEqual(answer.headers["content-type"], "application/json")
        if message is not None:
            self.assertEqual(answer.message(), message)
        else:
            self.assertTrue(answer.message())


class Relay:
    """A TCP relay between the two key servers; what goes to the listening one can be held."""

    def __init__(self, port, to):
        self._to = to
        self._open = threading.Event()
        self._open.set()
        self._refusing = False
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._refusing:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    near.close()
                    continue
                self._sockets += [near, far]
                for one, other, gated in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pump, args=(one, other, gated),
                                     daemon=True).start()

    def _pump(self, one, other, gated):
        with contextlib.suppress(OSError):
            while True:
                octets = one.recv(65536)
                if gated:
                    self._open.wait()
                if not octets:
                    break
                other.sendall(octets)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hold(self):
        """From now on nothing arrives at the listening end."""
        self._open.clear()

    def release(self):
        self._open.set()

    def cut(self):
        """Ends the connection, losing what is held, and lets no new one through."""
        self._refusing = True
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets = []
        self._open.set()

    def mend(self):
        self._refusing = False

    def close(self):
        self._listener.close()
        self.cut()


class Sites(harness.Lab):
    """A laboratory with SAEs alice and mallory at kme-a, bob and carol at kme-b, and a relay in
    the link. `limits` and `link` change members of those groups at both key servers. Those named
    in `durable` keep their key material in a sealed file, the others in memory."""

    SAES = {"kme-a": ["alice", "mallory"], "kme-b": ["bob", "carol"]}
    RELAY_OFFSET = 15

    WINDOW_BITS = 131072

    def __init__(self, limits=None, link=None, saes=None, up=True, durable=()):
        super().__init__(up=False)
        self._limits, self._link, self._start = limits or {}, link or {}, up
        self._saes = saes or self.SAES
        self._durable = durable

    def _enter(self):
        super()._enter()
        self.relay = Relay(self.base_port + self.RELAY_OFFSET, self.base_port + 13)
        self._stack.callback(self.relay.close)
        for name in ("kme-a", "kme-b"):
            self._write_config(name)
        for names in self._saes.values():
            for name in names:
                if name not in ("alice", "bob") and re.fullmatch("[a-z]+", name):
                    self.issue(name, name)
        if self._start:
            self.up()

    def _end_servers(self):
        super()._end_servers()
        for name in ("kme-a", "kme-b"):
            if (self.dir / f"{name}.log").exists() and re.search(
                    "Sanitizer|runtime error", self.log(name)):
                raise harness.HarnessError(self.log(name))

    def config(self, name):
        return self.dir / f"{name}.conf"

    def _write_config(self, name):
        other = "kme-b" if name == "kme-a" else "kme-a"
        text = self.config(name).read_text(encoding="utf-8")
        saes = ", ".join(f'{{ id = "{sae}"; }}' for sae in self._saes[name])
        peers = ", ".join(f'"{sae}"' for sae in self._saes[other])
        text = re.sub(r"^saes = .*$", lambda _: f"saes = ( {saes} );", text, flags=re.M)
        text = re.sub(r"^( *peer_saes =).*$", lambda m: f"{m[1]} ( {peers} );", text, flags=re.M)
        if name == "kme-a":
            text = re.sub(r"^( *connect =).*$",
                          rf'\1 "127.0.0.1:{self.base_port + self.RELAY_OFFSET}";', text,
                          flags=re.M)
        for key, value in self._link.items():
            text = re.sub(rf"^( *{key} =) \d+;", rf"\1 {value};", text, flags=re.M)
        text = re.sub(r"^store = .*\n", "", text, flags=re.M)
        if name in self._durable:
            key_file = self.dir / f"{name}.store-key"
            if not key_file.exists():
                key_file.write_bytes(os.urandom(32))
                key_file.chmod(0o600)
            text += (f'store = {{ path = "{name}.db"; key_file = "{name}.store-key"; '
                     f'window_bits = {self.WINDOW_BITS}; }};\n')
        limits = " ".join(f"{key} = {value};" for key, value in self._limits.items())
        self.config(name).write_text(f"{text}limits = {{ {limits} }};\n", encoding="utf-8")

    def edit(self, name, pattern, replacement):
        """Changes the configuration file of a key server; the pattern must be there."""
        text = self.config(name).read_text(encoding="utf-8")
        changed, count = re.subn(pattern, replacement, text, flags=re.M)
        if count == 0:
            raise harness.HarnessError(f"{pattern} is not in {self.config(name)}")
        self.config(name).write_text(changed, encoding="utf-8")

    def reload(self, name, expect="the configuration was read again"):
        """SIGHUP, and waits for what the key server says to it."""
        before = self.log(name).count(expect)
        os.kill(self.pid(name), signal.SIGHUP)
        harness.wait_until(lambda: self.log(name).count(expect) > before, expect)

    def stock(self, bits, site="a"):
        """Waits until initiators of a site can reserve so many bits."""
        harness.wait_until(lambda: self.metric(site, "qkd_kme_available_bits") >= bits, "key bits")

    def freeze(self):
        """Stops the simulated quantum channel, so that only reservations change the stores."""
        for site in "ab":
            self.stock(64 * 256, site)
        for name in ("kme-a", "kme-b"):
            self.edit(name, r"^( *simulated_rate_bps =) \d+;", r"\1 0;")
            self.reload(name)
        harness.wait_until(lambda: self.generated("a") == self.generated("b"), "all acknowledged")

    def generated(self, site):
        return self.metric(site, "qkd_kme_generated_bits_total")

    def metric(self, site, name, **labels):
        return harness.metric(getattr(self, f"kme_{site}_admin"), name, **labels)

    def wait_for_link(self, up):
        for site in "ab":
            harness.wait_until(lambda site=site: self.metric(site, "qkd_kme_link_up") == up,
                               f"link_up {up} at kme-{site}")

    # Certificates.

    def issue(self, name, *common_names, ca=None, extensions=(), options=()):
        """A certificate with these CNs, from the laboratory's authority unless another is named."""
        folder = pathlib.Path(ca or self.dir / "pki")
        target = self.dir / "pki"
        config = target / f"{name}.cnf"
        names = "\n".join(f"{i}.commonName = {cn}" for i, cn in enumerate(common_names))
        lines = "\n".join(extensions or ("extendedKeyUsage = clientAuth",))
        config.write_text(f"[req]\nprompt = no\ndistinguished_name = dn\n[dn]\n"
                          f"{names or 'organizationName = none'}\n[ext]\n{lines}\n",
                          encoding="utf-8")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-config", config, "-utf8", "-keyout", target / f"{name}.key",
                      "-out", target / f"{name}.csr")
        self._openssl("x509", "-req", "-in", target / f"{name}.csr", "-CA", folder / "ca.pem",
                      "-CAkey", folder / "ca.key", "-out", target / f"{name}.pem",
                      "-extfile", config, "-extensions", "ext", *(options or ("-days", "2")))

    def foreign_authority(self):
        """The folder of an authority that nobody trusts."""
        folder = self.temp / "foreign"
        folder.mkdir()
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-subj", "/CN=foreign", "-days", "2", "-config", "/dev/null",
                      "-addext", "basicConstraints = critical, CA:TRUE",
                      "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
        return folder

    @staticmethod
    def _openssl(*words):
        program = harness.OPENSSL35
        env = harness.child_env(OPENSSL_CONF="/dev/null")
        if program.library_path:
            env["LD_LIBRARY_PATH"] = program.library_path
        done = subprocess.run([program.program, *map(str, words)], env=env, capture_output=True,
                              text=True, timeout=harness.LIMIT_S, check=False)
        if done.returncode != 0:
            raise harness.HarnessError(done.stderr)

    # Calls.

    def site_of(self, sae):
        return "b" if sae in self._saes["kme-b"] else "a"

    def url(self, site):
        return self.kme_a_014 if site == "a" else self.kme_b_014

    def call(self, sae, path, data=None, site=None, headers=(), method=None, options=()):
        """One request with curl. `data` makes it a POST: an object is sent as JSON."""
        url = self.url(site or self.site_of(sae)) + PATH + path
        cert, key = self.pki(sae)
        command = ["curl", "-sS", "-i", "--noproxy", "*", "--path-as-is", "--cacert", self.ca,
                   "--cert", cert, "--key", key, "--max-time", str(harness.LIMIT_S),
                   "-o", "-", *options, url]
        if data is not None:
            text = data if isinstance(data, (str, bytes)) else json.dumps(data)
            command += ["--data-binary", "@-", "-H", "Content-Type: application/json"]
        if method:
            command += ["-X", method]
        for header in headers:
            command += ["-H", header]
        body = b"" if data is None else text if isinstance(text, bytes) else text.encode()
        done = subprocess.run(command, input=body, capture_output=True, env=harness.child_env(),
                              check=False, timeout=2 * harness.LIMIT_S)
        if done.returncode != 0:
            raise harness.HarnessError(f"curl: {done.stderr.decode()}")
        return parse_answers(done.stdout)[-1]

    def reserve(self, number=1, size=256, sae="alice", peer="bob"):
        """[(key_ID, octets)] of a reservation that must succeed."""
        self.stock(number * -(-size // 256) * 256, self.site_of(sae))
        answer = self.call(sae, f"{peer}/enc_keys?number={number}&size={size}")
        if answer.code != 200:
            raise harness.HarnessError(f"reservation: {answer}")
        return answer.keys()

    def claim(self, *ids, sae="bob", peer="alice"):
        """The answer to POST dec_keys."""
        return self.call(sae, f"{peer}/dec_keys", {"key_IDs": [{"key_ID": one} for one in ids]})

    def stored(self, sae="alice", peer="bob"):
        return self.call(sae, f"{peer}/status").json()["stored_key_count"]

    # TLS sockets.

    def tls_context(self, sae, low=None, high=None):
        context = ssl.create_default_context(cafile=self.ca)
        if low:
            context.minimum_version = low
        if high:
            context.maximum_version = high
        if sae:
            context.load_cert_chain(*self.pki(sae))
        return context

    def connect(self, sae, context=None, site=None, session=None):
        """A TLS connection to the key server of an SAE."""
        port = int(self.url(site or self.site_of(sae)).rsplit(":", 1)[1])
        raw = socket.create_connection(("127.0.0.1", port), timeout=harness.LIMIT_S)
        try:
            return (context or self.tls_context(sae)).wrap_socket(
                raw, server_hostname="localhost", session=session)
        except BaseException:
            raw.close()
            raise


def request(path, method="GET", body=b"", headers=()):
    """The octets of a request."""
    lines = [f"{method} {PATH}{path} HTTP/1.1", "Host: localhost", *headers]
    if body and not any(line.lower().startswith("transfer-encoding") for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_answers(connection, count):
    """Reads whole answers until there are so many."""
    octets = b""
    while True:
        with contextlib.suppress(ValueError, IndexError):
            answers = parse_answers(octets)
            if len(answers) >= count and all(
                    len(one.body) == int(one.headers.get("content-length", 0)) for one in answers):
                return answers
        more = connection.recv(65536)
        if not more:
            raise harness.HarnessError(f"the connection ended after {octets!r}")
        octets += more


def exchange(connection, *octets, count=1):
    """Sends each piece by itself, then reads."""
    for piece in octets:
        connection.sendall(piece)
    return read_answers(connection, count)
