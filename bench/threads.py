#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many threads of one process make handshakes under ThreadSanitizer, while first one key server
dies and returns, then the other; and, with keys that were reserved ahead, while both are there.

Both ends are in the process, each with a library context of its own. The last row is the same with
a data race put into the provider (tests/tools/racy_pool.c), which must be reported: else the rows
above would prove nothing.
Exit code 1 on a report, a handshake that failed while both key servers were there, or a key ID used
twice. For the build of `make thread-test`: QKD_BUILD_DIR names it.
"""
import argparse
import collections
import itertools
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
os.environ.setdefault("QKD_BUILD_DIR", str(ROOT / "build" / "tsan"))
os.environ.setdefault("TSAN_OPTIONS", f"suppressions={ROOT / 'tests' / 'tsan.supp'}")
sys.path.insert(0, str(ROOT / "tests" / "system"))
import thread_load  # noqa: E402  (the path is set above)
from harness import BUILD, Lab  # noqa: E402

RACY = BUILD / "tests" / "racy" / "qkd.so"
RACY_HANDSHAKES = 400
POOL = 32
RACE = "__wrap_connection_pool_take"
LIMIT_S = 3600
HEAD = ("keys", "threads", "completed", "failed: kme-a away", "kme-b away", "otherwise",
        "IDs twice", "reports")
WIDTHS = (17, 7, 9, 18, 10, 9, 9, 7)


def show(row):
    print("  ".join(f"{cell!s:>{width}}" for cell, width in zip(row, WIDTHS)), flush=True)


def measure(name, threads, api, initiator, handshakes, away=("kme-a", "kme-b"), **settings):
    """The figures of one row, which is printed."""
    with Lab(rate_bps=thread_load.RATE_BPS) as lab:
        figures = thread_load.measure(lab, api, initiator, handshakes, threads, LIMIT_S, away=away,
                                      **settings)
    failed = [len(figures.failed_while(absence)) for absence in figures.absences]
    show((name, threads, len(figures.completed()), *(failed or ("not away", "not away")),
          len(figures.failed_otherwise()), figures.ids_twice(), len(figures.reports())))
    return figures


def show_reasons(figures):
    """What the failures said, without what differs from one to the next."""
    reasons = collections.Counter(one.what.split(":")[0] for one in figures.failed())
    for reason, count in reasons.most_common():
        print(f"    {count} x {reason}")
    for one in figures.failed_otherwise():
        since_ms = [(one.begin_ns - absence.end_ns) / 1e6 for absence in figures.absences]
        print("    otherwise, ms after each return: "
              f"{', '.join(f'{ms:.0f}' for ms in since_ms)}: {one.what}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--handshakes", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=16)
    options = parser.parse_args()
    if not RACY.exists():
        sys.exit(f"{RACY} is missing: build with scripts/build.sh build/tsan thread")
    wrong = []
    show(HEAD)
    # With keys at hand nobody dies: what is in a pool dies with a key server, and fails later.
    rows = [("", {}), (", pool", {"pool": POOL, "away": ()})]
    for (more, settings), (api, initiator) in itertools.product(rows, thread_load.WAYS):
        name = f"{api} {initiator}{more}"
        figures = measure(name, options.threads, api, initiator, options.handshakes, **settings)
        show_reasons(figures)
        wrong += [f"{name}: {what}" for what in figures.wrong()]
        if figures.reports():
            print(figures.stderr, file=sys.stderr)
    racy = measure("014 client, racy", options.threads, "014", "client", RACY_HANDSHAKES,
                   module=RACY)
    if RACE not in racy.stderr:
        wrong.append("the data race that was put in was not reported")
    print("\n".join(["", *wrong]) if wrong else "\nnothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
