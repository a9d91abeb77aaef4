"""The alarm inbox: stored once, however often a station re-sends."""

from dataclasses import replace

import pytest

from alerts.alarms import AlarmFilter, AlarmKey, StationAlarm, list_alarms, save_alarms
from devices.database import Database

SMOKE = StationAlarm(
    key=AlarmKey("cmrj-01", "0000002a", "a-1", active=True),
    seq=2**32 - 1,
    kind="smoke",
    socket=None,
    value=None,
    ts_ms=2**53 - 1,
    received_ms=1_800_000_000_000,
)
ENDED = replace(SMOKE, key=replace(SMOKE.key, active=False), received_ms=SMOKE.received_ms + 5)
REBOOTED = replace(
    SMOKE, key=replace(SMOKE.key, boot="0000002b"), received_ms=SMOKE.received_ms + 9
)
HOT = StationAlarm(
    key=AlarmKey("cmrj-02", "0000002a", "a-1", active=True),
    seq=4,
    kind="something_new",
    socket=7,
    value=91.25,
    ts_ms=0,
    received_ms=SMOKE.received_ms + 7,
)


async def _save(database: Database, *alarms: StationAlarm) -> set[AlarmKey]:
    async with database.writing() as connection:
        return await save_alarms(connection, alarms, 77)


async def test_an_alarm_is_new_once(database: Database) -> None:
    """A re-sent one, with a later sequence number, is known."""
    assert await _save(database, SMOKE, replace(SMOKE, seq=9)) == {SMOKE.key}
    assert await _save(database, replace(SMOKE, seq=10, received_ms=2)) == set()
    assert await _save(database) == set()
    async with database.reading() as connection:
        [stored] = (await list_alarms(connection, AlarmFilter())).items
    assert (stored.alarm, stored.recorded_ms) == (SMOKE, 77)


async def test_its_end_another_boot_and_another_station_are_new(database: Database) -> None:
    """Nothing that may be another event is swallowed."""
    everything = {SMOKE.key, ENDED.key, REBOOTED.key, HOT.key}
    assert await _save(database, SMOKE) == {SMOKE.key}
    assert await _save(database, SMOKE, ENDED, REBOOTED, HOT) == everything - {SMOKE.key}


async def test_alarms_are_listed_newest_first_in_pages(database: Database) -> None:
    """As they were, and each once."""
    await _save(database, SMOKE, ENDED, REBOOTED, HOT)
    async with database.reading() as connection:
        first = await list_alarms(connection, AlarmFilter(), limit=3)
        second = await list_alarms(connection, AlarmFilter(), first.next, limit=3)
    assert [item.alarm for item in first.items] == [REBOOTED, HOT, ENDED]
    assert [item.alarm for item in second.items] == [SMOKE]
    assert second.next is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (AlarmFilter(stations=frozenset({"cmrj-02"})), [HOT]),
        (AlarmFilter(kinds=frozenset({"smoke"})), [REBOOTED, ENDED, SMOKE]),
        (AlarmFilter(active=False), [ENDED]),
        (AlarmFilter(since_ms=HOT.received_ms), [REBOOTED, HOT]),
        (AlarmFilter(until_ms=ENDED.received_ms), [SMOKE]),
    ],
)
async def test_alarms_are_filtered(
    database: Database, filters: AlarmFilter, expected: list[StationAlarm]
) -> None:
    """Each filter alone."""
    await _save(database, SMOKE, ENDED, REBOOTED, HOT)
    async with database.reading() as connection:
        page = await list_alarms(connection, filters)
    assert [item.alarm for item in page.items] == expected
