"""Order, identity and clocks of what stations send."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot.sequence import WINDOW, Sequences, StationSequence, Verdict

A, B = "aaaaaaaa", "bbbbbbbb"
NOW = 1_790_000_000_000


def test_a_rising_sequence_is_live() -> None:
    """Frames in order speak for the present, gaps included."""
    memory = StationSequence()
    assert [memory.note_telemetry(A, s) for s in (0, 1, 5, 6)] == [Verdict.LIVE] * 4


@pytest.mark.parametrize("again", [0, 3, 5])
def test_a_repeated_number_is_a_duplicate(again: int) -> None:
    """QoS 1 delivers twice; the second time is recognised, newest or not."""
    memory = StationSequence()
    for seq in range(6):
        memory.note_telemetry(A, seq)
    assert memory.note_telemetry(A, again) is Verdict.DUPLICATE


def test_an_overtaken_frame_is_late_once() -> None:
    """A delayed frame is kept, but does not speak for the present; its repeat is a duplicate."""
    memory = StationSequence()
    for seq in (0, 1, 3):
        memory.note_telemetry(A, seq)
    assert memory.note_telemetry(A, 2) is Verdict.LATE
    assert memory.note_telemetry(A, 2) is Verdict.DUPLICATE


def test_an_alarm_on_the_other_lane_does_not_make_a_frame_late() -> None:
    """Alarms take numbers too and overtake frames; frames are compared with frames only."""
    memory = StationSequence()
    memory.note_telemetry(A, 1)
    assert memory.note(A, 3) is Verdict.LIVE
    assert memory.note_telemetry(A, 2) is Verdict.LIVE


def test_a_reboot_is_not_a_replay() -> None:
    """A new boot id restarts the count; what comes late from the old boot is only kept."""
    memory = StationSequence()
    memory.note_telemetry(A, 500)
    assert memory.note_telemetry(B, 0) is Verdict.LIVE
    assert memory.note_telemetry(A, 501) is Verdict.LATE


def test_a_number_behind_the_window_cannot_be_judged() -> None:
    """Behind the remembered window a frame cannot be told from a duplicate."""
    memory = StationSequence()
    memory.note_telemetry(A, WINDOW + 10)
    assert memory.note_telemetry(A, 10) is Verdict.TOO_OLD
    assert memory.note_telemetry(A, 11) is Verdict.LATE


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 3000)), max_size=200))
def test_each_number_is_accepted_exactly_once(sent: list[tuple[str, int]]) -> None:
    """Whatever the order and the repeats: every (boot, seq) is new exactly once."""
    memory = StationSequence()
    accepted = [key for key in sent if memory.note_telemetry(*key) in {Verdict.LIVE, Verdict.LATE}]
    assert sorted(accepted) == sorted(set(sent))


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 9000)), max_size=60))
def test_memory_survives_its_own_dump(sent: list[tuple[str, int]]) -> None:
    """After a dump through JSON the next verdicts are the same."""
    first = Sequences()
    for boot, seq in sent:
        first.of("s-1").note_telemetry(boot, seq)
    second = Sequences()
    second.load(json.loads(json.dumps(first.dump())))
    after = [(A, 9001), (B, 9001), (A, 17), (B, 4000)]
    assert [second.of("s-1").note_telemetry(*k) for k in after] == [
        first.of("s-1").note_telemetry(*k) for k in after
    ]


def test_a_good_clock_is_used_as_it_is() -> None:
    """Within 60 s of ours the station's time is the event time."""
    clock = StationSequence().clock
    assert clock.event_ms(NOW - 2_000, NOW) == NOW - 2_000
    assert clock.event_ms(NOW + 30_000, NOW) == NOW + 30_000


def test_a_clock_ahead_is_shifted_at_once_and_keeps_spacing() -> None:
    """Local time (+8 h) sent as UTC: events are now, and 5 s apart when sent 5 s apart."""
    clock = StationSequence().clock
    ahead = 8 * 3_600_000
    events = [clock.event_ms(NOW + ahead + i * 5_000, NOW + i * 5_000 + i) for i in range(4)]
    assert events == [NOW + i * 5_000 for i in range(4)]


def test_a_queue_being_emptied_keeps_its_own_times() -> None:
    """Thirty minutes of buffered frames in two seconds: no rate of rise may be invented."""
    clock = StationSequence().clock
    sent = [NOW - 1_800_000 + i * 5_000 for i in range(360)]
    events = [clock.event_ms(ts, NOW + i * 5) for i, ts in enumerate(sent)]
    assert events == sent


def test_a_clock_steadily_behind_is_shifted_by_a_constant() -> None:
    """Two hours behind for more than a minute: from then on events are now."""
    clock = StationSequence().clock
    lag = 2 * 3_600_000
    events = [clock.event_ms(NOW - lag + i * 5_000, NOW + i * 5_000) for i in range(20)]
    assert events[0] == NOW - lag
    assert events[-1] == NOW + 19 * 5_000
    assert [b - a for a, b in pairwise(events[13:])] == [5_000] * 6
