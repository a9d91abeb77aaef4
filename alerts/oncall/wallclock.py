"""Days and clock times of a site as instants, also where summer time begins or ends."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from alerts.oncall.model import Hours

ONE_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_SECOND: Final = timedelta(seconds=1)


@lru_cache(maxsize=32_768)
def instant(day: date, clock: str, zone: ZoneInfo) -> int:
    """The first UTC ms at which clocks of ``zone`` have reached ``clock`` on ``day``.

    Where the hour comes twice it is the first time, where it is skipped the moment of the
    jump; so a later clock time is never an earlier instant.
    """
    wall = datetime.combine(day, time.fromisoformat(clock), zone)
    at = wall.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
        at = _jump(wall.replace(fold=1).astimezone(UTC), at, zone)
    return (at - _EPOCH) // _MS


def local(at_ms: int, zone: ZoneInfo) -> datetime:
    """What clocks of ``zone`` show at ``at_ms``."""
    return (_EPOCH + at_ms * _MS).astimezone(zone)


def spans(hours: Sequence[Hours], day: date, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """The parts of time, UTC ms, first included and last not, that begin on ``day``."""
    for part in hours:
        last_day = day if part.end > part.start else day + ONE_DAY
        start_ms, end_ms = instant(day, part.start, zone), instant(last_day, part.end, zone)
        if start_ms < end_ms:
            yield start_ms, end_ms


def days(from_ms: int, until_ms: int, zone: ZoneInfo) -> Iterator[date]:
    """All days whose spans or handovers can matter between the two instants."""
    day = local(from_ms, zone).date() - 2 * ONE_DAY
    last = local(until_ms, zone).date() + ONE_DAY
    while day <= last:
        yield day
        day += ONE_DAY


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second, in UTC, at which the clocks jump forward between the two."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // (2 * _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
