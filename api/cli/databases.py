"""What the commands on the SQL database share: which one, and how they end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, Final, TypeVar

import typer

from alerts.oncall.errors import (
    Flaw,
    OnCallError,
    OverrideRefusedError,
    PeopleFileError,
    PeopleRefusedError,
)
from api.cli.configured import read_settings
from api.texts import text
from devices.database import Database
from devices.errors import DatabaseUnavailable, DevicesError, SiteFileError
from iot.journal import JournalLocked
from iot.store import StoreError
from rules.errors import RulesError

T = TypeVar("T")

EXIT_WRONG: Final = 1
"""The thing asked about is not as it should be, or the request was refused."""
EXIT_UNAVAILABLE: Final = 69
"""sysexits' EX_UNAVAILABLE: the database cannot be reached now; trying again may help."""

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME. Default: the one `chargeward serve` "
        "uses (CHARGEWARD_DATABASE__URL, else chargeward.db in CHARGEWARD_DATA_DIR).",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for a script.")]


def chosen(url: str | None) -> str:
    """The database asked for, or the one the settings name."""
    return url or read_settings().database_url


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; an error of the database becomes one line and an exit code."""
    with told():
        return asyncio.run(work)


@contextmanager
def told() -> Iterator[None]:
    """Turn this product's errors into lines on standard error and an exit code."""
    try:
        yield
    except (SiteFileError, PeopleFileError) as error:
        for problem in error.problems:
            typer.echo(f"{error.source}: {problem}", err=True)
        raise typer.Exit(EXIT_WRONG) from None
    except DatabaseUnavailable as error:
        typer.echo(f"the database cannot be used now: {error}", err=True)
        raise typer.Exit(EXIT_UNAVAILABLE) from None
    except JournalLocked as error:
        typer.echo(f"another backend works on this data directory: {error}", err=True)
        raise typer.Exit(EXIT_UNAVAILABLE) from None
    except PeopleRefusedError as error:
        for flaw in error.flaws:
            typer.echo(sentence(flaw), err=True)
        raise typer.Exit(EXIT_WRONG) from None
    except OverrideRefusedError as error:
        typer.echo(sentence(error.flaw), err=True)
        raise typer.Exit(EXIT_WRONG) from None
    except (DevicesError, OnCallError, RulesError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_WRONG) from None


def sentence(flaw: Flaw) -> str:
    """What is wrong with a field of a people file, in the words the API uses."""
    return f"{flaw.where}: {text('en', f'why.{flaw.fault}', **flaw.values)}"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """The database, beside a server that may be running on it."""
    database = await Database.open(url, checkpoints=False, create=False)
    try:
        yield database
    finally:
        await database.close()
