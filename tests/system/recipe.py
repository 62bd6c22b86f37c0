# SPDX-License-Identifier: Apache-2.0
"""Runs the recipes of examples/ as they stand: their files, and the commands of their READMEs.

A fenced block of a README whose info string is `sh NAME` is block NAME. Blocks run in a copy of
the recipe's folder, with the environment of build/env.sh (or of the system's OpenSSL), and with
a laboratory in ./lab.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import own_net
from harness import (BUILD, LIMIT_S, MODULES, OPENSSL35, ROOT, HarnessError, child_env,
                     handshake_keys, metric, negotiated_group, qkdctl, wait_until)

# (API, initiator): the three ways to a QKD key.
FLOWS = (("014", "client"), ("014", "server"), ("004", "client"))

EXAMPLES = ROOT / "examples"
_BLOCK = re.compile(r"^```sh (\S+)\n(.*?)^```$", re.M | re.S)


def blocks(program):
    """{name: shell text} of a recipe's README, in its order."""
    found = _BLOCK.findall((EXAMPLES / program / "README.md").read_text(encoding="utf-8"))
    if len({name for name, _ in found}) != len(found):
        raise HarnessError(f"examples/{program}/README.md has two blocks of one name")
    return dict(found)


def is_35(openssl):
    return openssl is OPENSSL35


class Recipe:
    """One program's recipe, with a laboratory that is up. QKD_LOG of whatever is started goes
    to log files unless a block sets it: log(name)."""

    def __init__(self, program, api="014", initiator="client", openssl=OPENSSL35, groups=None,
                 **lab_options):
        self.program = program
        self.openssl = openssl
        self.blocks = blocks(program)
        self._words = ["--api", api, "--initiator", initiator]
        groups = groups or (None if is_35(openssl) else "qkd_x25519")
        if groups:
            self._words += ["--groups", groups]
        for name, value in lab_options.items():
            self._words += ["--" + name.replace("_", "-"), str(value)]
        self._started = []

    def __enter__(self):
        own_net.enter()
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix=f"qkd-{self.program}-"))
        self._folder.chmod(0o755)  # a server that drops root must reach its files
        self.dir = self._folder / self.program
        shutil.copytree(EXAMPLES / self.program, self.dir)
        (self.dir / "run").mkdir(exist_ok=True)
        self.lab = self.dir / "lab"
        try:
            qkdctl("lab", "init", self.lab, *self._words, check=True)
            qkdctl("lab", "up", self.lab, check=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process, _ in reversed(self._started):
            _end(process)
        if self.lab.exists():
            qkdctl("lab", "down", self.lab)
        shutil.rmtree(self._folder, ignore_errors=True)

    def environment(self, sae=None, log=None, **more):
        """That of a program of the administrator's: build/env.sh of the chosen OpenSSL. With
        `sae`, OPENSSL_CONF is that SAE's; with `log`, QKD_LOG goes to that file's name."""
        env = child_env(OPENSSL_MODULES=str(MODULES))
        # Debian has /usr/sbin in the path of root only, and servers in it.
        env["PATH"] = (f"{BUILD / 'bin'}:{pathlib.Path(self.openssl.program).parent}:"
                       f"{env['PATH']}:/usr/sbin")
        if self.openssl.library_path:
            env["LD_LIBRARY_PATH"] = self.openssl.library_path
        if sae:
            env["OPENSSL_CONF"] = str(self.lab / sae / "openssl.cnf")
        if log:
            env["QKD_LOG"] = f"info:{self.dir / 'run' / log}.qkd"
        env.update(more)
        return env

    def start(self, block, ready=None, log=None, **more):
        """Runs a block in the background until this recipe ends. `ready`: a port that must
        answer, or a condition. Returns the process; output(process) is what it printed."""
        path = self.dir / "run" / f"{block}-{len(self._started)}.out"
        with open(path, "wb") as out:
            process = subprocess.Popen(["bash", "-euc", "exec 2>&1\n" + self.blocks[block]],
                                       cwd=self.dir, env=self.environment(log=log, **more),
                                       stdin=subprocess.DEVNULL, stdout=out,
                                       start_new_session=True)
        self._started.append((process, path))
        if isinstance(ready, int):
            wait_until(lambda: self._listens(process, ready), f"{block} on port {ready}")
        elif ready:
            wait_until(ready, f"{block} ready")
        return process

    def _listens(self, process, port):
        if process.poll() not in (None, 0):
            raise HarnessError(f"it ended with {process.returncode}:\n{self.output(process)}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    def stop(self, process):
        """Ends a block that was started, and everything that it started."""
        _end(process)

    def output(self, process):
        path = next(path for one, path in self._started if one is process)
        return path.read_text(encoding="utf-8", errors="replace")

    def run(self, block, log=None, check=True, **more):
        """Runs a block to its end; the CompletedProcess with text output."""
        done = subprocess.run(["bash", "-euc", self.blocks[block]], cwd=self.dir,
                              env=self.environment(log=log, **more), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace",
                              timeout=3 * LIMIT_S, check=False)
        if check and done.returncode != 0:
            raise HarnessError(f"block {block} of {self.program}: exit {done.returncode}\n"
                               f"{done.stdout}{done.stderr}\n{self.logs()}")
        return done

    def log(self, name):
        """What QKD_LOG wrote to a log of that name; "" before anything did."""
        path = self.dir / "run" / f"{name}.qkd"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def logs(self):
        """Everything that was written below ./run, for the message of a failed test."""
        return "".join(f"--- {path.name}\n{path.read_text(encoding='utf-8', errors='replace')}"
                       for path in sorted((self.dir / "run").iterdir()) if path.is_file())

    def keys(self, name):
        """[(group, role, key ID, KME URL)] of the handshakes in log(name)."""
        return handshake_keys(self.log(name))

    def delivered(self, role):
        """Keys that both key servers delivered in one role, by both standards."""
        env = dict(line.split("=", 1) for line in
                   (self.lab / "lab.env").read_text(encoding="utf-8").splitlines() if "=" in line)
        return sum(metric(env[admin], "qkd_kme_keys_delivered_total", role=role)
                   for admin in ("KME_A_ADMIN", "KME_B_ADMIN"))

    # The other end, where the recipe's program is only one of the two.

    def client(self, port, sae="alice", request="GET / HTTP/1.0\r\n\r\n", log="s_client",
               options=()):
        """The unmodified s_client; (CompletedProcess, negotiated group or None before 3.2)."""
        command = [self.openssl.program, "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
                   str(self.lab / "pki" / "ca.pem"), "-verify_return_error",
                   "-verify_hostname", "localhost", "-servername", "localhost", "-ign_eof",
                   *options]
        done = subprocess.run(command, env=self.environment(sae, log), input=request,
                              capture_output=True, text=True, errors="replace", timeout=LIMIT_S,
                              check=False)
        return done, negotiated_group(done.stdout)

    def server(self, port, sae="bob", log="s_server", options=("-www",)):
        """The unmodified s_server in the background; -www answers any request with a page."""
        path = self.dir / "run" / f"s_server-{port}.out"
        pki = self.lab / "pki"
        command = [self.openssl.program, "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
                   str(pki / "localhost.pem"), "-key", str(pki / "localhost.key"), *options]
        with open(path, "wb") as out:
            process = subprocess.Popen(command, env=self.environment(sae, log), cwd=self.dir,
                                       stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        self._started.append((process, path))
        wait_until(lambda: "ACCEPT" in path.read_text(errors="replace") or
                   process.poll() is not None, f"s_server on port {port}")
        return process


def _end(process):
    """SIGTERM to the whole session, and SIGKILL to what is still there after that."""
    for signum, limit_s in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, signum)
        except ProcessLookupError:
            break
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.01)
    process.wait(LIMIT_S)


class RecipeCase(unittest.TestCase):
    """Base of the test_app_*.py."""

    def check_keys(self, recipe, handshakes, ends):
        """Each completed handshake took one key of each role, and the logs named (one or two)
        tell the same key IDs, each once."""
        for role in ("initiator", "responder"):
            self.assertEqual(recipe.delivered(role), handshakes, f"{role}\n{recipe.logs()}")
        found = [sorted(key[2] for key in recipe.keys(end)) for end in ends]
        for key_ids in found:
            self.assertEqual(len(key_ids), handshakes, recipe.logs())
            self.assertEqual(len(set(key_ids)), handshakes, "a key ID was used twice")
            self.assertEqual(key_ids, found[0], "the ends do not name the same keys")

    def for_each_flow(self, program, openssl, check, **options):
        """check(recipe) with a fresh laboratory for each of FLOWS."""
        for api, initiator in FLOWS:
            with self.subTest(api=api, initiator=initiator), \
                    Recipe(program, api, initiator, openssl, **options) as recipe:
                check(recipe)
