"""Charge sessions from power alone: starts, stages, ends, peaks and energy."""

import pytest

from rules.views import SocketView
from tests.rules.timeline import STATION, Channel, Timeline, ms

HOUR = 3600.0


def view(line: Timeline) -> SocketView:
    """Socket 1."""
    return line.engine.socket_view(STATION)[0]


def on(power_w: Channel) -> dict[str, Channel]:
    """Socket 1 with a closed relay and this power."""
    return {"power_w": {1: power_w}, "relay": {1: 1}}


def test_a_socket_that_never_charged_is_idle(line: Timeline) -> None:
    """No session, no peak, no energy."""
    line.every(5, 0, 60, **on(0.7))
    v = view(line)
    assert (v.phase, v.charging, v.started_ms, v.peak_w, v.energy_wh) == (
        "idle",
        False,
        None,
        None,
        None,
    )


def test_two_samples_of_load_start_a_session(line: Timeline) -> None:
    """One sample is a spike; the start is the first sample with load."""
    line.at(0).at(5, **on(60.0))
    assert not view(line).charging
    line.at(10, **on(60.0))
    v = view(line)
    assert (v.phase, v.started_ms, v.elapsed_s) == ("inrush", ms(5), 5.0)


def test_a_spike_starts_nothing(line: Timeline) -> None:
    """Load, none, load: never two in a row."""
    for second in range(0, 100, 10):
        line.at(second, **on(60.0)).at(second + 5, **on(0.0))
    assert view(line).phase == "idle"


def test_stages_follow_the_shape_of_a_charge(line: Timeline) -> None:
    """Inrush, constant current with a slow rise, taper, float, end."""
    line.at(0, **on(4.3)).at(1, **on(900.0)).at(3, **on(32.6)).at(5, **on(65.7))
    assert view(line).phase == "inrush"
    line.every(10, 12, 3600, **on(lambda t: 100 + t / 360))
    v = view(line)
    assert v.phase == "constant_current"
    assert v.peak_w == pytest.approx(109.9, abs=0.2)
    line.every(10, 3612, 3650, **on(80.0))
    assert view(line).phase == "taper"
    line.every(10, 3660, 3700, **on(18.0))
    assert view(line).phase == "float"
    line.every(10, 3710, 3740, **on(40.0))
    assert view(line).phase == "taper"
    line.every(10, 3750, 3760, **on(18.0)).every(10, 3770, 3880, **on(0.5))
    assert view(line).phase == "float"
    line.at(3890, **on(0.5))
    v = view(line)
    assert (v.phase, v.charging, v.started_ms) == ("ended", False, ms(1))
    assert v.min_since_peak_w == pytest.approx(0.5)


def test_the_switch_on_spike_is_not_the_peak(line: Timeline) -> None:
    """Neither the inrush nor a single spike later counts."""
    line.every(2, 0, 8, **on(1500.0)).every(5, 15, 100, **on(110.0))
    line.at(105, **on(900.0)).every(5, 110, 200, **on(112.0))
    assert view(line).peak_w == pytest.approx(112.0)


def test_a_pack_swap_is_the_same_session(line: Timeline) -> None:
    """A dip of less than a minute, with the relay open or closed, ends nothing."""
    line.every(5, 0, 600, **on(160.0))
    line.every(5, 605, 655, power_w={1: 0.0}, relay={1: 0})
    line.every(5, 660, 900, **on(165.0))
    assert view(line).started_ms == ms(0)
    line.every(5, 905, 1015, **on(0.0)).every(5, 1020, 1100, **on(165.0))
    assert view(line).started_ms == ms(0)


def test_an_open_relay_ends_the_session_after_a_minute(line: Timeline) -> None:
    """The next load is a new session."""
    line.every(5, 0, 600, **on(160.0)).every(5, 605, 660, power_w={1: 0.0}, relay={1: 0})
    assert view(line).charging
    line.at(665, power_w={1: 0.0}, relay={1: 0})
    assert view(line).phase == "ended"
    line.every(5, 670, 675, **on(90.0))
    v = view(line)
    assert (v.phase, v.started_ms) == ("inrush", ms(670))


def test_unknown_power_neither_starts_nor_ends(line: Timeline) -> None:
    """Null for an hour inside a session: the same session goes on."""
    line.every(5, 0, 600, **on(160.0)).every(30, 630, 4200, **on(None), current_a={1: None})
    assert view(line).charging
    line.every(5, 4205, 4300, **on(150.0))
    assert view(line).started_ms == ms(0)


def test_current_stands_in_for_a_silent_power_meter(line: Timeline) -> None:
    """0.5 A at 225 V is a session, by apparent power."""
    line.every(5, 0, 60, power_w={1: None}, current_a={1: 0.5}, relay={1: 1})
    v = view(line)
    assert v.phase == "constant_current"
    assert v.power_w.truth == "absent"
    assert v.peak_w == pytest.approx(112.5)


def test_energy_is_power_times_time_and_pauses_add_nothing(line: Timeline) -> None:
    """An hour at 120 W is 120 Wh, however often it was sampled; an unseen hour adds none."""
    for step in (5, 60, 300):
        line = Timeline().every(step, 0, HOUR, **on(120.0))
        assert view(line).energy_wh == pytest.approx(120.0, rel=0.01)
        line.at(2 * HOUR, **on(120.0))
        assert view(line).energy_wh == pytest.approx(120.0, rel=0.01)


def test_the_slope_of_power_is_told_per_hour(line: Timeline) -> None:
    """A taper of 30 W per hour reads -30."""
    line.every(10, 0, 3 * HOUR, **on(lambda t: 150 - 30 * t / HOUR))
    assert view(line).slope_w_per_h == pytest.approx(-30, abs=1.5)


def test_a_new_session_starts_its_numbers_anew(line: Timeline) -> None:
    """Peak, lowest and energy belong to the session."""
    line.every(5, 0, 600, **on(160.0)).every(5, 605, 700, relay={1: 0})
    line.every(5, 705, 760, **on(70.0))
    v = view(line)
    assert (v.peak_w, v.min_since_peak_w) == (70.0, 70.0)
    assert v.energy_wh == pytest.approx(70 * 55 / 3600, abs=0.1)
