"""Messages written down instead of sent: for the demo, and for a site without any way.

Nobody is reached by them. Whoever sets nothing else is told so at every start.
"""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog

from alerts.channels.port import Accepted, Channel, Outgoing, Retryable
from alerts.incidents.model import Kind

log = structlog.get_logger(__name__)

FREE: Final = ("file", "console")
"""The names of these ways: what goes by them costs nothing."""


class _Written:
    signature = ""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def template(self, kind: Kind, lang: str) -> str:  # noqa: ARG002 - of the port
        """None is needed."""
        return ""

    async def close(self) -> None:
        """Nothing is kept open."""


class File(_Written):
    """``file``: one JSON line a message, on the disk before it counts as accepted."""

    name = "file"

    def __init__(self, channel: Channel, path: Path, clock_ms: Callable[[], int]) -> None:
        """``clock_ms`` is UTC; the file is made when the first message comes."""
        super().__init__(channel)
        self._path = path
        self._clock_ms = clock_ms

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Append it; see ``Provider``."""
        line = json.dumps(_told(outgoing, self._clock_ms()), ensure_ascii=False) + "\n"
        try:
            await asyncio.to_thread(_append, self._path, line.encode())
        except OSError as error:
            code, detail = "disk", f"{type(error).__name__}: {error.strerror}"
            raise Retryable(code, detail) from None
        return Accepted(None, receipts=False)


class Console(_Written):
    """``console``: into the log, as a warning."""

    name = "console"

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Log it; see ``Provider``."""
        log.warning("nobody was told", **_told(outgoing, None))
        return Accepted(None, receipts=False)


def _told(outgoing: Outgoing, at_ms: int | None) -> dict[str, Any]:
    said = {
        "id": outgoing.id,
        "kind": outgoing.kind.value,
        "channel": outgoing.channel.value,
        "address": outgoing.address,
        "lang": outgoing.lang,
        "title": outgoing.title,
        "text": outgoing.text,
        "params": dict(outgoing.params),
    }
    return said if at_ms is None else {"at_ms": at_ms, **said}


def _append(path: Path, line: bytes) -> None:
    # Only the owner may read it: it holds phone numbers and one-time links.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, line)
        os.fsync(handle)
    finally:
        os.close(handle)
