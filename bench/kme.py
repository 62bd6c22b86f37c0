#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many requests and keys two linked key servers deliver, over kept connections, with the
load generator and both servers on the same processors.

Two pairs of key servers run side by side, one with its store in memory and one with its store in
SQLite. They are asked in turn, in short slices, so that both see the same machine; the figure to
quote is the median of the ratios within one round.
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
from durable import set_store  # noqa: E402  (the path is set above)
import harness  # noqa: E402
from report.machine import machine  # noqa: E402

PROGRAM = harness.BUILD / "bench" / "kme"
CASES = (  # name, command of the load generator
    ("enc_keys, 1 key", "enc_keys 1"),
    ("enc_keys, 100 keys", "enc_keys 100"),
    ("dec_keys, 1 key", "dec_keys 1"),
    ("dec_keys, 100 keys", "dec_keys 100"),
    ("GET_KEY", "get_key 1"),
)
ARMS = ("memory", "sqlite")
SIMULATED_RATE_BPS = 1_000_000_000
CAPACITY_BITS = 134_217_728
STOCK_BITS = CAPACITY_BITS * 4 // 10  # of the half that belongs to one side
TICKS = os.sysconf("SC_CLK_TCK")


class Pair:
    """Two key servers, and the load generator that is connected to them."""

    def __init__(self, stack, durable, connections, window_bits):
        self.lab = stack.enter_context(
            harness.Lab(up=False, rate_bps=SIMULATED_RATE_BPS, capacity_bits=CAPACITY_BITS))
        for name in ("kme-a", "kme-b"):
            set_store(self.lab, name, durable, window_bits)
        self.lab.up()
        base = self.lab.base_port
        self.load = stack.enter_context(subprocess.Popen(
            [PROGRAM, *map(str, (base, base + 1, base + 10, base + 11)), self.lab.dir / "pki",
             str(connections)], env=harness.OPENSSL35.env("/dev/null"), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        stack.callback(self.load.stdin.close)
        if self.load.stdout.readline() != "ready\n":
            raise harness.HarnessError("the load generator did not start")

    def _cpu_s(self):
        """Processor time of both servers so far."""
        total = 0
        for name in ("kme-a", "kme-b"):
            text = pathlib.Path(f"/proc/{self.lab.pid(name)}/stat").read_text(encoding="ascii")
            fields = text.rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def slice(self, command, milliseconds):
        """What one slice measured."""
        for url in (self.lab.kme_a_admin, self.lab.kme_b_admin):
            harness.wait_until(
                lambda url=url: harness.metric(url, "qkd_kme_available_bits") >= STOCK_BITS,
                "key material")
        before = self._cpu_s()
        self.load.stdin.write(f"{command} {milliseconds}\n")
        self.load.stdin.flush()
        line = self.load.stdout.readline()
        if not line:
            raise harness.HarnessError(f"the load generator ended in {command}")
        answers, refused, keys, busy_ns, p50_ns, p99_ns = map(int, line.split())
        return {"requests_per_s": answers / busy_ns * 1e9, "keys_per_s": keys / busy_ns * 1e9,
                "p50_us": p50_ns / 1e3, "p99_us": p99_ns / 1e3, "refused": refused,
                "cpu_us": (self._cpu_s() - before) / answers * 1e6}


def summarise(slices):
    """{member: median over the slices}, and all that were refused."""
    row = {name: statistics.median(one[name] for one in slices) for name in slices[0]}
    row["refused"] = sum(one["refused"] for one in slices)
    return row


def measure(pairs, rounds, milliseconds):
    """{case: {arm: [slice]}}"""
    found = {name: {arm: [] for arm in pairs} for name, _ in CASES}
    for turn in range(-1, rounds):  # the first is for warming up
        for name, command in CASES:
            arms = list(pairs)
            for arm in arms if turn % 2 == 0 else reversed(arms):
                one = pairs[arm].slice(command, milliseconds)
                if turn >= 0:
                    found[name][arm].append(one)
        print(f"\rround {turn + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def ratios(by_arm):
    """sqlite to memory, round by round."""
    return [durable["keys_per_s"] / memory["keys_per_s"]
            for memory, durable in zip(by_arm["memory"], by_arm["sqlite"])]


def print_table(found):
    print(f"{'REQUEST':<20}{'STORE':<8}{'requests/s':>11}{'keys/s':>9}{'p50 us':>8}{'p99 us':>8}"
          f"{'cpu us':>8}{'503':>6}  SQLITE TO MEMORY")
    for name, by_arm in found.items():
        for arm, slices in by_arm.items():
            row = summarise(slices)
            print(f"{name:<20}{arm:<8}{row['requests_per_s']:>11.0f}{row['keys_per_s']:>9.0f}"
                  f"{row['p50_us']:>8.0f}{row['p99_us']:>8.0f}{row['cpu_us']:>8.0f}"
                  f"{row['refused']:>6}", end="")
            if arm == "sqlite":
                values = ratios(by_arm)
                print(f"  {statistics.median(values):.2f} "
                      f"({min(values):.2f} to {max(values):.2f})", end="")
            print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="slices of each kind (15)")
    parser.add_argument("--slice-ms", type=int, default=400, help="length of a slice (400)")
    parser.add_argument("--connections", type=int, default=8, help="at each side (8)")
    parser.add_argument("--window-bits", type=int, default=16_777_216,
                        help="that the store in SQLite keeps open (16777216)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        pairs = {arm: Pair(stack, arm == "sqlite", options.connections, options.window_bits)
                 for arm in ARMS}
        found = measure(pairs, options.rounds, options.slice_ms)
    if options.json:
        print(json.dumps({"machine": machine(), "connections": options.connections,
                          "slices": found}, indent=2))
        return
    print(f"{options.rounds} slices of {options.slice_ms} ms each, {options.connections} kept "
          f"connections at each side, keys of 256 bits, window of {options.window_bits} bits, "
          f"SIMULATED quantum channel\n"
          f"{machine()}\n")
    print_table(found)
    print("\np50 and p99 are of a request, medians over the slices; cpu us is what both key "
          "servers used for one\nrequest, the simulated channel and the link included.")


if __name__ == "__main__":
    main()
