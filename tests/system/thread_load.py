# SPDX-License-Identifier: Apache-2.0
"""Handshakes in many threads of one process, whose key servers die and return meanwhile.

measure() runs tests/tools/threads.c and returns Figures: what became of each handshake and when,
when each key server was away, which key IDs were used, and what a sanitizer had to say.
"""
import collections
import dataclasses
import re
import subprocess
import time

from harness import BUILD, LIMIT_S, OPENSSL35, HarnessError, handshake_keys, wait_until

PROGRAM = BUILD / "tests" / "bin" / "threads"
GROUPS = ("qkd_x25519", "qkd_x25519mlkem768")
WAYS = (("014", "client"), ("014", "server"), ("004", "client"))
# A busy machine must not look like a key server that is away; one that is refuses at once.
TIMEOUT_MS = 20000
RATE_BPS = 8_000_000

# One line of the program, and a time during which a key server was away.
Handshake = collections.namedtuple("Handshake", "begin_ns end_ns completed group what")
Absence = collections.namedtuple("Absence", "server begin_ns end_ns")

_REPORT = re.compile(r"^(?:WARNING|==\d+==ERROR): \w+Sanitizer.*$|^.*runtime error:.*$", re.M)


def overlaps(handshake, absence):
    return handshake.begin_ns < absence.end_ns and handshake.end_ns > absence.begin_ns


@dataclasses.dataclass
class Figures:
    wanted: int
    returncode: int = 0
    handshakes: list = dataclasses.field(default_factory=list)
    absences: list = dataclasses.field(default_factory=list)
    used: dict = dataclasses.field(default_factory=dict)  # {role: Counter of key IDs}
    stderr: str = ""

    def completed(self):
        return [one for one in self.handshakes if one.completed]

    def failed(self):
        return [one for one in self.handshakes if not one.completed]

    def reports(self):
        """The first line of each report of a sanitizer."""
        return _REPORT.findall(self.stderr)

    def failed_while(self, absence):
        return [one for one in self.failed() if overlaps(one, absence)]

    def failed_otherwise(self):
        """Those that no key server's absence excuses."""
        return [one for one in self.failed()
                if not any(overlaps(one, absence) for absence in self.absences)]

    def ids_twice(self):
        """How many key IDs were used twice in one role."""
        return sum(1 for ids in self.used.values() for count in ids.values() if count > 1)

    def wrong(self):
        """What must not be, as sentences."""
        found = [f"a sanitizer: {report}" for report in self.reports()]
        if self.returncode != 0:
            found.append(f"threads ended with {self.returncode}: {self.stderr[-1000:]}")
        if len(self.completed()) < self.wanted:
            found.append(f"{len(self.completed())} handshakes completed of {self.wanted}")
        found += [f"failed while both key servers were there: {one}"
                  for one in self.failed_otherwise()[:5]]
        found += [f"nothing failed while {absence.server} was away" for absence in self.absences
                  if not self.failed_while(absence)]
        return found + self._wrong_keys()

    def _wrong_keys(self):
        both = self.used["initiator"].keys() & self.used["responder"].keys()
        found = []
        if self.ids_twice():
            found.append(f"{self.ids_twice()} key IDs were used twice")
        if not len(self.completed()) <= len(both) <= len(self.handshakes):
            found.append(f"{len(both)} key IDs at both ends for {len(self.completed())} completed "
                         f"handshakes and {len(self.failed())} failed ones")
        return found


def _read(text):
    """The handshakes of whole lines."""
    found = []
    for line in text[:text.rfind("\n") + 1].splitlines():
        begin_ns, end_ns, outcome, group, *what = line.split(" ", 4)
        found.append(Handshake(int(begin_ns), int(end_ns), outcome == "completed", group,
                               what[0] if what else ""))
    return found


class Run:
    """The program while it runs, with what it has printed so far."""

    def __init__(self, lab, api, initiator, handshakes, threads, **settings):
        self._lab = lab
        self._files = {name: lab.temp / f"threads-{api}-{initiator}.{name}"
                       for name in ("out", "err", "log")}
        settings = {"initiator": initiator, "timeout_ms": TIMEOUT_MS, **settings}
        confs = []
        for name, host014, host004 in (("alice", lab.kme_a_014, lab.kme_a_004),
                                       ("bob", lab.kme_b_014, lab.kme_b_004)):
            kme = f"etsi004://{host004}" if api == "004" else host014
            confs.append(lab.conf_with(name, kme=kme, **settings))
        self.command = [PROGRAM, lab.ca, *lab.pki("localhost"), *confs, str(handshakes),
                        str(threads), *GROUPS]
        self.figures = Figures(handshakes)

    def __enter__(self):
        env = OPENSSL35.env("/dev/null", f"info:{self._files['log']}")
        with open(self._files["out"], "wb") as out, open(self._files["err"], "wb") as err:
            self._process = subprocess.Popen(self.command, env=env, stdin=subprocess.PIPE,
                                             stdout=out, stderr=err)
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()

    def _text(self, name):
        path = self._files[name]
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _seen(self, condition):
        """Whether enough has been printed; an error when the program has ended before."""
        ended = self._process.poll() is not None
        if condition(_read(self._text("out"))):
            return True
        if ended:
            raise HarnessError(f"threads ended too early:\n{self._text('err')[-2000:]}")
        return False

    def wait_for_completed(self, count, limit_s):
        wait_until(lambda: self._seen(lambda seen: sum(one.completed for one in seen) >= count),
                   f"{count} handshakes", limit_s)

    def take_away(self, server):
        """Kills a key server, and starts it again when a handshake has failed of it."""
        begin_ns = time.monotonic_ns()
        self._lab.kill(server)
        wait_until(lambda: self._seen(lambda seen: any(not one.completed and
                                                       one.end_ns > begin_ns for one in seen)),
                   f"a failure without {server}", 2 * LIMIT_S)
        self._lab.start(server)
        end_ns = time.monotonic_ns()
        self.figures.absences.append(Absence(server, begin_ns, end_ns))
        wait_until(lambda: self._seen(lambda seen: any(one.completed and one.begin_ns > end_ns
                                                       for one in seen)),
                   f"a handshake after the return of {server}", 2 * LIMIT_S)

    def finish(self, limit_s):
        """The program ends when it has done what it was to do, and its input has ended."""
        self._process.stdin.close()
        self.figures.returncode = self._process.wait(limit_s)
        self.figures.handshakes = _read(self._text("out"))
        self.figures.stderr = self._text("err")
        self.figures.used = {"initiator": collections.Counter(), "responder": collections.Counter()}
        for _, role, key_id, _ in handshake_keys(self._text("log")):
            self.figures.used[role][key_id] += 1
        return self.figures


def measure(lab, api, initiator, handshakes, threads, limit_s, away=("kme-a", "kme-b"),
            **settings):
    """The Figures of a run in which each key server of `away` dies and returns. `settings` are
    those of both ends. What is in a pool dies with a key server, and fails handshakes later."""
    with Run(lab, api, initiator, handshakes, threads, **settings) as run:
        for i, server in enumerate(away):
            run.wait_for_completed(handshakes * (i + 1) // (len(away) + 1), limit_s)
            run.take_away(server)
        return run.finish(limit_s)
