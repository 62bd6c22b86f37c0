#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a handshake takes to fail when a key server does not deliver, and what the failing
end prints. The time is that of the whole s_client run, so that of starting it is in it."""
import contextlib
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
from fake_kme import FakeKme, black_hole, good, wait_forever  # noqa: E402  (the path is set above)
from harness import Lab, Server, free_ports, run_client  # noqa: E402

TIMEOUT_MS = 1000


@contextlib.contextmanager
def nobody():
    """The URL of a port where nothing listens."""
    yield f"https://localhost:{free_ports(1)[0]}"


def fake(lab, behaviour, **options):
    """The URL of a key server that behaves like this."""
    @contextlib.contextmanager
    def enter():
        with FakeKme(lab, behaviour, **options) as kme:
            yield kme.url
    return enter()


def reason(stderr):
    """The provider's line of the error queue, without what changes from run to run."""
    line = next((line for line in stderr.splitlines() if ":qkd:" in line), stderr.strip())
    return re.sub(r"^.*?:qkd:[^:]*:", "", line).replace("provider/", "")


def situations(lab):
    """(what, manager that gives the URL of a key server in that state)"""
    return (
        ("stopped", nobody()),
        ("black-holed", black_hole()),
        ("accepts, no TLS", fake(lab, good, accept_tls=False)),
        ("takes the request, silent", fake(lab, wait_forever)),
        ("refuses: 401", fake(lab, lambda request: request.answer(401, b"", None))),
        ("refuses: 503", fake(lab, lambda request: request.answer(
            503, {"message": "no key material"}))),
    )


def attempts():
    """(what, "client" or "server", milliseconds, reason there, what the client prints)"""
    with Lab(up=False) as lab, FakeKme(lab, good) as other:
        for what, situation in situations(lab):
            with situation as url:
                settings = {"kme": url, "timeout_ms": TIMEOUT_MS}
                with Server(lab, conf=lab.conf_with("bob", kme=other.url)) as server:
                    client = run_client(lab, server.port, conf=lab.conf_with(
                        "alice", initiator="client", **settings))
                yield what, "client", client.elapsed_s * 1000, reason(client.stderr), ""
                with Server(lab, conf=lab.conf_with("bob", **settings)) as server:
                    client = run_client(lab, server.port, conf=lab.conf_with(
                        "alice", initiator="server", kme=other.url))
                    yield (what, "server", client.elapsed_s * 1000, reason(server.stderr()),
                           client.stderr.splitlines()[-1][17:])


def main():
    print(f"timeout-ms = {TIMEOUT_MS}\n")
    for what, end, elapsed_ms, why, printed in attempts():
        print(f"{what}, at the {end}: {elapsed_ms:.0f} ms\n    {why}")
        if printed:
            print(f"    the client prints: {printed}")


if __name__ == "__main__":
    main()
