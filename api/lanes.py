"""A lane: what one MQTT session brings, taken in batches through judge, decide and commit.

This loop is the edge at which nothing may end the watch: a message that breaks a stage is put
into quarantine with its raw bytes, counted, and the next one is looked at.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np
import structlog

from api.health import Health
from api.metrics import Metrics
from iot.admission import Admission, Admitted
from iot.committer import Committer, Work
from iot.mqtt import Delivery
from iot.outlet import Outlet
from iot.quarantine import Refused
from iot.segments import EntryKind
from rules.decisions import Decision, Record
from rules.runner import Runner

log = structlog.get_logger(__name__)

BATCH_LIMIT: Final = 1_000
"""Messages per turn: a turn must be short enough that the other lane's alarm does not wait."""
BROKEN: Final = "processing_failed"


class Source(Protocol):
    """Where a lane's messages come from (``iot.mqtt.Session``, or a loop-back)."""

    lane: str
    probe_topic: str

    async def batch(self, limit: int) -> list[Delivery]:
        """At least one delivery, in order."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """They are safe."""


class Clock(Protocol):
    """The two clocks of the process, injected."""

    def utc_ms(self) -> int:
        """UTC milliseconds."""

    def monotonic_s(self) -> float:
        """Seconds that never jump."""


class Lane:
    """One session's way through the stages; ``turn`` is synchronous and publishes cuts itself."""

    def __init__(  # noqa: PLR0913 - the composition root names each stage
        self,
        source: Source,
        *,
        admission: Admission,
        runner: Runner,
        committer: Committer[Record],
        outlet: Outlet,
        metrics: Metrics,
        health: Health,
        clock: Clock,
    ) -> None:
        """All stages are shared with the other lane but for ``source``."""
        self.name = source.lane
        self._source = source
        self._admission = admission
        self._runner = runner
        self._committer = committer
        self._outlet = outlet
        self._metrics = metrics
        self._health = health
        self._clock = clock

    async def run(self) -> None:
        """Take batches until cancelled."""
        while True:
            self.turn(await self._source.batch(BATCH_LIMIT))
            await asyncio.sleep(0)  # a full inbox must not keep the other lane from its turn

    def turn(self, deliveries: Sequence[Delivery]) -> None:
        """Judge, decide and hand to the committer; raises nothing for what messages contain."""
        started_s = self._clock.monotonic_s()
        now_ms = self._clock.utc_ms()
        admitted = self._admission.admit(deliveries, self._source.probe_topic)
        decisions = [Decision(Record(now_ms))]
        try:
            self._runner.turn(admitted, now_ms, decisions[0])
        except Exception:  # the edge of the ingest loop: counted, quarantined, visible
            log.exception("a batch broke a stage; its messages are taken one by one")
            decisions = [_done(decisions[0]), *self._singly(admitted, now_ms)]
        self._count(admitted, self._clock.monotonic_s() - started_s, len(deliveries))
        self._submit(decisions, admitted.refused, deliveries)

    def submit(self, decision: Decision, after: Callable[[], None] | None = None) -> None:
        """Commit a decision that no message caused: a tick's or a person's."""
        self._committer.submit(
            Work(entries=decision.entries, record=decision.record or None, after=after)
        )

    def _submit(
        self,
        decisions: Sequence[Decision],
        refused: list[Refused],
        deliveries: Sequence[Delivery],
    ) -> None:
        record = _joined([d.record for d in decisions])
        receipts = [receipt for d in decisions for receipt in d.receipts]

        def after() -> None:
            for station, alarm_id in receipts:
                self._outlet.receipt(station, alarm_id)
            self._health.processed(self.name, round(self._clock.monotonic_s() * 1000))

        self._committer.submit(
            Work(
                entries=[entry for d in decisions for entry in d.entries],
                record=record,
                refused=refused,
                deliveries=list(deliveries),
                acknowledge=self._source.acknowledge,
                after=after,
            )
        )

    def _singly(self, admitted: Admitted, now_ms: int) -> Iterable[Decision]:
        """Each message alone; what still breaks is quarantined."""
        for alone in _parts(admitted):
            decision = Decision(Record(now_ms))
            try:
                yield self._runner.turn(alone, now_ms, decision)
            except Exception as error:  # the same edge, one message wide
                log.exception("a message broke a stage and is in quarantine")
                admitted.refused.append(_broken(alone, error, now_ms))
                yield _done(decision)

    def _count(self, admitted: Admitted, seconds: float, messages: int) -> None:
        metrics, lane = self._metrics, self.name
        frames = 0 if admitted.frames is None else len(admitted.frames)
        facts = len(admitted.alarms) + len(admitted.statuses) + len(admitted.replies)
        metrics.batch(lane, messages)
        metrics.turn(seconds)
        metrics.accepted(lane, frames + facts)
        if admitted.duplicates:
            metrics.duplicates(lane, admitted.duplicates)
        if admitted.late:
            metrics.late(admitted.late)
        for refused in admitted.refused:
            metrics.refused(lane, refused.reason)
            log.warning(
                "message refused",
                lane=lane,
                topic=refused.topic[:200],
                reason=refused.reason,
                detail=refused.detail[:200],
                size=len(refused.payload),
            )


def _parts(admitted: Admitted) -> Iterable[Admitted]:
    yield Admitted(refused_in_row=admitted.refused_in_row)
    for alarm in admitted.alarms:
        yield Admitted(alarms=[alarm])
    for status in admitted.statuses:
        yield Admitted(statuses=[status])
    for reply in admitted.replies:
        yield Admitted(replies=[reply])
    if admitted.frames is not None:
        for row in range(len(admitted.frames)):
            yield Admitted(
                frames=admitted.frames.take(np.array([row], dtype=np.intp)),
                came=[admitted.came[row]],
            )


def _done(broken: Decision) -> Decision:
    """What a broken turn had found stays found, and is recorded.

    What is owed to its messages is not: they are taken again, or go into quarantine.
    """
    facts = [entry for entry in broken.entries if entry.kind is EntryKind.FACTS]
    return Decision(replace(broken.record, alarms=[]), facts)


def _broken(alone: Admitted, error: Exception, now_ms: int) -> Refused:
    groups = (alone.alarms, alone.statuses, alone.replies)
    came = [*alone.came, *(message.delivery for group in groups for message in group)]
    if not came:  # the count of refused messages, which has no bytes of its own
        return Refused(now_ms, "", BROKEN, repr(error), b"", retained=False)
    delivery = came[0]
    return Refused(
        delivery.received_ms,
        delivery.topic or "",
        BROKEN,
        repr(error),
        delivery.payload,
        delivery.retained,
    )


def _joined(records: Sequence[Record]) -> Record | None:
    if not records:
        return None
    first = records[0]
    for record in records[1:]:
        first = replace(
            first,
            transitions=first.transitions + record.transitions,
            alarms=first.alarms + record.alarms,
            commands=first.commands + record.commands,
            lockouts=first.lockouts + record.lockouts,
            limits=first.limits + record.limits,
            statuses=first.statuses + record.statuses,
        )
    return first or None
