# SPDX-License-Identifier: Apache-2.0
"""Two sites with a network between them, each with its own key server, as users have it."""
import contextlib
import re
import subprocess

import own_net
from harness import OPENSSL35, QKD_KME, HarnessError, http_get, wait_until
from report import labs, loopback, svg
from report.model import Chart, Claim, Section, Table
from report.tls import Arm, Client, server
from report.wire import ADDRESS_B, Wire

DELAY_US = 5000
BOUND = 1.05
WARM_UP = 10
PAIR_RATE_BPS = 2_000_000


def _link_over_the_wire(lab):
    """kme-a dials kme-b at site B."""
    for name, setting in (("kme-a", "connect"), ("kme-b", "listen")):
        path = lab.dir / f"{name}.conf"
        text, count = re.subn(rf'(?s)(\blink = \{{.*?\b{setting} = ")127\.0\.0\.1',
                              rf"\g<1>{ADDRESS_B}", path.read_text(encoding="utf-8"))
        if count != 1:
            raise HarnessError(f"{path} has no link.{setting}")
        path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _key_server(lab, name, popen):
    with open(lab.temp / f"{name}.out", "wb") as log:
        process = popen([QKD_KME, "--config", str(lab.dir / f"{name}.conf")], stdout=log,
                        stderr=log, env=OPENSSL35.env())
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _healthy(url):
    try:
        return http_get(f"{url}/healthz").strip() == "ok"
    except OSError:
        return False


@contextlib.contextmanager
def two_sites(wire):
    """A laboratory with kme-a at site A and kme-b at site B, and keys that flow."""
    def popen_b(*words, **options):
        return wire.at_b(subprocess.Popen, *words, **options)
    with labs.lab(up=False, rate_bps=PAIR_RATE_BPS) as lab:
        _link_over_the_wire(lab)
        with _key_server(lab, "kme-b", popen_b), _key_server(lab, "kme-a", subprocess.Popen):
            wait_until(lambda: _healthy(lab.kme_a_admin) and
                       wire.at_b(_healthy, lab.kme_b_admin), "keys between the sites")
            yield lab, popen_b


def _arms(lab, stack, popen_b):
    arms, bases = {}, {}
    for way in labs.WAYS:
        for keeping, pool in ((loopback.POOLED, labs.POOL), (loopback.BARE, 1)):
            address = stack.enter_context(server(lab, labs.conf(lab, "bob", way, pool),
                                                 host=ADDRESS_B, popen=popen_b))
            if not arms:
                arms[labs.INNER] = Arm("kept", address, labs.conf(lab, "alice", way), labs.INNER)
            name = f"{way}, {keeping}"
            arms[name] = Arm("kept", address, labs.conf(lab, "alice", way, pool), labs.QKD)
            bases[name] = labs.INNER
    return arms, bases


def measure(scale):
    section = Section("A network with 10 ms round trip")
    own_net.enter()
    with Wire(DELAY_US) as wire, two_sites(wire) as (lab, popen_b), \
            contextlib.ExitStack() as stack:
        arms, bases = _arms(lab, stack, popen_b)
        with Client(lab.ca, arms) as client:
            client.run(list(arms), WARM_UP)
            samples = client.run(list(arms), scale.far)
    rows, section.figures = loopback.rows_of(samples, bases)
    section.parts = [
        f"{scale.far} handshakes in each arm, all arms in turn, between two network namespaces. "
        "Each packet between them is 5 ms under way, those of the link between the two key "
        "servers as well; each end has its own key server on its own loopback. TCP is the "
        "kernel's; the wire is two TUN devices with a program between them that holds each "
        "packet (`bench/delay.c`), as not every kernel has netem. A handshake takes three round "
        "trips here, from before connect(2) until the server's first octet has come.",
        Chart("far", "p50 and p99 of a handshake over 10 ms, without QKD and with it", svg.bars(
            "A handshake over a network with 10 ms round trip: p50, the line to p99", "ms",
            [(name, one["p50_us"] / 1e3, one["p99_us"] / 1e3,
              0 if name == labs.INNER else 1 if "pool =" in name else 2)
             for name, one in section.figures.items()])),
        Table(loopback.HEAD, rows)]
    section.claims = [Claim(3, "over 10 ms round trip " + (
        "with a pool" if name.endswith(loopback.POOLED) else "without one") +
        ": a handshake, p50", "at most", BOUND, section.figures[name]["ratio_p50"], name, base)
                      for name, base in bases.items()]
    return [section]
