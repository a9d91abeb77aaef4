"""Histories with crashes in the middle of sending, set clocks, and providers that all fail.

What ``test_desk_machine`` holds to exact times is here shaken harder. ``--crash-histories`` says
how many are tried over real SQL; the pure model is always tried 1,000 times.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from alerts import audit
from alerts.incidents.escalation import met_by
from alerts.incidents.model import (
    Act,
    ActRefusedError,
    Cause,
    Doing,
    Incident,
    Kind,
    State,
    Urgency,
    apply,
    begin_round,
)
from alerts.incidents.plans import DeadlineName, load_plans
from alerts.incidents.tables import escalation, incident, incident_event, incident_finding
from alerts.outbox.tables import message
from alerts.tables import finding as finding_table
from alerts.watch.auditor import Invariant, audited
from alerts.watch.marks import Mark, resume, save_mark
from api import database_schema
from devices.database import Database
from rules.model import Finding
from tests.desk.desk_scene import (
    OTHER,
    PHONES,
    STATION,
    Scene,
    blind,
    cut_failed,
    door,
    ended,
    hot,
    offline,
    outage,
    smoke,
    warm,
)

MAKERS: Final = (smoke, hot, cut_failed, door, offline, blind, warm)
PASSING: Final = (1, 15, 29, 31, 60, 119, 301, 700, 1_900)
"""Seconds that pass: about the edges of the plans, leases, windows and receipts."""
HOUR_MS: Final = 3_600_000
SHIFTS: Final = (0, 5_000, HOUR_MS, -HOUR_MS, 10 * 365 * 24 * HOUR_MS)
PEOPLE: Final = tuple(PHONES)
ANSWERED: Final = frozenset({"second", "supervisor"})
"""Slots that say nobody has acknowledged, in the plans of fire and danger."""
T = TypeVar("T")


@dataclass
class Seen:
    """What the machine itself knows of the past."""

    raised: dict[int, Finding] = field(default_factory=dict)
    standing: set[int] = field(default_factory=set)
    ranks: dict[int, tuple[int, int]] = field(default_factory=dict)
    acknowledged_at: dict[tuple[int, int], int] = field(default_factory=dict)
    """(incident, round) -> hand-overs when it was no longer open."""
    again: Counter[str] = field(default_factory=Counter)
    """Message -> reasons to hand it over again: crashes, lost answers."""
    away: list[tuple[int, int]] = field(default_factory=list)
    """From when until when nothing turned."""


class Histories(RuleBasedStateMachine):
    """The desk on SQLite, driven by arbitrary rules."""

    template: ClassVar[Path]

    @initialize()
    def opened(self) -> None:
        """A desk on an empty database."""
        self.loop = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="desk-", dir=self.template.parent))
        shutil.copyfile(self.template, self.folder / "desk.db")
        self.scene = self.run(self._open())
        self.seen = Seen()
        self.episodes = count(1)

    async def _open(self) -> Scene:
        return Scene(await Database.open(f"sqlite:///{self.folder}/desk.db"))

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        """On the machine's own loop."""
        return self.loop.run(what)

    def teardown(self) -> None:
        """Everything that is left is true at the end too: the audit chain, the auditor's look."""
        if not hasattr(self, "scene"):
            return
        try:
            verdict, broken = self.run(self._audited())
            assert verdict.ok, verdict
            assert {b.name for b in broken} <= {Invariant.NOBODY_TOLD, Invariant.MESSAGE_STUCK}
        finally:
            self.run(self.scene.database.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    async def _audited(self) -> tuple[audit.Verdict, Any]:
        async with self.scene.database.reading() as connection:
            broken = await audited(connection, self.scene.clock.now_ms)
            return await audit.verify(connection), broken

    # --- what happens -----------------------------------------------------------------------

    @rule(
        make=st.sampled_from(MAKERS),
        station=st.sampled_from([STATION, OTHER]),
        warned=st.booleans(),
    )
    def finding(self, make: Any, station: str, *, warned: bool) -> None:
        """Something new."""
        episode = next(self.episodes)
        extra = {"warned": warned} if make is offline else {}
        made = replace(make(station, episode=episode, **extra), raised_ms=self.scene.clock.now_ms)
        self.seen.raised[episode] = made
        self.seen.standing.add(episode)
        self.run(self.scene.raised(made))

    @rule()
    def site_outage(self) -> None:
        """The whole site falls silent."""
        episode = next(self.episodes)
        made = replace(outage(episode), raised_ms=self.scene.clock.now_ms)
        self.seen.raised[episode] = made
        self.seen.standing.add(episode)
        self.run(self.scene.raised(made))

    @precondition(lambda self: self.seen.standing)
    @rule(data=st.data())
    def clear(self, data: st.DataObject) -> None:
        """Something is over."""
        episode = data.draw(st.sampled_from(sorted(self.seen.standing)))
        self.seen.standing.discard(episode)
        self.run(self.scene.cleared(self.seen.raised[episode]))

    @precondition(lambda self: self.seen.raised)
    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        """A duplicate, or a late end of what has long ended: nothing changes."""
        episode = data.draw(st.sampled_from(sorted(self.seen.raised)))
        before = self.run(self._counts())
        known = self.seen.raised[episode]
        if episode in self.seen.standing:
            self.run(self.scene.commit_raised(known))
        else:
            self.run(self.scene.commit(ended(known, self.scene.clock.now_ms)))
        assert self.run(self._counts()) == before

    @precondition(lambda self: self.seen.ranks)
    @rule(
        data=st.data(),
        act=st.sampled_from(Act),
        by=st.sampled_from(PEOPLE),
        cause=st.none() | st.sampled_from([Cause.TRUE_FIRE, Cause.FALSE_ALARM]),
        words=st.sampled_from(["", "看过了"]),
    )
    def person_acts(
        self, data: st.DataObject, act: Act, by: str, cause: Cause | None, words: str
    ) -> None:
        """Somebody does something that may not fit."""
        number = data.draw(st.sampled_from(sorted(self.seen.ranks)))
        try:
            self.run(self.scene.act(act, by, number=number, cause=cause, note=words, person=by))
        except ActRefusedError as refused:
            note(f"refused: {refused.refusal}")

    @precondition(lambda self: self.seen.ranks)
    @rule(text=st.sampled_from(["1", "3", "２", "F0001 1", "?"]), by=st.sampled_from(PEOPLE))
    def reply(self, text: str, by: str) -> None:
        """An answer by SMS."""
        self.run(self.scene.reply(text, by))

    @precondition(lambda self: self.scene.clock.log)
    @rule(data=st.data(), delivered=st.booleans())
    def receipt(self, data: st.DataObject, *, delivered: bool) -> None:
        """A receipt of any message that ever left, true or not, in time or not."""
        _, _, out = data.draw(st.sampled_from(self.scene.clock.log))
        self.seen.again[out.id] += not delivered
        self.run(self.scene.receipt(out, delivered=delivered))

    @rule(seconds=st.sampled_from(PASSING))
    def time_passes(self, seconds: int) -> None:
        """The desk turns whenever something is due."""
        self.run(self.scene.at(self.scene.now_s + seconds))

    @rule(
        way=st.integers(0, 3),
        mode=st.sampled_from(["ok", "down", "lost", "throttled"]),
    )
    def provider_turns(self, way: int, mode: str) -> None:
        """A provider is down, throttles, forgets to answer, or is back."""
        self.scene.ways.all()[way].mode = mode

    @rule(seconds=st.sampled_from([0, 1, 40, 400]), shift_ms=st.sampled_from(SHIFTS))
    def crash(self, seconds: int, shift_ms: int) -> None:
        """Killed with what was on its way; back later, perhaps on a wall clock that was set."""
        self.run(self._crash(seconds, shift_ms))

    async def _crash(self, seconds: int, shift_ms: int) -> None:
        scene, clock = self.scene, self.scene.clock
        modes = [way.mode for way in scene.ways.all()]
        before = len(clock.log)
        for way in scene.ways.all():
            way.mode = "stuck"
        await scene.desk.turn(clock.now_ms)
        await scene.killed()
        self.seen.again.update(out.id for _, _, out in clock.log[before:])
        for way, mode in zip(scene.ways.all(), modes, strict=True):
            way.mode = mode
        gone_ms = clock.now_ms
        async with scene.database.writing() as connection:
            await save_mark(connection, Mark(gone_ms, gone_ms, 0, "boot"))
        clock.now_ms += seconds * 1_000 + shift_ms
        async with scene.database.writing() as connection:
            await resume(connection, Mark(clock.now_ms, clock.now_ms, seconds * 1_000, "boot"))
        self.seen.away.append((gone_ms, clock.now_ms))
        scene.desk = scene.another()
        await scene.turn()

    # --- what must hold ---------------------------------------------------------------------

    async def _counts(self) -> tuple[int, ...]:
        tables = (incident, incident_event, incident_finding, escalation, message)
        async with self.scene.database.reading() as connection:
            return tuple([len((await connection.execute(select(t))).all()) for t in tables])

    async def _rows(self) -> dict[str, list[Any]]:
        tables = (incident, incident_event, incident_finding, finding_table, escalation, message)
        async with self.scene.database.reading() as connection:
            return {t.name: list((await connection.execute(select(t))).all()) for t in tables}

    @invariant()
    def everything_holds(self) -> None:
        """All of them, after each step; see ``test_histories_over_sql``."""
        if not hasattr(self, "scene"):
            return
        rows = self.run(self._rows())
        incidents = {row.id: row for row in rows["incident"]}
        self._grouped(rows, incidents)
        self._forward(incidents)
        self._deadlines(rows, incidents)
        self._messages(rows)
        self._told(rows, incidents)

    def _grouped(self, rows: dict[str, list[Any]], incidents: dict[int, Any]) -> None:
        grouped = Counter(row.finding_id for row in rows["incident_finding"])
        assert set(grouped.values()) <= {1}
        assert {row.id for row in rows["finding"]} == set(grouped)
        live = Counter(i.station_id for i in incidents.values() if i.state != "closed")
        assert all(n == 1 for station, n in live.items() if station is not None)

    def _forward(self, incidents: dict[int, Any]) -> None:
        for row in incidents.values():
            now = (row.round, State(row.state).rank)
            assert now >= self.seen.ranks.get(row.id, (0, 0)), f"{row.number} went backwards"
            self.seen.ranks[row.id] = now
            if row.state != "open":
                handed = len(self.scene.clock.log)
                self.seen.acknowledged_at.setdefault((row.id, row.round), handed)

    def _deadlines(self, rows: dict[str, list[Any]], incidents: dict[int, Any]) -> None:
        now_ms = self.scene.clock.now_ms
        for row in rows["escalation"]:
            what = (row.incident_id, row.round, row.step, row.due_ms, row.state, row.settled_ms)
            of = incidents[row.incident_id]
            if row.state == "due":
                assert row.due_ms >= now_ms, what  # now: made due by what was sent in this turn
                assert of.state != "closed", what
                assert of.round == row.round, what
            elif row.state in {"fired", "missed"}:
                late_ms = row.settled_ms - row.due_ms
                slept = [b for a, b in self.seen.away if row.settled_ms == b]
                assert late_ms >= 0, what
                assert late_ms == 0 or slept, what

    def _messages(self, rows: dict[str, list[Any]]) -> None:
        by_id = {row.id: row for row in rows["message"]}
        handed: dict[str, list[Any]] = {}
        for place, (_, _, out) in enumerate(self.scene.clock.log):
            handed.setdefault(out.id, []).append(out)
            row = by_id[out.id]
            answered = self.seen.acknowledged_at.get((row.incident_id, row.round))
            if row.slot in ANSWERED and row.kind == Kind.ESCALATION and answered is not None:
                assert place < answered, f"{row.slot} of a round that was acknowledged"
        unheard = Counter(
            row.detail["message"] for row in rows["incident_event"] if row.kind == "no_receipt"
        )
        for message_id, outs in handed.items():
            assert all(out == outs[0] for out in outs), message_id
            lost = self.scene.clock.lost[message_id]
            most = 1 + self.seen.again[message_id] + unheard[message_id] + lost
            assert len(outs) <= most, (message_id, len(outs), most)

    def _told(self, rows: dict[str, list[Any]], incidents: dict[int, Any]) -> None:
        told = {(row.incident_id, row.round) for row in rows["message"]}
        nobody = {row.incident_id for row in rows["incident_event"] if row.kind == "nobody_to_tell"}
        for row in incidents.values():
            if row.state == "open" and row.urgency in {"fire", "danger"}:
                assert (row.id, row.round) in told or row.id in nobody, row.number


def test_histories_over_sql(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    """Findings, ends, repeats, acts, replies, receipts, time, crashes, set clocks, bad providers.

    After each step:

    * every finding that concerns people belongs to exactly one incident;
    * no station has two live incidents;
    * a repeat of what is recorded changes nothing;
    * an incident's state goes backwards only by a new round, which has its own number;
    * nothing that is due stays due after a turn, and nothing of a closed incident or an earlier
      round is due;
    * a step is done, or a deadline missed, never before its due time, and at it: later only at
      the first turn after the backend was away; each has one row and leaves ``due`` once;
    * a message is handed over again only with the same id, text and address, and only for a
      crash, a lost answer, an "undelivered", or a receipt that did not come;
    * after the acknowledgement no "nobody has acknowledged" of that round leaves;
    * of each open fire or danger somebody is told, or the timeline says that there is nobody.

    At the end of each history the audit chain verifies, and the auditor finds every alarm in an
    incident, no step overdue, no order and no audit entry amiss.
    """
    folder = tmp_path_factory.mktemp("histories")
    template = folder / "template.db"
    asyncio.run(database_schema.upgrade(f"sqlite:///{template}"))
    Histories.template = template
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=request.config.getoption("--crash-histories"),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


# --- the pure model -------------------------------------------------------------------------

MS: Final = 1_000
PLANS: Final = load_plans()


class Life(RuleBasedStateMachine):
    """One incident by the functions that decide about it, and its rows as a table of its own."""

    @initialize(urgency=st.sampled_from(Urgency))
    def begins(self, urgency: Urgency) -> None:
        """It opens."""
        self.now_ms = 0
        self.incident = _opened(urgency)
        self.settled: dict[tuple[int, str], str] = {}
        self.acted: list[tuple[int, int]] = [(1, 0)]

    @rule(seconds=st.sampled_from(PASSING))
    def time_passes(self, seconds: int) -> None:
        """Deadlines that pass are missed, unless people have come so far."""
        self.now_ms += seconds * MS
        reached = set(met_by(PLANS.of(self.incident.urgency), self.incident.state))
        for name, after_s in PLANS.of(self.incident.urgency).deadlines:
            if self.incident.opened_ms + after_s * MS <= self.now_ms:
                key = (self.incident.round, name.value)
                state = "met" if name.value in reached else "missed"
                if self.incident.state is not State.CLOSED:
                    self.settled.setdefault(key, state)

    @rule(
        act=st.sampled_from(Act),
        by=st.sampled_from(PEOPLE),
        cause=st.none() | st.sampled_from(Cause),
        words=st.sampled_from(["", "看过了"]),
        person=st.none() | st.sampled_from(PEOPLE),
    )
    def act(self, act: Act, by: str, cause: Cause | None, words: str, person: str | None) -> None:
        """Done, refused with a reason, or already done: and then it is as it was."""
        before = self.incident
        doing = Doing(act, by, self.now_ms, words, cause, person)
        try:
            after = apply(before, doing)
        except ActRefusedError as refused:
            note(f"refused: {refused.refusal}")
            return
        if act is not Act.REOPEN:
            assert after.state.rank >= before.state.rank
            assert after.round == before.round
            assert apply(after, doing) == after  # twice is once
        else:
            assert (before.state, after.state) == (State.CLOSED, State.OPEN)
            assert after.round == before.round + 1
        self.incident = after

    @rule(worse=st.sampled_from(Urgency))
    def something_joins(self, worse: Urgency) -> None:
        """What is worse begins it again; a closed one is joined by nothing."""
        if self.incident.state is not State.CLOSED and worse.worse_than(self.incident.urgency):
            self.incident = begin_round(replace(self.incident, urgency=worse), self.now_ms)

    @rule(standing=st.integers(0, 3))
    def findings(self, standing: int) -> None:
        """Findings begin and clear."""
        self.incident = replace(self.incident, standing=standing)

    @invariant()
    def consistent(self) -> None:
        """Times in order, each state has its time, and what is reached has met its deadline."""
        if not hasattr(self, "incident"):
            return
        of = self.incident
        now = (of.round, of.state.rank)
        assert now >= self.acted[-1]
        self.acted.append(now)
        reached = [of.opened_ms, of.acknowledged_ms, of.on_site_ms, of.reported_ms, of.closed_ms]
        known = [at for at in reached if at is not None]
        assert known == sorted(known)
        if of.state is not State.CLOSED:
            assert [at is not None for at in reached[1:4]] == [
                of.state.rank >= rank for rank in (1, 2, 3)
            ]
        assert (of.closed_ms is not None) is (of.state is State.CLOSED)
        assert of.state is not State.REPORTED or of.cause is not None
        names = set(met_by(PLANS.of(of.urgency), of.state))
        assert (DeadlineName.ACKNOWLEDGE.value in names) is (of.state.rank >= 1)
        assert of.state is State.OPEN or of.assignee is not None or of.state is State.CLOSED
        dangerous = of.urgency in {Urgency.FIRE, Urgency.DANGER}
        assert not (of.state is State.CLOSED and dangerous) or of.reported_ms is not None


def _opened(urgency: Urgency) -> Incident:
    return Incident(
        id=1,
        number="F0001",
        site="site",
        area=None,
        station=STATION,
        urgency=urgency,
        drill=False,
        canary=False,
        state=State.OPEN,
        round=1,
        opened_ms=0,
        first_ms=0,
        activity_ms=0,
        standing=1,
    )


def test_histories_of_the_model() -> None:
    """1,000 histories of acts, time, worse findings and reopening of one incident.

    * the state goes backwards only by a new round; a round's number only grows;
    * an act done twice is done once; one that does not fit changes nothing and says why;
    * the times of a round are in the order of its states, and each state has its time;
    * what people have reached has met its deadline and the steps that wait for it, and no other;
    * a danger is never closed without a report, nor reported without a cause.
    """
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=1_000,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
