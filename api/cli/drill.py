"""``chargeward drill``: order drills, list them, see who answered."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts.drills.book import Drill
from alerts.drills.report import Answer, DrillReport
from api.cli.databases import EXIT_WRONG, AsJson, DatabaseUrl, chosen, opened, run
from api.cli.moments import shown
from api.clock import SystemClock
from api.watchbook import SqlWatchBook
from devices import registry
from devices.model import Site

app = typer.Typer(
    no_args_is_help=True,
    help="Drills: everybody on duty is told as for a fire, with the word drill, and the report "
    "says who answered how fast. Planned ones are set by CHARGEWARD_DRILLS__PLANS.",
)
_LISTED = 50


@app.command()
def start(  # noqa: PLR0913, PLR0917 - the options of the command
    site: Annotated[str, typer.Argument(help="The site's id.")],
    by: Annotated[str, typer.Option(help="Who orders it; goes into the record.")],
    area: Annotated[str | None, typer.Option(help="Only this area; default: all of it.")] = None,
    note: Annotated[str, typer.Option(help="Why; goes into the record.")] = "",
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Order a drill; the running server begins it within seconds.

    It is not held while a real alarm stands on the site, nor when no server takes it up within
    half an hour.
    """
    url = chosen(database)
    registered = run(_site(url, site))
    if registered is None:
        typer.echo(f"there is no site {site}; `chargeward sites list` shows all", err=True)
        raise typer.Exit(EXIT_WRONG)
    areas = {one.id for one in registered.areas}
    if area is not None and area not in areas:
        msg = f"{area!r} is none of {', '.join(sorted(areas))}"
        raise typer.BadParameter(msg, param_hint="--area")
    drill = run(_order(url, site, area, note, by))
    typer.echo(json.dumps(asdict(drill)) if as_json else f"drill {drill.id} ordered")


@app.command("list")
def list_(
    site: Annotated[str | None, typer.Argument(help="The site's id; default: all.")] = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Show the newest drills, and those planned for the next days."""
    drills = run(_drills(chosen(database), site))
    if as_json:
        typer.echo(json.dumps([asdict(drill) for drill in drills], ensure_ascii=False))
        return
    table = Table("id", "site", "area", "planned", "state", "incident", "by", "note", box=None)
    for drill in drills:
        table.add_row(
            str(drill.id),
            drill.site,
            drill.area or "–",
            shown(drill.planned_ms),
            drill.state.value,
            drill.number or "–",
            drill.by,
            drill.note,
        )
    Console().print(table)


@app.command()
def show(
    drill: Annotated[int, typer.Argument(help="The drill's number.", min=1)],
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Show who answered a drill how fast, and who did not. Exit code 1 when there is no such."""
    found = run(_report(chosen(database), drill))
    if found is None:
        typer.echo(f"there is no drill {drill}", err=True)
        raise typer.Exit(EXIT_WRONG)
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    table = Table("person", "told", "delivered", "answered", "on site", "reported", box=None)
    for answer in found.answers:
        table.add_row(*_row(answer))
    Console().print(table)
    typer.echo(f"drill {drill}: {found.drill.state.value} {found.drill.note}".rstrip())


def _row(answer: Answer) -> list[str]:
    seconds = (
        answer.told_s,
        answer.delivered_s,
        answer.answered_s,
        answer.arrived_s,
        answer.reported_s,
    )
    return [answer.name, *("–" if s is None else f"{s} s" for s in seconds)]


async def _site(url: str, site: str) -> Site | None:
    async with opened(url) as database, database.reading() as connection:
        return await registry.load_site(connection, site)


async def _order(url: str, site: str, area: str | None, note: str, by: str) -> Drill:
    async with opened(url) as database:
        return await SqlWatchBook(database, SystemClock().utc_ms).order_drill(site, area, note, by)


async def _drills(url: str, site: str | None) -> tuple[Drill, ...]:
    async with opened(url) as database:
        book = SqlWatchBook(database, SystemClock().utc_ms)
        return (await book.drills(site, None, _LISTED)).items


async def _report(url: str, drill: int) -> DrillReport | None:
    async with opened(url) as database:
        return await SqlWatchBook(database, SystemClock().utc_ms).drill(drill)
