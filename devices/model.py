"""A site as people describe it: areas, stations on a plan, and the cameras that see them.

The model is what the site file holds and what the registry stores. It refuses unknown keys
and checks what one field alone cannot show: that ids are unique and that names used
elsewhere exist.
"""

import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from devices.names import MAX_SOCKETS, AreaId, CameraId, SiteId, StationId
from devices.orders import Intervals, Trips

MAX_STATIONS = 10_000
"""More stations than any one compound has; a city is many sites."""

Metres = Annotated[float, Field(ge=0, le=5_000, allow_inf_nan=False)]
"""Distance on the plan, in metres from its lower left corner."""
Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$"),
]


def _snapshot_url(text: str) -> str:
    """An address that can be fetched; what is wrong with it, without repeating it."""
    try:
        url = urlsplit(text)
        whole = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        url, whole = SplitResult("", "", "", "", ""), False
    if not whole or url.fragment:
        msg = "must be an address such as http://192.0.2.7/snapshot.jpg"
        raise ValueError(msg)
    if "@" in url.netloc:
        msg = "must not hold a user or password: those are settings (CHARGEWARD_CAMERAS__...)"
        raise ValueError(msg)
    return text


SnapshotUrl = Annotated[
    str,
    StringConstraints(max_length=300, pattern=r"^[!-~]+$"),
    AfterValidator(_snapshot_url),
]
"""Where a camera gives one still (JPEG or PNG) by HTTP GET."""
RuleId = Annotated[str, StringConstraints(pattern=r"^R\d{2}$")]
_S = TypeVar("_S", bound=BaseModel)
_Scalar = bool | int | float | str
RuleOverrides = dict[RuleId, dict[str, _Scalar | list[_Scalar] | dict[str, _Scalar]]]
"""Rule id -> settings that differ from the catalogue's; the rules room checks names and values."""


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Name(_Section):
    """What people call it, in both languages of the panel."""

    zh: Label
    en: Label


class Position(_Section):
    """A place on the plan: metres east and north of its lower left corner."""

    x: Metres
    y: Metres


class Plan(_Section):
    """The size of the drawn plan in metres."""

    width: Annotated[float, Field(gt=0, le=5_000)]
    height: Annotated[float, Field(gt=0, le=5_000)]


class Area(_Section):
    """A patrol area of the site."""

    id: AreaId
    name: Name


class Camera(_Section):
    """A camera that sees at least one station."""

    id: CameraId
    name: Name
    area: AreaId
    position: Position
    snapshot_url: SnapshotUrl | None = None
    """Where it gives a still, for the evidence of an incident; None = it gives none."""


class Station(_Section):
    """One charging point with its sockets and box sensors."""

    id: StationId
    name: Name
    area: AreaId
    grid: Annotated[int, Field(ge=1, le=1_000)]
    """The cell of the patrol grid it stands in, from 1."""
    position: Position
    sockets: Annotated[int, Field(ge=1, le=MAX_SOCKETS)]
    feeder_limit_w: Annotated[float, Field(ge=100, le=100_000, allow_inf_nan=False)]
    """What the feeder line of the whole station may carry, in watts."""
    cameras: Annotated[tuple[CameraId, ...], Field(max_length=16, strict=False)] = ()
    """The cameras that see it."""
    trips: Trips | None = None
    """Only what differs from the site's local trip limits."""
    intervals: Intervals | None = None
    """Only what differs from the site's reporting intervals."""
    rules: RuleOverrides = Field(default_factory=dict)
    """Only what differs from the site's rule settings."""


class Site(_Section):
    """A compound: one registry entry, one plan, one set of defaults for its stations."""

    id: SiteId
    name: Name
    timezone: str = "Asia/Shanghai"
    plan: Plan
    grids: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Into how many patrol grid cells the areas are split."""
    camera_total: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Cameras that exist on the site; ``cameras`` registers only those that see a station."""
    trips: Trips = Field(default_factory=Trips)
    intervals: Intervals = Field(default_factory=Intervals)
    rules: RuleOverrides = Field(default_factory=dict)
    areas: Annotated[tuple[Area, ...], Field(min_length=1, max_length=500, strict=False)]
    stations: Annotated[
        tuple[Station, ...], Field(min_length=1, max_length=MAX_STATIONS, strict=False)
    ]
    cameras: Annotated[tuple[Camera, ...], Field(max_length=10_000, strict=False)] = ()

    def station(self, station: str) -> Station | None:
        """The station of that id, or None."""
        return next((s for s in self.stations if s.id == station), None)

    def trips_of(self, station: Station) -> Trips:
        """The local trip limits in force at the station: the site's, then its own."""
        return _merged(self.trips, station.trips)

    def intervals_of(self, station: Station) -> Intervals:
        """The reporting intervals in force at the station: the site's, then its own."""
        return _merged(self.intervals, station.intervals)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            msg = f"{value!r} is no IANA time zone such as Asia/Shanghai"
            raise ValueError(msg) from None
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        problems = [*self._doubled(), *self._unknown(), *self._misplaced(), *self._grid_problems()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _doubled(self) -> Iterator[str]:
        for field, ids in (
            ("areas", [a.id for a in self.areas]),
            ("stations", [s.id for s in self.stations]),
            ("cameras", [c.id for c in self.cameras]),
        ):
            yield from (f"{field}: id {i!r} is used {n} times" for i, n in _repeated(ids))
        for index, station in enumerate(self.stations):
            for camera, n in _repeated(station.cameras):
                yield f"stations[{index}].cameras: {camera!r} is listed {n} times"

    def _unknown(self) -> Iterator[str]:
        areas = {a.id for a in self.areas}
        cameras = {c.id for c in self.cameras}
        known = ", ".join(sorted(areas))
        for index, station in enumerate(self.stations):
            if station.area not in areas:
                yield f"stations[{index}].area: {station.area!r} is none of {known}"
            for camera in station.cameras:
                if camera not in cameras:
                    yield f"stations[{index}].cameras: {camera!r} is not in [[cameras]]"
        linked = {c for s in self.stations for c in s.cameras}
        for index, seen in enumerate(self.cameras):
            if seen.area not in areas:
                yield f"cameras[{index}].area: {seen.area!r} is none of {known}"
            if seen.id not in linked:
                yield f"cameras[{index}].id: {seen.id!r} sees no station; link it or leave it out"
        if len(self.cameras) > self.camera_total:
            yield (
                f"camera_total: must be at least {len(self.cameras)}, the cameras listed here; "
                f"found {self.camera_total}"
            )

    def _misplaced(self) -> Iterator[str]:
        places = [(f"stations[{i}]", s.position) for i, s in enumerate(self.stations)]
        places += [(f"cameras[{i}]", c.position) for i, c in enumerate(self.cameras)]
        for field, at in places:
            if at.x > self.plan.width:
                yield f"{field}.position.x: must be 0 to {self.plan.width}, is {at.x}"
            if at.y > self.plan.height:
                yield f"{field}.position.y: must be 0 to {self.plan.height}, is {at.y}"

    def _grid_problems(self) -> Iterator[str]:
        owner: dict[int, str] = {}
        for index, station in enumerate(self.stations):
            if station.grid > self.grids:
                yield f"stations[{index}].grid: must be 1 to {self.grids}, is {station.grid}"
            if owner.setdefault(station.grid, station.area) != station.area:
                yield (
                    f"stations[{index}].grid: {station.grid} belongs to area "
                    f"{owner[station.grid]!r}, not {station.area!r}"
                )


def _repeated(ids: Iterable[str]) -> list[tuple[str, int]]:
    return [(i, n) for i, n in Counter(ids).items() if n > 1]


def _merged(base: _S, own: _S | None) -> _S:
    return base if own is None else base.model_copy(update=own.model_dump(exclude_unset=True))
