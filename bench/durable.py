# SPDX-License-Identifier: Apache-2.0
"""Laboratories with the store of a kind: in memory, or in a file."""
import os
import re

STORE = re.compile(r"^store = \{.*?\};\n", re.M | re.S)


def set_store(lab, name, durable, window_bits=None):
    """Gives a key server that has not been started a store in a file, or takes it away.
    window_bits: how much material it keeps open, where that is not the default."""
    path = lab.dir / f"{name}.conf"
    text = path.read_text(encoding="utf-8")
    if not durable:
        text = STORE.sub("", text)
    elif not STORE.search(text):
        key_file = lab.dir / f"{name}.store-key"
        key_file.write_bytes(os.urandom(32))
        key_file.chmod(0o600)
        text += f'store = {{ path = "{name}.db"; key_file = "{key_file.name}"; }};\n'
    if durable and window_bits is not None:
        text = re.sub(r" *window_bits = \d+;", "", text)
        text = re.sub(r"^(store = \{)", rf"\1 window_bits = {window_bits};", text, flags=re.M)
    path.write_text(text, encoding="utf-8")
