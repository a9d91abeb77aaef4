"""``chargeward``: all commands, joined."""

import typer

from api.cli.audit import app as audit_app
from api.cli.credentials import app as credentials_app
from api.cli.db import app as db_app
from api.cli.demo import demo
from api.cli.doctor import doctor
from api.cli.drill import app as drill_app
from api.cli.evidence import app as evidence_app
from api.cli.openapi import openapi
from api.cli.people import app as people_app
from api.cli.report import report
from api.cli.serve import serve
from api.cli.simulate import simulate
from api.cli.simulate_sms import simulate_sms
from api.cli.sites import app as sites_app
from api.cli.telemetry import app as telemetry_app
from api.cli.texts import texts

app = typer.Typer(
    name="chargeward",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=(
        "Keeps e-bike charging points from burning, and proves that it did.\n\n"
        "Start with `chargeward demo`: everything on this machine, with simulated stations. "
        "`chargeward serve` is the real thing, set up by CHARGEWARD_* environment variables; "
        "`chargeward doctor` says what is missing."
    ),
)
app.command()(demo)
app.command()(serve)
app.command()(simulate)
app.command()(simulate_sms)
app.command()(doctor)
app.command()(texts)
app.command()(report)
app.command(hidden=True)(openapi)
app.add_typer(drill_app, name="drill")
app.add_typer(sites_app, name="sites")
app.add_typer(people_app, name="people")
app.add_typer(db_app, name="db")
app.add_typer(telemetry_app, name="telemetry")
app.add_typer(credentials_app, name="credentials")
app.add_typer(audit_app, name="audit")
app.add_typer(evidence_app, name="evidence")


def main() -> None:
    """Entry point of the installed command."""
    app()


if __name__ == "__main__":
    main()
