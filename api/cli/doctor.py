"""``chargeward doctor``: looks at everything the server needs and says what to do."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.cli import (
    channel_checks,
    database_checks,
    machine_checks,
    people_checks,
    service_checks,
)
from api.cli.diagnosis import Check, State, conclude
from api.clock import SystemClock
from api.logs import configure
from api.settings import Settings

EXIT_FAIL: Final = 1
"""At least one check failed."""
_SIGNS: Final = {
    State.OK: ("✓ ok", "green"),
    State.WARN: ("! warn", "yellow"),
    State.FAIL: ("✗ fail", "bold red"),
}


def doctor(
    as_json: Annotated[  # noqa: FBT002 - an option of the command
        bool, typer.Option("--json", help="Print one JSON object for a script.")
    ] = False,
) -> None:
    """Check settings, machine, broker, stores, people, ways to them, the server; say what to do.

    Safe while the server runs and before its first start. Exit code 0 when nothing failed
    (warnings included), 1 when something did. Takes a few seconds at most.
    """
    configure("error", "console")
    # The answer is printed inside: a hanging name look-up can hold up the end of the process.
    failed = asyncio.run(_examine(_print_json if as_json else _print_table))
    if failed:
        raise typer.Exit(EXIT_FAIL)


async def _examine(show: Callable[[list[Check]], None]) -> bool:
    settings, said = machine_checks.settings()
    checks = [said]
    if settings is not None:
        checks += await _all(settings)
    show(checks)
    return any(check.state is State.FAIL for check in checks)


async def _all(settings: Settings) -> list[Check]:
    """Every check at once, in the order in which a person would mend things."""
    questions: dict[str, Callable[[], Awaitable[Check | None]]] = {
        "data directory": partial(machine_checks.data_directory, settings),
        "disk": partial(machine_checks.disk, settings),
        "clock": partial(machine_checks.clock, SystemClock().utc_ms()),
        "site files": partial(machine_checks.site_files, settings),
        "broker": partial(service_checks.broker, settings.mqtt),
        "database": partial(database_checks.database, settings),
        "database clock": partial(database_checks.database_clock, settings),
        "people": partial(people_checks.people, settings),
        "telemetry store": partial(service_checks.telemetry, settings),
        "channels": partial(channel_checks.channels, settings.channels),
        "server": partial(service_checks.api, settings),
    }
    answers = await asyncio.gather(*(conclude(name, ask) for name, ask in questions.items()))
    return [answer for answer in answers if answer is not None]


def _print_json(checks: list[Check]) -> None:
    ok = all(check.state is not State.FAIL for check in checks)
    body = {"ok": ok, "checks": [asdict(check) for check in checks]}
    typer.echo(json.dumps(body, ensure_ascii=False, indent=2))


def _print_table(checks: list[Check]) -> None:
    table = Table("", "check", "found, and what to do", box=None, pad_edge=False)
    for check in checks:
        sign, style = _SIGNS[check.state]
        said = Text(check.found)
        if check.advice:
            said.append(f"\n→ {check.advice}", style="bold")
        table.add_row(Text(sign, style=style), check.name, said)
    Console(highlight=False).print(table)
