#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills key servers and cuts their link under load, and checks that no key is delivered twice, that
both ends of each key are equal, and that what is lost is bounded and counted."""
import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
import crash_run  # noqa: E402  (the path is set above)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="(200)")
    parser.add_argument("--seed", default="1", help="decides what goes wrong, and when (1)")
    parser.add_argument("--window-bits", type=int, default=65536,
                        help="material of each link that is open at a time (65536)")
    options = parser.parse_args()
    with crash_run.CrashRun(options.seed, sys.stdout, options.window_bits) as run:
        for _ in range(options.rounds):
            run.round()
        for line in run.summary():
            print(line)
        return 1 if run.record.faults else 0


if __name__ == "__main__":
    sys.exit(main())
