# SPDX-License-Identifier: Apache-2.0
"""A web server that is reloaded again and again while clients make handshakes with it.

measure() runs the recipe of examples/ and returns Figures: what became of each connection, which
process used which key ID, and how much memory and how many descriptors the processes had.
"""
import collections
import contextlib
import dataclasses
import os
import pathlib
import re
import statistics
import subprocess
import sys

from harness import LIMIT_S, HarnessError, wait_until
from recipe import Recipe
from web_servers import SERVER_PORT, children, load_command, text

# What 8 Mbit/s and 64 Mibit give is far above what handshakes of two cores take.
LAB = {"rate_bps": 8_000_000, "capacity_bits": 67_108_864}
THREADS = 4
RETRIES = 20
CONNECTIONS_MAX = 1_000_000
SIGNAL_AGAIN_S = 2

_USED = re.compile(r"qkd\[(\d+)\] info handshake key \S+ role=\S+ key_id=([0-9a-f-]{36})")

# Of the master, and of its children: the mean of each child's figure.
Sample = collections.namedtuple("Sample", "master_kib master_fds children child_kib child_fds")

# What a figure may vary by. The children's descriptors count the connections of the moment; their
# memory depends on their age when they are replaced, and on which thread was the first to do what.
MARGINS = {"master_kib": 512, "master_fds": 2, "child_kib": 2048, "child_fds": THREADS}
OLD_CHILD_KIB = 256


@dataclasses.dataclass
class Figures:
    completed: int = 0
    failures: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    delivered: dict = dataclasses.field(default_factory=dict)
    reloads: int = 0
    processes: int = 0      # that used a key
    unequal_ids: int = 0    # known to one end only
    shared_ids: int = 0     # used more than once, in whatever process
    samples: list = dataclasses.field(default_factory=list)
    margins: dict = dataclasses.field(default_factory=MARGINS.copy)

    def failed(self):
        return sum(self.failures.values())

    def wrong(self):
        """What must not be, as sentences; a connection that failed may have cost a key of one end
        or of both."""
        found = []
        for role, keys in self.delivered.items():
            if not 0 <= keys - self.completed <= self.failed():
                found.append(f"{keys:.0f} keys of the {role} for {self.completed} handshakes, "
                             f"{self.failed()} failed")
        if self.shared_ids:
            found.append(f"{self.shared_ids} key IDs were used more than once")
        if self.unequal_ids > self.failed():
            found.append(f"{self.unequal_ids} key IDs are known to one end only")
        return found + self.grown()

    def halves(self, name):
        """The most that a figure was in the first half of the samples, and in the second."""
        values = [getattr(one, name) for one in self.samples]
        middle = len(values) // 2
        return max(values[:middle]), max(values[middle:])

    def grown(self):
        """The figures that were higher in the second half."""
        return [f"{name} grew from {first:.0f} to {second:.0f}"
                for name, margin in self.margins.items()
                for first, second in (self.halves(name),) if second > first + margin]


def memory_kib(pid):
    """Resident memory of one process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    resident = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)
    if not resident:
        raise ProcessLookupError(pid)
    return int(resident[1])


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def _of_each(figure, pids):
    """The figure of each process that still lives."""
    found = []
    for pid in pids:
        try:
            found.append(figure(pid))
        except OSError:
            continue
    return found


def sample(master, pids):
    return Sample(memory_kib(master), descriptors(master), len(pids),
                  statistics.mean(_of_each(memory_kib, pids) or [0]),
                  statistics.mean(_of_each(descriptors, pids) or [0]))


def used_ids(log):
    """[(process ID, key ID)] of a QKD_LOG."""
    return [(int(pid), key_id) for pid, key_id in _USED.findall(log)]


def _catches(pid, signum):
    """Whether a signal would not end this process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(re.search(r"^SigCgt:\s*(\w+)$", status, re.M)[1], 16) >> (signum - 1) & 1


def signal_until(pid, signum, took_effect, what):
    """Sends a signal, and again when nothing has come of it for a while: HAProxy takes no notice of
    one that comes while its master starts, nor stunnel of one that comes early."""
    wait_until(lambda: _catches(pid, signum), f"a process that takes signals for {what}")
    for _ in range(LIMIT_S // SIGNAL_AGAIN_S):
        os.kill(pid, signum)
        with contextlib.suppress(HarnessError):
            return wait_until(took_effect, what, SIGNAL_AGAIN_S)
    return wait_until(took_effect, what)


def reload_once(server, master):
    """One reload; returns when all processes of the old generation are gone."""
    before = set(wait_until(lambda: children(master), f"processes of {server.name}"))
    signal_until(master, server.reload_signal, lambda: set(children(master)) != before,
                 f"{server.name} reloads")

    def is_new():
        now = set(children(master))
        return now and not now & before
    wait_until(is_new, f"new processes of {server.name}")


def _check_lives(load, recipe):
    if load.poll() not in (None, 0):
        raise HarnessError(f"https_load ended with {load.returncode}:\n"
                           f"{text(recipe, 'run/load.out')[-2000:]}")


def master_pid(recipe, server):
    return wait_until(lambda: int(text(recipe, server.pid_file) or 0),
                      f"{server.name}: its process ID")


class Lines:
    """Counts the lines of a file that grows, those that contain a text."""

    def __init__(self, path, wanted=""):
        self._path, self._text, self._offset, self._count = path, wanted.encode(), 0, 0

    def count(self):
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            octets = file.read()
        octets = octets[:octets.rfind(b"\n") + 1]
        self._offset += len(octets)
        self._count += sum(self._text in line for line in octets.splitlines())
        return self._count


def _accompany(recipe, server, load, figures, handshakes, points, reload):
    """A sample, and perhaps a reload, at so many points spread evenly over the handshakes, and one
    sample after the last of them. The load goes on for as long as that takes."""
    master = master_pid(recipe, server)
    requests = Lines(recipe.dir / server.access_log, server.request)
    for point in range(1, points + 2):
        def far_enough(wanted=handshakes * point // (points + 1)):
            _check_lives(load, recipe)
            return requests.count() >= wanted
        wait_until(far_enough, "handshakes before the next sample", 10 * LIMIT_S)
        figures.samples.append(sample(master, children(master)))
        if reload and point <= points:
            reload_once(server, master)
            figures.reloads += 1
    load.terminate()
    load.wait(LIMIT_S)
    _check_lives(load, recipe)


def _settle(recipe, figures, server_log):
    """Fills in what became of connections and keys, once the load is over."""
    said = text(recipe, "run/load.out")
    figures.completed = int(re.search(r"^completed (\d+) failed \d+$", said, re.M)[1])
    figures.failures.update(re.findall(r"^failed (.*)$", said, re.M))
    figures.delivered = {role: recipe.delivered(role) for role in ("initiator", "responder")}
    ours, theirs = used_ids(text(recipe, server_log)), used_ids(text(recipe, "run/load.qkd"))
    figures.processes = len({pid for pid, _ in ours})
    figures.shared_ids = sum(count - 1 for ids in (ours, theirs) for count in
                             collections.Counter(key_id for _, key_id in ids).values())
    figures.unequal_ids = len({key_id for _, key_id in ours} ^ {key_id for _, key_id in theirs})


def without_qkd(recipe):
    """The same set-up on plain X25519, without our provider: what the program does by itself."""
    for path in recipe.dir.glob("*.c*f*"):
        path.write_text(re.sub(r"qkd_x25519mlkem768(?=;?$)", "X25519",
                               path.read_text(encoding="utf-8"), flags=re.M), encoding="utf-8")
    for sae in ("alice", "bob"):
        (recipe.lab / sae / "openssl.cnf").write_text("", encoding="ascii")


def measure(server, handshakes, points, reload=True, qkd=True, api="014", initiator="client"):
    """At least so many completed handshakes, with a sample and, unless reload=False, a reload at so many
    points in between."""
    figures = Figures()
    if not reload and not server.threads:
        figures.margins["child_kib"] = OLD_CHILD_KIB
    with Recipe(server.program, api, initiator, **LAB) as recipe:
        if not qkd:
            without_qkd(recipe)
        recipe.start(server.block, ready=SERVER_PORT)
        with open(recipe.dir / "run" / "load.out", "wb") as out:
            load = subprocess.Popen(load_command(recipe, CONNECTIONS_MAX, THREADS, RETRIES),
                                    env=recipe.environment("alice", log="load"), stdout=out,
                                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            _accompany(recipe, server, load, figures, handshakes, points, reload)
        finally:
            if load.poll() is None:
                load.kill()
            load.wait()
        _settle(recipe, figures, server.error_log)
    return figures


def check_that_a_reload_reads_no_settings(case, server):
    """The key of the SAE is only root's, and gone by the time of the reload."""
    with Recipe(server.program) as recipe:
        process = recipe.start(server.block, ready=SERVER_PORT)
        master = master_pid(recipe, server)
        (recipe.lab / "pki" / "bob.key").unlink()
        (recipe.lab / "bob" / "openssl.cnf").unlink()
        reload_once(server, master)
        if os.getuid() == 0:
            case.assertNotIn(0, {os.stat(f"/proc/{pid}").st_uid for pid in children(master)})
        else:
            print("not root: workers have the rights of the master here", file=sys.stderr)
        recipe.run("client", log="client")
        said = recipe.output(process) + text(recipe, "run/error.log")
        case.assertEqual(said.count(" info loaded version "), 1, said)
        case.assertEqual(used_ids(said)[0][1], used_ids(recipe.log("client"))[0][1])
