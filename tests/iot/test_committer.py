"""Durability before acknowledgement, whatever the disk and the database do."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import stamina

from iot.committer import Committer, Work
from iot.journal import Entry, EntryKind, Journal
from iot.quarantine import Quarantine, Refused


class DownError(Exception):
    """The database cannot be reached now."""


class MemoryRecords:
    """Records in a list; the next calls raise what is put into ``failures``."""

    def __init__(self) -> None:
        """Nothing written."""
        self.written: list[str] = []
        self.failures: list[Exception] = []
        self.refuses: set[str] = set()

    async def write(self, records: Sequence[str]) -> None:
        """All or nothing."""
        if self.failures:
            raise self.failures.pop(0)
        if self.refuses & set(records):
            msg = "this can never be written"
            raise ValueError(msg)
        self.written.extend(records)


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Retries without waiting."""
    with stamina.set_testing(True, attempts=5, cap=False):
        yield


@pytest.fixture
def records() -> MemoryRecords:
    """An empty record sink."""
    return MemoryRecords()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    made = Journal.open(tmp_path / "journal", max_bytes=64 * 1024 * 1024)
    yield made
    made.close()


@pytest.fixture
def committer(tmp_path: Path, journal: Journal, records: MemoryRecords) -> Committer[str]:
    """A committer over real files."""
    return Committer(journal, Quarantine(tmp_path / "quarantine"), records, retry_on=DownError)


def work(done: list[str], name: str, *, record: str | None = None) -> Work[str]:
    """A turn that notes in ``done`` when it was acknowledged."""
    note: Callable[[], None] = lambda: done.append(name)  # noqa: E731 - one line says it
    return Work(entries=[Entry(EntryKind.FACTS, name.encode())], record=record, after=note)


async def test_turns_are_acknowledged_in_order_after_the_journal(
    committer: Committer[str], journal: Journal
) -> None:
    """Nothing is done before the journal has it; then everything, in order."""
    done: list[str] = []
    for name in "abc":
        committer.submit(work(done, name))
    assert (done, committer.quiet) == ([], False)
    await committer.flush()
    assert (done, committer.quiet) == (["a", "b", "c"], True)
    assert [r.entry.payload for r in journal.read(0)] == [b"a", b"b", b"c"]


async def test_a_database_that_is_down_holds_back_only_its_own(
    committer: Committer[str], records: MemoryRecords
) -> None:
    """F14: telemetry is acknowledged while SQL is away; what SQL must have waits for it."""
    done: list[str] = []
    committer.submit(work(done, "alarm", record="alarm"))
    committer.submit(work(done, "frame"))
    await committer.write_journal()
    assert done == ["frame"]
    records.failures = [DownError(), DownError()]
    await committer.write_records()
    assert (done, records.written) == (["frame", "alarm"], ["alarm"])


async def test_a_record_that_can_never_be_written_does_not_hold_up_the_rest(
    committer: Committer[str], records: MemoryRecords
) -> None:
    """The bad one is counted and stays unacknowledged; the others are written."""
    done: list[str] = []
    records.refuses = {"bad"}
    for name in ("one", "bad", "two"):
        committer.submit(work(done, name, record=name))
    await committer.flush()
    assert (done, records.written) == (["one", "two"], ["one", "two"])
    assert (committer.unrecordable, committer.quiet) == (1, True)


async def test_refused_messages_are_durable_before_they_are_acknowledged(
    committer: Committer[str], tmp_path: Path
) -> None:
    """The quarantine has the raw bytes when the broker may forget them."""
    kept: list[list[bytes]] = []
    quarantine = Quarantine(tmp_path / "quarantine")
    committer.submit(
        Work(
            refused=[Refused(1, "t", "not_json", "", b"\x00rubbish", retained=False)],
            after=lambda: kept.append([r.payload for r in quarantine.recent()]),
        )
    )
    await committer.flush()
    assert kept == [[b"\x00rubbish"]]


async def test_the_loop_commits_by_itself(committer: Committer[str]) -> None:
    """Submitted work is committed without anybody asking."""
    done: list[str] = []
    both = asyncio.Event()
    task = asyncio.create_task(committer.run())
    committer.submit(work(done, "a", record="a"))
    last = work(done, "b", record="b")
    last.after = both.set
    committer.submit(last)
    await asyncio.wait_for(both.wait(), 5)
    committer.close()
    await task
    assert done == ["a"]
