# SPDX-License-Identifier: Apache-2.0
"""Rounds of load on two key servers that are killed, or whose link is cut, at random moments.

Each round: load on both APIs at both sides; one thing goes wrong; it is mended; when both key
servers are well again, the keys that were reserved before are claimed, and streams of before are
tried again. Some of the processes have a slow disk, so that a kill comes before what waits for it is
written. The seed decides what happens when; what is under way then depends on the machine.
"""
import contextlib
import random
import re
import signal
import statistics
import subprocess
import time

import crash_load
import crash_record
import etsi004
import harness
import kme_sites

KILLS = {"kill a": "a", "kill b": "b", "kill both": "ab"}
CUTS = ("cut link", "stall link")
EVENTS = (*KILLS, *CUTS)
WELL_LIMIT_S = 30 * harness.SLOWNESS
REST_S = 5 * harness.SLOWNESS  # a key that nobody has claimed for so long survives everything
QUIET_S = REST_S + 1
SLOW_DISK = harness.BUILD / "tests" / "bin" / "slow_disk.so"
DISK_MS = (0, 0, 20, 200)  # what a process waits before each write of its store, by chance
OLD_STREAMS = 4  # tried again at each side after each round
CRASH_LINE = re.compile(r"up to (\d+) key bits are lost")
LOST_BITS = re.compile(r'^qkd_kme_lost_bits_total\{[^}]*reason="(\w+)"\} (\d+)', re.M)


class Server:
    """One key server process. Not a daemon: its end is seen at once."""

    def __init__(self, sites, site):
        self._sites, self.site = sites, site
        self.name = f"kme-{site}"
        self.process = None

    def start(self, disk_ms=0):
        env = {}
        if disk_ms and not harness.SANITIZED:  # whose runtime must be loaded first
            env = {"LD_PRELOAD": str(SLOW_DISK), "QKD_SLOW_DISK_MS": str(disk_ms)}
        with open(self._sites.dir / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                [harness.QKD_KME, "--config", self._sites.config(self.name)], stderr=log,
                stdin=subprocess.DEVNULL, env=harness.child_env(**env))

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """A clean end; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(harness.LIMIT_S)

    def is_well(self):
        if self.process.poll() is not None:
            raise harness.HarnessError(f"{self.name} ended with {self.process.returncode}:\n"
                                       f"{self._sites.log(self.name)[-2000:]}")
        try:
            return harness.http_get(self._admin + "/healthz") == "ok\n"
        except (OSError, harness.HarnessError):
            return False

    @property
    def _admin(self):
        return getattr(self._sites, f"kme_{self.site}_admin")

    def lost_bits(self):
        """{reason: bits} over all links, since this process started."""
        total = {}
        for reason, bits in LOST_BITS.findall(harness.http_get(self._admin + "/metrics")):
            total[reason] = total.get(reason, 0) + int(bits)
        return total


class CrashRun:
    """Two sites, their load, and the record of what was delivered."""

    def __init__(self, seed, out=None, window_bits=65536):
        self._random = None  # of this round
        self._seed, self._out, self._window_bits = seed, out, window_bits
        self.record = crash_record.Record()
        self.rounds = []
        self._old = {"alice": [], "bob": []}
        self._lost_before = {}

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        with self._stack as stack:
            self.sites = stack.enter_context(kme_sites.Sites(
                limits={"hold_ms": 500}, link={"simulated_rate_bps": 4_000_000}, up=False,
                durable=("kme-a", "kme-b")))
            for name in ("kme-a", "kme-b"):
                self.sites.edit(name, r"window_bits = \d+", f"window_bits = {self._window_bits}")
            self.servers = {site: Server(self.sites, site) for site in "ab"}
            for server in self.servers.values():
                stack.callback(server.kill)
                server.start()
            self._wait_until_well()
            self._lost()
            self._start_load(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _start_load(self, stack):
        self.responders, self.workers = {}, []
        for sae, peer in (("alice", "bob"), ("bob", "alice")):
            initiator = crash_load.Initiator(self.sites, self.record, f"{self._seed} {sae}", sae,
                                             peer)
            responder = crash_load.Responder(self.sites, self.record, f"{self._seed} to {peer}",
                                             peer, initiator, sae)
            streams = crash_load.Streams(self.sites, self.record, f"{self._seed} 004 {sae}", sae,
                                         peer)
            self.responders[self.sites.site_of(sae)] = responder
            self.workers += [initiator, responder, streams]
        for worker in self.workers:
            worker.start()
            stack.callback(worker.end)

    def _say(self, text):
        if self._out:
            print(text, file=self._out, flush=True)

    def _wait_until_well(self):
        begin = time.monotonic()
        for server in self.servers.values():
            harness.wait_until(server.is_well, f"{server.name} is well", WELL_LIMIT_S)
        return time.monotonic() - begin

    def _lost(self):
        """{(site, reason): bits} since the last call. What crashes cost is read from the logs: of
        processes that were killed soon after they had said so, too."""
        gained = {}
        for site, server in self.servers.items():
            crash = sum(map(int, CRASH_LINE.findall(self.sites.log(server.name))))
            for reason, bits in {**server.lost_bits(), "crash": crash}.items():
                key = (site, None if reason == "crash" else server.process.pid, reason)
                gained[site, reason] = bits - self._lost_before.get(key, 0)
                self._lost_before[key] = bits
        return gained

    # What goes wrong.

    def _kill(self, sites):
        """Also, at times, once more while they start."""
        for site in sites:
            self.servers[site].kill()
        if self._random.random() < 0.5:
            time.sleep(self._random.random() * 0.5)
        for _ in range(self._random.choice((0, 0, 0, 1, 2))):
            for site in sites:
                self._start(site)
            time.sleep(self._random.random() * 0.4)
            for site in sites:
                self.servers[site].kill()
        for site in sites:
            self._start(site)

    def _start(self, site):
        self.servers[site].start(self._random.choice(DISK_MS))

    def _cut(self, stall):
        relay = self.sites.relay
        if stall:
            relay.hold()
            time.sleep(self._random.random() * 0.8)
        relay.cut()
        self.sites.wait_for_link(0)
        time.sleep(self._random.random() * 0.8)
        relay.mend()

    def _go_wrong(self, event):
        if event in KILLS:
            self._kill(KILLS[event])
        else:
            self._cut(event == "stall link")

    # What must still be so.

    def _claim_all(self, crash):
        """Claims every key of before, one by one; gives up those that are refused."""
        for site, responder in self.responders.items():
            responder.forget()
            for name in self.record.unclaimed(site):
                code = self._patiently(lambda: responder.claim([name]))
                if code != 200:
                    self.record.give_up(name, crash)

    def _claim_again(self):
        """Keys that were delivered are not delivered again."""
        for responder in self.responders.values():
            for name in self.record.recent_claims(responder.side, 3):
                if self._patiently(lambda: responder.claim([name])) == 200:
                    self.record.fault(f"{name} could be claimed again")

    @staticmethod
    def _patiently(call):
        """A connection of before may be dead without a word: the first failure means nothing."""
        try:
            return call()
        except crash_load.BROKEN:
            return call()

    def _streams_again(self, killed):
        """Streams of before a crash are never opened again; a cut link does not end them."""
        for worker in self.workers:
            if not isinstance(worker, crash_load.Streams):
                continue
            if killed:
                for ksid in self._random.sample(worker.used, min(OLD_STREAMS, len(worker.used))):
                    self._open_again(worker, ksid)
            worker.used = worker.used[-200:]

    def _open_again(self, worker, ksid):
        for sae, peer in (worker.saes, reversed(worker.saes)):
            with etsi004.Client(self.sites, sae) as client:
                reply = client.open(peer, ksid=ksid, timeout=300)
                self.record.count(f"004 open again {reply.status}")
                if reply.status in (etsi004.SUCCESS, etsi004.PEER_NOT_YET):
                    self.record.fault(f"stream {ksid.hex()} was opened again by {sae}")

    def _pause(self):
        for worker in self.workers:
            worker.pause()
            if worker.error:
                raise worker.error

    def _check_age(self, lost):
        for age, bits in lost:
            if age > REST_S:
                self.record.fault(f"a key of {bits} bits that was reserved {age:.1f} s before "
                                  "the crash is lost")

    def round(self, event=None, quiet=None):
        """One round; what it cost. In a quiet one all is at rest when it happens."""
        # What was drawn in earlier rounds depends on the machine; this must not.
        self._random = random.Random(f"{self._seed} round {len(self.rounds)}")
        chosen, by_chance = self._random.choice(EVENTS), self._random.random() < 0.1
        event = event or chosen
        quiet = by_chance if quiet is None else quiet
        for worker in self.workers:
            worker.go_on()
        time.sleep(self._random.uniform(0.2, 1.2))
        if quiet:
            self._pause()
            time.sleep(QUIET_S)
        lost_before = len(self.record.lost)
        crash = time.monotonic()
        self._go_wrong(event)
        recovery_s = self._wait_until_well()
        self._pause()
        self._wait_until_well()
        self._claim_all(crash)
        self._claim_again()
        self._streams_again(event in KILLS)
        lost = self.record.lost[lost_before:]
        self._check_age(lost)
        counted = self._lost()
        result = {"event": event, "keys": len(lost), "bits": sum(bits for _, bits in lost),
                  "age_s": max((age for age, _ in lost), default=0), "recovery_s": recovery_s,
                  "counted": counted}
        if result["bits"] > sum(counted.values()):
            self.record.fault(f"{result['bits']} bits of keys were lost, more than was counted")
        self.rounds.append(result)
        self._say(f"round {len(self.rounds):3}  {event:<10} {'quiet' if quiet else '     '}  well after {recovery_s:4.1f} s  "
                  f"keys lost {len(lost):3}  counted {self._counted(result)}  "
                  f"faults {len(self.record.faults)}")
        return result

    @staticmethod
    def _counted(result):
        """Bits by reason, both sides together."""
        total = {}
        for (_, reason), bits in result["counted"].items():
            if bits:
                total[reason] = total.get(reason, 0) + bits
        return " ".join(f"{reason}={bits}" for reason, bits in sorted(total.items())) or "nothing"

    def summary(self):
        """Lines of a table."""
        counts = self.record.counts
        yield (f"{len(self.rounds)} rounds, seed {self._seed}, window {self._window_bits} bits; "
               "the quantum channel is simulated")
        yield f"{'':<12}{'rounds':>7}{'keys lost':>11}{'max':>6}{'mean':>7}{'bits max':>10}" \
              f"{'oldest s':>10}{'well after s: median':>22}{'max':>7}"
        for event in EVENTS:
            some = [one for one in self.rounds if one["event"] == event]
            if some:
                keys = [one["keys"] for one in some]
                recovery = [one["recovery_s"] for one in some]
                yield (f"{event:<12}{len(some):>7}{sum(keys):>11}{max(keys):>6}"
                       f"{statistics.mean(keys):>7.2f}{max(one['bits'] for one in some):>10}"
                       f"{max(one['age_s'] for one in some):>10.2f}"
                       f"{statistics.median(recovery):>22.2f}{max(recovery):>7.2f}")
        yield (f"delivered: 014 {counts['014 delivered']} ({counts['014 pairs']} pairs), "
               f"004 {counts['004 delivered']} ({counts['004 pairs']} pairs)")
        yield "also: " + ", ".join(f"{what} {number}" for what, number in sorted(counts.items())
                                   if "delivered" not in what and "pairs" not in what)
        yield f"faults (delivered twice, unequal ends, opened again): {len(self.record.faults)}"
        yield from self.record.faults[:20]

