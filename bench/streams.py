#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What 1,000 open key streams and 100 blocked GET_KEY calls cost a GET_KEY that need not wait.

Two pairs of key servers run at the same time, one with that load and one without, and are asked in
turn, so that both see the same machine. The figure to quote is the ratio of the p99s.
"""
import argparse
import contextlib
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
import etsi004  # noqa: E402  (the path is set above)
import kme_sites  # noqa: E402

SIMULATED_RATE_BPS = 50_000_000
OPEN_AT_ONCE = 50
WARM_UP = 200
TIMEOUT_MS = 600_000  # longer than the measurement


def pair_of_servers(stack):
    """Two key servers with full stores."""
    sites = stack.enter_context(kme_sites.Sites(
        limits={"max_timeout_ms": TIMEOUT_MS},
        link={"simulated_rate_bps": SIMULATED_RATE_BPS, "capacity_bits": 33_554_432}))
    sites.stock(16_000_000)
    return sites


def open_stream(stack, sites):
    """A connection of alice and a stream on it that bob has joined."""
    alice, bob = (stack.enter_context(etsi004.Client(sites, sae)) for sae in ("alice", "bob"))
    ksid = alice.open("bob", timeout=TIMEOUT_MS).ksid
    if bob.open("alice", ksid=ksid).status != etsi004.SUCCESS:
        raise RuntimeError("bob could not join")
    return alice, ksid


def load(stack, sites, streams, blocked):
    """Opens streams that nobody joins, and blocks calls on some of them."""
    opener = stack.enter_context(etsi004.Client(sites, "alice"))
    ksids = []
    while len(ksids) < streams:
        count = min(OPEN_AT_ONCE, streams - len(ksids))
        opener.send(etsi004.open_request(*opener.uris("bob"), timeout=TIMEOUT_MS) * count)
        ksids += [opener.read().ksid for _ in range(count)]
    clients = []
    for ksid in ksids[:blocked]:
        client = stack.enter_context(etsi004.Client(sites, "alice"))
        client.send(etsi004.get_key_request(ksid, 0))
        clients.append(client)
    return clients


def one_call_ns(client, ksid, index):
    begin = time.perf_counter_ns()
    reply = client.get_key(ksid, index, metadata=0)
    elapsed = time.perf_counter_ns() - begin
    if reply.status != etsi004.SUCCESS:
        raise RuntimeError(f"GET_KEY {index}: {reply}")
    return elapsed


def measure(options):
    """{"without": [nanoseconds], "with": [nanoseconds]}"""
    samples = {"without": [], "with": []}
    with contextlib.ExitStack() as stack:
        sites = {name: pair_of_servers(stack) for name in samples}
        calls = {name: open_stream(stack, sites[name]) for name in samples}
        clients = load(stack, sites["with"], options.streams, options.blocked)
        for index in range(WARM_UP + options.calls):
            for name in ("without", "with") if index % 2 == 0 else ("with", "without"):
                elapsed = one_call_ns(*calls[name], index)
                if index >= WARM_UP:
                    samples[name].append(elapsed)
        if not all(client.is_silent() for client in clients):
            raise RuntimeError("a call that should be blocked was answered")
        known = sites["with"].metric("a", "qkd_kme_streams")
        print(f"{options.calls} calls each; {known:.0f} streams, {len(clients)} blocked calls")
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=5000, help="on each side (5000)")
    parser.add_argument("--streams", type=int, default=1000, help="open beside them (1000)")
    parser.add_argument("--blocked", type=int, default=100, help="calls that wait (100)")
    options = parser.parse_args()
    cuts = {}
    for name, values in measure(options).items():
        cuts[name] = statistics.quantiles(values, n=100, method="inclusive")
        print(f"{name:<8} p50 {cuts[name][49] / 1e3:7.1f} us   p99 {cuts[name][98] / 1e3:7.1f} us")
    for number, index in ((50, 49), (99, 98)):
        print(f"ratio of the p{number}s: {cuts['with'][index] / cuts['without'][index]:.2f}")


if __name__ == "__main__":
    main()
