"""``chargeward simulate`` as a script and a person use it."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
import typer
from typer.testing import CliRunner, Result

from api.cli.simulate import simulate
from iot.broker import EmbeddedBroker
from simulators.scenarios import SCENARIOS

ALONE = "import typer; from api.cli.simulate import simulate; typer.run(simulate)"
app = typer.Typer()
app.command()(simulate)


def call(arguments: Sequence[str]) -> Result:
    """Run the command in this process; none of these calls comes as far as a broker."""
    return CliRunner().invoke(app, list(arguments))


def test_list_names_every_scenario_in_both_languages() -> None:
    """One JSON line per scenario."""
    result = call(["--list", "--json"])
    assert result.exit_code == 0
    rows = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert [row["name"] for row in rows] == list(SCENARIOS)
    assert all(row["zh"] and row["en"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "no-such"], "overheating"),
        (["--lang", "fr"], "zh and en"),
        (["--for", "soon"], "90s"),
        (["--site", "no-such-file.toml"], "no-such-file.toml"),
        (["--credentials", "no-such-file"], "no-such-file"),
        (["--stations", "0"], "greater than or equal to 1"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_options_are_explained(arguments: list[str], words: str) -> None:
    """Exit code 2 and a message that says what would be right."""
    result = call(arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_credentials_without_a_colon_name_their_line(tmp_path: Path) -> None:
    """The line is named, the text of the line (a password, perhaps) is not."""
    file = tmp_path / "credentials"
    file.write_text("sim-001:good\nhunter2\n", encoding="utf-8")
    result = call(["--credentials", str(file)])
    assert result.exit_code == 2
    assert "line 2" in result.output
    assert "hunter2" not in result.output


async def test_events_are_json_lines() -> None:
    """Against a real broker: standard output is events as JSON and nothing else."""
    async with EmbeddedBroker() as broker:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ALONE, "--json"),
            *("--stations", "2", "--scenario", "overheating", "--port", str(broker.port)),
            *("--speed", "10", "--for", "10"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, logged = await process.communicate()
    assert process.returncode == 0, logged.decode()
    events = [orjson.loads(line) for line in printed.splitlines()]
    faults = [e for e in events if e["kind"] == "fault"]
    assert [e["detail"] for e in faults] == ["contact degraded"]
    assert faults[0]["socket"] in range(1, 13)
