#!/usr/bin/env python3
"""Draws what compare.py measured, one bar a contestant, as SVG: the MLP's rates, and the time of
the activations.

    benches/peers/plot.py target/peers/results.json docs
"""

import json
import math
import sys
from html import escape
from pathlib import Path

COLOURS = ["#1b6ca8", "#7fb7e0", "#d9822b", "#f2b66d", "#8a8a8a", "#c4c4c4", "#7a4fa3", "#3f9b57"]
BAR, GAP, LEFT, TOP, HEIGHT = 14, 22, 60, 60, 220


def text(x, y, content, anchor="middle", size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
            f"{escape(content)}</text>")


def ticks(top):
    """Round steps, at most six."""
    step = next(s * 10**e for e in range(-1, 6) for s in (1, 2, 5) if top / (s * 10**e) <= 6)
    return [i * step for i in range(int(top / step) + 2)]


def decades(values):
    """Powers of ten around the values."""
    low, high = (math.log10(f(values)) for f in (min, max))
    return [10.0**e for e in range(math.floor(low), math.ceil(high) + 1)]


def chart(title, unit, groups, line=None, logarithmic=False):
    """`groups` is [(label, {contestant: value})]; `line` is (label, value) across all."""
    names = list(dict.fromkeys(name for _, values in groups for name in values))
    every = [v for _, values in groups for v in values.values()] + ([line[1]] if line else [])
    marks = decades(every) if logarithmic else ticks(max(every))
    width = LEFT + len(groups) * (len(names) * BAR + GAP) + 200

    def y(value):
        if logarithmic:
            share = math.log10(value / marks[0]) / math.log10(marks[-1] / marks[0])
        else:
            share = value / marks[-1]
        return TOP + HEIGHT * (1 - share)

    out = [text(LEFT, 24, title, "start", 15), text(LEFT, 44, unit, "start")]
    for mark in marks:
        out.append(f'<line x1="{LEFT}" x2="{width - 180}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" '
                   'stroke="#ddd"/>')
        out.append(text(LEFT - 8, y(mark) + 4, f"{mark:g}", "end"))
    for g, (label, values) in enumerate(groups):
        x = LEFT + GAP / 2 + g * (len(names) * BAR + GAP)
        for i, name in enumerate(names):
            if name in values:
                out.append(f'<rect x="{x + i * BAR:.1f}" y="{y(values[name]):.1f}" '
                           f'width="{BAR - 2}" height="{TOP + HEIGHT - y(values[name]):.1f}" '
                           f'fill="{COLOURS[i % len(COLOURS)]}"/>')
        out.append(text(x + len(names) * BAR / 2, TOP + HEIGHT + 18, label))
    if line:
        out.append(f'<line x1="{LEFT}" x2="{width - 180}" y1="{y(line[1]):.1f}" '
                   f'y2="{y(line[1]):.1f}" stroke="#b00" stroke-dasharray="6 4"/>')
        out.append(text(width - 172, y(line[1]) + 4, line[0], "start"))
    for i, name in enumerate(names):
        at = TOP + 30 + 20 * i
        out.append(f'<rect x="{width - 172}" y="{at - 10}" width="12" height="12" '
                   f'fill="{COLOURS[i % len(COLOURS)]}"/>')
        out.append(text(width - 154, at, name, "start"))
    height = TOP + HEIGHT + 34
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(out) + "\n</svg>\n")


def groups(rows, tokens, unit):
    return [(key.split("/")[1].upper(), {name: found[unit] for name, found in row.items()})
            for key, row in rows.items()
            if key.startswith("mlp/") and key.endswith(f"/{tokens}/1") and row]


def activations(rows, n):
    """ns per element of each operation."""
    found = []
    for key, row in rows.items():
        if key.startswith("elementwise/") and key.endswith(f"/{n}/1"):
            found.append((key.split("/")[1], {name: cell["ns"] for name, cell in row.items()}))
    return found


def save(folder, name, svg):
    path = Path(folder) / f"{name}.svg"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(svg)
    temporary.rename(path)
    print(path)


def main():
    results, folder = sys.argv[1:]
    rows = json.loads(Path(results).read_text())
    read = rows.get("read/one-token/1", {}).get("read", {}).get("best")
    for tokens, unit, name in [(1, "gb_s", "mlp-one-token"), (512, "gflop_s", "mlp-prompt")]:
        found = groups(rows, tokens, unit)
        if not found:
            continue
        what = "GB/s of weights" if unit == "gb_s" else "GFLOP/s"
        line = ("read bandwidth", read) if unit == "gb_s" and read else None
        title = f"MLP 4096 to 21504 to 4096, {tokens} token(s), one thread"
        save(folder, name, chart(title, what, found, line))
    for n, name in [(21504, "activations-l2"), (1 << 24, "activations-memory")]:
        if found := activations(rows, n):
            title = f"{n} f32 values, one thread (logarithmic)"
            save(folder, name, chart(title, "ns per element", found, logarithmic=True))


if len(sys.argv) != 3:
    sys.exit(__doc__)
main()
