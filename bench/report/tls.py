# SPDX-License-Identifier: Apache-2.0
"""The two ends of measured handshakes: processes of bench/handshake.c."""
import collections
import contextlib
import re
import subprocess
import tempfile

import harness

PROGRAM = harness.BUILD / "bench" / "handshake"
SILENT_ENV = {"QKD_LOG": "error:/dev/null"}

# What `struct sample` of bench/ends.h says.
Sample = collections.namedtuple("Sample", "ok total_ns client_ns server_ns")
# kind: kept, fresh or http; address: HOST:PORT of the server.
Arm = collections.namedtuple("Arm", "kind address conf groups")


def totals(samples):
    return [sample.total_ns for sample in samples]


@contextlib.contextmanager
def server(lab, conf, kind="kept", workers=1, host="127.0.0.1", popen=subprocess.Popen):
    """HOST:PORT of a server with this configuration. `popen` may start it elsewhere."""
    process = popen([PROGRAM, "server", kind, str(workers), host, conf, *lab.pki("localhost")],
                    env=harness.OPENSSL35.env(**SILENT_ENV), stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, text=True)
    try:
        match = re.match(r"port (\d+)", process.stdout.readline())
        if not match:
            raise harness.HarnessError(f"a server with {conf} did not start")
        yield f"{host}:{match[1]}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class Client:
    """A process that makes handshakes in arms, {name: Arm}."""

    def __init__(self, ca, arms):
        self._names = list(arms)
        self._errors = tempfile.TemporaryFile("w+")
        words = [word for arm in arms.values() for word in arm]
        self._process = subprocess.Popen([PROGRAM, "client", ca, *words], text=True,
                                         env=harness.OPENSSL35.env(**SILENT_ENV),
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=self._errors)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:  # in the middle of what nobody reads any more
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def begin(self, names, rounds, period_us=0):
        """Starts that many rounds over these arms."""
        numbers = " ".join(str(self._names.index(name)) for name in names)
        self._process.stdin.write(f"{rounds} {period_us} {numbers}\n")
        self._process.stdin.flush()

    def end(self, may_fail=False):
        """{name: [Sample]} of what was begun; HarnessError when a handshake failed and none may."""
        found = collections.defaultdict(list)
        for line in iter(self._process.stdout.readline, "end\n"):
            if not line:
                raise harness.HarnessError(f"the client ended:\n{self.errors()}")
            number, ok, *times = map(int, line.split())
            found[self._names[number]].append(Sample(bool(ok), *times))
            if not ok and not may_fail:
                raise harness.HarnessError(
                    f"a handshake of {self._names[number]!r} failed:\n{self.errors()}")
        return dict(found)

    def run(self, names, rounds, period_us=0, may_fail=False):
        """begin() and end()."""
        self.begin(names, rounds, period_us)
        return self.end(may_fail)

    def errors(self):
        """The reason of the first failure of each arm."""
        self._errors.seek(0)
        return self._errors.read()
