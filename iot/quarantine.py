"""Where refused messages rest with their raw bytes, so that a person can see what came.

JSON lines in numbered files below one directory. The disk it takes is bounded: the oldest
file goes when the bound is reached. One writer process; a line torn by a crash is skipped.
"""

import base64
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from iot.durable import sync_directory

MAX_PAYLOAD_BYTES: Final = 64 * 1024
"""More of one payload is not kept; its true size is."""
MAX_TEXT: Final = 1024
"""Longest topic or detail that is kept, characters."""
_FILES: Final = 8
"""The bound is shared by this many files, so a full quarantine loses an eighth at a time."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One message that was not let in. ``received_ms`` is our clock, UTC ms."""

    received_ms: int
    topic: str
    reason: str
    detail: str
    payload: bytes
    retained: bool
    payload_size: int | None = None  # its true size where ``payload`` is cut; None = it is whole


class Quarantine:
    """Bounded, durable, append-only. Blocking; safe to call from several threads."""

    def __init__(self, directory: Path, max_bytes: int = 256 * 1024 * 1024) -> None:
        """Keep at most ``max_bytes`` in ``directory``, which is created when missing."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._max_bytes = max_bytes
        self._lock = Lock()
        self.refused = 0
        """Messages put since start."""

    def put(self, items: Sequence[Refused]) -> None:
        """Write ``items`` durably: one write and one fsync for all of them."""
        if not items:
            return
        data = b"".join(_line(item) for item in items)
        with self._lock:
            path = self._make_room(len(data))
            fresh = not path.exists()
            with path.open("ab") as file:
                # A line torn by a crash ends here, so that it spoils only itself.
                file.write(data if fresh or _ends_whole(path) else b"\n" + data)
                file.flush()
                os.fsync(file.fileno())
            if fresh:
                sync_directory(self._directory)
            self.refused += len(items)

    def recent(self, limit: int = 100) -> list[Refused]:
        """The newest ``limit`` messages, newest first."""
        found: list[Refused] = []
        for path in reversed(self._files()):
            found += reversed(list(_read(path)))
            if len(found) >= limit:
                break
        return found[:limit]

    def bytes_used(self) -> int:
        """Disk taken, bytes."""
        return sum(path.stat().st_size for path in self._files())

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("refused-*.jsonl"))

    def _make_room(self, size: int) -> Path:
        """The file to write to, after deleting the oldest until ``size`` more bytes fit."""
        files = self._files()
        while len(files) > 1 and self.bytes_used() + size > self._max_bytes:
            files.pop(0).unlink()
        if not files:
            return self._directory / "refused-00000001.jsonl"
        newest = files[-1]
        used = newest.stat().st_size
        if used and used + size > self._max_bytes // _FILES:
            number = int(newest.stem.removeprefix("refused-")) + 1
            if self.bytes_used() + size > self._max_bytes:
                newest.unlink()
            return self._directory / f"refused-{number:08d}.jsonl"
        return newest


def _line(item: Refused) -> bytes:
    record = {
        "received_ms": item.received_ms,
        "topic": item.topic[:MAX_TEXT],
        "reason": item.reason,
        "detail": item.detail[:MAX_TEXT],
        "retained": item.retained,
        "payload_size": item.payload_size or len(item.payload),
        "payload": base64.b64encode(item.payload[:MAX_PAYLOAD_BYTES]).decode("ascii"),
    }
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def _read(path: Path) -> Iterator[Refused]:
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
            payload = base64.b64decode(record["payload"], validate=True)
            size = record["payload_size"]
            yield Refused(
                record["received_ms"],
                record["topic"],
                record["reason"],
                record["detail"],
                payload,
                record["retained"],
                None if size == len(payload) else size,
            )
        except (ValueError, KeyError, TypeError):
            continue  # torn by a crash: the message was not acknowledged and comes again


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
