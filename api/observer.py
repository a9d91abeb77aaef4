"""What happened, told to those who watch: metrics, the live stream, and whoever else asks."""

from collections.abc import Callable
from typing import Final

from alerts.incidents.store import News
from alerts.oncall.model import CANARY
from alerts.outbox.store import Message
from api.live import LiveHub
from api.metrics import Metrics
from devices.command_model import CommandRecord, Send
from devices.names import is_canary
from rules.model import Transition

FINDING: Final = "finding"
COMMAND: Final = "command"
LOCKOUTS: Final = "lockouts"
INCIDENT: Final = "incident"
MESSAGE: Final = "message"


class Observation:
    """Implements ``rules.runner.Observer``; nothing here waits or raises."""

    def __init__(self, metrics: Metrics, live: LiveHub) -> None:
        """Extra listeners may be appended to the lists."""
        self._metrics = metrics
        self._live = live
        self.on_transition: list[Callable[[Transition], None]] = []
        self.on_cut: list[Callable[[Send, float | None], None]] = []
        self.on_command: list[Callable[[CommandRecord], None]] = []
        self.on_incident: list[Callable[[News], None]] = []

    def transition(self, transition: Transition) -> None:
        """A finding was raised, updated or cleared; those of synthetic stations are nobody's."""
        finding, key = transition.finding, transition.finding.key
        if is_canary(key.station):
            return
        self._metrics.finding(key.rule, transition.change.value)
        self._live.publish(
            FINDING,
            {
                "change": transition.change.value,
                "station": key.station,
                "socket": key.socket,
                "rule": key.rule,
                "tier": key.tier,
                "family": finding.family.value,
                "severity": finding.severity.value,
                "reason": finding.reason,
                "evidence": finding.evidence,
                "at_ms": transition.at_ms,
            },
        )
        self._live.touch(key.station)
        for listener in self.on_transition:
            listener(transition)

    def command(self, record: CommandRecord) -> None:
        """An order took another state."""
        if record.state.ended:
            self._metrics.command(record.action.value, record.state.value)
        self._live.publish(
            COMMAND,
            {
                "id": record.id,
                "station": record.station,
                "socket": record.socket,
                "action": record.action.value,
                "state": record.state.value,
                "rule": record.rule,
                "by": record.by,
                "proof_w": record.proof_w,
            },
        )
        self._live.touch(record.station)
        for listener in self.on_command:
            listener(record)

    def cut(self, send: Send, reaction_s: float | None) -> None:
        """A cut was published."""
        if reaction_s is not None:
            self._metrics.cut_reaction(reaction_s)
        for listener in self.on_cut:
            listener(send, reaction_s)

    def incident(self, news: News) -> None:
        """A line was added to an incident's timeline; what canaries do is left out."""
        incident = news.incident
        if incident.canary:
            return
        self._live.publish(
            INCIDENT,
            {
                "number": incident.number,
                "site": incident.site,
                "station": incident.station,
                "urgency": incident.urgency.value,
                "state": incident.state.value,
                "what": news.event.kind,
                "by": news.event.actor,
                "at_ms": news.event.at_ms,
            },
        )
        for listener in self.on_incident:
            listener(news)

    def message(self, item: Message) -> None:
        """A message was accepted by a provider, or given up; what canaries do is left out."""
        if item.person == CANARY:
            return
        self._live.publish(
            MESSAGE,
            {
                "id": item.id,
                "incident": item.facts.number,
                "kind": item.kind.value,
                "channel": item.channel.value,
                "person": item.person,
                "state": item.state.value,
                "provider": item.provider,
            },
        )

    def lockouts(self, station: str) -> None:
        """Lockouts of the station changed."""
        self._live.publish(LOCKOUTS, {"station": station})
        self._live.touch(station)

    def station(self, station: str) -> None:
        """Anything of the station changed."""
        self._live.touch(station)
