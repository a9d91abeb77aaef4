"""``chargeward db``: the schema of the SQL database, and its copies."""

import json
from pathlib import Path
from typing import Annotated

import typer

from api import database_schema
from api.cli.databases import EXIT_WRONG, AsJson, DatabaseUrl, chosen, run, told
from devices.backup import back_up

app = typer.Typer(
    no_args_is_help=True,
    help="The SQL database: findings, commands, lockouts, the registry. `serve` and `demo` upgrade "
    "it by themselves; these commands are for looking, and for doing it beforehand.",
)


@app.command()
def upgrade(database: DatabaseUrl = None, as_json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Make the database if there is none, and bring its schema up to date.

    All of it is one transaction: if it fails, the database is as it was. Safe to run again.
    """
    done = run(database_schema.upgrade(chosen(database)))
    if as_json:
        typer.echo(json.dumps({"before": done.before, "after": done.after}))
    elif done.before == done.after:
        typer.echo(f"up to date at revision {done.after}")
    else:
        typer.echo(f"upgraded from {done.before or 'nothing'} to revision {done.after}")


@app.command()
def current(database: DatabaseUrl = None, as_json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Show the revision of the schema, and the one this version needs."""
    revision = run(database_schema.current(chosen(database)))
    needed = database_schema.newest()
    if as_json:
        typer.echo(json.dumps({"current": revision, "needed": needed}))
    else:
        typer.echo(f"revision {revision or 'none'}, this version needs {needed}")


@app.command()
def check(database: DatabaseUrl = None, as_json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Compare the database with what the code expects; exit code 1 when they differ."""
    problems = run(database_schema.check(chosen(database)))
    if as_json:
        typer.echo(json.dumps({"problems": problems}, ensure_ascii=False))
    else:
        for problem in problems or ["the schema is what this version expects"]:
            typer.echo(problem)
    if problems:
        if not as_json:
            typer.echo("`chargeward db upgrade` brings an older schema up to date", err=True)
        raise typer.Exit(EXIT_WRONG)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="The new file; an existing one is kept.")],
    database: DatabaseUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Copy an SQLite database to a new file, also while the server runs, and check the copy."""
    with told():
        size = back_up(chosen(database), target)
    if as_json:
        typer.echo(json.dumps({"file": str(target), "bytes": size}))
    else:
        typer.echo(f"{target}: {size:,} bytes, checked")
