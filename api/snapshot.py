"""The state that survives a restart: engine and sequence memory, as of a journal position.

Together with the journal after that position it gives the state before the crash. A snapshot
that cannot be read costs a longer replay, nothing else.
"""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import structlog

from iot.sequence import SequenceState

log = structlog.get_logger(__name__)

_MAGIC: Final = b"CWS1"
_SIZE: Final = 4  # bytes of the head's length


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything before journal position ``lsn`` is in it."""

    lsn: int
    at_ms: int
    engine: bytes
    sequences: dict[str, SequenceState]


def save_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Replace the file atomically; durable when it returns. Blocking."""
    head = orjson.dumps(
        {"lsn": snapshot.lsn, "at_ms": snapshot.at_ms, "sequences": snapshot.sequences}
    )
    body = len(head).to_bytes(_SIZE, "little") + head + snapshot.engine
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(_MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def load_snapshot(path: Path) -> Snapshot | None:
    """The snapshot, or None when there is none that is whole."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    body = data[8:]
    whole = len(body) > _SIZE and zlib.crc32(body) == int.from_bytes(data[4:8], "little")
    if data[:4] != _MAGIC or not whole:
        log.error("the state snapshot is damaged; the journal is replayed from its start")
        return None
    end = _SIZE + int.from_bytes(body[:_SIZE], "little")
    head = orjson.loads(body[_SIZE:end])
    return Snapshot(head["lsn"], head["at_ms"], body[end:], head["sequences"])
