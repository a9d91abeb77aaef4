"""``chargeward credentials``: made, listed, replaced and ended, as an administrator does."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import Result

from api.cli.credentials import app
from devices import credentials
from devices.database import Database, parse_url
from tests.cli.conftest import call, words

pytestmark = pytest.mark.usefixtures("data")


@pytest.fixture(autouse=True)
def url(database_url: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: ARG001 - clears first
    """An empty database of each kind, named by the settings."""
    full = parse_url(database_url).render_as_string(hide_password=False)
    monkeypatch.setenv("CHARGEWARD_DATABASE__URL", full)
    return full


def run(*arguments: str) -> Result:
    """``chargeward credentials ...``."""
    return call(app, *arguments)


def owner(url: str, token: str) -> str | None:
    """Whose valid credential ``token`` is."""

    async def ask() -> str | None:
        database = await Database.open(url)
        try:
            async with database.reading() as connection:
                return await credentials.verify(connection, token)
        finally:
            await database.close()

    return asyncio.run(ask())


def test_a_new_credential_is_printed_once_and_works(url: str) -> None:
    """Standard output is the token and nothing else; the list never shows it."""
    added = run("add", "zhang-wei")
    token = added.stdout.strip()
    assert (added.exit_code, added.stdout) == (0, f"{token}\n")
    assert owner(url, token) == "zhang-wei"
    for shown in (run("list"), run("list", "--json")):
        assert shown.exit_code == 0
        assert "zhang-wei" in shown.stdout
        assert token not in shown.stdout


def test_json_is_for_scripts(url: str) -> None:
    """Every answer that is data is one JSON document."""
    added = json.loads(run("add", "li-na", "--json").stdout)
    assert added["name"] == "li-na"
    rotated = json.loads(run("rotate", "li-na", "--json").stdout)
    assert owner(url, rotated["token"]) == "li-na"
    rows = json.loads(run("list", "--json").stdout)
    assert [(row["name"], row["revoked_ms"]) for row in rows] == [("li-na", None)]


def test_a_replaced_credential_is_void_at_once(url: str) -> None:
    """After ``rotate`` only the new token is taken."""
    old = run("add", "zhang-wei").stdout.strip()
    new = run("rotate", "zhang-wei").stdout.strip()
    assert new != old
    assert (owner(url, old), owner(url, new)) == (None, "zhang-wei")


def test_a_revoked_credential_is_void_and_its_name_used_up(url: str) -> None:
    """So that the record of who did what stays unambiguous."""
    token = run("add", "zhang-wei").stdout.strip()
    assert run("revoke", "zhang-wei").exit_code == 0
    assert owner(url, token) is None
    assert run("list").stdout.split() == ["zhang-wei", "revoked"]
    again = run("add", "zhang-wei")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "never used twice" in words(again.stderr)
    rotated = run("rotate", "zhang-wei")
    assert rotated.exit_code == 2
    assert "no live credential" in words(rotated.stderr)


def test_revoking_nobody_is_an_error() -> None:
    """Exit code 1 with the name, so that a script notices a misspelt one."""
    result = run("revoke", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no valid credential for nobody" in result.stderr


@pytest.mark.parametrize("name", ["", "Zhang Wei", "x", "-wei", "张伟", "a" * 65])
def test_a_name_that_cannot_be_used_is_explained(name: str) -> None:
    """Exit code 2; nothing is made."""
    result = run("add", "--", name)
    assert result.exit_code == 2
    assert "no credential name" in words(result.stderr)
    assert json.loads(run("list", "--json").stdout) == []


def test_wrong_settings_end_every_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The wrong variable is named, its value (perhaps a password) is not."""
    monkeypatch.setenv("CHARGEWARD_DATABASE__URL", "mysql://root:hunter2@db/x")
    result = run("list")
    assert result.exit_code == 78
    assert "CHARGEWARD_DATABASE__URL" in result.stderr
    assert "hunter2" not in result.output
    assert list(tmp_path.glob("data*")) == []
