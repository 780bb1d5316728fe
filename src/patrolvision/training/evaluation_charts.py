"""The evaluation page's drawings: curves, bars and a table of confusion, as SVG and HTML text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from patrolvision.training.evaluation_figures import Estimate

WIDTH, HEIGHT = 320, 230
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 8, 30
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve in [0, 1] x [0, 1]; kind is its class in the style sheet."""

    name: str
    points: Sequence[Point]
    kind: str


def _x(value: float) -> float:
    return round(LEFT + value * (WIDTH - LEFT - RIGHT), 1)


def _y(value: float) -> float:
    return round(HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM), 1)


def chart(
    title: str,
    x_name: str,
    lines: Sequence[Line],
    marks: Sequence[tuple[float, str]] = (),
    dots: Sequence[Point] = (),
) -> str:
    """Curves over one axis from 0 to 1; marks are upright lines with a class of the style sheet."""
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
    ]
    for k in range(0, 11, 2):
        share = k / 10
        parts.append(
            f'<path class="grid" d="M{_x(share)} {_y(0)}V{_y(1)}M{_x(0)} {_y(share)}H{_x(1)}"/>'
            f'<text x="{_x(share)}" y="{_y(0) + 13}" text-anchor="middle">{share:g}</text>'
            f'<text x="{_x(0) - 5}" y="{_y(share) + 3}" text-anchor="end">{share:g}</text>'
        )
    parts += [f'<path class="mark {kind}" d="M{_x(at)} {_y(0)}V{_y(1)}"/>' for at, kind in marks]
    for line in lines:
        d = "".join(f"{'L' if k else 'M'}{_x(x)} {_y(y)}" for k, (x, y) in enumerate(line.points))
        parts.append(f'<path class="curve {line.kind}" d="{d}"/>' if d else "")
    parts += [f'<circle cx="{_x(x)}" cy="{_y(y)}" r="4" class="dot"/>' for x, y in dots]
    parts.append(
        f'<text x="{_x(0.5)}" y="{HEIGHT - 3}" text-anchor="middle">{escape(x_name)}</text>'
    )
    return "".join([*parts, "</svg>"])


def bar(estimate: Estimate, digits: int = 2) -> str:
    """A figure, its interval as a whisker over a bar from 0 to 1; a dash where there is none."""
    if estimate.value is None:
        return '<span class="none">–</span>'
    told = f"<b>{estimate.value:.{digits}f}</b>"
    whisker = ""
    if estimate.low is not None and estimate.high is not None:
        told += f" <small>{estimate.low:.{digits}f}–{estimate.high:.{digits}f}</small>"
        whisker = (
            f'<path class="whisker" d="M{100 * estimate.low:.1f} 4H{100 * estimate.high:.1f}"/>'
        )
    return (
        f'<span class="figure">{told}<svg viewBox="0 0 100 8" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect class="rail" width="100" height="8" rx="2"/>'
        f'<rect class="fill" width="{100 * estimate.value:.1f}" height="8" rx="2"/>'
        f"{whisker}</svg></span>"
    )


def confusion_table(names: Sequence[str], table: Sequence[Sequence[int]]) -> str:
    """Rows what is there, columns what was found; each cell shaded by its share of the row.

    Classes that were neither there nor found are left out.
    """
    used = [
        k
        for k in range(len(names))
        if k == len(names) - 1 or any(table[k]) or any(row[k] for row in table)
    ]
    head = "".join(f'<th scope="col">{escape(names[k])}</th>' for k in used)
    rows = []
    for k in used:
        total = max(sum(table[k][j] for j in used), 1)
        cells = "".join(_cell(k, j, table[k][j], total, len(names) - 1) for j in used)
        rows.append(f'<tr><th scope="row">{escape(names[k])}</th>{cells}</tr>')
    return (
        '<div class="wide"><table class="confusion"><caption>Rows: what is there. Columns: what '
        f"was found. Shade: share of the row.</caption><tr><td></td>{head}</tr>"
        f"{''.join(rows)}</table></div>"
    )


def _cell(row: int, column: int, count: int, total: int, nothing: int) -> str:
    if row == column == nothing:
        return "<td>·</td>"
    kind = "right" if row == column else "wrong"
    share = round(100 * count / total)
    return f'<td class="{kind}" style="--share:{share}%">{count if count else "·"}</td>'
