# SPDX-License-Identifier: Apache-2.0
"""The OpenSSL installations of a run, each with the module that was built for its major."""
import os
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import harness  # noqa: E402  (the path is set above)

ECDH_GROUPS = ("qkd_x25519",)
MLKEM_GROUPS = ("qkd_x25519mlkem768", "qkd_mlkem768")
GROUPS = ECDH_GROUPS + MLKEM_GROUPS


class Installation(harness.OpenSSL):
    """One OpenSSL, and the folder with the qkd.so of its major.

    Attributes besides those of OpenSSL: name ("3.5.7"), major, modules.
    """

    def __init__(self, prefix, modules_of):
        found = harness.OpenSSL.at(pathlib.Path(prefix))
        super().__init__(found.program, found.library_path)
        self.prefix = pathlib.Path(prefix)
        self.modules = None
        numbers = self.version()
        self.name = ".".join(map(str, numbers))
        self.major = numbers[0]
        self.has_mlkem = numbers >= (3, 5, 0)
        self.has_diagnostics = numbers >= (3, 4, 0)  # config_diagnostics in openssl.cnf
        self.modules = pathlib.Path(modules_of[self.major]).resolve()

    def env(self, conf=None, log=None, **more):
        if self.modules:
            more = {"OPENSSL_MODULES": str(self.modules), **more}
        return super().env(conf, log, **more)

    def conf(self, lab, sae, modules=None, **changes):
        """An SAE's openssl.cnf of the laboratory that names this major's module."""
        return with_module(lab, lab.conf_with(sae, **changes), modules or self.modules)

    def groups(self):
        return GROUPS if self.has_mlkem else ECDH_GROUPS


def with_module(lab, path, modules):
    """A copy of an openssl.cnf that names the qkd.so of another folder."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    text, count = re.subn(r"^module = .*$", f"module = {modules}/qkd.so", text, flags=re.M)
    if count != 1:
        raise harness.HarnessError(f"{path} names no module")
    handle, changed = tempfile.mkstemp(prefix="module-", suffix=".cnf", dir=lab.temp)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return changed


class Report:
    """Prints what was found, and counts what was not as it must be."""

    def __init__(self):
        self.failures = []

    def say(self, text=""):
        print(text, flush=True)

    def fail(self, what, detail):
        self.failures.append(what)
        self.say(f"FAILED: {what}\n{detail}")

    def table(self, title, head, rows):
        """Rows of text under a head, in columns."""
        widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
        self.say(f"\n{title}\n")
        for row in [head, ["-" * width for width in widths], *rows]:
            self.say("  " + "  ".join(str(cell).ljust(width)
                                      for cell, width in zip(row, widths)).rstrip())
