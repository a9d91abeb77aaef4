"""``chargeward texts``: the message templates to file with the providers."""

import json
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from alerts.channels.port import Channel
from alerts.texts.filing import Filing, filings, page
from rules.texts import Lang

_EXAMPLE_SIGNATURE: Final = "安充消防"


def texts(
    signature: Annotated[
        str, typer.Option(help="The filed signature, without its brackets 【】.")
    ] = _EXAMPLE_SIGNATURE,
    channel: Annotated[Channel | None, typer.Option(help="sms or voice; default: both.")] = None,
    lang: Annotated[Lang | None, typer.Option(help="zh or en; default: both.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="All of it as a page.")] = False,  # noqa: FBT002 - an option
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - an option
) -> None:
    """Show the message templates as they must be filed with the SMS and voice providers.

    A provider sends only texts whose template it has approved. File each one as it stands; its
    code then goes into the provider's settings, by kind and language.
    """
    if markdown:
        typer.echo(page(signature), nl=False)
        return
    wanted = [
        f for f in filings(signature) if channel in (None, f.channel) and lang in (None, f.lang)
    ]
    if as_json:
        typer.echo(json.dumps([asdict(filing) for filing in wanted], ensure_ascii=False))
        return
    _show(wanted)


def _show(wanted: list[Filing]) -> None:
    table = Table("channel", "lang", "kind", "template / example", "characters", box=None)
    for filing in wanted:
        table.add_row(
            filing.channel.value,
            filing.lang.value,
            filing.kind.value,
            f"{filing.template}\n[dim]{filing.example}[/dim]",
            str(filing.characters),
        )
    Console().print(table)
