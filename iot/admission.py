"""Admission: what arrived is decoded, refused or judged, and becomes one columnar batch.

Identity comes from the topic alone. Nothing in here raises for anything a peer can send: what
is bad is refused with a reason, kept for the quarantine, and the next message is looked at.
An alarm is never refused for its clock, its order or its socket number: a fire that was told
about is not missed over a formality (docs/decisions).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from iot.codec import Refusal, decode
from iot.contract import EARLIEST_TS_MS, LATEST_TS_MS, Alarm, Reply, Status, Telemetry
from iot.frames import FrameBatch
from iot.mqtt import Delivery
from iot.quarantine import Refused
from iot.sequence import Sequences, Verdict
from iot.topics import parse

T = TypeVar("T")

BAD_TOPIC: Final = "bad_topic"
UNKNOWN_STATION: Final = "unknown_station"
TOO_OLD: Final = "too_old"
MORE_SOCKETS: Final = "more_sockets_than_registered"
ALARM_CLOCK: Final = "alarm_with_bad_clock"
ALARM_SOCKET: Final = "alarm_of_unregistered_socket"
ALARM_RETAINED: Final = "alarm_retained"

PLAUSIBLE_SKEW_MS: Final = 7 * 24 * 3600 * 1000
"""An alarm older than a week, or from the future, is taken to have a wrong clock."""


@dataclass(frozen=True, slots=True)
class FromStation(Generic[T]):
    """A decoded message, the station whose topic it came on, and how it came."""

    station: str
    body: T
    delivery: Delivery


@dataclass(slots=True)
class Admitted:
    """What one batch of deliveries amounts to."""

    frames: FrameBatch | None = None
    came: list[Delivery] = field(default_factory=list)  # one per frame
    alarms: list[FromStation[Alarm]] = field(default_factory=list)
    statuses: list[FromStation[Status]] = field(default_factory=list)
    replies: list[FromStation[Reply]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    refused_in_row: dict[str, tuple[int, str]] = field(default_factory=dict)
    duplicates: int = 0
    late: int = 0
    probes: int = 0


@dataclass(slots=True)
class _Frames:
    """Columns of the batch while it grows."""

    stations: list[str] = field(default_factory=list)
    bodies: list[Telemetry] = field(default_factory=list)
    received_ms: list[int] = field(default_factory=list)
    event_ms: list[int] = field(default_factory=list)
    live: list[bool] = field(default_factory=list)


class Admission:
    """Judges deliveries; owns the sequence memory of all stations."""

    def __init__(self, sockets_of: Callable[[str], int | None]) -> None:
        """``sockets_of`` gives a registered station's number of sockets, else None."""
        self._sockets_of = sockets_of
        self._in_row: dict[str, int] = {}
        self.sequences = Sequences()

    def admit(self, deliveries: Sequence[Delivery], probe_topic: str | None = None) -> Admitted:
        """Decode and judge ``deliveries`` in order; raises nothing for what they contain."""
        out = Admitted()
        frames = _Frames()
        for delivery in deliveries:
            if delivery.topic == probe_topic and probe_topic is not None:
                out.probes += 1
                continue
            address = parse(delivery.topic) if delivery.topic is not None else None
            if address is None:
                self._refuse(out, delivery, BAD_TOPIC, "not a topic of the contract")
                continue
            station, channel = address
            sockets = self._sockets_of(station)
            if sockets is None:
                self._refuse(out, delivery, UNKNOWN_STATION, f"{station} is not registered")
                continue
            try:
                body = decode(channel, delivery.payload)
            except Refusal as refusal:
                self._refuse(out, delivery, refusal.reason, refusal.detail, station)
                continue
            if isinstance(body, Telemetry):
                self._frame(out, frames, station, body, delivery, sockets)
            elif isinstance(body, Alarm):
                self._alarm(out, station, body, delivery, sockets)
            elif isinstance(body, Status):
                out.statuses.append(FromStation(station, body, delivery))
            else:
                out.replies.append(FromStation(station, body, delivery))
        if frames.bodies:
            out.frames = FrameBatch.build(
                frames.stations,
                frames.bodies,
                received_ms=frames.received_ms,
                event_ms=frames.event_ms,
                live=frames.live,
            )
        return out

    def remember(self, frames: FrameBatch) -> None:
        """Note frames accepted before a restart, so that their re-delivery is a duplicate."""
        rows = zip(
            frames.station.tolist(),
            frames.boot.tolist(),
            frames.seq.tolist(),
            frames.ts_ms.tolist(),
            frames.received_ms.tolist(),
            strict=True,
        )
        for station, boot, seq, ts_ms, received_ms in rows:
            memory = self.sequences.of(station)
            memory.note_telemetry(f"{boot:08x}", seq)
            memory.clock.event_ms(ts_ms, received_ms)

    def _frame(  # noqa: PLR0913, PLR0917 - the row and where it goes
        self,
        out: Admitted,
        frames: _Frames,
        station: str,
        body: Telemetry,
        delivery: Delivery,
        sockets: int,
    ) -> None:
        if len(body.relay) > sockets:
            detail = f"{len(body.relay)} sockets, {sockets} registered"
            self._refuse(out, delivery, MORE_SOCKETS, detail, station)
            return
        memory = self.sequences.of(station)
        verdict = memory.note_telemetry(body.boot, body.seq)
        if verdict is Verdict.DUPLICATE:
            out.duplicates += 1
            return
        if verdict is Verdict.TOO_OLD:
            self._refuse(out, delivery, TOO_OLD, f"seq {body.seq} of boot {body.boot}", station)
            return
        if self._in_row.pop(station, 0):
            out.refused_in_row[station] = (0, "")
        live = verdict is Verdict.LIVE
        out.late += not live
        frames.stations.append(station)
        frames.bodies.append(body)
        frames.received_ms.append(delivery.received_ms)
        frames.event_ms.append(memory.clock.event_ms(body.ts, delivery.received_ms))
        frames.live.append(live)
        out.came.append(delivery)

    def _alarm(
        self, out: Admitted, station: str, body: Alarm, delivery: Delivery, sockets: int
    ) -> None:
        # The receipt depends on the alarm's id, not on (boot, seq): a re-sent alarm whose
        # receipt was lost must get it again.
        self.sequences.of(station).note(body.boot, body.seq)
        if delivery.retained:
            self._keep_copy(out, delivery, ALARM_RETAINED, "an alarm must not be retained")
        if not EARLIEST_TS_MS <= body.ts < LATEST_TS_MS:
            self._keep_copy(out, delivery, ALARM_CLOCK, f"ts {body.ts}; time of receipt used")
        if body.socket is not None and body.socket > sockets:
            detail = f"socket {body.socket}, {sockets} registered; taken as the station's"
            self._keep_copy(out, delivery, ALARM_SOCKET, detail)
            body = body.model_copy(update={"socket": None})
        out.alarms.append(FromStation(station, body, delivery))

    def _refuse(
        self,
        out: Admitted,
        delivery: Delivery,
        reason: str,
        detail: str,
        station: str | None = None,
    ) -> None:
        self._keep_copy(out, delivery, reason, detail)
        if station is not None:
            count = self._in_row.get(station, 0) + 1
            self._in_row[station] = count
            out.refused_in_row[station] = (count, str(reason))

    @staticmethod
    def _keep_copy(out: Admitted, delivery: Delivery, reason: str, detail: str) -> None:
        out.refused.append(
            Refused(
                received_ms=delivery.received_ms,
                topic=delivery.topic if delivery.topic is not None else "",
                reason=str(reason),
                detail=detail,
                payload=delivery.payload,
                retained=delivery.retained,
            )
        )


def alarm_event_ms(alarm: Alarm, received_ms: int) -> int:
    """When the alarm happened: by the station's clock if it can be right, else its receipt."""
    lag = received_ms - alarm.ts
    return alarm.ts if 0 <= lag <= PLAUSIBLE_SKEW_MS else received_ms
