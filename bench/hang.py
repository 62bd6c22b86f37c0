#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a key server that hangs does to the other connections of nginx.

Plain requests on a kept connection, 10 ms after one another, while clients make handshakes without
a pause, each asking a key server that takes the request and never answers. With one worker the
connection is that worker's; with four, it is one of theirs.
"""
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
import hung_kme  # noqa: E402  (the path is set above)
from recipe import Recipe  # noqa: E402
from web_servers import SERVER_PORT, load_command  # noqa: E402

PAUSE_S = 0.01
HANDSHAKES = 24  # of each client; most fail at once, when the key server is left out
# (timeout-ms, workers, clients that make handshakes at the same time); 0 clients: nothing hangs
ARMS = ((1000, 1, 0), (250, 1, 1), (250, 1, 4), (250, 4, 1), (250, 4, 4),
        (1000, 1, 1), (1000, 1, 4), (1000, 4, 1), (1000, 4, 4))


def requests_while(goes_on):
    """[seconds] of each request."""
    took = []
    with hung_kme.KeptConnection() as kept:
        while goes_on():
            begin = time.monotonic()
            kept.get()
            took.append(time.monotonic() - begin)
            time.sleep(PAUSE_S)
    return took


def measure(timeout_ms, workers, clients):
    with Recipe("nginx") as recipe:
        hung_kme.adapt_nginx(recipe, workers, timeout_ms)
        recipe.start("server", ready=SERVER_PORT)
        if clients == 0:
            end = time.monotonic() + 3
            return requests_while(lambda: time.monotonic() < end), 0
        hung_kme.hang(recipe)
        with subprocess.Popen(load_command(recipe, HANDSHAKES * clients, clients, 0),
                              env=recipe.environment("alice"), stdout=subprocess.PIPE,
                              text=True) as load:
            took = requests_while(lambda: load.poll() is None)
            return took, load.stdout.read().count("failed handshake")


def main():
    print(f"{'timeout-ms':>10} {'workers':>8} {'clients':>8} {'failed':>7} {'requests':>9} "
          f"{'p50 ms':>8} {'max ms':>8}")
    for timeout_ms, workers, clients in ARMS:
        took, failed = measure(timeout_ms, workers, clients)
        print(f"{timeout_ms:>10} {workers:>8} {clients:>8} {failed:>7} {len(took):>9} "
              f"{statistics.median(took) * 1000:>8.1f} {max(took) * 1000:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
