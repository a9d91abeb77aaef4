"""The shapes the API answers with. What stands here is the JSON, field by field.

Frozen dataclasses: orjson writes them directly, and the OpenAPI document is generated from
them. NaN never appears: a number that is not known is ``null``. Times are integer UTC
milliseconds; sockets count from 1; ``socket: null`` means the station itself.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from api.health import Lane, Reason
from api.http import kept
from devices.limits import Desired
from devices.lockouts import Lockout
from devices.model import Area, Name, Plan, Position
from devices.twin import ReportedStatus
from rules.model import Family, Severity

Ms = Annotated[int, Field(description="UTC milliseconds since 1970")]
Celsius = Annotated[float | None, Field(description="degrees Celsius; null = no valid sensor")]
Amperes = Annotated[float | None, Field(description="amperes (rms); null = no valid sensor")]
Watts = Annotated[float | None, Field(description="watts; null = no valid sensor")]
Volts = Annotated[float | None, Field(description="volts (rms); null = no valid sensor")]
Milliamperes = Annotated[float | None, Field(description="milliamperes; null = no valid sensor")]
WattHours = Annotated[float | None, Field(description="watt-hours of the session")]
Kelvin = Annotated[float | None, Field(description="kelvin; null = not enough valid samples")]
Contact = Annotated[bool | None, Field(description="true = active; null = no valid sensor")]
Socket = Annotated[int | None, Field(description="from 1; null = the station itself")]
Truth = Annotated[
    dict[str, str],
    Field(
        description="per channel: valid, stale, absent, stuck, saturated, sentinel or implausible"
    ),
]


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that sees at least one station."""

    id: str
    name: Name
    area: str
    position: Position


@dataclass(frozen=True, slots=True)
class Site:
    """A compound and how it is now."""

    id: str
    name: Name
    timezone: str
    plan: Plan
    areas: tuple[Area, ...]
    cameras: tuple[Camera, ...]
    camera_total: Annotated[int, Field(description="cameras that exist; registered are fewer")]
    stations: int
    stations_online: int
    sockets: int
    sockets_locked: int
    open_findings: int
    worst: Severity | None


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst open finding on a subject."""

    severity: Severity
    family: Family
    rule: str
    socket: Socket


@dataclass(frozen=True, slots=True)
class SocketSummary:
    """One socket as the list of stations shows it."""

    number: int
    relay: Contact
    current_a: Amperes
    power_w: Watts
    temp_c: Celsius
    phase: Annotated[str, Field(description="phase of the charge session; idle when none runs")]
    locked: bool
    worst: Severity | None


@dataclass(frozen=True, slots=True)
class StationSummary:
    """One station as the list shows it: enough to draw the site plan."""

    id: str
    name: Name
    site: str
    area: str
    position: Position
    online: bool
    since_ms: Annotated[
        int | None, Field(description="UTC ms at which it came online or went offline")
    ]
    last_seen_ms: Annotated[int | None, Field(description="UTC ms of its last message")]
    ambient_c: Celsius
    enclosure_c: Celsius
    smoke: Contact
    open_findings: int
    worst: Worst | None
    locked: Annotated[bool, Field(description="whether the whole station is locked out")]
    sockets: tuple[SocketSummary, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """The running or the last charge session of a socket, told from current and power alone."""

    phase: str
    running: bool
    since_ms: Ms
    elapsed_s: Annotated[float | None, Field(description="seconds; null when it has ended")]
    peak_w: Watts
    min_since_peak_w: Watts
    energy_wh: WattHours
    slope_w_per_h: Annotated[float | None, Field(description="change of power, watts per hour")]


@dataclass(frozen=True, slots=True)
class SocketDetail:
    """Everything known about one socket now."""

    station: str
    number: int
    relay: Contact
    current_a: Amperes
    power_w: Watts
    temp_c: Celsius
    rise_k_60s: Kelvin
    rise_k_120s: Kelvin
    truth: Truth
    session: Session | None
    lockouts: tuple[Lockout, ...]
    findings: tuple[kept.Finding, ...]


@dataclass(frozen=True, slots=True)
class StationDetail:
    """Everything known about one station now."""

    id: str
    name: Name
    site: str
    area: str
    position: Position
    feeder_limit_w: Annotated[float | None, Field(description="what its feeder may carry, watts")]
    cameras: tuple[str, ...]
    online: bool
    since_ms: Annotated[int | None, Field(description="UTC ms of the last change of online")]
    last_seen_ms: Annotated[int | None, Field(description="UTC ms of its last message")]
    ambient_c: Celsius
    enclosure_c: Celsius
    voltage_v: Volts
    leakage_ma: Milliamperes
    smoke: Contact
    water: Contact
    door: Contact
    truth: Truth
    reported: ReportedStatus | None
    desired: Desired | None
    limits_in_force: Annotated[
        bool | None, Field(description="whether it confirmed the desired version")
    ]
    sockets: tuple[SocketDetail, ...]
    findings: tuple[kept.Finding, ...]
    lockouts: tuple[Lockout, ...]


@dataclass(frozen=True, slots=True)
class Sites:
    """All sites, by id."""

    items: tuple[Site, ...]


@dataclass(frozen=True, slots=True)
class Stations:
    """A page of stations, by id."""

    items: tuple[StationSummary, ...]
    next: Annotated[str | None, Field(description="cursor of the next page; null on the last")]
    now_ms: Annotated[int, Field(description="our clock, to tell ages from; UTC milliseconds")]


@dataclass(frozen=True, slots=True)
class Sockets:
    """All sockets of one station."""

    items: tuple[SocketDetail, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    """The process answers."""

    alive: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """Whether the backend does its work, and what is wrong when it does not."""

    ready: bool
    reasons: tuple[Reason, ...]
    lanes: Annotated[tuple[Lane, ...], Field(description="age of the last processed message")]
    drain_frames: Annotated[int, Field(description="frames that wait for the telemetry store")]
    drain_age_ms: Annotated[int, Field(description="age of the oldest of them")]
