#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hours of mixed load on two linked, durable key servers: does anything grow, does it get slower?

Both APIs, from both sides: keys one by one and in batches, key streams that are opened, read and
closed, requests that must be refused, new connections, keys that nobody claims, and a SIGHUP each
minute. Every key is compared between its two ends. A line a minute; at the end the first minutes
beside the last ones. Exit code 1 on anything unexpected and on growth beyond the bounds.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import signal
import statistics
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
import etsi004  # noqa: E402  (the path is set above)
import harness  # noqa: E402
import kme_sites  # noqa: E402
from report.machine import machine  # noqa: E402

SERVERS = ("kme-a", "kme-b")
PEERS = {"alice": "bob", "bob": "alice"}
# Short lives, so that what is kept for a time reaches its steady state within minutes.
LIMITS = {"key_lifetime_s": 60, "max_ttl_s": 120, "default_ttl_s": 120}
LINK = {"simulated_rate_bps": 4_000_000, "capacity_bits": 8_388_608}
STREAMS = 8
STREAM_READS = 400  # positions of a stream before it is closed for another
WINDOW_MINUTES = 5
KINDS = ("enc_keys", "dec_keys", "get_key")

# What the last minutes may have more than the first: a factor, and something absolute beside it.
BOUNDS = {
    "rss_kib": (1.10, 1024), "fds": (1.0, 2), "threads": (1.0, 0), "store_kib": (1.25, 512),
    "p50_us": (1.25, 100), "p99_us": (1.5, 1000),
}


class Unexpected(Exception):
    """The key servers did what they must not."""


def expect(what, got, *allowed):
    if got not in allowed:
        raise Unexpected(f"{what}: {got}, not {' or '.join(map(str, allowed))}")


class Web:
    """A kept connection of an SAE to its key server."""

    def __init__(self, sites, sae):
        self._sites, self.sae = sites, sae
        self._tls = sites.connect(sae)

    def call(self, path, body=None, text=None):
        """(answer, seconds)"""
        octets = text if text is not None else json.dumps(body).encode() if body else b""
        wire = kme_sites.request(path, "POST" if octets else "GET", octets,
                                 ("Content-Type: application/json",) if octets else ())
        start = time.monotonic()
        answer = kme_sites.exchange(self._tls, wire)[0]
        return answer, time.monotonic() - start

    def close(self):
        self._tls.close()


class Stream:
    """A key stream that both SAEs have open, read at both ends."""

    def __init__(self, clients, opener):
        self._near, self._far = clients[opener], clients[PEERS[opener]]
        opened = self._near.open(PEERS[opener], timeout=10_000)
        expect("OPEN_CONNECT", opened.status, etsi004.PEER_NOT_YET, etsi004.SUCCESS)
        self.ksid, self._index = opened.ksid, 0
        expect("OPEN_CONNECT of the peer", self._far.open(opener, self.ksid).status,
               etsi004.SUCCESS)

    def read(self):
        """The next position at both ends; [seconds]."""
        times, keys = [], []
        for client in (self._near, self._far):
            start = time.monotonic()
            reply = client.get_key(self.ksid, self._index)
            times.append(time.monotonic() - start)
            expect(f"GET_KEY {self._index}", reply.status, etsi004.SUCCESS)
            keys.append(reply.key)
        if keys[0] != keys[1]:
            raise Unexpected(f"unequal octets of a stream at position {self._index}")
        self._index += 1
        return times

    def is_used_up(self):
        return self._index >= STREAM_READS

    def close(self):
        for client in (self._near, self._far):
            expect("CLOSE", client.close(self.ksid).status, etsi004.SUCCESS)


class Load:
    """What the SAEs do, one thing after the other, chosen by a seed."""

    def __init__(self, sites, seed):
        self._sites, self._random = sites, random.Random(seed)
        self._web = {sae: Web(sites, sae) for sae in PEERS}
        self._clients = {sae: etsi004.Client(sites, sae) for sae in PEERS}
        self._streams = [Stream(self._clients, sae) for _ in range(STREAMS // 2) for sae in PEERS]
        self.times = collections.defaultdict(list)
        self.counts = collections.Counter()
        self._acts, self._weights = zip(*(
            (self._one_key, 40), (self._batch, 6), (self._stream, 40), (self._refused, 6),
            (self._connect, 3), (self._abandon, 1)))

    def act(self):
        (act,) = self._random.choices(self._acts, self._weights)
        act(self._random.choice(list(PEERS)))
        self.counts[act.__name__.strip("_")] += 1

    def _reserve(self, sae, number):
        answer, seconds = self._web[sae].call(f"{PEERS[sae]}/enc_keys?number={number}")
        expect("enc_keys", answer.code, 200)
        if number == 1:
            self.times["enc_keys"].append(seconds)
        expect("keys of enc_keys", len(answer.keys()), number)
        return answer.keys()

    def _claim(self, sae, keys):
        """The other SAE claims what this one has."""
        body = {"key_IDs": [{"key_ID": key_id} for key_id, _ in keys]}
        answer, seconds = self._web[PEERS[sae]].call(f"{sae}/dec_keys", body)
        expect("dec_keys", answer.code, 200)
        if len(keys) == 1:
            self.times["dec_keys"].append(seconds)
        if dict(answer.keys()) != dict(keys):
            raise Unexpected(f"unequal octets among {[key_id for key_id, _ in keys]}")

    def _one_key(self, sae):
        self._claim(sae, self._reserve(sae, 1))

    def _batch(self, sae):
        keys = self._reserve(sae, self._random.randint(2, 100))
        self._random.shuffle(keys)
        cut = self._random.randint(1, len(keys) - 1)
        self._claim(sae, keys[:cut])
        self._claim(sae, keys[cut:])

    def _stream(self, sae):
        at = self._random.randrange(STREAMS)
        self.times["get_key"] += self._streams[at].read()
        if self._streams[at].is_used_up():
            self._streams[at].close()
            self._streams[at] = Stream(self._clients, sae)

    def _refused(self, sae):
        """What is refused, and consumes nothing."""
        web, peer = self._web[sae], PEERS[sae]
        keys = self._reserve(sae, 1)
        self._claim(sae, keys)
        again = {"key_IDs": [{"key_ID": keys[0][0]}]}
        expect("a second claim", self._web[peer].call(f"{sae}/dec_keys", again)[0].code, 400)
        unknown = {"key_IDs": [{"key_ID": str(uuid.uuid4())}]}
        expect("an unknown key", web.call(f"{peer}/dec_keys", unknown)[0].code, 400)
        expect("an unknown SAE", web.call("nobody/status")[0].code, 400)
        expect("no JSON", web.call(f"{peer}/enc_keys", text=b"{")[0].code, 400)
        expect("an unknown stream", self._clients[sae].get_key(etsi004.new_id()).status,
               etsi004.PEER_NOT_CONNECTED)

    def _connect(self, sae):
        """A connection for one request; now and then one that breaks off."""
        web = Web(self._sites, sae)
        if self._random.random() < 0.8:
            expect("status", web.call(f"{PEERS[sae]}/status")[0].code, 200)
        web.close()
        with etsi004.Client(self._sites, sae) as client:
            expect("CLOSE of nothing", client.close(etsi004.new_id()).status,
                   etsi004.PEER_NOT_CONNECTED)

    def _abandon(self, sae):
        """Keys that nobody claims: they are wiped when their time is over."""
        self._reserve(sae, self._random.randint(1, 10))

    def close(self):
        for one in (*self._web.values(), *self._clients.values()):
            getattr(one, "drop", one.close)()


def ticks(path):
    fields = path.read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Samples of both key servers."""

    def __init__(self, sites):
        self._sites = sites
        self._since, self._cpu = time.monotonic(), self._cpu_s()

    def _proc(self, name):
        return pathlib.Path(f"/proc/{self._sites.pid(name)}")

    def _cpu_s(self):
        """Of both key servers and of this process."""
        return sum(ticks(path / "stat") for path in (
            *map(self._proc, SERVERS), pathlib.Path("/proc/self")))

    def _server(self, name):
        status = dict(line.split(":\t", 1) for line in (self._proc(name) / "status").read_text(
            encoding="ascii").splitlines())
        store = sum(path.stat().st_size for path in self._sites.dir.glob(f"{name}.db*"))
        return {"rss_kib": int(status["VmRSS"].split()[0]), "threads": int(status["Threads"]),
                "fds": len(os.listdir(self._proc(name) / "fd")), "store_kib": store // 1024}

    def sample(self, load):
        """All figures since the sample before."""
        found = {name: self._server(name) for name in SERVERS}
        for kind in KINDS:
            cuts = statistics.quantiles(load.times[kind], n=100, method="inclusive")
            found[kind] = {"p50_us": cuts[49] * 1e6, "p99_us": cuts[98] * 1e6}
        load.times.clear()
        now, cpu = time.monotonic(), self._cpu_s()
        found["cpu"] = (cpu - self._cpu) / (now - self._since)
        self._since, self._cpu = now, cpu
        return found


def print_sample(minute, sample, counts):
    servers = "  ".join(
        f"{name}: {one['rss_kib'] / 1024:.1f} MiB {one['fds']} fds {one['store_kib']} KiB store"
        for name, one in sample.items() if name in SERVERS)
    times = "  ".join(f"{kind} {sample[kind]['p50_us']:.0f}/{sample[kind]['p99_us']:.0f}"
                      for kind in KINDS)
    print(f"{minute:>4} min  {servers}  p50/p99 us: {times}  "
          f"{sum(counts.values())} acts, {sample['cpu'] * 100:.0f} % of a core", flush=True)


def compare(samples):
    """[(what, first, last, bound, whether it holds)], medians of the first and last minutes."""
    size = max(1, min(WINDOW_MINUTES, len(samples) // 2))
    rows = []
    for name in (*SERVERS, *KINDS):
        for member in samples[0][name]:
            first, last = (statistics.median(sample[name][member] for sample in part)
                           for part in (samples[:size], samples[-size:]))
            factor, more = BOUNDS[member]
            bound = max(first * factor, first + more)
            rows.append((f"{name} {member}", first, last, bound, last <= bound))
    return size, rows


def print_rows(size, rows):
    print(f"\n{'medians of ' + str(size) + ' min':<24}{'FIRST':>10}{'LAST':>10}{'BOUND':>10}")
    for what, first, last, bound, holds in rows:
        print(f"{what:<24}{first:>10.0f}{last:>10.0f}{bound:>10.0f}{'' if holds else '  GREW'}")


def start(sites):
    """Both key servers, linked without the relay that tests have between them."""
    for name in SERVERS:
        sites.edit(name, r" window_bits = \d+;", "")  # a small one is for tests
    sites.edit("kme-a", r"^( *connect =).*$", rf'\1 "127.0.0.1:{sites.base_port + 13}";')
    sites.up()
    for name in SERVERS:
        if not (sites.dir / f"{name}.db").exists():
            raise Unexpected(f"{name} has no store in a file")
    for site in "ab":
        sites.stock(LINK["capacity_bits"] * 4 // 10, site)


def run_load(sites, options, samples):
    """Acts at a steady rate; a sample each minute."""
    load, watch = Load(sites, options.seed), Watch(sites)
    began = time.monotonic()
    try:
        for number in range(int(options.minutes * 60 * options.rate)):
            load.act()
            behind = time.monotonic() - began - number / options.rate
            if behind < 0:
                time.sleep(-behind)
            if time.monotonic() - began >= 60 * (len(samples) + 1):
                samples.append(watch.sample(load))
                print_sample(len(samples), samples[-1], load.counts)
                for name in SERVERS:
                    os.kill(sites.pid(name), signal.SIGHUP)
    finally:
        load.close()
    return load.counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60, help="how long (60)")
    parser.add_argument("--rate", type=float, default=300, help="acts per second (300)")
    parser.add_argument("--seed", type=int, default=1, help="of what is done (1)")
    parser.add_argument("--json", help="also write the samples to this file")
    options = parser.parse_args()
    samples = []
    print(f"{options.minutes:g} minutes, {options.rate:g} acts/s, seed {options.seed}, "
          f"SIMULATED quantum channel\n{machine()}\n", flush=True)
    with kme_sites.Sites(limits=LIMITS, link=LINK, up=False, durable=SERVERS) as sites:
        try:
            start(sites)
            counts = run_load(sites, options, samples)
        except (Unexpected, harness.HarnessError, etsi004.Closed, OSError) as error:
            logs = "".join(sites.log(name)[-2000:] for name in SERVERS)
            print(f"\nFAILED after {len(samples)} minutes: {error}\n{logs}")
            return 1
    if not samples:
        parser.error("less than a minute shows nothing")
    size, rows = compare(samples)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(samples, indent=1), encoding="utf-8")
    print_rows(size, rows)
    print("\n" + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) +
          "; no pair of keys was unequal, and every answer was the expected one")
    return 0 if all(holds for *_, holds in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
