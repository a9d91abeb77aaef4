"""A wall clock that is set while the product runs: what is due in a minute is due in a minute."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conftest import missing

LIBRARIES = tuple(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
HOUR_S = 3_600
YEARS_S = 10 * 365 * 24 * HOUR_S
WITHIN_S = 60
"""Far less than the hour that a scheduler on the wall clock would stand still."""


@asynccontextmanager
async def beating(wall: Path) -> AsyncIterator[Process]:
    """A process whose wall clock is what ``wall`` says, and whose other clocks are true."""
    environment = {
        **os.environ,  # noqa: TID251 - a child process
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(wall),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.desk.beating"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def beats(process: Process, ahead_s: float, count: int) -> None:
    """Until the job has run ``count`` times with the wall clock so far ahead."""
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        while count:
            line = (await process.stdout.readline()).split()
            assert line, "the process has ended"
            count -= line[0] == b"beat" and abs(int(line[1]) / 1000 - ahead_s) < HOUR_S / 2


def set_to(wall: Path, ahead_s: int) -> None:
    """The wall clock is set, at once."""
    new = wall.with_suffix(".new")
    new.write_text(f"{ahead_s:+d}")
    new.replace(wall)


@pytest.mark.parametrize("ahead_s", [HOUR_S, -HOUR_S, YEARS_S], ids=["+1h", "-1h", "+10y"])
async def test_periodic_jobs_go_on_when_the_wall_clock_is_set(tmp_path: Path, ahead_s: int) -> None:
    """Neither stand still until the old time is reached, nor count what was never missed."""
    if not LIBRARIES:
        missing("faketime")
    wall = tmp_path / "wall"
    set_to(wall, 0)
    async with beating(wall) as process:
        await beats(process, 0, 3)
        set_to(wall, ahead_s)
        await beats(process, ahead_s, 20)
        set_to(wall, 0)  # and back, which for +10 y is a clock set back by 10 years
        await beats(process, 0, 20)
