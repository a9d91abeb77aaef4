"""R42: temperatures that cannot be believed, and charging without any."""

import pytest

from rules.model import Act, Family, RefusedFact, Severity
from tests.rules.timeline import STATION, Channel, Timeline, ms

CHARGING: dict[str, dict[int, float | None]] = {
    "power_w": {1: 120.0},
    "current_a": {1: 0.55},
    "relay": {1: 1},
}


@pytest.mark.parametrize("code", [0.0, 85.0, 127.0])
def test_a_code_value_that_nothing_led_to_is_a_sentinel(line: Timeline, code: float) -> None:
    """Three samples of an exact code, 10 K from the last valid one; over after ten good minutes."""
    line.every(5, 0, 20).every(5, 25, 30, temp_c={1: code})
    assert line.new() == []
    line.at(35, temp_c={1: code})
    assert line.new() == ["35 raised R42.bad_value 1 sentinel"]
    finding = line.engine.active(STATION)[0]
    assert (finding.act, finding.severity, finding.family) == (
        Act.NONE,
        Severity.WARN,
        Family.TROUBLE,
    )
    assert finding.evidence["last_valid_c"] == 25.0
    line.every(5, 40, 640)
    assert line.new() == ["640 cleared R42.bad_value 1 sentinel"]


def test_85_reached_by_heating_is_85(line: Timeline) -> None:
    """A value within 10 K of the last valid one is a temperature, code or not: the cut comes."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.at(0, temp_c={1: 76.0}).every(10, 10, 40, temp_c={1: 85.0})
    assert line.events == ["40 raised R02.sustained 1 socket_hot"]


def test_a_sentinel_is_never_hot_nor_cool(line: Timeline) -> None:
    """127 cuts nothing; 0 after heat clears nothing and completes nothing."""
    line = Timeline(overrides={"R01": {"enabled": False}, "R05": {"enabled": False}})
    line.at(0).every(5, 5, 60, temp_c={2: 127.0})
    assert line.new() == ["15 raised R42.bad_value 2 sentinel"]
    line.every(10, 70, 100, temp_c={1: 81.0, 2: 127.0})
    assert line.new() == ["100 raised R02.sustained 1 socket_hot"]
    line.every(10, 110, 130, temp_c={1: 0.0, 2: 127.0})
    assert line.new() == ["130 raised R42.bad_value 1 sentinel"]
    assert "R02" in [f.key.rule for f in line.engine.blocks_release(STATION, 1)]


@pytest.mark.parametrize("end", [-40.0, 200.0])
def test_a_value_at_the_end_of_the_range_is_not_believed(line: Timeline, end: float) -> None:
    """An open or shorted thermistor reads the end of its range."""
    line.every(5, 0, 20).every(5, 25, 40, temp_c={2: end})
    assert line.events == ["35 raised R42.bad_value 2 saturated"]


def test_sockets_without_sensors_are_no_storm() -> None:
    """Twelve sockets that never had a sensor and charge nothing raise nothing."""
    line = Timeline(sockets=12)
    absent: dict[int, float | None] = dict.fromkeys(range(1, 7))
    zero: dict[int, float | None] = dict.fromkeys(range(7, 13), 0.0)
    line.every(30, 0, 7200, temp_c={**absent, **zero})
    assert line.events == []


def test_a_box_sensor_that_never_worked_is_told_while_something_charges(line: Timeline) -> None:
    """The station's own sensors matter as soon as there is a charge to watch."""
    line.every(5, 0, 60, enclosure_c=0.0)
    assert line.events == []
    line.every(5, 65, 100, enclosure_c=0.0, power_w={1: 120.0}, relay={1: 1})
    assert line.events == ["80 raised R42.bad_value box sentinel"]
    assert line.last.evidence["sensor"] == "enclosure"


@pytest.mark.parametrize("nothing", [None, 0.0, 200.0])
def test_charging_without_a_valid_temperature_is_told_after_a_minute(
    nothing: float | None,
) -> None:
    """A blind charge is a protection that is off; a sensor that is back for 10 min ends it."""
    line = Timeline(overrides={"R42": {"bad_value": {"enabled": False}}})
    line.every(10, 0, 60, **CHARGING).every(10, 70, 120, temp_c={1: nothing}, **CHARGING)
    assert line.new() == []
    line.at(130, temp_c={1: nothing}, **CHARGING)
    assert line.new() == ["130 raised R42.blind 1 no_valid_temperature"]
    finding = line.engine.active(STATION)[0]
    assert (finding.family, finding.act) == (Family.SUPERVISORY, Act.NONE)
    assert finding.evidence["last_valid_ms"] == ms(60)
    line.every(10, 140, 730, **CHARGING)
    assert line.new() == []
    line.at(740, **CHARGING)
    assert line.new() == ["740 cleared R42.blind 1 no_valid_temperature"]


def test_blindness_ends_with_the_charge_before_it_is_told(line: Timeline) -> None:
    """A sensor that is absent on an idle socket is no finding."""
    line.every(10, 0, 30, temp_c={1: None}, **CHARGING)
    line.every(10, 40, 600, temp_c={1: None})
    assert line.events == ["70 raised R42.blind 1 no_valid_temperature"]
    again = Timeline()
    again.every(10, 0, 600, temp_c={1: None})
    assert again.events == []


def drifting(second: float) -> Channel:
    """The shed warms by 4 K in 8 hours."""
    return 20.0 + second / 7200


def test_a_sensor_that_stands_still_while_its_peers_move_is_stuck() -> None:
    """Six hours without a change while the median of the others moved by 2 K."""
    line = Timeline(sockets=4)
    temp: Channel = {1: 25.0, 2: drifting, 3: drifting, 4: drifting}
    line.every(30, 0, 8 * 3600, temp_c=temp, enclosure_c=drifting, ambient_c=drifting)
    assert [e.split(" ", 1)[1] for e in line.events] == ["raised R42.stuck 1 stuck"]
    assert 6 * 3600 <= float(line.events[0].split()[0]) <= 6 * 3600 + 600
    assert line.last.evidence["temp_c"] == 25.0
    view = line.engine.socket_view(STATION)[0]
    assert (view.temp_c.truth, view.temp_c.value) == ("stuck", 25.0)
    line.new()
    end = 8 * 3600
    line.every(30, end + 30, end + 900, temp_c=drifting, enclosure_c=drifting, ambient_c=drifting)
    assert [e.split(" ", 1)[1] for e in line.new()] == ["cleared R42.stuck 1 stuck"]


def test_a_calm_night_makes_nothing_stuck() -> None:
    """All sensors still for a day, because nothing changes: no peer has moved."""
    line = Timeline(sockets=4)
    line.every(30, 0, 86_400)
    assert line.events == []


def test_a_wildly_jumping_sensor_is_one_finding(line: Timeline) -> None:
    """Spike after spike keeps the finding; ten quiet minutes end it."""
    line.every(5, 0, 20)
    for start in range(30, 300, 30):
        line.at(start, temp_c={1: 60.0}).every(5, start + 5, start + 25)
    line.every(5, 300, 900)
    assert line.events == ["35 raised R42.jump 1 jump", "880 cleared R42.jump 1 jump"]


def test_refused_frames_while_charging_are_told(line: Timeline) -> None:
    """Three refused in a row with no good one between; ten good minutes end it."""
    line.every(10, 0, 60, **CHARGING)
    line.facts(RefusedFact(STATION, 2, "not_json", ms(70)), at_s=70)
    assert line.new() == []
    line.facts(RefusedFact(STATION, 3, "not_json", ms(80)), at_s=80)
    line.facts(RefusedFact(STATION, 4, "not_json", ms(90)), at_s=90)
    assert line.new() == ["80 raised R42.refused box frames_refused"]
    line.every(10, 100, 700, **CHARGING)
    assert line.new() == ["700 cleared R42.refused box frames_refused"]


def test_refused_frames_of_an_idle_station_are_not_told(line: Timeline) -> None:
    """Nothing charges, so nobody is in danger; silence will tell if it lasts."""
    line.at(0).facts(RefusedFact(STATION, 9, "not_json", ms(10)), at_s=10)
    assert line.events == []


def test_truth_of_every_sensor_is_named(line: Timeline) -> None:
    """The views say what each value is worth, and stale once nothing comes."""
    line.at(0)
    line.at(5, temp_c={1: 200.0, 2: 85.0}, current_a={1: None, 2: 40.0}, power_w={1: 10_000.0})
    one, two = line.engine.socket_view(STATION)
    assert [(r.value, r.truth) for r in (one.temp_c, one.current_a, one.power_w)] == [
        (None, "saturated"),
        (None, "absent"),
        (10_000.0, "saturated"),
    ]
    assert [(r.value, r.truth) for r in (two.temp_c, two.current_a, two.power_w)] == [
        (None, "sentinel"),
        (40.0, "saturated"),
        (0.0, "valid"),
    ]
    line.at(10, temp_c={1: 60.0})
    one, two = line.engine.socket_view(STATION)
    assert (one.temp_c.value, one.temp_c.truth) == (60.0, "implausible")
    assert (two.temp_c.value, two.temp_c.truth) == (25.0, "valid")
    line.tick(400)
    one, _ = line.engine.socket_view(STATION)
    station = line.engine.station_view(STATION)
    assert (one.temp_c.value, one.temp_c.truth) == (60.0, "stale")
    assert (station.enclosure_c.truth, station.stale, station.offline) == ("stale", True, True)
    assert (station.last_heard_ms, station.last_event_ms) == (ms(10), ms(10))
