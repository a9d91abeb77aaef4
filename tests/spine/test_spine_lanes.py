"""The edge of the loop: a message that breaks a stage, and what is processed when."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from api.clock import VirtualClock
from api.lanes import BROKEN, Lane
from api.loopback import Loopback, Published
from api.running import SAFETY, TELEMETRY
from devices.command_model import CommandRecord, Send
from iot.admission import Admitted
from iot.frames import FrameBatch
from iot.mqtt import Delivery
from iot.topics import Channel, topic
from rules.decisions import Decision
from rules.model import Transition
from rules.runner import Runner
from tests.spine.conftest import START_MS, STATION, Stage
from tests.spine.scenes import (
    NotingLoopback,
    connect,
    cut_hot_socket,
    findings,
    heat,
    lockouts,
    off,
    opened,
    play,
    rules_at_rest,
    stored,
    subjects,
)

BAD = "cmrj-02"
OTHER = "cmrj-03"


class BreaksBefore(Runner):
    """Cannot take anything of one station."""

    def turn(self, admitted: Admitted, now_ms: int, decision: Decision | None = None) -> Decision:
        """As its base, unless that station is in it."""
        stations = {alarm.station for alarm in admitted.alarms}
        if admitted.frames is not None:
            stations |= set(admitted.frames.station.tolist())
        if BAD in stations:
            msg = f"{BAD} breaks it"
            raise RuntimeError(msg)
        return super().turn(admitted, now_ms, decision)


class BreaksAfter(Runner):
    """Breaks in the last stage, when frames have been judged and cuts have left."""

    def _measure(self, decision: Decision, frames: FrameBatch, now_ms: int) -> None:
        if BAD in frames.station:
            msg = f"{BAD} breaks it"
            raise RuntimeError(msg)
        super()._measure(decision, frames, now_ms)


class Silent:
    """An observer that nobody listens to."""

    def transition(self, transition: Transition) -> None:
        """Nothing."""

    def command(self, record: CommandRecord) -> None:
        """Nothing."""

    def cut(self, send: Send, reaction_s: float | None) -> None:
        """Nothing."""

    def lockouts(self, station: str) -> None:
        """Nothing."""

    def station(self, station: str) -> None:
        """Nothing."""


def with_runner(stage: Stage, kind: type[Runner]) -> None:
    """Let both lanes of the stage use a runner of this kind, over the same engine and books."""
    backend, old = stage.backend, stage.backend.runner
    runner = kind(engine=old.engine, actuation=old.actuation, twins=old.twins, observer=Silent())
    backend.runner = runner
    for name in (SAFETY, TELEMETRY):
        backend.lanes[name] = Lane(
            stage.loops[name],
            admission=backend.admission,
            runner=runner,
            committer=backend.committer,
            outlet=backend.outlet,
            metrics=backend.metrics,
            health=backend.health,
            clock=stage.clock,
        )


def together(stage: Stage, *bodies: tuple[str, Channel, dict[str, Any]]) -> list[Delivery]:
    """Let messages of one lane arrive as one batch; their deliveries."""
    lane = TELEMETRY if bodies[0][1] is Channel.TELEMETRY else SAFETY
    deliveries = [
        stage.loops[lane].delivery(topic(station, channel), orjson.dumps(body))
        for station, channel, body in bodies
    ]
    stage.backend.lanes[lane].turn(deliveries)
    stage._collect()
    return deliveries


async def quarantined(stage: Stage) -> list[tuple[str, str, bytes]]:
    """Reason, topic and bytes of what is in quarantine, oldest first, after a commit."""
    await stage.backend.committer.flush()
    kept = stage.backend.quarantine.recent()
    return [(r.reason, r.topic, r.payload) for r in reversed(kept)]


async def test_a_frame_that_breaks_a_stage_is_quarantined_and_its_neighbours_are_not(
    stage: Stage,
) -> None:
    """Its raw bytes are kept under one reason; frames before and after it cut and are stored."""
    with_runner(stage, BreaksBefore)
    broken = []
    for _ in range(2):
        stage.clock.now_ms += 1_000
        deliveries = together(
            stage,
            (STATION, Channel.TELEMETRY, stage.frame(STATION, **heat(3))),
            (BAD, Channel.TELEMETRY, stage.frame(BAD)),
            (OTHER, Channel.TELEMETRY, stage.frame(OTHER, **heat(4))),
        )
        broken.append(deliveries[1].payload)
    assert stage.orders() == [("cut", 3), ("cut", 4)]
    assert await quarantined(stage) == [
        (BROKEN, topic(BAD, Channel.TELEMETRY), payload) for payload in broken
    ]
    assert await stored(stage) == 4
    counted = stage.backend.metrics.render(stage.backend.health.verdict(0)).decode()
    assert f'chargeward_frames_refused_total{{lane="telemetry",reason="{BROKEN}"}} 2.0' in counted


async def test_an_alarm_that_breaks_a_stage_gets_no_receipt_and_its_neighbour_does(
    stage: Stage,
) -> None:
    """What was not handled is not confirmed, so the station tells it again."""
    with_runner(stage, BreaksBefore)
    deliveries = together(
        stage,
        (BAD, Channel.ALARM, stage.alarm(BAD, id="bad")),
        (STATION, Channel.ALARM, stage.alarm(STATION, id="good")),
    )
    assert await quarantined(stage) == [(BROKEN, topic(BAD, Channel.ALARM), deliveries[0].payload)]
    assert stage.receipts() == ["good"]
    assert stage.orders() == [("cut_station", None)]
    assert stage.rules() == [("R07", None)]


async def test_what_a_broken_turn_had_done_is_recorded(stage: Stage) -> None:
    """A stage that breaks after the cut has left takes neither finding nor lock with it."""
    with_runner(stage, BreaksAfter)
    play(stage, 1, 1, **heat(3))
    stage.clock.now_ms += 1_000
    _, broken = together(
        stage,
        (STATION, Channel.TELEMETRY, stage.frame(STATION, **heat(3))),
        (BAD, Channel.TELEMETRY, stage.frame(BAD)),
    )
    assert stage.orders() == [("cut", 3)]
    assert await quarantined(stage) == [(BROKEN, topic(BAD, Channel.TELEMETRY), broken.payload)]
    assert await rules_at_rest(stage) == [("R02", "extreme", 3, True)]
    assert subjects(await lockouts(stage)) == [(3, "R02", "latched")]
    assert await stored(stage) == 2


async def test_the_frame_that_breaks_the_last_stage_loses_no_finding_of_its_own(
    stage: Stage,
) -> None:
    """It is in quarantine and its socket is cut: then the record must say why."""
    stage.clock.now_ms += 1_000
    stage.telemetry(BAD, **heat(5))
    with_runner(stage, BreaksAfter)
    stage.clock.now_ms += 1_000
    together(stage, (BAD, Channel.TELEMETRY, stage.frame(BAD, **heat(5))))
    assert stage.orders() == [("cut", 5)]
    assert len(await quarantined(stage)) == 1
    recorded = [(f.finding.key.station, f.finding.key.rule) for f in await findings(stage)]
    assert recorded == [(BAD, "R02")]
    assert [(lock.station, lock.socket, lock.rule) for lock in await lockouts(stage)] == [
        (BAD, 5, "R02")
    ]


async def test_a_lane_has_processed_a_message_when_it_is_committed(stage: Stage) -> None:
    """Health looks at what went all the way: not at what arrived, nor at what was decided."""
    health = stage.backend.health
    before = dict(health._last)
    stage.telemetry()
    stage.send(stage.alarm(), Channel.ALARM)
    await stage.backend.committer.write_journal()
    assert health._last[SAFETY] == before[SAFETY]
    assert health._last[TELEMETRY] > before[TELEMETRY]
    await stage.backend.committer.write_records()
    assert health._last[SAFETY] > before[SAFETY]


async def test_refused_messages_are_processed_too(stage: Stage) -> None:
    """A lane that brings rubbish is not silent."""
    before = stage.backend.health._last[TELEMETRY]
    stage.raw(topic(STATION, Channel.TELEMETRY), b"rubbish")
    await stage.backend.committer.flush()
    assert stage.backend.health._last[TELEMETRY] > before


async def test_an_alarm_told_again_gets_its_receipt_again(stage: Stage) -> None:
    """The receipt was lost: the alarm is no news, stored once, and confirmed each time."""
    body = stage.alarm(id="smoke-1")
    for _ in range(3):
        stage.pass_s(2)
        stage.send(body, Channel.ALARM)
        await stage.backend.committer.flush()
    assert stage.receipts() == ["smoke-1"] * 3
    # Sent, re-sent when due, and not ordered anew by the repeated alarm.
    assert {order["id"] for _, c, order in stage.published if c is Channel.COMMAND} == {
        order["id"] for _, c, order in stage.published[:1]
    }
    assert await rules_at_rest(stage) == [("R07", "main", None, True)]


async def test_the_order_in_a_batch_does_not_matter_to_an_alarm(stage: Stage) -> None:
    """Beginning and end in one batch: found, cut, and both confirmed."""
    begun = stage.alarm(id="smoke-1")
    ended = stage.alarm(id="smoke-1", active=False)
    together(stage, (STATION, Channel.ALARM, begun), (STATION, Channel.ALARM, ended))
    await stage.backend.committer.flush()
    assert stage.orders() == [("cut_station", None)]
    assert stage.receipts() == ["smoke-1"] * 2
    assert stage.rules() == [("R07", None)]


async def test_many_frames_in_one_batch_are_judged_in_their_order(stage: Stage) -> None:
    """A backlog of hot frames and the proof after them, in one turn: cut, and not yet proven."""
    frames = []
    for channels in (heat(3), heat(3), off(3)):
        stage.clock.now_ms += 1_000
        frames.append((STATION, Channel.TELEMETRY, stage.frame(**channels)))
    together(stage, *frames)
    assert stage.orders() == [("cut", 3)]
    # All three were received before the order left.
    assert stage.backend.runner.actuation.commands.live_cut(STATION, 3) is not None
    play(stage, 1, 1, **off(3))
    assert stage.backend.runner.actuation.commands.live() == []


async def test_messages_are_acknowledged_once_they_are_safe(tmp_path: Path) -> None:
    """Frames after the journal, what people act on after SQL, refused ones after the quarantine."""
    async with opened(tmp_path / "data", START_MS) as stage:
        connect(stage)
        await stage.backend.committer.flush()
        acknowledged = [_noted(stage.loops[lane]) for lane in (TELEMETRY, SAFETY)]
        stage.telemetry()
        stage.raw(topic(STATION, Channel.TELEMETRY), b"rubbish")
        stage.send(stage.alarm(), Channel.ALARM)
        assert [len(a) for a in acknowledged] == [0, 0]
        await stage.backend.committer.write_journal()
        assert [len(a) for a in acknowledged] == [2, 0]
        cut_hot_socket(stage)
        await stage.backend.committer.write_journal()
        assert [len(a) for a in acknowledged] == [3, 0]
        await stage.backend.committer.write_records()
        assert [len(a) for a in acknowledged] == [4, 1]


def _noted(loop: Loopback) -> Sequence[Delivery]:
    assert isinstance(loop, NotingLoopback)
    return loop.acknowledged


def test_a_loopback_keeps_what_it_is_given_until_taken() -> None:
    """Each message is handed out once, as it was published."""
    loop = Loopback(SAFETY, VirtualClock(START_MS))
    assert loop.publish("a", b"1", retain=True)
    assert loop.take() == [Published("a", b"1", retain=True)]
    assert loop.take() == []
