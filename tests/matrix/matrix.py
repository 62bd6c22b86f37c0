#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every OpenSSL with every other: matrix.py --module 3=FOLDER --module 4=FOLDER PREFIX...

Prints tables; the exit status is 1 when a cell is not as it must be.
"""
import argparse
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from versions import Installation, Report  # noqa: E402  (the path is set above)
import alerts  # noqa: E402
import inner  # noqa: E402
import majors  # noqa: E402
import pairs  # noqa: E402
import suites  # noqa: E402
import view  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", action="append", required=True, metavar="MAJOR=FOLDER",
                        help="where the qkd.so of a libcrypto major is")
    parser.add_argument("prefixes", nargs="+", metavar="PREFIX", help="of an OpenSSL")
    return parser.parse_args()


def main():
    options = parse()
    modules = {int(major): folder for major, folder in
               (word.split("=", 1) for word in options.module)}
    installations = [Installation(prefix, modules) for prefix in options.prefixes]
    report, begin = Report(), time.monotonic()
    handshakes = pairs.run(report, installations)
    handshakes += inner.run(report, installations)
    handshakes += view.run(report, installations)
    refused = alerts.run(report, installations)
    majors.run(report, installations)
    suites.run(report, installations)
    report.say(f"\n{handshakes} handshakes, each with one key at each end, and {refused} that had to "
               f"fail, in {time.monotonic() - begin:.0f} s; not as it must be: "
               f"{len(report.failures)}")
    for what in report.failures:
        report.say(f"  {what}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
