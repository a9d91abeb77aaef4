"""The files of the journal: records, and finding them again in damaged bytes.

A record is a marker, CRC-32 of all that follows, payload length, LSN, kind, payload. The
LSN is the record's number since the journal began; numbers are dense, so a hole tells how
many records are gone. The marker lets a reader find the next whole record behind damage.
"""

import errno
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_MARKER: Final = b"\xc7W\xa9R"
_SUFFIX: Final = ".journal"
_HEAD: Final = struct.Struct("<4sI")
_BODY: Final = struct.Struct("<IQB")
OVERHEAD: Final = _HEAD.size + _BODY.size
"""Bytes a record takes beside its payload."""


class EntryKind(IntEnum):
    """What an entry holds."""

    FRAMES = 1  # a block of accepted frames (``iot.blocks``)
    FACTS = 2  # what else the engine took in, in the writer's own encoding


_KINDS: Final = frozenset(EntryKind)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to remember."""

    kind: EntryKind
    payload: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A whole record that ends before ``end`` of the scanned bytes."""

    lsn: int
    entry: Entry
    end: int


def pack(lsn: int, entry: Entry) -> bytes:
    """The record of ``entry`` numbered ``lsn``."""
    body = _BODY.pack(len(entry.payload), lsn, entry.kind)
    crc = zlib.crc32(entry.payload, zlib.crc32(body))
    return b"".join((_HEAD.pack(_MARKER, crc), body, entry.payload))


def record_at(data: bytes, offset: int) -> Found | None:
    """The whole record that begins at ``offset``, or None when there is none."""
    start = offset + OVERHEAD
    if start > len(data):
        return None
    marker, crc = _HEAD.unpack_from(data, offset)
    size, lsn, kind = _BODY.unpack_from(data, offset + _HEAD.size)
    end = start + size
    if marker != _MARKER or end > len(data):
        return None
    if zlib.crc32(memoryview(data)[offset + _HEAD.size : end]) != crc or kind not in _KINDS:
        return None
    return Found(lsn, Entry(EntryKind(kind), data[start:end]), end)


def scan(data: bytes, offset: int, lsn: int) -> Iterator[Found]:
    """All whole records from ``offset`` on, numbered ``lsn`` or more and ascending.

    Bytes that are no record are stepped over: the caller sees the hole in the numbers.
    """
    while 0 <= offset < len(data):
        found = record_at(data, offset)
        if found is None:
            offset = data.find(_MARKER, offset + 1)
            continue
        offset = found.end
        if found.lsn >= lsn:
            yield found
            lsn = found.lsn + 1


@dataclass(slots=True)
class Segment:
    """One file: the records from ``start`` on, ``size`` bytes of which are durable."""

    start: int
    path: Path
    size: int


def segment_path(directory: Path, start: int) -> Path:
    """Where the segment lies whose first record is ``start``."""
    return directory / f"{start:020d}{_SUFFIX}"


def find_segments(directory: Path) -> list[Segment]:
    """All segments in ``directory``, oldest first."""
    paths = sorted(path for path in directory.glob(f"*{_SUFFIX}") if path.stem.isdigit())
    return [Segment(int(path.stem), path, path.stat().st_size) for path in paths]


def recover(segments: list[Segment]) -> int:
    """The number of the next record, after cutting off what a crash tore at the end."""
    if not segments:
        return 0
    last = segments[-1]
    lsn, end = last.start, 0
    for found in scan(read_segment(last, 0), 0, last.start):
        lsn, end = found.lsn + 1, found.end
    if end < last.size:
        log.warning("journal tail torn by a crash is cut off", bytes=last.size - end, lsn=lsn)
        os.truncate(last.path, end)
        last.size = end
    return lsn


def read_segment(segment: Segment, offset: int) -> bytes:
    """The durable bytes of ``segment`` from ``offset`` on; none where the disk cannot read them."""
    try:
        with segment.path.open("rb") as file:
            file.seek(offset)
            return file.read(segment.size - offset)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        log.exception("journal segment cannot be read", path=str(segment.path))
        return b""
