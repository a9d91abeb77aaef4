"""Orders and their proof, as timelines in seconds; a station of three sockets."""

from collections.abc import Sequence
from itertools import count
from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.command_model import (
    CommandRecord,
    CutSettings,
    Failed,
    Failure,
    Origin,
    Send,
    State,
    clean_reason,
)
from devices.commands import CommandBook
from devices.orders import Action, Result

STATION = "cmrj-01"
START_MS = 1_800_000_000_000
ON = (100.0, 120.0, 0.0)
OPEN_1 = (0.0, 1.0, 1.0)
CLOSED = (1.0, 1.0, 1.0)


def ms(seconds: float) -> int:
    """UTC milliseconds of a moment of the timeline."""
    return START_MS + round(seconds * 1000)


class Timeline:
    """A book, and short words for what happens to it."""

    def __init__(self) -> None:
        """A book that has seen one frame with sockets 1 and 2 charging."""
        ids = (f"c{n}" for n in count(1))
        self.book = CommandBook(lambda: next(ids))
        self._seq = 0
        self.frame(-1, ON, CLOSED)

    def cut(self, at: float, socket: int | None = 1, *, lock: bool = True) -> list[Send]:
        """Order a cut of the socket, or with None of the station."""
        return self.book.order(
            Action.CUT if socket is not None else Action.CUT_STATION,
            STATION,
            socket,
            reason="hot",
            rule="R02",
            origin=Origin.RULE,
            by=None,
            now_ms=ms(at),
            lock=lock,
            trigger_received_ms=ms(at) - 7,
        )

    def frame(
        self,
        at: float,
        powers: Sequence[float | None],
        relays: Sequence[float | None] = OPEN_1,
        *,
        seq: int | None = None,
        boot: int = 1,
    ) -> list[CommandRecord]:
        """A frame arrives, by default the next one of boot 1."""
        self._seq = self._seq + 1 if seq is None else seq
        return self.book.on_measured(
            STATION,
            boot=boot,
            seq=self._seq,
            received_ms=ms(at),
            powers=powers,
            relays=relays,
            now_ms=ms(at),
        )

    def states(self) -> dict[str, State]:
        """The state of every order that changed since the last call."""
        return {record.id: record.state for record in self.book.changed()}


def test_a_cut_is_sent_answered_and_proven() -> None:
    """Requested, sent, acknowledged, proven: each step is handed out to be stored."""
    t = Timeline()
    [send] = t.cut(0)
    assert send == Send("c1", STATION, 1, Action.CUT, ms(0), ms(10), "hot")
    assert t.states() == {"c1": State.REQUESTED}
    t.book.on_published("c1", ms(0.01))
    assert t.states() == {"c1": State.SENT}
    t.book.on_reply("c1", Result.DONE, "", ms(0.2))
    assert t.states() == {"c1": State.ACKNOWLEDGED}
    [proven] = t.frame(1, (0.2, 120.0, 0.0))
    assert (proven.state, proven.proof_w, proven.proven_ms) == (State.PROVEN, 0.2, ms(1))
    assert (proven.relay_open, proven.others_unaffected) == (True, True)
    assert (proven.reaction_ms, proven.ended_ms, proven.sends) == (7, ms(1), 1)
    assert t.book.changed() == [proven]
    assert t.book.live() == []
    assert t.book.tick(ms(60)) == []


def test_a_reply_is_no_proof() -> None:
    """The station says done, the current still flows: failed at the deadline (F12)."""
    t = Timeline()
    t.cut(0)
    t.book.on_reply("c1", Result.DONE, "", ms(0.2))
    assert t.frame(1, ON) == []
    failed, escalated = _at_deadline(t)
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.socket, failed.ordered_ms) == (Failure.STILL_POWER, 1, ms(0))
    assert failed.evidence == {
        "power_w": 100.0,
        "threshold_w": 5.0,
        "measured_ms": ms(1),
        "since_ms": ms(0),
        "sends": 3,
        "reply": "done",
        "reply_detail": "",
        "command_id": "c1",
        "rule": "R02",
    }
    assert isinstance(escalated, Send)
    assert (escalated.action, escalated.socket, escalated.issued_ms) == (
        Action.CUT_STATION,
        None,
        ms(10),
    )


def _at_deadline(t: Timeline) -> list[Send | Failed]:
    t.book.tick(ms(4))
    t.book.tick(ms(7))
    assert t.book.tick(ms(9.999)) == []
    return t.book.tick(ms(10))


@pytest.mark.parametrize("result", [Result.REFUSED, Result.FAILED, Result.EXPIRED])
def test_a_refusal_does_not_end_a_cut(result: Result) -> None:
    """Whatever the station says, the measurement decides."""
    t = Timeline()
    t.cut(0)
    record = t.book.on_reply("c1", result, "no", ms(0.2))
    assert record is not None
    assert (record.state, record.reply, record.reply_detail) == (State.REQUESTED, result, "no")
    assert [r.state for r in t.frame(1, (0.0, 120.0, 0.0))] == [State.PROVEN]


@pytest.mark.parametrize("power", [None, nan, 5.0, 5.01, 900.0])
def test_no_proof_from_this_power(power: float | None) -> None:
    """No value, NaN and 5 W are all not below 5 W."""
    t = Timeline()
    t.cut(0)
    assert t.frame(1, (power, 0.0, 0.0)) == []


def test_a_blind_socket_fails_for_that_reason() -> None:
    """Without a power sensor a cut can never be proven, and the failure says so."""
    t = Timeline()
    t.cut(0)
    t.frame(1, (nan, 120.0, 0.0))
    failed = _at_deadline(t)[0]
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.evidence["power_w"]) == (Failure.NO_SENSOR, None)


def test_a_silent_station_fails_for_that_reason() -> None:
    """No frame since the order: nothing is known, so it counts as failed."""
    t = Timeline()
    t.cut(0)
    failed = _at_deadline(t)[0]
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.evidence["measured_ms"]) == (Failure.NO_MEASUREMENT, None)


def test_a_frame_from_before_the_order_is_no_proof() -> None:
    """Received at the same millisecond or known already: it shows the time before."""
    t = Timeline()
    t.cut(0)
    assert t.frame(0, (0.0, 0.0, 0.0)) == []
    assert t.frame(1, (0.0, 0.0, 0.0), seq=1) == []
    assert [r.id for r in t.frame(1, (0.0, 0.0, 0.0), seq=2)] == ["c1"]


def test_a_reboot_after_the_order_starts_a_new_count() -> None:
    """A lower sequence number of a new boot is newer all the same (F9)."""
    t = Timeline()
    t.frame(-0.5, ON, CLOSED, seq=900)
    t.cut(0)
    assert [r.id for r in t.frame(1, (0.0, 0.0, 0.0), seq=0, boot=2)] == ["c1"]


def test_a_closed_relay_holds_the_proof_back_until_the_deadline() -> None:
    """Power below 5 W with the relay still closed may be a pause of the charger: wait."""
    t = Timeline()
    t.cut(0)
    assert t.frame(1, (0.0, 120.0, 0.0), CLOSED) == []
    assert t.frame(2, (80.0, 120.0, 0.0), CLOSED) == []
    assert isinstance(_at_deadline(t)[0], Failed)


def test_power_decides_when_the_relay_says_closed_to_the_end() -> None:
    """At the deadline measured power is proof; the contradiction is on record."""
    t = Timeline()
    t.cut(0)
    t.frame(1, (0.0, 120.0, 0.0), CLOSED)
    assert _at_deadline(t) == []
    record = t.book.changed()[-1]
    assert (record.state, record.relay_open, record.proof_w) == (State.PROVEN, False, 0.0)


def test_a_station_cut_needs_every_socket_off() -> None:
    """One socket with power, or one that is blind, and the station is not proven off."""
    t = Timeline()
    t.cut(0, None)
    off = (0.0, 0.0, 0.0)
    assert t.frame(1, (0.0, 6.0, 0.0), off) == []
    assert t.frame(2, (0.0, None, 0.0), off) == []
    [proven] = t.frame(3, (0.0, 4.9, 0.0), off)
    assert (proven.proof_w, proven.others_unaffected) == (4.9, None)


def test_a_cut_that_took_a_neighbour_with_it_is_on_record() -> None:
    """The other socket that charged is off too: proven, but not unaffected."""
    t = Timeline()
    t.cut(0)
    [proven] = t.frame(1, (0.0, 0.0, 0.0))
    assert proven.others_unaffected is False


def test_a_neighbour_that_was_cut_as_well_does_not_count() -> None:
    """Two cuts on their way: each was meant to go off."""
    t = Timeline()
    t.cut(0, 1)
    t.cut(0, 2)
    proven = t.frame(1, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    assert [r.others_unaffected for r in proven] == [True, True]


def test_resent_twice_under_the_same_id_and_never_after_its_end() -> None:
    """At a third and two thirds of the window, then no more (F10)."""
    t = Timeline()
    first = t.cut(0)
    sent = [
        (tick, item.command_id)
        for tick in range(1, 10)
        for item in t.book.tick(ms(tick))
        if isinstance(item, Send)
    ]
    assert sent == [(4, "c1"), (7, "c1")]
    assert first[0].expires_ms == ms(10)


def test_a_station_that_returns_hours_later_gets_nothing() -> None:
    """The order expired; nothing is sent or believed when the station is back (F11)."""
    t = Timeline()
    t.cut(0, None)
    t.book.tick(ms(10))
    assert t.book.tick(ms(7200)) == []
    assert t.book.on_reply("c1", Result.DONE, "", ms(7200)) is None
    assert t.frame(7201, (0.0, 0.0, 0.0)) == []


def test_the_same_cut_is_not_ordered_twice() -> None:
    """A second finding on the same socket rides on the first order and makes it a safety cut."""
    t = Timeline()
    t.cut(0, lock=False)
    assert t.cut(1, lock=True) == []
    live = t.book.live_cut(STATION, 1)
    assert live is not None
    assert (live.id, live.lock) == ("c1", True)
    assert len(t.cut(2, 2)) == 1
    assert len(t.cut(2, None)) == 1


def test_after_its_end_the_same_cut_can_be_ordered_anew() -> None:
    """Proven once says nothing about the next hour."""
    t = Timeline()
    t.cut(0)
    t.frame(1, (0.0, 120.0, 0.0))
    [send] = t.cut(3600)
    assert send.command_id == "c2"


def test_a_failed_station_cut_is_the_end_of_the_ladder() -> None:
    """There is nothing bigger to cut: people must go (R40)."""
    t = Timeline()
    t.cut(0)
    _at_deadline(t)
    t.book.tick(ms(14))
    t.book.tick(ms(17))
    [failed] = t.book.tick(ms(20))
    assert isinstance(failed, Failed)
    assert (failed.socket, failed.ordered_ms, failed.at_ms) == (None, ms(10), ms(20))
    assert t.book.live() == []


def test_two_welded_sockets_make_one_station_cut() -> None:
    """Both failures are told, the station is cut once."""
    t = Timeline()
    t.cut(0, 1)
    t.cut(0, 2)
    out = t.book.tick(ms(10))
    assert [type(item).__name__ for item in out] == ["Failed", "Send", "Failed"]
    escalated = t.book.live()
    assert [(r.action, r.parent, r.rule) for r in escalated] == [(Action.CUT_STATION, "c1", "R40")]


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Result.DONE, State.DONE),
        (Result.REFUSED, State.REFUSED),
        (Result.FAILED, State.FAILED),
        (Result.EXPIRED, State.EXPIRED),
    ],
)
def test_orders_without_a_measure_end_on_the_reply(result: Result, state: State) -> None:
    """Identify, self-test and release have nothing to measure."""
    t = Timeline()
    _identify(t)
    record = t.book.on_reply("c1", result, "", ms(1))
    assert record is not None
    assert (record.state, record.ended_ms) == (state, ms(1))
    assert t.book.live() == []


def test_orders_without_a_measure_expire_unanswered() -> None:
    """Re-sent twice as well, then over, and nothing is cut for it."""
    t = Timeline()
    _identify(t)
    assert t.frame(1, (0.0, 0.0, 0.0)) == []
    out = [item for tick in range(1, 12) for item in t.book.tick(ms(tick))]
    assert [type(item) for item in out] == [Send, Send]
    assert t.states() == {"c1": State.EXPIRED}


def _identify(t: Timeline) -> None:
    t.book.order(
        Action.IDENTIFY,
        STATION,
        None,
        reason="where is it",
        rule=None,
        origin=Origin.PERSON,
        by="admin",
        now_ms=ms(0),
        lock=False,
    )


def test_a_restart_goes_on_with_what_is_live() -> None:
    """Same id, same deadline, same newest frame: an older frame proves nothing (F1)."""
    before = Timeline()
    before.cut(0)
    after = Timeline.__new__(Timeline)
    after.book = CommandBook(lambda: "new")
    after._seq = 0
    assert after.book.restore(before.book.changed(), ms(3)) == []
    assert after.frame(3.1, (0.0, 0.0, 0.0), seq=1) == []
    [again] = after.book.tick(ms(4))
    assert isinstance(again, Send)
    assert (again.command_id, again.expires_ms) == ("c1", ms(10))
    [proven] = after.frame(5, (0.0, 0.0, 0.0), seq=2)
    assert (proven.id, proven.others_unaffected) == ("c1", None)


def test_a_restart_after_the_deadline_orders_a_safety_cut_anew() -> None:
    """Nobody watched, so nobody knows: the old id is over, a new one has a full window."""
    before = Timeline()
    before.cut(0, 1, lock=True)
    before.cut(0, 2, lock=False)
    book = CommandBook(lambda: "new")
    [send] = book.restore(before.book.changed(), ms(600))
    assert (send.command_id, send.socket, send.issued_ms, send.expires_ms) == (
        "new",
        1,
        ms(600),
        ms(610),
    )
    assert {r.id: (r.state, r.parent) for r in book.changed()} == {
        "c1": (State.EXPIRED, None),
        "c2": (State.EXPIRED, None),
        "new": (State.REQUESTED, "c1"),
    }


def test_ended_orders_are_not_restored() -> None:
    """What is proven stays proven."""
    t = Timeline()
    t.cut(0)
    t.frame(1, (0.0, 120.0, 0.0))
    book = CommandBook(lambda: "new")
    assert book.restore(t.book.changed(), ms(2)) == []
    assert book.live() == []


@pytest.mark.parametrize(
    ("action", "socket"),
    [(Action.CUT, None), (Action.CUT_STATION, 1), (Action.SELF_TEST, 1)],
)
def test_orders_that_make_no_sense_are_refused(action: Action, socket: int | None) -> None:
    """A mistake of the caller is loud, before anything is recorded."""
    t = Timeline()
    with pytest.raises(ValueError, match="socket"):
        t.book.order(
            action,
            STATION,
            socket,
            reason="",
            rule=None,
            origin=Origin.PERSON,
            by="admin",
            now_ms=ms(0),
            lock=False,
        )
    assert t.book.changed() == []


def test_numpy_rows_are_copied() -> None:
    """The caller may reuse its batch; what was seen stays seen."""
    t = Timeline()
    powers = np.array([0.5, 120, 0], dtype=np.float32)
    t.cut(0)
    [proven] = t.frame(1, powers, np.array([0, 1, 1], dtype=np.float32))  # type: ignore[arg-type]
    powers[:] = 0
    t.cut(2, 2)
    [other] = t.frame(3, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    assert (proven.proof_w, proven.others_unaffected) == (0.5, True)
    assert other.others_unaffected is True


def test_window_and_threshold_have_bounds() -> None:
    """No setting can make the proof later than 15 s or softer than 5 W."""
    assert CutSettings().window_ms == 10_000
    for bad in ({"proof_s": 15.1}, {"off_w": 5.1}, {"proof_s": nan}, {"off_w": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            CutSettings.model_validate(bad)


@given(st.text())
def test_a_reason_always_fits_the_contract(text: str) -> None:
    """Whatever somebody wrote, the order can leave."""
    cleaned = clean_reason(text)
    assert len(cleaned) <= 200
    assert all(ord(char) >= 0x20 and ord(char) != 0x7F for char in cleaned)
