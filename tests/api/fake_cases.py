"""Cases in memory: real acts, links' and silences' rules; only SQL and sending are left out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from alerts.channels.port import Channel
from alerts.findings import StoredFinding
from alerts.incidents import links
from alerts.incidents.links import LinkRefusedError, LinkView, Refusal, Session
from alerts.incidents.model import Doing, Incident, Kind, State, Urgency, apply
from alerts.incidents.silences import (
    MAX_MS,
    Silence,
    SilenceFilter,
    SilenceRefusal,
    SilenceRefusedError,
    Wanted,
)
from alerts.incidents.store import Deadline, Event, IncidentFilter
from alerts.oncall.model import Person
from alerts.outbox.model import Facts, MessageState, Outcome
from alerts.outbox.store import Attempt, Message
from api.http.cases import (
    MAX_PHOTO_BYTES,
    Attachment,
    Case,
    PhotoRefusal,
    PhotoRefusedError,
    Sent,
)
from devices.errors import DatabaseUnavailable
from devices.pages import Cursor, Page, page_of
from rules.model import Act, Family, Finding, FindingKey, Severity

PHONE: Final = "+8613800000001"
TOKEN: Final = "abcd01234z"  # noqa: S105 - a made-up one
OTHER_TOKEN: Final = "abcd0000zz"  # noqa: S105 - a made-up one
NUMBER: Final = "F0012"
WORDS: Final = {
    "acknowledge": "acknowledged",
    "arrive": "arrived",
    "report": "reported",
    "close": "closed",
    "reopen": "reopened",
    "comment": "commented",
    "assign": "assigned",
}
PEOPLE: Final = {
    "wang": Person(id="wang", name="王强", phone=PHONE),
    "li": Person(id="li", name="李娜", phone="+8613800000002", lang="en"),
}


def smoke(now_ms: int, station: str = "cmrj-01") -> Finding:
    """Smoke at the station, a quarter of a minute ago."""
    return Finding(
        key=FindingKey(station, None, "R07", "main", now_ms - 15_000),
        family=Family.ALARM,
        severity=Severity.CRITICAL,
        reason="smoke",
        act=Act.CUT_STATION,
        latched=True,
        fire=True,
        shadow=False,
        raised_ms=now_ms - 15_000,
    )


def heat(now_ms: int, station: str = "cmrj-01") -> Finding:
    """Socket 5 hot for half a minute."""
    return Finding(
        key=FindingKey(station, 5, "R02", "sustained", now_ms - 52_000),
        family=Family.ALARM,
        severity=Severity.CRITICAL,
        reason="socket_hot",
        act=Act.CUT_SOCKET,
        latched=True,
        fire=False,
        shadow=False,
        raised_ms=now_ms - 20_000,
        evidence={"temp_c": 82.4, "limit_c": 80.0},
    )


def fire(now_ms: int) -> Case:
    """The case of F0012: smoke and heat, the officer was told, nobody has answered."""
    incident = Incident(
        id=12,
        number=NUMBER,
        site="caimarenjia",
        area="east",
        station="cmrj-01",
        urgency=Urgency.FIRE,
        drill=False,
        canary=False,
        state=State.OPEN,
        round=1,
        opened_ms=now_ms - 20_000,
        first_ms=now_ms - 20_000,
        activity_ms=now_ms - 15_000,
        standing=2,
    )
    opened = incident.opened_ms
    return Case(
        incident=incident,
        findings=(
            StoredFinding(71, heat(now_ms), now_ms - 15_000, None),
            StoredFinding(72, smoke(now_ms), now_ms - 15_000, None),
        ),
        deadlines=(
            Deadline(1, "officer", opened, "fired", opened),
            Deadline(1, "acknowledge", opened + 60_000, "due", None),
            Deadline(1, "call", opened + 60_000, "due", None),
            Deadline(1, "on_site", opened + 300_000, "due", None),
            Deadline(1, "report", opened + 1_800_000, "due", None),
        ),
        events=(
            Event(1, opened, "opened", "system", {"rule": "R02", "socket": 5}),
            Event(2, opened + 900, "told", "system", {"people": ["wang"], "kind": "fire"}),
            Event(3, opened + 1_400, "cut_proven", "system", {"socket": 5, "proof_w": 0.0}),
            Event(4, now_ms - 15_000, "joined", "system", {"rule": "R07", "socket": None}),
        ),
        messages=(_sent(now_ms),),
        people=PEOPLE,
    )


def _sent(now_ms: int) -> Sent:
    facts = Facts(
        kind=Kind.FIRE,
        number=NUMBER,
        at_ms=now_ms - 20_000,
        timezone="Asia/Shanghai",
        site_zh="蔡马人家",
        site_en="Caimarenjia",
        station="cmrj-01",
        socket=5,
        rule="R02",
        reason="socket_hot",
        evidence={"temp_c": 82.4},
        outcome=Outcome.PROVEN,
        fire=True,
    )
    message = Message(
        id="m0000000000a",
        incident=12,
        round=1,
        slot="officer",
        kind=Kind.FIRE,
        channel=Channel.SMS,
        person="wang",
        address=PHONE,
        lang="zh",
        priority=0,
        facts=facts,
        due_ms=now_ms - 20_000,
        created_ms=now_ms - 20_000,
        state=MessageState.DELIVERED,
        text=f"火警!蔡马人家1幢北侧车棚5号座82℃,已断电。cw.example.cn/a/{TOKEN} 单号{NUMBER}",
        first_sent_ms=now_ms - 19_100,
        accepted_ms=now_ms - 18_900,
        delivered_ms=now_ms - 16_000,
        ended_ms=now_ms - 16_000,
        provider="aliyun",
        attempts=1,
    )
    attempt = Attempt(
        message=message.id,
        provider="aliyun",
        address=PHONE,
        signature="安充",
        template="SMS_FIRE",
        kind=Kind.FIRE,
        started_ms=now_ms - 19_100,
        ended_ms=now_ms - 18_900,
        outcome="accepted",
        code="OK",
        detail="",
        ref="9006",
        segments=1,
        receipt="delivered",
        receipt_ms=now_ms - 16_000,
        receipt_code="DELIVERED",
    )
    return Sent(message, (attempt,))


@dataclass(slots=True)
class FakeLink:
    """A link as SQL would have it."""

    number: str
    person: str
    phone: str
    created_ms: int
    used: bool = False
    session: str | None = None
    until_ms: int = 0


class FakeCases:
    """Implements ``api.http.cases.Cases``."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        """One fire, one link to it, no silence."""
        self._now_ms = now_ms
        case = fire(now_ms())
        self.by_number = {case.incident.number: case}
        self.links = {TOKEN: FakeLink(NUMBER, "wang", PHONE, now_ms())}
        self.sent_to: list[str] = []
        self.photos: list[bytes] = []
        self.done: list[tuple[Doing, str]] = []
        self.kept_silences: list[Silence] = []
        self.down = False

    def put(self, case: Case) -> None:
        """Replace or add a case."""
        self.by_number[case.incident.number] = case

    def change(self, **changes: object) -> None:
        """Change the fire's incident."""
        case = self.by_number[NUMBER]
        changed = replace(case.incident, **changes)  # type: ignore[arg-type]  # checked by replace
        self.put(replace(case, incident=changed))

    def _sql(self) -> None:
        if self.down:
            msg = "connection to postgres://secret@db refused"
            raise DatabaseUnavailable(msg)

    async def incidents(
        self, where: IncidentFilter, cursor: str | None, limit: int
    ) -> Page[Incident]:
        """Newest first; only site, station, state, urgency and drill are looked at."""
        self._sql()
        after = None if cursor is None else Cursor.parse(cursor)
        found = [
            case.incident
            for case in self.by_number.values()
            if (where.sites is None or case.incident.site in where.sites)
            and (where.stations is None or case.incident.station in where.stations)
            and (where.states is None or case.incident.state in where.states)
            and (where.urgencies is None or case.incident.urgency in where.urgencies)
            and where.drill in {None, case.incident.drill}
            and (after is None or case.incident.first_ms < after.at_ms)
        ]
        found.sort(key=lambda incident: (incident.first_ms, incident.id), reverse=True)
        rows = [(Cursor(one.first_ms, str(one.id)), one) for one in found]
        return page_of(rows[: limit + 1], limit)

    async def case(self, number: str) -> Case | None:
        """By its number."""
        self._sql()
        return self.by_number.get(number)

    async def person(self, person: str) -> Person | None:
        """One of the two."""
        self._sql()
        return PEOPLE.get(person)

    async def perform(self, incident: int, doing: Doing, *, via: str) -> Incident:
        """The real act; it is noted, and meets its deadlines."""
        self._sql()
        case = next(c for c in self.by_number.values() if c.incident.id == incident)
        after = apply(case.incident, doing)
        detail = {
            "via": via,
            "note": doing.note,
            "cause": doing.cause and doing.cause.value,
            "person": doing.person,
            "again": "yes" if after == case.incident and doing.act != "comment" else None,
        }
        said = {key: value for key, value in detail.items() if value}
        number = len(case.events) + 1
        event = Event(number, doing.at_ms, WORDS[doing.act], doing.by, said)
        self.done.append((doing, via))
        self.put(replace(case, incident=after, events=(*case.events, event)))
        return after

    async def add_photo(self, incident: int, photo: bytes, by: str) -> Attachment:
        """Anything that begins like a picture."""
        self._sql()
        if len(photo) > MAX_PHOTO_BYTES:
            raise PhotoRefusedError(PhotoRefusal.TOO_LARGE)
        if not photo.startswith((b"\xff\xd8", b"\x89PNG", b"RIFF")):
            raise PhotoRefusedError(PhotoRefusal.NO_IMAGE)
        case = next(c for c in self.by_number.values() if c.incident.id == incident)
        number, digest = len(case.attachments) + 1, sha256(photo).hexdigest()
        kept = Attachment(
            number, "photo", f"{number}.jpg", "image/jpeg", len(photo), digest, by, self._now_ms()
        )
        self.photos.append(photo)
        self.put(replace(case, attachments=(*case.attachments, kept)))
        return kept

    async def messages(self, cursor: str | None, limit: int) -> Page[Sent]:
        """All of all cases."""
        self._sql()
        if cursor is not None:
            Cursor.parse(cursor)
        sent = [one for case in self.by_number.values() for one in case.messages]
        return Page(tuple(sent[:limit]), None)

    async def silences(self, where: SilenceFilter, cursor: str | None, limit: int) -> Page[Silence]:
        """Newest first."""
        self._sql()
        if cursor is not None:
            Cursor.parse(cursor)
        found = [
            one
            for one in reversed(self.kept_silences)
            if where.site in {None, one.site}
            and where.station in {None, one.station}
            and (where.at_ms is None or one.in_force(where.at_ms))
        ]
        return Page(tuple(found[:limit]), None)

    async def silence(self, wanted: Wanted) -> Silence:
        """By the rules for R02, which tells of dangers, and for the end."""
        self._sql()
        now_ms = self._now_ms()
        if wanted.rule == "R02":
            raise SilenceRefusedError(SilenceRefusal.DANGER)
        if wanted.until_ms <= now_ms:
            raise SilenceRefusedError(SilenceRefusal.OVER)
        if wanted.until_ms > now_ms + MAX_MS:
            raise SilenceRefusedError(SilenceRefusal.TOO_LONG)
        made = Silence(
            len(self.kept_silences) + 1,
            wanted.site,
            wanted.station,
            wanted.rule,
            now_ms,
            wanted.until_ms,
            wanted.reason,
            wanted.by,
        )
        self.kept_silences.append(made)
        return made

    async def end_silence(self, silence: int, by: str) -> Silence | None:
        """By its number."""
        self._sql()
        assert by
        for index, one in enumerate(self.kept_silences):
            if one.id == silence:
                ended = one if one.ended_ms else replace(one, ended_ms=self._now_ms())
                self.kept_silences[index] = ended
                return ended
        return None

    async def look(self, token: str) -> LinkView | None:
        """By the token, as it was made."""
        self._sql()
        link = self.links.get(token)
        if link is None:
            return None
        case = self.by_number[link.number]
        expires_ms = link.created_ms + links.LINK_MS
        refusal = (
            Refusal.USED if link.used else Refusal.EXPIRED if expires_ms <= self._now_ms() else None
        )
        opened = None if link.session is None else sha256(link.session.encode()).hexdigest()
        return LinkView(
            case.incident.id, link.number, link.person, link.phone, expires_ms, refusal, opened
        )

    async def redeem(self, token: str, new_session: Callable[[], str]) -> Session:
        """Once."""
        seen = await self.look(token)
        if seen is None or seen.refusal is not None:
            raise LinkRefusedError(Refusal.UNKNOWN if seen is None else seen.refusal)  # type: ignore[arg-type]  # mypy cannot narrow through the condition
        link = self.links[token]
        link.used, link.session = True, new_session()
        link.until_ms = self._now_ms() + links.SESSION_MS
        opened = await self.session(link.session)
        assert opened is not None
        return opened

    async def session(self, cookie: str) -> Session | None:
        """Until its end."""
        self._sql()
        for link in self.links.values():
            if link.session == cookie and link.until_ms > self._now_ms():
                incident = self.by_number[link.number].incident
                return Session(
                    cookie,
                    incident.id,
                    link.number,
                    link.person,
                    link.phone,
                    link.until_ms,
                    closed=incident.state is State.CLOSED,
                )
        return None

    async def send_link(self, incident: int, person: str, phone: str) -> int:
        """Once; after that one must wait 42 s."""
        self._sql()
        assert (incident, person) != (0, "")
        if self.sent_to:
            return 41_500
        self.sent_to.append(phone)
        return 0
