# SPDX-License-Identifier: Apache-2.0
"""One client process and four, against servers of one and of four processes."""
import contextlib
import statistics
import time

from report import labs, stats, svg
from report.model import Chart, Section, Table
from report.tls import Arm, Client, server, totals

PROCESSES = (1, 4)
WARM_UP = 10
HEAD = ("processes at each end", "arm", "handshakes/s", "ratio of rates to no QKD", "p50 µs",
        "p90 µs", "p99 µs")


def _arms(lab, stack, workers):
    addresses = {(api, pool): stack.enter_context(server(
        lab, labs.conf(lab, "bob", api, pool), workers=workers))
        for api in ("014 client", "004 client") for pool in (1, labs.POOL)}
    arms = {labs.INNER: Arm("kept", addresses["014 client", 1],
                            labs.conf(lab, "alice", "014 client"), labs.INNER)}
    for way in labs.WAYS:
        for pool in (labs.POOL, 1):
            api = "014 client" if way.startswith("014") else way
            arms[f"{way}, " + (f"pool = {pool}" if pool > 1 else "no pool")] = Arm(
                "kept", addresses[api, pool], labs.conf(lab, "alice", way, pool), labs.QKD)
    return arms


def _slice(clients, name, handshakes):
    """(handshakes per second of all together, [nanoseconds])"""
    start = time.monotonic()
    for client in clients:
        client.begin([name], handshakes)
    samples = [total for client in clients for total in totals(client.end()[name])]
    return len(samples) / (time.monotonic() - start), samples


def _measure(lab, processes, scale):
    """{arm: ([rate of each slice], [nanoseconds])}"""
    with contextlib.ExitStack() as stack:
        arms = _arms(lab, stack, processes)
        clients = [stack.enter_context(Client(lab.ca, arms)) for _ in range(processes)]
        for name in arms:
            _slice(clients, name, WARM_UP)
        found = {name: ([], []) for name in arms}
        for turn in range(scale.slices):
            names = list(arms) if turn % 2 == 0 else list(reversed(arms))
            for name in names:
                rate, samples = _slice(clients, name, scale.slice_handshakes)
                found[name][0].append(rate)
                found[name][1].extend(samples)
    return found


def rows_of(processes, found):
    base = next(iter(found.values()))[0]
    rows, figures = [], {}
    for name, (rates, samples) in found.items():
        one = stats.summary(samples)
        one["rate_per_s"] = statistics.median(rates)
        one["ratio_of_rates"] = stats.ratio_paired(rates, base)
        figures[name] = one
        rows.append((processes, name, one["rate_per_s"], one["ratio_of_rates"], one["p50_us"],
                     one["p90_us"], one["p99_us"]))
    return rows, figures


def measure(scale):
    section = Section("One process and four")
    rows, bars = [], []
    with labs.lab() as lab:
        for processes in PROCESSES:
            more, figures = rows_of(processes, _measure(lab, processes, scale))
            rows += more
            section.figures[processes] = figures
            bars += [(f"{processes}: {name}", one["rate_per_s"], None,
                      0 if name == labs.INNER else 1 if "pool =" in name else 2)
                     for name, one in figures.items()]
    section.parts = [
        f"{scale.slices} slices for each arm, all arms in turn, of {scale.slice_handshakes} "
        "handshakes of each client process without a pause; the server has as many processes as "
        "there are clients. Clients, servers and both key servers share the processors, so the "
        "four show what the machine can do and not what a site of its own could.",
        Chart("parallel", "handshakes a second with one process and with four at each end",
              svg.bars("Handshakes a second, by processes at each end", "1/s", bars)),
        Table(HEAD, rows)]
    return [section]
