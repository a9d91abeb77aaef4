"""The shapes of what is kept: findings, commands, alarms, refused messages, telemetry.

Like ``api.http.views``, which shows what is now: what stands here is the JSON, field by field.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, GetPydanticSchema
from pydantic_core.core_schema import float_schema, int_schema, list_schema

from alerts.findings import StoredTransition
from devices.command_model import Failure, Origin, State
from devices.lockouts import Lockout
from devices.orders import Action, Result
from iot.frames import Int64
from iot.store import Float64
from rules.model import Act, Evidence, Family, Severity

Ms = Annotated[int, Field(description="UTC milliseconds since 1970")]
Socket = Annotated[int | None, Field(description="from 1; null = the station itself")]
Integers = GetPydanticSchema(lambda _type, _next: list_schema(int_schema()))
Numbers = GetPydanticSchema(lambda _type, _next: list_schema(float_schema()))


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule true on one subject, with the reason and the evidence for it."""

    id: Annotated[int | None, Field(description="number of its record; null in live views")]
    station: str
    socket: Socket
    rule: str
    tier: str
    family: Family
    severity: Severity
    reason: str
    act: Act
    latched: Annotated[bool, Field(description="only a person clears it")]
    fire: Annotated[bool, Field(description="release needs two different people")]
    shadow: Annotated[bool, Field(description="recorded, but never acts")]
    open: bool
    since_ms: Annotated[int, Field(description="UTC ms at which the condition began")]
    raised_ms: Ms
    updated_ms: Annotated[int, Field(description="UTC ms of the newest evidence")]
    cleared_ms: Annotated[int | None, Field(description="UTC ms; null while open")]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class FindingDetail:
    """A finding and the steps of its life, in the order in which they happened."""

    finding: Finding
    history: tuple[StoredTransition, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """An order to a station and what became of it. Only ``proven`` means that power is off."""

    id: str
    station: str
    socket: Socket
    action: Action
    reason: str
    origin: Origin
    rule: Annotated[str | None, Field(description="the rule that ordered it")]
    by: Annotated[str | None, Field(description="the person who ordered it")]
    parent: Annotated[str | None, Field(description="the failed cut that this one escalates")]
    state: State
    lock: Annotated[bool, Field(description="whether it latches a lockout")]
    issued_ms: Ms
    expires_ms: Ms
    sends: Annotated[int, Field(description="how often it was sent; at most 3")]
    reply: Annotated[Result | None, Field(description="the station's claim, not a proof")]
    reply_detail: str
    replied_ms: Annotated[int | None, Field(description="UTC milliseconds")]
    reaction_ms: Annotated[
        int | None, Field(description="from the frame that caused it to its first sending")
    ]
    proven_ms: Annotated[int | None, Field(description="UTC ms of the measurement")]
    proof_w: Annotated[float | None, Field(description="watts measured then")]
    relay_open: bool | None
    others_unaffected: bool | None
    failure: Failure | None
    ended_ms: Annotated[int | None, Field(description="UTC milliseconds")]


@dataclass(frozen=True, slots=True)
class Ordered:
    """What an order led to: a command, or for a release what became of the lockouts."""

    outcome: Annotated[str, Field(description="ordered, released or needs_second_person")]
    command: Command | None
    lockouts: Annotated[tuple[Lockout, ...], Field(description="that still stand on the subject")]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A station's own alarm."""

    id: Annotated[str, Field(description="given by the station, unique within one boot")]
    boot: str
    station: str
    socket: Socket
    kind: str
    active: bool
    value: float | None
    ts_ms: Annotated[int, Field(description="UTC ms by the station's clock, which may be wrong")]
    received_ms: Annotated[int, Field(description="UTC ms by our clock")]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that was refused and put into quarantine."""

    received_ms: Ms
    topic: str
    reason: str
    detail: str
    retained: bool
    size: Annotated[int, Field(description="bytes of the whole body")]
    preview: Annotated[str, Field(description="the first 200 bytes, as text with escapes")]


@dataclass(frozen=True, slots=True)
class TelemetryRange:
    """One channel over time: one entry per window that has frames, arrays of equal length."""

    station: str
    socket: Socket
    channel: str
    start_ms: Ms
    end_ms: Ms
    window_ms: Annotated[int, Field(description="length of one window, milliseconds")]
    at_ms: Annotated[Int64, Integers, Field(description="start of each window, UTC ms")]
    min: Annotated[Float64, Numbers]
    max: Annotated[Float64, Numbers]
    mean: Annotated[Float64, Numbers]
    samples: Annotated[Int64, Integers, Field(description="valid frames in each window")]


@dataclass(frozen=True, slots=True)
class Findings:
    """A page of findings, newest first."""

    items: tuple[Finding, ...]
    next: Annotated[str | None, Field(description="cursor of the next page; null on the last")]


@dataclass(frozen=True, slots=True)
class Commands:
    """A page of commands, newest first."""

    items: tuple[Command, ...]
    next: Annotated[str | None, Field(description="cursor of the next page; null on the last")]


@dataclass(frozen=True, slots=True)
class Alarms:
    """A page of the stations' own alarms, newest first."""

    items: tuple[Alarm, ...]
    next: Annotated[str | None, Field(description="cursor of the next page; null on the last")]


@dataclass(frozen=True, slots=True)
class Refusals:
    """The newest refused messages, newest first."""

    items: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Lockouts:
    """The lockouts in force, oldest first."""

    items: tuple[Lockout, ...]
