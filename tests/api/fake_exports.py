"""Evidence in memory: a ZIP and a PDF that name the incident."""

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.api.fake_cases import FakeCases


class FakeExports:
    """Implements ``api.http.ports.Exports`` over the fake cases."""

    def __init__(self, cases: FakeCases, sql: Callable[[], None]) -> None:
        """``sql`` raises while the database is down."""
        self._cases = cases
        self._sql = sql
        self.asked: list[tuple[str, str, str]] = []
        self.made: list[Path] = []

    async def pack(self, number: str, by: str) -> Path | None:
        """A ZIP in the system's temporary folder."""
        if not self._known(number, by, "pack"):
            return None
        with tempfile.NamedTemporaryFile(suffix=".zip", delete=False) as file:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("manifest.json", number)
            self.made.append(Path(file.name))
        return self.made[-1]

    async def report(self, number: str, by: str) -> bytes | None:
        """The beginning of a PDF."""
        return f"%PDF-1.4 {number}".encode() if self._known(number, by, "report") else None

    def _known(self, number: str, by: str, what: str) -> bool:
        self._sql()
        self.asked.append((what, number, by))
        return number in self._cases.by_number
