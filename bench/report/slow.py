# SPDX-License-Identifier: Apache-2.0
"""A key server that is slow at the end that reserves the key: what of it the initiator notices."""
import contextlib
import pathlib

from harness import qkdctl
from report import labs, stats, svg
from report.model import Chart, Claim, Section, Table
from report.tls import Arm, Client, server, totals

DELAYS_MS = (0, 1, 15, 100, 400)
CLAIMED_MS, BOUND = 100, 1.05
FULL_SPEED_POOL = 512
PACE_US = 20_000
WARM_UP = 5
PAIR_RATE_BPS = 2_000_000  # five pairs of key servers fill their stores beside each other
HEAD = ("delay at the initiator's key server", "pool", "initiator's part p50 µs", "p99 µs",
        "ratio of p50", "whole handshake p50 µs", "p99 µs", "ratio of p50")
WAYS = ("014 client", "014 server")


class Delayed:
    """A pair of key servers; the one of the initiator may be slow."""

    def __init__(self, stack, delay_ms):
        self.delay_ms = delay_ms
        self.lab = stack.enter_context(labs.lab(rate_bps=PAIR_RATE_BPS))

    def set_delay(self, way):
        """From now on it is the server of this way's initiator, and only for that one."""
        sae, slow, other = "alice", self.lab.kme_a_admin, self.lab.kme_b_admin
        if way.endswith("server"):
            sae, slow, other = "bob", other, slow
        qkdctl("misbehave", "clear", "--admin", other, check=True)
        qkdctl("misbehave", "clear", "--admin", slow, check=True)
        if self.delay_ms:
            qkdctl("misbehave", "set", "--admin", slow, "--kind", "delay", "--sae", sae, "--ms",
                   str(self.delay_ms), check=True)

    def arm(self, stack, way, pool):
        """An Arm with a server of its own. Only the initiator has a pool."""
        pools = {"alice": pool if way.endswith("client") else 1,
                 "bob": pool if way.endswith("server") else 1}
        address = stack.enter_context(
            server(self.lab, labs.conf(self.lab, "bob", way, pools["bob"])))
        return Arm("kept", address, labs.conf(self.lab, "alice", way, pools["alice"]), labs.QKD)


def part_of(samples, way):
    """The initiator's: until the ClientHello is out, or from it to the ServerHello."""
    return [sample.client_ns if way.endswith("client") else sample.server_ns
            for sample in samples]


def _name(delay_ms):
    return f"{delay_ms} ms"


def _beside(pairs, way, pool, rounds, period_us=0):
    """{name of the delay: [Sample]}, each delay in its turn."""
    with contextlib.ExitStack() as stack:
        arms = {}
        for pair in pairs:
            pair.set_delay(way)
            arms[_name(pair.delay_ms)] = pair.arm(stack, way, pool)
        # One authority for each laboratory: the file has those of all.
        authorities = pairs[0].lab.temp / "authorities.pem"
        authorities.write_text("".join(pathlib.Path(pair.lab.ca).read_text(encoding="ascii")
                                       for pair in pairs), encoding="ascii")
        with Client(str(authorities), arms) as client:
            client.run(list(arms), WARM_UP, period_us)
            return client.run(list(arms), rounds, period_us)


def rows_of(samples, way, pool):
    """Rows below HEAD, {delay: figures}; all compared with the first arm, which has no delay."""
    base = next(iter(samples.values()))
    rows, figures = [], {}
    for name, values in samples.items():
        part = stats.against(part_of(values, way), part_of(base, way))
        whole = stats.against(totals(values), totals(base))
        figures[name] = {"initiator": part, "whole": whole}
        rows.append((name, pool, part["p50_us"], part["p99_us"], part["ratio_p50"],
                     whole["p50_us"], whole["p99_us"], whole["ratio_p50"]))
    return rows, figures


def _measure_way(pairs, way, scale):
    chosen = [pair for pair in pairs if pair.delay_ms in (0, CLAIMED_MS)]
    found = {
        "full speed": (FULL_SPEED_POOL,
                       _beside(chosen, way, FULL_SPEED_POOL, scale.handshakes)),
        "paced": (labs.POOL, _beside(pairs, way, labs.POOL, scale.paced, PACE_US)),
        "no pool": (1, _beside(pairs, way, 1, scale.slow)),
    }
    return {what: rows_of(samples, way, pool) for what, (pool, samples) in found.items()}


def _claims(found, way):
    for what, pool in (("full speed", FULL_SPEED_POOL), ("paced", labs.POOL)):
        part = found[what][1][_name(CLAIMED_MS)]["initiator"]
        yield Claim(4, "initiator's part beside a key server that is 100 ms slower, p50",
                    "at most", BOUND, part["ratio_p50"],
                    f"{way}, pool = {pool}, 100 ms, {what}", f"the same, 0 ms, {what}")


def _chart(found):
    series = [(f"{way}, {text}", [one["initiator"]["p50_us"] / 1e3 for one in
                                  found[way][what][1].values()], colour)
              for way, what, text, colour in (
                  ("014 client", "paced", f"pool = {labs.POOL}", 1),
                  ("014 client", "no pool", "no pool", 2),
                  ("014 server", "paced", f"pool = {labs.POOL}", 3),
                  ("014 server", "no pool", "no pool", 0))]
    return svg.lines("The initiator's part of a handshake, p50", "ms",
                     [f"+{delay} ms" for delay in DELAYS_MS], series)


def measure(scale):
    section = Section("A slow key server at the initiator")
    with contextlib.ExitStack() as stack:
        pairs = [Delayed(stack, delay_ms) for delay_ms in DELAYS_MS]
        found = {way: _measure_way(pairs, way, scale) for way in WAYS}
    section.parts = [
        "Each answer of the initiator's key server to the initiator comes so much later (`qkdctl "
        "misbehave`); a pair of key servers for each delay, all delays in turn. The initiator's "
        "part is the time until the ClientHello is out where the client reserves the key, and "
        "that from the ClientHello to the ServerHello at the server where the server does. Only "
        "the initiator can reserve ahead: **the responder's one round trip to its own key server "
        "is what remains**, and no pool can save it, since the key's ID comes with the handshake.",
        f"At full speed the handshakes follow each other without a pause, with a pool of "
        f"{FULL_SPEED_POOL}; paced, each arm makes one every {PACE_US // 1000} ms, with a pool of "
        f"{labs.POOL}.",
        Chart("slow", "the initiator's part over the delay of its key server, with and without a "
              "pool", _chart(found))]
    for way in WAYS:
        for what, (rows, _) in found[way].items():
            section.parts += [f"{labs.WAY_TEXT[way]}, {what}:", Table(HEAD, rows)]
        section.claims += _claims(found[way], way)
    section.figures = {way: {what: figures for what, (_, figures) in one.items()}
                       for way, one in found.items()}
    return [section]
