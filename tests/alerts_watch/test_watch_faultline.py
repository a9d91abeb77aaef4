"""The direct line: who is told what, past SQL, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from alerts.channels.port import Channel, Outgoing
from alerts.incidents.model import Kind
from alerts.incidents.places import Places
from alerts.oncall.model import Person, Role
from alerts.outbox.model import Facts, Text
from alerts.texts.render import render
from alerts.watch.canary import canary_id, canary_sites
from alerts.watch.faultline import AGAIN_MS, GIVE_UP_MS, Fault, FaultLine
from devices.sitefile import packaged_site
from rules.model import Act, Change, Family, Finding, FindingKey, Severity, Transition
from rules.reasons import Reason

NOON = 1_790_812_800_000
S = 1_000
OFFICER, MANAGER, SUPERVISOR, FALLBACK = (f"+861380000000{n}" for n in range(1, 5))
SITE = packaged_site()
STATIONS = [station.id for station in SITE.stations]


@dataclass
class Taken:
    """A provider's answer."""

    accepted: object | None


@dataclass
class Line:
    """Ways to people: keeps what is sent; ``up`` = somebody takes it."""

    up: bool = True
    sent: list[Outgoing] = field(default_factory=list)

    async def send(self, outgoing: Outgoing) -> Taken:
        """Keep it."""
        self.sent.append(outgoing)
        return Taken("yes" if self.up else None)

    def said(self) -> list[tuple[str, str]]:
        """Kind and number of what was sent since the last look."""
        out = [(o.kind.value, o.address) for o in self.sent]
        self.sent = []
        return out


@dataclass
class OnDuty:
    """One person a role."""

    people: dict[Role, str]

    def reach(
        self,
        site: str,  # noqa: ARG002 - of the port
        area: str | None,  # noqa: ARG002
        role: Role,
        now_ms: int,  # noqa: ARG002
    ) -> Sequence[Person]:
        """Who has the role."""
        phone = self.people.get(role)
        return [Person(id=role.value, name=role.value, phone=phone)] if phone else []


EVERYBODY = {Role.OFFICER: OFFICER, Role.MANAGER: MANAGER, Role.SUPERVISOR: SUPERVISOR}


def text(facts: Facts, lang: str, channel: Channel) -> Text:
    """The product's own texts."""
    return render(facts, lang, channel, signature="安充")


@dataclass
class Stage:
    """A line, its clock and what it is joined to."""

    line: Line
    faultline: FaultLine
    now_ms: int = NOON

    def raised(self, *findings: Finding) -> None:
        """The rules have found these, now."""
        for finding in findings:
            self.faultline.transition(Transition(Change.RAISED, finding, self.now_ms))

    async def after(self, seconds: float, *faults: Fault) -> list[tuple[str, str]]:
        """What is said when the line has its turn that much later."""
        self.now_ms += round(seconds * S)
        await self.faultline.turn(faults, self.now_ms)
        return self.line.said()


def stage(people: dict[Role, str] | None = None, fallback: tuple[str, ...] = ()) -> Stage:
    """The packaged site with one person a role."""
    numbers, line = count(1), Line()
    made = Stage(
        line,
        FaultLine(
            line,
            OnDuty(EVERYBODY if people is None else people),
            Places.of([SITE], canary_sites([SITE])),
            text,
            fallback=fallback,
            new_id=lambda: f"id{next(numbers):010}",
            clock_ms=lambda: made.now_ms,
        ),
    )
    return made


def danger(station: str = STATIONS[0], socket: int | None = 3, *, fire: bool = False) -> Finding:
    """A hot socket that was cut, or a fire."""
    return Finding(
        FindingKey(station, socket, "R07" if fire else "R02", "main", NOON),
        Family.ALARM,
        Severity.CRITICAL,
        "smoke" if fire else "socket_hot",
        Act.CUT_STATION if fire else Act.CUT_SOCKET,
        latched=True,
        fire=fire,
        shadow=False,
        raised_ms=NOON,
        evidence={"temp_c": 97.0, "limit_c": 80.0},
    )


SQL = Fault(Reason.SQL_DOWN, "sql")


async def test_a_fault_is_told_once_an_hour_to_manager_and_supervisor() -> None:
    """However long it stands and however often the line has its turn."""
    s = stage()
    both = [("trouble", MANAGER), ("trouble", SUPERVISOR)]
    assert await s.after(0, SQL) == both
    assert await s.after(5, SQL) == []
    assert await s.after(5, SQL, Fault(Reason.JOB_BROKEN, "desk")) == both
    assert await s.after(AGAIN_MS / S - 10, SQL) == both


async def test_a_fire_that_nobody_could_record_reaches_the_officer() -> None:
    """After ten seconds, once, as a fire, with the outcome that is known: ordered."""
    s = stage()
    s.raised(danger(fire=True, socket=None))
    assert await s.after(9.9) == []
    await s.faultline.turn((), s.now_ms + 100)
    (sent,) = s.line.sent
    assert (sent.kind, sent.channel, sent.address) == (Kind.FIRE, Channel.SMS, OFFICER)
    assert sent.text.startswith("火警!")
    assert sent.text.endswith("单号X0001")
    assert len(f"【安充】{sent.text}") <= 70
    s.line.sent = []
    assert await s.after(5) == []


async def test_what_was_recorded_goes_the_ordinary_way() -> None:
    """The line stays silent."""
    s = stage()
    s.raised(danger())
    s.faultline.recorded([Transition(Change.RAISED, danger(), NOON)])
    assert await s.after(60) == []


async def test_warnings_wait_for_sql() -> None:
    """Only fire and danger are told past it; a canary is neither."""
    s = stage()
    warning = Finding(
        FindingKey(STATIONS[0], 3, "R01", "main", NOON),
        Family.ALARM,
        Severity.WARN,
        "socket_warm",
        Act.BLOCK_START,
        latched=False,
        fire=False,
        shadow=False,
        raised_ms=NOON,
    )
    s.raised(warning, danger(canary_id(SITE.id)))
    s.faultline.transition(Transition(Change.CLEARED, danger(), NOON))
    assert await s.after(60) == []


async def test_what_nobody_takes_is_tried_again_with_the_same_id() -> None:
    """So that a provider that had it after all knows it again; not for ever."""
    s = stage()
    s.line.up = False
    s.raised(danger())
    assert await s.after(10) == [("cut", OFFICER)]
    await s.faultline.turn((), s.now_ms + 5 * S)
    await s.faultline.turn((), s.now_ms + 10 * S)
    assert {o.id for o in s.line.sent} == {"id0000000001"}
    s.line.sent = []
    assert await s.after(GIVE_UP_MS / S + 1) == []


async def test_several_sockets_of_a_station_are_one_message() -> None:
    """The worst one is said."""
    s = stage()
    s.raised(danger(socket=1), danger(socket=2), danger(socket=None, fire=True))
    assert await s.after(10) == [("fire", OFFICER)]


async def test_a_storm_is_told_together() -> None:
    """More than three stations at once are one message; at most six are sent in ten minutes."""
    s = stage()
    s.raised(*(danger(station) for station in STATIONS[:3]))
    assert await s.after(10) == [("cut", OFFICER)] * 3
    s.raised(*(danger(station) for station in STATIONS[3:10]))
    assert await s.after(10) == [("storm", OFFICER)]
    s.raised(danger(STATIONS[10]), danger(STATIONS[11]))
    assert await s.after(10) == [("cut", OFFICER)] * 2
    s.raised(*(danger(station) for station in STATIONS[12:16]))
    assert await s.after(10) == []
    assert await s.after(571) == [("storm", OFFICER)]


async def test_where_nobody_is_on_duty_the_fallback_is_told() -> None:
    """And once, though it stands for both roles."""
    s = stage({}, (FALLBACK,))
    s.raised(danger())
    assert await s.after(10, SQL) == [("trouble", FALLBACK), ("cut", FALLBACK)]


async def test_no_two_texts_are_equal() -> None:
    """Providers drop what they have just sent: each has a number of its own."""
    s = stage()
    s.raised(danger(STATIONS[0]), danger(STATIONS[1]))
    await s.faultline.turn([SQL], s.now_ms + 10 * S)
    texts = {(o.address, o.text) for o in s.line.sent}
    assert len(texts) == len(s.line.sent) == 4


async def test_a_text_that_cannot_be_made_is_said_in_plain_words() -> None:
    """An alarm is rather badly worded than unsaid, and that it was is counted."""
    s = stage()

    def broken(facts: Facts, lang: str, channel: Channel) -> Text:
        raise LookupError(facts.kind, lang, channel)

    s.faultline._render = broken
    s.raised(danger())
    await s.faultline.turn((), s.now_ms + 10 * S)
    assert [o.text for o in s.line.sent] == [f"X0001 cut {STATIONS[0]}"]
    assert s.faultline.failures == 1
