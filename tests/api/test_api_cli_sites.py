"""``chargeward sites`` and ``chargeward db``: what they print, and how they end."""

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api import database_schema
from api.cli import db, sites
from devices.sitefile import dump_site, packaged_site, parse_site

EXIT_UNAVAILABLE = 69


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where a database would be; nothing is there yet."""
    return f"sqlite:///{tmp_path}/chargeward.db"


def _sites(*arguments: str) -> Result:
    return CliRunner().invoke(sites.app, list(arguments))


def _db(*arguments: str) -> Result:
    return CliRunner().invoke(db.app, list(arguments))


def test_import_list_and_export_of_the_packaged_site(url: str, tmp_path: Path) -> None:
    """In, shown, out again, and the same file goes in without a change."""
    first = json.loads(_sites("import", "--packaged", "--database", url, "--json").output)
    assert (first["site"], len(first["added"]), first["removed"]) == ("caimarenjia", 47, [])
    listed = json.loads(_sites("list", "--database", url, "--json").output)
    assert listed == [
        {
            "id": "caimarenjia",
            "name_zh": "蔡马人家",
            "name_en": "Caimarenjia",
            "areas": 3,
            "grids": 42,
            "stations": 16,
            "sockets": 192,
            "cameras": 27,
            "camera_total": 474,
        }
    ]
    shown = _sites("list", "--database", url)
    assert "蔡马人家" in shown.output
    out = tmp_path / "out.toml"
    exported = _sites("export", "caimarenjia", "--database", url, "-o", str(out))
    assert exported.exit_code == 0
    assert parse_site(out.read_bytes(), "out") == packaged_site()
    again = _sites("import", str(out), "--database", url)
    assert (again.exit_code, again.output) == (0, "site caimarenjia: nothing to change\n")


def test_import_names_what_it_changed(url: str, tmp_path: Path) -> None:
    """One line per thing."""
    _sites("import", "--packaged", "--database", url)
    changed = tmp_path / "changed.toml"
    changed.write_text(
        dump_site(packaged_site()).replace("feeder_limit_w = 6600", "feeder_limit_w = 6000", 1)
    )
    result = _sites("import", str(changed), "--database", url)
    assert (result.exit_code, result.output) == (0, "changed  station cmrj-03\n")


def test_export_of_the_packaged_site_needs_no_database() -> None:
    """To start one's own file from."""
    result = _sites("export", "--packaged")
    assert parse_site(result.stdout.encode(), "out") == packaged_site()


def test_validate_names_every_problem_of_every_file(tmp_path: Path) -> None:
    """Good and bad files side by side; exit code 1 and no database."""
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(dump_site(packaged_site()))
    bad.write_text(good.read_text().replace("sockets = 12", "sockets = 99", 2))
    result = _sites("validate", str(bad), str(good))
    assert result.exit_code == 1
    assert result.stdout == (
        f"{good}: good: 蔡马人家 (Caimarenjia), 3 areas, 16 stations, 192 sockets, "
        "27 of 474 cameras\n"
    )
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
        "stations[0].sockets",
        "stations[1].sockets",
    ]
    as_json = _sites("validate", "--json", str(bad), str(good))
    assert as_json.exit_code == 1
    assert [len(entry["problems"]) for entry in json.loads(as_json.stdout)] == [2, 0]


def test_an_import_of_a_wrong_file_changes_nothing(url: str, tmp_path: Path) -> None:
    """Refused before the database is touched."""
    bad = tmp_path / "bad.toml"
    bad.write_text("id = 5")
    result = _sites("import", str(bad), "--database", url)
    assert result.exit_code == 1
    assert "areas: field required" in result.stderr
    assert not (tmp_path / "chargeward.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [("import",), ("import", "a.toml", "--packaged"), ("export",), ("export", "x", "--packaged")],
)
def test_either_a_file_or_the_packaged_site(arguments: tuple[str, ...], url: str) -> None:
    """Anything else is a usage error."""
    assert _sites(*arguments, "--database", url).exit_code == 2


def test_looking_at_a_database_that_is_not_there(url: str, tmp_path: Path) -> None:
    """One line, its own exit code, and no file made."""
    for result in (
        _sites("list", "--database", url),
        _sites("export", "x-1", "--database", url),
        _db("current", "--database", url),
        _db("check", "--database", url),
        _db("backup", str(tmp_path / "b.db"), "--database", url),
    ):
        assert result.exit_code == EXIT_UNAVAILABLE
        assert result.stderr.startswith("the database cannot be used now: ")
    assert list(tmp_path.iterdir()) == []


def test_a_url_that_is_none(tmp_path: Path) -> None:
    """The error shows no password."""
    result = _db("current", "--database", "mysql://me:secret@host/db")
    assert result.exit_code == 1
    assert "use sqlite or postgresql" in result.stderr
    assert "secret" not in result.output + result.stderr
    assert list(tmp_path.iterdir()) == []


def test_unknown_site_is_told(url: str) -> None:
    """With the command that helps."""
    _db("upgrade", "--database", url)
    result = _sites("export", "nowhere", "--database", url)
    assert result.exit_code == 1
    assert "chargeward sites list" in result.stderr
    assert "no site yet" in _sites("list", "--database", url).output


def test_upgrade_current_and_check(url: str) -> None:
    """From nothing to what this version needs, and once more without effect."""
    newest = database_schema.newest()
    first = _db("upgrade", "--database", url, "--json")
    assert json.loads(first.output) == {"before": None, "after": newest}
    assert _db("upgrade", "--database", url).output == f"up to date at revision {newest}\n"
    current = _db("current", "--database", url, "--json")
    assert json.loads(current.output) == {"current": newest, "needed": newest}
    assert json.loads(_db("check", "--database", url, "--json").output) == {"problems": []}
    assert _db("check", "--database", url).exit_code == 0


def test_check_ends_with_1_when_something_differs(url: str, tmp_path: Path) -> None:
    """And says what."""
    _db("upgrade", "--database", url)
    with sqlite3.connect(tmp_path / "chargeward.db") as connection:
        connection.execute("DROP TABLE credential")
    connection.close()
    result = _db("check", "--database", url)
    assert result.exit_code == 1
    assert result.stdout.startswith("add table: credential")


def test_backup_is_a_whole_database(url: str, tmp_path: Path) -> None:
    """What was imported is in the copy; an existing file is never overwritten."""
    _sites("import", "--packaged", "--database", url)
    copy = tmp_path / "copies" / "monday.db"
    result = _db("backup", str(copy), "--database", url, "--json")
    assert json.loads(result.output) == {"file": str(copy), "bytes": copy.stat().st_size}
    listed = _sites("list", "--database", f"sqlite:///{copy}", "--json")
    assert json.loads(listed.output)[0]["stations"] == 16
    assert copy.stat().st_mode & 0o077 == 0
    before = copy.read_bytes()
    assert _db("backup", str(copy), "--database", url).exit_code == 1
    assert copy.read_bytes() == before


def test_backup_of_postgres_names_the_right_tool(tmp_path: Path) -> None:
    """We do not pretend to do what pg_dump does."""
    result = _db("backup", str(tmp_path / "b.db"), "--database", "postgresql://me@host/db")
    assert result.exit_code == 1
    assert "pg_dump" in result.stderr
