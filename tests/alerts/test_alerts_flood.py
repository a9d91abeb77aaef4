"""The storm guard: nobody gets more than can be read, and nothing is dropped."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.channels.port import Channel
from alerts.incidents.model import Kind
from alerts.outbox.flood import (
    BETWEEN_MS,
    CALL_BETWEEN_MS,
    CALLS_PER_HOUR,
    HOUR_MS,
    MOST,
    WINDOW_MS,
    Plan,
    Sent,
    plan,
)
from alerts.outbox.model import Facts
from alerts.outbox.store import PRIORITY, Message

T0 = 1_790_812_800_000
FACTS = Facts(Kind.FIRE, "F0001", T0, "Asia/Shanghai", "蔡马人家", "Caimarenjia")


def message(number: int, kind: Kind = Kind.FIRE, channel: Channel = Channel.SMS) -> Message:
    """One message that waits."""
    return Message(
        id=f"m{number:05d}",
        incident=number,
        round=1,
        slot="officer",
        kind=kind,
        channel=channel,
        person="li.wei",
        address="+8613800000001",
        lang="zh",
        priority=PRIORITY[kind],
        facts=replace(FACTS, number=f"F{number:04d}"),
        due_ms=T0,
        created_ms=T0,
    )


def ids(messages: tuple[Message, ...]) -> list[str]:
    """Ids, in order."""
    return [m.id for m in messages]


def test_one_fire_goes_alone_and_at_once() -> None:
    """The ordinary case: nothing is bundled or held."""
    assert plan(Channel.SMS, [], [message(1)], T0) == Plan(single=(message(1),))


def test_of_two_hundred_fires_three_go_alone_and_the_rest_together() -> None:
    """The officer reads the first three, then one message that names the others."""
    waiting = [message(n) for n in range(200)]
    decided = plan(Channel.SMS, [], waiting, T0)
    assert ids(decided.single) == ids(tuple(waiting[:3]))
    assert ids(decided.bundle) == ids(tuple(waiting[3:]))
    assert decided.later == ()


def test_after_the_first_few_a_bundle_comes_at_intervals() -> None:
    """What comes after the fourth waits until some time after the last one."""
    recent = [Sent(T0 - 1_000, 0) for _ in range(4)]
    waiting = [message(1), message(2)]
    held = plan(Channel.SMS, recent, waiting, T0)
    assert ids(held.later) == ids(tuple(waiting))
    assert held.again_ms == T0 - 1_000 + BETWEEN_MS
    assert ids(plan(Channel.SMS, recent, waiting, held.again_ms).bundle) == ids(tuple(waiting))


def test_troubles_leave_room_for_fire() -> None:
    """Somebody who got six texts about troubles still gets a fire at once, alone."""
    recent = [Sent(T0 - 300_000 + n * 1_000, PRIORITY[Kind.TROUBLE]) for n in range(6)]
    decided = plan(Channel.SMS, recent, [message(1), message(2, Kind.TROUBLE)], T0)
    assert ids(decided.single) == ["m00001"]
    assert ids(decided.later) == ["m00002"]


def test_calls_keep_the_providers_distance() -> None:
    """One call a minute; what waits meanwhile is said in one call."""
    waiting = [message(1, channel=Channel.VOICE), message(2, channel=Channel.VOICE)]
    assert ids(plan(Channel.VOICE, [], waiting, T0).bundle) == ids(tuple(waiting))
    held = plan(Channel.VOICE, [Sent(T0 - 20_000, 0)], waiting, T0)
    assert (ids(held.later), held.again_ms) == (ids(tuple(waiting)), T0 - 20_000 + CALL_BETWEEN_MS)


def test_mail_and_robots_are_not_held() -> None:
    """They are read as a list anyway."""
    waiting = [message(n, channel=Channel.EMAIL) for n in range(30)]
    assert plan(Channel.EMAIL, [], waiting, T0) == Plan(single=tuple(waiting))


KINDS = st.sampled_from([Kind.FIRE, Kind.CUT_FAILED, Kind.CUT, Kind.ESCALATION, Kind.TROUBLE])
ARRIVALS = st.lists(st.tuples(st.integers(0, 1_500), KINDS), max_size=120)


@settings(max_examples=300, deadline=None)
@given(arrivals=ARRIVALS, channel=st.sampled_from([Channel.SMS, Channel.VOICE]))
def test_whatever_comes_nothing_is_dropped_and_nobody_is_flooded(
    arrivals: list[tuple[int, Kind]], channel: Channel
) -> None:
    """Every message leaves, singly or in a bundle, whatever comes in half an hour.

    Never more than ten texts in ten minutes, never more than five calls in an hour.
    """
    coming = sorted((T0 + at_s * 1_000, n, kind) for n, (at_s, kind) in enumerate(arrivals))
    due: dict[str, tuple[int, Message]] = {}
    left: list[str] = []
    sent: list[Sent] = []
    for now_ms in range(T0, T0 + 4 * HOUR_MS, 5_000):
        while coming and coming[0][0] <= now_ms:
            _, n, kind = coming.pop(0)
            item = message(n, kind, channel)
            due[item.id] = (now_ms, item)
        waiting = sorted(
            (m for at_ms, m in due.values() if at_ms <= now_ms), key=lambda m: (m.priority, m.id)
        )
        decided = plan(channel, sent, waiting, now_ms)
        for item in (*decided.single, *decided.bundle):
            left.append(item.id)
            del due[item.id]
        for item in decided.later:
            assert decided.again_ms > now_ms
            due[item.id] = (decided.again_ms, item)
        sent += [Sent(now_ms, m.priority) for m in decided.single]
        if decided.bundle:
            sent.append(Sent(now_ms, min(m.priority for m in decided.bundle)))
        window, most = (WINDOW_MS, MOST) if channel is Channel.SMS else (HOUR_MS, CALLS_PER_HOUR)
        assert sum(1 for s in sent if s.at_ms > now_ms - window) <= most
        if not due and not coming:
            break
    assert sorted(left) == sorted(f"m{n:05d}" for n in range(len(arrivals)))
