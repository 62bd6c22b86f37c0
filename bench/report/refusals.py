# SPDX-License-Identifier: Apache-2.0
"""How long a first handshake takes to fail when its key server does not deliver, and what is "
"said."""
import failures
from report.model import Section, Table

HEAD = ("key server of the failing end", "failing end", "s_client ms", "reason there",
        "the client prints")


def measure(_scale):
    section = Section("How a handshake fails")
    rows = list(failures.attempts())
    section.parts = [
        f"`openssl s_client` once, `timeout-ms = {failures.TIMEOUT_MS}`; its start is in the time.",
        Table(HEAD, rows)]
    section.figures = {f"{what}, {end}": {"ms": elapsed_ms, "reason": reason}
                       for what, end, elapsed_ms, reason, _ in rows}
    return [section]
