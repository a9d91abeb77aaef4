"""``chargeward simulate``: simulated stations against a real broker."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from api.cli.durations import seconds
from api.clock import SystemClock
from api.logs import configure
from devices.errors import SiteFileError
from devices.sitefile import load_site
from simulators.fleet import Fleet
from simulators.link import Credentials, run
from simulators.model import FleetEvent, StationPlan
from simulators.scenarios import SCENARIOS, UnknownScenarioError
from simulators.texts import LANGUAGES, Language, event

SOCKETS = 12
MAX_STATIONS = 999


def simulate(  # noqa: PLR0913, PLR0917 - one parameter per option of the command
    stations: Annotated[
        int, typer.Option(help="How many stations, sim-001 on.", min=1, max=MAX_STATIONS)
    ] = 16,
    scenario: Annotated[str, typer.Option(help="What happens; --list shows all.")] = "healthy",
    seed: Annotated[int, typer.Option(help="The same seed gives the same story.", min=0)] = 1,
    host: Annotated[str, typer.Option(help="The broker's address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The broker's port.", min=1, max=65535)] = 1883,
    speed: Annotated[
        float, typer.Option(help="Story seconds per real second.", min=0.1, max=3600)
    ] = 1.0,
    for_: Annotated[
        str | None, typer.Option("--for", help="End after this much story time, e.g. 60 or 24h.")
    ] = None,
    site: Annotated[
        Path | None, typer.Option(help="Play the stations of this site file instead.")
    ] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(help="File with one station:password per line, for a broker that asks."),
    ] = None,
    lang: Annotated[str, typer.Option(help="zh or en, for what is printed.")] = "zh",
    as_json: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--json", help="Print each event as one JSON line.")
    ] = False,
    list_: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--list", help="List the scenarios and end.")
    ] = False,
) -> None:
    """Play simulated charging stations: physics, firmware, users, and one thing that goes wrong.

    Every station is an MQTT client of its own. It obeys orders and limits, repeats alarms until
    the receipt, trips locally, and never powers on by itself. Ends with Ctrl-C.

    Examples:
      chargeward simulate --list
      chargeward simulate --stations 16 --scenario overheating --seed 7
      chargeward simulate --scenario never-ends --speed 60 --for 12h --json
    """
    language = language_of(lang)
    if list_:
        _list(as_json=as_json)
        return
    clock = SystemClock().utc_ms
    try:
        fleet = Fleet(_plans(stations, site), scenario, seed, clock())
    except UnknownScenarioError as error:
        raise typer.BadParameter(str(error)) from error
    fleet.listen(_printer(fleet.start_ms, language, as_json=as_json))
    story = run(
        fleet,
        host=host,
        port=port,
        clock=clock,
        speed=speed,
        duration_s=None if for_ is None else seconds(for_),
        credentials=_credentials(credentials),
    )
    configure("warning", "console")
    try:
        asyncio.run(story)
    except KeyboardInterrupt:
        raise typer.Exit(code=0) from None


def language_of(lang: str) -> Language:
    """The language of an option; anything else is a usage error."""
    for language in LANGUAGES:
        if lang == language:
            return language
    msg = f"{lang!r}: there are zh and en"
    raise typer.BadParameter(msg)


def _plans(count: int, site: Path | None) -> list[StationPlan]:
    if site is None:
        return [StationPlan(f"sim-{number:03d}", SOCKETS) for number in range(1, count + 1)]
    try:
        return [StationPlan(s.id, s.sockets) for s in load_site(site).stations]
    except SiteFileError as error:
        raise typer.BadParameter(str(error)) from error


def _credentials(path: Path | None) -> Credentials | None:
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: {error}"
        raise typer.BadParameter(msg) from error
    known: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(lines, start=1):
        station, colon, password = line.strip().partition(":")
        if station and not colon:
            msg = f"{path}, line {number}: expected station:password"
            raise typer.BadParameter(msg)
        known[station] = (station, password)
    return known.get


def _printer(start_ms: int, language: Language, *, as_json: bool) -> Callable[[FleetEvent], None]:
    """Prints events as they happen; results on standard output, logs stay on standard error."""
    console = Console(highlight=False)

    def as_line(happened: FleetEvent) -> None:
        body = {
            "kind": happened.kind.value,
            "station": happened.station,
            "socket": happened.socket,
            "at_ms": happened.at_ms,
            "detail": happened.detail,
        }
        sys.stdout.buffer.write(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()

    def as_words(happened: FleetEvent) -> None:
        place = happened.station + (f"/{happened.socket}" if happened.socket else "")
        after_s = (happened.at_ms - start_ms) / 1000
        words = event(happened.kind, language)
        line = f"{after_s:10.1f} s  {place:<16} {words}  {happened.detail}"
        console.print(line.rstrip(), markup=False, soft_wrap=True)

    return as_line if as_json else as_words


def _list(*, as_json: bool) -> None:
    if as_json:
        for story in SCENARIOS.values():
            body = {"name": story.name, "zh": story.title_zh, "en": story.title_en}
            sys.stdout.buffer.write(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
        return
    table = Table("scenario", "场景", "story", box=None)
    for story in SCENARIOS.values():
        table.add_row(story.name, story.title_zh, story.title_en)
    Console().print(table)
