"""A notice as a page of A4 in PDF, by ReportLab (extra `pdf`).

Chinese is set in STSong-Light, one of the fonts of Adobe's Asian font pack that every PDF viewer
knows or replaces: no font file is needed or embedded. The same notice is the same bytes.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from patrolvision.errors import ConfigError, MediaError

if TYPE_CHECKING:
    from patrolvision.report.notice import Notice

CHINESE = "STSong-Light"
MARGIN_MM = 22.0
PICTURE_HEIGHT_MM = 78.0
MISSING = "the notice as PDF needs ReportLab: pip install 'patrolvision[pdf]'"


def notice_pdf(notice: Notice) -> bytes:
    """The PDF file; ConfigError if ReportLab is not installed, MediaError for a bad picture."""
    try:
        from reportlab.lib.pagesizes import A4
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont
        from reportlab.pdfgen.canvas import Canvas
    except ModuleNotFoundError as error:
        raise ConfigError(MISSING) from error
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    canvas.setTitle(f"{notice.title_zh} {notice.number}")
    canvas.setSubject(notice.title_en)
    _Sheet(canvas, *A4).draw(notice)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


class _Sheet:
    """One page being written from the top down; lengths in points."""

    def __init__(self, canvas: Any, width: float, height: float) -> None:
        from reportlab.lib.units import mm

        self.canvas, self.mm, self.width = canvas, mm, width
        self.left, self.right = MARGIN_MM * mm, width - MARGIN_MM * mm
        self.y = height - 26 * mm

    def draw(self, notice: Notice) -> None:
        canvas, mm = self.canvas, self.mm
        canvas.setFont(CHINESE, 22)
        canvas.drawCentredString(self.width / 2, self.y, notice.title_zh)
        self.y -= 7.5 * mm
        canvas.setFont("Helvetica", 11)
        canvas.drawCentredString(self.width / 2, self.y, notice.title_en)
        self.y -= 9 * mm
        self._line(f"编号 No. {notice.number}", self.right, 10, right=True)
        self.y -= 3 * mm
        canvas.setLineWidth(0.8)
        canvas.line(self.left, self.y, self.right, self.y)
        for label_zh, label_en, value in notice.facts:
            self._fact(label_zh, label_en, value)
        self.y -= 9 * mm
        self._paragraph(notice.demand_zh, 11, 6 * mm)
        self._paragraph(notice.demand_en, 9.5, 4.8 * mm)
        if notice.picture is not None:
            self._picture(notice.picture, notice.caption)
        self._signatures(notice)

    def _fact(self, label_zh: str, label_en: str, value: str) -> None:
        self.y -= 8.5 * self.mm
        self._line(label_zh, self.left, 11)
        self.canvas.setFillGray(0.4)
        self._line(label_en, self.left + 25 * self.mm, 8.5)
        self.canvas.setFillGray(0)
        self._line(value, self.left + 52 * self.mm, 10.5)
        self.canvas.setLineWidth(0.3)
        self.canvas.setStrokeGray(0.75)
        self.canvas.line(self.left, self.y - 2.5 * self.mm, self.right, self.y - 2.5 * self.mm)
        self.canvas.setStrokeGray(0)

    def _line(self, text: str, x: float, size: float, *, right: bool = False) -> float:
        """Draw a line in which Chinese and Latin each have their font; its width."""
        pieces = _pieces(text)
        widths = [self.canvas.stringWidth(piece, font, size) for piece, font in pieces]
        start = x - sum(widths) if right else x
        for (piece, font), width in zip(pieces, widths, strict=True):
            self.canvas.setFont(font, size)
            self.canvas.drawString(start, self.y, piece)
            start += width
        return float(sum(widths))

    def _paragraph(self, text: str, size: float, leading: float) -> None:
        line = ""
        for word in _words(text):
            wide = sum(self.canvas.stringWidth(p, f, size) for p, f in _pieces(line + word))
            if line and wide > self.right - self.left:
                self._line(line.rstrip(), self.left, size)
                self.y -= leading
                line = word.lstrip()
            else:
                line += word
        self._line(line, self.left, size)
        self.y -= leading

    def _picture(self, jpeg: bytes, caption: str) -> None:
        from reportlab.lib.utils import ImageReader

        try:
            image = ImageReader(io.BytesIO(jpeg))
            wide, high = image.getSize()
        except (OSError, ValueError) as error:
            raise MediaError(f"the notice's picture cannot be read: {error}") from error
        scale = min((self.right - self.left) / wide, PICTURE_HEIGHT_MM * self.mm / high)
        self.y -= 2 * self.mm + scale * high
        x = (self.width - scale * wide) / 2
        self.canvas.drawImage(image, x, self.y, scale * wide, scale * high)
        self.y -= 5 * self.mm
        self.canvas.setFillGray(0.4)
        self._line(caption, x, 8.5)
        self.canvas.setFillGray(0)

    def _signatures(self, notice: Notice) -> None:
        mm = self.mm
        self.y = min(self.y - 8 * mm, 52 * mm)
        middle = self.width / 2 + 5 * mm
        for label, x in (
            ("送达人 Served by", self.left),
            ("签发单位（盖章） Office, seal", middle),
        ):
            self._line(label, x, 9.5)
            self.canvas.line(x, self.y - 13 * mm, x + 70 * mm, self.y - 13 * mm)
        self.y -= 19 * mm
        self._line(f"签发时间 Issued {notice.issued}", self.left, 9.5)


def _pieces(text: str) -> list[tuple[str, str]]:
    """The text in runs of one font: Chinese where Latin-1 has no such character."""
    runs: list[tuple[str, str]] = []
    for character in text:
        font = "Helvetica" if ord(character) < 0x100 else CHINESE
        if runs and (runs[-1][1] == font):
            runs[-1] = (runs[-1][0] + character, font)
        else:
            runs.append((character, font))
    return runs


def _words(text: str) -> list[str]:
    """What a line may be broken between: words with their space, single Chinese characters."""
    words: list[str] = []
    for character in text:
        if words and ord(character) < 0x2E80 and not words[-1].endswith(" "):
            words[-1] += character
        else:
            words.append(character)
    return words
