"""Silence: R41 for one station, R50 for several of one site."""

import pytest

from rules.engine import Engine
from rules.model import Act, AlarmFact, Family, LinkFact, Severity
from tests.rules.timeline import SITE, STATION, Timeline, frame, ms, profile, told


def test_three_silent_minutes_are_an_outage_of_the_station(line: Timeline) -> None:
    """180 s after the last message, not earlier; two messages end it."""
    line.every(5, 0, 100).tick(280)
    assert line.new() == []
    line.tick(281, 282)
    assert line.new() == ["281 raised R41.main box silence"]
    finding = line.engine.active(STATION)[0]
    assert (finding.family, finding.severity, finding.act) == (
        Family.TROUBLE,
        Severity.MAJOR,
        Act.NONE,
    )
    assert finding.key.episode_ms == ms(100)
    assert finding.evidence["charging"] == 0
    assert finding.evidence["warned"] is False
    line.at(300)
    assert line.new() == []
    line.at(305)
    assert line.new() == ["305 cleared R41.main box silence"]


def test_the_evidence_says_whether_a_charge_ran_and_a_warning_stood(line: Timeline) -> None:
    """Who reads the finding decides by it how fast to go."""
    line.every(5, 0, 60, power_w={1: 120.0}, relay={1: 1}).at(65, power_w={1: 120.0}, water=1)
    assert line.new() == ["65 raised R08.water box water"]
    line.tick(246)
    assert line.new() == ["246 raised R41.main box silence"]
    finding = line.finding_of("R41")
    assert (finding.evidence["charging"], finding.evidence["warned"]) == (1, True)
    assert finding.evidence["hottest_c"] == 25.0


def test_a_station_never_heard_is_silent_since_the_start(line: Timeline) -> None:
    """Registered and absent: told 180 s after the engine began, not at once."""
    line.tick(1, 179, 180)
    assert line.new() == []
    line.tick(181)
    assert line.new() == ["181 raised R41.main box silence"]


def test_our_own_downtime_is_not_the_stations_silence() -> None:
    """After a restart silence counts from ``begin``."""
    line = Timeline().every(5, 0, 60)
    again = Timeline(state=line.engine.state)
    again.engine.begin(ms(4000))
    again.tick(4001, 4180)
    assert again.new() == []
    again.tick(4181)
    assert again.new() == ["4181 raised R41.main box silence"]


def test_a_slow_reporter_is_given_three_intervals() -> None:
    """A station that reports every 120 s is silent after 360 s."""
    line = Timeline(idle_s=120.0).at(0).tick(359, 360)
    assert line.new() == []
    line.tick(361)
    assert line.new() == ["361 raised R41.main box silence"]


def test_a_last_will_is_believed_after_a_minute(line: Timeline) -> None:
    """Back within 60 s is no news."""
    line.every(5, 0, 60)
    line.facts(LinkFact(STATION, online=False, received_ms=ms(62)), at_s=62).tick(100, 121)
    line.facts(LinkFact(STATION, online=True, received_ms=ms(121)), at_s=121).tick(130, 200)
    assert line.new() == []
    line.every(5, 200, 300)
    line.facts(LinkFact(STATION, online=False, received_ms=ms(301)), at_s=301).tick(360)
    assert line.new() == []
    line.tick(361)
    assert line.new() == ["361 raised R41.main box last_will"]
    assert line.engine.active(STATION)[0].key.episode_ms == ms(301)
    line.facts(LinkFact(STATION, online=True, received_ms=ms(400)), at_s=400).at(401)
    assert line.new() == ["401 cleared R41.main box last_will"]


def test_frames_disprove_a_last_will(line: Timeline) -> None:
    """A will that was overtaken by a reconnect is forgotten when frames go on."""
    line.every(5, 0, 60)
    line.facts(LinkFact(STATION, online=False, received_ms=ms(61)), at_s=61)
    line.every(5, 65, 200).tick(130, 201)
    assert line.events == []


def test_an_alarm_is_a_sign_of_life(line: Timeline) -> None:
    """Any message counts, and a late frame counts as none."""
    line.at(0)
    fact = AlarmFact(STATION, None, "self_test", True, "a1", None, ms(150), ms(150))  # noqa: FBT003
    line.facts(fact, at_s=150).tick(300)
    assert line.new() == ["150 raised R90.self_test box device_self_test"]
    line.engine.step(frame(310, live=False), (), ms(310))
    line.tick(331)
    assert line.new() == ["331 raised R41.main box silence"]


def fleet(count: int, **silent_after: float) -> tuple[Engine, list[str]]:
    """An engine of ``count`` stations of one site that go silent at the given seconds."""
    names = [f"pile-{n:02d}" for n in range(1, count + 1)]
    engine = Engine([profile(name) for name in names])
    engine.begin(ms(0))
    events: list[str] = []
    for second in range(0, 900, 10):
        for name in names:
            if second <= silent_after.get(name.replace("-", "_"), 10_000):
                batch = frame(second, station=name)
                events += map(told, engine.step(batch, (), ms(second)))
        events += map(told, engine.tick(ms(second)))
    return engine, events


def test_three_stations_of_a_site_that_fall_silent_together_are_one_outage() -> None:
    """R50 stands beside the R41 of each, once, and names them."""
    engine, events = fleet(4, pile_01=100, pile_02=120, pile_03=150)
    assert events == [
        "290 raised R41.main box silence",
        "310 raised R41.main box silence",
        "340 raised R41.main box silence",
        f"400 raised R50.main {SITE} outage",
    ]
    finding = engine.active_site(SITE)[0]
    assert finding.key.station == SITE
    assert finding.key.socket is None
    assert finding.evidence["stations"] == "pile-01,pile-02,pile-03"
    assert (finding.evidence["silent"], finding.evidence["of"]) == (3, 4)
    for second in (900, 905):
        engine.step(frame(second, station="pile-02"), (), ms(second))
    assert [told(t) for t in engine.tick(ms(906))] == [f"906 cleared R50.main {SITE} outage"]
    assert engine.active_site(SITE) == []


@pytest.mark.parametrize(
    "silent",
    [
        {"pile_01": 100, "pile_02": 100},
        {"pile_01": 100, "pile_02": 200, "pile_03": 300, "pile_04": 400},
    ],
)
def test_few_or_scattered_silences_are_no_outage(silent: dict[str, float]) -> None:
    """Two stations, or four that fell silent minutes apart, are each their own trouble."""
    _, events = fleet(5, **silent)
    assert len(events) == len(silent)
    assert all("R41.main" in event for event in events)


def test_an_outage_survives_a_restart() -> None:
    """Raised before a snapshot, it is neither raised again nor lost after it."""
    engine, _ = fleet(4, pile_01=100, pile_02=120, pile_03=150)
    data = engine.state.snapshot()
    names = [f"pile-{n:02d}" for n in range(1, 5)]
    again = Engine([profile(n) for n in names], type(engine.state).from_snapshot(data))
    again.begin(ms(895))
    assert again.tick(ms(900)) == []
    assert again.active_site(SITE) == engine.active_site(SITE)
