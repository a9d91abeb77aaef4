"""Named positions in the journal, each in a file of its own that is replaced atomically."""

import re
import zlib
from pathlib import Path
from threading import Lock
from typing import Final

from iot.durable import replace_file

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_SUFFIX: Final = ".cursor"


class Cursors:
    """Durable: after a crash a cursor has its old or its new value, never a third."""

    def __init__(self, directory: Path) -> None:
        """Read the cursors kept in ``directory``; an unreadable one counts as never set."""
        self._directory = directory
        self._setting = Lock()
        self._at: dict[str, int] = {}
        for path in directory.glob(f"*{_SUFFIX}"):
            lsn = _parse(path.read_bytes())
            if lsn is not None:
                self._at[path.stem] = lsn

    def get(self, name: str) -> int | None:
        """Where ``name`` stands, or None when it was never set."""
        return self._at.get(name)

    def lowest(self) -> int | None:
        """The cursor that is furthest behind, or None when there are none."""
        return min(list(self._at.values()), default=None)

    def set(self, name: str, lsn: int) -> None:
        """Put ``name`` at ``lsn``, durably before it returns."""
        if not _NAME.fullmatch(name):
            msg = f"a cursor's name is lower-case letters, digits, - and _: {name!r}"
            raise ValueError(msg)
        text = b"%d" % lsn
        with self._setting:
            path = self._directory / f"{name}{_SUFFIX}"
            replace_file(path, b"%s %08x\n" % (text, zlib.crc32(text)))
            self._at[name] = lsn


def _parse(data: bytes) -> int | None:
    text, _, check = data.strip().partition(b" ")
    if not text.isdigit() or check != b"%08x" % zlib.crc32(text):
        return None
    return int(text)
