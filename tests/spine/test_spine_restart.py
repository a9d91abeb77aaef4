"""A kill in any instant: what the next start makes of what lies on disk."""

from pathlib import Path
from typing import Any

import pytest

from devices.command_model import State
from iot.topics import Channel
from rules.model import FindingKey
from tests.spine.conftest import START_MS, STATION, Stage
from tests.spine.scenes import (
    WARM_C,
    active,
    after_crash,
    all_off,
    commands,
    connect,
    crashed,
    cut_hot_socket,
    findings,
    heat,
    limits,
    locked,
    lockouts,
    off,
    opened,
    play,
    row,
    rules_at_rest,
    sent,
    stored,
    subjects,
)

FLUSH = "journal only"
SNAPSHOT_LAST = "snapshot only"
SNAPSHOT_FIRST = "snapshot, then journal"


@pytest.mark.parametrize("how", [FLUSH, SNAPSHOT_FIRST, SNAPSHOT_LAST])
async def test_a_hold_goes_on_over_a_kill(stage: Stage, tmp_path: Path, how: str) -> None:
    """Twenty of thirty seconds at 82 °C before the kill, ten after it: cut at thirty."""
    play(stage, 1, 10, **heat(3, WARM_C))
    began_ms = stage.clock.utc_ms()
    if how is SNAPSHOT_FIRST:
        await stage.backend.snapshot(flush=True)
    play(stage, 2, 10, **heat(3, WARM_C))
    if how is SNAPSHOT_LAST:
        await stage.backend.snapshot(flush=True)
    await stage.backend.committer.flush()
    assert stage.orders() == []
    async with after_crash(stage, tmp_path / "copy", later_s=9) as second:
        assert second.orders() == []
        play(second, 1, 1, **heat(3, WARM_C))
        assert second.orders() == [("cut", 3)]
        assert active(second) == [FindingKey(STATION, 3, "R02", "sustained", began_ms)]


async def test_a_cut_that_no_record_knows_is_ordered_again(stage: Stage, tmp_path: Path) -> None:
    """Killed between journal and SQL: found again under the same key, recorded, cut, locked."""
    cut_hot_socket(stage)
    await stage.backend.committer.write_journal()
    keys = active(stage)
    assert (await findings(stage), await commands(stage)) == ([], [])
    async with after_crash(stage, tmp_path / "copy") as second:
        await second.backend.committer.flush()
        assert active(second) == keys
        assert second.orders() == [("cut", 3)]
        assert sent(second, Channel.COMMAND)[0]["id"] != sent(stage, Channel.COMMAND)[0]["id"]
        assert [f.finding.key for f in await findings(second)] == keys
        (order,) = await commands(second)
        assert (order.socket, order.state, order.lock) == (3, State.SENT, True)
        assert subjects(await lockouts(second)) == [(3, "R02", "latched")]


async def test_a_second_kill_before_the_connection_forgets_no_cut(
    stage: Stage, tmp_path: Path
) -> None:
    """Killed between journal and SQL, started without a broker, killed: the cut still leaves."""
    cut_hot_socket(stage)
    await stage.backend.committer.write_journal()
    now_ms = stage.clock.utc_ms() + 1_000
    async with opened(crashed(stage, tmp_path / "one"), now_ms, stage.seq) as unconnected:
        await unconnected.backend.snapshot(flush=True)
        async with after_crash(unconnected, tmp_path / "two") as third:
            await third.backend.committer.flush()
            assert third.orders() == [("cut", 3)]
            assert locked(third) == [3]
            assert await rules_at_rest(third) == [("R02", "extreme", 3, True)]
            assert subjects(await lockouts(third)) == [(3, "R02", "latched")]


async def test_frames_that_were_not_journaled_come_again_and_cut_again(
    stage: Stage, tmp_path: Path
) -> None:
    """Killed before the journal: nothing was acknowledged, so the broker brings them again."""
    hot = [stage.frame(**heat(3)) for _ in range(2)]
    for body in hot:
        stage.send(body, Channel.TELEMETRY)
    assert stage.orders() == [("cut", 3)]
    async with after_crash(stage, tmp_path / "copy") as second:
        assert (second.orders(), active(second)) == ([], [])
        for body in hot:
            second.send(body, Channel.TELEMETRY)
        assert second.orders() == [("cut", 3)]
        assert await stored(second) == 2


async def test_a_live_order_is_watched_on_after_a_kill(stage: Stage, tmp_path: Path) -> None:
    """Within its window it keeps its id: no new order, the re-sends that are due, the proof."""
    cut_hot_socket(stage)
    await stage.backend.committer.flush()
    async with after_crash(stage, tmp_path / "copy") as second:
        assert second.orders() == []
        second.pass_s(3)
        assert sent(second, Channel.COMMAND) == sent(stage, Channel.COMMAND)
        play(second, 1, 1, **off(3))
        await second.backend.committer.flush()
        (order,) = await commands(second)
        assert (order.state, order.sends, order.proof_w) == (State.PROVEN, 2, 0.0)


async def test_a_live_order_that_is_never_proven_fails_after_a_kill(
    stage: Stage, tmp_path: Path
) -> None:
    """The deadline stays where it was: R40 and the station cut ten seconds after the order."""
    cut_hot_socket(stage)
    ordered_ms = stage.clock.utc_ms()
    await stage.backend.committer.flush()
    async with after_crash(stage, tmp_path / "copy", later_s=5) as second:
        play(second, 5, 1, **heat(3))
        last = sent(second, Channel.COMMAND)[-1]
        assert (last["action"], last["issued"]) == ("cut_station", ordered_ms + 10_000)
        assert second.rules() == [("R02", 3), ("R40", 3)]


async def test_an_order_that_ran_out_unwatched_is_ordered_anew(
    stage: Stage, tmp_path: Path
) -> None:
    """Never the old id after its expiry: a new order with a full window, tied to the old one."""
    cut_hot_socket(stage)
    await stage.backend.committer.flush()
    async with after_crash(stage, tmp_path / "copy", later_s=60) as second:
        await second.backend.committer.flush()
        (new,) = sent(second, Channel.COMMAND)
        assert new["expires"] - second.clock.utc_ms() == 10_000
        old, again = await commands(second)
        assert (old.state, again.state) == (State.EXPIRED, State.SENT)
        assert (again.id, again.parent, again.lock) == (new["id"], old.id, True)
        # Power that never went is no power that came back: R40's business, not R27's.
        play(second, 9, 1, **heat(3))
        assert {rule for rule, _ in second.rules()} == {"R01", "R02"}
        play(second, 1, 1, **heat(3))
        assert {rule for rule, _ in second.rules()} == {"R01", "R02", "R40"}


async def test_frames_that_come_again_are_stored_once(stage: Stage, tmp_path: Path) -> None:
    """Journaled but not acknowledged: whether in the store or not, a second copy is none."""
    bodies = [stage.frame() for _ in range(4)]
    for body in bodies[:2]:
        stage.send(body, Channel.TELEMETRY)
    assert await stored(stage) == 2
    for body in bodies[2:]:
        stage.send(body, Channel.TELEMETRY)
    await stage.backend.committer.write_journal()
    async with after_crash(stage, tmp_path / "copy") as second:
        for body in bodies:
            second.send(body, Channel.TELEMETRY)
        assert await stored(second) == 4
        second.telemetry()
        assert await stored(second) == 5


async def test_latch_and_lock_stand_after_a_kill(stage: Stage, tmp_path: Path) -> None:
    """A proven cut stays proven and locked; power that comes back is cut, an hour later too."""
    cut_hot_socket(stage)
    play(stage, 1, 1, **off(3))
    await stage.backend.committer.flush()
    keys, locks = active(stage), await lockouts(stage)
    async with after_crash(stage, tmp_path / "copy", later_s=3600) as second:
        assert (second.orders(), active(second)) == ([], keys)
        assert [b["locked"] for s, c, b in second.published if s == STATION] == [[3]]
        assert list(second.backend.runner.locks) == locks
        play(second, 5, 1, **heat(3, 40.0))
        assert second.orders() == [("cut", 3)]
        assert second.rules() == [("R02", 3), ("R27", 3)]


async def test_the_time_while_we_were_away_is_no_silence(stage: Stage, tmp_path: Path) -> None:
    """After an hour's absence nobody is offline until three minutes have passed in our sight."""
    play(stage, 1, 1)
    await stage.backend.committer.flush()
    async with after_crash(stage, tmp_path / "copy", later_s=3600) as second:
        second.pass_s(180)
        assert second.rules() == []
        second.pass_s(1)
        assert second.rules() == [("R41", None)]


async def test_the_time_without_a_broker_is_no_silence(stage: Stage, tmp_path: Path) -> None:
    """Silence counts from the first connection, not from the start of the process."""
    play(stage, 1, 1)
    await stage.backend.committer.flush()
    copy = crashed(stage, tmp_path / "copy")
    async with opened(copy, stage.clock.utc_ms() + 1_000, stage.seq) as second:
        second.pass_s(120)
        connect(second)
        second.pass_s(180)
        assert second.rules() == []
        second.pass_s(1)
        assert second.rules() == [("R41", None)]


async def test_a_silence_found_before_a_kill_ends_after_it(stage: Stage, tmp_path: Path) -> None:
    """R41 is found by the clock alone; the replay finds it under the same key, so it can end."""
    play(stage, 1, 1)
    stage.pass_s(181)
    await stage.backend.committer.flush()
    keys = active(stage)
    assert [key.rule for key in keys] == ["R41"]
    async with after_crash(stage, tmp_path / "copy") as second:
        assert active(second) == keys
        play(second, 2, 1)
        await second.backend.committer.flush()
        assert await rules_at_rest(second) == [("R41", "main", None, False)]


async def test_a_session_is_as_old_as_it_is(stage: Stage, tmp_path: Path) -> None:
    """R22 counts ten hours from the start of the charge, whatever was restarted meanwhile."""
    charging: dict[str, Any] = {"power_w": row(0.0, {3: 118.0}), "relay": row(0, {3: 1})}
    for hour in range(10):
        for _ in range(12):
            stage.clock.now_ms += 300_000
            stage.telemetry(**charging)
        if hour in {3, 8}:
            await stage.backend.snapshot(flush=True)
    await stage.backend.committer.flush()
    assert (stage.rules(), stage.orders()) == ([("R22", 3)], [])  # the eight hours' notice
    async with after_crash(stage, tmp_path / "copy", later_s=299) as second:
        play(second, 1, 1, **charging)
        assert second.orders() == [("cut", 3)]
        assert [b["locked"] for s, c, b in second.published if s == STATION and "locked" in b] == [
            []
        ]


async def test_the_limits_version_only_grows(stage: Stage, tmp_path: Path) -> None:
    """A document that left and was never recorded does not share its number with the next one."""
    cut_hot_socket(stage)
    lost = sent(stage, Channel.LIMITS)[-1]
    await stage.backend.committer.write_journal()
    assert (await limits(stage)).version == START_MS
    async with after_crash(stage, tmp_path / "copy") as second:
        documents = [b for s, c, b in second.published if s == STATION and c is Channel.LIMITS]
        assert [d["locked"] for d in documents] == [[3], [3]]
        assert {d["version"] for d in documents} == {lost["version"] + 1_000}


async def test_a_start_block_that_ended_unrecorded_is_lifted(stage: Stage, tmp_path: Path) -> None:
    """SQL still knows the lock, the journal that its reason is gone: the socket is free again."""
    warm = heat(3, 66.0) | {"power_w": row(118.0, {3: 0.0})}
    play(stage, 14, 5, **warm)
    await stage.backend.committer.flush()
    assert subjects(await lockouts(stage)) == [(3, "R01", "temporary")]
    play(stage, 121, 5, **off(3, 55.0))
    assert stage.rules() == []
    await stage.backend.committer.write_journal()
    async with after_crash(stage, tmp_path / "copy") as second:
        await second.backend.committer.flush()
        assert second.rules() == []
        assert locked(second) == []
        assert await lockouts(second) == []


async def test_a_fire_stands_after_a_kill(stage: Stage, tmp_path: Path) -> None:
    """The smoke alarm that was recorded is told again by the station: no second finding or cut."""
    alarm = stage.alarm(id="smoke-1")
    stage.send(alarm, Channel.ALARM)
    play(stage, 1, 1, **all_off(smoke=1))
    await stage.backend.committer.flush()
    keys = active(stage)
    async with after_crash(stage, tmp_path / "copy") as second:
        second.send(alarm, Channel.ALARM)
        await second.backend.committer.flush()
        assert (second.orders(), active(second)) == ([], keys)
        assert second.receipts() == ["smoke-1"]
        assert await rules_at_rest(second) == [("R07", "main", None, True)]
        assert subjects(await lockouts(second)) == [(None, "R07", "latched")]
