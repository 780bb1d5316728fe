"""A workbook of plain sheets, written so that the same content is the same bytes every time.

SpreadsheetML as in ECMA-376 Part 1, the least that spreadsheets open: inline texts and numbers, a
bold header that stays in view, columns as wide as their content. Text is never a formula.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

Cell = str | float | int | bool | None
Sheet = Sequence[Sequence[Cell]]
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
LONGEST_TEXT = 32_767  # characters of a cell, Excel's limit
MOST_ROWS = 1_048_576
NUMBERS = (int, float)
AT_ONCE = 1000  # rows that are held as text
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAME = re.compile(r"[\[\]:*?/\\]")


def workbook(sheets: Mapping[str, Sheet]) -> bytes:
    """The bytes of a .xlsx file: sheet name -> rows, the first of which is the header."""
    names = [_NAME.sub(" ", name)[:31] for name in sheets]
    parts: dict[str, Iterable[str]] = {
        "[Content_Types].xml": [_content_types(len(names))],
        "_rels/.rels": [_relations([("officeDocument", "xl/workbook.xml")])],
        "xl/workbook.xml": [_workbook(names)],
        "xl/_rels/workbook.xml.rels": [
            _relations(
                [
                    *(("worksheet", f"worksheets/sheet{k}.xml") for k in range(1, len(names) + 1)),
                    ("styles", "styles.xml"),
                ]
            )
        ],
        "xl/styles.xml": [_STYLES],
        **{
            f"xl/worksheets/sheet{k}.xml": _sheet(rows) for k, rows in enumerate(sheets.values(), 1)
        },
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, texts in parts.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            with archive.open(entry, "w") as file:
                for text in texts:
                    file.write(text.encode("utf-8"))
    return buffer.getvalue()


def _content_types(count: int) -> str:
    parts = [("/xl/workbook.xml", "sheet.main"), ("/xl/styles.xml", "styles")]
    parts += [(f"/xl/worksheets/sheet{k}.xml", "worksheet") for k in range(1, count + 1)]
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{OFFICE}.{kind}+xml"/>' for name, kind in parts
    )
    return (
        f'{HEAD}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="rId{k}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for k, (kind, target) in enumerate(targets, 1)
    )
    return f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships">{entries}</Relationships>'


def _workbook(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{k}" r:id="rId{k}"/>'
        for k, name in enumerate(names, 1)
    )
    return (
        f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{sheets}</sheets></workbook>'
    )


def _sheet(rows: Sheet) -> Iterator[str]:
    rows = rows[:MOST_ROWS]
    columns = [_column(k) for k in range(max(map(len, rows), default=0))]
    yield (
        f'{HEAD}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        f"</sheetView></sheetViews>{_widths(rows)}<sheetData>"
    )
    for start in range(0, len(rows), AT_ONCE):
        some = enumerate(rows[start : start + AT_ONCE], start + 1)
        yield "".join([_row(cells, number, columns) for number, cells in some])
    yield "</sheetData></worksheet>"


def _widths(rows: Sheet) -> str:
    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        return ""
    widths = [max(_width(row[k]) for row in rows[:200] if k < len(row)) + 2 for k in range(columns)]
    entries = "".join(
        f'<col min="{k}" max="{k}" width="{min(max(w, 8), 60)}" customWidth="1"/>'
        for k, w in enumerate(widths, 1)
    )
    return f"<cols>{entries}</cols>"


def _width(cell: Cell) -> int:
    # A Chinese character is as wide as two Latin ones.
    return sum(2 if ord(c) > 0x2E80 else 1 for c in str("" if cell is None else cell)[:60])


def _row(cells: Sequence[Cell], number: int, columns: Sequence[str]) -> str:
    style = ' s="1"' if number == 1 else ""
    entries = "".join(
        [
            f'<c r="{column}{number}"{style}><v>{cell!r}</v></c>'
            if type(cell) in NUMBERS
            else _cell(cell, f"{column}{number}", style)
            for column, cell in zip(columns, cells, strict=False)
            if cell is not None
        ]
    )
    return f'<row r="{number}">{entries}</row>'


def _cell(cell: Cell, reference: str, style: str) -> str:
    if isinstance(cell, bool):
        return f'<c r="{reference}"{style} t="b"><v>{int(cell)}</v></c>'
    text = escape(_FORBIDDEN.sub("�", str(cell))[:LONGEST_TEXT])
    return (
        f'<c r="{reference}"{style} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    )


def _column(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


_STYLES = (
    f'{HEAD}<styleSheet xmlns="{MAIN}"><fonts count="2">'
    '<font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)
