"""SQL away: another connection holds its lock, so that every write is refused as busy."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

from devices.command_model import State
from devices.errors import DatabaseUnavailable
from iot.mqtt import Delivery
from iot.topics import Channel
from tests.spine.conftest import START_MS, Stage
from tests.spine.scenes import (
    NotingLoopback,
    after_crash,
    all_off,
    commands,
    connect,
    cut_hot_socket,
    findings,
    heat,
    limits,
    locked,
    lockouts,
    off,
    opened,
    play,
    rules_at_rest,
    subjects,
)

BUSY_MS = 20


@asynccontextmanager
async def committing(tmp_path: Path) -> AsyncIterator[Stage]:
    """A connected stage whose committer runs beside it, and gives up on a busy SQL file soon."""
    async with opened(tmp_path / "data", START_MS) as stage:
        connect(stage)
        await stage.backend.committer.flush()
        stage.published.clear()
        async with stage.backend.database.writing() as connection:
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MS}")
        running = asyncio.create_task(stage.backend.committer.run())
        try:
            yield stage
        finally:
            stage.backend.committer.close()
            await running


@contextmanager
def sql_down(stage: Stage) -> Iterator[None]:
    """Nobody else can write while this lasts."""
    path = stage.backend.settings.data_dir / "chargeward.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


async def until(true: Callable[[], bool]) -> None:
    """Let the committer's threads work until it is so."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - threads tell nobody when they are done
            await asyncio.sleep(0.005)


async def tried(stage: Stage) -> None:
    """Until SQL has refused what is queued at least once, and the journal has taken it."""
    committer = stage.backend.committer
    await until(lambda: committer.record_error is not None and committer.waiting[0] == 0)


def acknowledged(stage: Stage, lane: str) -> list[Delivery]:
    """What the broker may forget."""
    loop = stage.loops[lane]
    assert isinstance(loop, NotingLoopback)
    return loop.acknowledged


async def test_the_lock_is_real(tmp_path: Path) -> None:
    """While it is held a write fails as one that may be tried again; after it, not."""
    async with committing(tmp_path) as stage:
        with sql_down(stage):
            try:
                async with stage.backend.database.writing():
                    refused = False
            except DatabaseUnavailable:
                refused = True
        assert refused
        async with stage.backend.database.writing():
            pass


async def test_a_cut_leaves_while_sql_is_away_and_is_recorded_after(tmp_path: Path) -> None:
    """Found, cut, locked and proven from memory; SQL hears of all of it when it is back."""
    async with committing(tmp_path) as stage:
        with sql_down(stage):
            cut_hot_socket(stage)
            assert (stage.orders(), locked(stage)) == ([("cut", 3)], [3])
            play(stage, 1, 1, **off(3))
            await tried(stage)
            assert stage.backend.runner.actuation.commands.live() == []
            assert (await findings(stage), await lockouts(stage)) == ([], [])
        await until(lambda: stage.backend.committer.quiet)
        assert await rules_at_rest(stage) == [("R02", "extreme", 3, True)]
        (order,) = await commands(stage)
        assert (order.state, order.proof_w, order.sends) == (State.PROVEN, 0.0, 1)
        assert subjects(await lockouts(stage)) == [(3, "R02", "latched")]
        assert (await limits(stage)).locked == (3,)
        assert stage.backend.committer.record_error is None


async def test_frames_are_acknowledged_and_stored_while_sql_is_away(tmp_path: Path) -> None:
    """Telemetry needs the journal alone, also behind a turn that waits for SQL."""
    async with committing(tmp_path) as stage:
        with sql_down(stage):
            cut_hot_socket(stage)
            await tried(stage)
            play(stage, 5, 1, **heat(3))
            await until(lambda: len(acknowledged(stage, "telemetry")) == 6)
            await stage.backend.drain.empty()
            assert await stage.backend.store.count() == 7
            assert len(acknowledged(stage, "telemetry")) == 6  # the frame that cut waits for SQL
        await until(lambda: len(acknowledged(stage, "telemetry")) == 7)


async def test_an_alarm_gets_no_receipt_until_it_is_committed(tmp_path: Path) -> None:
    """The cut leaves at once; the station repeats itself; in the end both are confirmed."""
    async with committing(tmp_path) as stage:
        body = stage.alarm(id="smoke-1")
        with sql_down(stage):
            stage.send(body, Channel.ALARM)
            assert stage.orders() == [("cut_station", None)]
            await tried(stage)
            play(stage, 1, 1, **all_off(smoke=1))
            stage.send(body, Channel.ALARM)
            await until(lambda: stage.backend.committer.waiting[0] == 0)
            assert stage.receipts() == []
            assert acknowledged(stage, "safety") == []
        await until(lambda: len(stage.receipts()) == 2)
        assert stage.receipts() == ["smoke-1"] * 2
        assert len(acknowledged(stage, "safety")) == 2
        assert await rules_at_rest(stage) == [("R07", "main", None, True)]


async def test_a_failed_cut_escalates_while_sql_is_away(tmp_path: Path) -> None:
    """The ten seconds are counted in memory: R40 and the station cut do not wait for SQL."""
    async with committing(tmp_path) as stage:
        with sql_down(stage):
            cut_hot_socket(stage)
            play(stage, 10, 1, **heat(3))
            assert stage.orders()[-1] == ("cut_station", None)
            await tried(stage)
        await until(lambda: stage.backend.committer.quiet)
        states = [(o.socket, o.state) for o in await commands(stage)]
        assert states == [(3, State.FAILED), (None, State.SENT)]
        assert subjects(await lockouts(stage)) == [(3, "R02", "latched"), (None, "R40", "latched")]


async def test_health_says_that_sql_is_away(tmp_path: Path) -> None:
    """Red while records cannot be written, although reading still works; green when they are."""
    async with committing(tmp_path) as stage:
        backend = stage.backend
        with sql_down(stage):
            cut_hot_socket(stage)
            await tried(stage)
            await backend.watch()
            red = backend.health.verdict(round(stage.clock.monotonic_s() * 1000))
            assert [(r.trouble.value, r.red) for r in red.reasons] == [("sql_down", True)]
        await until(lambda: backend.committer.quiet)
        await backend.watch()
        assert backend.health.verdict(round(stage.clock.monotonic_s() * 1000)).ready


async def test_a_kill_while_sql_is_away_forgets_nothing(tmp_path: Path) -> None:
    """The journal has it: the next start finds the same, cuts again, and records it."""
    async with committing(tmp_path) as stage:
        with sql_down(stage):
            cut_hot_socket(stage)
            play(stage, 1, 1, **off(3))
            await tried(stage)
            async with after_crash(stage, tmp_path / "copy") as second:
                await second.backend.committer.flush()
                assert second.orders() == [("cut", 3)]
                assert await rules_at_rest(second) == [("R02", "extreme", 3, True)]
                assert subjects(await lockouts(second)) == [(3, "R02", "latched")]
