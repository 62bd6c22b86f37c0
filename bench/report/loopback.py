# SPDX-License-Identifier: Apache-2.0
"""Handshakes over loopback: without QKD, with it, with and without a pool, and in processes that
keep nothing; all in one run, each in its turn."""
import contextlib

from report import labs, stats, svg
from report.model import Chart, Claim, Section, Table
from report.tls import Arm, Client, server, totals

WARM_UP = 25
PROMISES = {  # standard, whether there is a pool: bound, what it is about
    ("014", True): (1.25, "ETSI 014 with a pool: a handshake, p50"),
    ("014", False): (1.45, "ETSI 014 without one: a handshake, p50"),
    ("004", True): (1.5, "ETSI 004 with streams opened ahead: a handshake, p50"),
}
NAIVE_FACTOR = 8
HEAD = ("arm", "p50 µs", "p90 µs", "p99 µs", "handshakes/s", "against", "ratio of p50",
        "paired ratio")
POOLED, BARE, NAIVE = f"pool = {labs.POOL}", "no pool", "naive"


def name_of(group, way, keeping):
    return f"{group}, {way}, {keeping}"


@contextlib.contextmanager
def _servers(lab):
    """{(way, keeping): HOST:PORT}; the ways of ETSI 014 share theirs."""
    with contextlib.ExitStack() as stack:
        found = {}
        for api in ("014 client", "004 client"):
            for keeping, kind, pool in ((POOLED, "kept", labs.POOL), (BARE, "kept", 1),
                                        (NAIVE, "fresh", 1)):
                address = stack.enter_context(server(
                    lab, labs.conf(lab, "bob", api, pool), kind, 2 if kind == "fresh" else 1))
                for way in labs.WAYS:
                    if way.startswith(api[:3]):
                        found[way, keeping] = address
        yield found


def _arms(lab, servers):
    """{name: Arm} and {name: name of the arm to compare with}"""
    arms, bases = {}, {}
    for inner in (labs.INNER, "MLKEM768"):
        arms[inner] = Arm("kept", servers["014 client", BARE],
                          labs.conf(lab, "alice", "014 client"), inner)
        for way in labs.WAYS:
            for keeping, pool in ((POOLED, labs.POOL), (BARE, 1)):
                name = name_of(f"qkd_{inner.lower()}", way, keeping)
                arms[name] = Arm("kept", servers[way, keeping],
                                 labs.conf(lab, "alice", way, pool), f"qkd_{inner.lower()}")
                bases[name] = inner
    fresh = f"{labs.INNER}, new processes"
    arms[fresh] = Arm("fresh", servers["014 client", NAIVE],
                      labs.conf(lab, "alice", "014 client"), labs.INNER)
    bases[fresh] = labs.INNER
    for way in labs.WAYS:
        name = name_of(labs.QKD, way, NAIVE)
        arms[name] = Arm("fresh", servers[way, NAIVE], labs.conf(lab, "alice", way), labs.QKD)
        bases[name] = fresh
    return arms, bases


def rows_of(samples, bases):
    """Rows below HEAD, and {arm: figures}."""
    figures = {name: stats.against(totals(values), totals(samples[bases[name]]))
               if name in bases else stats.summary(totals(values))
               for name, values in samples.items()}
    rows = [(name, one["p50_us"], one["p90_us"], one["p99_us"], one["rate_per_s"],
             bases.get(name, ""), one.get("ratio_p50", ""), one.get("ratio_paired", ""))
            for name, one in figures.items()]
    return rows, figures


def _kept_claims(figures):
    for inner in (labs.INNER, "MLKEM768"):
        for way in labs.WAYS:
            for keeping in (POOLED, BARE):
                if (way[:3], keeping == POOLED) not in PROMISES:
                    continue
                bound, text = PROMISES[way[:3], keeping == POOLED]
                name = name_of(f"qkd_{inner.lower()}", way, keeping)
                yield Claim(1, text, "at most", bound, figures[name]["ratio_p50"], name, inner)


def _naive_claims(figures):
    """Claims, and sentences with the factor when what a new process costs anyway is taken off."""
    forking_us = (figures[f"{labs.INNER}, new processes"]["p50_us"] -
                  figures[labs.INNER]["p50_us"])
    for way in labs.WAYS:
        naive = name_of(labs.QKD, way, NAIVE)
        for keeping in (POOLED, BARE):
            name = name_of(labs.QKD, way, keeping)
            whole_us, ours_us = figures[naive]["p50_us"], figures[name]["p50_us"]
            if keeping == POOLED:
                yield Claim(2, "faster than new processes that connect for every key, p50",
                            "at least", NAIVE_FACTOR, whole_us / ours_us, name, naive, " times")
            yield (f"`{naive}` takes {svg.number(whole_us / ours_us)} times `{name}`, and "
                   f"{svg.number((whole_us - forking_us) / ours_us)} times without what new "
                   "processes cost.")


def _chart(figures, names):
    colours = {POOLED: 1, BARE: 2, NAIVE: 3}
    return svg.bars("A handshake over loopback: p50, the line to p99", "ms", [
        (name.replace(f"{labs.QKD}, ", ""), figures[name]["p50_us"] / 1e3,
         figures[name]["p99_us"] / 1e3,
         next((colour for keeping, colour in colours.items() if name.endswith(keeping)), 0))
        for name in names])


def measure(scale):
    """Sections "One machine" and "A client that keeps nothing"."""
    with labs.lab() as lab, _servers(lab) as servers:
        arms, bases = _arms(lab, servers)
        kept = [name for name, arm in arms.items() if arm.kind == "kept"]
        side = [name for name in arms if arms[name].groups in (labs.INNER, labs.QKD)]
        with Client(lab.ca, arms) as client:
            client.run(kept, WARM_UP)
            samples = client.run(kept, scale.handshakes)
            beside = client.run(side, scale.fresh)
    one = Section("One machine, both ends beside each other")
    rows, figures = rows_of(samples, bases)
    one.parts = [
        f"{scale.handshakes} handshakes in each arm, all arms in turn. `client` and `server` say "
        "who reserves the key; `no pool` fetches each when it is needed, over a kept connection.",
        Chart("loopback", "p50 and p99 of a handshake without QKD, with a pool, without one",
              _chart(figures, [name for name in kept if name in side])),
        Table(HEAD, rows)]
    one.claims, one.figures = list(_kept_claims(figures)), figures
    return [one, _naive_section(scale, beside, bases)]


def _naive_section(scale, samples, bases):
    section = Section("A client that keeps nothing")
    rows, section.figures = rows_of(samples, bases)
    found = list(_naive_claims(section.figures))
    section.claims = [claim for claim in found if isinstance(claim, Claim)]
    section.parts = [
        f"{scale.fresh} handshakes in each arm, all arms in turn. In the arms `naive` both ends "
        "are processes that make this one handshake: each connects to its key server anew. They "
        "are forked before the clock starts; what a new process costs all the same shows in the "
        "arm `new processes` and has nothing to do with QKD, so both factors are given below. New "
        "processes slow down every arm between them, X25519MLKEM768 most; the ratios to it that "
        "are to be quoted are those of the section before.",
        Chart("naive", "p50 and p99 of a handshake in new processes and in kept ones",
              _chart(section.figures, list(samples))),
        Table(HEAD, rows), " ".join(text for text in found if isinstance(text, str))]
    return section
