# SPDX-License-Identifier: Apache-2.0
"""A key server that falls silent: what handshakes cost then, with it alone and with a second "
"one."""
import contextlib
import statistics
import time
import urllib.parse

import harness
from report import labs, stats
from report.model import Claim, Section, Table
from report.relay import Relay
from report.tls import Arm, Client, server, totals

TIMEOUT_MS = 250
TIMEOUT_TWO_MS = 1000
FIRST_BOUND, PLAIN_BOUND, BACK_BOUND_MS = 1.1, 1.05, 2000
BEFORE, UNTIL_OPEN = 20, 10
FAILING_LIMIT_S, BACK_LIMIT_S, FIRST_LIMIT = 8, 10, 200
AT_ONCE = 6
# A client whose reservations lead nowhere is refused more of them after the hundredth, and the one
# of the plain failures never succeeds.
PAIRS_MAX = 96
PAUSE_S = 0.02
QKD, PLAIN = "QKD", "no common group"
CASES = (  # where it happens, way of the key, who loses the key server
    ("client's, client-initiated", "014 client", "alice"),
    ("server's, client-initiated", "014 client", "bob"),
    ("server's, server-initiated", "014 server", "bob"),
)
HEAD = ("key server", "how", "first failure ms", "to timeout-ms", "failure then p50 µs",
        "no common group p50 µs", "ratio of p50", "paired ratio", "back after ms (most)")
HEAD_TWO = ("key server", "handshakes", "failed", "first one ms (most)", "after it p50 µs",
            "before p50 µs")


def port_of(url):
    return urllib.parse.urlsplit(url).port


class Site:
    """A server, a client, and one way to the key server of one end that can be cut."""

    def __init__(self, stack, way, loser, relays=1, timeout_ms=TIMEOUT_MS):
        self.lab = stack.enter_context(labs.lab())
        target = self.lab.kme_a_014 if loser == "alice" else self.lab.kme_b_014
        self.kme = "kme-a" if loser == "alice" else "kme-b"
        self.relays = [stack.enter_context(Relay(port_of(target))) for _ in range(relays)]
        settings = {"alice": {}, "bob": {}}
        settings[loser] = {"kme": ", ".join(relay.url for relay in self.relays),
                           "timeout_ms": timeout_ms}
        address = stack.enter_context(server(self.lab, labs.conf(
            self.lab, "bob", way, groups=labs.QKD, **settings["bob"])))
        conf = labs.conf(self.lab, "alice", way, **settings["alice"])
        # The client of the plain failure does what that of the other one does before it fails.
        plain = Arm("kept", address, conf, labs.INNER)
        if loser == "bob":
            plain = Arm("kept", stack.enter_context(server(self.lab, labs.conf(
                self.lab, "bob", way, groups=labs.INNER))), conf, labs.QKD)
        self.client = stack.enter_context(Client(self.lab.ca, {
            QKD: Arm("kept", address, conf, labs.QKD), PLAIN: plain}))

        self.ways = {
            "black hole": (self.relays[0].swallow, self.relays[0].carry),
            "SIGSTOP": (lambda: self.lab.pause(self.kme), lambda: self.lab.resume(self.kme))}

    def one(self):
        """A Sample of a handshake that may fail."""
        return self.client.run([QKD], 1, may_fail=True)[QKD][0]


def _failing(site, wanted):
    """Pairs of failures: {arm: [Sample]}, until there are enough or it takes too long."""
    found = {QKD: [], PLAIN: []}
    end = time.monotonic() + FAILING_LIMIT_S
    while len(found[QKD]) < wanted and time.monotonic() < end:
        for name, samples in site.client.run([QKD, PLAIN], AT_ONCE, may_fail=True).items():
            found[name] += samples
    if any(sample.ok for sample in found[QKD]):
        raise harness.HarnessError("handshakes succeed without a key server")
    return found


def _first_failure(site):
    for _ in range(FIRST_LIMIT):  # those before it have keys in the pool
        sample = site.one()
        if not sample.ok:
            return sample.total_ns / 1e6
    raise harness.HarnessError("handshakes go on without a key server")


def _time_until_back(site):
    start = time.monotonic()
    while time.monotonic() < start + BACK_LIMIT_S:
        if site.one().ok:
            break
        time.sleep(PAUSE_S)
    return (time.monotonic() - start) * 1e3


def _outage(site, cut, restore, scale):
    """The figures of one outage."""
    site.client.run([QKD], BEFORE, may_fail=True)
    cut()
    try:
        first_ms = _first_failure(site)
        for _ in range(UNTIL_OPEN):
            site.one()
        failing = _failing(site, min(scale.failing, PAIRS_MAX // scale.outages))
    finally:
        restore()
    return {"first_ms": first_ms, "back_ms": _time_until_back(site), "failing": failing}


def _summary(outages):
    both = {name: [total for one in outages for total in totals(one["failing"][name])]
            for name in (QKD, PLAIN)}
    return {"first_ms": max(one["first_ms"] for one in outages),
            "back_ms": max(one["back_ms"] for one in outages),
            **stats.against(both[QKD], both[PLAIN]), "plain_p50_us": stats.p50_us(both[PLAIN])}


def _alone(scale):
    """[(case, how, figures)]"""
    found = []
    for where, way, loser in CASES:
        for how in ("black hole", "SIGSTOP"):
            with contextlib.ExitStack() as stack:
                site = Site(stack, way, loser)
                cut, restore = site.ways[how]
                found.append((where, how, _summary([_outage(site, cut, restore, scale)
                                                    for _ in range(scale.outages)])))
    return found


def _alone_claims(found):
    for where, how, one in found:
        arm = f"{where}, {how}"
        yield Claim(7, "first failure", "at most", TIMEOUT_MS * FIRST_BOUND, one["first_ms"], arm,
                    f"timeout-ms = {TIMEOUT_MS}", " ms")
        yield Claim(7, "a failure while the breaker is open, p50", "at most", PLAIN_BOUND,
                    one["ratio_p50"], arm, PLAIN)
        yield Claim(7, "back after the key server's return", "at most", BACK_BOUND_MS,
                    one["back_ms"], arm, "its return", " ms")


def _two(scale):
    """[(case, figures)] with a second key server."""
    found = []
    for where, way, loser in CASES:
        with contextlib.ExitStack() as stack:
            site = Site(stack, way, loser, relays=2, timeout_ms=TIMEOUT_TWO_MS)
            before, first, after = [], [], []
            for _ in range(scale.outages):
                lost = site.relays[0]
                before += site.client.run([QKD], scale.failing, may_fail=True)[QKD]
                lost.swallow()
                first.append(site.one())
                after += site.client.run([QKD], scale.failing, may_fail=True)[QKD]
                lost.carry()
                time.sleep(1)
            samples = before + first + after
            found.append((where, {
                "handshakes": len(samples),
                "failed": sum(not sample.ok for sample in samples),
                "reason": site.client.errors(),
                "first_ms": max(sample.total_ns for sample in first) / 1e6,
                "after_us": statistics.median(totals(after)) / 1e3,
                "before_us": statistics.median(totals(before)) / 1e3}))
    return found


def _two_claims(found):
    for where, one in found:
        yield Claim(7, "handshakes that fail, with a second key server", "exactly", 0,
                    one["failed"], where, f"{one['handshakes']} handshakes")
        if one["failed"]:
            continue  # how long a failure takes proves nothing
        yield Claim(7, "the first handshake after the failure, with a second key server", "at most",
                    TIMEOUT_TWO_MS, one["first_ms"], where, f"timeout-ms = {TIMEOUT_TWO_MS}", " ms")


def measure_alone(scale):
    """The only key server of an end falls silent."""
    section = Section("A key server that falls silent")
    found = _alone(scale)
    section.parts = [
        f"{scale.outages} outages in each row, `timeout-ms = {TIMEOUT_MS}`. Black hole: what is "
        "connected falls silent, and connecting neither succeeds nor fails. SIGSTOP: the key "
        "server's process stands still. The first failure is the longest of the first ones; then "
        f"{UNTIL_OPEN} more, and after those pairs of a handshake with QKD and one whose client and "
        "server have no group in common, in turn. Where the server's key server is silent both "
        "clients offer the QKD group, and reserve a key for it in the client-initiated flow. Probes "
        "are among them.",
        Table(HEAD, [(where, how, one["first_ms"], one["first_ms"] / TIMEOUT_MS, one["p50_us"],
                      one["plain_p50_us"], one["ratio_p50"], one["ratio_paired"], one["back_ms"])
                     for where, how, one in found])]
    section.claims = list(_alone_claims(found))
    section.figures = {f"{where}, {how}": one for where, how, one in found}
    return [section]


def measure_two(scale):
    """One of two falls silent."""
    section = Section("Two key servers, one of which falls silent")
    found = _two(scale)
    section.parts = [
        f"`kme = URL, URL`: two ways to one key server, the first of which becomes a black hole, "
        f"{scale.outages} times, and comes back; `timeout-ms = {TIMEOUT_TWO_MS}`.",
        Table(HEAD_TWO, [(where, one["handshakes"], one["failed"], one["first_ms"],
                          one["after_us"], one["before_us"]) for where, one in found])]
    section.claims = list(_two_claims(found))
    section.figures = dict(found)
    return [section]


def measure(scale):
    return measure_alone(scale) + measure_two(scale)
