"""``chargeward demo``: the whole product with embedded defaults and simulated stations."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop

from api.cli.durations import seconds
from api.cli.phones import Crew
from api.cli.playing import Play, play_real, play_virtual
from api.logs import configure
from simulators.scenarios import UnknownScenarioError
from simulators.scenarios import find as find_scenario
from simulators.sms.model import Mode


def demo(  # noqa: PLR0913, PLR0917 - one parameter per option of the command
    scenario: Annotated[
        str, typer.Option(help="What happens; `chargeward simulate --list` shows all.")
    ] = "healthy",
    seed: Annotated[int, typer.Option(help="The same seed gives the same story.", min=0)] = 1,
    for_: Annotated[
        str | None, typer.Option("--for", help="End after this much real time, e.g. 60 or 10m.")
    ] = None,
    virtual: Annotated[
        str | None,
        typer.Option(help="Play this much story time as fast as the machine can, e.g. 24h."),
    ] = None,
    as_json: Annotated[  # noqa: FBT002 - an option of the command
        bool, typer.Option("--json", help="Print one JSON object at the end.")
    ] = False,
    site: Annotated[
        Path | None, typer.Option(help="Site file; the packaged compound without it.")
    ] = None,
    broker: Annotated[str, typer.Option(help="embedded or mosquitto")] = "embedded",
    host: Annotated[str, typer.Option(help="Address the API listens on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port of the API (0 = any free one).", min=0, max=65535)
    ] = None,
    provider: Annotated[
        Mode, typer.Option(help="How the first SMS provider behaves; a second one stands behind.")
    ] = Mode.OK,
    crew: Annotated[
        Crew, typer.Option("--people", help="What people do when they are told.")
    ] = Crew.SILENT,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep the data here; without it they go with the demo.")
    ] = None,
) -> None:
    """Run broker, store, rules, API and 16 simulated stations on this machine.

    Without --for and --virtual it runs until Ctrl-C. Reading the API needs no credential here;
    whatever changes state needs the one that is printed at the start.

    Examples:
      chargeward demo
      chargeward demo --scenario overheating --seed 7 --for 60 --json
      chargeward demo --scenario healthy --virtual 24h --json
      chargeward demo --scenario fire --virtual 40m --json --provider silent
    """
    if for_ is not None and virtual is not None:
        msg = "--for is real time and --virtual is story time: choose one"
        raise typer.BadParameter(msg)
    if broker not in {"embedded", "mosquitto"}:
        msg = f"{broker!r} is no broker: embedded or mosquitto"
        raise typer.BadParameter(msg)
    try:
        find_scenario(scenario)
    except UnknownScenarioError as error:
        raise typer.BadParameter(str(error)) from None
    configure("warning", "console")
    play = Play(
        scenario=scenario,
        seed=seed,
        real_s=None if for_ is None else seconds(for_),
        virtual_s=None if virtual is None else seconds(virtual),
        as_json=as_json,
        site=site,
        broker=broker,
        host=host,
        provider=provider,
        crew=crew,
        port=port if port is not None else (0 if as_json else 8000),
    )
    with tempfile.TemporaryDirectory(prefix="chargeward-") as temporary:
        directory = data_dir or Path(temporary)
        run = play_real if play.virtual_s is None else play_virtual
        result = uvloop.run(run(play, directory))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")
