"""Packs and reports of incidents on request, without holding anything else up."""

import asyncio
from pathlib import Path
from typing import Final

from alerts.evidence.case import Case, read_case
from alerts.evidence.files import EvidenceFiles
from alerts.evidence.frozen import look
from alerts.evidence.pack import Packed, write_pack
from alerts.evidence.report import render
from alerts.paper.fonts import Face, find_face
from devices.database import Database

AT_ONCE: Final = 2
"""Packs that are made beside each other; each takes a thread and some memory."""


class Packer:
    """Makes packs and reports from what is recorded and frozen now."""

    def __init__(self, database: Database, files: EvidenceFiles, font: Path | None = None) -> None:
        """``font``: a TrueType font with Chinese; None = what is found on the machine."""
        self._database = database
        self._files = files
        self._font = font
        self._face: Face | None = None
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def pack(self, number: str, out: Path) -> Packed:
        """Write the pack of the incident to ``out``.

        Raises:
            NoIncidentError: there is no incident of that number.
            FontError: the font that is set cannot be used.
            OSError: ``out`` cannot be written.

        """
        async with self._turn:
            case = await self._read(number)
            face = await self._ready()
            return await asyncio.to_thread(write_pack, case, self._files, face, out)

    async def report(self, number: str) -> bytes:
        """The printable report of the incident as PDF.

        Raises:
            NoIncidentError: there is no incident of that number.
            FontError: the font that is set cannot be used.

        """
        async with self._turn:
            case = await self._read(number)
            face = await self._ready()
            return await asyncio.to_thread(self._render, case, face)

    def _render(self, case: Case, face: Face) -> bytes:
        return render(case, look(case, self._files), face, alone=True)

    async def _read(self, number: str) -> Case:
        async with self._database.reading() as connection:
            return await read_case(connection, number)

    async def _ready(self) -> Face:
        if self._face is None:
            self._face = await asyncio.to_thread(find_face, self._font)
        return self._face
