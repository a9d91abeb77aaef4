"""What happened in a demo, as one JSON object: the same for real and for virtual time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from alerts.incidents.model import Incident
from alerts.incidents.plans import DeadlineName
from alerts.incidents.store import Deadline, IncidentFilter, deadlines, list_incidents
from alerts.outbox import store
from api.running import Backend
from devices.command_model import CUTS, CommandRecord, Send
from devices.lockouts import Lockout
from devices.pages import MAX_PAGE
from rules.model import Change, Family, Finding, FindingKey, Transition
from rules.sessions import Stage
from rules.texts import text


@dataclass(slots=True)
class Attempt:
    """Something that must be refused was tried; ``refused`` says whether it was."""

    what: str
    by: str
    station: str
    socket: int | None
    refused: bool
    answer: str

    def as_json(self) -> dict[str, Any]:
        """As it is printed."""
        return {
            "what": self.what,
            "by": self.by,
            "station": self.station,
            "socket": self.socket,
            "refused": self.refused,
            "answer": self.answer,
        }


@dataclass(slots=True)
class Story:
    """Collects transitions, orders and attempts while a demo runs."""

    start_ms: int
    raised: dict[FindingKey, Finding] = field(default_factory=dict)
    cleared_ms: dict[FindingKey, int] = field(default_factory=dict)
    orders: dict[str, CommandRecord] = field(default_factory=dict)
    reactions_s: dict[str, float | None] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    frames: int = 0
    sessions: Counter[str] = field(default_factory=Counter)
    stages: npt.NDArray[np.uint8] | None = None
    incidents: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def danger_ms(self) -> int:
        """When the first hot or smoky frame came: what people's seconds count from."""
        dangers = [k.episode_ms for k, f in self.raised.items() if f.family is Family.ALARM]
        return min(dangers, default=self.start_ms)

    async def read_people(self, backend: Backend) -> None:
        """What stands in SQL about incidents and messages, at the end."""
        async with backend.database.reading() as connection:
            page = await list_incidents(connection, IncidentFilter(), limit=MAX_PAGE)
            for incident in reversed(page.items):
                due = await deadlines(connection, incident.id)
                self.incidents.append(self._incident(incident, due))
                told = await store.messages_of(connection, incident.id)
                tried = await store.attempts_of(connection, [m.id for m in told])
                self.messages += [self._message(incident, m, tried, backend) for m in told]

    def watch(self, backend: Backend) -> None:
        """Listen to everything the backend tells its observers."""
        backend.observation.on_transition.append(self._transition)
        backend.observation.on_command.append(self._command)
        backend.observation.on_cut.append(self._cut)

    def look(self, backend: Backend) -> None:
        """Note which charges have started, begun to taper and ended since the last look."""
        now = backend.engine.stages()
        before = self.stages
        self.stages = now
        if before is None or before.shape != now.shape:
            self.sessions["started"] += int((now >= Stage.INRUSH).sum())
            return
        ran, runs = before >= Stage.INRUSH, now >= Stage.INRUSH
        self.sessions["started"] += int((runs & ~ran).sum())
        self.sessions["tapered"] += int(((now >= Stage.TAPER) & (before < Stage.TAPER)).sum())
        self.sessions["ended"] += int((ran & ~runs).sum())

    def _transition(self, transition: Transition) -> None:
        key = transition.finding.key
        if transition.change is Change.CLEARED:
            self.cleared_ms[key] = transition.at_ms
        else:
            self.raised[key] = transition.finding

    def _command(self, record: CommandRecord) -> None:
        self.orders[record.id] = record

    def _cut(self, send: Send, reaction_s: float | None) -> None:
        self.reactions_s.setdefault(send.command_id, reaction_s)

    def as_json(self, backend: Backend, scenario: str, seed: int, seconds: float) -> dict[str, Any]:
        """The object that ``demo --json`` prints; times in seconds since the start."""
        return {
            "scenario": scenario,
            "seed": seed,
            "seconds": seconds,
            "stations": [s.id for site in backend.sites for s in site.stations],
            "frames": self.frames,
            "sessions": {k: self.sessions[k] for k in ("started", "tapered", "ended")},
            "findings": [self._finding(key, f) for key, f in self.raised.items()],
            "cuts": [self._order(r) for r in self.orders.values() if r.action in CUTS],
            "incidents": self.incidents,
            "messages": self.messages,
            "lockouts": self._lockouts(backend),
            "attempts": [attempt.as_json() for attempt in self.attempts],
        }

    def _lockouts(self, backend: Backend) -> list[dict[str, Any]]:
        """One entry per locked subject, with all rules that hold it."""
        subjects: dict[tuple[str, int | None], list[Lockout]] = {}
        for lock in backend.runner.locks:
            subjects.setdefault((lock.station, lock.socket), []).append(lock)
        return [
            {
                "station": station,
                "socket": socket,
                "rules": [lock.rule for lock in locks],
                "since_s": self._seconds(min(lock.since_ms for lock in locks)),
            }
            for (station, socket), locks in subjects.items()
        ]

    def _after(self, at_ms: int | None) -> float | None:
        return None if at_ms is None else round((at_ms - self.danger_ms) / 1000, 3)

    def _incident(self, incident: Incident, due: Sequence[Deadline]) -> dict[str, Any]:
        names = set(DeadlineName)
        return {
            "id": incident.number,
            "station": incident.station,
            "site": incident.site,
            "urgency": incident.urgency.value,
            "state": incident.state.value,
            "round": incident.round,
            "opened_s": self._after(incident.opened_ms),
            "acknowledged_s": self._after(incident.acknowledged_ms),
            "deadlines": [
                {"name": d.step, "due_s": self._after(d.due_ms), "state": d.state}
                for d in due
                if d.step in names and d.round == incident.round
            ],
            "escalation": [
                {
                    "step": d.step,
                    "due_s": self._after(d.due_ms),
                    "state": d.state,
                    "at_s": self._after(d.settled_ms),
                }
                for d in due
                if d.step not in names
            ],
        }

    def _message(
        self,
        incident: Incident,
        message: store.Message,
        tried: Sequence[store.Attempt],
        backend: Backend,
    ) -> dict[str, Any]:
        person = backend.people.duty.person(message.person)
        return {
            "incident": incident.number,
            "step": message.slot,
            "kind": message.kind.value,
            "channel": message.channel.value,
            "recipient": message.person,
            "name": person.name if person else None,
            "at_s": self._after(message.accepted_ms or message.first_sent_ms or message.created_ms),
            "delivered_s": self._after(message.delivered_ms),
            "state": message.state.value,
            "provider": message.provider,
            "text": message.text,
            "ledger": [
                {
                    "provider": a.provider,
                    "at_s": self._after(a.started_ms),
                    "outcome": a.outcome,
                    "code": a.code,
                    "receipt": a.receipt,
                    "receipt_s": self._after(a.receipt_ms),
                }
                for a in tried
                if a.message == message.id
            ],
        }

    def _seconds(self, at_ms: int | None) -> float | None:
        return None if at_ms is None else round((at_ms - self.start_ms) / 1000, 3)

    def _finding(self, key: FindingKey, finding: Finding) -> dict[str, Any]:
        return {
            "rule": key.rule,
            "tier": key.tier,
            "station": key.station,
            "socket": key.socket,
            "family": finding.family.value,
            "severity": finding.severity.value,
            "reason": finding.reason,
            "evidence": finding.evidence,
            "raised_s": self._seconds(finding.raised_ms),
            "cleared_s": self._seconds(self.cleared_ms.get(key)),
            "text": {lang: text(finding.reason, lang, finding.evidence) for lang in ("zh", "en")},
        }

    def _order(self, record: CommandRecord) -> dict[str, Any]:
        reaction_s = self.reactions_s.get(record.id)
        return {
            "station": record.station,
            "socket": record.socket,
            "rule": record.rule,
            "reaction_ms": None if reaction_s is None else round(reaction_s * 1000, 3),
            "outcome": record.state.value,
            "ordered_s": self._seconds(record.issued_ms),
            "proven_s": self._seconds(record.proven_ms),
            "proof_w": record.proof_w,
            "others_unaffected": record.others_unaffected,
            "sends": record.sends,
        }
