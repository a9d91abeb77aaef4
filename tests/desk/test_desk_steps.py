"""The response plans, step by step: exactly these messages at exactly these seconds."""

from dataclasses import replace

import pytest

from alerts.findings import save_transitions
from alerts.incidents.model import Act, ActRefusedError, Cause, Doing, Kind, Refusal, State, Urgency
from alerts.incidents.silences import Wanted, add
from alerts.oncall.book import Book
from devices.errors import DatabaseUnavailable
from rules.model import Finding, Severity
from tests.desk.desk_scene import (
    OTHER,
    PHONES,
    SITE,
    START,
    STATION,
    Scene,
    began,
    cut_failed,
    door,
    hot,
    offline,
    outage,
    smoke,
    warm,
    water,
)

ESCALATED = [
    (60.0, "zhao", "voice", "fire", "voice"),
    (120.0, "group", "robot", "escalation", "robot"),
    (120.0, "qian", "sms", "escalation", "first"),
    (120.0, "sun", "sms", "escalation", "first"),
    (300.0, "li", "sms", "escalation", "first"),
]
"""A fire that nobody acknowledges, after its first message was delivered."""


async def test_nobody_answers_a_fire(scene: Scene) -> None:
    """Officer at once, call at 60 s, second and manager at 120 s, supervisor at 300 s, no more."""
    scene.phones_on = True
    await scene.raised(smoke())
    assert scene.heard() == [(0.0, "zhao", "sms", "fire", "first")]
    await scene.at(3)
    await scene.receipt(await scene.message("officer"))
    await scene.at(3_600)
    assert scene.heard() == ESCALATED
    assert scene.missed == ["acknowledge", "on_site", "report"]
    assert await scene.rows() == {
        (1, "officer"): (0.0, "fired"),
        (1, "no_receipt"): (30.0, "met"),
        (1, "call"): (60.0, "fired"),
        (1, "acknowledge"): (60.0, "missed"),
        (1, "second"): (120.0, "fired"),
        (1, "supervisor"): (300.0, "fired"),
        (1, "absent"): (300.0, "met"),
        (1, "on_site"): (300.0, "missed"),
        (1, "unreported"): (1800.0, "met"),
        (1, "report"): (1800.0, "missed"),
    }


async def test_a_danger_is_answered_like_a_fire(scene: Scene) -> None:
    """A cut for heat: the same people at the same seconds, with the text of a cut."""
    scene.phones_on = True
    await scene.raised(hot())
    await scene.receipt(await scene.message("officer"))
    await scene.at(3_600)
    as_cut = [(s, p, c, "cut" if k == "fire" else k, w) for s, p, c, k, w in ESCALATED]
    assert scene.heard() == [(0.0, "zhao", "sms", "cut", "first"), *as_cut]


async def test_no_receipt_in_30_s_calls_and_sends_by_the_other_provider(scene: Scene) -> None:
    """The first provider may lie: the second gets the same message, and the phone rings."""
    await scene.raised(smoke())
    await scene.at(59.9)
    assert scene.heard() == [
        (0.0, "zhao", "sms", "fire", "first"),
        (30.0, "zhao", "sms", "fire", "second"),
        (30.0, "zhao", "voice", "fire", "voice"),
    ]
    first, again = [out for _, way, out in scene.ways.taken() if way.channel.value == "sms"]
    assert (first.id, first.text) == (again.id, again.text)
    await scene.at(61)
    assert scene.heard() == []  # the call has been made


@pytest.mark.parametrize(
    ("second", "calls", "state"),
    [(59, [], "met"), (61, [(60.0, "zhao", "voice", "fire", "voice")], "missed")],
)
async def test_an_acknowledgement_ends_the_escalation(
    scene: Scene, second: int, calls: list[tuple[float, str, str, str, str]], state: str
) -> None:
    """At 59 s no phone rings; at 61 s it has rung, and nobody else is told."""
    await scene.raised(smoke())
    await scene.receipt(await scene.message("officer"))
    scene.heard()
    await scene.at(second)
    assert (await scene.act(Act.ACKNOWLEDGE)).state is State.ACKNOWLEDGED
    await scene.at(299)
    assert scene.heard() == calls
    assert (await scene.rows())[1, "acknowledge"] == (60.0, state)
    assert (await scene.incident()).assignee == "zhao"


@pytest.mark.parametrize("text", ["1", "１", "收到", "1️⃣", "1 F0001", "f0001 1", "Ｆ０００１ １"])
async def test_a_reply_acknowledges(scene: Scene, text: str) -> None:
    """However a phone writes it, with the number or without."""
    await scene.raised(smoke())
    await scene.at(20)
    assert await scene.reply(text) == "applied"
    assert (await scene.incident()).acknowledged_ms == START + 20_000


@pytest.mark.parametrize(
    ("text", "by", "outcome"),
    [
        ("1", "+8613900000000", "unknown_number"),
        ("好的", "zhao", "not_understood"),
        ("", "zhao", "not_understood"),
        ("F0002 1", "zhao", "wrong_incident"),
        ("F0001 1", "li", "wrong_incident"),  # never told of it
        ("1", "li", "wrong_incident"),
    ],
)
async def test_a_reply_that_acknowledges_nothing(
    scene: Scene, text: str, by: str, outcome: str
) -> None:
    """Who was not told, or names another incident, changes nothing."""
    await scene.raised(smoke())
    assert await scene.reply(text, by) == outcome
    assert (await scene.incident()).state is State.OPEN


async def test_a_reply_without_a_number_is_about_the_newest_message(scene: Scene) -> None:
    """Two fires: a bare 1 answers the second, F0001 1 the first."""
    await scene.raised(smoke())
    await scene.at(10)
    await scene.raised(smoke(OTHER))
    await scene.at(20)
    assert await scene.reply("1") == "applied"
    assert [(await scene.incident(n)).state for n in (1, 2)] == [State.OPEN, State.ACKNOWLEDGED]
    assert await scene.reply("1 F0001") == "applied"
    assert (await scene.incident()).state is State.ACKNOWLEDGED


async def test_a_key_pressed_in_the_call_acknowledges(scene: Scene) -> None:
    """1 and #: as the voice service reports it."""
    await scene.raised(smoke())
    await scene.at(40)
    [call] = [m for m in await scene.messages() if m.channel.value == "voice"]
    assert await scene.call_ends(call, dtmf="1#")
    scene.heard()
    await scene.at(299)
    assert (await scene.incident()).state is State.ACKNOWLEDGED
    assert scene.heard() == []


async def test_a_call_nobody_answers_changes_nothing(scene: Scene) -> None:
    """It is on the timeline, and the escalation goes on."""
    await scene.raised(smoke())
    await scene.at(40)
    [call] = [m for m in await scene.messages() if m.channel.value == "voice"]
    assert await scene.call_ends(call, answered=False)
    scene.heard()
    await scene.at(120)
    assert "call_unanswered" in await scene.kinds()
    assert [who for _, who, *_ in scene.heard()] == ["group", "qian", "sun"]


async def test_acknowledged_but_not_arrived(scene: Scene) -> None:
    """At 5 minutes second and manager are told that nobody has come."""
    await scene.raised(smoke())
    await scene.at(20)
    await scene.reply("1")
    scene.heard()
    await scene.at(1_799)
    assert scene.heard() == [
        (300.0, "qian", "sms", "escalation", "first"),
        (300.0, "sun", "sms", "escalation", "first"),
    ]
    assert scene.missed == ["on_site"]


async def test_arrived_but_not_reported(scene: Scene) -> None:
    """At 30 minutes the manager is told that nothing was reported."""
    await scene.raised(smoke())
    await scene.at(20)
    await scene.reply("3")
    scene.heard()
    await scene.at(3_600)
    assert scene.heard() == [(1800.0, "sun", "sms", "escalation", "first")]
    assert scene.missed == ["report"]


async def test_all_in_time(scene: Scene) -> None:
    """Acknowledged, arrived, reported, closed: one message, nothing missed, nothing due."""
    await scene.raised(smoke())
    await scene.at(29)
    await scene.act(Act.ACKNOWLEDGE)
    await scene.at(200)
    await scene.act(Act.ARRIVE)
    await scene.at(900)
    await scene.act(Act.REPORT, cause=Cause.FALSE_ALARM)
    await scene.cleared(smoke())
    await scene.act(Act.CLOSE)
    await scene.at(86_400)
    assert scene.heard() == [(0.0, "zhao", "sms", "fire", "first")]
    assert scene.missed == []
    assert {state for _, state in (await scene.rows()).values()} == {"fired", "met"}
    assert await scene.desk.next_ms() is None


async def test_a_danger_closes_only_after_its_report(scene: Scene) -> None:
    """And with a cause; while something stands, only with a note."""
    await scene.raised(smoke())
    for act, cause, note, refusal in (
        (Act.CLOSE, Cause.TEST, "", Refusal.NOT_REPORTED),
        (Act.REPORT, None, "", Refusal.NEEDS_CAUSE),
        (Act.REPORT, Cause.TRUE_FIRE, "", None),
        (Act.CLOSE, None, "", Refusal.NEEDS_NOTE),
        (Act.CLOSE, None, "烟感已拆下送修", None),
        (Act.ARRIVE, None, "", Refusal.CLOSED),
        (Act.CLOSE, None, "", None),
        (Act.COMMENT, None, "补充", None),
    ):
        if refusal is None:
            await scene.act(act, cause=cause, note=note)
            continue
        with pytest.raises(ActRefusedError) as raised:
            await scene.act(act, cause=cause, note=note)
        assert raised.value.refusal is refusal
    closed = await scene.incident()
    assert (closed.state, closed.cause, closed.standing) == (State.CLOSED, Cause.TRUE_FIRE, 1)
    scene.heard()
    await scene.at(86_400)
    assert scene.heard() == []


async def test_whom_it_is_given_to_is_told(scene: Scene) -> None:
    """Once, by SMS; who takes it himself, or is nobody we know, gets no message."""
    await scene.raised(smoke())
    await scene.act(Act.ACKNOWLEDGE)
    scene.heard()
    for person in ("qian", "qian", "zhao", "nobody"):
        await scene.act(Act.ASSIGN, person=person)
        assert (await scene.incident()).assignee == person
    assert scene.heard() == [(0.0, "qian", "sms", "fire", "first")]


async def test_reopened_begins_again(scene: Scene) -> None:
    """A new round: the same people are told again, with deadlines of its own."""
    scene.phones_on = True
    await scene.raised(smoke())
    await scene.act(Act.REPORT, cause=Cause.TEST)
    await scene.act(Act.CLOSE, note="试验")
    scene.heard()
    await scene.at(1_000)
    with pytest.raises(ActRefusedError):
        await scene.act(Act.REOPEN)
    again = await scene.act(Act.REOPEN, note="又冒烟")
    assert (again.state, again.round, again.opened_ms) == (State.OPEN, 2, START + 1_000_000)
    await scene.receipt((await scene.messages())[-1])
    await scene.at(1_299)
    assert scene.heard() == [
        (1000.0, "zhao", "sms", "fire", "first"),
        *((s + 1000, *rest) for s, *rest in ESCALATED[:4]),
    ]


async def test_reopening_beside_a_newer_incident_is_refused(scene: Scene) -> None:
    """A station has one live incident: who reopens the old one is told so."""
    await scene.raised(smoke())
    await scene.act(Act.REPORT, cause=Cause.TEST)
    await scene.act(Act.CLOSE, note="试验")
    await scene.at(100)
    await scene.raised(smoke(episode=100_000))
    with pytest.raises(ActRefusedError) as refused:
        await scene.act(Act.REOPEN, note="又冒烟")
    assert refused.value.refusal is Refusal.SUPERSEDED
    assert [(await scene.incident(n)).state for n in (1, 2)] == [State.CLOSED, State.OPEN]


async def test_a_fault_is_the_managers(scene: Scene) -> None:
    """Manager at once by SMS and robot; the officer after ten minutes without an answer."""
    scene.phones_on = True
    await scene.raised(door())
    await scene.at(3_600)
    assert scene.heard() == [
        (0.0, "group", "robot", "trouble", "robot"),
        (0.0, "sun", "sms", "trouble", "first"),
        (600.0, "zhao", "sms", "escalation", "first"),
    ]


async def test_trouble_that_passes_tells_nobody(scene: Scene) -> None:
    """Silent for less than the delay: not a word, and the incident closes by itself."""
    await scene.raised(offline())
    await scene.at(100)
    await scene.cleared(offline())
    await scene.at(3_600)
    assert scene.heard() == []
    closed = await scene.incident()
    assert (closed.state, closed.closed_ms) == (State.CLOSED, START + 700_000)


async def test_trouble_that_comes_back_for_good_is_told(scene: Scene) -> None:
    """The second silence falls into the first one's incident and is told after its own delay."""
    scene.phones_on = True
    await scene.raised(offline())
    await scene.at(100)
    await scene.cleared(offline())
    await scene.at(200)
    await scene.raised(offline(episode=200_000))
    await scene.at(1_000)
    assert scene.heard() == [
        (320.0, "group", "robot", "trouble", "robot"),
        (320.0, "sun", "sms", "trouble", "first"),
        (920.0, "zhao", "sms", "escalation", "first"),
    ]
    assert (await scene.incident()).round == 2


async def test_a_fire_after_the_all_clear_begins_again(scene: Scene) -> None:
    """People were told that it is over; smoke again minutes later is said again, from the start."""
    await scene.raised(smoke())
    await scene.act(Act.ARRIVE)
    await scene.cleared(smoke())
    scene.heard()
    await scene.at(200)
    await scene.raised(smoke(episode=200_000))
    assert scene.heard() == [(200.0, "zhao", "sms", "fire", "first")]
    assert (await scene.incident()).state is State.OPEN


async def test_cleared_is_said_once_to_whom_was_told(scene: Scene) -> None:
    """Officer and manager hear that it is over, the supervisor, never told, does not."""
    await scene.raised(smoke(), hot())
    await scene.receipt(await scene.message("officer"))
    await scene.at(150)
    scene.heard()
    await scene.cleared(smoke())
    assert scene.heard() == []
    await scene.cleared(hot())
    assert scene.heard() == [
        (150.0, "group", "robot", "cleared", "robot"),
        (150.0, "qian", "sms", "cleared", "first"),
        (150.0, "sun", "sms", "cleared", "first"),
        (150.0, "zhao", "sms", "cleared", "first"),
    ]
    await scene.cleared(hot(), smoke())
    assert scene.heard() == []


async def test_the_same_finding_again_changes_nothing(scene: Scene) -> None:
    """A replay of what SQL knows: no incident, no message, no line of a timeline."""
    await scene.raised(smoke())
    before = await scene.kinds(), await scene.rows(), await scene.incident()
    scene.heard()
    for _ in range(3):
        await scene.raised(smoke())
    assert scene.heard() == []
    assert (await scene.kinds(), await scene.rows(), await scene.incident()) == before


async def test_a_failed_cut_joins_and_is_said_to_all_who_know(scene: Scene) -> None:
    """One incident; its own text at once, although the rest of the plan goes on as it was."""
    scene.phones_on = True
    await scene.raised(hot())
    await scene.receipt(await scene.message("officer"))
    await scene.at(15)
    scene.heard()
    await scene.raised(cut_failed(episode=15_000))
    assert scene.heard() == [(15.0, "zhao", "sms", "cut_failed", "first")]
    await scene.at(60)
    assert scene.heard() == [(60.0, "zhao", "voice", "cut_failed", "voice")]
    assert (await scene.incident()).standing == 2


async def test_a_failed_cut_after_the_acknowledgement_is_still_said(scene: Scene) -> None:
    """The officer who is on the way must know that the power is on."""
    await scene.raised(hot())
    await scene.at(5)
    await scene.commit(began(cut_failed(episode=5_000), scene.clock.now_ms))
    await scene.perform(1, Doing(Act.ACKNOWLEDGE, "zhao", scene.clock.now_ms))
    scene.heard()
    await scene.turn()
    assert scene.heard() == [(5.0, "zhao", "sms", "cut_failed", "first")]


async def test_a_fire_raises_a_fault(scene: Scene) -> None:
    """What the manager was told of becomes the officer's, from the beginning."""
    await scene.raised(door())
    await scene.act(Act.ACKNOWLEDGE, "sun")
    await scene.at(50)
    scene.heard()
    await scene.raised(smoke())
    assert scene.heard() == [(50.0, "zhao", "sms", "fire", "first")]
    raised = await scene.incident()
    assert (raised.urgency, raised.state, raised.round) == (Urgency.FIRE, State.OPEN, 2)
    assert {k: v for k, v in (await scene.rows()).items() if k[0] == 1} == {
        (1, "manager"): (0.0, "fired"),
        (1, "officer"): (600.0, "met"),
        (1, "acknowledge"): (600.0, "met"),
    }


async def test_a_fault_joins_a_fire_without_a_word(scene: Scene) -> None:
    """Inhibited, but on the timeline."""
    await scene.raised(smoke())
    scene.heard()
    await scene.at(10)
    await scene.raised(door(), offline())
    assert scene.heard() == []
    assert (await scene.kinds()).count("joined") == 2


async def test_an_outage_takes_over_the_single_silences(scene: Scene) -> None:
    """Three stations, then the site: one message, and the single incidents end in the outage's."""
    scene.phones_on = True
    stations = ("cmrj-01", "cmrj-02", "cmrj-03")
    await scene.raised(*map(offline, stations))
    await scene.at(60)
    await scene.raised(outage())
    await scene.raised(offline("cmrj-04"))
    await scene.at(500)
    assert scene.heard() == [
        (180.0, "group", "robot", "trouble", "robot"),
        (180.0, "sun", "sms", "trouble", "first"),
    ]
    singles = [await scene.incident(n) for n in (1, 2, 3)]
    assert [(i.state, i.merged_into, i.standing) for i in singles] == [(State.CLOSED, 4, 0)] * 3
    assert (await scene.incident(4)).standing == 5


async def test_an_outage_takes_over_no_danger(scene: Scene) -> None:
    """A station that smoked and fell silent stays an incident of its own, and so does R41 there."""
    await scene.raised(smoke())
    await scene.raised(offline(), offline(OTHER))
    await scene.raised(outage())
    burning, silent = await scene.incident(1), await scene.incident(2)
    assert (burning.state, burning.standing) == (State.OPEN, 2)
    assert (silent.state, silent.merged_into) == (State.CLOSED, 3)


async def test_a_warned_station_that_falls_silent_is_a_danger(scene: Scene) -> None:
    """Heat, then nothing: it may burn, so the officer is told, and at once."""
    await scene.raised(offline(warned=True))
    await scene.at(10)
    assert scene.heard() == [(0.0, "zhao", "sms", "trouble", "first")]
    assert (await scene.incident()).urgency is Urgency.DANGER


async def test_quiet_hours_hold_warnings_only(scene: Scene) -> None:
    """At 23:00 a warning waits until 07:00; a fire at the same station does not."""
    night = 11 * 3_600
    await scene.at(night)
    await scene.raised(warm(episode=night * 1_000))
    await scene.at(night + 600)
    assert scene.heard() == []
    await scene.raised(smoke(OTHER))
    assert scene.heard() == [(night + 600.0, "zhao", "sms", "fire", "first")]
    await scene.act(Act.REPORT, number=2, cause=Cause.TEST)
    await scene.at(night + 8 * 3_600)
    assert scene.heard() == [
        (night + 8 * 3_600.0, "group", "robot", "trouble", "robot"),
        (night + 8 * 3_600.0, "sun", "sms", "trouble", "first"),
    ]


async def silence(scene: Scene) -> None:
    """The station is to be silent for an hour."""
    until_ms = scene.clock.now_ms + 3_600_000
    wanted = Wanted(SITE, STATION, None, until_ms, "检修", "sun")
    async with scene.database.writing() as connection:
        await add(connection, wanted, scene.clock.now_ms)


async def test_a_silence_mutes_trouble(scene: Scene) -> None:
    """Nobody is told; the timeline says why; elsewhere people are told."""
    await silence(scene)
    await scene.raised(door(), offline(OTHER))
    await scene.at(3_000)
    assert {who for _, who, *_ in scene.heard()} == {"group", "sun", "zhao"}
    assert {m.incident for m in await scene.messages()} == set()
    assert "silenced" in await scene.kinds()


@pytest.mark.parametrize("danger", [smoke(), hot(), water(), warm(), cut_failed()])
async def test_no_silence_mutes_an_alarm(scene: Scene, danger: Finding) -> None:
    """Of family alarm everything is said, however bad it is and whatever is silenced."""
    await silence(scene)
    await scene.raised(danger)
    assert scene.heard() != []


async def test_shadow_and_information_tell_nobody(scene: Scene) -> None:
    """Normal ends and rules on trial make no incident."""
    await scene.raised(replace(smoke(), shadow=True), replace(warm(), severity=Severity.INFO))
    await scene.at(600)
    assert scene.heard() == []
    assert await scene.desk.next_ms() is None


async def test_a_drill_is_a_fire_with_another_word(scene: Scene) -> None:
    """Everybody is told as for a fire; it closes without a report."""
    async with scene.database.writing() as connection:
        number = await scene.desk.open_drill(connection, SITE, None, scene.clock.now_ms, "sun")
    await scene.turn()
    assert scene.heard() == [(0.0, "zhao", "sms", "drill", "first")]
    await scene.act(Act.CLOSE, number=number, cause=Cause.TEST)
    await scene.at(600)
    assert scene.heard() == []


async def test_an_unanswered_drill_escalates_as_a_drill(scene: Scene) -> None:
    """No text of it can be taken for a fire, whatever its kind."""
    async with scene.database.writing() as connection:
        await scene.desk.open_drill(connection, SITE, None, scene.clock.now_ms, "sun")
    await scene.turn()
    await scene.at(400)
    told = await scene.messages()
    assert {m.kind for m in told} == {Kind.DRILL, Kind.ESCALATION}
    assert [m.id for m in told if not m.facts.values.get("drill")] == []


async def test_nobody_on_duty_and_nobody_at_all(scene: Scene) -> None:
    """Without a roster everybody of the site is told; without people the timeline says so."""
    scene.book = Book(scene.book.people, (), (), scene.book.sites)
    scene.desk = scene.another()
    await scene.raised(smoke())
    told = {m.person for m in await scene.messages()}
    assert told == set(PHONES)
    scene.book = Book()
    scene.desk = scene.another()
    await scene.raised(smoke(OTHER))
    assert await scene.kinds(2) == ["opened", "nobody_to_tell"]


async def test_a_station_the_registry_does_not_know(scene: Scene) -> None:
    """It is an incident under its own name, and that nobody can be told is on its timeline."""
    await scene.raised(smoke("of-nowhere"))
    made = await scene.incident()
    assert (made.site, made.station) == ("of-nowhere", None)
    assert await scene.kinds() == ["opened", "nobody_to_tell"]


async def test_what_is_rolled_back_has_not_happened(scene: Scene) -> None:
    """The findings, their incident and its messages are one transaction."""
    now_ms = scene.clock.now_ms

    async def committed_but_for_sql() -> None:
        async with scene.database.writing() as connection:
            recorded = await save_transitions(connection, [began(smoke(), now_ms)], now_ms)
            await scene.desk.take(connection, recorded, (), now_ms)
            raise DatabaseUnavailable

    with pytest.raises(DatabaseUnavailable):
        await committed_but_for_sql()
    await scene.turn()
    assert scene.heard() == []
    assert await scene.desk.next_ms() is None
    await scene.raised(smoke())
    assert [who for _, who, *_ in scene.heard()] == ["zhao"]
