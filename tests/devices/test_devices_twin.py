"""The twin: last reported, desired, and when."""

from dataclasses import replace

import numpy as np

from devices.limits import Desired
from devices.orders import Intervals, Trips
from devices.twin import ReportedStatus, Twins

STATION = "cmrj-01"
STATUS = ReportedStatus(
    online=True,
    boot="0000002a",
    firmware="1.4.0",
    hardware="B2",
    sockets=2,
    interval_s=5,
    limits_version=3,
    protections={"smoke_sensor": True},
    received_ms=1_000,
)


def _twins() -> Twins:
    return Twins(("ambient_c", "smoke"), ("power_w", "temp_c"))


def test_unknown_station_has_no_twin() -> None:
    """Nothing is invented for a station nobody heard of."""
    twins = _twins()
    assert (twins.get(STATION), twins.reading(STATION), len(twins)) == (None, None, 0)


def test_link_since_is_when_online_last_changed() -> None:
    """A repeated status is no change of the link."""
    twins = _twins()
    assert twins.on_status(STATION, STATUS)
    assert not twins.on_status(STATION, replace(STATUS, received_ms=2_000))
    twin = twins.get(STATION)
    assert twin is not None
    assert (twin.online, twin.link_since_ms, twin.received_ms) == (True, 1_000, 2_000)
    assert twins.on_status(STATION, replace(STATUS, online=False, received_ms=3_000))
    assert (twin.online, twin.link_since_ms) == (False, 3_000)


def test_reading_shows_missing_sensors_as_missing() -> None:
    """NaN in the batch is None in the reading, never a number; the batch may be reused."""
    twins = _twins()
    station = np.array([21.5, np.nan], dtype=np.float32)
    sockets = np.array([[100, np.nan], [30, 31]], dtype=np.float32)
    twins.on_frame(
        STATION,
        boot=42,
        seq=7,
        event_ms=900,
        received_ms=950,
        station_values=station,
        socket_values=sockets,
    )
    sockets[:] = 0
    assert twins.reading(STATION) == {
        "ambient_c": 21.5,
        "smoke": None,
        "power_w": [100.0, None],
        "temp_c": [30.0, 31.0],
    }
    twin = twins.get(STATION)
    assert twin is not None
    assert (twin.received_ms, twin.online) == (950, None)


def test_limits_are_current_when_the_station_reports_their_version() -> None:
    """Unknown until both are known."""
    twins = _twins()
    twins.on_desired(Desired(STATION, 4, Trips(), Intervals(), (1,), 1))
    twin = twins.get(STATION)
    assert twin is not None
    seen = [twin.limits_current]
    for version in (3, 4):
        twins.on_status(STATION, replace(STATUS, limits_version=version))
        seen.append(twin.limits_current)
    assert seen == [None, False, True]


def test_restored_status_is_known_and_not_stored_again() -> None:
    """After a restart the last word of a station counts until the next one."""
    twins = _twins()
    twins.restore({STATION: STATUS})
    twin = twins.get(STATION)
    assert twin is not None
    assert (twin.online, twin.link_since_ms) == (True, 1_000)
    assert twins.changed() == []
    twins.on_status(STATION, STATUS)
    assert twins.changed() == [(STATION, STATUS)]
    assert [t.station for t in twins] == [STATION]
