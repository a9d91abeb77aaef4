"""The command life cycle under every order of events a state machine can think of."""

from itertools import count
from math import nan

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from devices.command_model import CUTS, CommandRecord, Failed, Origin, Send, State
from devices.commands import MAX_SENDS, CommandBook
from devices.orders import Action, Result

LONGEST_MS = 15_000
SOCKETS = 3
STATIONS = st.sampled_from(["cmrj-01", "cmrj-02"])
POWER = st.sampled_from([0.0, 4.99, 5.0, 200.0, nan]) | st.none()
RELAY = st.sampled_from([0.0, 1.0, nan]) | st.none()


class Commands(RuleBasedStateMachine):
    """Orders, replies, frames, lost time, and restarts of the backend in any order."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        """Time starts at a moment of 2027; nothing is ordered."""
        super().__init__()
        self.now = 1_800_000_000_000
        self._numbers = count(1)
        self.book = self._new_book()
        self.stored: dict[str, CommandRecord] = {}
        self.sends: dict[str, list[int]] = {}
        self.expires: dict[str, int] = {}
        self.low: dict[tuple[str, int], list[int]] = {}
        self.seq = 0

    def _new_book(self) -> CommandBook:
        return CommandBook(lambda: f"c{next(self._numbers)}")

    def _note(self, items: list[Send | Failed] | list[Send]) -> None:
        for item in items:
            if isinstance(item, Send):
                assert self.now < item.expires_ms, "sent at or after its expiry"
                assert self.expires.setdefault(item.command_id, item.expires_ms) == item.expires_ms
                self.sends.setdefault(item.command_id, []).append(self.now)

    def _store(self) -> None:
        for record in self.book.changed():
            old = self.stored.get(record.id)
            assert old is None or not old.state.ended, "an ended order changed"
            self.stored[record.id] = record

    @rule(
        target=ids,
        station=STATIONS,
        socket=st.integers(1, SOCKETS) | st.none(),
        lock=st.booleans(),
    )
    def cut(self, station: str, socket: int | None, *, lock: bool) -> str:
        """A rule or a person orders a cut."""
        live = self.book.live_cut(station, socket)
        action = Action.CUT if socket else Action.CUT_STATION
        sends = self._order(action, station, socket, lock=lock)
        assert len(sends) == (0 if live else 1)
        return live.id if live else sends[0].command_id

    @rule(target=ids, station=STATIONS)
    def identify(self, station: str) -> str:
        """Somebody looks for a station."""
        return self._order(Action.IDENTIFY, station, None, lock=False)[0].command_id

    def _order(self, action: Action, station: str, socket: int | None, *, lock: bool) -> list[Send]:
        sends = self.book.order(
            action,
            station,
            socket,
            reason="test",
            rule="R02",
            origin=Origin.RULE,
            by=None,
            now_ms=self.now,
            lock=lock,
        )
        self._note(sends)
        self._store()
        return sends

    @rule(command=ids, result=st.sampled_from(list(Result)))
    def reply(self, command: str, result: Result) -> None:
        """The station answers, perhaps late, perhaps again."""
        self.book.on_reply(command, result, "", self.now)
        self._store()

    @rule(command=ids)
    def published(self, command: str) -> None:
        """The broker confirms."""
        self.book.on_published(command, self.now)
        self._store()

    @rule(
        station=STATIONS,
        powers=st.lists(POWER, min_size=SOCKETS, max_size=SOCKETS),
        relays=st.lists(RELAY, min_size=SOCKETS, max_size=SOCKETS),
        step=st.sampled_from([0, 1, 500]),
    )
    def frame(
        self, station: str, powers: list[float | None], relays: list[float | None], step: int
    ) -> None:
        """A frame arrives."""
        self.now += step
        self.seq += 1
        for socket, power in enumerate(powers, start=1):
            if power is not None and power < 5:
                self.low.setdefault((station, socket), []).append(self.now)
        self.book.on_measured(
            station,
            boot=1,
            seq=self.seq,
            received_ms=self.now,
            powers=powers,
            relays=relays,
            now_ms=self.now,
        )
        self._store()

    @rule(step=st.sampled_from([100, 1_000, 3_400, 11_000, 7_200_000]))
    def pass_time(self, step: int) -> None:
        """Time passes and the ticker ticks; sometimes the process was stuck."""
        self.now += step
        failed_before = {r.id for r in self.stored.values() if r.state is State.FAILED}
        out = self.book.tick(self.now)
        self._note(out)
        self._store()
        for record in list(self.stored.values()):
            if record.state is not State.FAILED or record.id in failed_before:
                continue
            told = [f for f in out if isinstance(f, Failed) and f.command_id == record.id]
            assert len(told) == 1, "a failed cut was not told"
            if record.action is Action.CUT:
                live = self.book.live_cut(record.station, None)
                assert live is not None, "a failed socket cut without a station cut"
        self._all_young()

    @rule(lost=st.sampled_from([0, 2_000, 60_000]))
    def restart(self, lost: int) -> None:
        """The backend dies, and comes back with what was stored."""
        self.now += lost
        was = [r for r in self.stored.values() if not r.state.ended]
        self.book = self._new_book()
        self._note(self.book.restore(self.stored.values(), self.now))
        self._store()
        for record in was:
            if record.action in CUTS and record.lock:
                assert self.book.live_cut(record.station, record.socket) is not None
        self._all_young()

    def _all_young(self) -> None:
        for record in self.book.live():
            assert self.now < record.expires_ms <= record.issued_ms + LONGEST_MS

    @invariant()
    def never_proven_without_a_low_measurement(self) -> None:
        """Proof is power measured below 5 W after the order, on every socket meant."""
        for record in self.stored.values():
            if record.state is not State.PROVEN:
                continue
            sockets = [record.socket] if record.socket else range(1, SOCKETS + 1)
            for socket in sockets:
                low = self.low.get((record.station, socket), [])
                assert any(at > record.issued_ms and at == record.proven_ms for at in low)

    @invariant()
    def at_most_three_sends(self) -> None:
        """Once, and re-sent at most twice, also over restarts."""
        assert all(len(times) <= MAX_SENDS for times in self.sends.values())

    @invariant()
    def one_live_cut_per_subject(self) -> None:
        """The same cut is never on its way twice."""
        cuts = [(r.station, r.socket) for r in self.book.live() if r.action in CUTS]
        assert len(cuts) == len(set(cuts))


Commands.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCommands = Commands.TestCase
TestCommands.__doc__ = "Never proven without a measurement, never sent too late or too often."
