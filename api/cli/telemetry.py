"""``chargeward telemetry``: stored readings as files, and what is stored, waits or was refused."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from api.cli.configured import read_settings
from api.cli.databases import EXIT_UNAVAILABLE, EXIT_WRONG, AsJson, opened, run
from api.cli.moments import moment, shown
from api.cli.telemetry_store import NoStore, StoreInUse, look_at_journal
from api.cli.telemetry_store import opened as opened_store
from api.clock import SystemClock
from api.http.records import refusal
from api.logs import configure
from api.settings import MiB, Settings
from devices import registry
from devices.names import is_station_id
from iot.quarantine import Quarantine
from iot.store import RawQuery, StoreError, StoreUnavailable
from iot.telemetry_export import ExportFormat
from iot.telemetry_export import export as write_export

app = typer.Typer(
    no_args_is_help=True,
    help="What the stations measured: export it, see what is stored, see what was refused. "
    "Settings are those of `chargeward serve` (CHARGEWARD_*).",
)

Tell = Callable[[int, int], None]
"""Told the frames written so far and the event time reached, UTC ms."""
_IN_USE: Final = (
    "the running server has the telemetry store open, and the embedded store lets in one process "
    "at a time. Stop the server and try again, or ask the server itself: "
    "/api/v1/stations/STATION/telemetry gives a range, /readyz says what waits for the store."
)


@app.command()
def export(  # noqa: PLR0913, PLR0917 - one parameter per option of the command
    file: Annotated[Path, typer.Argument(help="The file to write.", dir_okay=False)],
    format_: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="Default: what the file's name ends with."),
    ] = None,
    station: Annotated[
        list[str] | None, typer.Option(help="Only this station; may be repeated.")
    ] = None,
    start: Annotated[
        str, typer.Option(help="From: now, -24h, ISO 8601 (UTC without offset), or UTC ms.")
    ] = "-24h",
    end: Annotated[str, typer.Option(help="Until, exclusive; written like --start.")] = "now",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,  # noqa: FBT002 - an option
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Write stored frames to one CSV or Parquet file, a row per socket reading, times in UTC.

    The file appears whole or not at all. With the embedded store the server must not run.

    Examples:
      chargeward telemetry export last-day.parquet
      chargeward telemetry export fire.csv --station cmrj-01 --start 2026-03-01T02:00:00+08:00 --end 2026-03-01T03:00:00+08:00
    """  # noqa: E501 - an example is copied as one line
    query = _query(station or [], start, end, SystemClock().utc_ms())
    file_format = format_ or _format_of(file)
    if file.exists() and not force:
        _end(f"{file} exists; --force replaces it", EXIT_WRONG)
    settings = _settings()
    with _told(), _progress(query) as tell:
        rows, frames = asyncio.run(_export(settings, query, file, file_format, tell))
    body = {
        "file": str(file),
        "format": file_format.value,
        "rows": rows,
        "frames": frames,
        "bytes": file.stat().st_size,
        "stations": None if query.stations is None else list(query.stations),
        "start_ms": query.start_ms,
        "end_ms": query.end_ms,
    }
    if as_json:
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    typer.echo(
        f"{file}: {rows:,} readings of {frames:,} frames from {shown(query.start_ms)} to "
        f"{shown(query.end_ms)}, {body['bytes']:,} bytes"
    )
    if not rows:
        typer.echo("nothing is stored for this; `chargeward telemetry status` shows what is")


@app.command()
def status(as_json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Show how much is stored, the newest frame of each station, and what waits in the journal.

    With the embedded store the server must not run; /readyz of a running server tells what waits.
    """
    settings = _settings()
    stations = run(_stations(settings))
    with _told():
        body = asyncio.run(_status(settings, stations, SystemClock().utc_ms()))
    if as_json:
        typer.echo(json.dumps(body))
    else:
        _print_status(body)


@app.command()
def quarantine(
    limit: Annotated[int, typer.Option(help="At most so many, newest first.", min=1)] = 50,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """List the newest messages that were refused, and why; also while the server runs."""
    directory = _settings().data_dir / "quarantine"
    found = Quarantine(directory).recent(limit) if directory.is_dir() else []
    rows = [asdict(refusal(one)) for one in found]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    if not rows:
        typer.echo(f"nothing was refused, as far as {directory.absolute()} tells")
        return
    table = Table("time (UTC)", "topic", "reason", "detail", "bytes", box=None)
    for row in rows:
        size = f"{row['size']:,}"
        cells = (shown(row["received_ms"]), row["topic"], row["reason"], row["detail"], size)
        table.add_row(*(Text(cell) for cell in cells))  # Text: what a stranger sent is no markup
    Console(highlight=False).print(table)


def _settings() -> Settings:
    settings = read_settings()
    configure("warning", "console")
    return settings


def _query(stations: list[str], start: str, end: str, now_ms: int) -> RawQuery:
    for name in stations:
        if not is_station_id(name):
            msg = f"{name!r} is no station id: 3 to 32 of a-z, 0-9 and -"
            raise typer.BadParameter(msg)
    wanted = tuple(dict.fromkeys(stations)) or None
    start_ms, end_ms = moment(start, now_ms), moment(end, now_ms)
    if start_ms >= end_ms:
        msg = f"--start ({shown(start_ms)}) must be before --end ({shown(end_ms)})"
        raise typer.BadParameter(msg)
    return RawQuery(start_ms, end_ms, wanted)


def _format_of(file: Path) -> ExportFormat:
    try:
        return ExportFormat(file.suffix.lower().removeprefix("."))
    except ValueError:
        msg = f"{file.name} ends with neither .csv nor .parquet: give --format csv or parquet"
        raise typer.BadParameter(msg) from None


@contextmanager
def _progress(query: RawQuery) -> Iterator[Tell]:
    """A bar on standard error, when a person looks at it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.fields[frames]:>12,} frames"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=query.end_ms - query.start_ms, frames=0)

        def tell(frames: int, reached_ms: int) -> None:
            bar.update(task, completed=reached_ms - query.start_ms, frames=frames)

        yield tell


async def _export(
    settings: Settings, query: RawQuery, file: Path, file_format: ExportFormat, tell: Tell
) -> tuple[int, int]:
    """Rows and frames written."""
    written = 0

    def counted(frames: int, reached_ms: int) -> None:
        nonlocal written
        written = frames
        tell(frames, reached_ms)

    async with opened_store(settings) as store:
        rows = await write_export(store, query, file, file_format, counted)
    return rows, written


async def _stations(settings: Settings) -> list[str]:
    """The registered stations."""
    async with opened(settings.database_url) as database, database.reading() as connection:
        sites = await registry.load_sites(connection)
    return [station.id for site in sites for station in site.stations]


async def _status(settings: Settings, stations: Sequence[str], now_ms: int) -> dict[str, Any]:
    async with opened_store(settings) as store:
        frames, stored_lsn, health = (
            await store.count(),
            await store.stored_lsn(),
            await store.health(),
        )
        last = await store.last(stations)
    newest = {str(name): int(at) for name, at in zip(last.station, last.event_ms, strict=True)}
    journal = await asyncio.to_thread(look_at_journal, settings.data_dir / "journal")
    return {
        "kind": settings.telemetry.kind,
        "frames": frames,
        "bytes": health.bytes_used,
        "health": health.detail,
        "stations": [_newest(name, newest.get(name), now_ms) for name in stations],
        "journal": None
        if journal is None
        else {
            "waiting": journal.waiting(stored_lsn),
            "bytes": journal.bytes_used,
            "bound_bytes": settings.telemetry.spool_mib * MiB,
        },
    }


def _newest(station: str, event_ms: int | None, now_ms: int) -> dict[str, Any]:
    age_ms = None if event_ms is None else now_ms - event_ms
    return {"station": station, "newest_ms": event_ms, "age_ms": age_ms}


def _print_status(body: dict[str, Any]) -> None:
    used = "" if body["bytes"] is None else f", {body['bytes'] / MiB:,.1f} MiB"
    typer.echo(f"{body['kind']} store: {body['frames']:,} frames{used}, {body['health']}")
    journal = body["journal"]
    if journal is None:
        typer.echo("journal: none yet")
    else:
        typer.echo(
            f"journal: {journal['waiting']:,} records wait for the store, "
            f"{journal['bytes'] / MiB:,.1f} of {journal['bound_bytes'] / MiB:,.0f} MiB used"
        )
    table = Table("station", "newest frame (UTC)", "age", box=None)
    for row in body["stations"]:
        at_ms = row["newest_ms"]
        when = ("never", "") if at_ms is None else (shown(at_ms), _age(row["age_ms"]))
        table.add_row(row["station"], *when)
    Console(highlight=False).print(table)


def _age(age_ms: int) -> str:
    minutes, hours, days = age_ms // 60_000, age_ms // 3_600_000, age_ms // 86_400_000
    if days:
        return f"{days} d"
    return f"{hours} h" if hours else f"{minutes} min" if minutes else f"{age_ms // 1000} s"


@contextmanager
def _told() -> Iterator[None]:
    """Turn errors of the store and the disk into a line on standard error and an exit code."""
    try:
        yield
    except StoreInUse:
        _end(_IN_USE, EXIT_WRONG)
    except NoStore as error:
        _end(f"{error}; CHARGEWARD_DATA_DIR names the server's data directory", EXIT_WRONG)
    except StoreUnavailable as error:
        _end(f"the telemetry store cannot be used now: {error}", EXIT_UNAVAILABLE)
    except StoreError as error:
        _end(str(error), EXIT_WRONG)
    except OSError as error:
        _end(f"cannot be read or written: {error}", EXIT_WRONG)


def _end(message: str, code: int) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(code) from None
