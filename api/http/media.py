"""Which of several media types a caller wants, by ``Accept`` (RFC 9110, 12.5.1)."""

from collections.abc import Sequence
from typing import Final

_MAX_RANGES: Final = 32
"""Media ranges that are looked at; browsers send about 8."""


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """The most wanted of ``offered``; the first of equals, and where nothing fits."""
    weights = dict(_range(entry) for entry in (accept or "*/*").split(",")[:_MAX_RANGES])
    return max(offered, key=lambda media: _weight(media, weights))


def _weight(media: str, weights: dict[str, float]) -> float:
    """The most specific range speaks for it."""
    for named in (media, f"{media.partition('/')[0]}/*", "*/*"):
        if named in weights:
            return weights[named]
    return 0.0


def _range(entry: str) -> tuple[str, float]:
    media, *parameters = (part.strip().lower() for part in entry.split(";"))
    said = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
    try:
        weight = float(said)
    except ValueError:
        return media, 0.0
    return media, weight if 0 <= weight <= 1 else 0.0
