# SPDX-License-Identifier: Apache-2.0
"""Takes the pictures of docs/images from two key servers under load: make screenshots."""
import contextlib
import math
import random
import sys
import threading
import time
import uuid

import etsi004
import harness
from browser import Browser
from kme_sites import Sites, exchange, request

LOAD_S = 57
IMAGES = harness.ROOT / "docs" / "images"
PICTURES = (("kme-page-light.png", 1400, 1480, "light"), ("kme-page-dark.png", 1400, 1480, "dark"),
            ("kme-page-narrow.png", 360, 1640, "light"))


def draw_keys(sites, sae, peer, most, stop, dice):
    """Reserves keys in waves, over one connection, and lets the peer claim them."""
    began = time.monotonic()
    with sites.connect(sae) as ours, sites.connect(peer) as theirs:
        while not stop.is_set():
            wave = 0.5 + 0.5 * math.sin((time.monotonic() - began) / 6)
            number = 1 + int(most * wave * dice.random())
            answer, = exchange(ours, request(f"{peer}/enc_keys?number={number}"))
            for one, _ in answer.keys() if answer.code == 200 else []:
                exchange(theirs, request(f"{sae}/dec_keys?key_ID={one}"))
            stop.wait(0.1 + 0.3 * dice.random())


def read_stream(sites, sae, peer, pause_s, stop):
    """Opens a key stream and reads positions at both ends."""
    with etsi004.Client(sites, sae) as ours, etsi004.Client(sites, peer) as theirs:
        ksid = ours.open(peer, timeout=30000).ksid
        theirs.open(sae, ksid=ksid, timeout=30000)
        index = 0
        while not stop.is_set():
            ours.get_key(ksid, index)
            theirs.get_key(ksid, index)
            index += 1
            stop.wait(pause_s)


def make_mistakes(sites, stop, dice):
    """What goes wrong in a laboratory, now and then."""
    while not stop.is_set():
        sites.call("alice", dice.choice(("nobody/enc_keys", "bob/enc_keys?size=7",
                                         f"bob/dec_keys?key_ID={uuid.uuid4()}")))
        stop.wait(6)


@contextlib.contextmanager
def load(sites):
    """Mixed load until the block ends."""
    stop, dice = threading.Event(), random.Random(5)
    jobs = [(draw_keys, (sites, "alice", "bob", 120, stop, dice)),
            (draw_keys, (sites, "bob", "alice", 60, stop, dice)),
            (draw_keys, (sites, "dave", "erin", 40, stop, dice)),
            (make_mistakes, (sites, stop, dice))]
    jobs += [(read_stream, (sites, sae, peer, pause_s, stop)) for sae, peer, pause_s in
             (("alice", "erin", 0.2), ("erin", "alice", 0.5), ("dave", "bob", 1.5))]
    threads = [threading.Thread(target=work, args=words, daemon=True) for work, words in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(harness.LIMIT_S)


def take(sites):
    """All pictures, once the charts have something to show."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with Browser(1400, 1000) as browser:
        browser.open(sites.kme_a_admin + "/")
        print(f"{LOAD_S} seconds of load", flush=True)
        time.sleep(LOAD_S)
        for name, width, height, scheme in PICTURES:
            browser.look_like(width, height, scheme)
            browser.screenshot(IMAGES / name)
            print(IMAGES / name, (IMAGES / name).stat().st_size, "bytes", flush=True)
        if browser.complaints:
            sys.exit(f"the page complained: {browser.complaints}")


def main():
    saes = {"kme-a": ["alice", "dave"], "kme-b": ["bob", "erin"]}
    with Sites(saes=saes, link={"simulated_rate_bps": 150000, "capacity_bits": 8000000}) as sites:
        sites.stock(16 * 256)
        with load(sites):
            take(sites)
    if any((IMAGES / name).stat().st_size >= 200000 for name, *_ in PICTURES):
        sys.exit("a picture has 200 kB or more")


if __name__ == "__main__":
    main()
