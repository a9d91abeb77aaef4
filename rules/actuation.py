"""From findings to orders and locks, and from measurements to proof.

Owns the command book, the lock book and the limits book. Everything it publishes goes through
the outlet, which never waits; what must be written down is drained into the turn's record.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np

from devices.command_model import CUTS, CommandRecord, Origin, Send, State
from devices.commands import CommandBook
from devices.limits import LimitsBook
from devices.lockouts import Kind, LockBook
from devices.orders import Action
from devices.twin import Twins
from iot.frames import FrameBatch
from iot.outlet import Outlet
from rules.decisions import Charge, Observer, Record
from rules.model import Act, Finding, FindingKey, LockFact

IDLE_W: Final = 5.0
"""Below this a socket has no load, so locking it interrupts nobody."""
PERSON: Final = "person"
"""What a lock is known by that no rule asked for."""
_CUT_ACTS: Final = frozenset({Act.CUT_SOCKET, Act.CUT_STATION})


class Actuation:
    """Acts on findings and on people's orders; not thread-safe, owned by the runner."""

    def __init__(  # noqa: PLR0913 - the composition root names each part
        self,
        *,
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
        self.commands = commands
        self.locks = locks
        self.limits = limits
        self.stations = stations
        self._twins = twins
        self._outlet = outlet
        self._observer = observer
        self._monotonic_s = monotonic_s
        # Start blocks that wait for an idle socket, by what their lock is known by.
        self._blocks: dict[tuple[str, int, str], Finding] = {}
        self._told_locks: dict[str, tuple[int, ...]] = {}

    def act(self, finding: Finding, now_ms: int, arrived_s: float | None = None) -> None:
        """Do what a raised finding asks for; ``arrived_s`` is when its frame came, if one did."""
        if finding.shadow or finding.act is Act.NONE:
            return
        if finding.act is Act.BLOCK_START:
            self._block(finding)
            return
        key, socket = finding.key, _cut_socket(finding)
        if socket is None and finding.act is not Act.CUT_STATION:
            return
        for send in self.commands.order(
            Action.CUT if socket is not None else Action.CUT_STATION,
            key.station,
            socket,
            reason=f"{key.rule} {finding.reason}",
            rule=key.rule,
            origin=Origin.RULE,
            by=None,
            now_ms=now_ms,
            lock=finding.latched,
            trigger_received_ms=None if arrived_s is None else now_ms,
        ):
            self.send(send, now_ms, arrived_s)
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

    def order(  # noqa: PLR0913 - an order is this many facts
        self,
        action: Action,
        station: str,
        socket: int | None,
        *,
        reason: str,
        by: str,
        now_ms: int,
    ) -> CommandRecord:
        """A person's order, published; a person's cut locks like a rule's. The live record.

        Raises:
            ValueError: the action does not fit the subject.

        """
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
            self.send(send, now_ms)
        if action in CUTS:
            self.locks.add(
                station,
                socket,
                kind=Kind.LATCHED,
                rule=PERSON,
                reason=reason,
                fire=False,
                now_ms=now_ms,
            )
        wanted = sends[0].command_id if sends else None
        return next(
            r
            for r in self.commands.live()
            if r.id == wanted
            or (wanted is None and (r.station, r.socket, r.action) == (station, socket, action))
        )

    def lift(self, finding: Finding, now_ms: int) -> None:
        """A finding cleared: what it held for as long as it stood ends with it."""
        key = finding.key
        if key.socket is not None:
            self._blocks.pop((key.station, key.socket, key.rule), None)
            self.locks.lift(key.station, key.socket, key.rule, now_ms)

    def send(self, send: Send, now_ms: int, arrived_s: float | None = None) -> None:
        """Publish an order now; one that cannot leave is re-sent by its own life cycle."""
        if self._outlet.order(send):
            self.commands.on_published(send.command_id, now_ms)
        if send.action in CUTS:
            reaction = None if arrived_s is None else self._monotonic_s() - arrived_s
            self._observer.cut(send, reaction)

    def resume(
        self, station: str, active: Iterable[Finding], unacted: set[FindingKey], now_ms: int
    ) -> None:
        """After a restart: act on what nobody has acted on for sure, and hold what stands.

        A latched finding without the lock that is made with its cut was found by a process
        that ended before it had a connection.
        """
        for finding in active:
            if finding.key in unacted or not self._has_its_lock(finding):
                self.act(finding, now_ms)
            elif finding.act is Act.BLOCK_START:
                self._block(finding)
        for lock in self.locks.of_station(station):  # whose finding ended unrecorded
            if lock.socket is None or (station, lock.socket, lock.rule) not in self._blocks:
                self.locks.lift(station, lock.socket, lock.rule, now_ms)

    def reported(self, station: str, version: int, now_ms: int, *, online: bool) -> None:
        """The station said which limits document it has; send it a newer one if it lacks one."""
        newer = self.limits.on_reported(station, version, now_ms)
        current = self.limits.current(station)
        if newer is not None:
            self._twins.on_desired(newer)
            self._outlet.limits(station, newer)
        elif online and current is not None and version < current.version:
            # It may never have got the retained document, and with it a lock.
            self._outlet.limits(station, current)

    def publish_limits(self) -> None:
        """Publish every limits document again, as after each connect to the broker."""
        for station in self.stations:
            desired = self.limits.current(station)
            if desired is not None:
                self._outlet.limits(station, desired)

    def measure(self, frames: FrameBatch, now_ms: int) -> set[str]:
        """Look for proof; the stations whose locks must be told anew.

        Every live frame of stations with a cut under way is looked at, else only the newest.
        """
        rows = np.flatnonzero(frames.live).tolist()
        last = {frames.station[row]: row for row in rows}
        waiting = {
            r.station for r in self.commands.live() if r.action in CUTS and r.station in last
        }
        power, relay = frames.channel("power_w"), frames.channel("relay")
        changed = set()
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
                changed.add(station)
        return changed | self._block_idle(frames, last, now_ms)

    def sync(self, station: str, now_ms: int) -> LockFact | None:
        """Make the limits document agree with the lock book; what detection must be told of it.

        A socket whose cut is still under way is R40's business: R27 is for power that comes
        back after the cut was proven, so only then is the lock told.
        """
        charge = self.stations.get(station)
        if charge is None:
            return None
        locked = self.locks.locked_sockets(station, charge.sockets)
        desired = self.limits.desire(station, charge.trips, charge.intervals, locked, now_ms)
        if desired is not None:
            self._twins.on_desired(desired)
            self._outlet.limits(station, desired)
            self._observer.lockouts(station)
        under_way = {
            r.socket for r in self.commands.live() if r.action in CUTS and r.station == station
        }
        told = () if None in under_way else tuple(s for s in locked if s not in under_way)
        if self._told_locks.get(station, ()) == told:
            return None
        self._told_locks[station] = told
        return LockFact(station, told, now_ms)

    def drain(self, record: Record) -> None:
        """Move what changed into the record, and tell the observer of orders."""
        record.commands.extend(self.commands.changed())
        record.lockouts.extend(self.locks.changed())
        record.limits.extend(self.limits.changed())
        for command in record.commands:
            if command.state is not State.REQUESTED:
                self._observer.command(command)

    def _block(self, finding: Finding) -> None:
        key = finding.key
        if key.socket is not None:
            self._blocks[key.station, key.socket, key.rule] = finding

    def _block_idle(self, frames: FrameBatch, last: Mapping[str, int], now_ms: int) -> set[str]:
        """A start block locks a socket only while that interrupts no charge."""
        power = frames.channel("power_w")
        changed = set()
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
                changed.add(station)
        return changed

    def _has_its_lock(self, finding: Finding) -> bool:
        """Whether its cut was acted on, as the lock tells; so is what makes no lock."""
        if not finding.latched or finding.act not in _CUT_ACTS:
            return True
        locks = self.locks.active(finding.key.station, _cut_socket(finding))
        return any(lock.rule == finding.key.rule for lock in locks)


def _cut_socket(finding: Finding) -> int | None:
    """The socket that its cut switches off and its lock holds; None = the station."""
    return None if finding.act is Act.CUT_STATION else finding.key.socket
