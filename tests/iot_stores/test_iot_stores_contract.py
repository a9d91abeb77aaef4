"""What every telemetry store promises, over each adapter of the port."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iot.frames import FrameBatch
from iot.store import RangeQuery, RawQuery, StoreRefused, TelemetryStore
from tests.iot_stores.telemetry import DAY_MS, START_MS, frames, same

ALWAYS = RawQuery(0, START_MS * 2)


async def everything(store: TelemetryStore, query: RawQuery = ALWAYS, page: int = 7) -> FrameBatch:
    """All frames of the query, small page by small page."""
    pages = [batch async for batch in store.raw(query, page)]
    return FrameBatch.concat(pages) if pages else frames(0)


def some_nulls(batch: FrameBatch) -> FrameBatch:
    """``batch`` with sensors missing here and there, and one socket without any value."""
    batch.socket_values[0, :, 1] = np.nan
    batch.socket_values[1, 3, 0] = np.nan
    batch.station_values[2, :] = np.nan
    batch.live[1] = False
    return batch


async def test_frames_come_back_bit_for_bit(store: TelemetryStore) -> None:
    """What was appended is read back exactly, absent sensors and late frames included."""
    batch = some_nulls(frames(20))
    await store.append([(0, batch)], 1)
    assert same(await everything(store), batch)
    assert await store.count() == 20


async def test_any_float32_survives(store: TelemetryStore) -> None:
    """Values keep all their bits, however long their decimal form is."""
    batch = frames(4, sockets=2)
    batch.socket_values[:, 1, :] = np.array(
        [[0.1, 1 / 3], [1e-38, 39.999996], [2**-24, 0], [123456.78, 5e-5]], dtype=np.float32
    )
    await store.append([(0, batch)], 1)
    assert same(await everything(store), batch)


async def test_appending_again_changes_nothing(store: TelemetryStore) -> None:
    """The same blocks appended again, alone or with a following one, are stored once."""
    first, second = frames(10), frames(10, start_ms=START_MS + 10_000, first_seq=10)
    await store.append([(0, first)], 1)
    await store.append([(0, first)], 1)
    await store.append([(0, first), (1, second)], 2)
    assert same(await everything(store), FrameBatch.concat([first, second]))
    assert await store.count() == 20


async def test_two_frames_of_one_millisecond_are_both_kept(store: TelemetryStore) -> None:
    """Frames with the same event time but different numbers never overwrite each other."""
    batch = frames(5, step_ms=0)
    await store.append([(0, batch)], 1)
    assert same(await everything(store), batch)


async def test_stations_of_different_width_share_a_store(store: TelemetryStore) -> None:
    """A narrow station, a wider one later and a narrow one again keep their own sockets."""
    parts = [
        frames(3, station="st-02", sockets=2),
        frames(3, station="st-12", sockets=12, start_ms=START_MS + 10_000),
        frames(3, station="st-01", sockets=1, start_ms=START_MS + 20_000),
    ]
    for lsn, part in enumerate(parts):
        await store.append([(lsn, part)], lsn + 1)
    assert same(await everything(store), FrameBatch.concat(parts))


async def test_raw_limits_stations_and_time(store: TelemetryStore) -> None:
    """The start is included, the end is not, and other stations stay out."""
    mixed = frames(10, station=["st-01", "st-02"] * 5)
    await store.append([(0, mixed)], 1)
    found = await everything(
        store, RawQuery(START_MS + 2000, START_MS + 8000, stations=("st-01", "st-99"))
    )
    assert found.seq.tolist() == [2, 4, 6]
    assert len(await everything(store, RawQuery(0, 10, stations=()))) == 0


async def test_raw_comes_by_event_time_in_bounded_pages(store: TelemetryStore) -> None:
    """Late frames are in their place, and no page is larger than asked."""
    late = frames(10, start_ms=START_MS + 500, first_seq=100)
    await store.append([(0, frames(30, start_ms=START_MS + 60_000)), (1, late)], 2)
    pages = [batch async for batch in store.raw(ALWAYS, 7)]
    times = np.concatenate([page.event_ms for page in pages])
    assert np.all(np.diff(times) >= 0)
    assert len(times) == 40
    assert max(len(page) for page in pages) <= 7


async def test_windows_give_minimum_maximum_and_mean(store: TelemetryStore) -> None:
    """Values of a window are summed up; a window without valid values is absent."""
    batch = frames(30, value=lambda row, socket: 20 + row * socket)
    batch.socket_values[10:20, 3, 1] = np.nan
    await store.append([(0, batch)], 1)
    series = await store.range(
        RangeQuery("st-01", 2, "temp_c", START_MS, START_MS + 30_000, points=3)
    )
    assert series.window_ms == 10_000
    assert series.start_ms.tolist() == [START_MS, START_MS + 20_000]
    assert series.minimum.tolist() == [20, 60]
    assert series.maximum.tolist() == [38, 78]
    assert series.mean.tolist() == [29, 69]
    assert series.samples.tolist() == [10, 10]


async def test_windows_count_only_frames_inside_the_query(store: TelemetryStore) -> None:
    """Windows begin at multiples of their length; frames beside the query stay out of them."""
    await store.append([(0, frames(30, value=lambda row, _: row))], 1)
    query = RangeQuery("st-01", 1, "temp_c", START_MS + 3000, START_MS + 23_000, points=2)
    series = await store.range(query)
    assert series.start_ms.tolist() == [START_MS, START_MS + 10_000, START_MS + 20_000]
    assert series.samples.tolist() == [7, 10, 3]
    assert series.minimum.tolist() == [3, 10, 20]
    assert len(series) <= query.points + 1


async def test_windows_of_a_station_channel(store: TelemetryStore) -> None:
    """Without a socket the channel is the station's own."""
    await store.append([(0, frames(10))], 1)
    series = await store.range(
        RangeQuery("st-01", None, "ambient_c", START_MS, START_MS + 10_000, points=1)
    )
    assert (series.minimum.tolist(), series.samples.tolist()) == ([0.5], [10])


@pytest.mark.parametrize(
    "query",
    [
        RangeQuery("st-99", 1, "temp_c", START_MS, START_MS + DAY_MS),
        RangeQuery("st-01", 64, "temp_c", START_MS, START_MS + DAY_MS),
        RangeQuery("st-01", 1, "temp_c", START_MS + DAY_MS, START_MS + 2 * DAY_MS),
        RangeQuery('st-01" or r.station == "st-02', 1, "temp_c", START_MS, START_MS + DAY_MS),
        RangeQuery("${st}' OR 1=1 --", 1, "temp_c", START_MS, START_MS + DAY_MS),
    ],
    ids=["station", "socket", "time", "flux-injection", "sql-injection"],
)
async def test_nothing_found_is_an_empty_series(store: TelemetryStore, query: RangeQuery) -> None:
    """What does not exist has no windows, whatever characters its name has."""
    await store.append([(0, frames(10, station=["st-01", "st-02"] * 5))], 1)
    assert len(await store.range(query)) == 0


async def test_last_is_the_newest_event_of_each_station(store: TelemetryStore) -> None:
    """A late frame does not become the last one; absent channels stay absent; order as asked."""
    await store.append([(0, frames(10, station="st-01"))], 1)
    await store.append([(1, frames(4, station="st-02", first_seq=50))], 2)
    newest = frames(1, station="st-01", start_ms=START_MS + 60_000, first_seq=11, sockets=2)
    newest.socket_values[0, 3, 0] = np.nan
    newest.station_values[0, 0] = np.nan
    await store.append([(2, newest)], 3)
    late = frames(1, station="st-01", start_ms=START_MS - DAY_MS, first_seq=12)
    await store.append([(3, late)], 4)
    last = await store.last(["st-02", "st-99", "st-01"])
    assert last.station.tolist() == ["st-02", "st-01"]
    assert last.seq.tolist() == [53, 11]
    assert same(last.take(np.array([1])), newest)


async def test_an_empty_store_answers(store: TelemetryStore) -> None:
    """Every question to a store without frames has an empty answer."""
    assert await store.count() == 0
    assert len(await store.last(["st-01"])) == 0
    assert len(await everything(store)) == 0
    assert len(await store.range(RangeQuery("st-01", 1, "temp_c", 0, START_MS))) == 0
    assert await store.prune(START_MS) == 0
    assert (await store.health()).ok


async def test_prune_keeps_what_is_not_older(store: TelemetryStore) -> None:
    """Days before the limit go, the limit's own instant and everything after it stays."""
    for day in range(4):
        batch = frames(5, start_ms=START_MS + day * DAY_MS, first_seq=day * 10)
        await store.append([(day, batch)], day + 1)
    assert await store.prune(START_MS + 2 * DAY_MS) == 10
    assert await store.count() == 10
    assert (await everything(store)).seq.tolist() == [20, 21, 22, 23, 24, 30, 31, 32, 33, 34]


async def test_a_position_without_frames_is_accepted(store: TelemetryStore) -> None:
    """Blocks without frames, or none at all, only move the position."""
    await store.append([(0, frames(0))], 1)
    await store.append([], 5)
    await store.append([(5, frames(3))], 6)
    assert await store.count() == 3
    assert await store.stored_lsn() in (6, None)


HOSTILE = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00") | st.sampled_from(list(',= "\\\n${}')),
    min_size=1,
    max_size=20,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=HOSTILE)
async def test_hostile_station_names_harm_nobody(store: TelemetryStore, name: str) -> None:
    """A name is stored as exactly that name or its frames are refused alone; never another's."""
    if name == "st-01":
        return
    before = await store.count()
    lsn = (await store.stored_lsn()) or before
    mixed = frames(4, station=["st-01", name] * 2, first_seq=before, start_ms=START_MS + before)
    await store.append([(lsn, mixed)], lsn + 1)
    added = await store.count() - before
    hostile = await store.last([name])
    assert added in (2, 4)
    assert hostile.station.tolist() == ([name] if added == 4 else [])
    assert (await store.last(["st-01"])).station.tolist() == ["st-01"]


async def test_a_closed_store_can_be_asked_nothing(store: TelemetryStore) -> None:
    """A store that was closed raises instead of answering from nowhere; closing again is fine."""
    await store.append([(0, frames(1))], 1)
    await store.close()
    await store.close()
    with pytest.raises(StoreRefused):
        await store.count()
