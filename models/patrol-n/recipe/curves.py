"""Training logs and an evaluation report -> one SVG: losses by step, precision over recall.

python curves.py --log STAGE1.log … --report report.json --classes litter fire --out curves.svg
"""

import argparse
import json
import re
from pathlib import Path

WIDTH, HEIGHT, GAP, EDGE = 360, 250, 40, 40
COLOURS = ("#2866c8", "#c8321f", "#6b7671", "#2f8f55", "#8a4fbf", "#b4530a")
LINE = re.compile(r"step (\d+) [^\[\]\n]*?(?:% |\[)([\d.]+),? ([\d.]+),? ([\d.]+)")


def path(points, left, x_max, y_max):
    """An SVG path of (x, y) points in a panel."""
    steps = [
        f"{left + x / x_max * WIDTH:.1f} {EDGE + HEIGHT - min(y / y_max, 1) * HEIGHT:.1f}"
        for x, y in points
    ]
    return "M" + "L".join(steps)


def panel(left, title, x_ticks, y_ticks, x_max, y_max):
    """A frame with ticks."""
    parts = [
        f'<text x="{left}" y="{EDGE - 14}" class="t">{title}</text>',
        f'<rect x="{left}" y="{EDGE}" width="{WIDTH}" height="{HEIGHT}" class="f"/>',
    ]
    for x in x_ticks:
        at = left + x / x_max * WIDTH
        parts.append(
            f'<text x="{at:.1f}" y="{EDGE + HEIGHT + 14}" text-anchor="middle">{x:g}</text>'
        )
    for y in y_ticks:
        at = EDGE + HEIGHT - y / y_max * HEIGHT
        parts.append(f'<path d="M{left} {at:.1f}h{WIDTH}" class="g"/>')
        parts.append(f'<text x="{left - 4}" y="{at + 3:.1f}" text-anchor="end">{y:g}</text>')
    return parts


def legend(left, names):
    """The curves' names in their colours."""
    down = EDGE + HEIGHT + 32
    return [
        f'<text x="{left + 10 + 60 * k}" y="{down}" fill="{COLOURS[k]}">{name}</text>'
        for k, name in enumerate(names)
    ]


def main(argv: list[str] | None = None) -> int:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, nargs="+", required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--classes", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    stages = []
    for log in args.log:
        rows = [tuple(map(float, found)) for found in LINE.findall(log.read_text())]
        stages.append(rows)
    total = sum(rows[-1][0] for rows in stages)
    left, right = GAP + 10, GAP + 10 + WIDTH + 2 * GAP
    parts = panel(left, "Loss by step (mean of the pass so far; lines: stages)",
                  range(0, int(total) + 1, 500), (0, 0.5, 1, 1.5, 2), total, 2.2)  # fmt: skip
    begun = 0.0
    for rows in stages:
        for column, colour in ((1, COLOURS[0]), (2, COLOURS[1])):
            points = [(begun + row[0], row[column]) for row in rows]
            parts.append(
                f'<path d="{path(points, left, total, 2.2)}" stroke="{colour}" class="c"/>'
            )
        begun += rows[-1][0]
        at = left + begun / total * WIDTH
        parts.append(f'<path d="M{at:.1f} {EDGE}v{HEIGHT}" class="g"/>')
    parts += legend(left, ("box", "class"))
    shares = [k / 5 for k in range(6)]
    parts += panel(right, "Precision over recall, validation, IoU 0.5", shares, shares, 1, 1)
    report = json.loads(args.report.read_text())
    for k, name in enumerate(args.classes):
        points = [(recall, precision) for _, precision, recall in report["classes"][name]["curve"]]
        parts.append(f'<path d="{path(points, right, 1, 1)}" stroke="{COLOURS[k]}" class="c"/>')
    parts += legend(right, args.classes)
    style = (
        "text{font:11px sans-serif}.t{font-size:13px;fill:#1d2421}.f{fill:#fff;stroke:#c9d0cb}"
        ".g{stroke:#dde2de;fill:none}.c{fill:none;stroke-width:1.8}"
    )
    size = f"{right + WIDTH + GAP} {EDGE + HEIGHT + 44}"
    args.out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}"><style>{style}</style>'
        f'<rect width="100%" height="100%" fill="#f7f8f6"/>{"".join(parts)}</svg>\n'
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
