# SPDX-License-Identifier: Apache-2.0
"""Laboratories with the store of a kind: in a file, as they are made, or in memory."""
import re

STORE = re.compile(r"^store = \{.*?\};\n", re.M | re.S)


def set_store(lab, name, durable, window_bits=None):
    """Of a key server that has not been started. window_bits: how much material a store in a file
    keeps open, where that is not the default."""
    path = lab.dir / f"{name}.conf"
    text = path.read_text(encoding="utf-8")
    if not STORE.search(text):
        raise ValueError(f"{path} has no store")
    if not durable:
        text = STORE.sub("", text)
    elif window_bits is not None:
        text = re.sub(r"^(store = \{)", rf"\1 window_bits = {window_bits};", text, flags=re.M)
    path.write_text(text, encoding="utf-8")
