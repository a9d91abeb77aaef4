"""What a station is told to enforce alone: locks, start blocks, versions; and normal ends."""

from typing import Any

import pytest

from devices.command_model import State
from iot.topics import Channel
from tests.spine.conftest import START_MS, Stage
from tests.spine.scenes import (
    commands,
    cut_hot_socket,
    heat,
    limits,
    locked,
    lockouts,
    off,
    play,
    row,
    rules_at_rest,
    subjects,
)

CUT_MS = START_MS + 3_000
"""The stage begins after a second, and ``cut_hot_socket`` takes two."""


def status(version: int, *, online: bool = True) -> dict[str, Any]:
    """A station's status that reports this limits version."""
    return {
        "online": online,
        "boot": "0a1b2c3d",
        "firmware": "1.0",
        "hardware": "a",
        "sockets": 12,
        "interval_s": 30.0,
        "limits_version": version,
        "protections": {
            "over_temperature": True,
            "over_current": True,
            "smoke_sensor": True,
            "leakage_trip": True,
            "relay_feedback": True,
            "offline_trip": True,
        },
    }


async def test_a_station_with_older_limits_is_told_again(stage: Stage) -> None:
    """It may not have heard of a lock: the document in force goes out once more."""
    cut_hot_socket(stage)
    stage.published.clear()
    stage.send(status(START_MS), Channel.STATUS)
    assert [(c, b["version"], b["locked"]) for _, c, b in stage.published] == [
        (Channel.LIMITS, CUT_MS, [3])
    ]


@pytest.mark.parametrize("told", [status(CUT_MS), status(1, online=False)], ids=["same", "will"])
async def test_a_station_that_has_the_limits_or_is_gone_is_told_nothing(
    stage: Stage, told: dict[str, Any]
) -> None:
    """The version in force, or a last will with any version, causes no message."""
    cut_hot_socket(stage)
    stage.published.clear()
    stage.send(told, Channel.STATUS)
    assert stage.published == []


async def test_a_station_with_newer_limits_lifts_our_version_above_it(stage: Stage) -> None:
    """A version that fell back would leave a lock unheard: the same lock, under a higher one."""
    cut_hot_socket(stage)
    stage.published.clear()
    stage.send(status(CUT_MS + 5_000_000), Channel.STATUS)
    assert [(c, b["version"], b["locked"]) for _, c, b in stage.published] == [
        (Channel.LIMITS, CUT_MS + 5_000_001, [3])
    ]
    await stage.backend.committer.flush()
    assert (await limits(stage)).version == CUT_MS + 5_000_001


async def test_a_warm_socket_is_locked_only_once_it_is_idle(stage: Stage) -> None:
    """R01 forbids a new start and interrupts no charge; it gives the socket back by itself."""
    warm = heat(3, 66.0)
    play(stage, 30, 5, **warm)
    assert stage.rules() == [("R01", 3)]
    assert stage.published == []
    play(stage, 1, 5, **warm | {"power_w": row(118.0, {3: 4.0})})
    assert (locked(stage), stage.orders()) == ([3], [])
    await stage.backend.committer.flush()
    assert subjects(await lockouts(stage)) == [(3, "R01", "temporary")]
    play(stage, 120, 5, **off(3, 55.0))
    assert (stage.rules(), locked(stage)) == ([("R01", 3)], [3])
    play(stage, 1, 5, **off(3, 55.0))
    assert (stage.rules(), locked(stage)) == ([], [])
    await stage.backend.committer.flush()
    assert await lockouts(stage) == []


async def test_a_start_block_outlives_the_end_of_another_finding(stage: Stage) -> None:
    """The thermometer of a warm socket fails for a while; the socket is still warm after it."""
    warm = heat(3, 66.0)
    play(stage, 30, 5, **warm)
    play(stage, 20, 5, **heat(3) | {"temp_c": row(31.0, {3: None})})
    assert stage.rules() == [("R01", 3), ("R42", 3)]
    play(stage, 125, 5, **warm)
    assert stage.rules() == [("R01", 3)]
    play(stage, 1, 5, **warm | {"power_w": row(118.0, {3: 0.0})})
    assert locked(stage) == [3]


async def test_a_start_block_beyond_the_sockets_of_a_frame_breaks_nothing(stage: Stage) -> None:
    """A station may report fewer sockets than registered, also after one of the others was warm."""
    play(stage, 30, 5, **heat(12, 66.0))
    assert stage.rules() == [("R01", 12)]
    fewer = {c: [1.0] * 6 for c in ("current_a", "power_w", "temp_c", "energy_wh")}
    play(stage, 1, 5, **fewer, relay=[1] * 6)
    await stage.backend.committer.flush()
    assert stage.backend.quarantine.recent() == []
    assert await stage.backend.drain.pump() == 31


async def test_a_charge_without_load_ends_and_locks_nothing(stage: Stage) -> None:
    """R21: ten minutes below 3 W behind a closed relay. A normal end, with proof, no lock."""
    play(stage, 5, 5)
    unplugged = {"power_w": row(118.0, {3: 1.0}), "current_a": row(0.9, {3: 0.0})}
    play(stage, 121, 5, **unplugged)
    assert stage.orders() == [("cut", 3)]
    play(stage, 1, 1, **off(3, 31.0))
    await stage.backend.committer.flush()
    ((_, _, _, standing),) = await rules_at_rest(stage)
    (order,) = await commands(stage)
    assert (standing, order.rule, order.lock, order.state) == (True, "R21", False, State.PROVEN)
    assert [c for _, c, _ in stage.published if c is Channel.LIMITS] == []
    assert await lockouts(stage) == []


async def test_a_full_battery_ends_its_charge_and_locks_nothing(stage: Stage) -> None:
    """R20: an hour at or below a fifth of the session's peak. A normal end, with proof, no lock."""
    play(stage, 20, 30)
    floating = {"power_w": row(118.0, {3: 18.0}), "current_a": row(0.9, {3: 0.2})}
    play(stage, 121, 30, **floating)
    assert stage.orders() == [("cut", 3)]
    play(stage, 1, 1, **off(3, 31.0))
    await stage.backend.committer.flush()
    assert await rules_at_rest(stage) == [("R20", "main", 3, True)]
    (order,) = await commands(stage)
    assert (order.rule, order.lock, order.state) == ("R20", False, State.PROVEN)
    assert [c for _, c, _ in stage.published if c is Channel.LIMITS] == []
    assert await lockouts(stage) == []
