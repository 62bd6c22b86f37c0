# SPDX-License-Identifier: Apache-2.0
"""Laboratories whose programs load a provider of inner algorithms beside ours: oqsprovider itself
where the environment variable OQSPROVIDER names its module, else our stand-in for it, which is
SIMULATED (tests/tools/oqs_standin.c)."""
import os
import pathlib

import harness

GROUPS = tuple(f"qkd_{name}" for name in (
    "efrodo640aes efrodo640shake efrodo976aes efrodo976shake efrodo1344aes efrodo1344shake "
    "frodo640aes frodo640shake frodo976aes frodo976shake frodo1344aes frodo1344shake "
    "kyber512 kyber768 kyber1024 bikel1 bikel3 bikel5 hqc128 hqc192 hqc256").split())

# Ours whose default numbers the releases from 0.9 on use for groups of their own.
CLASHING = ("qkd_x25519mlkem768", "qkd_secp256r1mlkem768", "qkd_secp384r1mlkem1024", "qkd_x25519",
            "qkd_secp256r1", "qkd_secp384r1", *GROUPS[:6])

STAND_IN = harness.BUILD / "tests" / "bin" / "oqs_standin.so"
FIRST_FREE_NUMBER = 0xFE80


def module():
    """The module to load."""
    return pathlib.Path(os.environ.get("OQSPROVIDER", STAND_IN))


def is_stand_in():
    return module() == STAND_IN


def free_numbers():
    """Settings that give the groups numbers which nobody else uses."""
    return "\n".join(f"codepoint-{group} = 0x{FIRST_FREE_NUMBER + place:04X}"
                     for place, group in enumerate(sorted({*GROUPS, *CLASHING})))


def conf(path, other=None, numbers=True):
    """Adds the provider (another module than module(), where one is given), and free numbers for our groups, to an openssl.cnf; its path."""
    path = pathlib.Path(path)
    text = path.read_text(encoding="utf-8")
    text = text.replace("qkd = qkd_provider\n", "qkd = qkd_provider\noqsprovider = oqs_provider\n", 1)
    if numbers:
        text = text.replace("[qkd_provider]\n", f"[qkd_provider]\n{free_numbers()}\n", 1)
    path.write_text(f"{text}\n[oqs_provider]\nmodule = {other or module()}\nactivate = 1\n",
                    encoding="utf-8")
    return str(path)
