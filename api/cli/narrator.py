"""Tells a person at the terminal what the demo does: addresses first, then what happens."""

import typer

from alerts.incidents.store import News
from api.running import Backend
from devices.command_model import CUTS, CommandRecord
from iot.broker import BrokerProcess
from rules.model import Change, Transition
from rules.texts import text, title


class Narrator:
    """Prints to standard output unless ``quiet``."""

    def __init__(self, backend: Backend, *, quiet: bool) -> None:
        """Listens to the backend's observers."""
        self._backend = backend
        self._quiet = quiet
        if not quiet:
            backend.observation.on_transition.append(self._transition)
            backend.observation.on_command.append(self._command)
            backend.observation.on_incident.append(self._incident)

    def welcome(self, url: str, broker: BrokerProcess, scenario: str) -> None:
        """Where everything is, and the credential, which is shown only now."""
        stations = sum(len(site.stations) for site in self._backend.sites)
        sites = ", ".join(f"{site.name.zh} ({site.name.en})" for site in self._backend.sites)
        for line in (
            f"Chargeward 安充 · {sites} · {stations} stations · scenario {scenario}",
            f"  stations    {url}/api/v1/stations",
            f"  incidents   {url}/api/v1/incidents",
            f"  live events {url}/api/v1/events",
            f"  health      {url}/readyz   metrics {url}/metrics",
            f"  OpenAPI     {url}/api/v1/openapi.json",
            f"  broker      mqtt://{broker.host}:{broker.port}",
        ):
            self._say(line)
        token = self._backend.first_token
        if token is not None:
            self._say(f"  credential  {token}   (admin; shown only this once)")
            self._say(f'  use it      curl -H "Authorization: Bearer {token}" ...')

    def _say(self, line: str) -> None:
        typer.echo(line, err=self._quiet)

    def _transition(self, transition: Transition) -> None:
        finding, key = transition.finding, transition.finding.key
        if transition.change is Change.UPDATED:
            return
        place = key.station if key.socket is None else f"{key.station} #{key.socket}"
        what = text(finding.reason, "en", finding.evidence)
        self._say(
            f"{transition.change.value:>8} {finding.severity.value:<8} {key.rule} "
            f"{title(key.rule, 'en')} · {place} · {what}"
        )

    def _command(self, record: CommandRecord) -> None:
        if record.action in CUTS:
            place = (
                record.station if record.socket is None else f"{record.station} #{record.socket}"
            )
            proof = "" if record.proof_w is None else f" at {record.proof_w:.1f} W"
            self._say(f"     cut {record.state.value}{proof} · {place} · {record.reason}")

    def _incident(self, news: News) -> None:
        incident, event = news.incident, news.event
        said = event.detail
        names = [said[key] for key in ("kind", "channel", "person", "deadline") if key in said]
        names += said.get("people", [])
        what = " ".join([event.kind.replace("_", " "), *map(str, names)])
        who = "" if event.actor == "system" else f" by {event.actor}"
        self._say(f"incident {incident.number} {incident.state.value} · {what}{who}")
