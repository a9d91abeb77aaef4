"""When drills are held. Pure: plans and an instant go in, instants come out."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.oncall.model import ClockTime
from alerts.oncall.wallclock import instant, local
from devices.names import AreaId, SiteId

_ONE_DAY: Final = timedelta(days=1)


class DrillPlan(BaseModel):
    """A drill that comes again, every week or every month, by the site's clocks."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    site: SiteId
    area: AreaId | None = None
    """Only those of this area are told; None = of the whole site."""
    time: ClockTime
    weekday: Annotated[int, Field(ge=1, le=7)] | None = None
    """1 = Monday (ISO 8601)."""
    day: Annotated[int, Field(ge=1, le=28)] | None = None
    """Of the month; no later than 28, so that every month has it."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.weekday is None) == (self.day is None):
            msg = "a drill needs either weekday (1 to 7) or day (1 to 28)"
            raise ValueError(msg)
        return self


class DrillsSettings(BaseModel):
    """``CHARGEWARD_DRILLS__PLANS='[{"site": "...", "day": 5, "time": "10:00"}]'``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plans: Annotated[tuple[DrillPlan, ...], Field(max_length=1_000)] = ()


def times(plan: DrillPlan, zone: ZoneInfo, from_ms: int, until_ms: int) -> Iterator[int]:
    """When the drill is held from ``from_ms`` (included) until ``until_ms`` (excluded), UTC ms."""
    day, last = local(from_ms, zone).date(), local(until_ms, zone).date()
    while day <= last:
        if plan.weekday == day.isoweekday() or plan.day == day.day:
            at_ms = instant(day, plan.time, zone)
            if from_ms <= at_ms < until_ms:
                yield at_ms
        day += _ONE_DAY
