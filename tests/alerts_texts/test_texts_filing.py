"""The page and the command from which templates are filed show the texts in force."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.incidents.model import Kind
from alerts.texts.filing import filings, page
from api.cli.main import app
from rules.texts import Lang

PAGE = Path(__file__).parents[2] / "docs" / "sms-templates.md"


def test_the_page_is_what_the_texts_make_of_it() -> None:
    """``chargeward texts --markdown > docs/sms-templates.md`` was run after the last change."""
    assert PAGE.read_text("utf-8") == page("安充消防")
    result = CliRunner().invoke(app, ["texts", "--markdown"])
    assert (result.exit_code, result.output) == (0, page("安充消防"))


def test_every_kind_is_filed_for_both_channels_and_languages() -> None:
    """Nothing is sent whose template could not be filed."""
    filed = [(f.channel.value, f.lang, f.kind) for f in filings("安充")]
    assert filed == [(c, lang, k) for c in ("sms", "voice") for lang in Lang for k in Kind]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_command_prints_what_a_script_can_read(lang: str) -> None:
    """One channel and language, with the variables and an example that fits."""
    result = CliRunner().invoke(app, ["texts", "--channel", "sms", "--lang", lang, "--json"])
    rows = json.loads(result.output)
    assert [row["kind"] for row in rows] == [kind.value for kind in Kind]
    assert all("${" + name + "}" in row["template"] for row in rows for name in row["variables"])
    assert all(row["characters"] <= 70 for row in rows)


def test_the_command_shows_a_table_to_people() -> None:
    """Template and example under each other."""
    result = CliRunner().invoke(app, ["texts", "--channel", "sms", "--lang", "zh"])
    assert result.exit_code == 0
    assert "escalation" in result.output
