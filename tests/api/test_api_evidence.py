"""Evidence over HTTP: only with a credential, whole, audited, and nothing left behind."""

import zipfile
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from alerts import audit
from alerts.evidence.check import check_pack
from alerts.evidence.files import EvidenceFiles
from alerts.evidence.packer import Packer
from api.exports import Exports
from devices.database import Database
from tests.alerts_evidence.evidence_scene import OPENED, add_story
from tests.api.fake_backend import FakeBackend
from tests.api.fake_cases import NUMBER

PATHS = [f"/api/v1/incidents/{NUMBER}/evidence.{kind}" for kind in ("zip", "pdf")]


async def test_the_pack_is_a_file_to_save(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """A ZIP under the incident's name; its copy on the server is gone afterwards."""
    answer = await client.get(PATHS[0])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == f'attachment; filename="evidence-{NUMBER}.zip"'
    assert answer.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.read("manifest.json") == NUMBER.encode()
    assert backend.exports.asked == [("pack", NUMBER, "admin")]
    assert [path.exists() for path in backend.exports.made] == [False]


async def test_the_report_is_a_pdf(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """The same without the rest."""
    answer = await client.get(PATHS[1])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"] == f'attachment; filename="evidence-{NUMBER}.pdf"'
    assert answer.content == f"%PDF-1.4 {NUMBER}".encode()
    assert backend.exports.asked == [("report", NUMBER, "admin")]


@pytest.mark.parametrize("path", PATHS)
async def test_a_stranger_gets_nothing(
    backend: FakeBackend, stranger: httpx.AsyncClient, path: str
) -> None:
    """It names people and their numbers."""
    assert (await stranger.get(path)).status_code == 401
    assert backend.exports.asked == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/incidents/F9999/evidence.zip", 404),
        ("/api/v1/incidents/F9999/evidence.pdf", 404),
        ("/api/v1/incidents/..%2F..%2Fetc/evidence.zip", 404),
        ("/api/v1/incidents/x/evidence.pdf", 422),
        (f"{PATHS[0]}?all=1", 422),
    ],
)
async def test_what_is_not_there_is_a_problem(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    """With the words of all other routes."""
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )


async def test_a_database_that_is_away_is_said(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """Later, not never."""
    backend.sql_down = True
    assert (await client.get(PATHS[1])).status_code == 503


async def test_asking_is_audited_and_changes_nothing(database: Database, tmp_path: Path) -> None:
    """Twice the same bytes, and the chain says who took them; leftovers of a crash are removed."""
    await add_story(database)
    left = tmp_path / "exports" / "left.zip"
    left.parent.mkdir()
    left.touch()
    packer = Packer(database, EvidenceFiles(tmp_path))
    exports = Exports(database, packer, tmp_path, lambda: OPENED)
    assert not left.exists()
    first, second = [await exports.pack("F0012", "li-na") for _ in range(2)]
    assert first is not None
    assert second is not None
    assert first.read_bytes() == second.read_bytes()
    assert (await exports.report("F0012", "li-na") or b"")[:5] == b"%PDF-"
    assert await exports.pack("F9999", "li-na") is None
    assert await exports.report("F9999", "li-na") is None
    checked = check_pack(first)
    assert list(checked.problems) == []
    async with database.reading() as connection:
        entries = await audit.newest(connection, subject="export:F0012")
        assert (await audit.verify(connection)).ok
    assert [(e.actor, e.action) for e in entries] == [
        ("li-na", "evidence.report"),
        ("li-na", "evidence.pack"),
        ("li-na", "evidence.pack"),
    ]
    assert entries[-1].detail == {"manifest_sha256": checked.manifest_sha256}
