"""Durability: what a turn decided is written down, and only then acknowledged.

Turns are committed in groups (whatever has queued while the disk was busy), in two steps. The
journal takes the frames: one write, one fsync, after which telemetry is acknowledged. What
people act on (findings, alarms, orders, lockouts) goes to SQL in one transaction; its
messages are acknowledged, and receipts sent, after that. A database that is down holds
back those acknowledgements and nothing else: telemetry flows, evaluation goes on, cuts leave.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

import stamina
import structlog

from iot.journal import Entry, Journal
from iot.mqtt import Delivery
from iot.quarantine import Quarantine, Refused

log = structlog.get_logger(__name__)

R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)
RETRY_MAX_S: Final = 5.0


class Records(Protocol[R_contra]):
    """Writes what turns decided; all of one call in one transaction, idempotent."""

    async def write(self, records: Sequence[R_contra]) -> None:
        """Commit ``records``; raises ``retry_on`` errors when it may be tried again."""


@dataclass(slots=True)
class Work(Generic[R]):
    """One turn's claim on durability."""

    entries: list[Entry] = field(default_factory=list)
    record: R | None = None
    refused: list[Refused] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    acknowledge: Callable[[Sequence[Delivery]], None] | None = None
    after: Callable[[], None] | None = None
    barrier: bool = False  # done only when everything submitted before it is in SQL too
    end_lsn: int = 0  # the journal position after this turn's entries


class Committer(Generic[R]):
    """Commits work in order; see the module's docstring for the two steps."""

    def __init__(
        self,
        journal: Journal,
        quarantine: Quarantine,
        records: Records[R],
        *,
        retry_on: type[Exception] | tuple[type[Exception], ...],
    ) -> None:
        """``retry_on``: errors of ``records`` that mean "not now" rather than "never"."""
        self._journal = journal
        self._quarantine = quarantine
        self._records = records
        self._retry_on = retry_on
        self._to_journal: list[Work[R]] = []
        self._to_record: list[Work[R]] = []
        self._journal_wanted = asyncio.Event()
        self._record_wanted = asyncio.Event()
        self._closing = False
        self._journaling = 0
        self._recording = 0
        self.unrecordable = 0
        self.journal_error: str | None = None
        self.record_error: str | None = None

    @property
    def waiting(self) -> tuple[int, int]:
        """Turns not yet in the journal, turns not yet in SQL."""
        return len(self._to_journal) + self._journaling, len(self._to_record) + self._recording

    @property
    def quiet(self) -> bool:
        """Whether everything submitted is durable: the moment for a snapshot."""
        return self.waiting == (0, 0)

    def submit(self, work: Work[R]) -> None:
        """Queue one turn; never waits."""
        self._to_journal.append(work)
        self._journal_wanted.set()

    async def run(self) -> None:
        """Commit until ``close``; a cancellation in the middle would leave a turn half written."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop(self._journal_wanted, self.write_journal))
            group.create_task(self._loop(self._record_wanted, self.write_records))

    async def flush(self) -> None:
        """Commit all that is queued now; not while ``run`` does."""
        await self.write_journal()
        await self.write_records()

    def close(self) -> None:
        """Let ``run`` end once it has nothing in hand; what is queued is left for ``flush``."""
        self._closing = True
        self._journal_wanted.set()
        self._record_wanted.set()

    async def _loop(self, wanted: asyncio.Event, write: Callable[[], Awaitable[None]]) -> None:
        while not self._closing:
            await wanted.wait()
            wanted.clear()
            await write()

    async def write_journal(self) -> None:
        """First step for all queued turns; a full or failing disk is retried for ever."""
        works, self._to_journal = self._to_journal, []
        if not works:
            return
        self._journaling = len(works)
        entries = [entry for work in works for entry in work.entries]
        refused = [item for work in works for item in work.refused]
        end = self._journal.end_lsn
        async for attempt in stamina.retry_context(
            on=self._note_journal, attempts=None, timeout=None, wait_max=RETRY_MAX_S
        ):
            with attempt:
                end = await asyncio.to_thread(self._append, entries, refused)
        self.journal_error = None
        position = end - len(entries)
        for work in works:
            position += len(work.entries)
            work.end_lsn = position
            if work.record is None and not work.barrier:
                self._finish(work)
            else:
                self._to_record.append(work)
                self._record_wanted.set()
        self._journaling = 0

    async def write_records(self) -> None:
        """Second step for all queued turns that have something for SQL."""
        works, self._to_record = self._to_record, []
        if not works:
            return
        self._recording = len(works)
        try:
            records = [work.record for work in works if work.record is not None]
            if records:
                await self._record(records)
            done = works
        except Exception:  # noqa: BLE001 - the loop's edge: one bad record must not hold up the rest
            done = await self._record_singly(works)
        self.record_error = None
        for work in done:
            self._finish(work)
        self._recording = 0

    async def _record(self, records: Sequence[R]) -> None:
        async for attempt in stamina.retry_context(
            on=self._note_record, attempts=None, timeout=None, wait_max=RETRY_MAX_S
        ):
            with attempt:
                await self._records.write(records)

    async def _record_singly(self, works: Sequence[Work[R]]) -> list[Work[R]]:
        """What SQL will never take stays unacknowledged and is counted; the rest is written."""
        done = []
        for work in works:
            try:
                if work.record is not None:
                    await self._record([work.record])
                done.append(work)
            except Exception:
                self.unrecordable += 1
                log.exception("a record was refused for good", record=repr(work.record)[:2000])
        return done

    def _append(self, entries: list[Entry], refused: list[Refused]) -> int:
        if refused:
            self._quarantine.put(refused)
        return self._journal.append(entries) if entries else self._journal.end_lsn

    def _note_journal(self, error: Exception) -> bool:
        self.journal_error = str(error)
        log.error("journal cannot be written", error=self.journal_error)
        return isinstance(error, OSError)

    def _note_record(self, error: Exception) -> bool:
        self.record_error = str(error)
        log.error("records cannot be written", error=self.record_error)
        return isinstance(error, self._retry_on)

    @staticmethod
    def _finish(work: Work[R]) -> None:
        if work.acknowledge is not None:
            work.acknowledge(work.deliveries)
        if work.after is not None:
            work.after()
