"""What a simulated fleet is made of, sends, and tells about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from iot.topics import Channel


@dataclass(frozen=True, slots=True)
class StationPlan:
    """One station to simulate: its id on the wire and how many sockets it has."""

    station: str
    sockets: int


class Seat(NamedTuple):
    """A place in the fleet's arrays: row of the station, column of the socket (both from 0)."""

    row: int
    column: int

    @property
    def socket(self) -> int:
        """The number people and the wire use, from 1."""
        return self.column + 1


class Outgoing(NamedTuple):
    """One up message, ready for the topic of ``channel``; QoS is always 1."""

    station: str
    channel: Channel
    payload: bytes
    retain: bool


class EventKind(StrEnum):
    """What can happen at a station that a test or a spectator wants to know."""

    PLUGGED = "plugged"
    UNPLUGGED = "unplugged"
    STARTED = "started"
    START_REFUSED = "start_refused"
    SESSION_ENDED = "session_ended"
    RELAY_CLOSED = "relay_closed"
    RELAY_OPENED = "relay_opened"
    CONTACTOR_OPENED = "contactor_opened"
    CONTACTOR_CLOSED = "contactor_closed"
    LOCAL_TRIP = "local_trip"
    ALARM_RAISED = "alarm_raised"
    ALARM_ENDED = "alarm_ended"
    RECEIPT = "receipt"
    COMMAND = "command"
    LIMITS_APPLIED = "limits_applied"
    LIMITS_REFUSED = "limits_refused"
    DOWNLINK_REFUSED = "downlink_refused"
    LINK_LOST = "link_lost"
    LINK_BACK = "link_back"
    CRASHED = "crashed"
    REBOOTED = "rebooted"
    FAULT = "fault"


class Refusal(StrEnum):
    """Why a station does not start a charge."""

    LOCKED = "locked"
    TRIPPED = "tripped"
    STATION_OFF = "station_off"
    SMOKE = "smoke"
    HOT = "hot"
    OFFLINE = "offline"
    RUNNING = "running"
    DOWN = "down"
    NO_SUCH_SOCKET = "no_such_socket"


@dataclass(frozen=True, slots=True)
class FleetEvent:
    """One thing that happened; ``at_ms`` is true time, whatever the station's clock says."""

    kind: EventKind
    station: str
    socket: int | None  # from 1; None = the station itself
    at_ms: int  # UTC ms
    detail: str = ""


Log = Callable[[EventKind, int | None, int, str], None]
"""Tells the story of one station: kind, socket (from 1) or None, true time in ms, detail."""
