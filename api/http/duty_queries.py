"""What callers may send about people and rosters. All bounded, none unknown."""

from typing import Annotated, Final

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request

from alerts.oncall.model import Day, PersonId
from api.errors import BadQueryError, Why
from api.http.queries import DAY_MS, MAX_RANGE_DAYS, Flag, Id, Instant, whole
from devices.model import Label
from iot.contract import EARLIEST_TS_MS, LATEST_TS_MS

AHEAD_DAYS: Final = 14
"""How far shifts and gaps are shown when nobody says how far."""
KEY: Final = "key"

RosterId = PersonId
PathDay = Day
Moment = Annotated[
    int, Field(ge=EARLIEST_TS_MS, lt=LATEST_TS_MS, description="UTC ms"), BeforeValidator(whole)
]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PeopleQuery(_Sent):
    """Whose people; ``contacts`` shows numbers and addresses whole, and needs a credential."""

    site: Id
    contacts: Flag = False


class RostersQuery(_Sent):
    """Whose rosters."""

    site: Id


class DutyQuery(_Sent):
    """Where and when; without ``at`` now."""

    area: Id | None = None
    at: Instant | None = Field(None, description="UTC ms")


class SpanQuery(_Sent):
    """From when until when; without them the next 14 days."""

    start: Instant | None = Field(None, description="UTC ms, included; default: now")
    end: Instant | None = Field(None, description="UTC ms, excluded; default: 14 days later")

    def span(self, now_ms: int) -> tuple[int, int]:
        """From and until, UTC ms. Raises BadQueryError."""
        start_ms = now_ms if self.start is None else self.start
        end_ms = start_ms + AHEAD_DAYS * DAY_MS if self.end is None else self.end
        if start_ms >= end_ms:
            raise BadQueryError(field="start", why=Why.START_AFTER_END)
        if end_ms - start_ms > MAX_RANGE_DAYS * DAY_MS:
            raise BadQueryError(field="start", why=Why.RANGE_TOO_LONG, days=MAX_RANGE_DAYS)
        return start_ms, end_ms


class NewOverride(_Sent):
    """Somebody of the site is on duty for a time, whatever the roster says."""

    model_config = ConfigDict(strict=True)

    person: PersonId
    from_ms: Moment
    until_ms: Moment


class HolidayName(_Sent):
    """What the holiday is called."""

    model_config = ConfigDict(strict=True)

    name: Label


async def only_key(request: Request) -> None:
    """For calendars: any parameter but the key is unknown."""
    names = [name for name in request.query_params if name != KEY]
    if names:
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("query", name), "input": ""} for name in names]
        )
