"""``chargeward audit``: who did what, and whether the record of it is whole."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from alerts import audit
from alerts.audit import Anchor, Entry, Verdict
from api.cli.databases import EXIT_WRONG, AsJson, DatabaseUrl, chosen, opened, run
from api.cli.moments import shown

app = typer.Typer(
    no_args_is_help=True,
    help="The audit chain: every act of people, in order, each entry bound to all before it.",
)


@app.command()
def verify(
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="HASH@SEQ",
            help="An anchor kept outside, as printed by this command or on an evidence report: "
            "tells also that the end was cut off or that all was written anew.",
        ),
    ] = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Check every entry; exit code 1 when the chain does not hold. Prints its end as HASH@SEQ."""
    verdict = run(_verify(chosen(database), _anchor(expect)))
    broken = verdict.broken
    if as_json:
        body: dict[str, Any] = {"ok": verdict.ok, "entries": verdict.entries}
        body |= {"head": str(verdict.head), "broken": None if broken is None else asdict(broken)}
        typer.echo(json.dumps(body))
    elif broken is None:
        typer.echo(f"{verdict.entries} entries, all good")
        typer.echo(str(verdict.head))
    else:
        typer.echo(
            f"broken at entry {broken.seq}: {broken.kind.value.replace('_', ' ')}; the "
            f"{verdict.entries} entries before are good",
            err=True,
        )
        typer.echo(str(verdict.head))
    if broken is not None:
        raise typer.Exit(EXIT_WRONG)


@app.command("list")
def list_(
    subject: Annotated[
        str | None, typer.Option(help="Only about this, e.g. incident:F0012 or station:cmrj-01.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Only by this person or part.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=audit.MAX_LISTED, help="At most so many.")] = 50,
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """List the newest entries, newest first."""
    found = run(_list(chosen(database), subject, actor, limit))
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in found], ensure_ascii=False))
        return
    if not found:
        typer.echo("no entries")
        return
    for entry in found:  # a line each, however long: a cell cut short is no record
        detail = json.dumps(entry.detail, ensure_ascii=False)
        who = f"{entry.actor:<20} {entry.action:<24} {entry.subject:<20}"
        typer.echo(f"{entry.seq:>6}  {shown(entry.at_ms)}  {who} {detail}")


def _anchor(text: str | None) -> Anchor | None:
    try:
        return None if text is None else Anchor.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


async def _verify(url: str, expect: Anchor | None) -> Verdict:
    async with opened(url) as database, database.reading() as connection:
        return await audit.verify(connection, expect)


async def _list(url: str, subject: str | None, actor: str | None, limit: int) -> Sequence[Entry]:
    async with opened(url) as database, database.reading() as connection:
        return await audit.newest(connection, subject=subject, actor=actor, limit=limit)
