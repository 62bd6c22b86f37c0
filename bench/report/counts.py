# SPDX-License-Identifier: Apache-2.0
"""What handshakes cost in keys and in connections to key servers, as those count it."""
import harness
from report import labs
from report.model import Claim, Section, Table
from report.tls import Arm, Client, server

CONNECTIONS_PER_1000 = 4
HEAD = ("way of the key", "pool", "handshakes", "keys reserved", "claimed",
        "reserved per handshake", "surplus", "connections to key servers", "per 1,000 handshakes")


def _spent(lab, way):
    """(reserved, claimed, connections) so far. A key that is reserved with ETSI 004 is a stream
    that was opened."""
    api = way[:3]
    reserved = (labs.total(lab, "qkd_kme_keys_delivered_total", api="014", role="initiator")
                if api == "014" else
                int(harness.metric(lab.kme_a_admin, "qkd_kme_streams_opened_total")))
    return (reserved, labs.total(lab, "qkd_kme_keys_delivered_total", api=api, role="responder"),
            labs.total(lab, "qkd_kme_connections_total"))


def count(way, pool, handshakes):
    """The figures of one process at each end that make so many handshakes and end."""
    with labs.lab() as lab:
        before = _spent(lab, way)
        with server(lab, labs.conf(lab, "bob", way, pool)) as address:
            arm = Arm("kept", address, labs.conf(lab, "alice", way, pool), labs.QKD)
            with Client(lab.ca, {"it": arm}) as client:
                client.run(["it"], handshakes)
        reserved, claimed, connections = (
            after - one for after, one in zip(_spent(lab, way), before))
    return {"handshakes": handshakes, "reserved": reserved, "claimed": claimed,
            "reserved_per_handshake": reserved / handshakes, "surplus": reserved - handshakes,
            "connections": connections, "connections_per_1000": connections / handshakes * 1000}


def _claims(found):
    for (way, pool), one in found.items():
        arm = f"{way}, pool = {pool}"
        if pool == 1:
            yield Claim(5, "keys reserved per completed handshake", "exactly", 1.0,
                        one["reserved_per_handshake"], arm, "completed handshakes")
        else:
            yield Claim(5, "keys reserved beyond the handshakes, one process", "at most", pool,
                        one["surplus"], arm, "completed handshakes")
        if one["handshakes"] >= 1000:
            yield Claim(6, "new connections to key servers per 1,000 handshakes", "at most",
                        CONNECTIONS_PER_1000, one["connections_per_1000"], arm,
                        "completed handshakes")


def measure(scale):
    section = Section("Keys and connections")
    found = {(way, pool): count(way, pool, scale.counted)
             for way in labs.WAYS for pool in (1, labs.POOL)}
    section.parts = [
        "Counted at both key servers, from before both ends start until they have ended; one "
        "process at each end. Reserved with ETSI 004 means: a stream that was opened. What a "
        "pool holds when its process ends is the surplus.",
        Table(HEAD, [(way, pool, one["handshakes"], one["reserved"], one["claimed"],
                      f"{one['reserved_per_handshake']:.3f}", one["surplus"], one["connections"],
                      one["connections_per_1000"]) for (way, pool), one in found.items()])]
    section.claims = list(_claims(found))
    section.figures = {f"{way}, pool = {pool}": one for (way, pool), one in found.items()}
    return [section]
