"""The direct fault line: people are told without SQL when SQL cannot be had.

The ordinary way of a message is a row. When there is no SQL to write it to, or the desk does
not work, two things still leave: that we are broken (once per fault and hour, to manager and
supervisor), and a fire or danger that nobody could record within ten seconds (to the officer on
duty). All it needs is in memory: who is on duty as last read, and the ways to people.

Its numbers begin with X, because no incident has them: when SQL is back, the incident's own
message follows with a number of its own, and is no surprise.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog

from alerts.channels.port import Channel, Outgoing
from alerts.incidents import grading
from alerts.incidents.model import Kind, Urgency
from alerts.incidents.places import Place, Places
from alerts.incidents.telling import unknown_place
from alerts.oncall.model import Person, Role
from alerts.outbox.model import Facts, Outcome, Text
from rules.model import Act, Change, Evidence, Finding, FindingKey, Transition
from rules.reasons import Reason

log = structlog.get_logger(__name__)

RECORDED_WITHIN_MS: Final = 10_000
"""A danger that is not recorded by then is told directly."""
AGAIN_MS: Final = 3_600_000
"""A fault that stands is told again after this long."""
GIVE_UP_MS: Final = 900_000
SINGLE: Final = 3
"""Stations of one site told one by one in a turn; more are told together."""
WINDOW_MS: Final = 600_000
MOST: Final = 6
"""Direct messages about one site in a window; what is over waits, and is told together."""
FAULT_RULE: Final = "R96"
_URGENT: Final = frozenset({Urgency.FIRE, Urgency.DANGER})
_CUTS: Final = frozenset({Act.CUT_SOCKET, Act.CUT_STATION})


class Taken(Protocol):
    """How a sending went."""

    @property
    def accepted(self) -> object | None:
        """What a provider said when it took it; None = nobody did."""


class Line(Protocol):
    """The ways to people (``alerts.channels.gateway.Gateway``)."""

    async def send(self, outgoing: Outgoing) -> Taken:
        """Try the providers of the message's channel; never raises for what they do."""


class OnDuty(Protocol):
    """Who is on duty, from memory."""

    def reach(self, site: str, area: str | None, role: Role, now_ms: int) -> Sequence[Person]:
        """Whoever must be told for this role, with the next role where nobody has it."""


class Render(Protocol):
    """Makes texts (``alerts.texts``)."""

    def __call__(self, facts: Facts, lang: str, channel: Channel) -> Text:
        """The text of a message by this way."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of ours that the ordinary way cannot tell. ``subject``: what of it is broken."""

    reason: Reason
    subject: str
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A message that no provider has taken yet."""

    outgoing: Outgoing
    until_ms: int


@dataclass(frozen=True, slots=True)
class _Heard:
    finding: Finding
    at_ms: int


class FaultLine:
    """Hears findings, is told what was recorded, and speaks in ``turn``."""

    def __init__(  # noqa: PLR0913 - what it works with, by name
        self,
        line: Line,
        onduty: OnDuty,
        places: Places,
        render: Render,
        *,
        fallback: Sequence[str],
        new_id: Callable[[], str],
        clock_ms: Callable[[], int],
    ) -> None:
        """``fallback``: E.164 numbers told where nobody is on duty; ``new_id``: 12 characters."""
        self._line = line
        self._onduty = onduty
        self._places = places
        self._render = render
        self._fallback = [
            Person(id=f"fallback-{n}", name=phone, phone=phone) for n, phone in enumerate(fallback)
        ]
        self._new_id = new_id
        self._clock_ms = clock_ms
        self._heard: dict[FindingKey, _Heard] = {}
        self._told_ms: dict[tuple[Reason, str], int] = {}
        self._sent_ms: dict[str, deque[int]] = {}
        self._waiting: list[_Waiting] = []
        self._number = 0
        self.failures = 0  # texts that could not be made as they should be

    def transition(self, transition: Transition) -> None:
        """Hear of a finding the moment it is raised; neither waits nor raises."""
        finding = transition.finding
        if transition.change is not Change.RAISED or grading.urgency(finding) not in _URGENT:
            return
        place = self._places.find(finding.key.station)
        if place is None or not place.canary:
            self._heard[finding.key] = _Heard(finding, self._clock_ms())

    def recorded(self, transitions: Iterable[Transition]) -> None:
        """These are in SQL with their incidents: the ordinary way has them."""
        for transition in transitions:
            self._heard.pop(transition.finding.key, None)

    async def turn(self, faults: Sequence[Fault], now_ms: int) -> int:
        """Tell what must be told directly; how many messages a provider took."""
        for fault in faults:
            self._tell_fault(fault, now_ms)
        self._tell_dangers(now_ms)
        return await self._send(now_ms)

    def _tell_fault(self, fault: Fault, now_ms: int) -> None:
        key = fault.reason, fault.subject
        told_ms = self._told_ms.get(key)
        if told_ms is not None and now_ms - told_ms < AGAIN_MS:
            return
        self._told_ms[key] = now_ms
        told: set[str] = set()
        for place in self._places.sites.values():
            people = self._people(place, (Role.MANAGER, Role.SUPERVISOR), now_ms)
            fresh = [p for p in people if p.phone not in told]
            told |= {p.phone for p in fresh if p.phone}
            facts = replace(
                self._facts(place, Kind.TROUBLE, now_ms),
                rule=FAULT_RULE,
                reason=fault.reason.value,
                evidence={"subject": fault.subject, **fault.evidence},
            )
            self._queue(facts, fresh, now_ms)

    def _tell_dangers(self, now_ms: int) -> None:
        """What has waited too long for its record, site by site, within the site's bound."""
        by_site: dict[str, list[Finding]] = {}
        for heard in self._heard.values():
            if now_ms - heard.at_ms >= RECORDED_WITHIN_MS:
                by_site.setdefault(self._place(heard.finding).site, []).append(heard.finding)
        for site, findings in by_site.items():
            room = self._room(site, now_ms)
            stations = _worst_by_station(findings)
            together = len(stations) > min(SINGLE, room)
            if room <= 0:
                continue
            for group in [stations] if together else [[one] for one in stations]:
                self._tell_danger(group, now_ms)
                self._sent_ms[site].append(now_ms)
            for finding in findings:
                del self._heard[finding.key]

    def _room(self, site: str, now_ms: int) -> int:
        sent = self._sent_ms.setdefault(site, deque())
        while sent and now_ms - sent[0] >= WINDOW_MS:
            sent.popleft()
        return MOST - len(sent)

    def _tell_danger(self, findings: Sequence[Finding], now_ms: int) -> None:
        """One message: the worst of the findings, and the stations of the others."""
        worst = grading.worst(findings) or findings[0]
        place = self._place(worst)
        facts = replace(
            self._facts(place, Kind.STORM if len(findings) > 1 else grading.kind(worst), now_ms),
            at_ms=worst.raised_ms,
            socket=worst.key.socket,
            rule=worst.key.rule,
            reason=worst.reason,
            evidence=worst.evidence,
            fire=worst.fire,
            outcome=Outcome.ORDERED if worst.act in _CUTS else Outcome.NONE,
            others=tuple(f.key.station for f in findings if f is not worst),
        )
        self._queue(facts, self._people(place, (Role.OFFICER,), now_ms), now_ms)

    def _place(self, finding: Finding) -> Place:
        return self._places.find(finding.key.station) or unknown_place(finding.key.station)

    def _people(self, place: Place, roles: Iterable[Role], now_ms: int) -> list[Person]:
        found = [
            person
            for role in roles
            for person in self._onduty.reach(place.site, place.area, role, now_ms)
            if person.phone
        ]
        return list({p.phone: p for p in found or self._fallback}.values())

    def _facts(self, place: Place, kind: Kind, now_ms: int) -> Facts:
        self._number += 1
        area, station = place.area_name, place.station_name
        return Facts(
            kind=kind,
            number=f"X{self._number:04d}",
            at_ms=now_ms,
            timezone=place.timezone,
            site_zh=place.site_name.zh,
            site_en=place.site_name.en,
            area_zh=area.zh if area else "",
            area_en=area.en if area else "",
            station=place.station or "",
            station_zh=station.zh if station else "",
            station_en=station.en if station else "",
        )

    def _queue(self, facts: Facts, people: Iterable[Person], now_ms: int) -> None:
        for person in people:
            text = self._text(facts, person.lang)
            outgoing = Outgoing(
                id=self._new_id(),
                kind=facts.kind,
                channel=Channel.SMS,
                address=person.phone or "",
                text=text.body,
                params=text.params,
                lang=person.lang,
                title=facts.number,
            )
            self._waiting.append(_Waiting(outgoing, now_ms + GIVE_UP_MS))

    def _text(self, facts: Facts, lang: str) -> Text:
        try:
            return self._render(facts, lang, Channel.SMS)
        except Exception:  # an alarm is rather badly worded than unsaid
            self.failures += 1
            log.exception("a text could not be made", kind=facts.kind.value)
            return Text(f"{facts.number} {facts.kind.value} {facts.station or facts.site_zh}", {})

    async def _send(self, now_ms: int) -> int:
        """Try everything that waits, all at once; what nobody takes is tried again, same id."""
        waiting, self._waiting = [w for w in self._waiting if w.until_ms > now_ms], []
        try:
            taken = await asyncio.gather(*(self._line.send(w.outgoing) for w in waiting))
        except BaseException:
            self._waiting = waiting + self._waiting
            raise
        left = [w for w, sent in zip(waiting, taken, strict=True) if sent.accepted is None]
        self._waiting = left + self._waiting
        return len(waiting) - len(left)


def _worst_by_station(findings: Iterable[Finding]) -> list[Finding]:
    by_station: dict[str, list[Finding]] = {}
    for finding in findings:
        by_station.setdefault(finding.key.station, []).append(finding)
    return [grading.worst(group) or group[0] for group in by_station.values()]
