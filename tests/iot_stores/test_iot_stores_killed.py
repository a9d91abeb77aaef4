"""``kill -9`` at any moment: what was promised is stored, and exactly once."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from iot.drain import Drain
from iot.embedded_store import EmbeddedStore
from iot.store import RawQuery
from tests.iot_stores.killed_writer import OPTIONS, START_MS, next_number, open_journal

KILLS = 8
ROOT = Path(__file__).parents[2]


def promised(folder: Path, seconds: float) -> Iterator[int]:
    """Run the writer, kill it ``seconds`` after its first promise, give all its promises."""
    command = [sys.executable, "-m", "tests.iot_stores.killed_writer", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        timer = Timer(seconds, process.kill)
        assert process.stdout is not None
        for line in process.stdout:
            if timer.ident is None:
                timer.start()
            if line.endswith("\n"):
                yield int(line)
        timer.cancel()


async def test_every_promised_frame_is_stored_exactly_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed again and again while writing, draining, rolling files and trimming segments."""
    rng = random.Random(20251009)
    last = 0
    began = time.monotonic()
    for _ in range(KILLS):
        for number in promised(tmp_path, rng.uniform(0.02, 0.7)):
            assert number > last
            last = number
    store = await EmbeddedStore.open(tmp_path / "store", OPTIONS)
    journal = open_journal(tmp_path, await store.stored_lsn())
    end = await next_number(journal, store)
    drain = Drain(journal, store)
    await drain.empty()
    numbers: list[int] = []
    times: list[int] = []
    async for page in store.raw(RawQuery(0, START_MS * 2)):
        numbers += page.seq.tolist()
        times += page.event_ms.tolist()
    assert numbers == list(range(end))
    assert times == [START_MS + number * 1000 for number in numbers]
    assert end >= last > 0
    assert drain.counts.gap_records == 0
    assert sum(journal.lost.values()) == 0
    with capsys.disabled():
        seconds = time.monotonic() - began
        sys.stdout.write(
            f"\n{KILLS} x kill -9 in {seconds:.0f} s: {last} frames promised,"
            f" {end} stored, 0 lost, 0 twice, {len(list((tmp_path / 'store').glob('*.duckdb')))}"
            " files\n"
        )
    journal.close()
    await store.close()
