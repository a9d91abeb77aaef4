"""The drain: everything accepted reaches the store once and in order, whatever the store does."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from iot.blocks import encode
from iot.drain import CURSOR, Drain, DrainOptions
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from iot.frames import FrameBatch
from iot.influx_store import InfluxStore
from iot.journal import Entry, EntryKind, Journal
from iot.store import RawQuery, StoreRefused, StoreUnavailable
from tests.iot_stores.influx_stub import InfluxStub, Refusal
from tests.iot_stores.telemetry import START_MS, frames

QUICK = DrainOptions(interval_s=0.005, retry_first_s=0.005, retry_max_s=0.02)


def block(number: int, count: int = 5) -> Entry:
    """``count`` frames that follow those of the block before."""
    first = number * count
    batch = frames(count, first_seq=first, start_ms=START_MS + first * 1000)
    return Entry(EntryKind.FRAMES, encode(batch))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal with small segments."""
    opened = Journal.open(tmp_path / "journal", max_bytes=1 << 24, segment_bytes=4096)
    yield opened
    opened.close()


async def stored(store: EmbeddedStore | InfluxStore) -> list[int]:
    """The numbers of all stored frames, by event time."""
    return [
        number
        async for page in store.raw(RawQuery(0, START_MS * 2))
        for number in page.seq.tolist()
    ]


async def test_frames_pass_and_facts_stay(journal: Journal, embedded_store: EmbeddedStore) -> None:
    """One pass stores the frames, steps over other entries, moves the cursor and frees disk."""
    for number in range(8):
        journal.append([block(number), Entry(EntryKind.FACTS, b"{}" * 2000)])
    drain = Drain(journal, embedded_store)
    assert drain.lag(START_MS).records == 16
    assert await drain.pump() == 40
    assert await drain.pump() == 0
    assert await stored(embedded_store) == list(range(40))
    assert journal.cursor(CURSOR) == journal.end_lsn == 16
    assert journal.oldest_lsn > 8
    assert drain.lag(START_MS).records == 0


async def test_a_batch_is_bounded_and_the_rest_follows(
    journal: Journal, embedded_store: EmbeddedStore
) -> None:
    """A backlog goes in several passes of the size allowed."""
    journal.append([block(number) for number in range(40)])
    drain = Drain(journal, embedded_store, options=DrainOptions(max_bytes=4000))
    assert 0 < await drain.pump() < 50
    await drain.empty()
    assert await stored(embedded_store) == list(range(200))
    assert drain.counts.batches > 4


async def test_an_outage_loses_nothing_and_keeps_the_order(
    journal: Journal, influx: InfluxStub, influx_store: InfluxStore
) -> None:
    """While InfluxDB is down frames wait on disk; afterwards they arrive, in order, once."""
    drain = Drain(journal, influx_store, options=QUICK)
    running = asyncio.create_task(drain.run())
    journal.append([block(0)])
    await until(lambda: drain.counts.frames == 5)
    await influx.down()
    for number in range(1, 30):
        journal.append([block(number)])
        await asyncio.sleep(0.002)
    await until(lambda: drain.counts.failures >= 3)
    assert "does not answer" in (drain.last_error or "")
    assert drain.lag(START_MS + 10_000).oldest_age_ms > 0
    assert len(influx.points) == 20
    await influx.up()
    await until(lambda: drain.counts.frames == 150)
    assert drain.last_error is None
    assert await stored(influx_store) == list(range(150))
    assert influx.arrived == sorted(influx.arrived)
    assert drain.counts.gap_records == 0
    running.cancel()


async def test_the_wait_the_server_asks_for_is_respected(
    journal: Journal, influx: InfluxStub, influx_store: InfluxStore
) -> None:
    """Retry-After overrides the back-off, in both directions, up to a limit."""
    drain = Drain(journal, influx_store, options=DrainOptions(retry_after_max_s=60))
    assert drain._patience(StoreUnavailable("busy", 17.0)) == 17.0
    assert drain._patience(StoreUnavailable("busy", 7200.0)) == 60
    assert drain._patience(StoreUnavailable("down")) is True
    assert drain._patience(OSError("disk")) is True
    assert drain._patience(ValueError("a bug")) is False
    influx.refusals.append(Refusal(429, "slow down", {"Retry-After": "0"}))
    journal.append([block(0)])
    running = asyncio.create_task(drain.run())
    await until(lambda: drain.counts.frames == 5)
    assert drain.counts.failures == 1
    running.cancel()


async def test_one_bad_line_does_not_stop_the_drain(
    journal: Journal, influx: InfluxStub, influx_store: InfluxStore
) -> None:
    """A frame that InfluxDB never takes is isolated, the cursor moves on behind it."""
    influx.bad = lambda line: "no" if line.startswith("station") and "seq=7i" in line else None
    journal.append([block(number) for number in range(4)])
    await Drain(journal, influx_store).empty()
    assert await stored(influx_store) == [n for n in range(20) if n != 7]
    assert journal.cursor(CURSOR) == 4


async def test_a_crash_before_the_cursor_moved_stores_nothing_twice(
    journal: Journal, embedded_store: EmbeddedStore
) -> None:
    """The embedded store's own position is the truth, not the cursor."""
    journal.append([block(0), block(1)])
    await Drain(journal, embedded_store).pump()
    journal.move_cursor(CURSOR, 0)
    journal.append([block(2)])
    assert await Drain(journal, embedded_store).pump() == 5
    assert await stored(embedded_store) == list(range(15))


async def test_a_replay_into_influxdb_changes_nothing(
    journal: Journal, influx_store: InfluxStore, influx: InfluxStub
) -> None:
    """After a crash before the cursor moved, points are overwritten by themselves."""
    journal.append([block(0), block(1)])
    await Drain(journal, influx_store).pump()
    before = {key: dict(fields) for key, fields in influx.points.items()}
    journal.move_cursor(CURSOR, 0)
    assert await Drain(journal, influx_store).pump() == 10
    assert influx.points == before


async def test_what_the_journal_had_to_drop_is_counted(
    tmp_path: Path, embedded_store: EmbeddedStore
) -> None:
    """A spool that ran over is a counted gap, and what is left is stored."""
    journal = Journal.open(tmp_path / "small", max_bytes=20_000, segment_bytes=4000)
    journal.append([block(0)])
    drain = Drain(journal, embedded_store)
    await drain.pump()
    for number in range(1, 60):
        journal.append([block(number)])
    lost = journal.oldest_lsn - 1
    await drain.empty()
    assert lost > 20
    assert drain.counts.gap_records == lost
    assert await stored(embedded_store) == [*range(5), *range(5 + lost * 5, 300)]
    journal.close()


async def test_a_new_store_takes_what_is_still_in_the_journal(
    journal: Journal, tmp_path: Path, embedded_store: EmbeddedStore
) -> None:
    """A store deleted by hand is refilled from what the journal keeps, without a gap alarm."""
    journal.cursor("snapshot")
    journal.append([block(number) for number in range(6)])
    await Drain(journal, embedded_store).empty()
    fresh = await EmbeddedStore.open(tmp_path / "fresh", EmbeddedOptions())
    drain = Drain(journal, fresh)
    await drain.empty()
    assert await stored(fresh) == list(range(30))
    assert drain.counts.gap_records == 0
    await fresh.close()


async def test_a_store_ahead_of_the_journal_is_not_fed(
    journal: Journal, embedded_store: EmbeddedStore
) -> None:
    """New frames must not be taken for stored ones after a journal was deleted by hand."""
    await embedded_store.append([(7, frames(1))], 8)
    journal.append([block(0)])
    with pytest.raises(StoreRefused, match="journal ends at 1"):
        await Drain(journal, embedded_store).pump()
    assert await embedded_store.count() == 1


async def test_an_unreadable_block_is_handed_over(
    journal: Journal, embedded_store: EmbeddedStore
) -> None:
    """A block of another version is kept aside with its position; the others are stored."""
    kept: list[tuple[int, bytes, str]] = []
    journal.append([block(0), Entry(EntryKind.FRAMES, b"from the future"), block(1)])
    drain = Drain(journal, embedded_store, on_undecodable=lambda *given: kept.append(given))
    assert await drain.pump() == 10
    ((lsn, payload, _),) = kept
    assert (lsn, payload, drain.counts.undecodable) == (1, b"from the future", 1)


async def test_it_tells_up_to_when_the_store_has_everything(
    journal: Journal, embedded_store: EmbeddedStore
) -> None:
    """Unknown at first; now when nothing waits; else the newest frame that was stored."""
    journal.append([block(0)])
    drain = Drain(journal, embedded_store)
    now_ms = START_MS + 3_600_000
    assert drain.stored_until_ms(now_ms) is None
    await drain.pump()
    assert drain.stored_until_ms(now_ms) == now_ms
    journal.append([block(1)])
    assert drain.stored_until_ms(now_ms) == START_MS + 4 * 1000 + 40


class Broken(EmbeddedStore):
    """A store with a bug."""

    async def append(self, blocks: Sequence[tuple[int, FrameBatch]], upto_lsn: int) -> None:
        """Fail like a programming mistake."""
        raise ZeroDivisionError(len(blocks), upto_lsn)


async def test_a_bug_is_not_retried_in_silence(journal: Journal, tmp_path: Path) -> None:
    """What is no error of store or disk ends the task, where health can see it."""
    store = await Broken.open(tmp_path / "broken", EmbeddedOptions())
    journal.append([block(0)])
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(Drain(journal, store, options=QUICK).run(), 5)
    await store.close()


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.005)
