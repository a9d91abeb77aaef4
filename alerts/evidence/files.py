"""Where evidence lies on disk: one folder per incident, every file whole or not there."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from iot.durable import sync_directory

_NUMBER: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,15}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is durable, and what it must still be later."""

    name: str
    bytes: int
    sha256: str


class EvidenceFiles:
    """The files of all incidents below one folder. Blocking: run it in a thread."""

    def __init__(self, data_dir: Path) -> None:
        """Below ``data_dir``; made when the first file is kept."""
        self._root = data_dir / "evidence"

    def path(self, number: str, name: str) -> Path:
        """Where the file ``name`` of the incident ``number`` lies, or would.

        Raises:
            ValueError: one of them could lead elsewhere.

        """
        if not _NUMBER.fullmatch(number) or not _NAME.fullmatch(name):
            msg = f"{number!r}, {name!r}: no names of evidence"
            raise ValueError(msg)
        return self._root / number / name

    def keep(self, number: str, name: str, data: bytes) -> Kept:
        """Write a file durably: after a crash it is there whole or not at all."""
        self.draft(number, name).write_bytes(data)
        return self.adopt(number, name)

    def draft(self, number: str, name: str) -> Path:
        """Where to write a file that ``adopt`` then takes; an older draft is forgotten."""
        path = self.path(number, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft(path)
        draft.unlink(missing_ok=True)
        return draft

    def adopt(self, number: str, name: str) -> Kept:
        """Make the draft the file, durably; what it is from now on."""
        path = self.path(number, name)
        draft = _draft(path)
        digest, size = hashlib.sha256(), 0
        with draft.open("rb") as written:
            while chunk := written.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
            os.fsync(written.fileno())
        draft.replace(path)
        for folder in (path.parent, self._root, self._root.parent):
            sync_directory(folder)
        return Kept(name, size, digest.hexdigest())


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.draft")
