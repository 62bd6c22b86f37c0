# SPDX-License-Identifier: Apache-2.0
"""What single calls cost: one key over a kept connection by both standards, and a GET_KEY beside
many open streams."""
import subprocess
import types

import harness
import streams
from report import labs, stats
from report.model import Section, Table

REQUESTS = harness.BUILD / "bench" / "requests"
OPEN_STREAMS, BLOCKED = 1000, 100
HEAD = ("call", "p50 µs", "p90 µs", "p99 µs", "calls/s")


def _requests(lab, count):
    """{standard: [nanoseconds]} for one key over a kept connection."""
    done = subprocess.run(
        [REQUESTS, lab.kme_a_014, f"etsi004://{lab.kme_a_004}", f"etsi004://{lab.kme_b_004}",
         str(lab.dir / "pki"), str(count)], env=harness.OPENSSL35.env(), stdout=subprocess.PIPE,
        text=True, check=True)
    samples = {"014": [], "004": []}
    for line in done.stdout.splitlines():
        name, elapsed_ns = line.split()
        samples[name].append(int(elapsed_ns))
    return samples


def _row(name, one):
    return (name, one["p50_us"], one["p90_us"], one["p99_us"], one["rate_per_s"])


def measure(scale):
    section = Section("Single calls to a key server")
    with labs.lab() as lab:
        keys = {api: stats.summary(values)
                for api, values in _requests(lab, scale.handshakes).items()}
    beside = {what: stats.summary(values) for what, values in streams.measure(
        types.SimpleNamespace(calls=scale.streams, streams=OPEN_STREAMS,
                              blocked=BLOCKED)).items()}
    ratio = beside["with"]["p99_us"] / beside["without"]["p99_us"]
    section.parts = [
        "One key over a kept connection, both standards in turn; and GET_KEY of ETSI 004 by a "
        f"client in Python, at key servers with and without {OPEN_STREAMS:,} open streams and "
        f"{BLOCKED} calls that wait, in turn.",
        Table(HEAD, [_row("ETSI 014 Get key", keys["014"]), _row("ETSI 004 GET_KEY", keys["004"]),
                     _row("GET_KEY, nothing beside it", beside["without"]),
                     _row(f"GET_KEY beside {OPEN_STREAMS:,} streams", beside["with"])]),
        f"Ratio of ETSI 004 to 014, p50: {keys['004']['p50_us'] / keys['014']['p50_us']:.2f}. "
        f"Ratio with the streams to without, p99: {ratio:.2f}."]
    section.figures = {"requests": keys, "streams": beside}
    return [section]
