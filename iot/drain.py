"""Moves accepted frames from the journal into the telemetry store, in the background.

The journal already made them durable, so a slow or dead store costs nothing but disk: the
alarm path never waits for it. The position moves only after the store has the frames.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import stamina
import structlog

from iot import blocks
from iot.blocks import BlockError
from iot.frames import FrameBatch
from iot.journal import EntryKind, Journal, Record
from iot.store import StoreError, StoreRefused, StoreUnavailable, TelemetryStore

log = structlog.get_logger(__name__)

CURSOR: Final = "telemetry"
"""The drain's cursor in the journal."""


@dataclass(frozen=True, slots=True)
class DrainOptions:
    """How much goes at once, how long small amounts are collected, how patience grows."""

    max_bytes: int = 6 * 1024 * 1024  # some 20,000 frames of 12 sockets
    interval_s: float = 0.5
    retry_first_s: float = 0.5
    retry_max_s: float = 30.0
    retry_after_max_s: float = 300.0  # no store may ask for more patience


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the store is behind."""

    records: int  # journal records not in the store yet
    oldest_age_ms: int  # age of the oldest frame known to wait, by time of receipt; 0 = none


@dataclass(slots=True)
class DrainCounts:
    """Since start."""

    frames: int = 0
    batches: int = 0
    failures: int = 0  # attempts the store did not take
    gap_records: int = 0  # journal records that were gone before they could be stored
    undecodable: int = 0  # records whose frames could not be read


@dataclass(frozen=True, slots=True)
class _Held:
    """Frames read from the journal and not yet in the store."""

    blocks: list[tuple[int, FrameBatch]]
    upto: int
    full: bool  # more is waiting behind it

    @property
    def frames(self) -> int:
        """How many."""
        return sum(len(batch) for _, batch in self.blocks)


class Drain:
    """One consumer of the journal. Run one per store."""

    def __init__(
        self,
        journal: Journal,
        store: TelemetryStore,
        *,
        options: DrainOptions | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        on_undecodable: Callable[[int, bytes, str], None] | None = None,
    ) -> None:
        """``on_undecodable`` gets LSN, bytes and reason of a block that cannot be read."""
        self._journal = journal
        self._store = store
        self._options = options or DrainOptions()
        self._sleep = sleep
        self._on_undecodable = on_undecodable
        self._position: int | None = None
        self._held: _Held | None = None
        self._stored_ms: int | None = None
        self._one_at_a_time = asyncio.Lock()
        self.counts = DrainCounts()
        self.last_error: str | None = None
        """Why the store did not take the last attempt; None when it did."""

    async def run(self) -> None:
        """Drain until cancelled. Errors of store and disk are retried, others are bugs."""
        while True:
            full = False
            async for attempt in stamina.retry_context(
                on=self._patience,
                attempts=None,
                timeout=None,
                wait_initial=self._options.retry_first_s,
                wait_max=self._options.retry_max_s,
                wait_jitter=self._options.retry_first_s,
            ):
                with attempt:
                    full = await self._pass()
            if not full:
                await self._sleep(self._options.interval_s)

    async def pump(self) -> int:
        """One pass: store what waits, at most one batch; the number of frames stored.

        Raises StoreError or OSError when it cannot; nothing is lost and the next pass tries again.
        """
        before = self.counts.frames
        await self._pass()
        return self.counts.frames - before

    async def empty(self) -> None:
        """Pump until the store has everything that was in the journal when this was called."""
        end = self._journal.end_lsn
        while (await self._start()) < end:
            await self.pump()

    def lag(self, now_ms: int) -> Lag:
        """How far the store is behind at ``now_ms`` (UTC ms)."""
        position = self._journal.oldest_lsn if self._position is None else self._position
        held = self._held
        oldest = int(held.blocks[0][1].received_ms[0]) if held and held.blocks else now_ms
        return Lag(max(self._journal.end_lsn - position, 0), max(now_ms - oldest, 0))

    def stored_until_ms(self, now_ms: int) -> int | None:
        """Up to which time of receipt (UTC ms) the store has every frame; None = not known yet."""
        if self._position is not None and self._position >= self._journal.end_lsn:
            return now_ms
        return self._stored_ms

    async def _pass(self) -> bool:
        """One attempt at one batch; whether more is waiting."""
        async with self._one_at_a_time:
            return await self._attempt()

    async def _attempt(self) -> bool:
        try:
            position = await self._start()
            if self._held is None:
                self._held = await asyncio.to_thread(self._gather, position)
            held = self._held
            if held.blocks:
                await self._store.append(held.blocks, held.upto)
            if held.upto > position:
                await asyncio.to_thread(self._advance, held.upto)
        except (StoreError, OSError) as error:
            self._note_failure(error)
            raise
        self._position, self._held, self.last_error = held.upto, None, None
        if held.blocks:
            self._stored_ms = int(held.blocks[-1][1].received_ms[-1])
        self.counts.frames += held.frames
        self.counts.batches += bool(held.blocks)
        return held.full

    async def _start(self) -> int:
        """The position; on the first call, where the store or else the cursor says it is."""
        if self._position is None:
            stored = await self._store.stored_lsn()
            position = await asyncio.to_thread(self._journal.cursor, CURSOR)
            if stored is not None:
                position = stored
            if position > self._journal.end_lsn:
                # Going on would take new frames for stored ones.
                msg = f"the store is at {position}, the journal ends at {self._journal.end_lsn}"
                raise StoreRefused(msg)
            if stored == 0:  # a new store takes what is still there
                position = self._journal.oldest_lsn
            self._position = position
        return self._position

    def _gather(self, position: int) -> _Held:
        """The next batch, decoded. Blocking."""
        found: list[tuple[int, FrameBatch]] = []
        upto = position
        for record in self._journal.read(position, max_bytes=self._options.max_bytes):
            if record.lsn > upto:
                self.counts.gap_records += record.lsn - upto
                log.error("frames were gone before the store took them", records=record.lsn - upto)
            upto = record.next_lsn
            if record.entry.kind is EntryKind.FRAMES:
                self._decode(record, found)
        return _Held(found, upto, full=upto < self._journal.end_lsn)

    def _decode(self, record: Record, found: list[tuple[int, FrameBatch]]) -> None:
        try:
            found.append((record.lsn, blocks.decode(record.entry.payload)))
        except BlockError as error:
            self.counts.undecodable += 1
            log.exception("a block in the journal cannot be read", lsn=record.lsn)
            if self._on_undecodable is not None:
                self._on_undecodable(record.lsn, record.entry.payload, str(error))

    def _advance(self, upto: int) -> None:
        self._journal.move_cursor(CURSOR, upto)
        self._journal.trim()

    def _note_failure(self, error: StoreError | OSError) -> None:
        self.counts.failures += 1
        self.last_error = str(error)
        log.warning("the store did not take frames", error=self.last_error)

    def _patience(self, error: Exception) -> bool | float:
        """What ``stamina`` waits after ``error``: its own back-off, or what the store asked for."""
        if isinstance(error, StoreUnavailable) and error.retry_after_s is not None:
            return min(error.retry_after_s, self._options.retry_after_max_s)
        if isinstance(error, StoreRefused):
            return self._options.retry_max_s
        return isinstance(error, StoreError | OSError)
