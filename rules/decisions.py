"""What one turn leaves behind: the words between the runner, the committer and SQL."""

from dataclasses import dataclass, field
from typing import Protocol

from devices.command_model import CommandRecord, Send
from devices.limits import Desired
from devices.lockouts import Lockout
from devices.orders import Intervals, Trips
from devices.twin import ReportedStatus
from iot.contract import Alarm
from iot.segments import Entry
from rules.model import Transition


@dataclass(frozen=True, slots=True)
class Charge:
    """What the runner must know of a registered station."""

    sockets: int
    trips: Trips
    intervals: Intervals


@dataclass(frozen=True, slots=True)
class ReceivedAlarm:
    """A station's alarm as it is written down."""

    station: str
    alarm: Alarm
    event_ms: int
    received_ms: int


@dataclass(slots=True)
class Record:
    """What one turn decided that people act on; committed in one SQL transaction."""

    at_ms: int
    transitions: list[Transition] = field(default_factory=list)
    alarms: list[ReceivedAlarm] = field(default_factory=list)
    commands: list[CommandRecord] = field(default_factory=list)
    lockouts: list[Lockout] = field(default_factory=list)
    limits: list[Desired] = field(default_factory=list)
    statuses: list[tuple[str, ReportedStatus]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return any(
            (
                self.transitions,
                self.alarms,
                self.commands,
                self.lockouts,
                self.limits,
                self.statuses,
            )
        )


@dataclass(slots=True)
class Decision:
    """What a turn leaves to be done: journal entries in order, the record, receipts after it."""

    record: Record
    entries: list[Entry] = field(default_factory=list)
    receipts: list[tuple[str, str]] = field(default_factory=list)  # station, alarm id


class Observer(Protocol):
    """Who is told what happened, for metrics and the live stream; must not raise or wait."""

    def transition(self, transition: Transition) -> None:
        """A finding was raised, updated or cleared."""

    def command(self, record: CommandRecord) -> None:
        """An order took another state."""

    def cut(self, send: Send, reaction_s: float | None) -> None:
        """A cut was published, ``reaction_s`` seconds after its frame arrived."""

    def lockouts(self, station: str) -> None:
        """Lockouts of the station changed."""

    def station(self, station: str) -> None:
        """Anything of the station changed."""
