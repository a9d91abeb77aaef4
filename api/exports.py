"""Packs and reports for those who ask over HTTP: made aside, audited, and taken away again."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from alerts import audit
from alerts.evidence.errors import NoIncidentError
from alerts.evidence.packer import Packer
from devices.database import Database

_FOLDER: Final = "exports"


class Exports:
    """Implements ``api.http.ports.Exports``."""

    def __init__(
        self, database: Database, packer: Packer, data_dir: Path, now_ms: Callable[[], int]
    ) -> None:
        """``data_dir`` holds packs on their way; what a crash left there is removed.

        ``now_ms`` gives UTC milliseconds.
        """
        self._database = database
        self._packer = packer
        self._folder = data_dir / _FOLDER
        self._now_ms = now_ms
        shutil.rmtree(self._folder, ignore_errors=True)

    async def pack(self, number: str, by: str) -> Path | None:
        """The pack as a file of its own, for the caller to remove; None = no such incident."""
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        out = self._folder / f"{uuid4().hex}.zip"
        try:
            packed = await self._packer.pack(number, out)
        except NoIncidentError:
            return None
        await self._note(number, by, "evidence.pack", {"manifest_sha256": packed.manifest_sha256})
        return out

    async def report(self, number: str, by: str) -> bytes | None:
        """The report as PDF; None = no such incident."""
        try:
            pdf = await self._packer.report(number)
        except NoIncidentError:
            return None
        await self._note(number, by, "evidence.report", {"bytes": len(pdf)})
        return pdf

    async def _note(self, number: str, by: str, action: str, said: Mapping[str, Any]) -> None:
        at_ms = self._now_ms()
        await note_export(self._database, number, action, said, by=by, at_ms=at_ms)


async def note_export(  # noqa: PLR0913 - what, by whom and when
    database: Database, number: str, action: str, said: Mapping[str, Any], *, by: str, at_ms: int
) -> None:
    """Audit it under a subject of its own: asking for evidence must not change the evidence."""
    async with database.writing() as connection:
        await audit.append(
            connection,
            actor=by,
            action=action,
            subject=f"export:{number}",
            detail=said,
            at_ms=at_ms,
        )
