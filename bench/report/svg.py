# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG, readable on light and on dark pages: each brings its own ground."""
import html
import math

WIDTH, PAD, LABEL_WIDTH, ROW, HEAD = 760, 16, 250, 26, 52
PLOT_HEIGHT = 260
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.faint { fill: #59636e; font-size: 12px }
.ground { fill: #ffffff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0 }
.c0 { fill: #6e7781; stroke: #6e7781 } .c1 { fill: #0969da; stroke: #0969da }
.c2 { fill: #bc4c00; stroke: #bc4c00 } .c3 { fill: #1a7f37; stroke: #1a7f37 }
.line { fill: none; stroke-width: 2 } .reach { stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .faint { fill: #9198a1 } .ground { fill: #0d1117; stroke: #3d444d }
.grid { stroke: #3d444d }
.c0 { fill: #9198a1; stroke: #9198a1 } .c1 { fill: #4493f8; stroke: #4493f8 }
.c2 { fill: #f0883e; stroke: #f0883e } .c3 { fill: #3fb950; stroke: #3fb950 }
.line, .reach { fill: none }
}
"""
COLOURS = 4


def _text(x, y, text, kind="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f'{html.escape(str(text))}</text>')


def _line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _document(title, height, body):
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img">', f"<title>{html.escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6" class="ground"/>',
        _text(PAD, 26, title, "title"), *body, "</svg>")) + "\n"


def number(value):
    """Three figures are enough."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def step(largest):
    """A round distance between grid lines, five of them at most."""
    raw = largest / 5
    power = 10 ** math.floor(math.log10(raw))
    return next(power * one for one in (1, 2, 5, 10) if power * one >= raw * 0.999)


def bars(title, unit, rows):
    """rows: (label, value, how far it reaches or None, colour 0 to 3)."""
    height = HEAD + ROW * len(rows) + 30
    left, right = PAD + LABEL_WIDTH, WIDTH - PAD - 110
    largest = max(max(value, reach or 0) for _, value, reach, _ in rows)
    scale = (right - left) / largest
    body = []
    for i in range(int(largest / step(largest)) + 1):
        x = left + i * step(largest) * scale
        body += [_line(x, HEAD - 8, x, height - 26, "grid"),
                 _text(x, height - 10, f"{i * step(largest):,g}", "faint", "middle")]
    body.append(_text(WIDTH - PAD, height - 10, unit, "faint", "end"))
    for i, (label, value, reach, colour) in enumerate(rows):
        y = HEAD + i * ROW
        body += [_text(left - 8, y + 13, label, anchor="end"),
                 f'<rect x="{left}" y="{y}" width="{value * scale:.1f}" height="{ROW - 9}" '
                 f'class="c{colour % COLOURS}"/>']
        end = left + max(value, reach or 0) * scale
        if reach:
            body += [_line(left + value * scale, y + 8.5, end, y + 8.5, f"c{colour % COLOURS}"),
                     _line(end, y + 4, end, y + 13, f"c{colour % COLOURS}")]
        said = number(value) + (f" to {number(reach)}" if reach else "")
        body.append(_text(end + 6, y + 13, said))
    return _document(title, height, body)


def lines(title, unit, places, series):
    """places: texts below the horizontal axis; series: (label, a value for each place, colour).
    The vertical axis is logarithmic."""
    height = HEAD + PLOT_HEIGHT + 34 + 20 * len(series)
    left, right, low = PAD + 60, WIDTH - PAD - 40, HEAD + PLOT_HEIGHT
    values = [value for _, them, _ in series for value in them]
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    last = max(last, first + 1)

    def x(i):
        return left + (right - left) * i / max(1, len(places) - 1)

    def y(value):
        return low - PLOT_HEIGHT * (math.log10(value) - first) / (last - first)
    body = [_text(PAD, HEAD - 6, unit, "faint")]
    for power in range(first, last + 1):
        body += [_line(left, y(10 ** power), right, y(10 ** power), "grid"),
                 _text(left - 8, y(10 ** power) + 4, f"{10.0 ** power:,g}", "faint", "end")]
    body += [_text(x(i), low + 18, place, "faint", "middle") for i, place in enumerate(places)]
    for at, (label, them, colour) in enumerate(series):
        kind = f"c{colour % COLOURS}"
        points = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, value in enumerate(them))
        body.append(f'<polyline points="{points}" class="{kind} line"/>')
        body += [f'<circle cx="{x(i):.1f}" cy="{y(value):.1f}" r="3" class="{kind}"/>'
                 for i, value in enumerate(them)]
        below = low + 42 + 20 * at
        body += [f'<rect x="{left}" y="{below - 9}" width="14" height="10" class="{kind}"/>',
                 _text(left + 22, below, label)]
    return _document(title, height, body)
