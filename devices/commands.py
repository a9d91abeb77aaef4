"""Orders to stations, and the proof that a cut worked.

``requested -> sent -> acknowledged -> proven``, or one of the sad ends. A reply is a claim;
only power measured below 5 W after the order is proof, and a value that is missing or NaN
proves nothing. An order has an end: it goes out at most three times under one id, never at
or after its expiry. A socket cut without proof at the deadline becomes a station cut.

Pure: time is an argument (``now_ms``, UTC milliseconds), ids come from an injected callable,
and the caller publishes what is returned and stores what ``changed`` hands out.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from devices.command_model import (
    CUTS,
    CommandRecord,
    CutSettings,
    Failed,
    Origin,
    Send,
    State,
    check_subject,
    clean_reason,
)
from devices.measurement import Measured, Sight, Values, failure_of, plain
from devices.orders import Action, Result

MAX_SENDS = 3
"""Once, and re-sent at most twice."""

_REPLIED = {
    Result.DONE: State.DONE,
    Result.REFUSED: State.REFUSED,
    Result.FAILED: State.FAILED,
    Result.EXPIRED: State.EXPIRED,
}


class CommandBook:
    """Every order that has not ended yet, and what stations last measured.

    Not thread-safe: it lives on the event loop of the process that owns the stations.
    """

    def __init__(self, new_id: Callable[[], str], settings: CutSettings | None = None) -> None:
        """``new_id`` makes an id that was never used before (at most 64 of ``[A-Za-z0-9_-]``)."""
        self._new_id = new_id
        self._settings = settings or CutSettings()
        self._live: dict[str, CommandRecord] = {}
        self._by_station: dict[str, list[str]] = {}
        self._seen: dict[str, Measured] = {}
        self._before: dict[str, frozenset[int]] = {}  # command id -> other sockets with power
        self._candidate: dict[str, Measured] = {}  # off by power, but the relay says closed
        self._changed: dict[str, CommandRecord] = {}

    def order(  # noqa: PLR0913 - an order is this many facts, all by name
        self,
        action: Action,
        station: str,
        socket: int | None,
        *,
        reason: str,
        rule: str | None,
        origin: Origin,
        by: str | None,
        now_ms: int,
        lock: bool,
        trigger_received_ms: int | None = None,
        parent: str | None = None,
    ) -> list[Send]:
        """What to publish now for a new order; empty when the same cut is already on its way.

        ``lock`` says that the cut latches a lockout; ``rule`` and ``by`` name who asked;
        ``trigger_received_ms`` is when the frame that caused it arrived, for the reaction time;
        ``parent`` is the failed cut that this one escalates.

        Raises:
            ValueError: the action does not fit the subject (``cut`` needs a socket,
                ``cut_station`` and ``self_test`` take none).

        """
        check_subject(action, socket)
        if action in CUTS and (live := self.live_cut(station, socket)) is not None:
            if lock and not live.lock:
                self._put(replace(live, lock=True, rule=rule, reason=clean_reason(reason)))
            return []
        seen = self._seen.get(station)
        record = CommandRecord(
            id=self._new_id(),
            station=station,
            socket=socket,
            action=action,
            reason=clean_reason(reason),
            rule=rule,
            origin=origin,
            by=by,
            lock=lock,
            parent=parent,
            state=State.REQUESTED,
            issued_ms=now_ms,
            expires_ms=now_ms + self._settings.window_ms,
            trigger_received_ms=trigger_received_ms,
            first_sent_ms=now_ms,
            sent_ms=now_ms,
            sends=1,
            seen_boot=None if seen is None else seen.boot,
            seen_seq=None if seen is None else seen.seq,
        )
        if seen is not None and action is Action.CUT:
            self._before[record.id] = seen.powered(self._settings.off_w) - {socket or 0}
        self._put(record)
        return [record.send()]

    def on_published(self, command_id: str, now_ms: int) -> None:
        """The broker has taken the order over."""
        record = self._live.get(command_id)
        if record is not None and record.state is State.REQUESTED:
            self._put(replace(record, state=State.SENT, published_ms=now_ms))

    def on_reply(
        self, command_id: str, result: Result, detail: str, now_ms: int
    ) -> CommandRecord | None:
        """Note the station's answer; None when no live order has this id.

        It ends an order that nothing can be measured for. For a cut it decides nothing.
        """
        record = self._live.get(command_id)
        if record is None:
            return None
        record = replace(record, reply=result, reply_detail=clean_reason(detail), replied_ms=now_ms)
        if record.action not in CUTS:
            return self._end(replace(record, state=_REPLIED[result]), now_ms)
        if result is Result.DONE:
            record = replace(record, state=State.ACKNOWLEDGED)
        return self._put(record)

    def on_measured(  # noqa: PLR0913 - the plain values of one frame, by name
        self,
        station: str,
        *,
        boot: int,
        seq: int,
        received_ms: int,
        powers: Values,
        relays: Values,
        now_ms: int,
    ) -> list[CommandRecord]:
        """Take in one live frame; the cuts it proves.

        Call it for accepted frames in order, never for one older than the newest of its
        station. ``powers`` in watts, ``relays`` 1 = closed; they are copied.
        """
        measured = Measured(boot, seq, received_ms, plain(powers), plain(relays))
        self._seen[station] = measured
        proven = []
        for command_id in tuple(self._by_station.get(station, ())):
            record = self._live[command_id]
            if record.action not in CUTS or not measured.proves_for(record):
                continue
            sight = measured.sight(record.socket, self._settings.off_w)
            if sight is Sight.OFF:
                proven.append(self._prove(record, measured, now_ms))
            elif sight is Sight.OFF_BUT_CLOSED:
                self._candidate[command_id] = measured
            else:
                self._candidate.pop(command_id, None)
        return proven

    def tick(self, now_ms: int) -> list[Send | Failed]:
        """Re-send what is due, end what is over; call it several times a second.

        A failed socket cut gives its ``Failed`` and the ``Send`` of the station cut, unless
        one is already on its way.
        """
        out: list[Send | Failed] = []
        # Station cuts first: a socket cut that fails in the same tick needs one that lives on.
        for record in sorted(self._live.values(), key=lambda r: r.action is not Action.CUT_STATION):
            if now_ms >= record.expires_ms:
                out.extend(self._over(record, now_ms))
            elif self._is_due_again(record, now_ms):
                again = replace(record, sends=record.sends + 1, sent_ms=now_ms)
                out.append(self._put(again).send())
        return out

    def live(self) -> list[CommandRecord]:
        """Orders that have not ended, oldest first."""
        return list(self._live.values())

    def live_cut(self, station: str, socket: int | None) -> CommandRecord | None:
        """The cut of exactly this subject that is on its way, if any (None = the station)."""
        for command_id in self._by_station.get(station, ()):
            record = self._live[command_id]
            if record.action in CUTS and record.socket == socket:
                return record
        return None

    def changed(self) -> list[CommandRecord]:
        """Records to store, each in its newest form; handed out once.

        Keep them until they are committed: the book does not remember what it gave away.
        """
        out = list(self._changed.values())
        self._changed.clear()
        return out

    def restore(self, records: Iterable[CommandRecord], now_ms: int) -> list[Send]:
        """Go on supervising after a restart; returns what must be ordered anew.

        An order whose time ran out while nobody watched ends as ``expired`` and is never sent
        again under its id. If it was a safety cut (``lock``), the same cut is ordered under a
        new id with a full window: whether the first one worked is unknown.
        """
        for record in records:
            if not record.state.ended:
                self._put(record)
        over = [r for r in self._live.values() if now_ms >= r.expires_ms]
        for record in over:
            self._end(replace(record, state=State.EXPIRED), now_ms)
        safety = [r for r in over if r.action in CUTS and r.lock]
        return [send for record in safety for send in self._again(record, now_ms)]

    def _is_due_again(self, record: CommandRecord, now_ms: int) -> bool:
        window = record.expires_ms - record.issued_ms
        due = record.issued_ms + window * record.sends // MAX_SENDS
        waiting = record.action in CUTS or record.reply is None
        return waiting and record.sends < MAX_SENDS and now_ms >= due

    def _over(self, record: CommandRecord, now_ms: int) -> Iterator[Send | Failed]:
        if record.action not in CUTS:
            self._end(replace(record, state=State.EXPIRED), now_ms)
            return
        candidate = self._candidate.get(record.id)
        if candidate is not None:
            self._prove(record, candidate, now_ms)
            return
        failed = failure_of(record, self._seen.get(record.station), self._settings.off_w, now_ms)
        self._end(replace(record, state=State.FAILED, failure=failed.reason), now_ms)
        yield failed
        if record.action is Action.CUT:
            yield from self._escalate(record, now_ms)

    def _escalate(self, record: CommandRecord, now_ms: int) -> list[Send]:
        return self.order(
            Action.CUT_STATION,
            record.station,
            None,
            reason=f"cut of socket {record.socket} not proven",
            rule="R40",
            origin=Origin.SYSTEM,
            by=None,
            now_ms=now_ms,
            lock=True,
            parent=record.id,
        )

    def _again(self, record: CommandRecord, now_ms: int) -> list[Send]:
        return self.order(
            record.action,
            record.station,
            record.socket,
            reason=record.reason,
            rule=record.rule,
            origin=record.origin,
            by=record.by,
            now_ms=now_ms,
            lock=True,
            trigger_received_ms=record.trigger_received_ms,
            parent=record.id,
        )

    def _prove(self, record: CommandRecord, measured: Measured, now_ms: int) -> CommandRecord:
        proven = replace(
            record,
            state=State.PROVEN,
            proven_ms=measured.received_ms,
            proof_w=measured.power(record.socket),
            relay_open=measured.relay_open(record.socket),
            others_unaffected=self._others_unaffected(record, measured),
        )
        for other in self._by_station[record.station]:
            if other in self._before:  # this socket was meant to go off
                self._before[other] -= {record.socket}
        return self._end(proven, now_ms)

    def _others_unaffected(self, record: CommandRecord, measured: Measured) -> bool | None:
        before = self._before.get(record.id)
        if before is None:
            return None
        live = (self._live[i] for i in self._by_station[record.station])
        asked = {r.socket for r in live if r.action in CUTS}
        if None in asked:
            return None  # a station cut is on its way: the others are meant to go off
        return before - asked <= measured.powered(self._settings.off_w)

    def _put(self, record: CommandRecord) -> CommandRecord:
        if record.id not in self._live:
            self._by_station.setdefault(record.station, []).append(record.id)
        self._live[record.id] = record
        self._changed[record.id] = record
        return record

    def _end(self, record: CommandRecord, now_ms: int) -> CommandRecord:
        record = replace(record, ended_ms=now_ms)
        self._changed[record.id] = record
        del self._live[record.id]
        ids = self._by_station[record.station]
        ids.remove(record.id)
        if not ids:
            del self._by_station[record.station]
        self._before.pop(record.id, None)
        self._candidate.pop(record.id, None)
        return record
