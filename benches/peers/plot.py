#!/usr/bin/env python3
"""Draws what compare.py measured: the MLP's rates, one bar a contestant, as SVG.

    benches/peers/plot.py target/peers/results.json docs
"""

import json
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


def chart(title, unit, groups, line=None):
    """`groups` is [(label, {contestant: value})]; `line` is (label, value) across all."""
    names = list(dict.fromkeys(name for _, values in groups for name in values))
    marks = ticks(max([v for _, values in groups for v in values.values()]
                      + ([line[1]] if line else [])))
    width = LEFT + len(groups) * (len(names) * BAR + GAP) + 200

    def y(value):
        return TOP + HEIGHT * (1 - value / marks[-1])

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
        svg = chart(f"MLP 4096 to 21504 to 4096, {tokens} token(s), one thread", what, found, line)
        path = Path(folder) / f"{name}.svg"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(svg)
        temporary.rename(path)
        print(path)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main()
