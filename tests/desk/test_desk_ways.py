"""What providers do to a message, and what the desk does about it."""

import asyncio
from dataclasses import replace

import pytest

from alerts.channels.port import Accepted, Channel, Outgoing
from alerts.channels.settings import BudgetSettings
from alerts.incidents.model import Act
from alerts.outbox.model import Facts, MessageState, Text
from alerts.watch.marks import Mark, resume, save_mark
from devices.database import Database
from tests.desk.desk_scene import (
    OTHER,
    Scene,
    Way,
    door,
    hot,
    smoke,
    text_of,
)


async def states(scene: Scene, number: int = 1) -> list[tuple[str, str, str]]:
    """Slot, channel and state of an incident's messages."""
    found = await scene.messages(number)
    return sorted((m.slot, m.channel.value, m.state.value) for m in found)


async def outcomes(scene: Scene, slot: str = "officer") -> list[tuple[str, str, str, str | None]]:
    """Provider, outcome, code and receipt of each attempt of a message."""
    tried = await scene.attempts((await scene.message(slot)).id)
    return [(a.provider, a.outcome, a.code, a.receipt) for a in tried]


@pytest.mark.parametrize(
    ("mode", "outcome", "code"),
    [
        ("down", "retryable", "http-500"),
        ("throttled", "throttled", "limit"),
        ("permanent", "permanent", "bad-number"),
    ],
)
async def test_the_first_provider_fails(scene: Scene, mode: str, outcome: str, code: str) -> None:
    """In the same second the other takes it; the ledger has both."""
    scene.ways.first.mode = mode
    await scene.raised(smoke())
    assert scene.heard() == [(0.0, "zhao", "sms", "fire", "second")]
    assert await outcomes(scene) == [
        ("first", outcome, code, None),
        ("second", "accepted", "", None),
    ]


async def test_a_lost_answer_is_one_duplicate_with_the_same_id(scene: Scene) -> None:
    """Nobody knows whether it was taken: the other sends it too, with our id and the same text."""
    scene.ways.first.mode = "lost"
    await scene.raised(smoke())
    assert scene.heard() == [
        (0.0, "zhao", "sms", "fire", "first"),
        (0.0, "zhao", "sms", "fire", "second"),
    ]
    [one, two] = [out for _, _, out in scene.ways.taken()]
    assert one == two


@pytest.mark.parametrize("mode", ["down", "throttled", "permanent"])
async def test_no_sms_goes_through(scene: Scene, mode: str) -> None:
    """Then the phone rings at once, not after 30 s; who is told later is called by nobody else."""
    scene.ways.first.mode = scene.ways.second.mode = mode
    await scene.raised(smoke())
    await scene.at(1)
    assert scene.heard() == [(0.0, "zhao", "voice", "fire", "voice")]
    await scene.at(90)
    assert scene.heard() == []


async def test_providers_come_back(scene: Scene) -> None:
    """What nobody took is tried again within a minute, with the same text."""
    scene.ways.first.mode = scene.ways.second.mode = "throttled"
    await scene.raised(smoke())
    scene.heard()
    await scene.at(30)
    scene.ways.first.mode = "ok"
    await scene.at(61)
    assert (60.0, "zhao", "sms", "fire", "first") in scene.heard()


async def test_no_escalation_after_the_acknowledgement_even_when_it_waits(scene: Scene) -> None:
    """Escalations that no provider took are not tried again once somebody has acknowledged."""
    await scene.raised(smoke())
    await scene.receipt(await scene.message("officer"))
    await scene.at(119)
    scene.ways.first.mode = scene.ways.second.mode = "down"
    await scene.at(121)
    scene.heard()
    await scene.act(Act.ACKNOWLEDGE)
    scene.ways.first.mode = "ok"
    await scene.at(280)
    assert scene.heard() == []
    assert ("second", "sms", "withdrawn") in await states(scene)


async def test_accepted_and_never_delivered(scene: Scene) -> None:
    """No receipt, no answer: the other provider and a call at 30 s, within the 90 s promised."""
    await scene.raised(smoke())
    await scene.at(90)
    assert scene.heard() == [
        (0.0, "zhao", "sms", "fire", "first"),
        (30.0, "zhao", "sms", "fire", "second"),
        (30.0, "zhao", "voice", "fire", "voice"),
    ]
    assert await outcomes(scene) == [
        ("first", "accepted", "", None),
        ("second", "accepted", "", None),
    ]


async def test_a_receipt_that_says_undelivered(scene: Scene) -> None:
    """At 4 s the carrier gives up: the other provider and the call follow in that second."""
    await scene.raised(smoke())
    await scene.at(4)
    await scene.receipt(await scene.message("officer"), delivered=False)
    await scene.at(59)
    assert scene.heard() == [
        (0.0, "zhao", "sms", "fire", "first"),
        (4.0, "zhao", "sms", "fire", "second"),
        (4.0, "zhao", "voice", "fire", "voice"),
    ]
    assert await outcomes(scene) == [
        ("first", "accepted", "", "undelivered"),
        ("second", "accepted", "", None),
    ]
    await scene.receipt(await scene.message("officer"), delivered=False)
    assert ("officer", "sms", "undelivered") in await states(scene)


async def test_a_late_refusal_of_the_first_does_not_undo_the_second(scene: Scene) -> None:
    """The first provider's "undelivered" comes after the second took it: that one decides."""
    await scene.raised(smoke())
    await scene.at(31)
    message = await scene.message("officer")
    early = await scene.attempts(message.id)
    await scene.receipt_of(message, early[0].ref or "", delivered=False)
    assert ("officer", "sms", "accepted") in await states(scene)
    await scene.receipt_of(message, early[1].ref or "", delivered=True)
    assert ("officer", "sms", "delivered") in await states(scene)


async def test_a_receipt_counts_once(scene: Scene) -> None:
    """Twice the same word: one line, and the state stays."""
    await scene.raised(smoke())
    await scene.at(5)
    for _ in range(2):
        assert await scene.receipt(await scene.message("officer"))
    assert (await scene.kinds()).count("delivered") == 1
    assert (await scene.message("officer")).delivered_ms == scene.clock.now_ms


async def test_a_receipt_of_a_message_that_is_not_ours(scene: Scene) -> None:
    """It changes nothing, and is said to be unknown."""
    await scene.raised(smoke())
    message = await scene.message("officer")
    assert not await scene.receipt(replace(message, id="somebody"))


class Quick(Way):
    """Its receipt comes before its answer does."""

    def __init__(self, scene: Scene, *, delivered: bool) -> None:
        """As the first SMS provider of ``scene``."""
        super().__init__(scene.clock, "first")
        self._scene, self._delivered = scene, delivered

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Take it, call back, then answer."""
        taken = await super().send(outgoing)
        if self.asked == 1:
            await self._scene.receipt_of(
                outgoing, taken.ref or "", delivered=self._delivered, turn=False
            )
        return taken


async def test_a_receipt_before_the_mark(scene: Scene) -> None:
    """The message is delivered, has its provider, and nothing is sent again."""
    scene.ways.first = Quick(scene, delivered=True)
    scene.desk = scene.another()
    await scene.raised(smoke())
    await scene.at(59)
    assert scene.heard() == [(0.0, "zhao", "sms", "fire", "first")]
    got = await scene.message("officer")
    assert (got.state, got.provider) == (MessageState.DELIVERED, "first")
    assert await outcomes(scene) == [("first", "accepted", "", "delivered")]


async def test_an_undelivered_receipt_before_the_mark(scene: Scene) -> None:
    """The other provider gets it next, and the phone rings."""
    scene.ways.first = Quick(scene, delivered=False)
    scene.desk = scene.another()
    await scene.raised(smoke())
    await scene.at(29)
    assert scene.heard() == [
        (0.0, "zhao", "sms", "fire", "first"),
        (0.0, "zhao", "sms", "fire", "second"),
        (0.0, "zhao", "voice", "fire", "voice"),
    ]


class Slow(Way):
    """It answers when it is let."""

    def __init__(self, scene: Scene) -> None:
        """As the first SMS provider of ``scene``."""
        super().__init__(scene.clock, "first")
        self.let = asyncio.Event()

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Take it, in the end."""
        await self.let.wait()
        return await super().send(outgoing)


async def test_what_is_still_being_sent_is_not_sent_again(scene: Scene) -> None:
    """A provider that takes a minute, far beyond the lease, gets each message once."""
    slow = scene.ways.first = Slow(scene)
    scene.desk = scene.another()
    await scene.commit_raised(smoke())
    for _ in range(60):
        await scene.desk.dispatcher.turn(scene.clock.now_ms)
        scene.clock.now_ms += 1_000
    slow.let.set()
    await scene.desk.dispatcher.idle()
    assert [way.name for _, way, _ in scene.ways.taken()] == ["first"]


async def test_a_killed_senders_message_is_sent_again_by_another(scene: Scene) -> None:
    """The lease ends after 15 s; the same id, so that the provider can tell."""
    slow = scene.ways.first = Slow(scene)
    killed = scene.desk = scene.another()
    await scene.commit_raised(smoke())
    await killed.dispatcher.turn(scene.clock.now_ms)
    scene.ways.first = Way(scene.clock, "first")
    scene.desk = scene.another()
    await scene.at(29)
    assert scene.heard() == [(15.001, "zhao", "sms", "fire", "first")]
    slow.let.set()
    await killed.dispatcher.idle()
    assert [m.id for m in await scene.messages() if m.channel is Channel.SMS] == [
        scene.ways.taken()[0][2].id
    ]


async def test_a_killed_escalation_is_not_sent_again_once_answered(scene: Scene) -> None:
    """Its sender was killed, somebody acknowledged, and then its lease ended."""
    await scene.raised(smoke())
    await scene.receipt(await scene.message("officer"))
    await scene.at(119)
    scene.ways.first.mode = scene.ways.robot.mode = "stuck"
    scene.clock.now_ms += 1_000
    await scene.desk.turn(scene.clock.now_ms)
    await scene.killed()
    scene.ways.first.mode = scene.ways.robot.mode = "ok"
    scene.desk = scene.another()
    await scene.act(Act.ACKNOWLEDGE)
    scene.heard()
    await scene.at(299)
    assert scene.heard() == []
    assert {m.state for m in await scene.messages() if m.slot == "second"} == {
        MessageState.WITHDRAWN
    }


async def test_what_was_said_in_an_earlier_round_is_not_looked_after(scene: Scene) -> None:
    """A fire raised what had been told; receipts that the first round still lacks ask nothing."""
    await scene.raised(hot())
    await scene.at(121)
    await scene.raised(smoke(episode=121_000))
    scene.heard()
    await scene.at(180)
    told = [(s, who, way, kind) for s, who, way, kind, _ in scene.heard()]
    assert [k for k in told if k[3] == "escalation"] == []
    assert (await scene.kinds()).count("no_receipt") == 2
    assert await scene.desk.next_ms() != scene.clock.now_ms


async def test_what_nobody_takes_a_second_time_is_given_up(scene: Scene) -> None:
    """Accepted once and never delivered, and then no provider takes anything for an hour."""
    await scene.raised(smoke())
    scene.ways.first.mode = scene.ways.second.mode = "down"
    await scene.at(3_700)
    given_up = await scene.message("officer")
    assert (given_up.state, given_up.receipt_due_ms) == (MessageState.ACCEPTED, None)
    asked = scene.ways.second.asked
    await scene.at(7_200)
    assert scene.ways.second.asked == asked


async def test_a_clock_set_back_before_a_start_holds_nothing_up(scene: Scene) -> None:
    """Texts and calls of the last hour are then in the future; a new fire is told all the same."""
    for number, station in enumerate(("cmrj-03", "cmrj-04", "cmrj-05", "cmrj-06"), 1):
        await scene.raised(smoke(station))
        await scene.at(number * 5)
    await scene.at(70)
    before = Mark(scene.clock.now_ms, scene.clock.now_ms, 0, "boot")
    scene.clock.now_ms -= 3_600_000
    async with scene.database.writing() as connection:
        await save_mark(connection, before)
        shift_ms = await resume(connection, Mark(scene.clock.now_ms, scene.clock.now_ms, 0, "boot"))
    assert shift_ms == -3_600_000
    scene.desk = scene.another()
    scene.heard()
    began_s = scene.now_s
    await scene.raised(smoke())
    await scene.at(began_s + 130)
    told = [(s - began_s, way, kind) for s, who, way, kind, _ in scene.heard() if who == "zhao"]
    assert ("sms" in {way for s, way, _ in told if s <= 100}) is True
    assert ("voice" in {way for s, way, _ in told if s <= 130}) is True


async def test_a_text_that_cannot_be_made(database: Database) -> None:
    """An alarm is rather badly worded than unsaid, and it is counted."""

    def broken(facts: Facts, lang: str, channel: Channel) -> Text:
        if channel is Channel.VOICE:
            return text_of(facts, lang, channel)
        msg = "no such template"
        raise KeyError(msg)

    scene = Scene(database, render=broken)
    await scene.raised(smoke())
    [(_, _, out)] = scene.ways.taken()
    assert (out.text, scene.desk.dispatcher.failures) == ("F0001 fire 1幢北侧车棚", 1)


async def test_the_budget_never_holds_back_a_fire(database: Database) -> None:
    """Spent on trouble: the next trouble waits, the fire goes."""
    scene = Scene(database, budget=BudgetSettings(segments=1, calls=1))
    await scene.raised(door())
    scene.heard()
    await scene.raised(door(OTHER))
    assert [h for h in scene.heard() if h[2] == "sms"] == []
    await scene.raised(smoke("cmrj-03"))
    assert scene.heard() == [(0.0, "zhao", "sms", "fire", "first")]
    assert [m.state for m in await scene.messages(2) if m.channel is Channel.SMS] == [
        MessageState.QUEUED
    ]


async def test_a_message_carries_a_link_of_its_own(database: Database) -> None:
    """Officer, second and manager have different links; a call and a robot have none."""
    scene = Scene(database, link_base="cw.example.cn/a/")
    await scene.raised(smoke())
    await scene.receipt(await scene.message("officer"))
    await scene.at(121)
    links = {m.person: m.facts.link for m in await scene.messages() if m.channel is Channel.SMS}
    assert len(set(links.values())) == len(links) == 3
    assert all(link.startswith("cw.example.cn/a/") for link in links.values())
    assert {m.facts.link for m in await scene.messages() if m.channel is Channel.VOICE} == {""}


async def test_two_processes_do_each_step_once(scene: Scene, migrated_url: str) -> None:
    """Both turn at every moment, over connections of their own: each message once (F19)."""
    second = await Database.open(migrated_url, checkpoints=False)
    try:
        desks = [scene.desk, scene.another(database=second)]
        await scene.raised(smoke(), hot(OTHER))
        for second_s in range(1, 320):
            scene.clock.now_ms += 1_000
            if second_s % 30 not in {0, 1}:
                continue
            await asyncio.gather(*(desk.turn(scene.clock.now_ms) for desk in desks))
            await asyncio.gather(*(desk.dispatcher.idle() for desk in desks))
        got = [(way.name, out.id) for _, way, out in scene.ways.taken()]
        assert len(got) == len(set(got))
        for number in (1, 2):
            steps = [s for s, (_, state) in (await scene.rows(number)).items() if state == "fired"]
            assert sorted(step for _, step in steps) == [
                "call",
                "no_receipt",
                "officer",
                "second",
                "supervisor",
            ]
            assert [k for k in await scene.kinds(number) if k == "deadline_missed"] == (
                ["deadline_missed"] * 2
            )
    finally:
        await second.close()


async def test_two_processes_open_one_incident(scene: Scene, migrated_url: str) -> None:
    """Different findings of one station, recorded at the same time by two: both belong to one."""
    second = Scene(await Database.open(migrated_url, checkpoints=False), scene.clock)
    second.ids = scene.ids
    try:
        for round_ in range(10):
            station = f"cmrj-{round_ + 1:02}"
            await asyncio.gather(
                scene.commit_raised(smoke(station)), second.commit_raised(hot(station))
            )
            assert (await scene.incident(await scene.live(station))).standing == 2
    finally:
        await second.database.close()


@pytest.mark.parametrize("acts_first", [True, False])
async def test_an_act_in_the_millisecond_of_the_escalation(
    scene: Scene,
    acts_first: bool,  # noqa: FBT001 - a case
) -> None:
    """Either order gives one history: acknowledged; whatever was not sent is not sent (F20)."""
    await scene.raised(smoke())
    await scene.receipt(await scene.message("officer"))
    await scene.at(119.999)
    scene.clock.now_ms += 1
    scene.heard()
    if acts_first:
        await asyncio.gather(scene.act(Act.ACKNOWLEDGE), scene.desk.turn(scene.clock.now_ms))
    else:
        await asyncio.gather(scene.desk.turn(scene.clock.now_ms), scene.act(Act.ACKNOWLEDGE))
    await scene.turn()
    fired = (await scene.rows())[1, "second"][1]
    assert fired in {"fired", "met"}
    told = [m.state for m in await scene.messages() if m.slot == "second"]
    allowed = {MessageState.WITHDRAWN, MessageState.ACCEPTED}
    assert set(told) <= allowed
    assert bool(told) is (fired == "fired")
    sent = len(scene.heard())
    assert sent == sum(state is MessageState.ACCEPTED for state in told)
    await scene.at(299)
    assert scene.heard() == []


async def test_acts_turns_and_receipts_never_lock_each_other_out(
    scene: Scene, migrated_url: str
) -> None:
    """Everything at once over two connections, many times: each ends, and none is refused."""
    other = await Database.open(migrated_url, checkpoints=False)
    try:
        desk = scene.another(database=other)
        stations = [f"cmrj-{n:02}" for n in range(1, 9)]
        await scene.raised(*map(smoke, stations))
        numbers = range(1, len(stations) + 1)
        for step in (30, 60, 120, 300):
            scene.clock.now_ms += step * 1_000
            firsts = [await scene.messages(n) for n in numbers]
            await asyncio.gather(
                desk.turn(scene.clock.now_ms),
                *(scene.act(Act.COMMENT, number=n, note="到") for n in numbers),
                *(
                    scene.receipt(m[0], delivered=n % 2 == 0)
                    for n, m in zip(numbers, firsts, strict=True)
                ),
                *(scene.act(Act.ACKNOWLEDGE, number=n) for n in numbers if n % 3 == 0),
                scene.desk.turn(scene.clock.now_ms),
            )
            await desk.dispatcher.idle()
            await scene.desk.dispatcher.idle()
        assert (desk.dispatcher.failures, scene.desk.dispatcher.failures) == (0, 0)
        assert {i.state.value for i in [await scene.incident(n) for n in numbers]} == {
            "acknowledged",
            "open",
        }
    finally:
        await other.close()
