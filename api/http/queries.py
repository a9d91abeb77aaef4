"""What callers may send: query parameters and the body of an order. All bounded, none unknown."""

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from starlette.exceptions import HTTPException
from starlette.requests import Request

from devices.command_model import State
from devices.names import MAX_SOCKETS, STATION_PATTERN, SocketNumber, StationId
from iot.contract import EARLIEST_TS_MS, LATEST_TS_MS
from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS
from rules.model import Family, Severity

MAX_PAGE: Final = 200
MAX_STATIONS_PAGE: Final = 1_000
MAX_POINTS: Final = 2_000
MAX_RANGE_DAYS: Final = 92
DAY_MS: Final = 86_400_000


def _digits(value: Any) -> Any:
    """Only plain digits are a whole number here: not ``1.0``, ``1_0``, ``+1`` nor `` 1``."""
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        msg = "not a whole number"
        raise ValueError(msg)
    return value


def whole(value: Any) -> Any:
    """``5.0`` is the whole number 5 to JSON Schema, so it is here; ``"5"`` and ``true`` are not."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _truth(value: Any) -> Any:
    """Only ``true`` and ``false``, as the JSON schema says."""
    if isinstance(value, str) and value not in {"true", "false"}:
        msg = "neither true nor false"
        raise ValueError(msg)
    return value


Id = Annotated[str, StringConstraints(pattern=STATION_PATTERN)]
RecordId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:~-]{0,127}$")]
Number = Annotated[int, Field(ge=1, lt=2**53), BeforeValidator(_digits)]
PathSocket = Annotated[int, Field(ge=1, le=MAX_SOCKETS), BeforeValidator(_digits)]
Instant = Annotated[int, Field(ge=EARLIEST_TS_MS, lt=LATEST_TS_MS), BeforeValidator(_digits)]
"""UTC milliseconds."""
Flag = Annotated[bool, BeforeValidator(_truth)]
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE), BeforeValidator(_digits)]
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_=.:~-]{1,400}$")]
SocketFilter = Annotated[int, Field(ge=1, le=MAX_SOCKETS), BeforeValidator(_digits)]


async def no_query(request: Request) -> None:
    """For routes without parameters: any parameter is unknown."""
    if request.query_params:
        names = list(request.query_params)
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("query", name), "input": ""} for name in names]
        )


async def json_only(request: Request) -> None:
    """For routes with a body: any other media type is refused before it is looked at."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(_Query):
    """Which part of a list."""

    cursor: Cursor | None = Field(None, description="``next`` of the page before")
    limit: Limit = Field(50, description="rows per page")


class StationsQuery(_Query):
    """Which stations."""

    site: Id | None = None
    area: Id | None = None
    online: Flag | None = None
    cursor: Cursor | None = Field(None, description="``next`` of the page before")
    limit: Annotated[int, Field(ge=1, le=MAX_STATIONS_PAGE), BeforeValidator(_digits)] = 200


class TelemetryQuery(_Query):
    """Which channel over which time; without ``start`` and ``end`` the last 24 hours."""

    channel: Literal[*STATION_CHANNELS, *SOCKET_CHANNELS]  # type: ignore[valid-type]  # mypy cannot unpack into Literal
    socket: SocketFilter | None = Field(None, description="needed for a socket's channel")
    start: Instant | None = Field(None, description="UTC ms, included")
    end: Instant | None = Field(None, description="UTC ms, excluded")
    points: Annotated[int, Field(ge=1, le=MAX_POINTS), BeforeValidator(_digits)] = Field(
        300, description="about how many windows to divide the range into"
    )


class FindingsQuery(PageQuery):
    """Which findings."""

    site: Id | None = None
    station: Id | None = None
    socket: SocketFilter | None = None
    rule: Annotated[str, StringConstraints(pattern=r"^R\d{2}$")] | None = None
    family: Family | None = None
    severity: Severity | None = None
    open: Flag | None = None
    since: Instant | None = Field(None, description="raised at or after, UTC ms")
    until: Instant | None = Field(None, description="raised before, UTC ms")


class CommandsQuery(PageQuery):
    """Which commands."""

    station: Id | None = None
    socket: SocketFilter | None = None
    state: State | None = None


class AlarmsQuery(PageQuery):
    """Which of the stations' own alarms."""

    station: Id | None = None
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None
    active: Flag | None = None


class LockoutsQuery(_Query):
    """Which lockouts in force."""

    station: Id | None = None


class QuarantineQuery(_Query):
    """How many of the newest refused messages."""

    limit: Limit = 50


Reason = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
    ),
    Field(description="why; goes into the record"),
]


BodySocket = Annotated[SocketNumber, BeforeValidator(whole)]


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    station: StationId


class Cut(_Order):
    """Cut one socket. Always allowed."""

    action: Literal["cut"]
    socket: BodySocket
    reason: Reason


class CutStation(_Order):
    """Cut all sockets of a station. Always allowed."""

    action: Literal["cut_station"]
    reason: Reason


class Release(_Order):
    """Release a lockout; without ``socket`` that of the station. Never switches power on."""

    action: Literal["release"]
    socket: BodySocket | None = None
    reason: Reason


class Identify(_Order):
    """Let a station (or socket) show where it is."""

    action: Literal["identify"]
    socket: BodySocket | None = None
    reason: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


Order = Annotated[Cut | CutStation | Release | Identify, Field(discriminator="action")]
