"""A desk on a clock that is told, over a real database, with ways that only note what they took.

A story is told in seconds since ``START``: ``at`` lets time pass, due moment by due moment;
``heard`` is everything a phone got since it was last asked, and nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from alerts.callbacks.events import CallResult, Receipt, Reply
from alerts.channels.gateway import Gateway
from alerts.channels.port import (
    Accepted,
    Channel,
    Outgoing,
    Permanent,
    Provider,
    Retryable,
    Throttled,
    Unknown,
)
from alerts.channels.quota import Quota
from alerts.channels.settings import BudgetSettings, ChannelsSettings, GatewaySettings
from alerts.desk.desk import Desk, Listeners
from alerts.desk.dispatch import Parts
from alerts.desk.duty import Duty
from alerts.findings import Recorded, save_transitions
from alerts.incidents import store as incidents
from alerts.incidents.model import Act, Cause, Doing, Incident, Kind, State
from alerts.incidents.places import Places
from alerts.incidents.plans import Plans, load_plans
from alerts.oncall.book import Book, Place
from alerts.oncall.model import Hours, Person, Role, Roster
from alerts.outbox.model import Facts, MessageState, Text
from alerts.outbox.store import Attempt, Message, attempts_of, list_messages, messages_of
from alerts.texts.render import render
from devices.command_model import CommandRecord
from devices.database import Database
from devices.sitefile import packaged_site
from rules.model import Act as Order
from rules.model import Change, Evidence, Family, Finding, FindingKey, Severity, Transition

START = 1_791_432_000_000  # 2026-10-08 12:00 in Hangzhou, a Thursday
SITE = "caimarenjia"
STATION = "cmrj-01"
OTHER = "cmrj-02"
SIGNATURE = "安充消防"
PHONES = {
    "zhao": "+8613800000001",
    "qian": "+8613800000002",
    "sun": "+8613800000003",
    "li": "+8613800000004",
}
_NAMES = {phone: name for name, phone in PHONES.items()}
Heard = tuple[float, str, str, str, str]
"""Second, person, channel, kind, provider."""


def people() -> Book:
    """Zhao is the officer, Qian the second, Sun the manager, Li the supervisor; always."""
    known = {
        name: Person(id=name, name=name, phone=phone, robot="group" if name == "sun" else None)
        for name, phone in PHONES.items()
    }
    rosters = tuple(
        Roster(id=f"r-{role.value}", site=SITE, role=role, people=(name,))
        for role, name in zip(Role, PHONES, strict=True)
    )
    quiet = (Hours(start="22:00", end="07:00"),)
    place = Place(SITE, ZoneInfo("Asia/Shanghai"), (), tuple(known), quiet)
    return Book(known, rosters, (), {SITE: place})


class Way:
    """A way to people that does what it is told and notes what it took."""

    def __init__(self, clock: "Hand", name: str, channel: Channel = Channel.SMS) -> None:
        """It takes everything."""
        self.name = name
        self.channel = channel
        self.signature = SIGNATURE if channel is Channel.SMS else ""
        self.mode = "ok"
        self.asked = 0
        self._clock = clock

    def template(self, kind: Kind, lang: str) -> str:
        """One a kind."""
        return f"{self.name}-{kind.value}-{lang}"

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Take it, or fail as told."""
        self.asked += 1
        if self.mode in {"ok", "lost", "stuck"}:
            self._clock.log.append((self._clock.now_ms, self, outgoing))
        match self.mode:
            case "ok":
                return Accepted(f"{self.name}-{self.asked}")
            case "stuck":
                await asyncio.Event().wait()
                raise Retryable("never")  # noqa: EM101
            case "lost":
                self._clock.lost[outgoing.id] += 1
                raise Unknown("timeout", "no answer")  # noqa: EM101 - the provider's word
            case "throttled":
                raise Throttled("limit", "per hour", 3_600)  # noqa: EM101
            case "permanent":
                raise Permanent("bad-number")  # noqa: EM101
            case _:
                raise Retryable("http-500")  # noqa: EM101

    async def close(self) -> None:
        """Nothing is open."""


class Hand:
    """The clock, and the log of everything that left by any way."""

    def __init__(self, now_ms: int = START) -> None:
        """It is ``now_ms``."""
        self.now_ms = now_ms
        self.log: list[tuple[int, Way, Outgoing]] = []
        self.lost: Counter[str] = Counter()  # answers that did not come, by message

    def utc_ms(self) -> int:
        """UTC ms."""
        return self.now_ms

    def monotonic_s(self) -> float:
        """The same in seconds."""
        return self.now_ms / 1000


@dataclass
class Ways:
    """Two SMS providers, a voice service and a robot."""

    clock: Hand

    def __post_init__(self) -> None:
        """All work."""
        self.first = Way(self.clock, "first")
        self.second = Way(self.clock, "second")
        self.voice = Way(self.clock, "voice", Channel.VOICE)
        self.robot = Way(self.clock, "robot", Channel.ROBOT)

    def all(self) -> list[Way]:
        """In the order in which they are tried."""
        return [self.first, self.second, self.voice, self.robot]

    def taken(self) -> list[tuple[int, Way, Outgoing]]:
        """Everything anybody took, in order."""
        return list(self.clock.log)


def text_of(facts: Facts, lang: str, channel: Channel) -> Text:
    """The product's texts."""
    return render(facts, lang, channel, signature=SIGNATURE)


@dataclass
class Scene:
    """A desk and everything around it."""

    database: Database
    clock: Hand = field(default_factory=Hand)
    plans: Plans = field(default_factory=load_plans)
    link_base: str = ""
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    render: Any = text_of
    book: Book = field(default_factory=people)

    def __post_init__(self) -> None:
        """The desk is open."""
        self.ways = Ways(self.clock)
        self.missed: list[str] = []
        self.phones_on = False  # whether every text is delivered as soon as it is taken
        self.ids = map("m{:05d}".format, count(1))
        self.desk = self.another()
        self._told = 0
        self._keys = map("k{}".format, count(1))

    def another(self, ways: Ways | None = None, database: Database | None = None) -> Desk:
        """A further desk, as of another process or after a crash; the phones are the same."""
        providers: Sequence[Provider] = (ways or self.ways).all()
        settings = ChannelsSettings(
            budget=self.budget, limits=NO_LIMITS, gateway=GatewaySettings(fails=1_000)
        )
        quota = Quota(settings)

        async def closed(
            connection: Any, outgoing: Outgoing, now_ms: int
        ) -> Mapping[str, Throttled]:
            return await quota.closed(connection, providers, outgoing, now_ms)

        parts = Parts(
            database=database or self.database,
            gateway=Gateway(
                providers,
                clock_ms=self.clock.utc_ms,
                monotonic_s=self.clock.monotonic_s,
                settings=settings.gateway,
            ),
            render=self.render,
            closed=closed,
            plans=self.plans,
            clock_ms=self.clock.utc_ms,
            new_id=lambda: next(self.ids),
            link_base=self.link_base,
        )
        listeners = Listeners(missed=self.missed.append)
        return Desk(parts, Duty(self.book), Places.of([packaged_site()]), listeners=listeners)

    # --- time -----------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """Seconds since ``START``."""
        return (self.clock.now_ms - START) / 1000

    async def at(self, second: float) -> None:
        """Let time pass until then; the desk turns whenever something is due."""
        until_ms, turns = START + round(second * 1000), 0
        if self.phones_on:
            await self.deliver()
        while True:
            due_ms = await self.desk.next_ms()
            if due_ms is None or due_ms > until_ms:
                break
            turns = turns + 1 if due_ms <= self.clock.now_ms else 0
            assert turns < RESTLESS, "the desk does the same again and again"
            self.clock.now_ms = max(self.clock.now_ms, due_ms)
            await self.turn()
            if self.phones_on:
                await self.deliver()
        self.clock.now_ms = max(self.clock.now_ms, until_ms)

    async def deliver(self) -> None:
        """Every text a provider has reaches its phone."""
        async with self.database.reading() as connection:
            page = await list_messages(connection, limit=500)
        for item in page.items:
            if item.channel is Channel.SMS and item.state is MessageState.ACCEPTED:
                await self.receipt(item)

    async def turn(self) -> None:
        """One turn of the desk, and everything is sent that it sends."""
        await self.desk.turn(self.clock.now_ms)
        await self.desk.dispatcher.idle()

    async def killed(self) -> None:
        """The desk's process dies with whatever it was sending; the next one is ``another``."""
        sending = set(self.desk.dispatcher._sending)
        if sending:
            await asyncio.wait(sending, timeout=KILLED_AFTER_S)
        for task in sending:
            task.cancel()
        if sending:
            await asyncio.wait(sending)

    # --- what happens ---------------------------------------------------------------------

    async def record(self, *transitions: Transition, cuts: Sequence[CommandRecord] = ()) -> None:
        """Findings are committed with what they mean for people, then the desk turns."""
        await self.commit(*transitions, cuts=cuts)
        await self.turn()

    async def commit(self, *transitions: Transition, cuts: Sequence[CommandRecord] = ()) -> None:
        """The same without the turn."""
        now_ms = self.clock.now_ms
        async with self.database.writing() as connection:
            recorded: Recorded = await save_transitions(connection, transitions, now_ms)
            await self.desk.take(connection, recorded, cuts, now_ms)

    async def raised(self, *findings: Finding) -> None:
        """These begin now."""
        await self.record(*(began(f, self.clock.now_ms) for f in findings))

    async def commit_raised(self, *findings: Finding) -> None:
        """These begin now, and the desk has not turned yet."""
        await self.commit(*(began(f, self.clock.now_ms) for f in findings))

    async def cleared(self, *findings: Finding) -> None:
        """These end now."""
        await self.record(*(ended(f, self.clock.now_ms) for f in findings))

    async def act(  # noqa: PLR0913 - what an act brings
        self,
        act: Act,
        by: str = "zhao",
        *,
        number: int = 1,
        note: str = "",
        cause: Cause | None = None,
        person: str | None = None,
    ) -> Incident:
        """Somebody does something by API; the desk turns."""
        doing = Doing(act, by, self.clock.now_ms, note, cause, person)
        done = await self.perform(number, doing)
        await self.turn()
        return done

    async def perform(self, number: int, doing: Doing) -> Incident:
        """The same without the turn."""
        async with self.database.writing() as connection:
            return await self.desk.acts.perform(connection, number, doing)

    async def receipt(self, message: Message | Outgoing, *, delivered: bool = True) -> bool:
        """The newest provider that took it says whether the phone has it; the desk turns."""
        ref = await self.ref_of(message.id)
        return await self.receipt_of(message, ref, delivered=delivered)

    async def receipt_of(
        self, message: Message | Outgoing, ref: str, *, delivered: bool, turn: bool = True
    ) -> bool:
        """The same of the attempt that has the provider's id ``ref``."""
        came = Receipt(
            provider="p",
            key=next(self._keys),
            ref=ref,
            message_id=message.id,
            phone=message.address,
            delivered=delivered,
            code="DELIVERED" if delivered else "MK:0001",
            at_ms=None,
        )
        async with self.database.writing() as connection:
            known = await self.desk.inbound.receipt(connection, came, self.clock.now_ms)
        if turn:
            await self.turn()
        return known

    async def ref_of(self, message_id: str) -> str:
        """The provider's id of the newest accepted attempt; one nobody gave out before that."""
        tried = await self.attempts(message_id)
        return next((a.ref for a in reversed(tried) if a.ref), "none-yet")

    async def reply(self, text: str, by: str = "zhao") -> str:
        """Somebody answers by SMS; the desk turns."""
        came = Reply("p", next(self._keys), PHONES.get(by, by), text, None, SIGNATURE)
        async with self.database.writing() as connection:
            outcome = await self.desk.inbound.reply(connection, came, self.clock.now_ms)
        await self.turn()
        return outcome

    async def call_ends(self, message: Message, *, dtmf: str = "", answered: bool = True) -> bool:
        """A call ends; the desk turns."""
        came = CallResult(
            provider="p",
            key=next(self._keys),
            ref=await self.ref_of(message.id),
            message_id=message.id,
            phone=message.address,
            answered=answered,
            dtmf=dtmf,
            code="200000" if answered else "200003",
            at_ms=None,
        )
        async with self.database.writing() as connection:
            known = await self.desk.inbound.call_result(connection, came, self.clock.now_ms)
        await self.turn()
        return known

    # --- what can be seen -----------------------------------------------------------------

    def heard(self) -> list[Heard]:
        """What phones got since the last call, in order."""
        taken = self.ways.taken()
        new, self._told = taken[self._told :], len(taken)
        return sorted(
            (
                (at_ms - START) / 1000,
                _NAMES.get(out.address, out.address),
                out.channel.value,
                out.kind.value,
                way.name,
            )
            for at_ms, way, out in new
        )

    async def incident(self, number: int = 1) -> Incident:
        """The incident as it stands."""
        async with self.database.reading() as connection:
            found = await incidents.incident_by_id(connection, number)
        assert found is not None
        return found

    async def live(self, station: str) -> int:
        """The one incident of the station that is not closed."""
        async with self.database.reading() as connection:
            where = incidents.IncidentFilter(stations=frozenset({station}))
            page = await incidents.list_incidents(connection, where, limit=200)
        [found] = [i.id for i in page.items if i.state is not State.CLOSED]
        return found

    async def messages(self, number: int = 1) -> list[Message]:
        """All messages of an incident, oldest first."""
        async with self.database.reading() as connection:
            return await messages_of(connection, number)

    async def message(self, slot: str, number: int = 1) -> Message:
        """The one message of that slot."""
        [found] = [m for m in await self.messages(number) if m.slot == slot]
        return found

    async def attempts(self, message_id: str) -> list[Attempt]:
        """What was tried for a message."""
        async with self.database.reading() as connection:
            return await attempts_of(connection, [message_id])

    async def rows(self, number: int = 1) -> dict[tuple[int, str], tuple[float, str]]:
        """Round and step -> seconds at which it is due, and its state."""
        async with self.database.reading() as connection:
            found = await incidents.deadlines(connection, number)
        return {(d.round, d.step): ((d.due_ms - START) / 1000, d.state) for d in found}

    async def kinds(self, number: int = 1) -> list[str]:
        """The timeline, in words."""
        async with self.database.reading() as connection:
            return [event.kind for event in await incidents.timeline(connection, number)]


RESTLESS = 50
"""Turns within one millisecond after which the desk will not come to rest by itself."""
KILLED_AFTER_S = 0.02
"""Real seconds in which messages get as far as their provider."""
NO_LIMITS: Any = dict.fromkeys(("first", "second", "voice", "robot"), ())


def finding(  # noqa: PLR0913 - the columns of a finding that a scene may choose
    rule: str = "R07",
    *,
    station: str = STATION,
    socket: int | None = None,
    episode: int = 0,
    family: Family = Family.ALARM,
    severity: Severity = Severity.CRITICAL,
    reason: str = "smoke",
    act: Order = Order.CUT_STATION,
    fire: bool = False,
    evidence: Evidence | None = None,
) -> Finding:
    """A finding of its own episode."""
    at_ms = START + episode
    key = FindingKey(station, socket, rule, "main", at_ms)
    return Finding(
        key=key,
        family=family,
        severity=severity,
        reason=reason,
        act=act,
        latched=fire,
        fire=fire,
        shadow=False,
        raised_ms=at_ms,
        evidence=evidence or {},
    )


def smoke(station: str = STATION, episode: int = 0) -> Finding:
    """R07: a fire."""
    return finding("R07", station=station, episode=episode, fire=True)


def hot(station: str = STATION, socket: int = 5, episode: int = 0) -> Finding:
    """R02: a socket above 80 °C, a danger."""
    return finding(
        "R02",
        station=station,
        socket=socket,
        episode=episode,
        reason="socket_hot",
        act=Order.CUT_SOCKET,
        evidence={"temp_c": 82.4, "limit_c": 80.0},
    )


def cut_failed(station: str = STATION, episode: int = 0) -> Finding:
    """R40: the power could not be proven off."""
    return finding("R40", station=station, socket=5, episode=episode, reason="cut_failed")


def water(station: str = STATION, episode: int = 0) -> Finding:
    """R08: an alarm of the second degree, a fault for people."""
    return finding("R08", station=station, episode=episode, severity=Severity.MAJOR, reason="water")


def offline(station: str = STATION, episode: int = 0, **evidence: bool) -> Finding:
    """R41: not heard any more."""
    return finding(
        "R41",
        station=station,
        episode=episode,
        family=Family.TROUBLE,
        severity=Severity.MAJOR,
        reason="silence",
        act=Order.NONE,
        evidence=dict(evidence),
    )


def outage(episode: int = 0) -> Finding:
    """R50: the whole site is not heard."""
    return replace(
        offline(SITE, episode),
        key=FindingKey(SITE, None, "R50", "main", START + episode),
        reason="outage",
    )


def blind(station: str = STATION, socket: int = 3, episode: int = 0) -> Finding:
    """R42: a sensor that cannot be believed, a warning."""
    return finding(
        "R42",
        station=station,
        socket=socket,
        episode=episode,
        family=Family.TROUBLE,
        severity=Severity.WARN,
        reason="stuck",
        act=Order.NONE,
    )


def door(station: str = STATION, episode: int = 0) -> Finding:
    """R08: a door stands open, supervisory: told at once, to the manager."""
    return finding(
        "R08",
        station=station,
        episode=episode,
        family=Family.SUPERVISORY,
        severity=Severity.MAJOR,
        reason="door",
        act=Order.NONE,
    )


def warm(station: str = STATION, socket: int = 2, episode: int = 0) -> Finding:
    """R01: a warning of family alarm that cuts nothing."""
    return finding(
        "R01",
        station=station,
        socket=socket,
        episode=episode,
        severity=Severity.WARN,
        reason="socket_warm",
        act=Order.BLOCK_START,
        evidence={"temp_c": 66.0, "limit_c": 65.0},
    )


def began(of: Finding, at_ms: int) -> Transition:
    """It is raised."""
    return Transition(Change.RAISED, of, at_ms)


def ended(of: Finding, at_ms: int) -> Transition:
    """It is over."""
    return Transition(Change.CLEARED, of, at_ms)
