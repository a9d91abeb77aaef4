"""``chargeward people``: who is to be reached, and who is on duty when."""

import json
from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer
from rich.console import Console
from rich.table import Column, Table

from alerts import audited
from alerts.oncall import registry
from alerts.oncall.book import Book, load_book
from alerts.oncall.errors import Kind, PeopleFileError, UnknownError
from alerts.oncall.model import Roster
from alerts.oncall.peoplefile import (
    People,
    dump_people,
    flaws,
    load_people_file,
    packaged_people,
)
from alerts.oncall.roster import Shift, shifts
from alerts.oncall.wallclock import local
from api import database_schema
from api.cli.databases import (
    EXIT_WRONG,
    AsJson,
    DatabaseUrl,
    chosen,
    opened,
    run,
    sentence,
    told,
)
from api.cli.moments import moment
from api.cli.overrides import app as overrides_app
from api.clock import SystemClock
from api.encoding import encode
from api.http import duty_views as views
from devices.registry import ImportReport

DAY_MS = 86_400_000
app = typer.Typer(
    no_args_is_help=True,
    help="People and rosters. Those of a site are one TOML file: `chargeward people export "
    "--packaged` prints the one that is shipped (invented names), to start your own from.",
)
app.add_typer(overrides_app, name="override")

Packaged = Annotated[bool, typer.Option("--packaged", help="The people that are shipped.")]
Site = Annotated[str | None, typer.Argument(help="The id of a site; needed when there are more.")]


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="People files (TOML).")],
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Check people files without touching the database; exit code 1 when one is wrong."""
    results = [_checked(file) for file in files]
    if as_json:
        typer.echo(json.dumps(results, ensure_ascii=False))
    else:
        for result in results:
            for problem in result["problems"]:
                typer.echo(f"{result['file']}: {problem}", err=True)
            if not result["problems"]:
                typer.echo(f"{result['file']}: good: {result['found']}")
    if any(result["problems"] for result in results):
        raise typer.Exit(EXIT_WRONG)


@app.command("import")
def import_(
    file: Annotated[Path | None, typer.Argument(help="The people file (TOML).")] = None,
    packaged: Packaged = False,  # noqa: FBT002 - an option
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Put a people file in force; tells what was added, changed and removed.

    The site must be in the registry. People who are no longer in the file become inactive;
    overrides stay. A running server sees the change at once.
    """
    if packaged == (file is not None):
        msg = "give a people file, or --packaged"
        raise typer.BadParameter(msg)
    with told():
        people = packaged_people() if file is None else load_people_file(file)
    report = run(_import(chosen(database), people))
    changes = {"added": report.added, "changed": report.changed, "removed": report.removed}
    if as_json:
        typer.echo(json.dumps({"site": report.site, **changes}, ensure_ascii=False))
        return
    for what, names in changes.items():
        for name in names:
            typer.echo(f"{what:<8} {name}")
    if report.unchanged:
        typer.echo(f"people of {report.site}: nothing to change")


@app.command()
def export(
    site: Annotated[str | None, typer.Argument(help="The id of a site.")] = None,
    packaged: Packaged = False,  # noqa: FBT002 - an option
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; default: standard output.")
    ] = None,
    database: DatabaseUrl = None,
) -> None:
    """Print the people of a site as a TOML file that `chargeward people import` takes back."""
    if packaged == (site is not None):
        msg = "name a site, or give --packaged"
        raise typer.BadParameter(msg)
    found = packaged_people() if site is None else run(_export(chosen(database), site))
    if output is None:
        typer.echo(dump_people(found), nl=False)
    else:
        output.write_text(dump_people(found), encoding="utf-8")


@app.command("list")
def list_(
    site: Site = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Show the people of a site with their rosters."""
    book = run(_book(chosen(database)))
    rows = [_facts(book, place) for place in ([_site(book, site)] if site else book.sites)]
    people = [row for rows_of in rows for row in rows_of]
    if as_json:
        typer.echo(json.dumps(people, ensure_ascii=False))
        return
    if not people:
        typer.echo("no people yet: `chargeward people import FILE`, or `--packaged`")
        return
    heads = ("site", "id", "name", "phone", "email", "rosters")
    table = Table(*(Column(head, overflow="fold") for head in heads), box=None)
    for row in people:
        shown = (row["site"], row["id"], row["name"], row["phone"] or "–", row["email"] or "–")
        table.add_row(*shown, ", ".join(row["rosters"]))
    Console().print(table)


@app.command()
def who(
    site: Site = None,
    area: Annotated[str | None, typer.Option(help="A patrol area of the site.")] = None,
    at: Annotated[str, typer.Option(help="now, -24h, +8h, 2026-03-01T08:00:00+08:00")] = "now",
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Show who is on duty for each role, and who would be told when nobody is."""
    at_ms = moment(at, SystemClock().utc_ms())
    book = run(_book(chosen(database)))
    place = book.sites[_site(book, site)]
    if area is not None and area not in place.areas:
        msg = f"{area} is none of {', '.join(place.areas)}"
        raise typer.BadParameter(msg)
    duty = views.duty(book, place.id, area, at_ms)
    if as_json:
        typer.echo(json.dumps(_plain(duty), ensure_ascii=False))
        return
    typer.echo(f"{place.id}{f' {area}' if area else ''} at {_local(book, place.id, at_ms)}")
    table = Table("role", "on duty", "told", box=None)
    for role in duty.roles:
        instead = role.told_role or "everybody"
        table.add_row(
            role.role.value,
            ", ".join(p.name for p in role.people) or "nobody",
            ", ".join(p.name for p in role.told) + (f" ({instead})" if role.fell_back else ""),
        )
    Console().print(table)


@app.command("shifts")
def shifts_(
    roster: Annotated[str, typer.Argument(help="The id of a roster.")],
    days: Annotated[int, typer.Option(min=1, max=92, help="How many days ahead.")] = 14,
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Show the coming shifts of a roster in the site's local time; empty ones say why."""
    now_ms = SystemClock().utc_ms()
    book, plan = run(_roster(chosen(database), roster))
    found = shifts(book, plan, now_ms, now_ms + days * DAY_MS)
    if as_json:
        typer.echo(json.dumps([_plain(views.shift(s)) for s in found], ensure_ascii=False))
        return
    table = Table("from", "until", "who", "why", box=None)
    for shift in found:
        table.add_row(*_row(book, plan.site, shift))
    Console().print(table)


class _Checked(TypedDict):
    file: str
    problems: list[str]
    found: str


def _checked(file: Path) -> _Checked:
    try:
        people = load_people_file(file)
    except PeopleFileError as error:
        return {"file": str(file), "problems": list(error.problems), "found": ""}
    problems = [sentence(flaw) for flaw in flaws(people)]
    found = f"{people.site}: {len(people.people)} people, {len(people.rosters)} rosters"
    return {"file": str(file), "problems": problems, "found": found}


class _Facts(TypedDict):
    site: str
    id: str
    name: str
    phone: str | None
    email: str | None
    rosters: list[str]


def _facts(book: Book, site: str) -> list[_Facts]:
    return [
        {
            "site": site,
            "id": p.id,
            "name": p.name,
            "phone": p.phone,
            "email": p.email,
            "rosters": [
                r.id for r in book.rosters_of(site) if p.id in {*r.people, *r.holiday_people}
            ],
        }
        for p in book.people_of(site)
    ]


def _site(book: Book, site: str | None) -> str:
    """The site asked for, or the only one."""
    if site is None and len(book.sites) == 1:
        return next(iter(book.sites))
    if site is None or site not in book.sites:
        known = ", ".join(book.sites) or "none: `chargeward sites import` first"
        msg = f"name a site; there are {known}"
        raise typer.BadParameter(msg)
    return site


def _row(book: Book, site: str, shift: Shift) -> tuple[str, str, str, str]:
    name = "nobody" if shift.person is None else shift.person.name
    start, end = (_local(book, site, at_ms) for at_ms in (shift.from_ms, shift.until_ms))
    return start, end, name, shift.why.value


def _local(book: Book, site: str, at_ms: int) -> str:
    return local(at_ms, book.sites[site].zone).isoformat(" ", timespec="minutes")


def _plain(view: object) -> Any:
    return json.loads(encode(view))


async def _import(url: str, people: People) -> ImportReport:
    await database_schema.upgrade(url)
    async with opened(url) as database, database.writing() as connection:
        report = await registry.import_people(connection, people)
        at_ms = SystemClock().utc_ms()
        await audited.imported(connection, "people", report, by=audited.SHELL, at_ms=at_ms)
        return report


async def _export(url: str, site: str) -> People:
    async with opened(url) as database, database.reading() as connection:
        found = await registry.load_people(connection, site)
        if found is None:
            raise UnknownError(Kind.SITE, site)
        return found


async def _roster(url: str, roster: str) -> tuple[Book, Roster]:
    book = await _book(url)
    plan = book.roster(roster)
    if plan is None:
        raise UnknownError(Kind.ROSTER, roster)
    return book, plan


async def _book(url: str) -> Book:
    async with opened(url) as database, database.reading() as connection:
        return await load_book(connection)
