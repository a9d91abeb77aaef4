"""``chargeward openapi``: the API's document, generated from the routes and checked in."""

from pathlib import Path
from typing import Annotated, Final

import typer

from api.http.reference import text

DEFAULT: Final = Path("docs/openapi.json")
"""Where the document is checked in."""
DIFFERS: Final = 1
"""Exit code when the checked-in document is not what the routes say."""


def openapi(
    write: Annotated[
        Path | None, typer.Option(help="Write the document to this file.", dir_okay=False)
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Fail when this file differs.", dir_okay=False)
    ] = None,
) -> None:
    """Show, write or check the OpenAPI document of the HTTP API."""
    generated = text()
    if write is not None:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(generated, encoding="utf-8")
        typer.echo(f"wrote {write}", err=True)
    if check is not None and not (
        check.is_file() and check.read_text(encoding="utf-8") == generated
    ):
        typer.echo(
            f"{check} is not what the routes say; run: chargeward openapi --write {check}", err=True
        )
        raise typer.Exit(DIFFERS)
    if write is None and check is None:
        typer.echo(generated, nl=False)
