"""A4 pages with a head, a foot, and ``page x of y``."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

from alerts.paper.fonts import Face
from alerts.paper.ink import GREY, LINE, fitted

Block = Any
"""Something that stands on a page (reportlab flowables); made by ``alerts.paper.ink.Ink``."""

WIDTH_MM: Final = 174.0
"""What a block may be wide."""
_SIDE: Final = 18 * mm
_TOP: Final = 24 * mm
_BOTTOM: Final = 20 * mm
_SMALL: Final = 7.5


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands around the text of every page."""

    title: str
    """Left in the head, and the document's own name."""
    mark: str
    """Right in the head: what the document is about."""
    foot: str
    """Left in the foot: where it comes from, how to check it."""
    language: str = "zh-CN"


def write(sheet: Sheet, blocks: Sequence[Block], face: Face) -> bytes:
    """The PDF. The same blocks give the same bytes, always. Blocking: some milliseconds a page.

    A block belongs to one document; make new ones for the next.
    """
    out = BytesIO()
    frame = Frame(_SIDE, _BOTTOM, WIDTH_MM * mm, A4[1] - _TOP - _BOTTOM, 0, 0, 0, 0)
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=sheet.title,
        subject=sheet.mark,
        author="Chargeward",
        creator="Chargeward",
        lang=sheet.language,
        invariant=1,  # no clock and no random id in the file
        pageTemplates=[PageTemplate("page", [frame])],
    )

    def canvas(*arguments: Any, **options: Any) -> Canvas:
        return _Numbered(sheet, face, *arguments, **options)

    flat = [part for block in blocks for part in (block if isinstance(block, list) else [block])]
    document.build(flat, canvasmaker=canvas)
    return out.getvalue()


class _Numbered(Canvas):  # type: ignore[misc]  # reportlab ships no types
    """Holds all pages back until it is known how many there are."""

    def __init__(self, sheet: Sheet, face: Face, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._sheet, self._face = sheet, face
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        """A page is full."""
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """All pages are full."""
        pages = self._pages
        for number, page in enumerate(pages, 1):
            self.__dict__.update(page)
            self._around(number, len(pages))
            super().showPage()
        super().save()

    def _around(self, number: int, total: int) -> None:
        right = A4[0] - _SIDE
        top, bottom = A4[1] - 15 * mm, 12 * mm
        self.setStrokeColor(LINE)
        self.setLineWidth(0.5)
        self.line(_SIDE, top - 2 * mm, right, top - 2 * mm)
        self.line(_SIDE, bottom + 4 * mm, right, bottom + 4 * mm)
        said = f"第 {number} 页，共 {total} 页　Page {number} of {total}"
        self._row(self._sheet.title, self._sheet.mark, top)
        self._row(self._sheet.foot, said, bottom)

    def _row(self, left: str, right: str, y: float) -> None:
        for text, align in ((left, 0), (right, 1)):
            paragraph = fitted(text, self._face, size=_SMALL, color=GREY, right=bool(align))
            share = WIDTH_MM * mm * (0.28 if align else 0.72)
            _, height = paragraph.wrapOn(self, share, 20 * mm)
            line = paragraph.style.leading  # a second line goes below the first
            paragraph.drawOn(self, A4[0] - _SIDE - share if align else _SIDE, y - height + line)
