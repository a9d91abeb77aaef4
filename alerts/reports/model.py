"""A report: figures only, no words. Times are UTC ms, durations seconds, shares 0 to 1."""

from dataclasses import dataclass

from alerts.incidents.model import Cause, State, Urgency


@dataclass(frozen=True, slots=True)
class Response:
    """How people kept one deadline; rounds that ended before it was due count nowhere."""

    deadline: str  # acknowledge, on_site, report
    target_s: int
    met: int
    missed: int
    pending: int
    unanswered: int  # of the missed: nobody came at all
    median_s: int | None
    worst_s: int | None


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """One incident, with the times of its first round."""

    number: str
    station: str | None
    area: str | None
    urgency: Urgency
    state: State
    cause: Cause | None
    rounds: int
    opened_ms: int
    acknowledged_s: int | None
    on_site_s: int | None
    reported_s: int | None
    by: str | None  # who answered first


@dataclass(frozen=True, slots=True)
class Sent:
    """Messages of one channel, provider and outcome; ``provider`` empty = none took it."""

    channel: str
    provider: str
    state: str
    messages: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Tried:
    """Attempts of one provider with one outcome, and the segments they cost."""

    provider: str
    outcome: str
    attempts: int
    segments: int


@dataclass(frozen=True, slots=True)
class Unprotected:
    """How long a station (or, ``station`` None, the whole site) was out of protection.

    ``seconds`` counts every moment once; ``by_rule`` counts it for each rule that stood.
    """

    station: str | None
    seconds: int
    share: float
    by_rule: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class AlarmPath:
    """What the synthetic alarms showed; ``availability`` None = none ran."""

    passed: int
    late: int
    failed: int
    availability: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """A site's day or month. Drills and synthetic incidents are in no figure but their own."""

    site: str
    period: str
    timezone: str
    start_ms: int
    end_ms: int
    now_ms: int  # figures are as of then; before ``end_ms`` they are preliminary
    responses: tuple[Response, ...]
    incidents: tuple[IncidentLine, ...]
    by_urgency: tuple[tuple[str, int], ...]
    by_cause: tuple[tuple[str, int], ...]  # "" = not reported yet
    by_station: tuple[tuple[str, int], ...]  # "" = the whole site
    by_day: tuple[tuple[str, int], ...]
    merged: int  # became part of a site-wide incident, counted there
    false_alarms: int
    sent: tuple[Sent, ...]
    tried: tuple[Tried, ...]
    unprotected: tuple[Unprotected, ...]
    drills: tuple[IncidentLine, ...]
    alarm_path: AlarmPath

    @property
    def complete(self) -> bool:
        """Whether the period was over when it was made."""
        return self.now_ms >= self.end_ms
