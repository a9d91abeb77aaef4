"""Faults of our own that used to stand in the log only are health reasons."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.findings import FindingFilter, Recorded, list_findings
from alerts.watch.marks import load_mark
from api.database_schema import upgrade
from api.health import Reason, Trouble
from api.records import SqlRecords
from devices.command_model import CommandRecord
from devices.database import Database
from iot.journal import Entry, EntryKind
from rules.decisions import Decision, Record
from rules.model import Act, Change, Family, Finding, FindingKey, Severity, Transition
from tests.spine.conftest import START_MS, Stage
from tests.spine.scenes import after_crash, opened


def reasons(stage: Stage, trouble: Trouble) -> list[Reason]:
    """The reasons of one kind that stand now."""
    now_ms = round(stage.clock.monotonic_s() * 1000)
    return [r for r in stage.backend.health.verdict(now_ms).reasons if r.trouble is trouble]


def raised(station: str, temp_c: Any = 97.0) -> Transition:
    """A finding of this station begins."""
    finding = Finding(
        FindingKey(station, None, "R02", "main", START_MS),
        Family.ALARM,
        Severity.CRITICAL,
        "socket_hot",
        Act.NONE,
        latched=False,
        fire=False,
        shadow=False,
        raised_ms=START_MS,
        evidence={"temp_c": temp_c},
    )
    return Transition(Change.RAISED, finding, START_MS)


def unwritable() -> Decision:
    """A decision that no database takes: its evidence is no JSON."""
    return Decision(Record(START_MS, transitions=[raised("cmrj-01", object())]))


async def test_a_record_that_sql_refuses_turns_readiness_red(stage: Stage) -> None:
    """People may not have been told, so it is not only a line in the log."""
    assert reasons(stage, Trouble.UNRECORDABLE) == []
    stage.backend.lanes["safety"].submit(unwritable())
    await stage.backend.committer.flush()
    await stage.backend.watch()
    assert reasons(stage, Trouble.UNRECORDABLE) == [
        Reason(Trouble.UNRECORDABLE, "sql", red=True, age_ms=None)
    ]


async def test_a_journal_record_that_cannot_be_replayed_is_told(
    stage: Stage, tmp_path: Path
) -> None:
    """The watch starts all the same, and says that its state may lack something."""
    stage.telemetry()
    await stage.backend.committer.flush()
    stage.backend.journal.append(
        [Entry(EntryKind.FACTS, b"not a fact"), Entry(EntryKind.FACTS, b"")]
    )
    async with after_crash(stage, tmp_path / "crashed") as second:
        assert reasons(second, Trouble.REPLAY_SKIPPED) == [
            Reason(Trouble.REPLAY_SKIPPED, "journal", red=False, age_ms=None)
        ]
        now_ms = round(second.clock.monotonic_s() * 1000)
        assert second.backend.health.verdict(now_ms).replay_skipped == 2


async def test_the_clock_leaves_a_mark(tmp_path: Path) -> None:
    """At the start and each time the job runs."""
    async with opened(tmp_path / "data", START_MS) as stage:
        assert await mark_of(stage.backend.database) == START_MS
        stage.clock.now_ms += 10_000
        await stage.backend.mark()
        assert await mark_of(stage.backend.database) == START_MS + 10_000


async def mark_of(database: Database) -> int | None:
    """Our UTC in the mark at rest."""
    async with database.reading() as connection:
        mark = await load_mark(connection)
    return None if mark is None else mark.utc_ms


async def test_a_fault_of_the_intake_costs_no_record(tmp_path: Path) -> None:
    """What was found is in SQL, readiness is red, and the direct line tells of the danger."""
    heard: list[str] = []

    class Broken:
        """An intake with a bug that one station brings out."""

        async def take(
            self,
            connection: AsyncConnection,
            recorded: Recorded,
            commands: Sequence[CommandRecord],
            now_ms: int,
        ) -> None:
            """Break, for one station."""
            del connection, commands, now_ms
            if any(t.finding.key.station == "cmrj-01" for _, t in recorded.new):
                raise ZeroDivisionError

    url = f"sqlite:///{tmp_path}/chargeward.db"
    await upgrade(url)
    database = await Database.open(url)
    records = SqlRecords(database, Broken(), lambda: START_MS)
    records.on_recorded.append(lambda ts: heard.extend(t.finding.key.station for t in ts))
    both = [Record(START_MS, transitions=[raised(s)]) for s in ("cmrj-01", "cmrj-02")]
    with pytest.raises(ZeroDivisionError):
        await records.write(both)
    for record in both:  # as the committer does then
        await records.write([record])
    async with database.reading() as connection:
        stored = await list_findings(connection, FindingFilter())
    await database.close()
    assert sorted(f.finding.key.station for f in stored.items) == ["cmrj-01", "cmrj-02"]
    assert (records.unhandled, heard) == (1, ["cmrj-02"])


async def test_what_breaks_inside_a_part_is_a_metric(stage: Stage) -> None:
    """A text or a file that could not be made is done otherwise, and is not in the log alone."""
    stage.backend.people.desk.dispatcher.failures = 2
    stage.backend.evidence.freezer.counts.errors = 1
    await stage.backend.watch()
    now_ms = round(stage.clock.monotonic_s() * 1000)
    text = stage.backend.metrics.render(stage.backend.health.verdict(now_ms)).decode()
    seen = {line for line in text.splitlines() if line.startswith("chargeward_part_failures{")}
    assert seen == {
        'chargeward_part_failures{part="desk"} 2.0',
        'chargeward_part_failures{part="direct_line"} 0.0',
        'chargeward_part_failures{part="evidence"} 1.0',
        'chargeward_part_failures{part="intake"} 0.0',
    }
