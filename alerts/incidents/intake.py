"""From findings to incidents, in the transaction that records the findings.

Findings of one station within a window are one incident; what a power cut or a dead network of
the whole site explains goes to the site's incident. Inhibition mutes messages, never the
record: everything is on a timeline.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.channels.port import Channel
from alerts.findings import Recorded
from alerts.incidents import escalation, grading
from alerts.incidents.model import Incident, Kind, State, Urgency, begin_round
from alerts.incidents.places import Place, Places
from alerts.incidents.plans import Guard
from alerts.incidents.rounds import Rounds
from alerts.incidents.store import (
    Note,
    change_incident,
    incident_by_id,
    incidents_of,
    live_incidents,
    make_incident,
    note,
)
from alerts.incidents.tables import incident_finding
from alerts.incidents.telling import Teller, Telling, unknown_place
from alerts.outbox.store import release_held, withdraw
from alerts.tables import finding as finding_table
from devices.command_model import CUTS, CommandRecord
from devices.command_model import State as OrderState
from devices.database import insert_into
from rules.model import Change, Family, Finding, Transition

Opened = Callable[[AsyncConnection, Incident, Place], Awaitable[None]]
"""What else begins with an incident, in its transaction: the freezing of evidence."""
TOLD_BY: Final = (Channel.SMS, Channel.ROBOT)
_CUT_NOTES: Final = {
    OrderState.PROVEN: "cut_proven",
    OrderState.FAILED: "cut_failed",
    OrderState.EXPIRED: "cut_failed",
}


@dataclass(slots=True)
class _Live:
    """The incidents that are not closed, as this transaction sees them."""

    by_station: dict[str, Incident] = field(default_factory=dict)
    of_sites: list[Incident] = field(default_factory=list)
    rules: dict[int, set[str]] = field(default_factory=dict)

    def put(self, incident: Incident, rule: str | None = None) -> None:
        """What an incident has become."""
        if incident.station is None:
            self.of_sites = [i for i in self.of_sites if i.id != incident.id]
            if incident.state is not State.CLOSED:
                self.of_sites.append(incident)
        elif incident.state is State.CLOSED:
            self.by_station.pop(incident.station, None)
        else:
            self.by_station[incident.station] = incident
        if rule is not None:
            self.rules.setdefault(incident.id, set()).add(rule)

    def find(self, subject: Place, finding: Finding) -> Incident | None:
        """The incident a new finding belongs to."""
        if subject.station is not None and subject.station in self.by_station:
            return self.by_station[subject.station]
        outage = subject.station is not None and grading.explained_by_outage(finding)
        rule = grading.OUTAGE_RULE if outage else finding.key.rule
        if subject.station is not None and not outage:
            return None
        return next(
            (
                i
                for i in self.of_sites
                if i.site == subject.site and rule in self.rules.get(i.id, set())
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class _News:
    """A finding that began, with what it means."""

    id: int
    finding: Finding
    urgency: Urgency
    place: Place


@dataclass(frozen=True, slots=True)
class _Turn:
    """One call of ``take``."""

    connection: AsyncConnection
    live: _Live
    now_ms: int


class Intake:
    """Groups what was recorded into incidents; everything in the caller's transaction."""

    def __init__(  # noqa: PLR0913 - what it works with, by name
        self,
        places: Places,
        teller: Teller,
        rounds: Rounds,
        *,
        new_id: Callable[[], str],
        guard: Guard | None = None,
        opened: Opened | None = None,
    ) -> None:
        """``new_id``: characters nobody has had; ``opened`` is told of each new incident."""
        self._places = places
        self._teller = teller
        self._rounds = rounds
        self._new_id = new_id
        self._guard = guard or Guard()
        self._opened = opened

    async def take(
        self,
        connection: AsyncConnection,
        recorded: Recorded,
        commands: Sequence[CommandRecord],
        now_ms: int,
    ) -> None:
        """Open, join, raise, ease incidents; say what became of their cuts.

        ``recorded`` is what was new in SQL, so that a replay changes nothing.
        """
        transitions = [(i, t) for i, t in recorded.new if self._matters(t, recorded)]
        cuts = [c for c in commands if c.action in CUTS and c.state in _CUT_NOTES]
        if not transitions and not cuts:
            return
        live = await self._live(connection, transitions, cuts)
        turn = _Turn(connection, live, now_ms)
        for finding_id, transition in transitions:
            if transition.change is Change.RAISED:
                await self._raised(turn, finding_id, transition.finding)
        await self._cleared(turn, transitions)
        await self._cut(turn, cuts)

    async def open_drill(
        self, connection: AsyncConnection, site: str, area: str | None, now_ms: int, by: str
    ) -> int:
        """Begin a drill: everybody is told as for a fire, with the word drill; the incident."""
        new = replace(_fresh(site, area, Urgency.FIRE, now_ms), drill=True)
        made = await make_incident(connection, new, self._new_id())
        assert made is not None  # noqa: S101 - a drill is of no station, so none stands in its way
        await note(connection, [Note(made.id, now_ms, "opened", by, {"drill": True})])
        await self._rounds.begin(connection, made, now_ms)
        return made.id

    def _matters(self, transition: Transition, recorded: Recorded) -> bool:
        if transition.change is Change.CLEARED:
            return True
        raised = transition.change is Change.RAISED and transition.finding.key in recorded.began
        return raised and self._urgency(transition.finding) is not None

    def _urgency(self, finding: Finding) -> Urgency | None:
        place = self._places.find(finding.key.station)
        if place is not None and place.canary:
            return Urgency.NOTICE if finding.reason == grading.SELF_TEST_REASON else None
        return grading.urgency(finding)

    async def _live(
        self,
        connection: AsyncConnection,
        transitions: Sequence[tuple[int, Transition]],
        cuts: Sequence[CommandRecord],
    ) -> _Live:
        subjects = {t.finding.key.station for _, t in transitions} | {c.station for c in cuts}
        sites = {p.site for s in subjects if (p := self._places.find(s)) is not None} | subjects
        live = _Live()
        found = await live_incidents(connection, subjects, sites)
        for incident in found:
            live.put(incident)
        whole = [i.id for i in found if i.station is None]
        live.rules = await _rules_of(connection, whole)
        return live

    async def _raised(self, turn: _Turn, finding_id: int, finding: Finding) -> None:
        urgency = self._urgency(finding)
        if urgency is None:
            return
        place = self._places.find(finding.key.station) or unknown_place(finding.key.station)
        news = _News(finding_id, finding, urgency, place)
        known = turn.live.find(place, finding)
        if known is None:
            await self._open(turn, news)
        else:
            await self._join(turn, known, news)
        if finding.key.rule == grading.OUTAGE_RULE:
            await self._absorb(turn, place)

    async def _open(self, turn: _Turn, news: _News) -> None:
        connection, now_ms, place = turn.connection, turn.now_ms, news.place
        new = replace(
            _fresh(place.site, place.area, news.urgency, now_ms),
            station=place.station,
            canary=place.canary,
            standing=1,
        )
        made = await make_incident(connection, new, self._new_id())
        if made is None:
            await self._join_other(turn, news)
            return
        await _attach(connection, made.id, news.id, now_ms)
        await note(connection, [Note(made.id, now_ms, "opened", detail=_said(news))])
        await self._rounds.begin(connection, made, now_ms, finding=news.finding)
        turn.live.put(made, news.finding.key.rule)
        if self._opened is not None and not made.canary:
            await self._opened(connection, made, place)

    async def _join_other(self, turn: _Turn, news: _News) -> None:
        """Another process has opened one for this station in the meantime."""
        stations = [news.place.station] if news.place.station is not None else []
        for incident in await live_incidents(turn.connection, stations, ()):
            turn.live.put(incident)
            await self._join(turn, incident, news)
            return
        await self._open(turn, news)  # and it is closed again

    async def _join(self, turn: _Turn, known: Incident, news: _News) -> None:
        connection, now_ms, finding = turn.connection, turn.now_ms, news.finding
        await _attach(connection, known.id, news.id, now_ms)
        joined = replace(known, standing=known.standing + 1, activity_ms=now_ms)
        notes = [Note(known.id, now_ms, "joined", detail=_said(news))]
        again = self._again(known, news, now_ms)
        if again is not None:
            await escalation.cancel(connection, known, now_ms)
            await withdraw(connection, known.id, now_ms, "something worse came")
            worse = news.urgency if news.urgency.worse_than(known.urgency) else known.urgency
            joined = begin_round(replace(joined, urgency=worse), now_ms)
            notes.append(Note(known.id, now_ms, again, detail={"urgency": worse.value}))
        await change_incident(connection, known, joined)
        await note(connection, notes)
        turn.live.put(joined, finding.key.rule)
        if again is not None:
            await self._rounds.begin(connection, joined, now_ms, finding=finding)
        elif grading.kind(finding) is Kind.CUT_FAILED:
            await self._tell_more(turn, joined, "cut_failed", Kind.CUT_FAILED)
        elif now_ms - known.activity_ms > self._guard.window_s * 1000:
            await self._tell_more(turn, joined, f"more-{news.id}", grading.kind(finding))

    def _again(self, known: Incident, news: _News, now_ms: int) -> str | None:
        """Why people must be told from the beginning again; None = they need not."""
        if news.urgency.worse_than(known.urgency):
            return "raised"
        as_bad = not known.urgency.worse_than(news.urgency)
        if as_bad and not known.standing:
            return "again"  # it was over, and people may have been told so
        danger = news.finding.family is Family.ALARM and as_bad
        if danger and known.state is State.REPORTED:
            return "again"
        silent_ms = now_ms - known.activity_ms
        if danger and known.state is State.OPEN and silent_ms > self._guard.window_s * 1000:
            return "again"
        return None

    async def _tell_more(self, turn: _Turn, incident: Incident, slot: str, kind: Kind) -> None:
        people = await self._teller.told_before(turn.connection, incident, turn.now_ms)
        telling = Telling(slot, kind, TOLD_BY, again=True)
        await self._teller.tell(turn.connection, incident, people, telling, turn.now_ms)

    async def _absorb(self, turn: _Turn, place: Place) -> None:
        """The outage explains the silence of single stations: their incidents end in its."""
        connection, live, now_ms = turn.connection, turn.live, turn.now_ms
        outage = next(
            i
            for i in live.of_sites
            if i.site == place.site and grading.OUTAGE_RULE in live.rules.get(i.id, set())
        )
        stations = self._places.of_site(place.site)
        for small in await live_incidents(connection, stations, ()):
            if not await _only_link(connection, small):
                continue
            await connection.execute(
                update(incident_finding)
                .where(incident_finding.c.incident_id == small.id)
                .values(incident_id=outage.id)
            )
            await escalation.cancel(connection, small, now_ms)
            await withdraw(connection, small.id, now_ms, f"part of {outage.number}")
            closed = replace(
                small, state=State.CLOSED, closed_ms=now_ms, standing=0, merged_into=outage.id
            )
            await change_incident(connection, small, closed)
            live.put(closed)
            await note(
                connection,
                [
                    Note(small.id, now_ms, "merged", detail={"into": outage.number}),
                    Note(outage.id, now_ms, "absorbed", detail={"incident": small.number}),
                ],
            )
        await self._recount(turn, outage)

    async def _cleared(self, turn: _Turn, transitions: Sequence[tuple[int, Transition]]) -> None:
        connection, now_ms = turn.connection, turn.now_ms
        cleared = {i: t for i, t in transitions if t.change is Change.CLEARED}
        for finding_id, incident_id in (await incidents_of(connection, cleared)).items():
            finding = cleared[finding_id].finding
            said = {"finding": finding_id, "rule": finding.key.rule, "socket": finding.key.socket}
            await note(connection, [Note(incident_id, now_ms, "finding_cleared", detail=said)])
        for incident_id in sorted(set((await incidents_of(connection, cleared)).values())):
            incident = await incident_by_id(connection, incident_id, lock=True)
            if incident is not None and incident.state is not State.CLOSED:
                await self._recount(turn, incident)

    async def _recount(self, turn: _Turn, incident: Incident) -> None:
        connection = turn.connection
        counted = await _standing(connection, incident.id)
        after = replace(incident, standing=counted)
        await change_incident(connection, incident, after)
        turn.live.put(after)
        if counted == 0:
            await self._rounds.eased(connection, after, turn.now_ms)

    async def _cut(self, turn: _Turn, cuts: Sequence[CommandRecord]) -> None:
        connection, now_ms = turn.connection, turn.now_ms
        notes, touched = [], set()
        for cut in cuts:
            incident = turn.live.by_station.get(cut.station)
            if incident is None:
                continue
            touched.add(incident.id)
            detail = {"command": cut.id, "socket": cut.socket, "proof_w": cut.proof_w}
            notes.append(Note(incident.id, now_ms, _CUT_NOTES[cut.state], detail=detail))
        await note(connection, notes)
        await release_held(connection, sorted(touched), now_ms)


def _fresh(site: str, area: str | None, urgency: Urgency, now_ms: int) -> Incident:
    return Incident(
        id=0,
        number="",
        site=site,
        area=area,
        station=None,
        urgency=urgency,
        drill=False,
        canary=False,
        state=State.OPEN,
        round=1,
        opened_ms=now_ms,
        first_ms=now_ms,
        activity_ms=now_ms,
        standing=0,
    )


def _said(news: _News) -> dict[str, object]:
    finding = news.finding
    return {
        "finding": news.id,
        "rule": finding.key.rule,
        "tier": finding.key.tier,
        "socket": finding.key.socket,
        "reason": finding.reason,
        "severity": finding.severity.value,
    }


async def _attach(
    connection: AsyncConnection, incident_id: int, finding_id: int, now_ms: int
) -> None:
    row = {"finding_id": finding_id, "incident_id": incident_id, "added_ms": now_ms}
    statement = insert_into(connection, incident_finding).values(row)
    await connection.execute(statement.on_conflict_do_nothing(index_elements=["finding_id"]))


async def _standing(connection: AsyncConnection, incident_id: int) -> int:
    query = (
        select(func.count())
        .select_from(incident_finding)
        .join(finding_table, finding_table.c.id == incident_finding.c.finding_id)
        .where(incident_finding.c.incident_id == incident_id, finding_table.c.cleared_ms.is_(None))
    )
    return int((await connection.execute(query)).scalar_one())


async def _rules_of(
    connection: AsyncConnection, incident_ids: Iterable[int]
) -> dict[int, set[str]]:
    c = incident_finding.c
    query = (
        select(c.incident_id, finding_table.c.rule)
        .join(finding_table, finding_table.c.id == c.finding_id)
        .where(c.incident_id.in_(sorted(incident_ids)))
        .distinct()
    )
    found: dict[int, set[str]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.incident_id, set()).add(row.rule)
    return found


async def _only_link(connection: AsyncConnection, incident: Incident) -> bool:
    """Whether nothing but silence and lost power is against the station."""
    if incident.urgency not in (Urgency.FAULT, Urgency.NOTICE):
        return False
    query = (
        select(finding_table.c.reason)
        .join(incident_finding, incident_finding.c.finding_id == finding_table.c.id)
        .where(incident_finding.c.incident_id == incident.id)
    )
    reasons = set((await connection.execute(query)).scalars())
    return reasons <= grading.LINK_REASONS
