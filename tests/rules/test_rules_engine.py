"""The engine as a whole: batching, late frames, clocks, growth, snapshots, moves of stations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot.frames import FrameBatch
from rules.engine import Engine, EngineState, StationProfile
from rules.errors import SnapshotError, UnknownStationError
from rules.model import AlarmFact, Fact, LockFact, ReleaseFact, Transition
from tests.rules.timeline import STATION, Channel, Timeline, check, frame, ms, profile, told

STATIONS = ("pile-01", "pile-02", "pile-03")
WIDTH = {"pile-01": 2, "pile-02": 3, "pile-03": 1}
OVERRIDES: dict[str, dict[str, object]] = {
    "pile-01": {},
    "pile-02": {
        "R02": {"sustained": {"limit_c": 70, "hold_s": 10}},
        "R22": {"warn": {"limit_h": 0.1}},
    },
    "pile-03": {"R05": {"enabled": False}, "R42": {"jump": {"clear_hold_s": 5}}},
}


def profiles() -> list[StationProfile]:
    """Three stations of different widths and catalogues."""
    return [profile(s, sockets=WIDTH[s], overrides=OVERRIDES[s]) for s in STATIONS]


TEMPS = st.sampled_from([None, 25.0, 25.0, 26.0, 30.0, 52.0, 71.0, 82.0, 97.0, 0.0, 85.0, 200.0])
POWERS = st.sampled_from([None, 0.0, 0.5, 18.0, 120.0, 120.0, 130.0, 1200.0])
FRAMES = st.lists(
    st.tuples(
        st.sampled_from(STATIONS),
        st.sampled_from([1, 1, 2, 5, 5, 10, 30, 200, 4000]),
        TEMPS,
        POWERS,
        st.sampled_from([None, 0, 1, 1]),
        st.sampled_from([25.0, 25.0, 25.0, 61.0, None]),
        st.sampled_from([0, 0, 0, 0, 0, 1]),
        st.sampled_from([True, True, True, True, False]),
    ),
    min_size=1,
    max_size=60,
)
Story = list[tuple[str, int, Channel, Channel, Channel, Channel, Channel, bool]]


def played(story: Story) -> list[FrameBatch]:
    """The story as batches of one frame, with time passing from frame to frame."""
    now, out = 0.0, []
    for station, pause, temp, power, relay, box, smoke, live in story:
        now += pause
        out.append(
            frame(
                now,
                station=station,
                sockets=WIDTH[station],
                live=live,
                temp_c={1: temp},
                power_w={1: power},
                relay={1: relay},
                enclosure_c=box,
                smoke=smoke,
            )
        )
    return out


def run(engine: Engine, batches: list[FrameBatch], cuts: list[int]) -> list[Transition]:
    """Step through ``batches``, joined between the positions in ``cuts``."""
    out: list[Transition] = []
    for first, last in zip([0, *cuts], [*cuts, len(batches)], strict=True):
        if first < last:
            joined = FrameBatch.concat(batches[first:last])
            out += engine.step(joined, (), int(joined.received_ms[-1]))
    for transition in out:
        check(transition)
    return out


def everything(engine: Engine) -> list[object]:
    """All that can be seen from outside."""
    return [
        [repr(engine.socket_view(s)), repr(engine.station_view(s)), engine.active(s)]
        for s in STATIONS
    ]


@settings(max_examples=80, deadline=None)
@given(story=FRAMES, data=st.data())
def test_how_frames_were_batched_changes_nothing(story: Story, data: st.DataObject) -> None:
    """One by one, all at once, or anyhow: the same transitions in the same order."""
    batches = played(story)
    cuts = data.draw(st.lists(st.integers(0, len(batches)), max_size=6).map(sorted))
    singly, anyhow = Engine(profiles()), Engine(profiles())
    expected = run(singly, batches, list(range(1, len(batches))))
    assert run(anyhow, batches, cuts) == expected
    assert everything(anyhow) == everything(singly)


@settings(max_examples=60, deadline=None)
@given(story=FRAMES, data=st.data())
def test_a_station_can_move_at_any_moment(story: Story, data: st.DataObject) -> None:
    """Cut out, removed, and restored on another engine, holds and latches go on as if nothing."""
    batches = played(story)
    middle = data.draw(st.integers(0, len(batches)))
    mover = data.draw(st.sampled_from(STATIONS))
    stays, here = Engine(profiles()), Engine(profiles())
    assert run(stays, batches[:middle], []) == run(here, batches[:middle], [])
    there = Engine([])
    there.configure([profile("pile-99", sockets=5)])  # another slot, another width
    data_out = here.state.cut_out(mover)
    here.forget(mover)
    assert there.state.restore(data_out) == [mover]
    there.configure(p for p in profiles() if p.station == mover)
    expected = run(stays, batches[middle:], [])
    mine = [b for b in batches[middle:] if b.station[0] == mover]
    moved = run(there, mine, [])
    rest = run(here, batches[middle:], [])
    assert moved == [t for t in expected if t.finding.key.station == mover]
    assert rest == [t for t in expected if t.finding.key.station != mover]
    assert there.active(mover) == stays.active(mover)


@settings(max_examples=60, deadline=None)
@given(story=FRAMES, data=st.data())
def test_a_restart_from_a_snapshot_changes_nothing(story: Story, data: st.DataObject) -> None:
    """Snapshots hold the middle of every hold, session and clear timer."""
    batches = played(story)
    middle = data.draw(st.integers(0, len(batches)))
    stays, stops = Engine(profiles()), Engine(profiles())
    run(stays, batches[:middle], [])
    run(stops, batches[:middle], [])
    restarted = Engine(profiles(), EngineState.from_snapshot(stops.state.snapshot()))
    assert run(restarted, batches[middle:], []) == run(stays, batches[middle:], [])
    now_ms = ms(1_000_000)  # both have seen the same hour, or one has seen none since its start
    assert restarted.step(None, (), now_ms) == stays.step(None, (), now_ms) == []
    assert everything(restarted) == everything(stays)


@settings(max_examples=40, deadline=None)
@given(story=FRAMES)
def test_each_finding_is_raised_before_it_is_updated_or_cleared(story: Story) -> None:
    """Per subject and tier: raise, any updates, clear; and what is not cleared stands."""
    engine = Engine(profiles())
    standing = {}
    for transition in run(engine, played(story), []):
        key = transition.finding.key
        subject = (key.station, key.socket, key.rule, key.tier)
        match transition.change.value:
            case "raised":
                assert subject not in standing
                standing[subject] = transition.finding
            case "updated":
                assert standing[subject].key == key
                standing[subject] = transition.finding
            case _:
                assert standing.pop(subject).key == key
    found = [f for s in STATIONS for f in engine.active(s)]
    assert sorted(map(repr, found)) == sorted(map(repr, standing.values()))


def test_late_frames_change_nothing(line: Timeline) -> None:
    """A frame that was overtaken raises and clears nothing, and moves no view."""
    line.every(5, 0, 60)
    before = (line.engine.socket_view(STATION), line.engine.station_view(STATION))
    for second in range(0, 60, 5):
        batch = frame(second, live=False, temp_c=120.0, smoke=1, power_w=2000.0)
        assert line.engine.step(batch, (), ms(60)) == []
    assert (line.engine.socket_view(STATION), line.engine.station_view(STATION)) == before


def test_a_clock_that_steps_back_keeps_what_has_elapsed() -> None:
    """The station's clock falls back by 40 s in the middle of a hold: the hold goes on."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.every(5, 0, 15, temp_c={1: 81.0})
    for second in (-20, -15, -10):
        batch = frame(second, temp_c={1: 81.0}, received_s=second + 40)
        line._take(line.engine.step(batch, (), ms(second + 40)))
    assert line.events == []
    batch = frame(-5, temp_c={1: 81.0}, received_s=35)
    line._take(line.engine.step(batch, (), ms(35)))
    assert line.events == ["-5 raised R02.sustained 1 socket_hot"]


def test_a_clock_that_steps_back_forgets_no_rise() -> None:
    """A rise that is under way goes on being measured over the same elapsed two minutes."""
    line = Timeline()

    def sent(elapsed: float, clock: float) -> None:
        temp = 25 + max(0.0, elapsed - 120) * 3.2 / 60
        batch = frame(clock, temp_c={1: temp}, received_s=elapsed)
        line._take(line.engine.step(batch, (), ms(elapsed)))

    for elapsed in range(0, 220, 5):
        sent(elapsed, elapsed)
    for elapsed in range(220, 250, 5):
        sent(elapsed, elapsed - 500)
    assert line.events == ["-255 raised R05.pre 1 rising"]  # 245 s after the first frame


def test_a_clock_that_steps_back_makes_no_rise() -> None:
    """5 K per minute is not 8.3, before and after a step: old values leave the window in time."""
    line = Timeline(overrides={"R05": {"pre": {"enabled": False}}})
    for elapsed in range(0, 420, 5):
        clock = elapsed if elapsed < 60 else elapsed - 470
        batch = frame(clock, temp_c={1: 10 + elapsed * 5 / 60}, received_s=elapsed)
        line._take(line.engine.step(batch, (), ms(elapsed)))
    assert line.events == []


def test_a_clock_that_leaps_ahead_ages_no_session() -> None:
    """A correction by two hours within five seconds is not two hours of charging."""
    line = Timeline()
    line.every(5, 0, 600, power_w={1: 120.0}, relay={1: 1})
    for k in range(100):
        now = 605 + 5 * k
        batch = frame(now + 7200, power_w={1: 120.0}, relay={1: 1}, received_s=now)
        line._take(line.engine.step(batch, (), ms(now)))
    (view, _) = line.engine.socket_view(STATION)
    assert view.elapsed_s == 1100
    assert view.energy_wh == pytest.approx(120 * 1100 / 3600, rel=0.02)
    assert line.events == []


def test_a_backlog_is_evaluated_in_its_own_time() -> None:
    """Twenty minutes of queued frames received in one second run their holds in event time."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    batches = [
        frame(t, temp_c={1: 81.0 if t >= 600 else 79.0}, received_s=2000)
        for t in range(0, 1200, 10)
    ]
    line._take(line.engine.step(FrameBatch.concat(batches), (), ms(2000)))
    assert line.events == ["630 raised R02.sustained 1 socket_hot"]


def test_stations_and_sockets_can_be_added_while_running() -> None:
    """A wider station widens the state; what stood before goes on."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.every(10, 0, 20, temp_c={2: 81.0}, ambient_c=30.0)
    line.engine.configure([profile(f"pile-{n}", sockets=20) for n in range(10, 60)])
    line.at(30, temp_c={2: 81.0}, ambient_c=30.0)
    assert line.events == ["30 raised R02.sustained 2 socket_hot"]
    assert line.engine.station_view(STATION).ambient_c.value == 30.0
    hot = [frame(t, station="pile-59", sockets=20, temp_c={20: 97.0}) for t in (0, 1)]
    assert [told(t) for t in line.engine.step(FrameBatch.concat(hot), (), ms(1))] == [
        "1 raised R02.extreme 20 socket_extreme"
    ]


def test_settings_can_change_while_running() -> None:
    """A new catalogue for a station takes effect with its next frame."""
    line = Timeline(overrides={"R05": {"enabled": False}})
    line.every(10, 0, 100, temp_c={1: 60.0})
    limit = {"R01": {"limit_c": 58}, "R05": {"enabled": False}}
    line.engine.configure([profile(overrides=limit)])
    line.every(10, 110, 170, temp_c={1: 60.0})
    assert line.events == ["170 raised R01.main 1 socket_warm"]
    assert line.last.evidence["limit_c"] == 58.0


def test_stations_with_different_catalogues_share_a_wave() -> None:
    """Each is judged by its own limits, in one batch."""
    engine = Engine(
        [
            profile("pile-01", overrides={"R02": {"extreme": {"limit_c": 90}}}),
            profile("pile-02"),
            profile("pile-03", overrides={"R02": {"enabled": False}}),
        ]
    )
    batch = FrameBatch.concat(
        [frame(t, station=s, temp_c={1: 92.0}) for t in (0, 1) for s in STATIONS]
    )
    assert [(t.finding.key.station, told(t)) for t in engine.step(batch, (), ms(1))] == [
        ("pile-01", "1 raised R02.extreme 1 socket_extreme")
    ]


def test_what_is_not_configured_is_ignored_and_counted() -> None:
    """A stranger's frame raises nothing and does not disturb the others of its batch."""
    engine = Engine([profile("pile-01")])
    batch = FrameBatch.concat(
        [frame(0, station=s, smoke=1) for s in ("pile-77", "pile-01", "pile-78")]
    )
    assert [told(t) for t in engine.step(batch, (), ms(0))] == ["0 raised R07.main box smoke"]
    assert engine.ignored == 2
    with pytest.raises(UnknownStationError, match="pile-77"):
        engine.socket_view("pile-77")


def test_a_rise_survives_a_snapshot() -> None:
    """The window of two minutes is part of the state."""
    line = Timeline()
    rising: Channel = {1: lambda t: 25 + max(0.0, t - 120) * 3.2 / 60}
    line.every(5, 0, 200, temp_c=rising)
    again = Timeline(state=EngineState.from_snapshot(line.engine.state.snapshot()))
    again.every(5, 205, 250, temp_c=rising)
    assert again.events == ["245 raised R05.pre 1 rising"]


def test_facts_survive_a_snapshot() -> None:
    """Locks, standing alarms and alarms already told are part of the state."""
    facts: list[Fact] = [
        AlarmFact(STATION, None, "smoke", True, "a1", None, ms(1), ms(1)),  # noqa: FBT003
        LockFact(STATION, (2,), ms(1)),
    ]
    line = Timeline().facts(*facts, at_s=1).at(2)
    assert line.new() == ["1 raised R07.main box smoke"]
    again = Timeline(state=EngineState.from_snapshot(line.engine.state.snapshot()))
    again.facts(facts[0], at_s=3).at(4)
    assert again.new() == []
    assert [f.reason for f in again.engine.blocks_release(STATION, None)] == ["smoke"]
    assert [v.locked for v in again.engine.socket_view(STATION)] == [False, True]
    again.facts(AlarmFact(STATION, None, "smoke", False, "a1", None, ms(5), ms(5)), at_s=5)  # noqa: FBT003
    again.facts(ReleaseFact(STATION, None, ms(6)), at_s=6)
    assert again.new() == ["6 cleared R07.main box smoke"]


def test_a_restored_station_keeps_its_slot() -> None:
    """What is restored over a running station replaces it, and its neighbour goes on."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.engine.configure([profile("pile-02")])
    line.every(10, 0, 20, temp_c={1: 81.0})
    saved = line.engine.state.cut_out(STATION)
    line.engine.forget("pile-02")
    line.engine.configure([profile("pile-03")])
    line.at(30, temp_c={1: 81.0})
    assert line.new() == ["30 raised R02.sustained 1 socket_hot"]
    line.engine.state.restore(saved)
    assert line.engine.active(STATION) == []
    line.at(30, temp_c={1: 81.0})
    assert line.new() == ["30 raised R02.sustained 1 socket_hot"]


def test_a_damaged_or_foreign_snapshot_is_refused() -> None:
    """Neither garbage, nor half a file, nor another format version is taken for a state."""
    good = Timeline().at(0).engine.state.snapshot()
    for bad in (b"", b"garbage", good[: len(good) // 2]):
        with pytest.raises(SnapshotError):
            EngineState.from_snapshot(bad)
    with pytest.raises(UnknownStationError):
        EngineState().cut_out("pile-01")


def test_a_wave_holds_one_frame_per_station() -> None:
    """A hundred frames of one station in one batch are a hundred samples, in order."""
    line = Timeline(overrides={"R42": {"enabled": False}})
    temps = np.tile([25.0, 97.0], 50)
    batches = [frame(t, temp_c={1: float(temps[t])}) for t in range(100)]
    line._take(line.engine.step(FrameBatch.concat(batches), (), ms(99)))
    assert line.events == []
