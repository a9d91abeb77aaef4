"""Every history of incidents and escalation that chance finds, against the real desk."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from alerts import audit
from alerts.incidents.escalation import RowState
from alerts.incidents.model import Act, ActRefusedError, Cause, State
from alerts.incidents.store import incident_from
from alerts.incidents.tables import escalation, incident, incident_event, incident_finding
from alerts.outbox.tables import attempt, message
from alerts.tables import finding as finding_table
from api.database_schema import upgrade
from devices.database import Database
from rules.model import Finding
from tests.desk.desk_scene import Scene, cut_failed, door, hot, offline, smoke, warm

STATIONS = ("cmrj-01", "cmrj-02", "cmrj-03")
KINDS: dict[str, Callable[..., Finding]] = {
    "smoke": smoke,
    "hot": hot,
    "cut_failed": cut_failed,
    "door": door,
    "warm": warm,
}
ESCALATIONS = {"call", "second", "supervisor"}
DANGERS = {"fire", "danger"}
T = TypeVar("T")

_template: list[Path] = []


class Histories(RuleBasedStateMachine):
    """See ``test_no_history_breaks_an_invariant``."""

    def __init__(self) -> None:
        """An empty desk on a database of its own."""
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="desk-"))
        copy = self.folder / "desk.db"
        shutil.copyfile(_template[0], copy)
        self.database = self.run(Database.open(f"sqlite:///{copy}"))
        self.scene = Scene(self.database)
        self.episode = 0
        self.standing: list[Finding] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """On the machine's own loop."""
        return self.runner.run(work)

    def teardown(self) -> None:
        """The audit chain is whole."""
        verdict = self.run(self._verify())
        self.run(self.database.close())
        self.runner.close()
        shutil.rmtree(self.folder)
        assert verdict.broken is None

    async def _verify(self) -> audit.Verdict:
        async with self.database.reading() as connection:
            return await audit.verify(connection)

    # --- what can happen --------------------------------------------------------------------

    @rule(station=st.sampled_from(STATIONS), kind=st.sampled_from(sorted(KINDS)))
    def find(self, station: str, kind: str) -> None:
        """A finding begins."""
        self.episode += 1
        made = KINDS[kind](station, episode=self.episode)
        self.standing.append(made)
        self.run(self.scene.raised(made))

    @rule(station=st.sampled_from(STATIONS))
    def silence(self, station: str) -> None:
        """A station is not heard any more."""
        self.episode += 1
        made = offline(station, episode=self.episode)
        self.standing.append(made)
        self.run(self.scene.raised(made))

    @rule(index=st.integers(0, 50))
    def tell_again(self, index: int) -> None:
        """The same finding is told again, as after a crash."""
        if self.standing:
            self.run(self.scene.raised(self.standing[index % len(self.standing)]))

    @rule(index=st.integers(0, 50))
    def clear(self, index: int) -> None:
        """A finding ends."""
        if self.standing:
            self.run(self.scene.cleared(self.standing.pop(index % len(self.standing))))

    @rule(
        act=st.sampled_from([a for a in Act if a is not Act.ASSIGN]),
        by=st.sampled_from(["zhao", "qian", "sun"]),
        index=st.integers(0, 10),
        note=st.sampled_from(["", "看过了"]),
    )
    def do(self, act: Act, by: str, index: int, note: str) -> None:
        """Somebody does something with one of the incidents, or is refused."""
        ids = [i.id for i in self.run(self._incidents())]
        if not ids:
            return
        number = ids[index % len(ids)]
        cause = Cause.OVERHEATING if act in (Act.REPORT, Act.CLOSE) else None
        try:
            self.run(self.scene.act(act, by, number=number, note=note, cause=cause))
        except ActRefusedError:
            return

    @rule(seconds=st.sampled_from([1, 10, 29, 31, 60, 125, 301, 700, 1900]))
    def wait(self, seconds: int) -> None:
        """Time passes; the desk turns whenever something is due."""
        self.run(self.scene.at(self.scene.now_s + seconds))

    @rule(on=st.booleans())
    def phones(self, on: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        """From now on texts reach their phones, or no receipt comes."""
        self.scene.phones_on = on

    @rule(mode=st.sampled_from(["ok", "down", "throttled", "permanent", "lost"]))
    def first_provider(self, mode: str) -> None:
        """The first SMS provider behaves so from now on; the second always works."""
        self.scene.ways.first.mode = mode

    @rule()
    def crash(self) -> None:
        """The process is gone; another one goes on with what is in SQL."""
        self.scene.desk = self.scene.another()

    # --- what must be true ------------------------------------------------------------------

    async def _incidents(self) -> list[Any]:
        async with self.database.reading() as connection:
            rows = await connection.execute(select(incident).order_by(incident.c.id))
            return [incident_from(row._mapping) for row in rows]

    async def _rows(self, table: Any) -> list[Any]:
        async with self.database.reading() as connection:
            return list(await connection.execute(select(table)))

    @invariant()
    def holds(self) -> None:
        """All of them."""
        incidents = self.run(self._incidents())
        rows = self.run(self._rows(escalation))
        messages = self.run(self._rows(message))
        events = self.run(self._rows(incident_event))
        now_ms = self.scene.clock.now_ms
        live = Counter(i.station for i in incidents if i.state is not State.CLOSED)
        assert max(live.values(), default=0) <= 1
        belongs = {r.finding_id for r in self.run(self._rows(incident_finding))}
        assert {f.id for f in self.run(self._rows(finding_table))} == belongs
        by_id = {i.id: i for i in incidents}
        for row in rows:
            if row.state == RowState.DUE.value:
                assert row.due_ms > now_ms
                assert by_id[row.incident_id].state is not State.CLOSED
                assert row.round == by_id[row.incident_id].round
            elif row.state in (RowState.FIRED.value, RowState.MISSED.value):
                assert 0 <= row.settled_ms - row.due_ms <= 2_000
        self._messages(by_id, messages)
        for i in incidents:
            reached = (i.acknowledged_ms, i.on_site_ms, i.reported_ms)
            if i.state is not State.CLOSED:
                assert [at is not None for at in reached] == [i.state.rank >= n for n in (1, 2, 3)]
            times = [i.opened_ms, *(at for at in reached if at is not None)]
            assert times == sorted(times)
            if i.urgency.value in DANGERS:
                told = {m.incident_id for m in messages} | {
                    e.incident_id for e in events if e.kind == "nobody_to_tell"
                }
                assert i.id in told

    def _messages(self, by_id: dict[int, Any], messages: list[Any]) -> None:
        once = Counter((m.incident_id, m.round, m.slot, m.channel, m.person_id) for m in messages)
        assert max(once.values(), default=0) <= 1
        tried = self.run(self._rows(attempt))
        left = Counter(out.id for _, _, out in self.scene.ways.taken())
        ledger = Counter(a.message_id for a in tried if a.outcome in ("accepted", "unknown"))
        assert left == ledger
        texts = {(out.id, out.text) for _, _, out in self.scene.ways.taken()}
        assert len(texts) == len(left)
        for m in messages:
            of = by_id[m.incident_id]
            answered = of.acknowledged_ms if of.round == m.round else None
            if m.slot in ESCALATIONS and answered is not None and m.first_sent_ms is not None:
                assert m.first_sent_ms <= answered or m.state == "bundled"


@pytest.fixture
async def template(tmp_path: Path) -> None:
    """What each history's database is copied from."""
    path = tmp_path / "template.db"
    await upgrade(f"sqlite:///{path}")
    _template[:] = [path]


@pytest.mark.usefixtures("template")
def test_no_history_breaks_an_invariant(request: pytest.FixtureRequest) -> None:
    """Findings, ends, acts of three people, receipts, failing providers, crashes, time.

    After every step of every history:

    * every finding that people must know of belongs to exactly one incident;
    * no station has two incidents that are not closed;
    * nothing is due in the past, nor in a closed incident, nor in an earlier round;
    * a step that was done and a deadline that was missed were so at their due time, never
      early, at most two seconds late, once per round (the row has one life);
    * a step is said once per round, person and way;
    * what a provider took is in the ledger, and nothing else is; a repeat has the same id and the
      same words;
    * after an acknowledgement no escalation of that round leaves;
    * state and times agree, and state goes back only with a new round;
    * every fire and danger has a message, or says that there was nobody to tell;
    * at the end the audit chain is whole.
    """
    histories = request.config.getoption("--histories")
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=histories,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
