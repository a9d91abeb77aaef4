"""Which fonts a document is set in: one that has Chinese, and others for what it lacks.

No font is shipped. What is found on the machine is embedded, so that the document looks the
same everywhere; where nothing is found, reportlab's STSong-Light is named and the reader's
program must have a Chinese font.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final
from unicodedata import normalize
from xml.sax.saxutils import escape
from zlib import crc32

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont

KNOWN: Final = (
    Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),  # Debian: fonts-wqy-microhei
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),  # fonts-droid-fallback
    Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),  # has no Chinese: helps the others
)
"""Where Debian's packages put fonts that can be embedded, best first."""

_CID: Final = "STSong-Light"
_LATIN: Final = "Helvetica"  # one of the 14 fonts that every reader has
_PROBE: Final = "安充桩座"
_UNKNOWN: Final = "?"
_BMP_END: Final = 0xFFFF
_registering = Lock()


class FontError(Exception):
    """The font that was asked for cannot be used."""


@dataclass(frozen=True, slots=True)
class Font:
    """A registered font and the characters it has; None = its program's own, not known here."""

    name: str
    glyphs: frozenset[int] | None
    embedded: bool

    def has(self, character: str) -> bool:
        """Whether it can write the character."""
        code = ord(character)
        if self.glyphs is not None:
            return code in self.glyphs
        if self.name == _LATIN:
            return _writes(character, "cp1252")
        return code <= _BMP_END and _writes(character, "gb18030")


@dataclass(frozen=True, slots=True)
class Face:
    """What a document is set in: the first font that has a character writes it."""

    fonts: tuple[Font, ...]

    @property
    def name(self) -> str:
        """The font of most of the text."""
        return self.fonts[0].name

    @property
    def latin(self) -> str:
        """The font of figures in drawings, which are set in one font."""
        return next(font.name for font in self.fonts if all(map(font.has, "09Az%:")))

    @property
    def embedded(self) -> bool:
        """Whether every reader sees what was meant, with no font of their own."""
        return self.fonts[0].embedded

    def marked(self, text: str) -> str:
        """``text`` as a paragraph's mark-up: escaped, other fonts where the first lacks one."""
        parts: list[tuple[str, str]] = []
        for character in text:
            name, written = self._write(character)
            if parts and parts[-1][0] == name:
                parts[-1] = (name, parts[-1][1] + written)
            else:
                parts.append((name, written))
        return "".join(self._tagged(name, run) for name, run in parts)

    def _tagged(self, name: str, run: str) -> str:
        said = escape(run).replace("\n", "<br/>")
        return said if name == self.name else f'<font name="{name}">{said}</font>'

    def _write(self, character: str) -> tuple[str, str]:
        if character == "\n":
            return self.name, character
        if not character.isprintable():
            return self.name, " "
        for written in (character, normalize("NFKC", character)):  # ℃ may be written °C
            for font in self.fonts:
                if all(map(font.has, written)):
                    return font.name, written
        return self.latin, _UNKNOWN


def find_face(wanted: Path | None = None, known: Iterable[Path] = KNOWN) -> Face:
    """The face made of ``wanted``, if given, and of what is found on the machine.

    Raises:
        FontError: ``wanted`` is no TrueType font or collection that can be embedded.

    """
    found = [] if wanted is None else [_embedded(wanted)]
    for path in known:
        if path.is_file() and path != wanted:
            try:
                found.append(_embedded(path))
            except FontError:
                continue  # not what its place promises: the next one
    if not any(all(map(font.has, _PROBE)) for font in found):
        found.append(_cid())
    found.sort(key=lambda font: not all(map(font.has, _PROBE)))
    return Face((*found, Font(_LATIN, None, embedded=False)))


@cache  # as reportlab's own table of fonts: of the process; reading one takes half a second
def _embedded(path: Path) -> Font:
    name = f"{path.stem}-{crc32(str(path).encode()):08x}"  # two paths may end alike
    with _registering:  # reportlab's table of fonts is the process's
        try:
            font: Any = TTFont(name, str(path), subfontIndex=0)
        except (TTFError, OSError, ValueError) as error:
            msg = f"{path} cannot be embedded: {error}"
            raise FontError(msg) from error
        pdfmetrics.registerFont(font)
    return Font(name, _drawn(font.face), embedded=True)


def _drawn(face: Any) -> frozenset[int]:
    """The characters that can be seen: WenQuanYi Micro Hei lists ℃ but draws nothing for it."""
    starts = face.glyphPos
    return frozenset(
        code
        for code, glyph in face.charToGlyph.items()
        if chr(code).isspace() or starts[glyph] < starts[glyph + 1]
    )


def _cid() -> Font:
    with _registering:
        pdfmetrics.registerFont(UnicodeCIDFont(_CID))
    return Font(_CID, None, embedded=False)


def _writes(character: str, encoding: str) -> bool:
    try:
        return bool(character.encode(encoding))
    except UnicodeEncodeError:
        return False
