"""``chargeward report``: a site's day or month, for people and for spreadsheets."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from alerts.paper.fonts import find_face
from alerts.reports.collect import collect
from alerts.reports.csvfile import csv_of
from alerts.reports.model import Report
from alerts.reports.page import page_of
from alerts.reports.pdf import pdf_of
from alerts.reports.period import Period, parse_period
from alerts.reports.words import Words
from api.cli.databases import EXIT_WRONG, DatabaseUrl, chosen, opened, run
from api.clock import SystemClock
from api.encoding import encode
from devices import registry
from devices.model import Site
from rules.texts import Lang


class Format(StrEnum):
    """What the report is written as."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"
    PDF = "pdf"


def report(  # noqa: PLR0913, PLR0917 - the options of the command
    site: Annotated[str, typer.Argument(help="The site's id.")],
    period: Annotated[str, typer.Argument(help="A day (2026-11-25) or a month (2026-11).")],
    form: Annotated[Format, typer.Option("--format", help="json, csv, html or pdf.")] = Format.JSON,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A file; default: standard output.")
    ] = None,
    lang: Annotated[Lang, typer.Option(help="zh or en.")] = Lang.ZH,
    database: DatabaseUrl = None,
) -> None:
    """Write the report of a site's day or month, by the site's own clocks.

    Response times against 1-5-30, incidents by cause and station, messages and attempts,
    stations out of protection, drills, and how available the alarm path was.
    """
    try:
        asked = parse_period(period)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if form is Format.PDF and out is None:
        msg = "a PDF needs --out FILE"
        raise typer.BadParameter(msg)
    found = run(_collect(chosen(database), site, asked))
    if found is None:
        typer.echo(f"there is no site {site}; `chargeward sites list` shows all", err=True)
        raise typer.Exit(EXIT_WRONG)
    registered, collected = found
    body = _written(collected, Words(lang, registered), form)
    if out is None:
        typer.echo(body, nl=False)
    else:
        out.write_bytes(body)


def _written(collected: Report, words: Words, form: Format) -> bytes:
    match form:
        case Format.JSON:
            return encode(collected) + b"\n"
        case Format.CSV:
            return csv_of(collected, words).encode()
        case Format.HTML:
            return page_of(collected, words).encode()
        case Format.PDF:
            return pdf_of(collected, words, find_face())


async def _collect(url: str, site: str, period: Period) -> tuple[Site, Report] | None:
    async with opened(url) as database, database.reading() as connection:
        registered = await registry.load_site(connection, site)
        if registered is None:
            return None
        now_ms = SystemClock().utc_ms()
        return registered, await collect(connection, registered, period, now_ms)
