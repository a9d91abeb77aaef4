"""``chargeward evidence``: exported, checked, and told by exit code."""

import json
from pathlib import Path

import pytest

from api.cli.evidence import app
from devices.database import Database, parse_url
from tests.alerts_evidence.evidence_scene import add_story
from tests.cli.conftest import acall


@pytest.fixture
async def story(
    database: Database, migrated_url: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An incident in a database of each kind, named by the settings; the folder to write to."""
    full = parse_url(migrated_url).render_as_string(hide_password=False)
    monkeypatch.setenv("CHARGEWARD_DATABASE__URL", full)
    await add_story(database)
    return data.parent


async def test_a_pack_is_written_and_checked(story: Path) -> None:
    """While another process has the database open; an existing file stays unless it may go."""
    out = story / "F0012.zip"
    made = await acall(app, "export", "F0012", "--out", str(out))
    assert made.exit_code == 0, made.stderr
    manifest = made.stdout.splitlines()[1]
    again = await acall(app, "export", "F0012", "--out", str(out))
    assert (again.exit_code, again.stderr) == (1, f"{out} exists; --force replaces it\n")
    forced = await acall(app, "export", "F0012", "--out", str(out), "--force", "--json")
    assert json.loads(forced.stdout)["manifest_sha256"] == manifest
    good = await acall(app, "verify", str(out))
    assert (good.exit_code, good.stdout.splitlines()[:2]) == (
        0,
        ["incident F0012: 12 files, all as they were packed", f"manifest {manifest}"],
    )
    assert good.stdout.splitlines()[2].startswith("anchor ")


async def test_what_was_meddled_with_is_exit_code_1(story: Path) -> None:
    """Each fault on a line of standard error; JSON for scripts."""
    out = story / "F0012.zip"
    await acall(app, "export", "F0012", "--out", str(out))
    data = bytearray(out.read_bytes())
    place = data.index(b"commands.csv") + 40
    data[place] ^= 0xFF
    out.write_bytes(data)
    bad = await acall(app, "verify", str(out))
    assert bad.exit_code == 1
    assert "commands.csv: altered" in bad.stderr
    script = await acall(app, "verify", str(out), "--json")
    assert json.loads(script.stdout)["problems"] == ["commands.csv: altered"]


async def test_what_is_not_there_is_said(story: Path) -> None:
    """No incident, no pack, no font."""
    none = await acall(app, "export", "F9999", "--out", str(story / "a.zip"))
    assert (none.exit_code, none.stderr) == (1, "there is no incident F9999\n")
    nothing = await acall(app, "verify", str(story / "none.zip"))
    assert nothing.exit_code == 1
    assert "is no evidence pack that can be read" in nothing.stderr


async def test_a_font_that_cannot_be_used_is_named(
    story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting is wrong, not the incident."""
    wrong = story / "wrong.ttf"
    wrong.write_bytes(b"no font")
    monkeypatch.setenv("CHARGEWARD_PAPER__FONT", str(wrong))
    made = await acall(app, "export", "F0012", "--out", str(story / "a.zip"))
    assert made.exit_code == 1
    assert "wrong.ttf cannot be embedded" in made.stderr
