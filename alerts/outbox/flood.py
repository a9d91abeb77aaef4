"""The storm guard: how many messages one person gets, and what is said together. Pure.

After the first few, what waits for a person is bundled into one message; every incident it
stands for keeps its own deadlines and is escalated by itself. Never more than ``MOST`` in a
window, and some of them are kept for fire.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alerts.channels.port import Channel
from alerts.outbox.store import Message

WINDOW_MS: Final = 600_000
MOST: Final = 10
"""Text messages to one person in a window, whatever happens."""
KEPT_FOR_FIRE: Final = 4
SINGLE: Final = 4
"""Text messages that come one by one before bundling begins."""
BETWEEN_MS: Final = 100_000
"""From one bundle to the next."""
CALL_BETWEEN_MS: Final = 60_000
CALLS_PER_HOUR: Final = 5
HOUR_MS: Final = 3_600_000
URGENT: Final = 0
"""The priority that may use what is kept for fire."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Something that has left for this person by this way."""

    at_ms: int
    priority: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with the messages that wait: send singly, say together, look again later."""

    single: tuple[Message, ...] = ()
    bundle: tuple[Message, ...] = ()
    later: tuple[Message, ...] = ()
    again_ms: int = 0


def plan(channel: Channel, recent: Sequence[Sent], waiting: Sequence[Message], now_ms: int) -> Plan:
    """Decide for one person and way; ``waiting`` in the order in which it should go.

    ``recent``: what left within the last hour, oldest first.
    """
    if channel is Channel.VOICE:
        return _calls(recent, waiting, now_ms)
    if channel is not Channel.SMS:
        return Plan(single=tuple(waiting))
    lately = [s for s in recent if s.at_ms > now_ms - WINDOW_MS]
    urgent = [m for m in waiting if m.priority == URGENT]
    others = [m for m in waiting if m.priority != URGENT]
    room = MOST - len(lately)
    fires = _texts(lately, urgent, now_ms, room=room, used=_urgent(lately))
    room -= len(fires.single) + (1 if fires.bundle else 0)
    plain = len(lately) - _urgent(lately)
    rest = _texts(lately, others, now_ms, room=room - KEPT_FOR_FIRE, used=plain)
    again = min((p.again_ms for p in (fires, rest) if p.later), default=0)
    return Plan(
        fires.single + rest.single,
        fires.bundle or rest.bundle,
        fires.later + rest.later + (rest.bundle if fires.bundle else ()),
        again or (now_ms + BETWEEN_MS if fires.bundle and rest.bundle else 0),
    )


def _texts(
    lately: Sequence[Sent], waiting: Sequence[Message], now_ms: int, *, room: int, used: int
) -> Plan:
    if not waiting:
        return Plan()
    singles = max(0, min(SINGLE - used, room))
    if len(waiting) <= singles:
        return Plan(single=tuple(waiting))
    if singles > 1:
        return Plan(single=tuple(waiting[: singles - 1]), bundle=tuple(waiting[singles - 1 :]))
    last_ms = lately[-1].at_ms if lately else 0
    free_ms = max(last_ms + BETWEEN_MS, 0 if room > 0 else lately[0].at_ms + WINDOW_MS + 1)
    if free_ms > now_ms:
        return Plan(later=tuple(waiting), again_ms=free_ms)
    if len(waiting) == 1:
        return Plan(single=tuple(waiting))
    return Plan(bundle=tuple(waiting))


def _calls(recent: Sequence[Sent], waiting: Sequence[Message], now_ms: int) -> Plan:
    if not waiting:
        return Plan()
    hour = [s for s in recent if s.at_ms > now_ms - HOUR_MS]
    free_ms = hour[-1].at_ms + CALL_BETWEEN_MS if hour else 0
    if len(hour) >= CALLS_PER_HOUR:
        free_ms = max(free_ms, hour[-CALLS_PER_HOUR].at_ms + HOUR_MS + 1)
    if free_ms > now_ms:
        return Plan(later=tuple(waiting), again_ms=free_ms)
    if len(waiting) == 1:
        return Plan(single=tuple(waiting))
    return Plan(bundle=tuple(waiting))


def _urgent(sent: Sequence[Sent]) -> int:
    return sum(1 for s in sent if s.priority == URGENT)
