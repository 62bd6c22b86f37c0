#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a provider that is loaded, but whose groups are not used, costs a TLS 1.3 handshake: paired
handshakes over loopback between two processes, with and without it at both ends.

"kept" makes one SSL_CTX at the start, "fresh" one for each connection at both ends, as curl does.
All arms of a mode take their turn in each round. The figure to quote is the median of the ratios
within one round, beside that of the control: two arms without the provider, which shows how far this
machine can be trusted. No key server runs: nobody may ask one. Exit code 1 when a ratio is above the
bound.
"""
import argparse
import contextlib
import re
import statistics
import sys

import run  # which sets the path

import harness

GROUPS = ("X25519MLKEM768", "X25519")
SAES = ("alice", "bob")
BOUND = 1.02


def conf_without(lab, name, groups):
    """The openssl.cnf of an SAE without the provider, otherwise the same."""
    path = lab.temp / f"{name}-without.cnf"
    with open(lab.conf_with(name, groups=groups), encoding="utf-8") as file:
        text, count = re.subn(r"^qkd = qkd_provider\n", "", file.read(), flags=re.M)
    if count != 1:
        raise harness.HarnessError("an openssl.cnf that does not name the provider once")
    path.write_text(text, encoding="utf-8")
    return str(path)


def confs(lab):
    """{kind of arm: (openssl.cnf of the client, of the server)}"""
    groups = ":".join(GROUPS)  # the same: OpenSSL keeps this line of the last file for all of them
    without = tuple(conf_without(lab, name, groups) for name in SAES)
    return {"without": without,
            "control": without,
            "loaded": tuple(lab.conf_with(name, groups=groups) for name in SAES)}


def measure(lab, mode, handshakes):
    """{"GROUP kind": [nanoseconds]}"""
    arms = confs(lab)
    prefix = "fresh-" if mode == "fresh" else ""
    command = [run.PROGRAM, f"{prefix}client", lab.ca, str(handshakes)]
    with contextlib.ExitStack() as stack:
        ports = {kind: stack.enter_context(run.tls_server(lab, server, f"{prefix}server"))
                 for kind, (_, server) in arms.items()}
        names = []
        for group in GROUPS:
            for kind, (client, _) in arms.items():
                names.append(f"{group}/{kind}")
                command += [names[-1], ports[kind], client, group]
        return run.read_samples(command, names)


def rows(samples, mode):
    for group in GROUPS:
        base = samples[f"{group}/without"]
        for kind in ("without", "control", "loaded"):
            values = samples[f"{group}/{kind}"]
            row = {"mode": mode, "group": group, "kind": kind, **run.percentiles(values)}
            if kind != "without":
                row["ratio_p50"] = statistics.median(values) / statistics.median(base)
                row["ratio_paired"] = statistics.median(
                    one / other for one, other in zip(values, base))
            yield row


def show(row):
    ratio = (f"{row['ratio_p50']:>11.3f}{row['ratio_paired']:>9.3f}" if "ratio_p50" in row else "")
    print(f"{row['mode']:<8}{row['group']:<16}{row['kind']:<9}{row['p50_us']:>9.0f}"
          f"{row['p90_us']:>9.0f}{row['p99_us']:>9.0f}{ratio}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--handshakes", type=int, default=5000, help="in each arm (5000)")
    options = parser.parse_args()
    print(f"{options.handshakes} handshakes in each arm, loopback\n{run.machine()}\n")
    print(f"{'SSL_CTX':<8}{'GROUP':<16}{'PROVIDER':<9}{'p50 us':>9}{'p90 us':>9}{'p99 us':>9}"
          f"{'RATIO p50':>11}{'PAIRED':>9}")
    above = False
    with harness.Lab(up=False) as lab:
        for mode in ("kept", "fresh"):
            for row in rows(measure(lab, mode, options.handshakes), mode):
                show(row)
                above = above or row["kind"] == "loaded" and row["ratio_paired"] > BOUND
    print(f"\nabove {BOUND}" if above else f"\nnone above {BOUND}")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
