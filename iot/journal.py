"""The durable write-ahead log of accepted frames and facts: the spool between us and stores.

What ``append`` returned for has survived: one write and one fdatasync for all entries of a
call. Consumers read behind named cursors and move them when their own work is durable.
The disk it takes is bounded: when a consumer is too slow, the oldest segments go and the
loss is reported; appending is never refused because somebody does not read.

Blocking (call it through ``asyncio.to_thread``) and safe to call from several threads.
``OSError`` passes through: the disk is full or broken, and the entries are not written.
"""

import fcntl
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple, Self

import structlog

from iot.cursors import Cursors
from iot.durable import sync_directory
from iot.segments import (
    Entry,
    EntryKind,
    Found,
    Segment,
    find_segments,
    pack,
    read_segment,
    recover,
    scan,
    segment_path,
)

__all__ = ["Entry", "EntryKind", "Journal", "JournalLocked", "Loss", "LossReason", "Record"]

log = structlog.get_logger(__name__)

_HINTS: Final = 16


class JournalLocked(OSError):  # noqa: N818 - the type is the sentence
    """Another process has this journal open."""


class LossReason(StrEnum):
    """Why records can no longer be read."""

    DROPPED = "dropped"  # the bound on disk was reached before every consumer had them
    DAMAGED = "damaged"  # the bytes on disk are no longer what was written


@dataclass(frozen=True, slots=True)
class Loss:
    """Records ``first_lsn`` (inclusive) to ``next_lsn`` (exclusive) are gone."""

    reason: LossReason
    first_lsn: int
    next_lsn: int

    @property
    def records(self) -> int:
        """How many."""
        return self.next_lsn - self.first_lsn


class Record(NamedTuple):
    """One entry; reading goes on at ``next_lsn``."""

    lsn: int
    next_lsn: int
    entry: Entry


class Journal:
    """An append-only log in segments. The LSN of a record is its number since the beginning."""

    def __init__(self, directory: Path, options: "_Options", lock_file: int) -> None:
        """Use ``Journal.open``."""
        self._directory = directory
        self._options = options
        self._lock_file = lock_file
        self._writing = Lock()
        self._state = Lock()
        self._hints: OrderedDict[int, tuple[int, int]] = OrderedDict()
        self._known_holes: set[int] = set()
        self._broken = False
        self.lost = dict.fromkeys(LossReason, 0)
        """Records lost since start, by reason."""
        self._cursors = Cursors(directory)
        self._segments = find_segments(directory)
        self._end = max(recover(self._segments), options.at_least)
        self._file = self._start_segment()

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        max_bytes: int,
        segment_bytes: int = 16 * 1024 * 1024,
        at_least: int = 0,
        on_loss: Callable[[Loss], None] | None = None,
    ) -> Self:
        """Open or create the journal in ``directory``; a record torn by a crash is cut off.

        ``at_least`` is the lowest LSN the next record may get: pass the highest position any
        store or snapshot remembers, so that a journal that was deleted by hand never numbers
        new records like old ones. ``on_loss`` is called in the thread that noticed the loss.
        Raises JournalLocked when another process has it.
        """
        directory.mkdir(parents=True, exist_ok=True)
        segment_bytes = min(segment_bytes, max(max_bytes // 4, 1))
        lock_file = _lock(directory)
        try:
            return cls(directory, _Options(max_bytes, segment_bytes, at_least, on_loss), lock_file)
        except BaseException:
            os.close(lock_file)
            raise

    @property
    def end_lsn(self) -> int:
        """The number the next record will get."""
        return self._end

    @property
    def oldest_lsn(self) -> int:
        """The number of the oldest record that is still kept (``end_lsn`` when there is none)."""
        with self._state:
            return self._segments[0].start

    @property
    def bytes_used(self) -> int:
        """Disk taken by records."""
        with self._state:
            return sum(segment.size for segment in self._segments)

    def append(self, entries: Sequence[Entry]) -> int:
        """Write ``entries`` durably, in order; the new ``end_lsn``.

        A crash before it returned keeps none, some of the first, or all of them.
        """
        if not entries:
            return self._end
        with self._writing:
            data = b"".join(pack(self._end + i, entry) for i, entry in enumerate(entries))
            losses = self._make_room(len(data))
            self._write(data)
            with self._state:
                self._segments[-1].size += len(data)
                self._end += len(entries)
                end = self._end
        for loss in losses:
            self._report(loss)
        return end

    def read(
        self, from_lsn: int, *, max_bytes: int = 4 * 1024 * 1024, limit: int = 10_000
    ) -> list[Record]:
        """The records from ``from_lsn`` on, at least one if there is one.

        Stops after ``limit`` records or ``max_bytes`` of payload. The first record has a higher
        number than asked for when the ones before it are gone.
        """
        while True:
            try:
                return self._collect(from_lsn, max_bytes, limit)
            except FileNotFoundError:
                continue  # dropped by a concurrent append: begin with what is now the oldest

    def cursor(self, name: str) -> int:
        """Where the consumer ``name`` stands. A new one is set to the oldest record, durably."""
        at = self._cursors.get(name)
        if at is None:
            at = self.oldest_lsn
            self._cursors.set(name, at)
        return at

    def move_cursor(self, name: str, lsn: int) -> None:
        """Remember, durably and atomically, that ``name`` needs nothing before ``lsn``."""
        if lsn > self._end:
            msg = f"cursor {name} cannot stand at {lsn}, the journal ends at {self._end}"
            raise ValueError(msg)
        if self._cursors.get(name) != lsn:
            self._cursors.set(name, lsn)

    def trim(self) -> int:
        """Delete the segments that every cursor has passed; the bytes freed."""
        freed = 0
        lowest = self._cursors.lowest()
        with self._state:
            while lowest is not None and len(self._segments) > 1:
                if self._segments[1].start > lowest:
                    break
                freed += self._remove_oldest()
        return freed

    def close(self) -> None:
        """Give the files and the lock back."""
        with self._writing:
            os.close(self._file)
            os.close(self._lock_file)

    def _make_room(self, size: int) -> list[Loss]:
        """Begin a new segment when this one is full, drop the oldest until ``size`` fits."""
        active = self._segments[-1]
        if self._broken or (active.size and active.size + size > self._options.segment_bytes):
            os.close(self._file)
            self._file = self._start_segment()
        losses = []
        lowest = self._cursors.lowest() or 0
        with self._state:
            used = sum(segment.size for segment in self._segments)
            while used + size > self._options.max_bytes and len(self._segments) > 1:
                needed, after = max(self._segments[0].start, lowest), self._segments[1].start
                used -= self._remove_oldest()
                if needed < after:
                    losses.append(Loss(LossReason.DROPPED, needed, after))
        return losses

    def _write(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            os.fdatasync(self._file)
        except OSError:
            # After a failed fsync nobody knows what is on disk: this file gets no more records.
            self._broken = True
            os.ftruncate(self._file, self._segments[-1].size)
            raise

    def _start_segment(self) -> int:
        """A new, durable, empty segment to write to; one without records is replaced."""
        if self._segments and self._segments[-1].start == self._end:
            self._segments.pop().path.unlink(missing_ok=True)
        path = segment_path(self._directory, self._end)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o640)
        sync_directory(self._directory)
        with self._state:
            self._segments.append(Segment(self._end, path, 0))
        self._broken = False
        return handle

    def _remove_oldest(self) -> int:
        segment = self._segments.pop(0)
        segment.path.unlink(missing_ok=True)
        return segment.size

    def _collect(self, from_lsn: int, max_bytes: int, limit: int) -> list[Record]:
        with self._state:
            segments = [Segment(s.start, s.path, s.size) for s in self._segments]
            ends = [s.start for s in segments[1:]] + [self._end]
        records: list[Record] = []
        lsn = max(from_lsn, segments[0].start)
        first = bisect_right(segments, lsn, key=lambda s: s.start) - 1
        for segment, until in zip(segments[first:], ends[first:], strict=True):
            for found, offset in self._found(segment, lsn):
                if found.lsn >= until:
                    break
                self._note_hole(lsn, found.lsn)
                lsn = found.lsn + 1
                records.append(Record(found.lsn, lsn, found.entry))
                max_bytes -= len(found.entry.payload)
                self._remember(lsn, segment.start, offset)
                if max_bytes <= 0 or len(records) >= limit:
                    return records
            self._note_hole(lsn, until)
            lsn = max(lsn, until)
        return records

    def _found(self, segment: Segment, lsn: int) -> Iterator[tuple[Found, int]]:
        """The records of ``segment`` from ``lsn`` on, each with the offset behind it."""
        start, offset = self._hints.get(lsn, (segment.start, 0))
        if start != segment.start:
            offset = 0
        for found in scan(read_segment(segment, offset), 0, lsn):
            yield found, offset + found.end

    def _remember(self, lsn: int, start: int, offset: int) -> None:
        """A reader that stops here will come back: it need not search its place again."""
        with self._state:
            self._hints[lsn] = (start, offset)
            self._hints.pop(lsn - 1, None)
            while len(self._hints) > _HINTS:
                self._hints.popitem(last=False)

    def _note_hole(self, lsn: int, until: int) -> None:
        """Report the records missing between ``lsn`` and ``until``, once."""
        with self._state:
            new = lsn < until and lsn not in self._known_holes
            if new:
                self._known_holes.add(lsn)
        if new:
            self._report(Loss(LossReason.DAMAGED, lsn, until))

    def _report(self, loss: Loss) -> None:
        self.lost[loss.reason] += loss.records
        log.error("journal records lost", reason=loss.reason, lsn=loss.first_lsn, n=loss.records)
        if self._options.on_loss is not None:
            self._options.on_loss(loss)


@dataclass(frozen=True, slots=True)
class _Options:
    max_bytes: int
    segment_bytes: int
    at_least: int
    on_loss: Callable[[Loss], None] | None


def _lock(directory: Path) -> int:
    handle = os.open(directory / "lock", os.O_CREAT | os.O_RDWR, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        msg = f"another process has the journal in {directory} open"
        raise JournalLocked(msg) from error
    return handle
