"""The words of an incident and its life: pure, so that every history can be tried.

``open -> acknowledged -> on site -> reported -> closed``, and back to ``open`` when it is
reopened or when something worse joins it. A round is one such life: it has its own deadlines
and its own messages.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where people stand with an incident, in order."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ON_SITE = "on_site"
    REPORTED = "reported"
    CLOSED = "closed"

    @property
    def rank(self) -> int:
        """0 = open; an act never leads to a lower rank, but for reopening."""
        return _RANK[self]


_RANK: Final = {state: rank for rank, state in enumerate(State)}


class Urgency(StrEnum):
    """Which response plan is followed, worst first."""

    FIRE = "fire"  # smoke, area heat, fire rise: 1-5-30, everybody
    DANGER = "danger"  # critical without fire: a cut for heat, a cut that failed: 1-5-30
    FAULT = "fault"  # something must be looked at today: major
    NOTICE = "notice"  # warnings; quiet hours apply

    def worse_than(self, other: "Urgency") -> bool:
        """Whether this needs a faster answer than ``other``."""
        return _URGENCIES.index(self) < _URGENCIES.index(other)


_URGENCIES: Final = list(Urgency)


class Kind(StrEnum):
    """What a message says; each has its own template with the providers."""

    FIRE = "fire"
    CUT = "cut"
    CUT_FAILED = "cut_failed"
    TROUBLE = "trouble"
    CLEARED = "cleared"
    ESCALATION = "escalation"
    DRILL = "drill"
    LINK = "link"  # a fresh one-time link, asked for by the person
    STORM = "storm"  # several incidents in one message


class Cause(StrEnum):
    """What it was, said by the person who reports."""

    TRUE_FIRE = "true_fire"
    OVERHEATING = "overheating"
    OVERCHARGE = "overcharge"
    DEVICE_FAULT = "device_fault"
    TEST = "test"
    FALSE_ALARM = "false_alarm"


class Act(StrEnum):
    """What a person can do with an incident."""

    ACKNOWLEDGE = "acknowledge"
    ARRIVE = "arrive"
    REPORT = "report"
    CLOSE = "close"
    REOPEN = "reopen"
    COMMENT = "comment"
    ASSIGN = "assign"


class Refusal(StrEnum):
    """Why an act is not possible; the incident is as it was."""

    CLOSED = "closed"
    NOT_CLOSED = "not_closed"
    NEEDS_CAUSE = "needs_cause"
    NEEDS_NOTE = "needs_note"
    NEEDS_PERSON = "needs_person"
    NOT_REPORTED = "not_reported"
    SUPERSEDED = "superseded"  # its station has a newer incident that is not closed


class ActRefusedError(Exception):
    """The act does not fit the incident; ``refusal`` says why."""

    def __init__(self, refusal: Refusal) -> None:
        """With its reason."""
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. Times are UTC ms; None = not yet (in this round)."""

    id: int
    number: str  # what people read and reply with: F0012
    site: str
    area: str | None
    station: str | None  # None = the whole site
    urgency: Urgency
    drill: bool
    canary: bool
    state: State
    round: int  # from 1
    opened_ms: int  # the beginning of this round: the deadlines count from here
    first_ms: int  # the beginning of the incident
    activity_ms: int  # the newest finding
    standing: int  # findings that have not cleared
    acknowledged_ms: int | None = None
    on_site_ms: int | None = None
    reported_ms: int | None = None
    closed_ms: int | None = None
    assignee: str | None = None
    cause: Cause | None = None
    merged_into: int | None = None  # the site-wide incident that took it over


@dataclass(frozen=True, slots=True)
class Doing:
    """An act with who does it and what it brings. ``by`` is a person's or credential's name."""

    act: Act
    by: str
    at_ms: int
    note: str = ""
    cause: Cause | None = None
    person: str | None = None  # whom to assign


def apply(incident: Incident, doing: Doing) -> Incident:
    """The incident after the act. Doing what is done already changes nothing and is no error.

    Arriving acknowledges, reporting arrives: an officer who forgot a button has still come.

    Raises:
        ActRefusedError: the act does not fit; see ``Refusal``.

    """
    if doing.act is Act.COMMENT:
        if not doing.note:
            raise ActRefusedError(Refusal.NEEDS_NOTE)
        return incident
    if doing.act is Act.REOPEN:
        return _reopen(incident, doing)
    if incident.state is State.CLOSED:
        if doing.act is Act.CLOSE:
            return incident
        raise ActRefusedError(Refusal.CLOSED)
    if doing.act is Act.ASSIGN:
        if not doing.person:
            raise ActRefusedError(Refusal.NEEDS_PERSON)
        return replace(incident, assignee=doing.person)
    if doing.act is Act.CLOSE:
        return _close(incident, doing)
    if doing.act is Act.REPORT and doing.cause is None:
        raise ActRefusedError(Refusal.NEEDS_CAUSE)
    return _forward(incident, _REACHES[doing.act], doing)


_REACHES: Final = {
    Act.ACKNOWLEDGE: State.ACKNOWLEDGED,
    Act.ARRIVE: State.ON_SITE,
    Act.REPORT: State.REPORTED,
}


def _forward(incident: Incident, to: State, doing: Doing) -> Incident:
    if incident.state.rank >= to.rank:
        if to is State.REPORTED and doing.cause is not incident.cause:
            return replace(incident, cause=doing.cause)  # a report may be corrected until closed
        return incident
    at_ms = doing.at_ms
    return replace(
        incident,
        state=to,
        acknowledged_ms=incident.acknowledged_ms or at_ms,
        assignee=incident.assignee or doing.by,
        on_site_ms=(incident.on_site_ms or at_ms) if to.rank >= State.ON_SITE.rank else None,
        reported_ms=at_ms if to is State.REPORTED else None,
        cause=doing.cause if to is State.REPORTED else incident.cause,
    )


def _close(incident: Incident, doing: Doing) -> Incident:
    cause = doing.cause or incident.cause
    dangerous = incident.urgency in (Urgency.FIRE, Urgency.DANGER) and not incident.drill
    if dangerous and incident.state is not State.REPORTED:
        raise ActRefusedError(Refusal.NOT_REPORTED)
    if cause is None:
        raise ActRefusedError(Refusal.NEEDS_CAUSE)
    if incident.standing and not doing.note:
        raise ActRefusedError(Refusal.NEEDS_NOTE)
    return replace(incident, state=State.CLOSED, closed_ms=doing.at_ms, cause=cause)


def _reopen(incident: Incident, doing: Doing) -> Incident:
    if incident.state is not State.CLOSED:
        raise ActRefusedError(Refusal.NOT_CLOSED)
    if not doing.note:
        raise ActRefusedError(Refusal.NEEDS_NOTE)
    return begin_round(incident, doing.at_ms)


def begin_round(incident: Incident, at_ms: int) -> Incident:
    """The incident begins again: nobody has acknowledged, all deadlines are new."""
    return replace(
        incident,
        state=State.OPEN,
        round=incident.round + 1,
        opened_ms=at_ms,
        acknowledged_ms=None,
        on_site_ms=None,
        reported_ms=None,
        closed_ms=None,
        cause=None,
    )
