"""What detection takes in and gives out: facts, findings and their transitions."""

from dataclasses import dataclass, field
from enum import StrEnum

Evidence = dict[str, float | int | str | bool | None]
"""Named values with their unit in the name (``temp_c``, ``threshold_c``, ``since_ms``)."""


class Family(StrEnum):
    """What a finding means for people: danger; a protection is off; we are blind or broken."""

    ALARM = "alarm"
    SUPERVISORY = "supervisory"
    TROUBLE = "trouble"


class Severity(StrEnum):
    """How bad, in ascending order."""

    INFO = "info"
    WARN = "warn"
    MAJOR = "major"
    CRITICAL = "critical"


class Act(StrEnum):
    """What a finding asks of the station. Power-on does not exist."""

    NONE = "none"
    BLOCK_START = "block_start"
    CUT_SOCKET = "cut_socket"
    CUT_STATION = "cut_station"


class Change(StrEnum):
    """What happened to a finding."""

    RAISED = "raised"
    UPDATED = "updated"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class FindingKey:
    """Identity of one episode: the same inputs give the same key, so replays are harmless."""

    station: str
    socket: int | None  # from 1; None = the station itself
    rule: str  # "R02"
    tier: str  # "sustained", "pre", "fire", ...; "main" where a rule has one tier
    episode_ms: int  # event time at which the condition began, UTC ms


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule true on one subject, with the reason and the evidence for it."""

    key: FindingKey
    family: Family
    severity: Severity
    reason: str  # a member of rules.reasons.Reason
    act: Act
    latched: bool  # only a person clears it; its cut is a lockout
    fire: bool  # a fire alarm: release needs two different people
    shadow: bool  # evaluated and recorded, never acts
    raised_ms: int  # event time at which it was raised, UTC ms
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transition:
    """A finding was raised, updated or cleared at ``at_ms`` (event time, UTC ms)."""

    change: Change
    finding: Finding
    at_ms: int


@dataclass(frozen=True, slots=True)
class AlarmFact:
    """A station raised or ended an alarm of its own (``iot.contract.Alarm``)."""

    station: str
    socket: int | None
    kind: str
    active: bool
    alarm_id: str
    value: float | None
    event_ms: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class CutFailedFact:
    """A cut could not be proven: measured power stayed, or nobody answered."""

    station: str
    socket: int | None
    ordered_ms: int
    at_ms: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class LinkFact:
    """The station said it is online, or the broker published its last will."""

    station: str
    online: bool
    received_ms: int


@dataclass(frozen=True, slots=True)
class RefusedFact:
    """``in_row`` frames of the station were refused with no good one between."""

    station: str
    in_row: int
    reason: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class LockFact:
    """Sockets of the station that may not have power now (complete list, from 1)."""

    station: str
    locked: tuple[int, ...]
    at_ms: int


@dataclass(frozen=True, slots=True)
class ReleaseFact:
    """A person released the subject: latched findings on it may clear."""

    station: str
    socket: int | None
    at_ms: int


Fact = AlarmFact | CutFailedFact | LinkFact | RefusedFact | LockFact | ReleaseFact
