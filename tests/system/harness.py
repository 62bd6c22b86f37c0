# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: laboratories, TLS servers and clients, metrics.

Everything is made in temporary folders and on free ports, and ends with its context manager.
CTest sets QKD_BUILD_DIR and QKD_OPENSSL_ROOT (and QKD_ASAN_RUNTIME for a build with
sanitizers); by hand, `. build/env.sh` is enough for the first.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from ports import PortBlock, free_ports  # noqa: F401 (free_ports is for the tests)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("QKD_BUILD_DIR", ROOT / "build"))
MODULES = BUILD / "lib" / "ossl-modules"
QKDCTL = BUILD / "bin" / "qkdctl"
QKD_KME = BUILD / "bin" / "qkd-kme"
ASAN_RUNTIME = os.environ.get("QKD_ASAN_RUNTIME", "")
SANITIZED = bool(ASAN_RUNTIME)

# How much longer everything may take; never a reason to assert on a time.
SLOWNESS = 4 if SANITIZED else 1
LIMIT_S = 20 * SLOWNESS


if not hasattr(unittest.TestCase, "enterContext"):  # before Python 3.11
    def _enter_context(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value
    unittest.TestCase.enterContext = _enter_context


class HarnessError(Exception):
    """Something that the test needs did not come about."""


def openssl_root():
    if "QKD_OPENSSL_ROOT" in os.environ:
        return pathlib.Path(os.environ["QKD_OPENSSL_ROOT"])
    cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    return pathlib.Path(re.search(r"^OPENSSL_ROOT_DIR:\w+=(.*)$", cache, re.M)[1])


class OpenSSL:
    """One OpenSSL installation: its program, and the environment that it needs."""

    def __init__(self, program, library_path=""):
        self.program = str(program)
        self.library_path = library_path

    @classmethod
    def at(cls, prefix):
        """The one below a prefix."""
        for name in ("lib", "lib64"):
            if prefix != pathlib.Path("/usr") and (prefix / name / "libcrypto.so").exists():
                return cls(prefix / "bin" / "openssl", str(prefix / name))
        return cls(prefix / "bin" / "openssl")

    def env(self, conf=None, log=None, **more):
        """The environment of a program that loads qkd.so into this OpenSSL."""
        env = child_env(OPENSSL_MODULES=str(MODULES))
        if self.library_path:
            env["LD_LIBRARY_PATH"] = self.library_path
        if SANITIZED:
            env["LD_PRELOAD"] = ASAN_RUNTIME
        if conf:
            env["OPENSSL_CONF"] = str(conf)
        if log:
            env["QKD_LOG"] = log
        env.update(more)
        return env

    def version(self):
        """For example (3, 5, 7)."""
        text = subprocess.run([self.program, "version"], env=self.env(OPENSSL_CONF="/dev/null"),
                              capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout
        return tuple(int(part) for part in re.match(r"OpenSSL (\d+)\.(\d+)\.(\d+)", text).groups())


def is_gone(pid):
    """Whether a process has ended, and let go of its files and ports."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def child_env(**more):
    """This process's environment without what would decide which OpenSSL a child uses."""
    env = {name: value for name, value in os.environ.items()
           if name not in ("LD_LIBRARY_PATH", "LD_PRELOAD", "OPENSSL_CONF", "OPENSSL_MODULES",
                           "QKD_LOG", "PYTHONPATH")}
    env.update(more)
    return env


OPENSSL35 = OpenSSL.at(openssl_root())
SYSTEM_OPENSSL = OpenSSL("/usr/bin/openssl")


def check_sanitizers(what, text):
    """HarnessError when a sanitizer has reported anything in this output."""
    match = re.search(r"^.*(?:(?:Address|Leak|Thread)Sanitizer|runtime error:).*$", text, re.M)
    if match:
        raise HarnessError(f"{what}: {match[0]}\n{text}")


def wait_until(condition, what, limit_s=LIMIT_S):
    """The first true value of condition(), asked again and again until the limit."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise HarnessError(f"{what}: not within {limit_s} s")
        time.sleep(0.01)


# --- programs ------------------------------------------------------------------------------

def qkdctl(*words, conf=None, check=False, program=QKDCTL, **more):
    """Runs qkdctl; the CompletedProcess with text output."""
    env = child_env(**({"OPENSSL_CONF": str(conf)} if conf else {}), **more)
    done = subprocess.run([program, *map(str, words)], env=env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=3 * LIMIT_S, check=False)
    if check and done.returncode != 0:
        raise HarnessError(f"qkdctl {' '.join(map(str, words))}: exit {done.returncode}\n"
                           f"{done.stdout}{done.stderr}")
    return done


def http_get(url):
    """Body of a plain HTTP answer, whatever its code."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=LIMIT_S) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()


_SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)$')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def metric(admin_url, name, **labels):
    """The sum of a metric over all label sets that contain these labels. A metric that the
    server does not have at all is an error; one without these labels is 0."""
    total, known = 0.0, False
    for line in http_get(admin_url + "/metrics").splitlines():
        sample = _SAMPLE.match(line)
        if not sample or sample[1] != name:
            continue
        known = True
        have = dict(_LABEL.findall(sample[2] or ""))
        if all(have.get(key) == str(value) for key, value in labels.items()):
            total += float(sample[3])
    if not known:
        raise HarnessError(f"{admin_url}/metrics has no {name}")
    return total


def delivered(lab, role):
    """Keys that both key servers of a lab delivered in one role."""
    return sum(metric(url, "qkd_kme_keys_delivered_total", api="014", role=role)
               for url in (lab.kme_a_admin, lab.kme_b_admin))


# --- laboratory ----------------------------------------------------------------------------

class Lab:
    """A laboratory in a temporary folder, initialised and up (up=False: only initialised), by
    `program`, a qkdctl.

    Attributes: dir, base_port, kme_a_014, kme_b_014, kme_a_004, kme_b_004, kme_a_admin,
    kme_b_admin, ca. Servers are named "kme-a" and "kme-b", SAEs "alice" and "bob".
    """

    def __init__(self, initiator="client", up=True, program=QKDCTL, **init_options):
        self._program = program
        self._words = ["--initiator", initiator]
        for name, value in init_options.items():
            self._words += ["--" + name.replace("_", "-"), str(value)]
        self._up = up
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._enter()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _enter(self):
        folder = tempfile.mkdtemp(prefix="qkd-lab-")
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        ports = PortBlock()
        self._stack.callback(ports.close)
        self.base_port = ports.base
        self.dir = pathlib.Path(folder) / "lab"
        self.temp = pathlib.Path(folder)
        self._qkdctl("init", "--base-port", ports.base, *self._words)
        self._read_env()
        self.ca = str(self.dir / "pki" / "ca.pem")
        self._stack.callback(self._end_servers)
        if self._up:
            self.up()

    def __exit__(self, *_):
        with self._stack:
            self._end_servers()
            logs = {name: self.log(name) for name in ("kme-a", "kme-b")}
        for name, log in logs.items():
            check_sanitizers(name, log)

    def _read_env(self):
        self.env_file = dict(line.split("=", 1) for line in
                             (self.dir / "lab.env").read_text(encoding="utf-8").splitlines()
                             if "=" in line and not line.startswith("#"))
        for name in ("KME_A_014", "KME_B_014", "KME_A_004", "KME_B_004", "KME_A_ADMIN",
                     "KME_B_ADMIN"):
            setattr(self, name.lower(), self.env_file[name])

    def _qkdctl(self, verb, *words):
        qkdctl("lab", verb, self.dir, *words, check=True, program=self._program)

    def up(self):
        """qkdctl lab up; also starts the one that is missing."""
        self._qkdctl("up")
        self._read_env()

    def down(self):
        """qkdctl lab down."""
        self._qkdctl("down")
        self._read_env()

    def _end_servers(self):
        for name in ("kme-a", "kme-b"):
            with contextlib.suppress(HarnessError, ProcessLookupError):
                self.resume(name)
        qkdctl("lab", "down", self.dir, program=self._program)

    # Files.

    def pki(self, name):
        """(certificate, key) of ca, kme-a, kme-b, alice, bob or localhost."""
        folder = self.dir / "pki"
        return str(folder / f"{name}.pem"), str(folder / f"{name}.key")

    def conf(self, name):
        """The openssl.cnf of alice or bob."""
        return str(self.dir / name / "openssl.cnf")

    def conf_with(self, name, groups=None, remove=(), extra="", **settings):
        """An altered copy of an SAE's openssl.cnf: provider settings by name (timeout_ms is
        timeout-ms), `remove` names settings to leave out, `extra` is added to the provider's
        section, `groups` replaces the Groups line."""
        text = pathlib.Path(self.conf(name)).read_text(encoding="utf-8")
        if groups is not None:
            text = re.sub(r"^Groups = .*$", f"Groups = {groups}", text, flags=re.M)
        for setting in remove:
            text = re.sub(rf"^{re.escape(setting)} = .*\n", "", text, flags=re.M)
        lines = [extra] if extra else []
        for key, value in settings.items():
            setting = key.replace("_", "-")
            text = re.sub(rf"^{re.escape(setting)} = .*\n", "", text, flags=re.M)
            lines.append(f"{setting} = {value}")
        added = "".join(line + "\n" for line in lines)
        text = text.replace("[qkd_provider]\n", "[qkd_provider]\n" + added, 1)
        handle, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".cnf", dir=self.temp)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    # Key servers.

    def pid(self, name):
        """The process ID of a key server; HarnessError when it has none."""
        try:
            return int((self.dir / f"{name}.pid").read_text(encoding="ascii"))
        except FileNotFoundError:
            raise HarnessError(f"{name} is not up") from None

    def log(self, name):
        """All that a key server has logged; "" before it was ever started."""
        path = self.dir / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def stop(self, name, signum=signal.SIGTERM):
        """Ends one key server and waits until it is gone."""
        pid = self.pid(name)
        os.kill(pid, signum)
        wait_until(lambda: is_gone(pid), f"end of {name}")

    def kill(self, name):
        """Ends one key server without a chance to clean up."""
        self.stop(name, signal.SIGKILL)

    def start(self, name):
        """Starts a key server that was stopped, and waits until keys flow again."""
        if not is_gone(self.pid(name)):
            raise HarnessError(f"{name} runs already")
        self.up()

    def pause(self, name):
        """Stops a key server in its tracks: connections stay, nothing is answered."""
        os.kill(self.pid(name), signal.SIGSTOP)

    def resume(self, name):
        os.kill(self.pid(name), signal.SIGCONT)


# --- TLS programs --------------------------------------------------------------------------

class Server:
    """openssl s_server on a free port, with bob's configuration unless another is given.

    What it prints goes to files: stdout() and stderr(); log() is its QKD_LOG at level debug.
    Its standard input stays open: send() writes to all its clients.
    """

    def __init__(self, lab, *options, conf=None, openssl=OPENSSL35, log_level="debug", env=None):
        self._lab = lab
        self._options = options
        self._conf = conf or lab.conf("bob")
        self._openssl = openssl
        self._log_level = log_level
        self._more_env = env or {}

    def __enter__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="server-", dir=self._lab.temp))
        cert, key = self._lab.pki("localhost")
        command = [self._openssl.program, "s_server", "-accept", "127.0.0.1:0", "-cert", cert,
                   "-key", key, "-tls1_3", *self._options]
        env = self._openssl.env(self._conf, f"{self._log_level}:{self._folder}/log",
                                **self._more_env)
        with open(self._folder / "out", "wb") as out, open(self._folder / "err", "wb") as err:
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=out,
                                            stderr=err)
        try:
            self.port = wait_until(self._accepting, "s_server accepting")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _accepting(self):
        if self.process.poll() is not None:
            raise HarnessError(f"s_server ended with {self.process.returncode}:\n"
                               f"{self.stdout()}{self.stderr()}")
        match = re.search(r"^ACCEPT .*:(\d+)", self.stdout(), re.M)
        return int(match[1]) if match else None

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdin.close()
        check_sanitizers("s_server", self.stderr())

    def _read(self, name):
        path = self._folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def stdout(self):
        return self._read("out")

    def stderr(self):
        return self._read("err")

    def log(self):
        return self._read("log")

    def send(self, line):
        """Writes a line to the client that is connected."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait_for_output(self, text):
        """Returns when the server has printed this (on either stream)."""
        wait_until(lambda: text in self.stdout() or text in self.stderr(), f"s_server: {text!r}")


class ClientResult:
    """What s_client did: returncode, stdout, stderr, log (its QKD_LOG), group (or None) and
    connected (whether the handshake completed)."""

    def __init__(self, returncode, stdout, stderr, log, elapsed_s):
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        self.log = log
        self.elapsed_s = elapsed_s
        self.group = negotiated_group(stdout)
        # s_client prints the session of a handshake that failed half way, too.
        self.connected = (returncode == 0 and
                          re.search(r"^(New|Reused), TLSv1\.3,", stdout, re.M) is not None)

    def __str__(self):
        return (f"s_client: exit {self.returncode}, group {self.group}\n--- stdout\n{self.stdout}"
                f"\n--- stderr\n{self.stderr}\n--- log\n{self.log}")


def negotiated_group(stdout):
    """The group as s_client reports it: 3.2 and later by name; earlier ones cannot name a
    provider's group, then None."""
    match = (re.search(r"^Negotiated TLS1\.3 group: (\S+)$", stdout, re.M) or
             re.search(r"^Server Temp Key: (\S+?)(?:,.*)?$", stdout, re.M) or
             re.search(r"^Peer Temp Key: (\S+?)(?:,.*)?$", stdout, re.M))
    if not match or match[1] in ("<NULL>", "unknown"):
        return None
    return match[1]


def run_client(lab, port, *options, conf=None, groups=None, openssl=OPENSSL35, line="hello",
               expect=None, log_level="debug", env=None, limit_s=LIMIT_S):
    """openssl s_client with alice's configuration unless another is given, verifying the
    server. Sends one line and ends its input, or, with `expect`, keeps the connection until
    that text has come. Returns a ClientResult."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="client-", dir=lab.temp))
    command = [openssl.program, "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3",
               "-CAfile", lab.ca, "-verify_return_error", "-verify_hostname", "localhost",
               "-servername", "localhost", *options]
    if groups:
        command += ["-groups", groups]
    full_env = openssl.env(conf or lab.conf("alice"), f"{log_level}:{folder}/log", **(env or {}))
    begin = time.monotonic()
    with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
        process = subprocess.Popen(command, env=full_env, stdin=subprocess.PIPE, stdout=out,
                                   stderr=err)
    try:
        _converse(process, folder / "out", line, expect, limit_s)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    elapsed_s = time.monotonic() - begin
    texts = [(folder / name).read_text(encoding="utf-8", errors="replace")
             if (folder / name).exists() else "" for name in ("out", "err", "log")]
    check_sanitizers("s_client", texts[1])
    return ClientResult(process.returncode, *texts, elapsed_s)


def _converse(process, out, line, expect, limit_s):
    with contextlib.suppress(BrokenPipeError):
        with process.stdin as stdin:
            if line is not None:
                stdin.write(line.encode() + b"\n")
                stdin.flush()
            if expect is not None:
                wait_until(lambda: process.poll() is not None or
                           expect in out.read_text(encoding="utf-8", errors="replace"),
                           f"s_client: {expect!r}", limit_s)
    process.wait(limit_s)


# --- logs ----------------------------------------------------------------------------------

_KEY_LINE = re.compile(r"handshake key (\S+) role=(initiator|responder) key_id=([0-9a-f-]{36}) "
                       r"kme=(\S+)")


def handshake_keys(log):
    """[(group, role, key ID, KME URL)] of the handshakes that a QKD_LOG tells of, in order."""
    return _KEY_LINE.findall(log)
