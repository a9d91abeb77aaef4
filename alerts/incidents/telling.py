"""Who is told what: from a step of a response plan to rows of the outbox.

Texts are not made here: a row carries facts, and the text is frozen when it is first sent, so
that it can say whether the cut has worked by then.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.channels.port import Channel
from alerts.incidents import grading
from alerts.incidents.model import Incident, Kind
from alerts.incidents.places import Place, Places
from alerts.incidents.plans import DeadlineName, Guard, Plans, Step, When
from alerts.incidents.store import Note, findings_of, note
from alerts.oncall.model import Person, Role
from alerts.outbox.model import Facts, Outcome
from alerts.outbox.store import HELD, PRIORITY, Message, add_messages, messages_of
from devices.command_model import CUTS, State
from devices.model import Name
from devices.tables import command
from rules.model import Finding

CUT_BEFORE_MS: Final = 60_000
"""An order this much older than the incident belongs to it: event times and ours differ."""
_SAYS_OUTCOME: Final = frozenset({Kind.FIRE, Kind.CUT})
ASSIGNED_BY: Final = (Channel.SMS, Channel.ROBOT)
_MISSED: Final = {
    When.UNACKNOWLEDGED: DeadlineName.ACKNOWLEDGE,
    When.NOT_ARRIVED: DeadlineName.ON_SITE,
    When.NOT_REPORTED: DeadlineName.REPORT,
}


class OnCall(Protocol):
    """Who is on duty; answers from memory."""

    def reach(self, site: str, area: str | None, role: Role, now_ms: int) -> Sequence[Person]:
        """Whoever must be told for this role, with the next role where nobody has it."""

    def quiet_until(self, site: str, now_ms: int) -> int | None:
        """When the site's quiet hours end, if they are on."""

    def person(self, person: str) -> Person | None:
        """The person of that id."""

    def by_phone(self, phone: str) -> Person | None:
        """The person with that number."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What one message to some people is about."""

    slot: str
    kind: Kind
    channels: tuple[Channel, ...]
    step: str = ""  # which deadline was missed, for an escalation
    again: bool = False  # they know of the incident already


class Teller:
    """Writes messages into the outbox, in the caller's transaction."""

    def __init__(  # noqa: PLR0913 - what it works with, by name
        self,
        oncall: OnCall,
        places: Places,
        plans: Plans,
        *,
        new_id: Callable[[], str],
        guard: Guard | None = None,
        sandbox: Person | None = None,
    ) -> None:
        """``new_id``: 12 characters nobody has had; ``sandbox``: whom canary incidents tell."""
        self._oncall = oncall
        self._places = places
        self._plans = plans
        self._new_id = new_id
        self._guard = guard or Guard()
        self._sandbox = sandbox

    async def step(
        self, connection: AsyncConnection, incident: Incident, step: Step, now_ms: int
    ) -> list[str]:
        """Do one step of the plan; ids of the messages that are new."""
        people = self._people(incident, step.who, now_ms)
        if not people:
            await note(
                connection,
                [Note(incident.id, now_ms, "nobody_to_tell", detail={"step": step.name})],
            )
            return []
        kind = Kind.ESCALATION if step.escalation else await self._kind(connection, incident)
        missed = _MISSED.get(step.when)
        telling = Telling(step.place, kind, step.channels, missed.value if missed else "")
        return await self.tell(connection, incident, people, telling, now_ms)

    async def tell(
        self,
        connection: AsyncConnection,
        incident: Incident,
        people: Sequence[Person],
        telling: Telling,
        now_ms: int,
    ) -> list[str]:
        """Tell these people; ids of the messages that are new."""
        findings = [f.finding for f in await findings_of(connection, incident.id)]
        outcome = await cut_outcome(connection, incident)
        facts = self.facts(incident, findings, telling, outcome, now_ms)
        due_ms, reason = self._when(incident, telling.kind, outcome, now_ms)
        rows = [
            Message(
                id=self._new_id(),
                incident=incident.id,
                round=incident.round,
                slot=telling.slot,
                kind=telling.kind,
                channel=channel,
                person=person.id,
                address=address,
                lang=person.lang,
                priority=PRIORITY[telling.kind],
                facts=facts,
                due_ms=due_ms,
                created_ms=now_ms,
                reason=reason,
            )
            for person in people
            for channel, address in ways(person, telling.channels)
        ]
        new = await add_messages(connection, rows)
        told = sorted({row.person for row in rows if row.id in set(new)})
        if told:
            detail = {"kind": telling.kind.value, "slot": telling.slot, "people": told}
            await note(connection, [Note(incident.id, now_ms, "told", detail=detail)])
        return new

    async def assignee(
        self, connection: AsyncConnection, incident: Incident, now_ms: int
    ) -> list[str]:
        """Tell the person the incident was given to; nobody who is not in the book."""
        person = self._oncall.person(incident.assignee or "")
        if person is None:
            return []
        kind = await self._kind(connection, incident)
        telling = Telling(f"assigned-{incident.assignee}"[:40], kind, ASSIGNED_BY)
        return await self.tell(connection, incident, [person], telling, now_ms)

    async def told_before(
        self, connection: AsyncConnection, incident: Incident, now_ms: int
    ) -> list[Person]:
        """Who has been told in this round, and the officer on duty now."""
        ids = {m.person for m in await messages_of(connection, incident.id, incident.round)}
        known = [self._oncall.person(person) for person in sorted(ids)]
        people = [p for p in known if p is not None]
        people += self._people(incident, (Role.OFFICER,), now_ms)
        return list({p.id: p for p in people}.values())

    def facts(
        self,
        incident: Incident,
        findings: Sequence[Finding],
        telling: Telling,
        outcome: Outcome,
        now_ms: int,
    ) -> Facts:
        """What a text about the incident is made of."""
        subject = incident.station or incident.site
        place = self._places.find(subject) or unknown_place(subject)
        worst = grading.worst(findings)
        area = place.area_name
        facts = Facts(
            kind=telling.kind,
            number=incident.number,
            at_ms=now_ms,
            timezone=place.timezone,
            site_zh=place.site_name.zh,
            site_en=place.site_name.en,
            area_zh=area.zh if area else "",
            area_en=area.en if area else "",
            station=place.station or "",
            station_zh=place.station_name.zh if place.station_name else "",
            station_en=place.station_name.en if place.station_name else "",
            outcome=outcome,
            step=telling.step,
            values=_values(incident, telling, now_ms),
        )
        if worst is None:
            return facts
        first = incident.round == 1 and not telling.again and telling.kind is not Kind.CLEARED
        return replace(
            facts,
            # Told again, it says when it is told: the same words twice are dropped by carriers.
            at_ms=worst.raised_ms if first else now_ms,
            socket=worst.key.socket,
            rule=worst.key.rule,
            reason=worst.reason,
            evidence=worst.evidence,
            fire=worst.fire,
        )

    async def _kind(self, connection: AsyncConnection, incident: Incident) -> Kind:
        if incident.drill:
            return Kind.DRILL
        findings = [f.finding for f in await findings_of(connection, incident.id)]
        worst = grading.worst(findings)
        return grading.kind(worst) if worst else Kind.TROUBLE

    def _people(self, incident: Incident, roles: Sequence[Role], now_ms: int) -> list[Person]:
        if incident.canary:
            return [self._sandbox] if self._sandbox else []
        found = [
            person
            for role in roles
            for person in self._oncall.reach(incident.site, incident.area, role, now_ms)
        ]
        return list({person.id: person for person in found}.values())

    def _when(
        self, incident: Incident, kind: Kind, outcome: Outcome, now_ms: int
    ) -> tuple[int, str]:
        """Not before when, and why."""
        if kind in _SAYS_OUTCOME and outcome is Outcome.ORDERED:
            return now_ms + round(self._guard.proof_hold_s * 1000), HELD
        if self._plans.of(incident.urgency).quiet and not incident.canary:
            until = self._oncall.quiet_until(incident.site, now_ms)
            if until is not None and until > now_ms:
                return until, "quiet hours"
        return now_ms, ""


def ways(person: Person, channels: Sequence[Channel]) -> list[tuple[Channel, str]]:
    """The wanted channels this person has an address for; any other where there is none."""
    addresses = {
        Channel.SMS: person.phone,
        Channel.VOICE: person.phone,
        Channel.ROBOT: person.robot,
        Channel.EMAIL: person.email,
    }
    wanted = [(c, a) for c in channels if (a := addresses[c])]
    if wanted:
        return wanted
    return [(c, a) for c in (Channel.ROBOT, Channel.EMAIL) if (a := addresses[c])][:1]


async def cut_outcome(connection: AsyncConnection, incident: Incident) -> Outcome:
    """Whether what was cut for this incident is off, as far as it was measured."""
    if incident.station is None or incident.drill:
        return Outcome.NONE
    c = command.c
    query = (
        select(c.action, c.state)
        .where(
            c.station_id == incident.station,
            c.issued_ms >= incident.first_ms - CUT_BEFORE_MS,
            c.action.in_(sorted(CUTS)),
        )
        .order_by(c.issued_ms, c.id)
    )
    states = [State(row.state) for row in await connection.execute(query)]
    if not states:
        return Outcome.NONE
    if states[-1] is State.PROVEN:  # a station cut that followed a failed socket cut settles it
        return Outcome.PROVEN if all(s.ended for s in states) else Outcome.ORDERED
    if any(s in (State.FAILED, State.EXPIRED, State.REFUSED) for s in states):
        return Outcome.FAILED
    return Outcome.ORDERED


def _values(incident: Incident, telling: Telling, now_ms: int) -> dict[str, int | bool]:
    """What a text says beside the finding: how long nobody has answered, that it is a drill."""
    values: dict[str, int | bool] = {}
    if telling.step:
        values["minutes"] = (now_ms - incident.opened_ms) // 60_000
    if incident.drill:
        values["drill"] = True
    return values


def unknown_place(subject: str) -> Place:
    """A place the registry has lost: its id stands for its name, because people must be told."""
    name = Name(zh=subject, en=subject)
    return Place(subject, name, "UTC")
