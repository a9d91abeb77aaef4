"""Heat: R01 warm sockets, R02 hot sockets, R04 a hot box or shed, R05 rates of rise."""

import pytest

from rules.model import Act, Family, ReleaseFact, Severity
from tests.rules.timeline import STATION, Channel, Timeline, ms


def ramp(per_minute: float, start_c: float = 25.0, from_s: float = 0.0) -> Channel:
    """A temperature that rises from ``from_s`` on."""
    return lambda t: start_c + max(0.0, t - from_s) * per_minute / 60


def slowly_to(top_c: float, per_minute: float = 1.5) -> Channel:
    """A rise that no rate rule minds, up to ``top_c``."""
    return lambda t: min(top_c, 25.0 + t * per_minute / 60)


def test_warm_socket_blocks_the_next_start_after_a_minute(line: Timeline) -> None:
    """65 °C for 60 s warns, asks for no new start, and is not latched."""
    line.every(10, 0, 1680, temp_c={1: slowly_to(66)})
    assert line.events == ["1660 raised R01.main 1 socket_warm"]
    assert (line.last.act, line.last.latched, line.last.severity) == (
        Act.BLOCK_START,
        False,
        Severity.WARN,
    )
    assert line.last.evidence == {
        "temp_c": 66.0,
        "peak_c": 66.0,
        "limit_c": 65.0,
        "clear_c": 55.0,
        "sensor": "socket",
        "power_w": 0.0,
        "current_a": 0.0,
        "since_ms": ms(1600),
        "hold_s": 60.0,
        "samples": 7,
    }


def test_warm_socket_clears_only_after_ten_cool_minutes(line: Timeline) -> None:
    """A dip to 54 °C is not enough; ten minutes at or below 55 °C are, and 56 °C starts anew."""
    line.every(10, 0, 1700, temp_c={1: slowly_to(66)})
    assert line.new() == ["1660 raised R01.main 1 socket_warm"]
    line.every(10, 1710, 2200, temp_c={1: 54.0})
    line.at(2210, temp_c={1: 56.0})
    line.every(10, 2220, 2810, temp_c={1: 55.0})
    assert line.new() == []
    line.at(2820, temp_c={1: 55.0})
    assert line.new() == ["2820 cleared R01.main 1 socket_warm"]


def test_hot_socket_is_cut_and_latched_after_thirty_seconds_and_three_samples(
    line: Timeline,
) -> None:
    """80 °C must stand for 30 s; the cut latches."""
    line.every(10, 0, 2200, temp_c={1: slowly_to(79)})
    assert line.new() == [
        "1660 raised R01.main 1 socket_warm",
        "1860 updated R01.main 1 socket_warm",
        "2060 updated R01.main 1 socket_warm",
    ]
    line.every(10, 2210, 2240, temp_c={1: 80.0})
    assert line.events == ["2240 raised R02.sustained 1 socket_hot"]
    assert (line.last.act, line.last.latched, line.last.severity, line.last.fire) == (
        Act.CUT_SOCKET,
        True,
        Severity.CRITICAL,
        False,
    )


def test_two_hot_samples_are_not_three() -> None:
    """With one sample in 30 s the hold is met by the second sample, the count by the third."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.at(0, temp_c={1: 79.0}).at(30, temp_c={1: 82.0}).at(60, temp_c={1: 82.0})
    assert line.events == []
    line.at(90, temp_c={1: 82.0})
    assert line.events == ["90 raised R02.sustained 1 socket_hot"]


def test_one_cooler_sample_starts_the_hold_anew() -> None:
    """A sample known to be below the limit ends the stretch."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.every(10, 0, 20, temp_c={1: 81.0}).at(30, temp_c={1: 79.9})
    line.every(10, 40, 60, temp_c={1: 81.0})
    assert line.events == []
    line.at(70, temp_c={1: 81.0})
    assert line.events == ["70 raised R02.sustained 1 socket_hot"]


def test_null_neither_completes_nor_breaks_a_hot_stretch() -> None:
    """No value is its own state: it does not count as hot, and it does not read as cool."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.at(0, temp_c={1: 81.0}).at(10, temp_c={1: 81.0})
    line.every(10, 20, 40, temp_c={1: None})
    assert line.events == []
    line.at(50, temp_c={1: 81.0})
    assert line.events == ["50 raised R02.sustained 1 socket_hot"]


def test_a_long_pause_breaks_a_hot_stretch() -> None:
    """Two samples more than three minutes apart are not one uninterrupted stretch."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.at(0, temp_c={1: 81.0}).at(10, temp_c={1: 81.0})
    line.at(191, temp_c={1: 81.0}).at(201, temp_c={1: 81.0}).at(211, temp_c={1: 81.0})
    assert line.events == []
    line.at(221, temp_c={1: 81.0})
    assert line.events == ["221 raised R02.sustained 1 socket_hot"]


def test_a_slow_reporter_has_longer_pauses() -> None:
    """Where a station reports every two minutes, 200 s between two samples is no gap."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}}, idle_s=120.0)
    line.at(0, temp_c={1: 81.0}).at(200, temp_c={1: 81.0})
    assert line.events == []
    line.at(400, temp_c={1: 81.0})
    assert line.events == ["400 raised R02.sustained 1 socket_hot"]


def test_extreme_heat_needs_only_two_samples() -> None:
    """95 °C on two samples in a row cuts at once."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.at(0, temp_c={1: 94.0}).at(1, temp_c={1: 95.0})
    assert line.events == []
    line.at(2, temp_c={1: 96.0})
    assert line.events == ["2 raised R02.extreme 1 socket_extreme"]


def test_a_hot_finding_never_clears_because_data_stopped() -> None:
    """Null, silence and cool alike: a latched cut stays until a person releases it."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.every(10, 0, 30, temp_c={1: 81.0})
    assert line.new() == ["30 raised R02.sustained 1 socket_hot"]
    line.every(30, 60, 3600, temp_c={1: None})
    line.facts(ReleaseFact(STATION, 1, ms(3600)), at_s=3600)
    assert line.new() == []
    assert [f.key.rule for f in line.engine.blocks_release(STATION, 1)] == ["R02"]
    line.every(30, 3630, 7200, temp_c={1: 30.0})
    assert line.new() == []
    assert line.engine.blocks_release(STATION, 1) == []
    line.facts(ReleaseFact(STATION, 1, ms(7201)), at_s=7201)
    assert line.new() == ["7201 cleared R02.sustained 1 socket_hot"]


def test_release_is_refused_while_the_socket_is_hot_or_the_station_silent() -> None:
    """What blocks a release is named; a station that is not heard proves nothing."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.every(10, 0, 30, temp_c={1: 81.0})
    assert [f.reason for f in line.engine.blocks_release(STATION, 1)] == ["socket_hot"]
    assert line.engine.blocks_release(STATION, 2) == []
    line.at(40, temp_c={1: 50.0})
    assert line.engine.blocks_release(STATION, 1) == []
    line.tick(300)
    assert [f.reason for f in line.engine.blocks_release(STATION, 1)] == ["socket_hot"]


def test_hot_box_is_a_fire(line: Timeline) -> None:
    """60 °C in the box for 10 s: fire, station cut, latched; released after ten cool minutes."""
    line.every(10, 0, 1500, enclosure_c=slowly_to(60))
    assert line.new() == ["1410 raised R04.main box area_hot"]
    finding = line.engine.active(STATION)[0]
    assert (finding.act, finding.latched, finding.fire) == (Act.CUT_STATION, True, True)
    assert finding.family is Family.ALARM
    line.every(10, 1510, 2000, enclosure_c=45.0)
    assert [f.key.rule for f in line.engine.blocks_release(STATION, None)] == ["R04"]
    line.every(10, 2010, 2110, enclosure_c=45.0)
    assert line.engine.blocks_release(STATION, None) == []
    line.facts(ReleaseFact(STATION, None, ms(2111)), at_s=2111)
    assert line.new() == ["2111 cleared R04.main box area_hot"]


def test_the_ambient_sensor_speaks_for_the_station(line: Timeline) -> None:
    """Heat in the shed is the station's fire, and the evidence names the sensor."""
    line.every(10, 0, 1500, ambient_c=slowly_to(60))
    assert line.events == ["1410 raised R04.main box area_hot"]
    assert line.last.evidence["sensor"] == "ambient"
    assert line.last.evidence["temp_c"] == 60.0


def test_a_cool_box_does_not_release_a_hot_shed(line: Timeline) -> None:
    """Both sensors must be cool for ten minutes, and a sensor that falls silent is not cool."""
    line.every(10, 0, 1500, ambient_c=slowly_to(60)).every(10, 1510, 2200, ambient_c=46.0)
    assert [f.key.rule for f in line.engine.blocks_release(STATION, None)] == ["R04"]
    line.every(10, 2210, 2900, ambient_c=None)
    assert [f.key.rule for f in line.engine.blocks_release(STATION, None)] == ["R04"]
    line.every(10, 2910, 3510, ambient_c=45.0)
    assert line.engine.blocks_release(STATION, None) == []


def test_a_sun_exposed_box_can_be_set_to_75() -> None:
    """The site's override moves the limit of this station only."""
    line = Timeline(overrides={"R04": {"limit_c": 75, "clear_c": 65}})
    line.every(10, 0, 2400, enclosure_c=slowly_to(74))
    assert line.events == []


@pytest.mark.parametrize("per_minute", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("step_s", [1, 5, 10, 30])
def test_two_kelvin_per_minute_never_alarms(per_minute: float, step_s: float) -> None:
    """GB 16280-2014 4.7: no alarm at 2 K/min from 25 °C for 15 minutes; a charge is far slower."""
    line = Timeline(overrides={"R01": {"enabled": False}})
    line.every(step_s, 0, 900, temp_c={1: ramp(per_minute)}, enclosure_c=ramp(per_minute))
    assert line.events == []


def test_a_rising_socket_is_cut_before_it_is_hot() -> None:
    """6 K within 120 s for 10 s: the socket is cut while it is still at 33 °C."""
    line = Timeline()
    line.every(5, 0, 300, temp_c={1: ramp(3.2, from_s=120)})
    assert line.events == ["245 raised R05.pre 1 rising"]
    finding = line.last
    assert (finding.act, finding.latched, finding.fire) == (Act.CUT_SOCKET, True, False)
    assert finding.evidence["temp_c"] == pytest.approx(31.67)
    assert finding.evidence["rise_k_120s"] == pytest.approx(6.67)


def test_a_rising_box_only_notifies() -> None:
    """The pre-alarm of the box cuts nothing and clears by itself."""
    line = Timeline()
    line.every(5, 0, 255, enclosure_c=ramp(3.2, from_s=120))
    assert line.new() == ["245 raised R05.pre box rising"]
    finding = line.engine.active(STATION)[0]
    assert (finding.act, finding.latched, finding.severity) == (Act.NONE, False, Severity.MAJOR)
    line.every(5, 260, 1100, enclosure_c=32.2)
    assert line.new() == ["940 cleared R05.pre box rising"]


def test_fire_by_rate_and_level() -> None:
    """8 K within 120 s at 46 °C or more is a fire even when no single minute has 8.3 K."""
    line = Timeline(overrides={"R05": {"pre": {"enabled": False}}})
    line.every(5, 0, 600, temp_c={2: ramp(5.0, start_c=30, from_s=60)})
    assert line.events == [
        "265 raised R05.fire 2 rising_fire",
        "325 updated R05.fire 2 rising_fire",
        "385 updated R05.fire 2 rising_fire",
        "445 updated R05.fire 2 rising_fire",
        "505 updated R05.fire 2 rising_fire",
        "540 raised R01.main 2 socket_warm",
        "565 updated R05.fire 2 rising_fire",
        "600 updated R01.main 2 socket_warm",
    ]
    fire = line.finding_of("R05", "fire")
    assert (fire.act, fire.latched, fire.fire, fire.severity) == (
        Act.CUT_STATION,
        True,
        True,
        Severity.CRITICAL,
    )


def test_fire_by_a_fast_minute() -> None:
    """8.3 K within 60 s is a fire at any temperature."""
    line = Timeline(overrides={"R05": {"pre": {"enabled": False}}})
    line.every(5, 0, 130, enclosure_c=ramp(9.5, start_c=5, from_s=60))
    assert line.events == ["125 raised R05.fire box rising_fast"]


def test_a_jump_that_stays_is_a_fire() -> None:
    """A step of 30 K that is still there 10 s later is R05, not a sensor fault."""
    line = Timeline()
    line.every(5, 0, 60).every(5, 65, 75, temp_c={1: 55.0})
    assert line.events == [
        "75 raised R05.pre 1 rising",
        "75 raised R05.fire 1 rising_fast",
    ]


def test_a_single_sample_that_returns_is_a_sensor_fault() -> None:
    """One sample 40 K away from both its neighbours is R42 and cuts nothing, up or down."""
    for odd in (65.5, -15.0):
        line = Timeline()
        line.every(5, 0, 60).at(65, temp_c={1: odd}).every(5, 70, 300)
        assert line.events == ["70 raised R42.jump 1 jump"]


def test_a_drop_out_of_two_low_samples_is_no_rise() -> None:
    """A sensor that reads 12 K low twice and comes back has not risen by 12 K."""
    line = Timeline()
    line.every(5, 0, 60).every(5, 65, 70, temp_c={1: 13.0}).every(5, 75, 300)
    assert line.events == []


def test_a_rise_across_a_pause_is_measured_only_within_the_window(line: Timeline) -> None:
    """15 K in ten silent minutes is no rate anybody saw."""
    line.every(5, 0, 60).every(5, 660, 800, temp_c={1: 40.0})
    assert line.events == []
