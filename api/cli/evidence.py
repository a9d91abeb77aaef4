"""``chargeward evidence``: what happened, packed into one file, and the check of such a file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from alerts.audited import SHELL
from alerts.evidence.check import check_pack
from alerts.evidence.errors import NoIncidentError, PackError
from alerts.evidence.files import EvidenceFiles
from alerts.evidence.pack import Packed
from alerts.evidence.packer import Packer
from alerts.paper.fonts import FontError
from api.cli.configured import read_settings
from api.cli.databases import EXIT_WRONG, AsJson, opened, run
from api.clock import SystemClock
from api.exports import note_export
from api.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="The evidence of an incident: records, frozen readings and pictures, orders with proofs, "
    "messages with receipts, and a report to print and sign, in one ZIP that proves itself.",
)

Number = Annotated[str, typer.Argument(help="The incident, e.g. F0012.", metavar="NUMBER")]


@app.command()
def export(
    number: Number,
    out: Annotated[Path, typer.Option(help="The file to write.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,  # noqa: FBT002 - an option
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Write the pack of an incident, also while the server runs.

    What is printed is the SHA-256 of its manifest: noted down elsewhere it stands for all of it.
    """
    if out.exists() and not force:
        _end(f"{out} exists; --force replaces it")
    try:
        packed = run(_export(read_settings(), number, out))
    except NoIncidentError:
        _end(f"there is no incident {number}")
    except (FontError, OSError) as error:
        _end(str(error))
    if as_json:
        typer.echo(json.dumps(asdict(packed) | {"path": str(packed.path)}, ensure_ascii=False))
    else:
        typer.echo(f"{out}: {packed.files} files, {packed.bytes:,} bytes")
        typer.echo(packed.manifest_sha256)
    for name in packed.damaged:
        typer.echo(f"{name}: gone, or not what was registered", err=True)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The pack.", dir_okay=False)],
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Check that a pack is what it was when it was made; exit code 1 when not.

    Needs nothing but the file. The anchor it prints is for `chargeward audit verify --expect`,
    which tells whether the pack's part of the audit chain lies on this installation's.
    """
    try:
        checked = check_pack(file)
    except PackError as error:
        _end(str(error))
    if as_json:
        typer.echo(json.dumps(asdict(checked), ensure_ascii=False))
    else:
        for problem in checked.problems:
            typer.echo(problem, err=True)
        good = "all as they were packed" if not checked.problems else "NOT as they were packed"
        typer.echo(f"incident {checked.incident}: {checked.files} files, {good}")
        typer.echo(f"manifest {checked.manifest_sha256}")
        typer.echo(f"anchor {checked.anchor or 'none'}")
    if checked.problems:
        raise typer.Exit(EXIT_WRONG)


async def _export(settings: Settings, number: str, out: Path) -> Packed:
    async with opened(settings.database_url) as database:
        packer = Packer(database, EvidenceFiles(settings.data_dir), settings.paper.font)
        packed = await packer.pack(number, out)
        said = {"manifest_sha256": packed.manifest_sha256}
        now_ms = SystemClock().utc_ms()
        await note_export(database, number, "evidence.pack", said, by=SHELL, at_ms=now_ms)
    return packed


def _end(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(EXIT_WRONG) from None
