"""``chargeward credentials``: who may act through the API."""

import json
from typing import Annotated

import typer
import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import audited
from api.cli.configured import read_settings
from api.clock import SystemClock
from api.database_schema import upgrade
from devices import credentials
from devices.database import Database
from devices.errors import CredentialError

app = typer.Typer(
    no_args_is_help=True,
    help="Named credentials of the API. A fire lockout is released by two different people, so "
    "make one for each person.",
)

Name = Annotated[str, typer.Argument(help="Who it is for, e.g. zhang-wei.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(name: Name, as_json: AsJson = False) -> None:  # noqa: FBT002 - an option of the command
    """Make a credential and print it; it is not shown again."""
    token = uvloop.run(_add(name))
    typer.echo(json.dumps({"name": name, "token": token}) if as_json else token)


@app.command()
def rotate(name: Name, as_json: AsJson = False) -> None:  # noqa: FBT002 - an option of the command
    """Replace a credential by a new one and print it; the old one is void at once."""
    token = uvloop.run(_rotate(name))
    typer.echo(json.dumps({"name": name, "token": token}) if as_json else token)


@app.command()
def revoke(name: Name) -> None:
    """Make a credential void."""
    if not uvloop.run(_revoke(name)):
        typer.echo(f"there is no valid credential for {name}", err=True)
        raise typer.Exit(1)


@app.command("list")
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002 - an option of the command
    """Who has one, never the credential itself."""
    rows = uvloop.run(_list())
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['name']:<32} {'revoked' if row['revoked_ms'] else 'valid'}")


async def _add(name: str) -> str:
    async with _Open() as database, database.writing() as connection:
        try:
            token = await credentials.add(connection, name, SystemClock().utc_ms())
        except CredentialError as error:
            raise typer.BadParameter(str(error)) from None
        await _audit(connection, "add", name)
        return token


async def _rotate(name: str) -> str:
    async with _Open() as database, database.writing() as connection:
        try:
            token = await credentials.rotate(connection, name, SystemClock().utc_ms())
        except CredentialError as error:
            raise typer.BadParameter(str(error)) from None
        await _audit(connection, "rotate", name)
        return token


async def _revoke(name: str) -> bool:
    async with _Open() as database, database.writing() as connection:
        revoked = await credentials.revoke(connection, name, SystemClock().utc_ms())
        if revoked:
            await _audit(connection, "revoke", name)
        return revoked


async def _audit(connection: AsyncConnection, what: str, name: str) -> None:
    at_ms = SystemClock().utc_ms()
    subject = f"credential:{name}"
    await audited.changed(connection, f"credential.{what}", subject, by=audited.SHELL, at_ms=at_ms)


async def _list() -> list[dict[str, object]]:
    async with _Open() as database, database.reading() as connection:
        return [
            {"name": c.name, "created_ms": c.created_ms, "revoked_ms": c.revoked_ms}
            for c in await credentials.list_credentials(connection)
        ]


class _Open:
    """The configured database, beside a server that may be running."""

    async def __aenter__(self) -> Database:
        url = read_settings().database_url
        await upgrade(url)
        self._database = await Database.open(url, checkpoints=False)
        return self._database

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()
