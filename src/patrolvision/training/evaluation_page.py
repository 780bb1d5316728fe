"""An EvalReport as one HTML page that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

from patrolvision.training.evaluation import (
    LEAST_UNITS,
    ClassReport,
    EvalReport,
    FalseAlarms,
    Slice,
)
from patrolvision.training.evaluation_charts import Line, bar, chart, confusion_table
from patrolvision.training.evaluation_mistakes import NOTHING, Mistake
from patrolvision.training.evaluation_pictures import data_uri
from patrolvision.training.labels import LabelledPicture

KEY = (
    '<p class="key"><i class="precision"></i>precision<i class="recall"></i>recall'
    '<i class="f1"></i>F1<i class="shipped"></i>shipped threshold'
    '<i class="proposed"></i>proposed</p>'
)
KINDS = {"false": "Found where nothing is", "missed": "Missed", "taken for": "Taken for another"}


def page(report: EvalReport, pictures: Sequence[LabelledPicture], failed: Mapping[str, str]) -> str:
    """The page; pictures are those that were judged, in the order of the report."""
    style = (files("patrolvision.training") / "evaluation.css").read_text(encoding="utf-8")
    judged = [row for row in report.classes if row.boxes]
    body = [
        f"<h1>{escape(report.model)}</h1>",
        f"<p>Judged on {report.pictures} pictures of {escape(report.data)}, part "
        f"{escape(report.part)}{_sources(report)}. Small figures are 95 % intervals by bootstrap "
        f"over pictures, {report.rounds} rounds; a clip counts as one, and of fewer than "
        f"{LEAST_UNITS} there is no interval.</p>",
        _failed(failed),
        "<h2>Figures</h2>",
        _summary(report.classes),
        "<h2>Curves</h2>",
        KEY,
        f'<div class="charts">{"".join(_curves(row) for row in judged)}</div>',
        "<h2>By size and source</h2>",
        _slices(judged),
        "<h2>False alarms in pictures without the class</h2>",
        _alarms(report.classes),
        _incidents(report.classes),
        "<h2>What was taken for what</h2>",
        confusion_table(report.confusion_names, report.confusion),
        "<h2>The worst mistakes</h2>",
        "<p>Red: the mistake. Green: what is drawn. False boxes by their confidence, missed things "
        "by their size.</p>",
        _mistakes(report.mistakes, pictures),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.model)} judged</title><style>{style}</style>"
        f"<main>{''.join(body)}</main></html>\n"
    )


def _sources(report: EvalReport) -> str:
    named = [f"{escape(name)} {count}" for name, count in report.sources.items() if name]
    return f" ({', '.join(named)})" if named else ""


def _failed(failed: Mapping[str, str]) -> str:
    if not failed:
        return ""
    rows = "".join(f"<li>{escape(why)}</li>" for why in failed.values())
    return f"<details open><summary>{len(failed)} left out</summary><ul>{rows}</ul></details>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    lines = "".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{v}</td>" for v in row[1:]) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead>{lines}</table></div>'


def _summary(rows: Sequence[ClassReport]) -> str:
    head = ("class", "pictures", "boxes", "AP50", "AP50-95", "threshold", "precision", "recall")
    return _table(
        head,
        (
            (
                escape(row.name),
                str(row.pictures),
                str(row.boxes),
                bar(row.ap50),
                bar(row.ap50_95),
                f"{row.threshold:.2f}{_proposal(row)}",
                bar(row.precision),
                bar(row.recall),
            )
            for row in rows
        ),
    )


def _proposal(row: ClassReport) -> str:
    proposed = row.calibration.proposed
    if proposed is None:
        return f'<small class="why">{escape(row.calibration.reason)}</small>'
    return f'<small class="why">{proposed:.2f}: {escape(row.calibration.reason)}</small>'


def _curves(row: ClassReport) -> str:
    points = [(recall, precision) for _, precision, recall in row.curve]
    dots = []
    if row.recall.value is not None and row.precision.value is not None:
        dots = [(row.recall.value, row.precision.value)]
    first = chart(
        f"{row.name}: precision over recall",
        "recall (up: precision; dot: shipped threshold)",
        [Line("precision", points, "precision")],
        dots=dots,
    )
    marks = [(row.threshold, "shipped")]
    if row.calibration.proposed is not None:
        marks.append((row.calibration.proposed, "proposed"))
    second = chart(
        f"{row.name}: what a threshold costs and finds",
        "threshold",
        [_over_thresholds(row, kind) for kind in ("precision", "recall", "f1")],
        marks,
    )
    return f'<div class="card"><h3>{escape(row.name)}</h3>{first}{second}</div>'


def _over_thresholds(row: ClassReport, kind: str) -> Line:
    values = [(p.threshold, getattr(p, kind)) for p in row.calibration.points]
    return Line(kind, [(x, y) for x, y in values if y is not None], kind)


def _slices(rows: Sequence[ClassReport]) -> str:
    lines = []
    for row in rows:
        for kind, slices in (("size", row.by_size), ("source", row.by_source)):
            lines += [_slice(row.name, kind, name, part) for name, part in slices.items()]
    return _table(("class", "", "", "pictures", "boxes", "AP50", "precision", "recall"), lines)


def _slice(name: str, kind: str, which: str, part: Slice) -> tuple[str, ...]:
    told = (bar(part.ap50), bar(part.precision), bar(part.recall))
    return (escape(name), kind, escape(which or "–"), str(part.pictures), str(part.boxes), *told)


def _alarms(rows: Sequence[ClassReport]) -> str:
    lines = []
    for row in rows:
        lines += [
            (escape(row.name), escape(source or "all"), *_alarm(alarms))
            for source, alarms in (("", row.false_alarms), *row.false_alarms_by_source.items())
            if alarms.pictures
        ]
    return _table(("class", "source", "pictures", "false boxes", "per 1,000 pictures"), lines)


def _alarm(alarms: FalseAlarms) -> tuple[str, str, str]:
    told = alarms.per_1000
    if told.value is None:
        return str(alarms.pictures), str(alarms.boxes), "–"
    between = "" if told.high is None else f" <small>{told.low:.0f}–{told.high:.0f}</small>"
    return str(alarms.pictures), str(alarms.boxes), f"<b>{told.value:.0f}</b>{between}"


def _incidents(rows: Sequence[ClassReport]) -> str:
    told = [(row.name, row.incidents) for row in rows if row.incidents is not None]
    if not told:
        return ""
    lines = (
        (
            escape(name),
            str(seen.clips),
            f"{seen.things} {'things' if seen.is_by_thing else 'clips with it'}",
            f"{seen.found} ({seen.found / seen.things:.0%})",
            f"{seen.touched} ({seen.touched / seen.things:.0%})",
        )
        for name, seen in told
    )
    return (
        "<h2>Seen in any picture of its clip</h2><p>At the shipped threshold, in at least one "
        "picture that was analysed.</p>"
        + _table(("class", "clips", "to be seen", "found (IoU 0.5)", "touched (IoU 0.1)"), lines)
    )


def _mistakes(mistakes: Sequence[Mistake], pictures: Sequence[LabelledPicture]) -> str:
    groups: dict[tuple[str, str], list[str]] = {}
    for mistake in mistakes:
        about = mistake.drawn if mistake.kind == "missed" else mistake.found
        told = _figure(mistake, pictures[mistake.picture])
        groups.setdefault((about, mistake.kind), []).append(told)
    return "".join(
        f"<h3>{escape(about)}: {KINDS[kind].lower()}</h3>"
        f'<div class="mistakes">{"".join(told)}</div>'
        for (about, kind), told in groups.items()
    )


def _figure(mistake: Mistake, picture: LabelledPicture) -> str:
    uri = data_uri(picture, mistake)
    image = f'<img src="{uri}" alt="" loading="lazy">' if uri else ""
    says = f"{mistake.found} {mistake.confidence:.2f}" if mistake.confidence else "not found"
    there = "" if mistake.drawn == NOTHING else f", is {mistake.drawn}"
    return (
        f"<figure>{image}<figcaption>{escape(says + there)}"
        f"<span>{escape(picture.path.name)}</span></figcaption></figure>"
    )
