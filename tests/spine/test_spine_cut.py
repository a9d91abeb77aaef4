"""From a hot frame to a socket that is measured off and locked, and every way that can fail."""

from typing import Any

import pytest

from devices.command_model import CommandRecord, Failure, Origin, State
from devices.lockouts import Kind, Lockout
from devices.orders import Action, Result
from iot.topics import Channel
from tests.spine.conftest import START_MS, STATION, Stage
from tests.spine.scenes import (
    all_off,
    commands,
    cut_hot_socket,
    findings,
    heat,
    limits,
    locked,
    lockouts,
    off,
    play,
    row,
    rules_at_rest,
    sent,
    subjects,
)

CUT_MS = START_MS + 3_000
"""The stage begins after a second, and ``cut_hot_socket`` takes two."""


def reply(stage: Stage, result: Result, order: int = -1) -> None:
    """Let the station answer one of its orders."""
    body = {"id": sent(stage, Channel.COMMAND)[order]["id"], "result": result.value, "detail": ""}
    stage.send(body, Channel.REPLY)


async def test_the_order_and_the_lock_leave_before_anything_is_written(stage: Stage) -> None:
    """One turn publishes the cut, then the locked socket; disk and SQL know nothing of it yet."""
    before = stage.backend.runner.actuation.limits.current(STATION)
    assert before is not None
    end_lsn = stage.backend.journal.end_lsn
    cut_hot_socket(stage)
    (command_id,) = {body["id"] for body in sent(stage, Channel.COMMAND)}
    assert stage.published == [
        (
            STATION,
            Channel.COMMAND,
            {
                "id": command_id,
                "issued": CUT_MS,
                "expires": CUT_MS + 10_000,
                "action": "cut",
                "socket": 3,
                "reason": "R02 socket_extreme",
            },
        ),
        (
            STATION,
            Channel.LIMITS,
            {
                "version": CUT_MS,
                "trips": before.trips.model_dump(),
                "intervals": before.intervals.model_dump(),
                "locked": [3],
            },
        ),
    ]
    assert stage.backend.journal.end_lsn == end_lsn
    assert stage.backend.committer.waiting == (2, 0)
    assert (await findings(stage), await commands(stage), await lockouts(stage)) == ([], [], [])


async def test_finding_order_lock_and_limits_are_recorded_together(stage: Stage) -> None:
    """After the commit SQL says what was found, ordered, and locked."""
    cut_hot_socket(stage)
    await stage.backend.committer.flush()
    assert await rules_at_rest(stage) == [("R02", "extreme", 3, True)]
    (order,) = await commands(stage)
    assert order == CommandRecord(
        id=sent(stage, Channel.COMMAND)[0]["id"],
        station=STATION,
        socket=3,
        action=Action.CUT,
        reason="R02 socket_extreme",
        rule="R02",
        origin=Origin.RULE,
        by=None,
        lock=True,
        state=State.SENT,
        issued_ms=CUT_MS,
        expires_ms=CUT_MS + 10_000,
        trigger_received_ms=CUT_MS,
        first_sent_ms=CUT_MS,
        sent_ms=CUT_MS,
        published_ms=CUT_MS,
        sends=1,
        seen_boot=0x0A1B2C3D,
        seen_seq=1,
    )
    assert await lockouts(stage) == [
        Lockout(STATION, 3, Kind.LATCHED, "R02", "socket_extreme", fire=False, since_ms=CUT_MS)
    ]
    assert ((await limits(stage)).version, (await limits(stage)).locked) == (CUT_MS, (3,))


async def test_a_later_frame_without_power_is_the_proof(stage: Stage) -> None:
    """Power below 5 W in a frame after the order proves it, once, with what was measured."""
    cut_hot_socket(stage)
    stage.pass_s(1)
    stage.telemetry(**off(3))
    stage.pass_s(20)
    await stage.backend.committer.flush()
    (order,) = await commands(stage)
    assert (order.state, order.sends) == (State.PROVEN, 1)
    assert (order.proven_ms, order.proof_w) == (CUT_MS + 1_000, 0.0)
    assert (order.relay_open, order.others_unaffected) == (True, True)
    assert stage.orders() == [("cut", 3)]
    assert locked(stage) == [3]


async def test_the_frame_that_caused_the_cut_is_no_proof_of_it(stage: Stage) -> None:
    """A hot socket without load is cut; only what is measured after the order counts."""
    idle = heat(3) | {"power_w": row(118.0, {3: 0.0})}
    play(stage, 2, 1, **idle)
    assert stage.backend.runner.actuation.commands.live_cut(STATION, 3) is not None
    stage.pass_s(1)
    stage.telemetry(**idle | {"relay": row(1, {3: 0})})
    assert stage.backend.runner.actuation.commands.live() == []


async def test_an_old_frame_that_comes_late_is_no_proof(stage: Stage) -> None:
    """A frame overtaken by the hot one was measured before the order."""
    overtaken = stage.frame(**off(3))
    cut_hot_socket(stage)
    stage.pass_s(1)
    stage.send(overtaken, Channel.TELEMETRY)
    assert stage.backend.runner.actuation.commands.live_cut(STATION, 3) is not None


@pytest.mark.parametrize(
    ("channels", "failure"),
    [
        ({"power_w": row(118.0, {3: None})}, Failure.NO_SENSOR),
        ({"power_w": row(118.0, {3: None}), "relay": row(1, {3: 0})}, Failure.NO_SENSOR),
        ({"power_w": row(118.0, {3: 5.0})}, Failure.STILL_POWER),
        ({"power_w": ["NaN", *[118.0] * 11]}, Failure.NO_MEASUREMENT),
    ],
    ids=["null", "null and an open relay", "exactly 5 W", "NaN"],
)
async def test_a_power_that_is_unknown_or_too_high_proves_nothing(
    stage: Stage, channels: dict[str, Any], failure: Failure
) -> None:
    """Not knowing is not being off: the cut fails, and the station is cut."""
    cut_hot_socket(stage)
    play(stage, 10, 1, **heat(3), **channels)
    await stage.backend.committer.flush()
    first, second = await commands(stage)
    assert (first.state, first.failure, first.sends) == (State.FAILED, failure, 3)
    assert (second.action, second.parent, second.rule) == (Action.CUT_STATION, first.id, "R40")


async def test_a_reply_is_a_claim_and_no_proof(stage: Stage) -> None:
    """The station says done and shows nothing: ten seconds later the cut has failed."""
    cut_hot_socket(stage)
    reply(stage, Result.DONE)
    stage.pass_s(9.5)
    await stage.backend.committer.flush()
    (order,) = await commands(stage)
    assert (order.state, order.reply, order.sends) == (State.ACKNOWLEDGED, Result.DONE, 3)
    stage.pass_s(0.5)
    await stage.backend.committer.flush()
    first, _ = await commands(stage)
    assert (first.state, first.failure) == (State.FAILED, Failure.NO_MEASUREMENT)
    assert stage.orders() == [*[("cut", 3)] * 3, ("cut_station", None)]


async def test_a_welded_relay_ends_in_a_station_cut(stage: Stage) -> None:
    """Sent three times under one id; R40, station cut and a lock on everything within 15 s."""
    cut_hot_socket(stage)
    play(stage, 10, 1, **heat(3))
    orders = sent(stage, Channel.COMMAND)
    assert [(o["action"], o["socket"]) for o in orders] == [
        *[("cut", 3)] * 3,
        ("cut_station", None),
    ]
    assert len({o["id"] for o in orders}) == 2
    assert orders[-1]["issued"] - CUT_MS == 10_000
    assert stage.rules() == [("R02", 3), ("R40", 3)]
    assert locked(stage) == list(range(1, 13))
    play(stage, 1, 1, **all_off(**heat(3)))
    stage.pass_s(20)
    await stage.backend.committer.flush()
    assert await rules_at_rest(stage) == [
        ("R02", "extreme", 3, True),
        ("R40", "main", 3, True),
    ]
    states = [(o.action, o.socket, o.state) for o in await commands(stage)]
    assert states == [
        (Action.CUT, 3, State.FAILED),
        (Action.CUT_STATION, None, State.PROVEN),
    ]
    assert subjects(await lockouts(stage)) == [(3, "R02", "latched"), (None, "R40", "latched")]


async def test_a_station_cut_that_fails_too_is_a_finding_on_the_station(stage: Stage) -> None:
    """Nothing more can be ordered then: R40 stands on the station, and no order goes on."""
    cut_hot_socket(stage)
    play(stage, 27, 1, **heat(3))
    await stage.backend.committer.flush()
    assert stage.orders() == [*[("cut", 3)] * 3, *[("cut_station", None)] * 3]
    assert stage.rules() == [("R02", 3), ("R40", None), ("R40", 3)]
    states = [(o.action, o.state, o.failure) for o in await commands(stage)]
    assert states == [
        (Action.CUT, State.FAILED, Failure.STILL_POWER),
        (Action.CUT_STATION, State.FAILED, Failure.STILL_POWER),
    ]


async def test_power_that_comes_back_on_a_locked_socket_is_cut_again(stage: Stage) -> None:
    """R27 after three seconds of power, and a cut under a new id."""
    cut_hot_socket(stage)
    play(stage, 2, 1, **off(3))
    play(stage, 3, 1, **heat(3))
    assert stage.rules() == [("R02", 3)]
    play(stage, 1, 1, **heat(3))
    assert stage.rules() == [("R02", 3), ("R27", 3)]
    orders = sent(stage, Channel.COMMAND)
    assert [(o["action"], o["socket"]) for o in orders] == [("cut", 3)] * 2
    assert len({o["id"] for o in orders}) == 2
    play(stage, 1, 1, **off(3))
    await stage.backend.committer.flush()
    assert [o.state for o in await commands(stage)] == [State.PROVEN, State.PROVEN]
    assert subjects(await lockouts(stage)) == [(3, "R02", "latched"), (3, "R27", "latched")]


async def test_power_that_comes_back_before_a_second_look_is_cut_too(stage: Stage) -> None:
    """One frame without power is the proof; power on the next ones has come back: R27."""
    cut_hot_socket(stage)
    play(stage, 1, 1, **off(3))
    play(stage, 5, 1, **heat(3))
    assert {("R02", 3), ("R27", 3)} <= set(stage.rules())
    assert len({body["id"] for body in sent(stage, Channel.COMMAND)}) >= 2
