"""``chargeward sites``: the compounds, their stations and cameras."""

import json
from pathlib import Path
from typing import Annotated, TypedDict

import typer
from rich.console import Console
from rich.table import Table

from alerts import audited
from api import database_schema
from api.cli.databases import EXIT_WRONG, AsJson, DatabaseUrl, chosen, opened, run, told
from api.clock import SystemClock
from api.stations import check
from devices import registry
from devices.errors import SiteFileError
from devices.model import Site
from devices.sitefile import dump_site, load_site, packaged_site

app = typer.Typer(
    no_args_is_help=True,
    help="The registry of sites. A site is one TOML file: `chargeward sites export --packaged` "
    "prints the one that is shipped (蔡马人家, 16 stations), to start your own from.",
)

Packaged = Annotated[bool, typer.Option("--packaged", help="The site that is shipped.")]


@app.command("import")
def import_(
    file: Annotated[Path | None, typer.Argument(help="The site file (TOML).")] = None,
    packaged: Packaged = False,  # noqa: FBT002 - an option
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Make the registry say what the file says; tells what was added, changed and removed.

    A station that is locked cannot be removed: release it first. Importing the same file again
    changes nothing. A running server takes the change in at its next start.
    """
    site = _given(file, packaged=packaged)
    report = run(_import(chosen(database), site))
    changes = {"added": report.added, "changed": report.changed, "removed": report.removed}
    if as_json:
        typer.echo(json.dumps({"site": report.site, **changes}, ensure_ascii=False))
        return
    for what, names in changes.items():
        for name in names:
            typer.echo(f"{what:<8} {name}")
    if report.unchanged:
        typer.echo(f"site {report.site}: nothing to change")


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Site files (TOML).")],
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Check site files without touching the database; exit code 1 when one is wrong."""
    results = [_checked(file) for file in files]
    if as_json:
        typer.echo(json.dumps(results, ensure_ascii=False))
    else:
        for result in results:
            for problem in result["problems"]:
                typer.echo(f"{result['file']}: {problem}", err=True)
            if result["site"] is not None:
                typer.echo(f"{result['file']}: good: {_summary(result['site'])}")
    if any(result["problems"] for result in results):
        raise typer.Exit(EXIT_WRONG)


@app.command()
def export(
    site: Annotated[str | None, typer.Argument(help="The id of a site in the registry.")] = None,
    packaged: Packaged = False,  # noqa: FBT002 - an option
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; default: standard output.")
    ] = None,
    database: DatabaseUrl = None,
) -> None:
    """Print a site as a TOML file that `chargeward sites import` takes back."""
    if packaged == (site is not None):
        msg = "name a site of the registry, or give --packaged"
        raise typer.BadParameter(msg)
    found = packaged_site() if site is None else run(_load(chosen(database), site))
    if found is None:
        typer.echo(f"there is no site {site}; `chargeward sites list` shows all", err=True)
        raise typer.Exit(EXIT_WRONG)
    text = dump_site(found)
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@app.command("list")
def list_(database: DatabaseUrl = None, as_json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Show the sites of the registry."""
    sites = run(_load_all(chosen(database)))
    if as_json:
        typer.echo(json.dumps([_facts(site) for site in sites], ensure_ascii=False))
        return
    if not sites:
        typer.echo("no site yet: `chargeward sites import FILE`, or `--packaged`")
        return
    table = Table("id", "名称", "name", "areas", "stations", "sockets", "cameras", box=None)
    for site in sites:
        facts = _facts(site)
        shown = ("areas", "stations", "sockets", "cameras")
        table.add_row(site.id, site.name.zh, site.name.en, *(str(facts[name]) for name in shown))
    Console().print(table)


def _given(file: Path | None, *, packaged: bool) -> Site:
    if packaged == (file is not None):
        msg = "give a site file, or --packaged"
        raise typer.BadParameter(msg)
    with told():
        return packaged_site() if file is None else check(load_site(file), str(file))


class _Checked(TypedDict):
    file: str
    problems: list[str]
    site: dict[str, str | int] | None


def _checked(file: Path) -> _Checked:
    try:
        return {
            "file": str(file),
            "problems": [],
            "site": _facts(check(load_site(file), str(file))),
        }
    except SiteFileError as error:
        return {"file": str(file), "problems": list(error.problems), "site": None}


def _facts(site: Site) -> dict[str, str | int]:
    return {
        "id": site.id,
        "name_zh": site.name.zh,
        "name_en": site.name.en,
        "areas": len(site.areas),
        "grids": site.grids,
        "stations": len(site.stations),
        "sockets": sum(station.sockets for station in site.stations),
        "cameras": len(site.cameras),
        "camera_total": site.camera_total,
    }


def _summary(facts: dict[str, str | int]) -> str:
    return (
        f"{facts['name_zh']} ({facts['name_en']}), {facts['areas']} areas, "
        f"{facts['stations']} stations, {facts['sockets']} sockets, {facts['cameras']} of "
        f"{facts['camera_total']} cameras"
    )


async def _import(url: str, site: Site) -> registry.ImportReport:
    await database_schema.upgrade(url)
    async with opened(url) as database, database.writing() as connection:
        report = await registry.import_site(connection, site)
        at_ms = SystemClock().utc_ms()
        await audited.imported(connection, "site", report, by=audited.SHELL, at_ms=at_ms)
        return report


async def _load(url: str, site: str) -> Site | None:
    async with opened(url) as database, database.reading() as connection:
        return await registry.load_site(connection, site)


async def _load_all(url: str) -> list[Site]:
    async with opened(url) as database, database.reading() as connection:
        return await registry.load_sites(connection)
