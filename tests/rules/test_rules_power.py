"""Power: R10 overload, R20 full, R21 no load, R22 time, R27 locked sockets, R40 failed cuts."""

import pytest

from rules.model import (
    Act,
    CutFailedFact,
    Family,
    LockFact,
    ReleaseFact,
    Severity,
)
from tests.rules.timeline import STATION, Timeline, ms

HOUR = 3600.0


def charging(power_w: float, *, sockets: int = 1) -> dict[str, dict[int, float | None]]:
    """The channels of sockets 1 to ``sockets`` that charge at ``power_w``."""
    numbers = range(1, sockets + 1)
    return {
        "power_w": dict.fromkeys(numbers, power_w),
        "current_a": dict.fromkeys(numbers, power_w / 225),
        "relay": dict.fromkeys(numbers, 1),
    }


def test_too_much_power_for_ten_seconds_cuts_and_latches(line: Timeline) -> None:
    """1100 W for 10 s: the socket is cut; released after the session has ended."""
    line.every(5, 0, 20, **charging(1100))
    assert line.new() == ["10 raised R10.main 1 over_power"]
    finding = line.engine.active(STATION)[0]
    assert (finding.act, finding.latched, finding.severity, finding.family) == (
        Act.CUT_SOCKET,
        True,
        Severity.MAJOR,
        Family.ALARM,
    )
    assert [f.key.rule for f in line.engine.blocks_release(STATION, 1)] == ["R10"]
    line.every(5, 25, 60, relay={1: 0})
    assert line.engine.blocks_release(STATION, 1) == []
    line.facts(ReleaseFact(STATION, 1, ms(61)), at_s=61)
    assert line.new() == ["61 cleared R10.main 1 over_power"]


def test_too_much_current_is_enough(line: Timeline) -> None:
    """Current alone, with no power meter, trips as well, and says so."""
    line.every(5, 0, 15, current_a={2: 5.2}, power_w={2: None}, relay={2: 1})
    assert line.events == ["10 raised R10.main 2 over_current"]


def test_inrush_is_no_overload(line: Timeline) -> None:
    """One sample of 1500 W at switch-on, or a spike in between, is nothing."""
    line.at(0, **charging(1500)).every(5, 5, 60, **charging(150))
    line.at(65, **charging(1500)).every(5, 70, 120, **charging(150))
    assert line.events == []


def test_overload_limit_is_settable_per_site() -> None:
    """A site of small chargers cuts at 700 W."""
    line = Timeline(overrides={"R10": {"limit_w": 700}})
    line.every(5, 0, 20, **charging(750))
    assert line.events == ["10 raised R10.main 1 over_power"]


def test_full_ends_the_charge_after_an_hour_of_float(line: Timeline) -> None:
    """20 % of the peak for 60 min: info, cut, no latch; cleared by the next session."""
    line.every(10, 0, 600, **charging(120))
    line.every(10, 610, 4210, **charging(23))
    assert line.new() == ["4210 raised R20.main 1 full"]
    finding = line.engine.active(STATION)[0]
    assert (finding.act, finding.latched, finding.severity) == (
        Act.CUT_SOCKET,
        False,
        Severity.INFO,
    )
    assert finding.evidence["peak_w"] == 120.0
    assert finding.evidence["limit_w"] == 24.0
    line.every(10, 4220, 9000, relay={1: 0})
    assert line.new() == []
    line.every(5, 9005, 9010, **charging(110))
    assert line.new() == ["9010 cleared R20.main 1 full"]


def test_a_top_up_bump_starts_the_hour_anew(line: Timeline) -> None:
    """A bump of 40 % of the peak, as a real charger makes it, is not yet full."""
    line.every(10, 0, 600, **charging(120))
    line.every(10, 610, 4000, **charging(20))
    line.every(10, 4010, 4500, **charging(50))
    line.every(10, 4510, 8100, **charging(20))
    assert line.events == []
    line.at(8110, **charging(20))
    assert line.events == ["8110 raised R20.main 1 full"]


def test_a_new_charge_right_after_the_cut_is_watched_again(line: Timeline) -> None:
    """Opened by our cut the session is over at once, so the next one gets its own end."""
    line.every(10, 0, 600, **charging(120)).every(10, 610, 4210, **charging(20))
    assert line.new() == ["4210 raised R20.main 1 full"]
    line.at(4220, relay={1: 0}).every(10, 4230, 4240, **charging(30))
    assert line.new() == ["4240 cleared R20.main 1 full"]
    line.every(10, 4250, 7900, **charging(15))
    assert line.new() == ["7850 raised R20.main 1 full"]


def test_nothing_behind_a_closed_relay_is_switched_off_once(line: Timeline) -> None:
    """No load for 10 min: info and cut; an open relay ends it and raises nothing for days."""
    line.every(10, 0, 600, relay={1: 1}, power_w={1: 0.7})
    assert line.new() == ["600 raised R21.main 1 no_load"]
    line.every(30, 630, 86_400, relay={1: 0})
    assert line.new() == ["660 cleared R21.main 1 no_load"]
    line.every(10, 86_410, 87_010, relay={1: 1}, power_w={1: 0.7})
    assert line.new() == ["87010 raised R21.main 1 no_load"]


def test_no_load_that_is_never_switched_off_is_told_once(line: Timeline) -> None:
    """A relay that stays closed keeps the one finding; load above 8 W ends it."""
    line.every(30, 0, 20_000, relay={1: 1}, power_w={1: 0.7})
    assert line.new() == ["600 raised R21.main 1 no_load"]
    line.every(5, 20_005, 20_015, relay={1: 1}, power_w={1: 60.0})
    assert line.new() == ["20015 cleared R21.main 1 no_load"]


def test_no_load_without_relay_feedback_needs_a_session(line: Timeline) -> None:
    """Where the relay is not reported, only a socket that has charged can be without load."""
    line.every(30, 0, 3600, relay={1: None, 2: None}, power_w={1: 0.7, 2: 0.7})
    assert line.events == []
    line.every(10, 3610, 3700, power_w={1: 90.0}, relay={1: None})
    line.every(10, 3710, 4310, power_w={1: 0.7}, relay={1: None})
    assert line.events == ["4310 raised R21.main 1 no_load"]


def test_unknown_power_is_no_load_nor_full(line: Timeline) -> None:
    """Null power ends nothing: neither the session nor the charge."""
    line.every(10, 0, 600, **charging(120))
    line.every(30, 630, 9000, relay={1: 1}, power_w={1: None}, current_a={1: None})
    assert line.events == []
    assert line.engine.socket_view(STATION)[0].charging


def test_a_long_charge_is_told_at_eight_and_cut_at_ten_hours(line: Timeline) -> None:
    """8 h: info, no act; 10 h: major, cut, no latch; the next session clears both."""
    line.every(30, 0, 10 * HOUR + 60, **charging(120))
    assert line.new() == [
        "28800 raised R22.warn 1 session_long",
        "36000 raised R22.cut 1 session_too_long",
    ]
    warn, cut = line.engine.active(STATION)
    assert (warn.act, warn.severity) == (Act.NONE, Severity.INFO)
    assert (cut.act, cut.severity, cut.latched) == (Act.CUT_SOCKET, Severity.MAJOR, False)
    line.every(30, 10 * HOUR + 90, 10 * HOUR + 300, relay={1: 0})
    line.at(10 * HOUR + 330, **charging(100)).at(10 * HOUR + 360, **charging(100))
    assert line.new() == [
        "36360 cleared R22.warn 1 session_long",
        "36360 cleared R22.cut 1 session_too_long",
    ]


def test_power_on_a_locked_socket_is_cut_again(line: Timeline) -> None:
    """Locked, proven off, and there is power: two samples and 3 s later it is critical."""
    line.facts(LockFact(STATION, (1,), ms(0)), at_s=0)
    line.every(1, 1, 10)
    line.every(1, 11, 14, **charging(90))
    assert line.new() == ["14 raised R27.main 1 locked_but_powered"]
    finding = line.engine.active(STATION)[0]
    assert (finding.act, finding.latched, finding.severity) == (
        Act.CUT_SOCKET,
        True,
        Severity.CRITICAL,
    )
    assert [f.key.rule for f in line.engine.blocks_release(STATION, 1)] == ["R27"]


def test_a_cut_under_way_is_not_yet_a_broken_lock(line: Timeline) -> None:
    """Until it was seen off, power is the cut's own business for 20 s."""
    line.every(1, 0, 5, **charging(90))
    line.facts(LockFact(STATION, (1,), ms(5)), at_s=5)
    line.every(1, 6, 24, **charging(90))
    assert line.new() == []
    line.every(1, 25, 28, **charging(90))
    assert line.new() == ["28 raised R27.main 1 locked_but_powered"]


def test_a_blip_on_a_locked_socket_is_nothing(line: Timeline) -> None:
    """One sample of power, or power after the lock was lifted, raises nothing."""
    line.facts(LockFact(STATION, (1, 2), ms(0)), at_s=0)
    line.every(1, 1, 10).at(11, **charging(90)).every(1, 12, 20)
    line.facts(LockFact(STATION, (), ms(20)), at_s=20)
    line.every(1, 21, 60, **charging(90))
    assert line.events == []


def failed(socket: int | None, second: float) -> CutFailedFact:
    """The proof of a cut ordered 15 s earlier did not come."""
    return CutFailedFact(STATION, socket, ms(second - 15), ms(second), {"power_w": 90.0})


def test_a_failed_cut_of_a_socket_cuts_the_station(line: Timeline) -> None:
    """R40 names the order as its episode, stays until power is gone and a person released it."""
    line.every(1, 0, 15, **charging(90))
    line.facts(failed(1, 15), at_s=15)
    assert line.new() == ["15 raised R40.main 1 cut_failed"]
    finding = line.engine.active(STATION)[0]
    assert finding.key.episode_ms == ms(0)
    assert (finding.act, finding.latched, finding.severity) == (
        Act.CUT_STATION,
        True,
        Severity.CRITICAL,
    )
    assert finding.evidence["power_w"] == 90.0
    line.every(1, 16, 30, **charging(90))
    line.facts(LockFact(STATION, (1,), ms(0)), at_s=30).every(1, 31, 60, **charging(90))
    assert line.new() == []
    assert [f.key.rule for f in line.engine.blocks_release(STATION, 1)] == ["R40"]
    line.at(61, power_w={1: None}, relay={1: 0})
    assert [f.key.rule for f in line.engine.blocks_release(STATION, 1)] == ["R40"]
    line.at(62, relay={1: 0}, power_w={1: 1.9})
    assert line.engine.blocks_release(STATION, 1) == []
    line.facts(ReleaseFact(STATION, 1, ms(63)), at_s=63)
    assert line.new() == ["63 cleared R40.main 1 cut_failed"]


def test_a_failed_cut_of_the_station_leaves_it_to_people(line: Timeline) -> None:
    """The station was already ordered off: nothing more to cut; over when every socket is off."""
    line.every(1, 0, 15, **charging(90, sockets=2))
    line.facts(failed(None, 15), failed(None, 15), at_s=15)
    assert line.new() == ["15 raised R40.main box cut_failed"]
    assert line.engine.active(STATION)[0].act is Act.NONE
    line.at(16, **charging(90))
    assert line.engine.blocks_release(STATION, None) != []
    line.at(17)
    assert line.engine.blocks_release(STATION, None) == []
    line.facts(ReleaseFact(STATION, None, ms(18)), at_s=18)
    assert line.new() == ["18 cleared R40.main box cut_failed"]


def test_a_release_of_the_station_covers_its_sockets(line: Timeline) -> None:
    """What is over on any socket ends; what is not stays."""
    line.every(5, 0, 20, **charging(1100, sockets=2))
    assert line.new() == ["10 raised R10.main 1 over_power", "10 raised R10.main 2 over_power"]
    line.every(5, 25, 100, **charging(1100))
    line.facts(ReleaseFact(STATION, None, ms(101)), at_s=101)
    assert line.new() == ["101 cleared R10.main 2 over_power"]


@pytest.mark.parametrize("rule", ["R10", "R20", "R21", "R22"])
def test_a_disabled_rule_raises_nothing(rule: str) -> None:
    """``enabled = false`` silences one rule and no other."""
    line = Timeline(overrides={rule: {"enabled": False}})
    line.every(30, 0, 60, **charging(1100)).every(30, 90, 11 * HOUR, **charging(15))
    line.every(30, 11 * HOUR + 30, 12 * HOUR, relay={1: 1})
    raised = {e.split()[2].split(".")[0] for e in line.events if " raised " in e}
    assert raised == {"R10", "R20", "R21", "R22"} - {rule}


def test_shadow_records_and_never_acts() -> None:
    """A rule in shadow is told with what it would have done, and does, locks, blocks nothing."""
    line = Timeline(overrides={"R10": {"shadow": True}})
    line.every(5, 0, 20, **charging(1100))
    assert line.events == ["10 raised R10.main 1 over_power"]
    assert line.last.shadow
    assert (line.last.act, line.last.latched) == (Act.NONE, False)
    assert line.last.evidence["would_act"] == "cut_socket"
    assert line.engine.blocks_release(STATION, 1) == []
    line.every(5, 25, 100)
    assert line.events[1:] == ["85 cleared R10.main 1 over_power"]
