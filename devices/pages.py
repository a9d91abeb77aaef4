"""Pages of a list that grows at its new end: the cursor is a place, not a number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from devices.errors import CursorError

T = TypeVar("T")
MAX_PAGE = 500
"""The longest page any list gives."""
_DIGITS = 16  # enough for 2**53
_ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items, newest first, and the cursor of the next page (None = no more)."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last item of a page: its time (UTC ms) and its id, which breaks ties."""

    at_ms: int
    id: str

    def __str__(self) -> str:
        """As handed to the caller."""
        return f"{self.at_ms}.{self.id}"

    @property
    def number(self) -> int:
        """The id, of a list whose ids are whole numbers.

        Raises:
            CursorError: it is none.

        """
        if not (self.id.isascii() and self.id.isdigit() and len(self.id) <= _DIGITS):
            msg = f"{self!s:.80} is no cursor of this list"
            raise CursorError(msg)
        return int(self.id)

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read back what ``str`` made.

        Raises:
            CursorError: no list has given this out.

        """
        at, dot, item = text.partition(".")
        at_fits = at.isascii() and at.isdigit() and len(at) <= _DIGITS
        if not (at_fits and dot and 0 < len(item) <= _ID_LENGTH):
            msg = f"{text[:80]!r} is no cursor of this list"
            raise CursorError(msg)
        return cls(int(at), item)


def page_of(rows: Sequence[tuple[Cursor, T]], limit: int) -> Page[T]:
    """A page of at most ``limit`` from ``rows``, of which one more than that was asked for."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(tuple(item for _, item in shown), str(shown[-1][0]) if more and shown else None)
