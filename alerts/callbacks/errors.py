"""What can be wrong with what is said to come from a provider.

::

    CallbackError
    └── BodyError    permanent: the body as a whole is none of the provider's formats

One bad item among good ones is no error: it is told apart as ``Refused``, so that it does not
keep a receipt or a person's answer from being taken.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_DETAIL_CHARS: Final = 160


class Reason(StrEnum):
    """Why a body or an item is refused."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"  # neither the list nor the object it should be
    TOO_MANY = "too_many"
    UNKNOWN_KIND = "unknown_kind"  # an object, but none of those that are expected here
    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    BAD_VALUE = "bad_value"


class CallbackError(Exception):
    """Root of this package's errors."""


class BodyError(CallbackError):
    """The body is none of the provider's; ``detail`` is printable ASCII, for a person."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep ``detail`` harmless: escaped and cut."""
        self.reason = reason
        self.detail = _harmless(detail)
        super().__init__(f"{reason}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Refused:
    """One item that is not taken: its place in the list, from 0, and what is wrong."""

    place: int
    reason: Reason
    detail: str


def refused(place: int, reason: Reason, detail: str) -> Refused:
    """With a harmless ``detail``."""
    return Refused(place, reason, _harmless(detail))


def _harmless(detail: str) -> str:
    return detail.encode("unicode_escape").decode("ascii")[:_DETAIL_CHARS]
