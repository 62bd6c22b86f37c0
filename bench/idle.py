#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a provider that is loaded, but whose groups are not used, costs a TLS 1.3 handshake: paired
handshakes over loopback between two processes, with and without it at both ends.

"kept" makes one SSL_CTX at the start, "client" one for each connection of the client, as curl does,
"both" at both ends, which no server does.
All arms of a kind take their turn in each round. The figure to quote is the median of the ratios
within one round, beside that of the control: two arms without the provider, which shows how far this
machine can be trusted. No key server runs: nobody may ask one. Exit code 1 when a ratio is above the
bound.
"""
import argparse
import contextlib
import re
import sys

import report  # noqa: F401  (which sets the path)
import harness
from report import stats, tls
from report.machine import machine

GROUPS = ("X25519MLKEM768", "X25519")
SAES = ("alice", "bob")
BOUND = 1.02
WARM_UP = 25
# Of a row: how the server and the client go about their SSL_CTX.
KINDS = {"kept": ("kept", "kept"), "client": ("kept", "context"), "both": ("context", "context")}


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
    """{provider: (openssl.cnf of the client, of the server)}"""
    groups = ":".join(GROUPS)  # the same: OpenSSL keeps this line of the last file for all of them
    without = tuple(conf_without(lab, name, groups) for name in SAES)
    return {"without": without,
            "control": without,
            "loaded": tuple(lab.conf_with(name, groups=groups) for name in SAES)}


def measure(lab, kind, handshakes):
    """{"GROUP provider": [nanoseconds]}"""
    arms = {}
    with contextlib.ExitStack() as stack:
        for provider, (client, server) in confs(lab).items():
            address = stack.enter_context(tls.server(lab, server, KINDS[kind][0]))
            for group in GROUPS:
                arms[f"{group}/{provider}"] = tls.Arm(KINDS[kind][1], address, client, group)
        with tls.Client(lab.ca, arms) as client:
            client.run(list(arms), WARM_UP)
            return {name: tls.totals(samples)
                    for name, samples in client.run(list(arms), handshakes).items()}


def rows(samples, kind):
    for group in GROUPS:
        base = samples[f"{group}/without"]
        for provider in ("without", "control", "loaded"):
            yield {"kind": kind, "group": group, "provider": provider,
                   **stats.against(samples[f"{group}/{provider}"], base)}


def show(row):
    ratio = ("" if row["provider"] == "without" else
             f"{row['ratio_p50']:>11.3f}{row['ratio_paired']:>9.3f}")
    print(f"{row['kind']:<8}{row['group']:<16}{row['provider']:<9}{row['p50_us']:>9.0f}"
          f"{row['p90_us']:>9.0f}{row['p99_us']:>9.0f}{ratio}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--handshakes", type=int, default=5000, help="in each arm (5000)")
    options = parser.parse_args()
    print(f"{options.handshakes} handshakes in each arm, loopback\n{machine()}\n")
    print(f"{'SSL_CTX':<8}{'GROUP':<16}{'PROVIDER':<9}{'p50 us':>9}{'p90 us':>9}{'p99 us':>9}"
          f"{'RATIO p50':>11}{'PAIRED':>9}")
    above = False
    with harness.Lab(up=False) as lab:
        for kind in KINDS:
            for row in rows(measure(lab, kind, options.handshakes), kind):
                show(row)
                above = above or row["provider"] == "loaded" and row["ratio_paired"] > BOUND
    print(f"\nabove {BOUND}" if above else f"\nnone above {BOUND}")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
