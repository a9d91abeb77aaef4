"""Faults of our own that used to stand in the log only are health reasons."""

from pathlib import Path
from typing import Any

from alerts.watch.marks import load_mark
from api.health import Reason, Trouble
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


def unwritable() -> Decision:
    """A decision that no database takes: a rule's name is text and not longer than 8."""
    evil: Any = object()
    finding = Finding(
        FindingKey("cmrj-01", None, "R02", "main", START_MS),
        Family.ALARM,
        Severity.CRITICAL,
        "socket_hot",
        Act.NONE,
        latched=False,
        fire=False,
        shadow=False,
        raised_ms=START_MS,
        evidence={"temp_c": evil},
    )
    return Decision(Record(START_MS, transitions=[Transition(Change.RAISED, finding, START_MS)]))


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
