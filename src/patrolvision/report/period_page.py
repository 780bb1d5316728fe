"""A period's report as one HTML page that can be sent or printed: nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from html import escape
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from patrolvision.report.words import DEFINITIONS, KINDS, TITLES, Language, word

Record = Mapping[str, Any]
MOST_ROWS = 25  # of one table; the CSV and the workbook have them all
COLUMNS = (
    "found", "solved", "in_time_rate", "completion_rate", "open_at_end", "overdue_at_end",
    "false_alarms", "reopened", "median_dispatch_h", "median_solve_h", "found_per_km", "score",
)  # fmt: skip
TILES = (
    "found", "solved", "in_time_rate", "completion_rate", "open_at_end", "overdue_at_end",
    "false_rate", "median_solve_h", "km_observed",
)  # fmt: skip
RATES = frozenset({"in_time_rate", "completion_rate", "false_rate", "reopened_rate"})


class _Page:
    """One report in one language."""

    def __init__(self, report: Record, language: Language) -> None:
        self.report, self.language = report, language
        self.zone = ZoneInfo(report["timezone"])
        self.rows: Sequence[Record] = report["rows"]

    def word(self, key: str) -> str:
        return escape(word(key, self.language))

    def category(self, name: str) -> str:
        names = self.report["categories"].get(name)
        return escape(names[self.language] if names else name)

    def cause(self, code: str) -> str:
        names = self.report["causes"].get(code)
        return escape(names[self.language]) if names else self.word(code)

    def when(self, text: str) -> str:
        return f"{datetime.fromisoformat(text).astimezone(self.zone):%Y-%m-%d %H:%M}"

    def title(self) -> str:
        return escape(TITLES[self.report["period"]][self.language == "zh"])

    def span(self) -> str:
        first, last = (date.fromisoformat(self.report[k]) for k in ("first", "last"))
        if self.report["period"] == "year":
            return f"{first:%Y}"
        if self.report["period"] == "month":
            return f"{first:%Y-%m}"
        return f"{first}" if first == last else f"{first} – {last}"


def render_period(report: Record, language: Language = "en") -> str:
    """The page of a report as summary() gives it."""
    page = _Page(report, language)
    whole = report["rows"][0]
    is_empty = not any(whole[k] for k in ("found", "solved", "open_at_end", "false_alarms"))
    css = files("patrolvision.report").joinpath("period.css").read_text(encoding="utf-8")
    parts = [_tiles(page, whole), _chart(page)]
    parts += [_rows_table(page, kind) for kind in KINDS]
    parts += [_causes(page), _places(page, "hot_spots"), _places(page, "ledger")]
    body = f'<p class="empty">{page.word("nothing")}</p>' if is_empty else ""
    return (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><head>'
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{page.title()} {page.span()}</title><style>{css}</style></head><body>"
        f"<header><h1>{page.title()} <b>{page.span()}</b></h1><p>{_subtitle(page)}</p></header>"
        f"<main>{body}{''.join(parts)}{_definitions(page)}</main>"
        f"<footer>patrolvision · {escape(report['rules'])}</footer></body></html>\n"
    )


def _subtitle(page: _Page) -> str:
    report = page.report
    line = f"{page.when(report['start'])} – {page.when(report['end'])} · {report['timezone']}"
    if report["as_of"] != report["end"]:
        line += " · " + word("running", page.language).format(at=page.when(report["as_of"]))
    return escape(line)


def _shown(page: _Page, key: str, value: Any) -> str:
    if value is None:
        return "–"
    if key in RATES:
        return f"{100 * value:.1f} %"
    if key.endswith("_h"):
        return _hours(value, page.language)
    if key == "km_observed":
        return f"{value:,.1f} km"
    if key == "found_per_km":
        return f"{value:.2f}"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _hours(hours: float, language: Language) -> str:
    minute, hour, day = ("min", "h", "d") if language == "en" else ("分", "小时", "天")
    if hours < 1:
        return f"{60 * hours:.0f} {minute}"
    return f"{hours:.1f} {hour}" if hours < 48 else f"{hours / 24:.1f} {day}"


def _tiles(page: _Page, whole: Record) -> str:
    tiles = "".join(
        f'<div class="tile {key}{_alarm(key, whole[key])}"><b>{_shown(page, key, whole[key])}</b>'
        f"<span>{page.word(key)}</span></div>"
        for key in TILES
        if whole[key] is not None
    )
    return f'<section class="tiles">{tiles}</section>'


def _alarm(key: str, value: Any) -> str:
    return " alarm" if key == "overdue_at_end" and value else ""


def _chart(page: _Page) -> str:
    """Bars of what was found, with what was solved in front of them."""
    buckets = page.report["series"]
    most = max((max(b["found"], b["solved"]) for b in buckets), default=0)
    if most == 0:
        return ""
    wide, high = 1000, 180
    step = wide / len(buckets)
    bars = "".join(_bars(b, k * step, step, high, most, page) for k, b in enumerate(buckets))
    every = max(1, round(len(buckets) / 16))
    labels = "".join(
        f'<text x="{(k + 0.5) * step:.1f}" y="{high + 18}">{escape(b["label"])}</text>'
        for k, b in enumerate(buckets)
        if k % every == 0
    )
    grid = "".join(f'<line x1="0" x2="{wide}" y1="{y}" y2="{y}"/>' for y in (0, high / 2, high))
    scale = f'<text class="most" x="0" y="-6">{most}</text>'
    return (
        f'<section class="chart"><svg viewBox="0 -22 {wide} {high + 46}" role="img" '
        f'aria-label="{page.word("found")}, {page.word("solved")}">{grid}{bars}{labels}{scale}'
        f'</svg><ul><li class="found">{page.word("found")}</li>'
        f'<li class="solved">{page.word("solved")}</li></ul></section>'
    )


def _bars(b: Record, x: float, step: float, high: float, most: int, page: _Page) -> str:
    width = min(step * 0.36, 26)
    middle = x + step / 2
    title = f"{b['label']}: {page.word('found')} {b['found']}, {page.word('solved')} {b['solved']}"
    pieces = [f"<g><title>{title}</title>"]
    for key, left in (("found", middle - width - 0.5), ("solved", middle + 0.5)):
        tall = high * b[key] / most
        pieces.append(
            f'<rect class="{key}" x="{left:.1f}" y="{high - tall:.1f}" width="{width:.1f}" '
            f'height="{tall:.1f}"/>'
        )
    return "".join([*pieces, "</g>"])


def _rows_table(page: _Page, kind: str) -> str:
    rows = [row for row in page.rows if row["kind"] == kind and _is_telling(row)]
    if not rows:
        return ""
    rows.sort(key=lambda row: (-row["found"], -row["solved"], row["key"]))
    shown = rows[:MOST_ROWS]
    columns = [c for c in COLUMNS if any(row[c] is not None for row in shown)]
    head = "".join(f"<th>{page.word(column)}</th>" for column in columns)
    lines = "".join(
        f"<tr><th>{_name(page, kind, row)}</th>"
        + "".join(_figure(page, column, row) for column in columns)
        + "</tr>"
        for row in shown
    )
    more = ""
    if len(rows) > len(shown):
        text = word("all_shown", page.language).format(shown=len(shown), all=len(rows))
        more = f'<p class="note">{escape(text)}</p>'
    title = escape(KINDS[kind][page.language == "zh"])
    return (
        f"<section><h2>{title}</h2><div class='wide'><table><thead><tr><th></th>{head}"
        f"</tr></thead><tbody>{lines}</tbody></table></div>{more}</section>"
    )


def _is_telling(row: Record) -> bool:
    counts = ("found", "solved", "false_alarms", "open_at_end", "reopened", "duplicates")
    return any(row[count] for count in counts)


def _name(page: _Page, kind: str, row: Record) -> str:
    return page.category(row["key"]) if kind == "category" else escape(row["name"])


def _figure(page: _Page, column: str, row: Record) -> str:
    value = row[column]
    css = "zero" if value in (0, None) else ("alarm" if column == "overdue_at_end" else "")
    meter = ""
    if column == "score" and value is not None:
        meter = f'<i style="width:{value:.0f}%"></i>'
    return f'<td class="{column} {css}">{meter}{_shown(page, column, value)}</td>'


def _causes(page: _Page) -> str:
    found = page.report["false_alarms"]
    if not found:
        return ""
    lines = "".join(
        f"<tr><th>{page.category(f['category'])}</th><td class='text'>"
        f"{page.cause(f['cause'])}</td><td>{f['count']}</td></tr>"
        for f in sorted(found, key=lambda f: -f["count"])
    )
    head = f"<th class='text'>{page.word('cause')}</th><th>{page.word('count')}</th>"
    return (
        f"<section class='half'><h2>{page.word('false_by_cause')}</h2><table><thead><tr><th></th>"
        f"{head}</tr></thead><tbody>{lines}</tbody></table></section>"
    )


def _places(page: _Page, key: str) -> str:
    found = page.report[key]
    if not found:
        return ""
    columns = ("times", "place", "grid", "last_found")
    head = "".join(
        f"<th{' class=text' if column == 'grid' else ''}>{page.word(column)}</th>"
        for column in columns
    )
    lines = "".join(_place_line(page, place) for place in found[:MOST_ROWS])
    note = f"<p class='note'>{page.word('hot_spots_note')}</p>" if key == "hot_spots" else ""
    return (
        f"<section><h2>{page.word(key)}</h2>{note}<div class='wide'><table><thead><tr><th></th>"
        f"{head}</tr></thead><tbody>{lines}</tbody></table></div></section>"
    )


def _place_line(page: _Page, place: Record) -> str:
    codes = [place[k] for k in ("unit_grid", "responsible_grid", "segment") if place[k]]
    where = f"{place['lat_deg']:.5f}, {place['lon_deg']:.5f}"
    return (
        f"<tr><th>{page.category(place['category'])}</th><td>{place['times']}</td>"
        f"<td>{where}</td><td class='text'>{escape(' · '.join(codes) or '–')}</td>"
        f"<td>{page.when(place['last_found'])}</td></tr>"
    )


def _definitions(page: _Page) -> str:
    lines = "".join(f"<li>{escape(pair[page.language == 'zh'])}</li>" for pair in DEFINITIONS)
    return f"<section class='how'><h2>{page.word('definitions')}</h2><ul>{lines}</ul></section>"
