"""The days a report is about, as calendars of the site count them."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alerts.oncall.wallclock import instant

FORM: Final = r"\d{4}-\d{2}(?:-\d{2})?"
"""How a period is written: ``2026-11-25`` or ``2026-11``."""


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day to the last, both included."""

    first: date
    last: date

    @property
    def monthly(self) -> bool:
        """Whether it is a month rather than a day."""
        return self.first != self.last

    @property
    def label(self) -> str:
        """As it is written."""
        return self.first.isoformat()[:7] if self.monthly else self.first.isoformat()

    def bounds(self, zone: ZoneInfo) -> tuple[int, int]:
        """UTC ms of its beginning (included) and end (excluded) by the clocks of ``zone``."""
        after = self.last + timedelta(days=1)
        return instant(self.first, "00:00", zone), instant(after, "00:00", zone)

    def days(self) -> tuple[date, ...]:
        """Its days, in order."""
        return tuple(
            self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)
        )


def parse_period(text: str) -> Period:
    """The period that ``text`` names.

    Raises:
        ValueError: it is no day (2026-11-25) and no month (2026-11) from 2000 to 2999.

    """
    if re.fullmatch(FORM, text, re.ASCII) is None or not text.startswith("2"):
        msg = f"{text[:20]!r} is no period: write a day (2026-11-25) or a month (2026-11)"
        raise ValueError(msg)
    if len(text) == len("2026-11"):
        first = date.fromisoformat(f"{text}-01")
        return Period(first, first.replace(day=monthrange(first.year, first.month)[1]))
    day = date.fromisoformat(text)
    return Period(day, day)
