"""The words of the command life cycle: states, origins, records, what leaves the book."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from devices.orders import Action, Result

CUTS: Final = frozenset({Action.CUT, Action.CUT_STATION})
"""The actions whose end is measured, not believed."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
_MAX_TEXT = 200  # what the contract's ``reason`` and ``detail`` hold


def clean_reason(text: str) -> str:
    """``text`` as the contract can carry it: no control characters, at most 200 characters.

    An order must never fail to leave because of what somebody wrote as its reason.
    """
    return _UNPRINTABLE.sub(" ", text)[:_MAX_TEXT]


def check_subject(action: Action, socket: int | None) -> None:
    """Refuse an order whose subject the contract cannot say.

    Raises:
        ValueError: ``cut`` needs a socket, ``cut_station`` and ``self_test`` take none.

    """
    if action is Action.CUT and socket is None:
        msg = "cut needs a socket; cut_station cuts all of them"
        raise ValueError(msg)
    if action in (Action.CUT_STATION, Action.SELF_TEST) and socket is not None:
        msg = f"{action} takes no socket"
        raise ValueError(msg)


class State(StrEnum):
    """Where an order stands."""

    REQUESTED = "requested"  # handed to the link
    SENT = "sent"  # the broker has it
    ACKNOWLEDGED = "acknowledged"  # the station says done; nothing proven yet
    PROVEN = "proven"  # a cut, and power measured below 5 W since
    DONE = "done"  # the station says done, and there is nothing to measure
    FAILED = "failed"  # a cut without proof at its deadline; or the station could not
    EXPIRED = "expired"  # nobody answered, or nobody watched, until its end
    REFUSED = "refused"  # the station would not

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen to the order."""
        return self not in (State.REQUESTED, State.SENT, State.ACKNOWLEDGED)


class Origin(StrEnum):
    """Who asked for it."""

    RULE = "rule"
    PERSON = "person"
    SYSTEM = "system"


class Failure(StrEnum):
    """Why a cut counts as failed."""

    STILL_POWER = "still_power"  # measured since, and not below the threshold
    NO_SENSOR = "no_sensor"  # measured since, but the power sensor says nothing
    NO_MEASUREMENT = "no_measurement"  # no frame since


class CutSettings(BaseModel):
    """How long a cut may take to be proven (seconds) and what counts as off (watts)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    proof_s: Annotated[float, Field(ge=1, le=15)] = 10.0
    off_w: Annotated[float, Field(gt=0, le=5)] = 5.0

    @property
    def window_ms(self) -> int:
        """From the order to its deadline, in milliseconds; it is also when it expires."""
        return round(self.proof_s * 1000)


@dataclass(frozen=True, slots=True)
class Send:
    """Publish this on the station's command topic: QoS 1, not retained."""

    command_id: str
    station: str
    socket: int | None
    action: Action
    issued_ms: int
    expires_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A cut was not proven by its deadline: power may still flow."""

    command_id: str
    station: str
    socket: int | None
    ordered_ms: int
    at_ms: int
    reason: Failure
    evidence: dict[str, float | int | str | bool | None]


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """One order as it is stored. Times are UTC milliseconds, powers watts."""

    id: str
    station: str
    socket: int | None
    action: Action
    reason: str
    rule: str | None
    origin: Origin
    by: str | None
    lock: bool
    state: State
    issued_ms: int
    expires_ms: int
    parent: str | None = None
    trigger_received_ms: int | None = None
    first_sent_ms: int | None = None
    sent_ms: int | None = None
    published_ms: int | None = None
    sends: int = 0
    seen_boot: int | None = None  # the newest frame known when it was ordered:
    seen_seq: int | None = None  # only a later one can be proof
    reply: Result | None = None
    reply_detail: str = ""
    replied_ms: int | None = None
    proven_ms: int | None = None
    proof_w: float | None = None
    relay_open: bool | None = None
    others_unaffected: bool | None = None
    failure: Failure | None = None
    ended_ms: int | None = None

    @property
    def reaction_ms(self) -> int | None:
        """From the arrival of the frame that caused it to its first sending."""
        if self.trigger_received_ms is None or self.first_sent_ms is None:
            return None
        return self.first_sent_ms - self.trigger_received_ms

    def send(self) -> Send:
        """What goes on the wire."""
        return Send(
            self.id,
            self.station,
            self.socket,
            self.action,
            self.issued_ms,
            self.expires_ms,
            self.reason,
        )
