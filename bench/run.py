#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a QKD key costs a TLS 1.3 handshake: paired handshakes over loopback between two
processes, with two live key servers on the same machine.

Every arm takes its turn in each round, so that all arms see the same machine. The figure to
quote is the ratio of the medians (p50) to the arm with the same inner group and no QKD; beside
it stands the median of the ratios within one round.
"""
import argparse
import contextlib
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
REQUESTS = harness.BUILD / "bench" / "requests"

# name, group, way of the key (None: no QKD), name of the arm to compare with
ARMS = (
    ("MLKEM768", "MLKEM768", None, None),
    ("qkd_mlkem768/014/client", "qkd_mlkem768", "014 client", "MLKEM768"),
    ("qkd_mlkem768/014/server", "qkd_mlkem768", "014 server", "MLKEM768"),
    ("qkd_mlkem768/004/client", "qkd_mlkem768", "004 client", "MLKEM768"),
    ("X25519MLKEM768", "X25519MLKEM768", None, None),
    ("qkd_x25519mlkem768/014/client", "qkd_x25519mlkem768", "014 client", "X25519MLKEM768"),
    ("qkd_x25519mlkem768/014/server", "qkd_x25519mlkem768", "014 server", "X25519MLKEM768"),
    ("qkd_x25519mlkem768/004/client", "qkd_x25519mlkem768", "004 client", "X25519MLKEM768"),
)
SIMULATED_RATE_BPS = 50_000_000  # so that key material never runs out
WARM_UP = 25


@contextlib.contextmanager
def tls_server(lab, conf, word="server"):
    """The port of a server process with this configuration."""
    server = subprocess.Popen([PROGRAM, word, conf, *lab.pki("localhost")],
                              env=harness.OPENSSL35.env(), stdout=subprocess.PIPE, text=True)
    try:
        yield re.match(r"port (\d+)", server.stdout.readline())[1]
    finally:
        server.terminate()
        server.wait()


def read_samples(command, names):
    """{name: [nanoseconds]} of a program that prints lines of NAME NANOSECONDS."""
    done = subprocess.run(command, env=harness.OPENSSL35.env(), stdout=subprocess.PIPE, text=True,
                          check=True)
    samples = {name: [] for name in names}
    for line in done.stdout.splitlines():
        name, elapsed_ns = line.split()
        samples[name].append(int(elapsed_ns))
    return samples


def measure(lab, handshakes):
    """{arm: [nanoseconds]} of one run."""
    groups = ":".join(dict.fromkeys(group for _, group, _, _ in ARMS))
    kmes = {"alice": f"etsi004://{lab.kme_a_004}", "bob": f"etsi004://{lab.kme_b_004}"}
    clients = {"014 client": lab.conf_with("alice", groups=groups, initiator="client"),
               "014 server": lab.conf_with("alice", groups=groups, initiator="server"),
               "004 client": lab.conf_with("alice", groups=groups, initiator="client",
                                           kme=kmes["alice"])}
    with tls_server(lab, lab.conf_with("bob", groups=groups)) as port014, \
            tls_server(lab, lab.conf_with("bob", groups=groups, kme=kmes["bob"],
                                          initiator="client")) as port004:
        command = [PROGRAM, "client", lab.ca, str(handshakes)]
        for name, group, way, _ in ARMS:
            way = way or "014 client"
            command += [name, port004 if way.startswith("004") else port014, clients[way], group]
        return read_samples(command, [name for name, *_ in ARMS])


def measure_requests(lab, requests):
    """{standard: [nanoseconds]} for one key over a kept connection."""
    return read_samples([REQUESTS, lab.kme_a_014, f"etsi004://{lab.kme_a_004}",
                         f"etsi004://{lab.kme_b_004}", str(lab.dir / "pki"), str(requests)],
                        ("014", "004"))


def percentiles(values_ns):
    cuts = statistics.quantiles(values_ns, n=100, method="inclusive")
    return {"p50_us": cuts[49] / 1e3, "p90_us": cuts[89] / 1e3, "p99_us": cuts[98] / 1e3}


def summarise(samples):
    """One row an arm."""
    rows = []
    for name, _, _, base in ARMS:
        row = {"arm": name, **percentiles(samples[name])}
        if base:
            row["base"] = base
            row["ratio_p50"] = (statistics.median(samples[name]) /
                                statistics.median(samples[base]))
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
    print(f"{'ARM':<31}{'p50 us':>9}{'p90 us':>9}{'p99 us':>9}{'RATIO p50':>11}{'PAIRED':>9}")
    for row in rows:
        ratio = f"{row['ratio_p50']:>11.2f}{row['ratio_paired']:>9.2f}" if "base" in row else ""
        print(f"{row['arm']:<31}{row['p50_us']:>9.0f}{row['p90_us']:>9.0f}{row['p99_us']:>9.0f}"
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
        counts = {role: int(sum(harness.metric(url, "qkd_kme_keys_delivered_total", role=role)
                                for url in (lab.kme_a_admin, lab.kme_b_admin)))
                  for role in ("initiator", "responder")}
        counts["expected"] = (sum(1 for _, _, way, _ in ARMS if way) *
                              (options.handshakes + WARM_UP))
        counts["connections"] = int(sum(
            harness.metric(url, "qkd_kme_connections_total")
            for url in (lab.kme_a_admin, lab.kme_b_admin)))
        requests = {api: percentiles(values) for api, values in
                    measure_requests(lab, options.handshakes).items()}
    rows = summarise(samples)
    if options.json:
        print(json.dumps({"machine": machine(), "handshakes": options.handshakes,
                          "keys": counts, "arms": rows, "requests": requests}, indent=2))
        return
    print(f"{options.handshakes} handshakes in each arm, certificate ECDSA P-256, loopback, "
          f"SIMULATED quantum channel\n{machine()}\n")
    print_table(rows, counts)
    print("\none key over a kept connection, p50: " + ", ".join(
        f"ETSI {api} {values['p50_us']:.0f} us" for api, values in requests.items()) +
        f"; ratio {requests['004']['p50_us'] / requests['014']['p50_us']:.2f}")


if __name__ == "__main__":
    main()
