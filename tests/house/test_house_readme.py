"""The README says what is there: commands that exist, files that exist, options that are taken."""

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from api.cli.main import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^(?:\.venv/bin/)?(chargeward .+)$", README, re.MULTILINE)))
NAMED = sorted(set(re.findall(r"`chargeward ([a-z]+)", README)))
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)\)", README)))


@pytest.mark.parametrize("name", NAMED)
def test_each_command_it_names_exists_and_explains_itself(name: str) -> None:
    """``--help`` of every command in the table works."""
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


@pytest.mark.parametrize("line", COMMANDS)
def test_each_example_uses_options_that_are_taken(line: str) -> None:
    """Every option of every example is one of its command."""
    _, name, *arguments = line.split()
    command = get_command(app).commands[name]  # type: ignore[attr-defined] # a click group
    taken = {option for parameter in command.params for option in parameter.opts}
    assert {a for a in arguments if a.startswith("--")} <= taken


@pytest.mark.parametrize("target", LINKS)
def test_each_link_leads_somewhere(target: str) -> None:
    """Relative links point at files or folders of this repository."""
    assert (ROOT / target).exists()


def test_it_names_exactly_the_rooms_and_make_targets_that_are_there() -> None:
    """The table of rooms and the make targets match the tree."""
    rooms = set(re.findall(r"^\| `([a-z]+)/` \|", README, re.MULTILINE))
    assert rooms == {p.parent.name for p in ROOT.glob("*/__init__.py")}
    phony = re.search(
        r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert phony is not None
    assert set(phony[1].split()) == set(re.findall(r"`?make (demo|test|check|bench)`?", README))
