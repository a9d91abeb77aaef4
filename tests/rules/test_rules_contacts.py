"""Contacts and the station's own alarms: R07 smoke, R08 auxiliary, R90 and R91."""

import pytest

from rules.model import Act, AlarmFact, Family, ReleaseFact, Severity
from tests.rules.timeline import STATION, Timeline, ms


def alarm(  # noqa: PLR0913 - one default each
    kind: str,
    second: float,
    *,
    socket: int | None = None,
    active: bool = True,
    alarm_id: str = "a1",
    value: float | None = None,
    received_s: float | None = None,
) -> AlarmFact:
    """An alarm of the station, raised or ended at ``second``."""
    received = ms(second if received_s is None else received_s)
    return AlarmFact(STATION, socket, kind, active, alarm_id, value, ms(second), received)


def test_smoke_in_one_frame_is_a_fire_at_once(line: Timeline) -> None:
    """One frame is enough: fire, station cut, latched until it is gone and a person released."""
    line.at(0).at(5, smoke=1)
    assert line.new() == ["5 raised R07.main box smoke"]
    finding = line.engine.active(STATION)[0]
    assert (finding.act, finding.latched, finding.fire, finding.severity) == (
        Act.CUT_STATION,
        True,
        True,
        Severity.CRITICAL,
    )
    assert finding.evidence["source"] == "telemetry"
    line.at(10, smoke=1)
    line.facts(ReleaseFact(STATION, None, ms(11)), at_s=11)
    assert line.new() == []
    line.at(15, smoke=0)
    line.facts(ReleaseFact(STATION, None, ms(16)), at_s=16)
    assert line.new() == ["16 cleared R07.main box smoke"]


def test_smoke_by_alarm_needs_no_frame(line: Timeline) -> None:
    """The alarm raises at its own time; told again it is no news; its end permits the release."""
    line.facts(alarm("smoke", 3), at_s=4)
    assert line.new() == ["3 raised R07.main box smoke"]
    line.facts(alarm("smoke", 3), at_s=8).facts(alarm("smoke", 3, alarm_id="a2"), at_s=9)
    line.at(10)
    assert line.new() == []
    assert [f.reason for f in line.engine.blocks_release(STATION, 1)] == ["smoke"]
    line.facts(alarm("smoke", 20, active=False), at_s=20).at(21)
    assert line.engine.blocks_release(STATION, 1) == []
    line.facts(ReleaseFact(STATION, None, ms(22)), at_s=22)
    assert line.new() == ["22 cleared R07.main box smoke"]
    line.facts(alarm("smoke", 3), at_s=30).at(31)
    assert line.new() == []


def test_smoke_alarm_with_a_socket_number_is_still_the_stations(line: Timeline) -> None:
    """Smoke has no socket, whatever the alarm says."""
    line.facts(alarm("smoke", 3, socket=2), at_s=4)
    assert line.events == ["3 raised R07.main box smoke"]


def test_a_smoke_contact_that_falls_silent_after_smoke_does_not_permit_release(
    line: Timeline,
) -> None:
    """Null after 1 is not 0: the detector may have burned."""
    line.at(0, smoke=1).every(5, 5, 60, smoke=None)
    assert [f.reason for f in line.engine.blocks_release(STATION, None)] == ["smoke"]
    line.at(65, smoke=0)
    assert line.engine.blocks_release(STATION, None) == []


def test_a_station_without_a_smoke_contact_is_no_finding(line: Timeline) -> None:
    """Null from the first frame on is the absence of a detector."""
    line.every(5, 0, 60, smoke=None, water=None, door=None)
    assert line.events == []


def test_an_alarm_that_ended_before_it_was_told_is_still_told(line: Timeline) -> None:
    """The end overtook the begin: the fire alarm is raised, and releasable."""
    line.at(0)
    line.facts(alarm("smoke", 9, active=False, received_s=10), at_s=10)
    line.facts(alarm("smoke", 5, received_s=12), at_s=12)
    assert line.new() == ["5 raised R07.main box smoke"]
    assert line.engine.blocks_release(STATION, None) == []


def test_an_old_end_does_not_end_a_newer_alarm(line: Timeline) -> None:
    """The end of the first alarm arrives after the second has begun."""
    line.at(0)
    line.facts(alarm("power_loss", 5), at_s=5)
    line.facts(alarm("power_loss", 20, alarm_id="a2"), at_s=20)
    line.facts(alarm("power_loss", 10, active=False), at_s=21)
    assert line.new() == ["5 raised R90.power_loss box device_power_loss"]
    line.facts(alarm("power_loss", 30, alarm_id="a2", active=False), at_s=30)
    assert line.new() == ["30 cleared R90.power_loss box device_power_loss"]


def test_water_cuts_the_station(line: Timeline) -> None:
    """By frame or by alarm, at once, and latched."""
    line.at(0, water=1)
    assert line.events == ["0 raised R08.water box water"]
    assert (line.last.act, line.last.latched, line.last.family) == (
        Act.CUT_STATION,
        True,
        Family.ALARM,
    )


def test_an_open_door_is_told_after_a_minute(line: Timeline) -> None:
    """A technician who closes it in time is no news; nothing is cut."""
    line.every(5, 0, 50, door=1).every(5, 55, 100)
    assert line.new() == []
    line.every(5, 105, 165, door=1)
    assert line.new() == ["165 raised R08.door box door"]
    finding = line.engine.active(STATION)[0]
    assert (finding.act, finding.severity, finding.family) == (
        Act.NONE,
        Severity.MAJOR,
        Family.SUPERVISORY,
    )


def test_a_door_alarm_runs_its_minute_without_frames(line: Timeline) -> None:
    """The clock alone completes the hold of an alarm that stands."""
    line.facts(alarm("door", 0), at_s=0)
    line.tick(30, 59)
    assert line.new() == []
    line.tick(60, 61)
    assert line.new() == ["60 raised R08.door box door"]


def test_a_door_may_be_given_longer_than_any_gap() -> None:
    """An alarm that stands is one stretch, however long nothing else comes."""
    line = Timeline(overrides={"R08": {"door": {"hold_s": 600}}})
    line.facts(alarm("door", 0), at_s=0).tick(599)
    assert [e for e in line.new() if "R08" in e] == []
    line.tick(600)
    assert line.new() == ["600 raised R08.door box door"]


def test_an_alarm_id_that_is_used_again_is_a_new_alarm(line: Timeline) -> None:
    """A careless station counts its alarms by kind: the second smoke is still smoke."""
    line.facts(alarm("smoke", 1), at_s=1).facts(alarm("smoke", 2, active=False), at_s=2)
    line.facts(ReleaseFact(STATION, None, ms(3)), at_s=3)
    line.facts(alarm("smoke", 60), at_s=60)
    assert line.new() == [
        "1 raised R07.main box smoke",
        "3 cleared R07.main box smoke",
        "60 raised R07.main box smoke",
    ]


def test_an_alarm_of_a_socket_nobody_configured_is_raised(line: Timeline) -> None:
    """The station has more sockets than the registry knows: the danger is real all the same."""
    line.at(0, ambient_c=31.0)
    line.facts(alarm("over_temperature", 1, socket=13), at_s=1)
    assert line.events == ["1 raised R90.over_temperature 13 device_over_temperature"]
    line.at(2, ambient_c=31.0)
    assert line.engine.station_view(STATION).ambient_c.value == 31.0


def test_tilt_notifies_and_a_fuse_cuts_the_station(line: Timeline) -> None:
    """The melted fuse keeps its socket as the subject."""
    line.facts(alarm("tilt", 0), alarm("fuse", 1, socket=2, alarm_id="a2"), at_s=1)
    assert line.events == ["0 raised R08.tilt box tilt", "1 raised R08.fuse 2 fuse"]
    tilt, fuse = (t.finding for t in line.transitions)
    assert (tilt.act, fuse.act, fuse.latched) == (Act.NONE, Act.CUT_STATION, True)


@pytest.mark.parametrize(
    ("kind", "socket", "expected"),
    [
        ("over_temperature", 1, (Family.ALARM, Severity.CRITICAL, Act.CUT_SOCKET, True)),
        ("over_temperature", None, (Family.ALARM, Severity.CRITICAL, Act.CUT_STATION, True)),
        ("over_current", 2, (Family.ALARM, Severity.MAJOR, Act.CUT_SOCKET, True)),
        ("local_cut", 1, (Family.ALARM, Severity.MAJOR, Act.CUT_SOCKET, True)),
        ("leakage", None, (Family.ALARM, Severity.MAJOR, Act.CUT_STATION, True)),
        ("power_loss", None, (Family.TROUBLE, Severity.WARN, Act.NONE, False)),
        ("self_test", None, (Family.SUPERVISORY, Severity.INFO, Act.NONE, False)),
    ],
)
def test_the_stations_own_alarms(
    line: Timeline,
    kind: str,
    socket: int | None,
    expected: tuple[Family, Severity, Act, bool],
) -> None:
    """Each kind has its family, severity and act; the value travels as evidence."""
    line.facts(alarm(kind, 1, socket=socket, value=91.5), at_s=1)
    where = "box" if socket is None else socket
    assert line.events == [f"1 raised R90.{kind} {where} device_{kind}"]
    finding = line.last
    assert (finding.family, finding.severity, finding.act, finding.latched) == expected
    assert finding.evidence["value"] == 91.5


def test_an_unknown_kind_is_never_ignored(line: Timeline) -> None:
    """Two unknown kinds on one subject: one finding, which ends with the last of them."""
    line.facts(alarm("gas", 1), alarm("ozone", 2, alarm_id="a2"), at_s=2)
    assert line.events == ["1 raised R91.main box unknown_alarm"]
    assert line.last.evidence["kind"] == "gas"
    assert (line.last.family, line.last.act) == (Family.SUPERVISORY, Act.NONE)
    line.facts(alarm("gas", 5, active=False), at_s=5)
    assert len(line.events) == 1
    line.facts(alarm("ozone", 6, alarm_id="a2", active=False), at_s=6)
    assert line.events[1:] == ["6 cleared R91.main box unknown_alarm"]


def test_alarms_of_unknown_stations_are_counted(line: Timeline) -> None:
    """The engine knows only what was configured; the rest is counted, not evaluated."""
    fact = AlarmFact("pile-99", None, "smoke", True, "a1", None, ms(0), ms(0))  # noqa: FBT003 - a fact has no keywords on the wire
    line.facts(fact, at_s=0)
    assert line.events == []
    assert line.engine.ignored == 1
