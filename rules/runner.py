"""The runner: one turn from admitted messages to published cuts and what must be written down.

With ``actuation`` the only impure part of this room, and only through what it is given: cuts are
handed to the outlet in the same turn in which a finding is raised, before any disk or network
wait, and the rest (journal entries, records, receipts) is returned for the committer.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from devices.command_model import CommandRecord, Failed, Send
from devices.lockouts import LockBook, Outcome
from devices.orders import Action
from devices.twin import ReportedStatus, Twins
from iot import blocks
from iot.admission import Admitted, FromStation, alarm_event_ms
from iot.contract import Alarm, Reply, Status
from iot.frames import FrameBatch
from iot.segments import Entry, EntryKind
from rules.actuation import Actuation
from rules.decisions import Decision, Observer, ReceivedAlarm, Record
from rules.engine import Engine
from rules.facts import FactsAt, dump_facts, load_facts
from rules.model import (
    AlarmFact,
    Change,
    CutFailedFact,
    Fact,
    Finding,
    FindingKey,
    LinkFact,
    RefusedFact,
    ReleaseFact,
    Transition,
)


class Runner:
    """Detection, actuation and the twins of the stations of this process, turn by turn."""

    def __init__(
        self, *, engine: Engine, actuation: Actuation, twins: Twins, observer: Observer
    ) -> None:
        """``actuation`` must keep the same twins."""
        self.engine = engine
        self.actuation = actuation
        self.twins = twins
        self._observer = observer
        self._began_ms: int | None = None  # since when silence counts

    @property
    def locks(self) -> LockBook:
        """The lockouts in force."""
        return self.actuation.locks

    def turn(self, admitted: Admitted, now_ms: int, decision: Decision | None = None) -> Decision:
        """Evaluate what was admitted; cuts are out when this returns.

        ``decision`` is filled as far as it goes: if a stage breaks, it says what had been done.
        """
        decision = Decision(Record(now_ms)) if decision is None else decision
        arrived = _first_arrivals(admitted)
        try:
            facts = self._facts(admitted, decision)
            if facts:
                self._step(decision, None, facts, now_ms, arrived)
            if admitted.frames is not None:
                self._step(decision, admitted.frames, (), now_ms, arrived)
                self._measure(decision, admitted.frames, now_ms)
            for reply in admitted.replies:
                self._answered(reply, now_ms)
        finally:
            self._finish(decision)
        return decision

    def tick(self, now_ms: int) -> Decision | None:
        """What passes with time: re-sends, failed cuts, silence; None when nothing did."""
        decision = Decision(Record(now_ms))
        if self._began_ms is None:
            self._begin(now_ms)
        transitions = self.engine.tick(now_ms)
        if transitions:
            ticked = FactsAt(now_ms, (), self._began_ms)
            decision.entries.append(Entry(EntryKind.FACTS, dump_facts(ticked)))
            self._apply(decision, transitions, now_ms, {})
        for event in self.actuation.commands.tick(now_ms):
            if isinstance(event, Failed):
                self._cut_failed(decision, event, now_ms)
            else:
                self.actuation.send(event, now_ms)
        self._finish(decision)
        return decision if decision.entries or decision.record else None

    def order(  # noqa: PLR0913 - an order is this many facts
        self,
        action: Action,
        station: str,
        socket: int | None,
        *,
        reason: str,
        by: str,
        now_ms: int,
    ) -> tuple[Decision, CommandRecord]:
        """A person's order; it is out when this returns. The record is the live order's.

        Raises:
            ValueError: the action does not fit the subject.

        """
        decision = Decision(Record(now_ms))
        ordered = self.actuation.order(action, station, socket, reason=reason, by=by, now_ms=now_ms)
        self._sync(decision, station, now_ms)
        return self._finish(decision), ordered

    def release(
        self, station: str, socket: int | None, *, by: str, reason: str, now_ms: int
    ) -> tuple[Decision, Outcome, list[Finding]]:
        """A person releases a lockout; the findings are those that forbid it."""
        decision = Decision(Record(now_ms))
        dangers = self.engine.blocks_release(station, socket)
        outcome = self.actuation.locks.release(
            station, socket, by=by, reason=reason, dangerous=bool(dangers), now_ms=now_ms
        )
        if outcome.released:
            self._sync(decision, station, now_ms)
            self._observer.lockouts(station)
            self._step(decision, None, (ReleaseFact(station, socket, now_ms),), now_ms, {})
            # After the limits document: a station that hears of the release has it by then.
            self.actuation.order(
                Action.RELEASE, station, socket, reason=reason, by=by, now_ms=now_ms
            )
        return self._finish(decision), outcome, dangers

    def replay(self, entry: Entry) -> list[Transition]:
        """Do again what the journal says was done; acts on nothing."""
        if entry.kind is EntryKind.FRAMES:
            frames = blocks.decode(entry.payload)
            self._note_last(frames)
            return self.engine.step(frames, (), int(frames.received_ms.max()))
        facts = load_facts(entry.payload)
        if not facts.facts:
            if facts.began_ms is not None:
                self.engine.begin(facts.began_ms)
            return self.engine.tick(facts.now_ms)
        return self.engine.step(None, facts.facts, facts.now_ms)

    def start(self, fresh: Iterable[FindingKey], restored: Iterable[Send], now_ms: int) -> Decision:
        """After a replay: act on findings nobody has acted on, resume orders, publish limits.

        ``fresh`` are findings that the replay raised and SQL did not have: the crash came
        between their cut and their record, so whether the cut left is unknown.
        """
        decision = Decision(Record(now_ms))
        self._begin(now_ms)
        unacted = set(fresh)
        for send in restored:
            self.actuation.send(send, now_ms)
        for station in self.actuation.stations:
            self.actuation.resume(station, self.engine.active(station), unacted, now_ms)
            self._sync(decision, station, now_ms)
        return self._finish(decision)

    def _begin(self, now_ms: int) -> None:
        """Silence counts from now on; each tick is journaled with it, so a replay agrees."""
        self._began_ms = now_ms
        self.engine.begin(now_ms)

    def _facts(self, admitted: Admitted, decision: Decision) -> list[Fact]:
        facts: list[Fact] = [self._alarm(alarm, decision) for alarm in admitted.alarms]
        facts.extend(self._status(status) for status in admitted.statuses)
        received_ms = decision.record.at_ms
        facts.extend(
            RefusedFact(station, in_row, reason, received_ms)
            for station, (in_row, reason) in admitted.refused_in_row.items()
        )
        return facts

    def _alarm(self, came: FromStation[Alarm], decision: Decision) -> AlarmFact:
        alarm, received_ms = came.body, came.delivery.received_ms
        event_ms = alarm_event_ms(alarm, received_ms)
        decision.record.alarms.append(ReceivedAlarm(came.station, alarm, event_ms, received_ms))
        decision.receipts.append((came.station, alarm.id))
        return AlarmFact(
            station=came.station,
            socket=alarm.socket,
            kind=alarm.kind,
            active=alarm.active,
            alarm_id=alarm.id,
            value=alarm.value,
            event_ms=event_ms,
            received_ms=received_ms,
        )

    def _status(self, came: FromStation[Status]) -> LinkFact:
        status, received_ms = came.body, came.delivery.received_ms
        self.twins.on_status(
            came.station,
            ReportedStatus(
                online=status.online,
                boot=status.boot,
                firmware=status.firmware,
                hardware=status.hardware,
                sockets=status.sockets,
                interval_s=status.interval_s,
                limits_version=status.limits_version,
                protections=status.protections.model_dump(),
                received_ms=received_ms,
            ),
        )
        self.actuation.reported(
            came.station, status.limits_version, received_ms, online=status.online
        )
        self._observer.station(came.station)
        return LinkFact(came.station, status.online, received_ms)

    def _answered(self, came: FromStation[Reply], now_ms: int) -> None:
        reply = came.body
        self.actuation.commands.on_reply(reply.id, reply.result, reply.detail, now_ms)

    def _step(
        self,
        decision: Decision,
        frames: FrameBatch | None,
        facts: Sequence[Fact],
        now_ms: int,
        arrived: Mapping[str, float],
    ) -> None:
        place = len(decision.entries)
        step_ms = now_ms if frames is None else int(frames.received_ms.max())
        # The journal's order is the order of the steps, but the entry is packed after the
        # cuts: packing a block may take its time, a cut may not.
        decision.entries.append(_facts_entry(step_ms, facts))
        self._apply(decision, self.engine.step(frames, facts, step_ms), now_ms, arrived)
        if frames is not None:
            decision.entries[place] = Entry(EntryKind.FRAMES, blocks.encode(frames))
            self._note_last(frames)

    def _apply(
        self,
        decision: Decision,
        transitions: Sequence[Transition],
        now_ms: int,
        arrived: Mapping[str, float],
    ) -> None:
        decision.record.transitions.extend(transitions)
        touched = set()
        for transition in transitions:
            finding = transition.finding
            if transition.change is Change.RAISED:
                self.actuation.act(finding, now_ms, arrived.get(finding.key.station))
            elif transition.change is Change.CLEARED:
                self.actuation.lift(finding, now_ms)
            touched.add(finding.key.station)
            self._observer.transition(transition)
        for station in touched:
            self._sync(decision, station, now_ms)

    def _cut_failed(self, decision: Decision, failed: Failed, now_ms: int) -> None:
        fact = CutFailedFact(
            station=failed.station,
            socket=failed.socket,
            ordered_ms=failed.ordered_ms,
            at_ms=failed.at_ms,
            evidence={**failed.evidence, "failure": failed.reason.value},
        )
        self._step(decision, None, (fact,), now_ms, {})
        self._sync(decision, failed.station, now_ms)

    def _measure(self, decision: Decision, frames: FrameBatch, now_ms: int) -> None:
        for station in self.actuation.measure(frames, now_ms):
            self._sync(decision, station, now_ms)
        for station in set(frames.station[frames.live].tolist()):
            self._observer.station(station)

    def _note_last(self, frames: FrameBatch) -> None:
        live = np.flatnonzero(frames.live).tolist()
        for station, row in {frames.station[row]: row for row in live}.items():
            count = int(frames.sockets[row])
            self.twins.on_frame(
                station,
                boot=int(frames.boot[row]),
                seq=int(frames.seq[row]),
                event_ms=int(frames.event_ms[row]),
                received_ms=int(frames.received_ms[row]),
                station_values=frames.station_values[row],
                socket_values=frames.socket_values[row, :, :count],
            )

    def _sync(self, decision: Decision, station: str, now_ms: int) -> None:
        """Limits document and engine agree with the lock book."""
        told = self.actuation.sync(station, now_ms)
        if told is not None:
            self._step(decision, None, (told,), now_ms, {})

    def _finish(self, decision: Decision) -> Decision:
        self.actuation.drain(decision.record)
        decision.record.statuses.extend(self.twins.changed())
        return decision


def _facts_entry(now_ms: int, facts: Sequence[Fact]) -> Entry:
    return Entry(EntryKind.FACTS, dump_facts(FactsAt(now_ms, tuple(facts))))


def _first_arrivals(admitted: Admitted) -> dict[str, float]:
    """Per station, when its first message of the batch arrived: the longest reaction possible."""
    out: dict[str, float] = {}
    if admitted.frames is not None:
        for station, delivery in zip(admitted.frames.station, admitted.came, strict=True):
            out.setdefault(station, delivery.arrived_s)
    for alarm in admitted.alarms:
        arrived_s = alarm.delivery.arrived_s
        out[alarm.station] = min(arrived_s, out.get(alarm.station, arrived_s))
    return out
