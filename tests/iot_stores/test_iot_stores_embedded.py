"""The embedded store: one file per period, exactly once over crashes, disk given back."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from iot.store import RangeQuery, RawQuery, StoreRefused, StoreUnavailable
from tests.iot_stores.telemetry import DAY_MS, START_MS, frames, same

SMALL = EmbeddedOptions(memory_limit_mb=128)


def files(directory: Path) -> list[str]:
    """The telemetry files without their write-ahead logs."""
    return sorted(path.name for path in directory.iterdir() if path.suffix != ".wal")


async def three_days(directory: Path) -> EmbeddedStore:
    """A store with 10 frames in each of three days."""
    store = await EmbeddedStore.open(directory, SMALL)
    for day in range(3):
        batch = frames(10, start_ms=START_MS + day * DAY_MS, first_seq=day * 10)
        await store.append([(day, batch)], day + 1)
    return store


async def test_retention_gives_disk_back(tmp_path: Path) -> None:
    """Old days are deleted as files; the disk taken shrinks; questions go on as before."""
    store = await three_days(tmp_path)
    assert len(files(tmp_path)) == 3
    before = (await store.health()).bytes_used or 0
    assert await store.prune(START_MS + 2 * DAY_MS) == 20
    assert files(tmp_path) == ["telemetry-000003.duckdb"]
    assert ((await store.health()).bytes_used or 0) < before / 2
    assert await store.stored_lsn() == 3
    await store.close()


async def test_pruning_everything_keeps_the_position(tmp_path: Path) -> None:
    """A store emptied by retention still knows what it must not take again."""
    store = await three_days(tmp_path)
    assert await store.prune(START_MS + 9 * DAY_MS) == 30
    await store.close()
    store = await EmbeddedStore.open(tmp_path, SMALL)
    assert (await store.count(), await store.stored_lsn()) == (0, 3)
    await store.append([(2, frames(10)), (3, frames(5))], 4)
    assert await store.count() == 5
    await store.close()


async def test_questions_span_files(tmp_path: Path) -> None:
    """Windows, raw frames and last values join what lies in several files."""
    store = await three_days(tmp_path)
    late = frames(4, start_ms=START_MS + 100, first_seq=90)
    await store.append([(3, late)], 4)  # arrives with the first day's clock: a file of its own
    series = await store.range(
        RangeQuery("st-01", 1, "temp_c", START_MS, START_MS + 3 * DAY_MS, points=3)
    )
    assert series.samples.sum() == 34
    pages = [batch async for batch in store.raw(RawQuery(0, START_MS * 2), 10)]
    assert [seq for page in pages for seq in page.seq.tolist()][:4] == [0, 90, 1, 91]
    assert (await store.last(["st-01"])).seq.tolist() == [29]
    await store.close()


async def test_a_window_in_two_files_is_one_window(tmp_path: Path) -> None:
    """The mean over a window whose frames lie in two files weighs every frame alike."""
    store = await EmbeddedStore.open(tmp_path, EmbeddedOptions(period_ms=10_000))
    batch = frames(20, value=lambda row, _: 20 + row)
    await store.append([(0, batch.take(batch.seq < 4))], 1)
    await store.append([(1, batch.take(batch.seq >= 4))], 2)
    assert len(files(tmp_path)) == 2
    series = await store.range(
        RangeQuery("st-01", 1, "temp_c", START_MS, START_MS + 20_000, points=1)
    )
    assert (series.minimum[0], series.maximum[0], series.mean[0]) == (20, 39, 29.5)
    assert series.samples.tolist() == [20]
    await store.close()


async def test_a_clock_that_ran_ahead_harms_nothing(tmp_path: Path) -> None:
    """Frames received under a clock ten years ahead do not stop later files or retention."""
    store = await EmbeddedStore.open(tmp_path, SMALL)
    ahead = START_MS + 3650 * DAY_MS
    for lsn, start in enumerate((START_MS, ahead, START_MS + 1000, START_MS + DAY_MS)):
        await store.append([(lsn, frames(5, start_ms=start, first_seq=lsn * 5))], lsn + 1)
    assert len(files(tmp_path)) == 4
    assert await store.prune(START_MS + DAY_MS) == 10
    assert await store.count() == 10
    await store.close()


async def test_a_second_process_is_told_who_holds_the_store(tmp_path: Path) -> None:
    """Opening a store that another process uses is a clear, retryable error."""
    store = await three_days(tmp_path / "store")
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from iot.embedded_store import EmbeddedStore\n"
        "asyncio.run(EmbeddedStore.open(Path(sys.argv[1])))\n"
    )
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
        [sys.executable, "-c", script, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode != 0
    assert "StoreUnavailable" in done.stderr
    assert "lock" in done.stderr
    assert await store.count() == 30
    await store.close()


@pytest.mark.parametrize("what", ["cut", "garbage", "empty"])
async def test_a_damaged_file_is_set_aside(tmp_path: Path, what: str) -> None:
    """A spoiled newest file does not stop the store: it is kept aside, told, and refilled."""
    store = await three_days(tmp_path)
    await store.close()
    newest = tmp_path / "telemetry-000003.duckdb"
    data = newest.read_bytes()
    newest.write_bytes({"cut": data[:9000], "garbage": b"?" * 9000, "empty": b""}[what])
    store = await EmbeddedStore.open(tmp_path, SMALL)
    health = await store.health()
    assert (health.ok, "telemetry-000003.damaged" in health.detail) == (False, True)
    assert (await store.count(), await store.stored_lsn()) == (20, 2)
    batch = frames(10, start_ms=START_MS + 2 * DAY_MS, first_seq=20)
    await store.append([(1, frames(10)), (2, batch)], 3)
    assert (await store.count(), await store.stored_lsn()) == (30, 3)
    assert "telemetry-000004.duckdb" in files(tmp_path)
    await store.close()


async def test_a_file_begun_but_never_committed_is_nothing(tmp_path: Path) -> None:
    """A crash between making a file and its first commit leaves no trace and no damage."""
    store = await three_days(tmp_path)
    await store.close()
    duckdb.connect(tmp_path / "telemetry-000004.duckdb").close()
    store = await EmbeddedStore.open(tmp_path, SMALL)
    assert (await store.count(), await store.stored_lsn()) == (30, 3)
    assert (await store.health()).ok
    await store.close()


async def test_a_failed_commit_is_taken_back_whole(tmp_path: Path) -> None:
    """Frames and position fail together: after the error the same call stores them once."""
    store = await three_days(tmp_path)
    good = frames(3, station="st-02", start_ms=START_MS + 2 * DAY_MS, sockets=5, first_seq=30)
    bad = replace(good, boot=np.full(3, -1))  # more than the column can hold
    with pytest.raises(StoreRefused):
        await store.append([(3, bad)], 4)
    assert (await store.count(), await store.stored_lsn()) == (30, 3)
    await store.append([(3, good)], 4)
    assert (await store.count(), await store.stored_lsn()) == (33, 4)
    assert same(await store.last(["st-02"]), good.take(np.array([2])))
    await store.close()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A path below a file is an error of the store's own kind."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        await EmbeddedStore.open(tmp_path / "file" / "store", SMALL)
