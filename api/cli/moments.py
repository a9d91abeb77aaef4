"""Moments as people and scripts write them: ``now``, ``-24h``, ``+8h``, ISO 8601, UTC ms."""

from datetime import UTC, datetime, timedelta
from typing import Final

import typer

from api.cli.durations import seconds
from iot.contract import LATEST_TS_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SURELY_MS: Final = 10**11
"""Below this a number of milliseconds is before 1973-03-03: it is seconds, or a date."""


def moment(text: str, now_ms: int) -> int:
    """UTC milliseconds of ``text`` at ``now_ms``. ISO 8601 without an offset is UTC.

    Raises ``typer.BadParameter`` that says what would be understood.
    """
    given = text.strip()
    if given == "now":
        return now_ms
    if given.startswith("-"):
        return now_ms - 1000 * seconds(given[1:])
    if given.startswith("+"):
        return now_ms + 1000 * seconds(given[1:])
    if given.isascii() and given.isdigit():
        return _number(given)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        msg = (
            f"{text!r} is no moment: write now, -24h, +8h, 2026-03-01T08:00:00+08:00, 2026-03-01 "
            "(UTC) or UTC milliseconds"
        )
        raise typer.BadParameter(msg) from None
    return max((_utc(at) - _EPOCH) // _MILLISECOND, 0)


def shown(at_ms: int) -> str:
    """``at_ms`` as ISO 8601 in UTC, whole seconds."""
    at = _EPOCH + at_ms * _MILLISECOND
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _number(digits: str) -> int:
    at_ms = int(digits[:20])
    if at_ms and not _SURELY_MS <= at_ms < LATEST_TS_MS:
        msg = f"{digits[:20]} is no UTC time in milliseconds (seconds times 1000)"
        raise typer.BadParameter(msg)
    return at_ms


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
