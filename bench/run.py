#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what QKD costs TLS handshakes, all of it in one go, and writes the report.

Arms that are compared take their turns in one run, so that they see the same machine; the figure to
quote is the ratio of the medians (p50), and beside it stands the median of the ratios within one
round. Exit code 1 when something could not be measured; a claim that fell short is in the report.
"""
import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))
import report  # noqa: E402,F401  (the path is set above; it sets those of the others)
import harness  # noqa: E402
import own_net  # noqa: E402
from report import (calls, counts, far, flood, loopback, markdown, outage, parallel,  # noqa: E402
                    refusals, slow)
from report.machine import commit, machine, today  # noqa: E402
from report.model import FULL, QUICK, Chart, Section  # noqa: E402

PARTS = {  # in the order of the report: its name, title where it fails, what measures it
    "loopback": ("One machine", loopback.measure),
    "far": ("A network with 10 ms round trip", far.measure),
    "slow": ("A slow key server", slow.measure),
    "parallel": ("One process and four", parallel.measure),
    "counts": ("Keys and connections", counts.measure),
    "outage": ("A key server that falls silent", outage.measure_alone),
    "two": ("Two key servers", outage.measure_two),
    "flood": ("An attacker who sends bare ClientHellos", flood.measure),
    "calls": ("Single calls to a key server", calls.measure),
    "refusals": ("How a handshake fails", refusals.measure),
}
REPORT = ROOT / "docs" / "benchmarks.md"
CHARTS = "benchmarks"  # folder beside the report


def measure(names, scale):
    """The sections of these parts; one that cannot be measured says why."""
    sections = []
    for name in names:
        title, function = PARTS[name]
        start = time.monotonic()
        try:
            sections += function(scale)
        except (harness.HarnessError, OSError, ValueError, subprocess.SubprocessError) as error:
            sections.append(Section(title, failed=str(error).strip().splitlines()[0]))
            print(f"{name}: {error}", file=sys.stderr)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return sections


def head(seconds):
    """What stands above all figures."""
    return [
        "Written by `make bench`; do not edit. Everything here is of one run, over live key "
        "servers of ours, with a certificate of ECDSA P-256 and without resumption. **The "
        "quantum channel is simulated.**",
        f"{machine()}; {today()}; commit {commit() or 'unknown'} (`+`: and changes since); "
        f"{seconds / 60:.0f} minutes.",
        "Arms that are compared take their turns in one run, with another one first in each round. "
        "*Ratio of p50* is that of the medians, *paired ratio* the median of the ratios within one "
        "round. Times are from before connect(2) until the server's first octet has come; "
        "handshakes/s is what one client reaches that makes one after the other."]


def as_json(sections, seconds):
    return {"machine": machine(), "date": today(), "commit": commit(),
            "seconds": round(seconds),
            "claims": [{**dataclasses.asdict(claim), "held": claim.held}
                       for section in sections for claim in section.claims],
            "sections": {section.title: section.figures or {"failed": section.failed}
                         for section in sections}}


def write(text, sections, path):
    """The report and its charts, and no chart of an earlier one."""
    folder = path.parent / CHARTS
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for section in sections:
        for part in section.parts:
            if isinstance(part, Chart):
                (folder / f"{part.name}.svg").write_text(part.svg, encoding="utf-8")
    path.write_text(text, encoding="utf-8")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="few handshakes, printed and not written: for development")
    parser.add_argument("--only", metavar="PART,…", help=f"some of {', '.join(PARTS)}; printed")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE",
                        help=f"write the report here (a whole one: {REPORT.relative_to(ROOT)})")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="all figures, too")
    options = parser.parse_args()
    options.names = options.only.split(",") if options.only else list(PARTS)
    for name in options.names:
        if name not in PARTS:
            parser.error(f"there is no part {name!r}")
    if not options.out and not options.quick and not options.only:
        options.out = REPORT
    return options


def main():
    options = parse()
    own_net.enter()
    start = time.monotonic()
    sections = measure(options.names, QUICK if options.quick else FULL)
    seconds = time.monotonic() - start
    text = markdown.document(head(seconds), sections, CHARTS)
    if options.out:
        write(text, sections, options.out)
        print(f"{options.out}: {sum(not claim.held for one in sections for claim in one.claims)} "
              "claims fell short")
    else:
        print(text)
    if options.json:
        options.json.write_text(json.dumps(as_json(sections, seconds), indent=1) + "\n",
                                encoding="utf-8")
    return 1 if any(section.failed for section in sections) else 0


if __name__ == "__main__":
    sys.exit(main())
