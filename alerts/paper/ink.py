"""Blocks of a document in one face: headings, paragraphs, tables, facts, pictures, signatures."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from reportlab.lib.colors import HexColor, white
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import (
    CondPageBreak,
    Image,
    KeepTogether,
    PageBreak,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from alerts.paper.fonts import Face

INK: Final = HexColor("#1b1f24")
GREY: Final = HexColor("#5c6670")
LINE: Final = HexColor("#c8ced4")
SHADE: Final = HexColor("#f1f4f6")
RED: Final = HexColor("#b3261e")
GREEN: Final = HexColor("#1a6b3c")

_WIDTH: Final = 174.0
_PADDING: Final = 3.0
_NOT_ALONE: Final = 40.0
_LABEL: Final = 24.0
_LONGEST_CELL: Final = 2_000
"""Characters of one table cell: a row must fit on a page."""


def fitted(text: str, face: Face, *, size: float, color: Any, right: bool = False) -> Paragraph:
    """One paragraph, outside of the flow."""
    style = _style("fitted", face, size, color)
    if right:
        style.alignment = TA_RIGHT
    return Paragraph(face.marked(text), style)


class Ink:
    """Makes blocks; widths and heights are millimetres. All texts are plain, never mark-up."""

    def __init__(self, face: Face) -> None:
        """In which face."""
        self._face = face
        self._title = _style("title", face, 19, INK, (0, 1.5))
        self._heading = _style("heading", face, 12.5, INK, (5, 1.5))
        self._body = _style("body", face, 9.5, INK, (0, 1.5))
        self._small = _style("small", face, 7.5, GREY, (0, 1))
        self._cell = _style("cell", face, 8, INK)
        self._label = _style("label", face, 8, GREY)
        self._loud = {True: _style("bad", face, 13, white), False: _style("good", face, 13, white)}

    def title(self, text: str) -> Any:
        """What the document is."""
        return self._paragraph(text, self._title)

    def heading(self, text: str) -> Any:
        """Of a section; never alone at the end of a page."""
        return [CondPageBreak(_NOT_ALONE * mm), self._paragraph(text, self._heading)]

    def text(self, text: str) -> Any:
        """A paragraph."""
        return self._paragraph(text, self._body)

    def small(self, text: str) -> Any:
        """A remark."""
        return self._paragraph(text, self._small)

    def gap(self, height: float = 3) -> Any:
        """Nothing."""
        return Spacer(1, height * mm)

    def page(self) -> Any:
        """What follows begins on a new page."""
        return PageBreak()

    def banner(self, text: str, *, bad: bool) -> Any:
        """The one thing that must be seen: white on red when ``bad``, else on green."""
        style = [
            ("BACKGROUND", (0, 0), (-1, -1), RED if bad else GREEN),
            ("TOPPADDING", (0, 0), (-1, -1), 6),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
            ("LEFTPADDING", (0, 0), (-1, -1), 8),
        ]
        cell = self._paragraph(text, self._loud[bad])
        return _table([[cell]], (_WIDTH,), style)

    def facts(self, pairs: Sequence[tuple[str, str]], columns: int = 2) -> Any:
        """Labels with their values, read from left to right."""
        label, value = _LABEL, _WIDTH / columns - _LABEL
        rows: list[list[Any]] = []
        for start in range(0, len(pairs), columns):
            row: list[Any] = []
            for name, said in pairs[start : start + columns]:
                row += [self._paragraph(name, self._label), self._paragraph(said, self._cell)]
            rows.append(row + [""] * (2 * columns - len(row)))
        return _table(rows, (label, value) * columns, [("LINEBELOW", (0, 0), (-1, -1), 0.3, LINE)])

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]
    ) -> Any:
        """A table whose header is repeated on every page; widths are shares of the page's."""
        cells = [[self._paragraph(text, self._label) for text in header]]
        cells += [[self._paragraph(text, self._cell) for text in row] for row in rows]
        style = [
            ("BACKGROUND", (0, 0), (-1, 0), SHADE),
            ("LINEBELOW", (0, 0), (-1, -1), 0.3, LINE),
        ]
        shares = tuple(_WIDTH * width / sum(widths) for width in widths)
        return _table(cells, shares, style, header=True)

    def pictures(
        self, shown: Sequence[tuple[bytes, str]], columns: int = 2, height: float = 62
    ) -> Any:
        """JPEG or PNG images with their captions, side by side, none distorted."""
        width = _WIDTH / columns
        rows: list[list[Any]] = []
        for start in range(0, len(shown), columns):
            line = [
                [_image(data, width - 4, height), self._paragraph(caption, self._small)]
                for data, caption in shown[start : start + columns]
            ]
            rows.append(line + [[]] * (columns - len(line)))
        return _table(rows, (width,) * columns, [])

    def signatures(self, who: Sequence[str]) -> Any:
        """Lines to sign on, each with its label under it; kept together."""
        gap = 6.0
        line = (_WIDTH - gap * (len(who) - 1)) / len(who)
        widths = ((line, gap) * len(who))[:-1]
        style = [("LINEABOVE", (2 * n, 1), (2 * n, 1), 0.6, INK) for n in range(len(who))]
        labels: list[Any] = [part for name in who for part in (self._labelled(name), "")][:-1]
        block = _table([[""] * len(labels), labels], widths, style, heights=(16, None))
        return KeepTogether([block])

    def _labelled(self, name: str) -> Paragraph:
        return self._paragraph(name, self._label)

    def _paragraph(self, text: str, style: ParagraphStyle) -> Paragraph:
        shown = text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]} …"
        return Paragraph(self._face.marked(shown), style)


def _style(
    name: str, face: Face, size: float, color: Any, space: tuple[float, float] = (0, 0)
) -> ParagraphStyle:
    return ParagraphStyle(
        name,
        fontName=face.name,
        fontSize=size,
        leading=size * 1.45,
        textColor=color,
        spaceBefore=space[0] * mm,
        spaceAfter=space[1] * mm,
        wordWrap="CJK",  # Chinese has no spaces to break at
    )


def _table(
    cells: Sequence[Sequence[Any]],
    widths: Sequence[float],
    style: Sequence[tuple[Any, ...]],
    *,
    header: bool = False,
    heights: Sequence[float | None] | None = None,
) -> Table:
    table = Table(
        [list(row) for row in cells],
        colWidths=[width * mm for width in widths],
        rowHeights=None if heights is None else [None if h is None else h * mm for h in heights],
        repeatRows=int(header),
        hAlign="LEFT",
        spaceAfter=2 * mm,
    )
    padding = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), _PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), _PADDING / 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), _PADDING),
    ]
    table.setStyle(TableStyle([*padding, *style]))
    return table


def _image(data: bytes, width: float, height: float) -> Image:
    image = Image(BytesIO(data))
    scale = min(width * mm / image.imageWidth, height * mm / image.imageHeight)
    image.drawWidth, image.drawHeight = image.imageWidth * scale, image.imageHeight * scale
    image.hAlign = "LEFT"
    return image
