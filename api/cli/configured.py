"""What every command of an installation shares: its settings, and how wrong ones are said."""

import os
from typing import Final

import typer
from pydantic import ValidationError

from api.settings import Settings

EXIT_SETTINGS: Final = 78
"""sysexits' EX_CONFIG: a setting is wrong; the message names it."""

PREFIX: Final = "CHARGEWARD_"
TEST_NAMES: Final = ("CHARGEWARD_TEST_", "CHARGEWARD_TRACES")


def read_settings() -> Settings:
    """The settings of the environment; ends the command with one line per wrong field."""
    unknown = [
        name
        for name in os.environ  # noqa: TID251 - a mistyped name would otherwise do nothing, silently
        if name.startswith(PREFIX)
        and name.removeprefix(PREFIX).split("__")[0].lower() not in Settings.model_fields
        and not name.startswith(TEST_NAMES)
    ]
    if unknown:
        known = ", ".join(PREFIX + name.upper() for name in Settings.model_fields)
        typer.echo(f"{', '.join(sorted(unknown))}: no such setting; there are {known}", err=True)
        raise typer.Exit(EXIT_SETTINGS)
    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "CHARGEWARD_" + "__".join(str(part).upper() for part in problem["loc"])
            typer.echo(f"{name}: {problem['msg']}", err=True)
        raise typer.Exit(EXIT_SETTINGS) from None
