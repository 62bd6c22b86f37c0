#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Web servers that are reloaded under load: one key for each handshake and end, none used by two
processes, and nothing that grows.

Four clients make handshakes all the time, each for one small page. Memory is resident memory,
descriptors are open ones, of the master and the mean of its children: a sample before each reload
and one at the end, the most of the first half and the most of the second. The rows with 0 reloads
have as many samples, of children that live through the whole. The rows "X25519" are the same
without the provider: what the program does by itself.
Exit code 1 on a key too many, a key ID used twice, or growth beyond the bounds.
"""
import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
import reloads  # noqa: E402  (the path is set above)
from recipe import FLOWS  # noqa: E402
from web_servers import EVENT, HAPROXY, NGINX, PREFORK  # noqa: E402

PLAIN = "X25519"
HEAD = ("server", "keys", "reloads", "handshakes", "failed", "init. keys", "resp. keys",
        "processes", "IDs twice", "master KiB", "child KiB", "master fds", "child fds")
WIDTHS = (15, 10, 7, 10, 6, 10, 10, 9, 9, 15, 15, 10, 9)


def cells(server, keys, figures):
    change = [" > ".join(f"{most:.0f}" for most in figures.halves(name))
              for name in ("master_kib", "child_kib", "master_fds", "child_fds")]
    spent = [f"{figures.delivered[role] / figures.completed:.3f}"
             for role in ("initiator", "responder")]
    used = [*spent, figures.processes, figures.shared_ids]
    if keys == PLAIN:
        used = ["-"] * len(used)
    return (server.name, keys, figures.reloads, figures.completed, figures.failed(), *used,
            *change)


def show(row):
    print("  ".join(f"{cell!s:<{width}}" for cell, width in zip(row, WIDTHS)).rstrip(), flush=True)


def arms():
    for server in (NGINX, PREFORK, EVENT, HAPROXY):
        for api, initiator in FLOWS:
            yield server, f"{api} {initiator}", {"api": api, "initiator": initiator}
        yield server, "014 client", {"reload": False}
        yield server, PLAIN, {"qkd": False}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--handshakes", type=int, default=5000)
    parser.add_argument("--reloads", type=int, default=50)
    options = parser.parse_args()
    wrong = []
    show(HEAD)
    for server, keys, how in arms():
        figures = reloads.measure(server, options.handshakes, options.reloads, **how)
        show(cells(server, keys, figures))
        for reason, count in figures.failures.items():
            print(f"    failed and tried again: {count} x {reason}")
        found = figures.wrong() if how.get("qkd", True) else figures.grown()
        wrong += [f"{server.name}, {keys}: {what}" for what in found]
    print("\n".join(["", *wrong]) if wrong else "\nnothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
