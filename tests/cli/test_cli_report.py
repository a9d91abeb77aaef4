"""``chargeward report`` and ``chargeward drill`` over a database file."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api import database_schema
from api.cli.main import app
from devices import registry
from devices.database import Database
from devices.sitefile import packaged_site
from tests.alerts_reports.reports_story import november


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The packaged site and its November."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'chargeward.db'}"
    asyncio.run(_fill(url))
    return url


async def _fill(url: str) -> None:
    await database_schema.upgrade(url)
    database = await Database.open(url)
    async with database.writing() as connection:
        await registry.import_site(connection, packaged_site())
        await november(connection)
    await database.close()


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("form", "begins"),
    [("json", b'{"site":'), ("csv", b"\xef\xbb\xbf"), ("html", b"<!doctype"), ("pdf", b"%PDF-")],
)
def test_a_report_is_written_to_a_file(url: str, tmp_path: Path, form: str, begins: bytes) -> None:
    """In each format."""
    out = tmp_path / f"report.{form}"
    asked = ("report", "caimarenjia", "2026-11", "--format", form, "--out", str(out))
    assert _run(*asked, "--database", url) == (0, "")
    assert out.read_bytes().startswith(begins)


def test_a_report_is_printed(url: str) -> None:
    """JSON unless something else is asked for."""
    code, output = _run("report", "caimarenjia", "2026-11-03", "--database", url)
    assert code == 0
    assert [line["number"] for line in json.loads(output)["incidents"]] == ["F0001", "F0002"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("elsewhere", "2026-11"), 1),
        (("caimarenjia", "2026-13"), 2),
        (("caimarenjia", "2026-11", "--format", "pdf"), 2),
        (("caimarenjia", "2026-11", "--format", "docx"), 2),
    ],
)
def test_what_cannot_be_reported_ends_the_command(
    url: str, arguments: tuple[str, ...], code: int
) -> None:
    """An unknown site, no period, a PDF for the terminal, an unknown format."""
    assert _run("report", *arguments, "--database", url)[0] == code


def test_a_drill_is_ordered_listed_and_shown(url: str) -> None:
    """The running server begins it; until then it is planned and nobody has answered."""
    ordered = ("drill", "start", "caimarenjia", "--area", "east", "--by", "li-na", "--json")
    code, output = _run(*ordered, "--database", url)
    drill = json.loads(output)
    assert (code, drill["state"], drill["area"], drill["by"]) == (0, "planned", "east", "li-na")
    _, listed = _run("drill", "list", "--json", "--database", url)
    assert json.loads(listed) == [drill]
    _, shown = _run("drill", "show", str(drill["id"]), "--json", "--database", url)
    assert json.loads(shown) == {"drill": drill, "begun_ms": None, "answers": []}
    assert _run("drill", "list", "caimarenjia", "--database", url)[0] == 0
    assert "planned" in _run("drill", "show", str(drill["id"]), "--database", url)[1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("start", "elsewhere", "--by", "li-na"), 1),
        (("start", "caimarenjia", "--by", "li-na", "--area", "moon"), 2),
        (("start", "caimarenjia"), 2),
        (("show", "99"), 1),
        (("show", "0"), 2),
    ],
)
def test_a_drill_of_what_does_not_exist_is_refused(
    url: str, arguments: tuple[str, ...], code: int
) -> None:
    """Nothing is written down."""
    assert _run("drill", *arguments, "--database", url)[0] == code
    assert json.loads(_run("drill", "list", "--json", "--database", url)[1]) == []
