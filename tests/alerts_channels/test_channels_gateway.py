"""The gateway: which way is tried when, what is kept of it, and that nothing stops the next."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.channels.circuit import Circuit, CircuitState
from alerts.channels.gateway import Gateway, Sent, Skipped, Tried
from alerts.channels.port import Accepted, Channel, Permanent, Retryable, Throttled, Unknown
from alerts.channels.settings import GatewaySettings
from alerts.incidents.model import Kind
from tests.alerts_channels.channels_kit import (
    CALL,
    FIRE,
    SIGNATURE,
    TROUBLE,
    Answer,
    Scripted,
    until,
)

SETTINGS = GatewaySettings(concurrency=2, fails=2, pause_s=30, retry_s=5, patience_s=60)


@dataclass
class Clock:
    """Moved by hand: monotonic seconds, and UTC ms beside them."""

    s: float = 1_000.0
    step_ms: int = 7

    def monotonic(self) -> float:
        """Seconds."""
        return self.s

    def utc_ms(self) -> int:
        """A little later each time it is read."""
        self.s += self.step_ms / 1_000
        return round(self.s * 1_000)


def gateway(*providers: Scripted, clock: Clock | None = None) -> Gateway:
    """Over ``providers``, in that order."""
    clock = clock or Clock()
    return Gateway(providers, clock_ms=clock.utc_ms, monotonic_s=clock.monotonic, settings=SETTINGS)


def names(sent: Sent) -> list[tuple[str, str]]:
    """Who was tried, and how it ended."""
    return [(tried.provider, tried.outcome) for tried in sent.tried]


async def test_the_first_way_takes_it() -> None:
    """The others are not asked; what the ledger needs is kept, times included."""
    first, second = Scripted("aliyun", answers=[Accepted("ref-1", 2)]), Scripted("tencent")
    sent = await gateway(first, second).send(FIRE)
    tried = Tried(
        "aliyun",
        SIGNATURE,
        "aliyun-fire-zh",
        1_000_007,
        1_000_014,
        "accepted",
        ref="ref-1",
        segments=2,
        receipts=True,
    )
    assert sent == Sent((tried,), tried, None)
    assert (first.got, second.got) == ([FIRE], [])


@pytest.mark.parametrize(
    ("error", "outcome", "segments", "retry_after_s"),
    [
        (Retryable("500", "later"), "retryable", 0, 5),
        (Unknown("timeout", "no answer"), "unknown", 1, 5),
        (Throttled("limit", "50 a day", 90), "throttled", 0, 90),
        (Permanent("illegal", "number"), "permanent", 0, None),
    ],
)
async def test_the_next_way_has_its_turn(
    error: Retryable, outcome: str, segments: int, retry_after_s: float | None
) -> None:
    """After any error; both attempts are kept, and the same id goes to both."""
    first, second = Scripted("aliyun", answers=[error]), Scripted("tencent")
    sent = await gateway(first, second).send(FIRE)
    failed = Tried(
        "aliyun",
        SIGNATURE,
        "aliyun-fire-zh",
        1_000_007,
        1_000_014,
        outcome,
        error.code,
        error.detail,
        segments=segments,
        retry_after_s=retry_after_s,
    )
    assert sent.tried[0] == failed
    assert sent.accepted == sent.tried[1]
    assert (sent.accepted.provider, sent.retry_after_s) == ("tencent", None)
    assert [m.id for m in (*first.got, *second.got)] == [FIRE.id, FIRE.id]


@pytest.mark.parametrize(
    ("first", "second", "retry_after_s"),
    [
        (Permanent("a"), Permanent("b"), None),
        (Permanent("a"), Retryable("b"), 5),
        (Throttled("a", "", 90), Permanent("b"), 90),
        (Throttled("a", "", 90), Throttled("b", "", 3), 3),
        (Unknown("a"), Unknown("b"), 5),
    ],
)
async def test_when_to_try_again(
    first: Answer, second: Answer, retry_after_s: float | None
) -> None:
    """As soon as any way may take it; never, when all refuse for good."""
    sent = await gateway(
        Scripted("aliyun", answers=[first]), Scripted("tencent", answers=[second])
    ).send(TROUBLE)
    assert (sent.accepted, sent.retry_after_s) == (None, retry_after_s)


async def test_only_ways_of_the_channel_count() -> None:
    """A call is no SMS; a channel without a way says never."""
    sms, voice = Scripted("aliyun"), Scripted("aliyun-voice", channel=Channel.VOICE)
    both = gateway(sms, voice)
    assert names(await both.send(CALL)) == [("aliyun-voice", "accepted")]
    assert await both.send(replace(FIRE, channel=Channel.EMAIL)) == Sent((), None, None)
    assert sms.got == []
    assert both.of(Channel.SMS) == (sms,)
    assert both.of(Channel.ROBOT) == ()


async def test_ways_to_avoid_come_last() -> None:
    """Not never: one that did not deliver is better than none."""
    first, second = Scripted("aliyun"), Scripted("tencent", answers=[Retryable("500")])
    sent = await gateway(first, second).send(FIRE, avoid=frozenset({"aliyun"}))
    assert names(sent) == [("tencent", "retryable"), ("aliyun", "accepted")]


async def test_a_used_up_limit_is_passed_over() -> None:
    """The way is not asked; when it alone is left, that is when to come back."""
    first, second = Scripted("aliyun"), Scripted("tencent", answers=[Permanent("no")])
    both = gateway(first, second)
    closed = {"aliyun": Throttled("quota-50-in-86400s", "", 120)}
    sent = await both.send(TROUBLE, closed=closed)
    assert names(sent) == [("tencent", "permanent")]
    assert sent.skipped == (Skipped("aliyun", "quota-50-in-86400s", 120),)
    assert sent.retry_after_s == 120
    assert first.got == []


async def test_fire_goes_through_a_used_up_limit_when_nobody_else_takes_it() -> None:
    """A limit may be counted wrong; the other way is still asked first."""
    for kind in (Kind.FIRE, Kind.CUT_FAILED):
        first, second = Scripted("aliyun"), Scripted("tencent", answers=[Retryable("500")])
        closed = {"aliyun": Throttled("quota-50-in-86400s", "", 120)}
        sent = await gateway(first, second).send(replace(FIRE, kind=kind), closed=closed)
        assert names(sent) == [("tencent", "retryable"), ("aliyun", "accepted")]
        assert sent.skipped == ()


async def test_a_way_that_fails_again_and_again_is_left_alone_for_a_while() -> None:
    """Two failures open it, 30 s later one message finds out, and success closes it."""
    clock = Clock(step_ms=0)
    first = Scripted("aliyun", answers=[Unknown("timeout"), Retryable("500")])
    both = gateway(first, Scripted("tencent"), clock=clock)
    key = (Channel.SMS, "aliyun")
    for _ in range(2):
        assert both.circuits()[key] is CircuitState.CLOSED
        await both.send(TROUBLE)
    assert both.circuits()[key] is CircuitState.OPEN
    sent = await both.send(TROUBLE)
    assert names(sent) == [("tencent", "accepted")]
    assert sent.skipped == (Skipped("aliyun", "circuit-open", 30),)
    clock.s += 29.9
    assert names(await both.send(TROUBLE)) == [("tencent", "accepted")]
    clock.s += 0.1
    assert both.circuits()[key] is CircuitState.HALF_OPEN
    assert names(await both.send(TROUBLE)) == [("aliyun", "accepted")]
    assert both.circuits()[key] is CircuitState.CLOSED


async def test_a_try_that_fails_after_the_pause_begins_a_new_one() -> None:
    """One failure is enough then."""
    clock = Clock(step_ms=0)
    first = Scripted("aliyun", answers=[Retryable("500")] * 3)
    both = gateway(first, Scripted("tencent"), clock=clock)
    for _ in range(2):
        await both.send(TROUBLE)
    clock.s += 30
    assert names(await both.send(TROUBLE)) == [("aliyun", "retryable"), ("tencent", "accepted")]
    assert names(await both.send(TROUBLE)) == [("tencent", "accepted")]
    assert len(first.got) == 3


async def test_refusals_are_answers() -> None:
    """Limits and wrong numbers do not make a provider ill; they end a row of failures."""
    answers: list[Answer] = [Retryable("500"), Throttled("limit"), Retryable("500")]
    answers += [Permanent("number"), Retryable("500")]
    first = Scripted("aliyun", answers=list(answers))
    both = gateway(first, Scripted("tencent"))
    for _ in answers:
        await both.send(TROUBLE)
    assert both.circuits()[Channel.SMS, "aliyun"] is CircuitState.CLOSED


async def test_fire_goes_through_an_open_circuit_when_nobody_else_takes_it() -> None:
    """And an answer closes it; what can wait does."""
    clock = Clock(step_ms=0)
    first = Scripted("aliyun", answers=[Retryable("500")] * 2)
    second = Scripted("tencent", answers=[Permanent("no")] * 9)
    both = gateway(first, second, clock=clock)
    for _ in range(2):
        await both.send(TROUBLE)
    waiting = await both.send(TROUBLE)
    assert (names(waiting), waiting.retry_after_s) == ([("tencent", "permanent")], 30)
    sent = await both.send(FIRE)
    assert names(sent) == [("tencent", "permanent"), ("aliyun", "accepted")]
    assert both.circuits()[Channel.SMS, "aliyun"] is CircuitState.CLOSED


async def test_one_message_finds_out_whether_a_provider_is_back() -> None:
    """The others go the other way meanwhile; cancelled, it leaves the question to the next."""
    clock = Clock(step_ms=0)
    first = Scripted("aliyun", answers=[Retryable("500")] * 2)
    both = gateway(first, Scripted("tencent"), clock=clock)
    for _ in range(2):
        await both.send(TROUBLE)
    clock.s += 30
    first.gate = asyncio.Event()
    probe = asyncio.create_task(both.send(TROUBLE))
    await until(lambda: bool(first.inside))
    assert (await both.send(TROUBLE)).skipped == (Skipped("aliyun", "circuit-open", 1),)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    first.gate.set()
    assert names(await both.send(TROUBLE)) == [("aliyun", "accepted")]


async def test_so_many_at_a_time() -> None:
    """Two here; the rest wait their turn, but fire does not wait behind them."""
    first = Scripted("aliyun", gate=asyncio.Event())
    one = gateway(first)
    tasks = [asyncio.create_task(one.send(TROUBLE)) for _ in range(5)]
    fire = asyncio.create_task(one.send(FIRE))
    await until(lambda: first.inside == 3)
    for _ in range(10):
        await asyncio.sleep(0)
    assert (first.inside, [m.kind for m in first.got].count(Kind.FIRE)) == (3, 1)
    assert first.gate is not None
    first.gate.set()
    await asyncio.gather(*tasks, fire)
    assert (first.most, len(first.got)) == (3, 6)


async def test_who_waits_too_long_goes_the_next_way() -> None:
    """A busy provider is no reason to be late; when there is no other, it is soon asked again."""
    busy = Scripted("aliyun", gate=asyncio.Event())
    clock = Clock()
    impatient = SETTINGS.model_copy(update={"patience_s": 0.01, "concurrency": 1})
    ways = [busy, Scripted("tencent"), Scripted("aliyun-voice", Channel.VOICE, gate=busy.gate)]
    both = Gateway(ways, clock_ms=clock.utc_ms, monotonic_s=clock.monotonic, settings=impatient)
    first = [asyncio.create_task(both.send(outgoing)) for outgoing in (FIRE, CALL)]
    await until(lambda: bool(ways[0].inside and ways[2].inside))
    sent = await both.send(FIRE)
    assert names(sent) == [("tencent", "accepted")]
    assert sent.skipped == (Skipped("aliyun", "busy", 0.01),)
    alone = await both.send(CALL)
    assert alone == Sent((), None, 0.01, (Skipped("aliyun-voice", "busy", 0.01),))
    assert busy.gate is not None
    busy.gate.set()
    assert all(end.accepted for end in await asyncio.gather(*first))


async def test_those_who_waited_do_not_run_into_an_open_circuit() -> None:
    """The circuit is asked when their turn has come."""
    first = Scripted("aliyun", answers=[Unknown("timeout")] * 9, gate=asyncio.Event())
    second = Scripted("tencent")
    both = gateway(first, second)
    tasks = [asyncio.create_task(both.send(TROUBLE)) for _ in range(6)]
    await until(lambda: first.inside == 2)
    assert first.gate is not None
    first.gate.set()
    assert all(sent.accepted for sent in await asyncio.gather(*tasks))
    assert (len(first.got), len(second.got)) == (2, 6)


async def test_cancelled_messages_leave_nothing_behind() -> None:
    """Every slot is free again, and the provider is not held to have failed."""
    first = Scripted("aliyun", gate=asyncio.Event())
    one = gateway(first)
    tasks = [asyncio.create_task(one.send(TROUBLE)) for _ in range(6)]
    await until(lambda: first.inside == 2)
    for task in tasks:
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(*tasks, return_exceptions=True)
    )
    assert first.inside == 0
    first.gate = None
    ended = await asyncio.gather(*(one.send(TROUBLE) for _ in range(4)))
    assert [names(sent) for sent in ended] == [[("aliyun", "accepted")]] * 4
    assert one.circuits()[Channel.SMS, "aliyun"] is CircuitState.CLOSED


async def test_a_way_that_breaks_does_not_stop_the_next() -> None:
    """A fault of ours in an adapter is kept in the ledger like a time-out."""
    first = Scripted("aliyun", answers=[ZeroDivisionError("secret")])
    sent = await gateway(first, Scripted("tencent")).send(FIRE)
    assert names(sent) == [("aliyun", "unknown"), ("tencent", "accepted")]
    assert (sent.tried[0].code, sent.tried[0].detail) == ("broken", "ZeroDivisionError")


class Stubborn(Scripted):
    """Does not want to close."""

    async def close(self) -> None:
        """Raise."""
        msg = "no"
        raise RuntimeError(msg)


async def test_closing_closes_all() -> None:
    """Even behind one that does not want to."""
    last = Scripted("tencent")
    await gateway(Stubborn("aliyun"), last).close()
    assert last.closed


ANSWERS = st.sampled_from(
    [
        Accepted("ref"),
        Retryable("r"),
        Unknown("u"),
        Throttled("t", "", 60.0),
        Permanent("p"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    answers=st.lists(st.lists(ANSWERS, max_size=8), min_size=1, max_size=3),
    messages=st.lists(
        st.tuples(
            st.sampled_from([Kind.FIRE, Kind.CUT_FAILED, Kind.TROUBLE]),
            st.sets(st.integers(0, 2)),
            st.sets(st.integers(0, 2)),
            st.sampled_from([0.0, 1.0, 29.0, 31.0]),
        ),
        max_size=10,
    ),
)
def test_whatever_happens(
    answers: list[list[Answer]],
    messages: list[tuple[Kind, set[int], set[int], float]],
) -> None:
    """Each way is tried at most once a message, and it ends with the first that accepts.

    Fire is refused only after every way was tried; what can wait is refused only after every
    way was tried or passed over; "never" is said only when every way said it.
    """

    async def story() -> None:
        clock = Clock(step_ms=0)
        ways = [Scripted(f"w{n}", answers=list(said)) for n, said in enumerate(answers)]
        all_ways = {way.name for way in ways}
        under = gateway(*ways, clock=clock)
        for kind, shut, avoid, pause_s in messages:
            clock.s += pause_s
            closed = {f"w{n}": Throttled("quota", "", 9) for n in shut}
            avoided = frozenset(f"w{n}" for n in avoid)
            sent = await under.send(replace(FIRE, kind=kind), closed=closed, avoid=avoided)
            tried = [t.provider for t in sent.tried]
            skipped = {s.provider for s in sent.skipped}
            assert len(set(tried)) == len(tried)
            assert [t for t in sent.tried if t.outcome == "accepted"] == [
                t for t in (sent.accepted,) if t is not None
            ]
            if sent.accepted is not None:
                assert sent.tried[-1] == sent.accepted
                continue
            assert set(tried) | skipped == all_ways
            assert not set(tried) & skipped
            if kind is not Kind.TROUBLE:
                assert set(tried) == all_ways
            never = all(t.outcome == "permanent" for t in sent.tried) and not skipped
            assert (sent.retry_after_s is None) is never

    asyncio.run(story())


def test_a_clock_set_back_keeps_nobody_away() -> None:
    """The pause is counted in seconds that nobody sets."""
    clock = Clock(step_ms=0)
    circuit = Circuit(1, 30, clock.monotonic)
    circuit.note(Retryable("500"))
    assert (circuit.state, circuit.wait_s) == (CircuitState.OPEN, 30)
    clock.s += 31
    assert (circuit.state, circuit.wait_s) == (CircuitState.HALF_OPEN, 0)
    circuit.note(None)
    assert circuit.state is CircuitState.CLOSED
