"""The runner: one turn from admitted messages to published cuts and what must be written down.

The only impure module of this room, and only through what it is given: it hands cuts to the
outlet in the same turn in which a finding is raised, before any disk or network wait, and
returns the rest (journal entries, records, receipts) for the committer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from devices.command_model import CUTS, CommandRecord, Failed, Origin, Send, State
from devices.commands import CommandBook
from devices.limits import Desired, LimitsBook
from devices.lockouts import Kind, LockBook, Lockout, Outcome
from devices.orders import Action, Intervals, Trips
from devices.twin import ReportedStatus, Twins
from iot import blocks
from iot.admission import Admitted, FromStation, alarm_event_ms
from iot.contract import Alarm, Reply, Status
from iot.frames import FrameBatch
from iot.outlet import Outlet
from iot.segments import Entry, EntryKind
from rules.engine import Engine
from rules.facts import FactsAt, dump_facts, load_facts
from rules.model import (
    Act,
    AlarmFact,
    Change,
    CutFailedFact,
    Fact,
    Finding,
    FindingKey,
    LinkFact,
    LockFact,
    RefusedFact,
    ReleaseFact,
    Transition,
)

_CUT_ACTS: Final = frozenset({Act.CUT_SOCKET, Act.CUT_STATION})
IDLE_W: Final = 5.0
"""Below this a socket has no load, so locking it interrupts nobody."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What the runner must know of a registered station."""

    sockets: int
    trips: Trips
    intervals: Intervals


@dataclass(frozen=True, slots=True)
class ReceivedAlarm:
    """A station's alarm as it is written down."""

    station: str
    alarm: Alarm
    event_ms: int
    received_ms: int


@dataclass(slots=True)
class Record:
    """What one turn decided that people act on; committed in one SQL transaction."""

    at_ms: int
    transitions: list[Transition] = field(default_factory=list)
    alarms: list[ReceivedAlarm] = field(default_factory=list)
    commands: list[CommandRecord] = field(default_factory=list)
    lockouts: list[Lockout] = field(default_factory=list)
    limits: list[Desired] = field(default_factory=list)
    statuses: list[tuple[str, ReportedStatus]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return any(
            (
                self.transitions,
                self.alarms,
                self.commands,
                self.lockouts,
                self.limits,
                self.statuses,
            )
        )


@dataclass(slots=True)
class Decision:
    """What a turn leaves to be done: journal entries in order, the record, receipts after it."""

    record: Record
    entries: list[Entry] = field(default_factory=list)
    receipts: list[tuple[str, str]] = field(default_factory=list)  # station, alarm id


class Observer(Protocol):
    """Who is told what happened, for metrics and the live stream; must not raise or wait."""

    def transition(self, transition: Transition) -> None:
        """A finding was raised, updated or cleared."""

    def command(self, record: CommandRecord) -> None:
        """An order took another state."""

    def cut(self, send: Send, reaction_s: float | None) -> None:
        """A cut was published, ``reaction_s`` seconds after its frame arrived."""

    def lockouts(self, station: str) -> None:
        """Lockouts of the station changed."""

    def station(self, station: str) -> None:
        """Anything of the station changed."""


class Runner:
    """Owns detection, orders, locks and twins of the stations of this process."""

    def __init__(  # noqa: PLR0913 - the composition root names each part
        self,
        *,
        engine: Engine,
        commands: CommandBook,
        locks: LockBook,
        limits: LimitsBook,
        twins: Twins,
        stations: Mapping[str, Charge],
        outlet: Outlet,
        observer: Observer,
        monotonic_s: Callable[[], float],
    ) -> None:
        """``monotonic_s`` measures reactions; all decisions use the ``now_ms`` they are given."""
        self.engine = engine
        self.commands = commands
        self.locks = locks
        self.limits = limits
        self.twins = twins
        self.stations = stations
        self._outlet = outlet
        self._observer = observer
        self._monotonic_s = monotonic_s
        # Start blocks that wait for an idle socket, by what their lock is known by.
        self._blocks: dict[tuple[str, int, str], Finding] = {}
        self._told_locks: dict[str, tuple[int, ...]] = {}
        self._began_ms: int | None = None  # since when silence counts

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
                self._reply(reply, now_ms)
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
        for event in self.commands.tick(now_ms):
            if isinstance(event, Failed):
                self._cut_failed(decision, event, now_ms)
            else:
                self._send(event, now_ms, None)
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
        sends = self.commands.order(
            action,
            station,
            socket,
            reason=reason,
            rule=None,
            origin=Origin.PERSON,
            by=by,
            now_ms=now_ms,
            lock=action in CUTS,
        )
        for send in sends:
            self._send(send, now_ms, None)
        if action in CUTS:
            self.locks.add(
                station,
                socket,
                kind=Kind.LATCHED,
                rule="person",
                reason=reason,
                fire=False,
                now_ms=now_ms,
            )
            self._sync(decision, station, now_ms)
        wanted = sends[0].command_id if sends else None
        found = next(
            r
            for r in self.commands.live()
            if r.id == wanted
            or (wanted is None and (r.station, r.socket, r.action) == (station, socket, action))
        )
        return self._finish(decision), found

    def release(
        self, station: str, socket: int | None, *, by: str, reason: str, now_ms: int
    ) -> tuple[Decision, Outcome, list[Finding]]:
        """A person releases a lockout; the findings are those that forbid it."""
        decision = Decision(Record(now_ms))
        dangers = self.engine.blocks_release(station, socket)
        outcome = self.locks.release(
            station, socket, by=by, reason=reason, dangerous=bool(dangers), now_ms=now_ms
        )
        if outcome.released:
            self._sync(decision, station, now_ms)
            self._step(decision, None, (ReleaseFact(station, socket, now_ms),), now_ms, {})
            for send in self.commands.order(
                Action.RELEASE,
                station,
                socket,
                reason=reason,
                rule=None,
                origin=Origin.PERSON,
                by=by,
                now_ms=now_ms,
                lock=False,
            ):
                self._send(send, now_ms, None)
            self._observer.lockouts(station)
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
        between their cut and their record, so whether the cut left is unknown. So it is when
        a latched finding lacks the lock that was made with its cut: then the process that
        found it fresh ended before it had a connection.
        """
        decision = Decision(Record(now_ms))
        self._begin(now_ms)
        unacted = set(fresh)
        for send in restored:
            self._send(send, now_ms, None)
        for station in self.stations:
            for finding in self.engine.active(station):
                if finding.key in unacted or not self._has_its_lock(finding):
                    self._act(decision, finding, now_ms, None)
                elif finding.act is Act.BLOCK_START:
                    self._block(finding)
            self._lift_orphans(station, now_ms)
            self._sync(decision, station, now_ms)
        return self._finish(decision)

    def _begin(self, now_ms: int) -> None:
        """Silence counts from now on; each tick is journaled with it, so a replay agrees."""
        self._began_ms = now_ms
        self.engine.begin(now_ms)

    def _has_its_lock(self, finding: Finding) -> bool:
        """Whether its cut was acted on, as the lock tells; so is what makes no lock."""
        if not finding.latched or finding.act not in _CUT_ACTS:
            return True
        locks = self.locks.active(finding.key.station, _lock_socket(finding))
        return any(lock.rule == finding.key.rule for lock in locks)

    def _block(self, finding: Finding) -> None:
        key = finding.key
        if key.socket is not None:
            self._blocks[key.station, key.socket, key.rule] = finding

    def _lift_orphans(self, station: str, now_ms: int) -> None:
        """Temporary locks whose finding ended unrecorded."""
        for lock in self.locks.of_station(station):
            if lock.socket is None or (station, lock.socket, lock.rule) not in self._blocks:
                self.locks.lift(station, lock.socket, lock.rule, now_ms)

    def publish_limits(self) -> None:
        """Publish every limits document again, as after each connect to the broker."""
        for station in self.stations:
            desired = self.limits.current(station)
            if desired is not None:
                self._outlet.limits(station, desired)

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
        newer = self.limits.on_reported(came.station, status.limits_version, received_ms)
        current = self.limits.current(came.station)
        if newer is not None:
            self.twins.on_desired(newer)
            self._outlet.limits(came.station, newer)
        elif status.online and current is not None and status.limits_version < current.version:
            # It may never have got the retained document, and with it a lock.
            self._outlet.limits(came.station, current)
        self._observer.station(came.station)
        return LinkFact(came.station, status.online, received_ms)

    def _reply(self, came: FromStation[Reply], now_ms: int) -> None:
        self.commands.on_reply(came.body.id, came.body.result, came.body.detail, now_ms)

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
                self._act(decision, finding, now_ms, arrived.get(finding.key.station))
            elif transition.change is Change.CLEARED:
                self._lift(finding, now_ms)
            touched.add(finding.key.station)
            self._observer.transition(transition)
        for station in touched:
            self._sync(decision, station, now_ms)

    def _act(
        self, decision: Decision, finding: Finding, now_ms: int, arrived_s: float | None
    ) -> None:
        if finding.shadow or finding.act is Act.NONE:
            return
        key = finding.key
        if finding.act is Act.BLOCK_START:
            self._block(finding)
            return
        whole = finding.act is Act.CUT_STATION
        if key.socket is None and not whole:
            return
        socket = _lock_socket(finding)
        trigger_ms = None if arrived_s is None else decision.record.at_ms
        for send in self.commands.order(
            Action.CUT_STATION if whole else Action.CUT,
            key.station,
            socket,
            reason=f"{key.rule} {finding.reason}",
            rule=key.rule,
            origin=Origin.RULE,
            by=None,
            now_ms=now_ms,
            lock=finding.latched,
            trigger_received_ms=trigger_ms,
        ):
            self._send(send, now_ms, arrived_s)
        if finding.latched:
            self.locks.add(
                key.station,
                socket,
                kind=Kind.LATCHED,
                rule=key.rule,
                reason=finding.reason,
                fire=finding.fire,
                now_ms=now_ms,
            )

    def _lift(self, finding: Finding, now_ms: int) -> None:
        key = finding.key
        if key.socket is not None:
            self._blocks.pop((key.station, key.socket, key.rule), None)
            self.locks.lift(key.station, key.socket, key.rule, now_ms)

    def _send(self, send: Send, now_ms: int, arrived_s: float | None) -> None:
        if self._outlet.order(send):
            self.commands.on_published(send.command_id, now_ms)
        if send.action in CUTS:
            reaction = None if arrived_s is None else self._monotonic_s() - arrived_s
            self._observer.cut(send, reaction)

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
        """Look for proof: every live frame of stations with a cut under way, else the newest."""
        rows = np.flatnonzero(frames.live).tolist()
        last = {frames.station[row]: row for row in rows}
        waiting = {
            r.station for r in self.commands.live() if r.action in CUTS and r.station in last
        }
        power, relay = frames.channel("power_w"), frames.channel("relay")
        for row in rows:
            station: str = frames.station[row]
            if station not in waiting and last[station] != row:
                continue
            count = int(frames.sockets[row])
            proven = self.commands.on_measured(
                station,
                boot=int(frames.boot[row]),
                seq=int(frames.seq[row]),
                received_ms=int(frames.received_ms[row]),
                powers=power[row, :count],
                relays=relay[row, :count],
                now_ms=now_ms,
            )
            if proven:
                self._sync(decision, station, now_ms)
        for station in last:
            self._observer.station(station)
        self._block_idle(decision, frames, last, now_ms)

    def _block_idle(
        self, decision: Decision, frames: FrameBatch, last: Mapping[str, int], now_ms: int
    ) -> None:
        """A start block locks a socket only while that interrupts no charge."""
        power = frames.channel("power_w")
        for (station, socket, _), finding in list(self._blocks.items()):
            row = last.get(station)
            # A station may report fewer sockets than are registered: then nothing is known.
            if row is None or socket > frames.width or not power[row, socket - 1] < IDLE_W:
                continue
            if self.locks.add(
                station,
                socket,
                kind=Kind.TEMPORARY,
                rule=finding.key.rule,
                reason=finding.reason,
                fire=False,
                now_ms=now_ms,
            ):
                self._sync(decision, station, now_ms)

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
        """Make the limits document and the engine agree with the lock book."""
        charge = self.stations.get(station)
        if charge is None:
            return
        locked = self.locks.locked_sockets(station, charge.sockets)
        desired = self.limits.desire(station, charge.trips, charge.intervals, locked, now_ms)
        if desired is not None:
            self.twins.on_desired(desired)
            self._outlet.limits(station, desired)
            self._observer.lockouts(station)
        # A socket whose cut is still under way is R40's business; R27 is for power that
        # comes back after the cut was proven.
        under_way = {
            r.socket for r in self.commands.live() if r.action in CUTS and r.station == station
        }
        told = () if None in under_way else tuple(s for s in locked if s not in under_way)
        if self._told_locks.get(station, ()) != told:
            self._told_locks[station] = told
            self._step(decision, None, (LockFact(station, told, now_ms),), now_ms, {})

    def _finish(self, decision: Decision) -> Decision:
        record = decision.record
        record.commands.extend(self.commands.changed())
        record.lockouts.extend(self.locks.changed())
        record.limits.extend(self.limits.changed())
        record.statuses.extend(self.twins.changed())
        for command in record.commands:
            if command.state is not State.REQUESTED:
                self._observer.command(command)
        return decision


def _lock_socket(finding: Finding) -> int | None:
    """The socket that its cut switches off and its lock holds; None = the station."""
    return None if finding.act is Act.CUT_STATION else finding.key.socket


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
