"""``chargeward people override``: who stands in for whom, for a time."""

import json
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table

from alerts.oncall import changes
from alerts.oncall.changes import StoredOverride
from alerts.oncall.model import Override
from api.cli.databases import AsJson, DatabaseUrl, chosen, opened, run
from api.cli.moments import moment, shown
from api.clock import SystemClock

app = typer.Typer(
    no_args_is_help=True,
    help="Who stands in, for a time. An override beats turns, hours and holidays.",
)

By = Annotated[str, typer.Option(help="Who decided it; goes into the record.")]
_WHEN = "now, +8h, 2026-03-01T08:00:00+08:00, or without an offset in UTC"


@app.command()
def add(  # noqa: PLR0913, PLR0917 - options of a command
    roster: Annotated[str, typer.Argument(help="The id of the roster.")],
    person: Annotated[str, typer.Argument(help="The id of the person who stands in.")],
    until: Annotated[str, typer.Option(help=_WHEN)],
    start: Annotated[str, typer.Option("--from", help=_WHEN)] = "now",
    by: By = "console",
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Put somebody on duty for a time, at once; of two overrides the one made last holds."""
    now_ms = SystemClock().utc_ms()
    said = {"roster": roster, "person": person, "by": by}
    times = {"from_ms": moment(start, now_ms), "until_ms": moment(until, now_ms)}
    try:
        override = Override.model_validate({**said, **times})
    except ValidationError as error:
        problems = (f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
        raise typer.BadParameter("; ".join(problems)) from None
    _tell(run(_add(chosen(database), override, now_ms)), as_json=as_json)


@app.command()
def end(
    number: Annotated[int, typer.Argument(help="Its number; `list` shows it.", min=1)],
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """End an override now; one that has not begun never does."""
    _tell(run(_end(chosen(database), number, SystemClock().utc_ms())), as_json=as_json)


@app.command("list")
def list_(
    roster: Annotated[str | None, typer.Argument(help="The id of a roster; default: all.")] = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Show overrides that have not ended."""
    found = run(_list(chosen(database), roster, SystemClock().utc_ms()))
    if as_json:
        typer.echo(json.dumps([_facts(stored) for stored in found], ensure_ascii=False))
        return
    heads = ("number", "roster", "person", "from", "until", "by")
    table = Table(*(Column(head, overflow="fold") for head in heads), box=None)
    for stored in found:
        table.add_row(*_row(stored))
    Console().print(table) if found else typer.echo("no override")


def _tell(stored: StoredOverride, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_facts(stored), ensure_ascii=False))
        return
    number, roster, person, start, until, _ = _row(stored)
    typer.echo(f"override {number}: {person} on {roster} from {start} until {until}")


def _row(stored: StoredOverride) -> tuple[str, str, str, str, str, str]:
    made = stored.override
    times = shown(made.from_ms), shown(made.until_ms)
    return str(stored.id), made.roster, made.person, *times, made.by


def _facts(stored: StoredOverride) -> dict[str, str | int]:
    made = stored.override.model_dump()
    return {"id": stored.id, **made, "created_ms": stored.created_ms}


async def _add(url: str, override: Override, now_ms: int) -> StoredOverride:
    async with opened(url) as database, database.writing() as connection:
        return await changes.add_override(connection, override, now_ms)


async def _end(url: str, number: int, now_ms: int) -> StoredOverride:
    async with opened(url) as database, database.writing() as connection:
        return await changes.end_override(connection, number, now_ms)


async def _list(url: str, roster: str | None, now_ms: int) -> list[StoredOverride]:
    async with opened(url) as database, database.reading() as connection:
        return await changes.list_overrides(connection, now_ms, roster)
