# SPDX-License-Identifier: Apache-2.0
"""A report as Markdown."""
from report.model import Chart, Table
from report.svg import number

CLAIMS_HEAD = ("", "claim", "bound", "measured", "arm", "against", "")


def cell(value):
    """A number with as many figures as it deserves; a text as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else str(value).replace("|", "\\|")


def table(head, rows):
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"a row of {len(row)} cells below a head of {len(head)}: {row}")
    numeric = [all(isinstance(row[i], (int, float)) or row[i] == "" for row in rows) and rows
               for i in range(len(head))]
    return "\n".join(["| " + " | ".join(head) + " |",
                      "|" + "|".join("---:" if right else "---" for right in numeric) + "|",
                      *("| " + " | ".join(cell(value) for value in row) + " |" for row in rows)])


def part(one, folder):
    if isinstance(one, Table):
        return table(one.head, one.rows)
    if isinstance(one, Chart):
        return f"![{one.alt}]({folder}/{one.name}.svg)"
    return one


def exact(value):
    """Of a claim: never rounded to the other side of its bound."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.3f}"


def _claim_row(claim, verdict):
    return (str(claim.number), claim.text, f"{claim.how} {exact(claim.bound)}{claim.unit}",
            f"{exact(claim.measured)}{claim.unit}", claim.arm, claim.base, verdict)


def claims_table(claims):
    """A line for each arm."""
    return table(CLAIMS_HEAD, [
        _claim_row(claim, "held" if claim.held else "**fell short**")
        for claim in sorted(claims, key=lambda claim: claim.number)])


def promises_table(claims):
    """A line for each promise: its worst arm."""
    promises = {}
    for claim in sorted(claims, key=lambda claim: claim.number):
        promises.setdefault((claim.number, claim.text), []).append(claim)
    rows = []
    for same in promises.values():
        held = sum(claim.held for claim in same)
        worst = max(same, key=lambda claim: (not claim.held, claim.strain))
        verdict = ("held" if held == len(same) else
                   f"**fell short** in {len(same) - held} of {len(same)}")
        rows.append(_claim_row(worst, verdict))
    return table(CLAIMS_HEAD, rows)


def document(head, sections, folder):
    """The whole text. `head`: paragraphs; `folder`: where the charts are, seen from the text."""
    claims = [claim for section in sections for claim in section.claims]
    text = ["# Benchmarks", *head]
    if claims:
        text += ["## What is promised, and what was measured",
                 "Of each promise the arm that did worst; all are at the end.",
                 promises_table(claims)]
    for section in sections:
        text.append(f"## {section.title}")
        if section.failed:
            text.append(f"**Not measured:** {section.failed}")
        text += [part(one, folder) for one in section.parts]
    if claims:
        text += ["## Each promise, arm by arm", claims_table(claims)]
    return "\n\n".join(text) + "\n"
