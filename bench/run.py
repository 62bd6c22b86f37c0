#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a QKD key costs a TLS 1.3 handshake: paired handshakes over loopback between two
processes, with two live key servers on the same machine.

Every arm takes its turn in each round, so that all arms see the same machine. The figure to
quote is the ratio of the medians (p50) to the arm with the same inner group and no QKD; beside
it stands the median of the ratios within one round.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
import harness  # noqa: E402  (the path is set above)

PROGRAM = harness.BUILD / "bench" / "handshake"

# name, group, initiator of the key (None: no QKD), name of the arm to compare with
ARMS = (
    ("MLKEM768", "MLKEM768", None, None),
    ("qkd_mlkem768/client", "qkd_mlkem768", "client", "MLKEM768"),
    ("qkd_mlkem768/server", "qkd_mlkem768", "server", "MLKEM768"),
    ("X25519MLKEM768", "X25519MLKEM768", None, None),
    ("qkd_x25519mlkem768/client", "qkd_x25519mlkem768", "client", "X25519MLKEM768"),
    ("qkd_x25519mlkem768/server", "qkd_x25519mlkem768", "server", "X25519MLKEM768"),
)
SIMULATED_RATE_BPS = 50_000_000  # so that key material never runs out
WARM_UP = 25


def measure(lab, handshakes):
    """{arm: [nanoseconds]} of one run."""
    cert, key = lab.pki("localhost")
    groups = ":".join(dict.fromkeys(group for _, group, _, _ in ARMS))
    server_cnf = lab.conf_with("bob", groups=groups)
    client_cnf = {flow: lab.conf_with("alice", groups=groups, initiator=flow)
                  for flow in ("client", "server")}
    env = harness.OPENSSL35.env()
    server = subprocess.Popen([PROGRAM, "server", server_cnf, cert, key], env=env,
                              stdout=subprocess.PIPE, text=True)
    try:
        port = re.match(r"port (\d+)", server.stdout.readline())[1]
        words = [word for name, group, flow, _ in ARMS
                 for word in (name, client_cnf[flow or "client"], group)]
        done = subprocess.run([PROGRAM, "client", port, lab.ca, str(handshakes), *words],
                              env=env, stdout=subprocess.PIPE, text=True, check=True)
    finally:
        server.terminate()
        server.wait()
    samples = {name: [] for name, *_ in ARMS}
    for line in done.stdout.splitlines():
        name, elapsed_ns = line.split()
        samples[name].append(int(elapsed_ns))
    return samples


def summarise(samples):
    """One row an arm."""
    rows = []
    for name, _, flow, base in ARMS:
        cuts = statistics.quantiles(samples[name], n=100, method="inclusive")
        row = {"arm": name, "flow": flow, "p50_us": cuts[49] / 1e3, "p90_us": cuts[89] / 1e3,
               "p99_us": cuts[98] / 1e3}
        if base:
            base_p50 = statistics.median(samples[base])
            row["base"] = base
            row["ratio_p50"] = statistics.median(samples[name]) / base_p50
            row["ratio_paired"] = statistics.median(
                with_qkd / without for with_qkd, without in zip(samples[name], samples[base]))
        rows.append(row)
    return rows


def machine():
    """Where this was measured."""
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(
        encoding="ascii"), re.M)
    version = ".".join(map(str, harness.OPENSSL35.version()))
    return (f"{model[1] if model else platform.machine()}, {os.cpu_count()} CPUs, "
            f"Linux {platform.release()}, OpenSSL {version}")


def print_table(rows, counts):
    print(f"{'ARM':<28}{'p50 us':>9}{'p90 us':>9}{'p99 us':>9}{'RATIO p50':>11}{'PAIRED':>9}")
    for row in rows:
        ratio = f"{row['ratio_p50']:>11.2f}{row['ratio_paired']:>9.2f}" if "base" in row else ""
        print(f"{row['arm']:<28}{row['p50_us']:>9.0f}{row['p90_us']:>9.0f}{row['p99_us']:>9.0f}"
              f"{ratio}")
    print(f"keys delivered: {counts['initiator']} to initiators, {counts['responder']} to "
          f"responders; expected {counts['expected']} each")
    print(f"connections accepted by the key servers: {counts['connections']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--handshakes", type=int, default=1000, help="in each arm (1000)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    with harness.Lab(rate_bps=SIMULATED_RATE_BPS) as lab:
        samples = measure(lab, options.handshakes)
        keyed = sum(1 for _, _, flow, _ in ARMS if flow)
        counts = {role: int(harness.delivered(lab, role)) for role in ("initiator", "responder")}
        counts["expected"] = keyed * (options.handshakes + WARM_UP)
        counts["connections"] = int(sum(
            harness.metric(url, "qkd_kme_connections_total", api="014")
            for url in (lab.kme_a_admin, lab.kme_b_admin)))
    rows = summarise(samples)
    if options.json:
        print(json.dumps({"machine": machine(), "handshakes": options.handshakes,
                          "keys": counts, "arms": rows}, indent=2))
        return
    print(f"{options.handshakes} handshakes in each arm, certificate ECDSA P-256, loopback, "
          f"SIMULATED quantum channel\n{machine()}\n")
    print_table(rows, counts)


if __name__ == "__main__":
    main()
