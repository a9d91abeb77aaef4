"""The wire contract, version 1: what stations and backend may say to each other.

The AsyncAPI document and the JSON Schemas in ``docs/contract/`` are generated from these
models, so a change here is a change of the product's constitution. Every body is a JSON
object, every number finite and inside physical bounds, unknown keys are refused.
Telemetry is columnar: one array per channel, index 0 = socket 1, ``null`` = no valid sensor.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from devices.names import MAX_SOCKETS, SocketNumber
from devices.orders import Action, Intervals, Result, Trips

VERSION = 1
MAX_BODY_BYTES = 64 * 1024
"""The largest body that is looked at; a telemetry frame of 64 sockets is about 3 KiB."""

MAX_TS_MS = 2**53 - 1
EARLIEST_TS_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z, before the first unit was built
LATEST_TS_MS = 4_070_908_800_000  # 2099-01-01T00:00:00Z

Celsius = Annotated[float, Field(ge=-40, le=200, allow_inf_nan=False)]
"""Temperature in degrees Celsius."""
Amperes = Annotated[float, Field(ge=0, le=40, allow_inf_nan=False)]
"""Current in amperes, root mean square."""
Watts = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
"""Active power in watts."""
Volts = Annotated[float, Field(ge=0, le=500, allow_inf_nan=False)]
"""Mains voltage in volts, root mean square."""
Milliamperes = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
"""Residual (leakage) current in milliamperes."""
WattHours = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
"""Energy of the running session in watt-hours."""
Contact = Annotated[int, Field(ge=0, le=1)]
"""A contact: 1 = active (smoke, water, open door, closed relay), 0 = not."""

Boot = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
"""Drawn anew at each boot of the station: 8 lower-case hexadecimal digits."""
Sequence = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""One more per message the station sends, all topics together, within one boot."""
Milliseconds = Annotated[int, Field(ge=EARLIEST_TS_MS, lt=LATEST_TS_MS)]
"""UTC milliseconds since 1970, by the sender's clock."""
AnyMilliseconds = Annotated[int, Field(ge=0, le=MAX_TS_MS)]
"""UTC milliseconds of a clock that may be wrong: an alarm counts even when its clock does not."""
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""An id the sender made: unique among what it sends."""
ShortText = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]

_T = Annotated[list[Celsius | None], Field(min_length=1, max_length=MAX_SOCKETS)]
_I = Annotated[list[Amperes | None], Field(min_length=1, max_length=MAX_SOCKETS)]
_P = Annotated[list[Watts | None], Field(min_length=1, max_length=MAX_SOCKETS)]
_E = Annotated[list[WattHours | None], Field(min_length=1, max_length=MAX_SOCKETS)]
_R = Annotated[list[Contact | None], Field(min_length=1, max_length=MAX_SOCKETS)]


class Message(BaseModel):
    """What all bodies share: strict types, finite numbers, no unknown keys, immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Telemetry(Message):
    """One frame: all channels of one station at one instant."""

    boot: Boot
    seq: Sequence
    ts: Milliseconds
    ambient_c: Celsius | None
    enclosure_c: Celsius | None
    voltage_v: Volts | None
    leakage_ma: Milliamperes | None
    smoke: Contact | None
    water: Contact | None
    door: Contact | None
    relay: _R
    current_a: _I
    power_w: _P
    temp_c: _T
    energy_wh: _E

    @model_validator(mode="after")
    def _equal_lengths(self) -> Self:
        n = len(self.relay)
        if not (
            n == len(self.current_a) == len(self.power_w) == len(self.temp_c) == len(self.energy_wh)
        ):
            msg = "relay, current_a, power_w, temp_c and energy_wh must have one entry per socket"
            raise ValueError(msg)
        return self


class AlarmKind(StrEnum):
    """The alarm kinds of version 1; any other is accepted and becomes a supervisory finding."""

    SMOKE = "smoke"
    WATER = "water"
    DOOR = "door"
    TILT = "tilt"
    LEAKAGE = "leakage"
    FUSE = "fuse"
    OVER_TEMPERATURE = "over_temperature"
    OVER_CURRENT = "over_current"
    LOCAL_CUT = "local_cut"
    POWER_LOSS = "power_loss"
    SELF_TEST = "self_test"


class Alarm(Message):
    """A station's own alarm, re-sent with jitter until the receipt for ``id`` comes."""

    boot: Boot
    seq: Sequence
    ts: AnyMilliseconds
    id: Identifier
    kind: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$"),
        Field(json_schema_extra={"x-known-values": [k.value for k in AlarmKind]}),
    ]
    socket: SocketNumber | None
    active: bool
    value: Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)] | None


class Receipt(Message):
    """The backend's word that the alarm ``id`` is committed; nothing else ends its re-sending."""

    id: Identifier


class Protections(Message):
    """Which local trips and sensors are really armed, as the station finds them."""

    over_temperature: bool
    over_current: bool
    smoke_sensor: bool
    leakage_trip: bool
    relay_feedback: bool
    offline_trip: bool


class Status(Message):
    """Retained state of the connection; with ``online`` false it is also the last will."""

    online: bool
    boot: Boot
    firmware: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    hardware: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    sockets: Annotated[int, Field(ge=1, le=MAX_SOCKETS)]
    interval_s: Annotated[float, Field(ge=0.1, le=3600)]
    limits_version: Annotated[int, Field(ge=0, le=2**53 - 1)]
    protections: Protections


_SOCKET_ACTIONS = frozenset({Action.CUT})
_STATION_ACTIONS = frozenset({Action.CUT_STATION, Action.SELF_TEST})


class Command(Message):
    """An order with an end: a station refuses it after ``expires``. Never retained."""

    id: Identifier
    issued: Milliseconds
    expires: Milliseconds
    action: Annotated[Action, Field(strict=False)]
    socket: SocketNumber | None
    reason: ShortText

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.expires <= self.issued:
            msg = "expires must be after issued"
            raise ValueError(msg)
        if self.action in _SOCKET_ACTIONS and self.socket is None:
            msg = f"{self.action} needs a socket"
            raise ValueError(msg)
        if self.action in _STATION_ACTIONS and self.socket is not None:
            msg = f"{self.action} takes no socket"
            raise ValueError(msg)
        return self


class Reply(Message):
    """The station's answer to the command ``id``."""

    id: Identifier
    result: Annotated[Result, Field(strict=False)]
    detail: ShortText


class Limits(Message):
    """Retained: what the station enforces alone, and the sockets it must keep off."""

    version: Annotated[int, Field(ge=0, le=2**53 - 1)]
    trips: Trips
    intervals: Intervals
    locked: Annotated[list[SocketNumber], Field(max_length=MAX_SOCKETS)]

    @model_validator(mode="after")
    def _sorted_once(self) -> Self:
        if self.locked != sorted(set(self.locked)):
            msg = "locked must be ascending, each socket once"
            raise ValueError(msg)
        return self


Uplink = Telemetry | Alarm | Status | Reply
Downlink = Receipt | Command | Limits
Direction = Literal["up", "down"]
