# SPDX-License-Identifier: Apache-2.0
"""Laboratories, and the settings of their two ends, as the sections use them."""
import contextlib

import harness

RATE_BPS = 20_000_000  # so that key material never runs out
INNER = "X25519MLKEM768"
QKD = "qkd_x25519mlkem768"
GROUPS = "qkd_x25519mlkem768:qkd_mlkem768:X25519MLKEM768:MLKEM768"
POOL = 64
WAYS = ("014 client", "014 server", "004 client")  # standard, and who is the initiator
WAY_TEXT = {"014 client": "ETSI 014, client-initiated", "014 server": "ETSI 014, server-initiated",
            "004 client": "ETSI 004, client-initiated"}


def lab(**options):
    return harness.Lab(**{"rate_bps": RATE_BPS, **options})


def conf(one, sae, way, pool=1, groups=GROUPS, **settings):
    """The openssl.cnf of alice (the TLS client) or bob for a way of the key."""
    api, initiator = way.split()
    if api == "004":
        settings.setdefault("kme", "etsi004://" + (one.kme_a_004 if sae == "alice" else
                                                   one.kme_b_004))
    if pool != 1:
        settings["pool"] = pool
    return one.conf_with(sae, groups=groups, initiator=initiator, **settings)


def total(one, name, **labels):
    """A metric of both key servers together; 0 when nothing like it has been counted yet."""
    value = 0
    for url in (one.kme_a_admin, one.kme_b_admin):
        with contextlib.suppress(harness.HarnessError):
            value += harness.metric(url, name, **labels)
    return int(value)
