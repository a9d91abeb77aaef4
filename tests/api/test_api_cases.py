"""Cases over SQL: everything about an incident of one instant, and links by the real rules."""

import asyncio
from dataclasses import replace
from typing import Final

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.findings import save_transitions
from alerts.incidents import links, store
from alerts.incidents.links import AGAIN_MS, LinkRefusedError
from alerts.incidents.model import Act, Doing, Incident, Kind, State, apply
from alerts.incidents.silences import SilenceFilter, Wanted
from alerts.incidents.store import IncidentFilter, Note
from alerts.incidents.tables import incident_finding
from alerts.oncall.model import Person
from alerts.oncall.tables import person as person_table
from alerts.outbox import store as outbox
from api.cases import SqlCases
from api.http.cases import Attachment
from devices.database import Database
from rules.model import Change, Transition
from tests.alerts_pages.pages_rows import INCIDENT, NOW_MS, put_incident
from tests.api.fake_cases import PEOPLE, PHONE, fire, heat

COOKIE: Final = "c" * 43


class Around:
    """What the cases are given: acts and links in the caller's transaction, photos nowhere."""

    def __init__(self) -> None:
        """A phone that has had no link."""
        self.phone = True

    async def perform(
        self, connection: AsyncConnection, incident_id: int, doing: Doing, *, via: str
    ) -> Incident:
        """The act and its line."""
        before = await store.incident_by_id(connection, incident_id, lock=True)
        assert before is not None
        after = apply(before, doing)
        await store.change_incident(connection, before, after)
        line = Note(incident_id, doing.at_ms, doing.act.value, doing.by, {"via": via})
        await store.note(connection, [line])
        return after

    async def new_link(
        self, connection: AsyncConnection, incident: Incident, person: str, now_ms: int
    ) -> bool:
        """As the desk does it: a message, which will carry the link when it is sent."""
        if self.phone:
            sent = fire(now_ms).messages[0].message
            made = replace(
                sent,
                id=f"m{now_ms}"[:15],
                incident=incident.id,
                slot=f"link-{now_ms}",
                kind=Kind.LINK,
                person=person,
                created_ms=now_ms,
            )
            await outbox.add_messages(connection, [made])
        return self.phone

    async def add_photo(self, incident: Incident, photo: bytes, by: str, now_ms: int) -> Attachment:
        """Its size."""
        return Attachment(incident.id, "photo", "x", "image/jpeg", len(photo), "", by, now_ms)


class Clock:
    """UTC milliseconds that stand still."""

    now_ms = NOW_MS


@pytest.fixture
def around() -> Around:
    """The rest of the product."""
    return Around()


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def cases(database: Database, around: Around, clock: Clock) -> SqlCases:
    """Cases over each kind of database."""
    return SqlCases(
        database, now_ms=lambda: clock.now_ms, acts=around, sending=around, photos=around
    )


async def people(database: Database) -> None:
    """Two people."""
    async with database.writing() as connection:
        rows = [person.model_dump() | {"active": True} for person in PEOPLE.values()]
        await connection.execute(insert(person_table), rows)


async def mint(database: Database, incident: int, token: str, now_ms: int = NOW_MS) -> None:
    """A link for wang."""
    async with database.writing() as connection:
        await links.mint(
            connection,
            incident_id=incident,
            person_id="wang",
            phone=PHONE,
            now_ms=now_ms,
            new_token=lambda: token,
        )


async def test_a_case_is_everything_about_an_incident(database: Database, cases: SqlCases) -> None:
    """Findings, timeline, messages with attempts, and the people who are named in them."""
    await people(database)
    number = await put_incident(database, assignee="li")
    shown = fire(NOW_MS)
    sent = shown.messages[0]
    message = replace(sent.message, incident=number)
    finding = heat(NOW_MS)
    async with database.writing() as connection:
        raised = Transition(Change.RAISED, finding, finding.raised_ms)
        await save_transitions(connection, [raised], NOW_MS)
        row = {"finding_id": 1, "incident_id": number, "added_ms": NOW_MS}
        await connection.execute(insert(incident_finding).values(row))
        await outbox.add_messages(connection, [message])
        await outbox.add_attempts(connection, sent.attempts)
        line = Note(number, NOW_MS, "told", "system", {"people": ["wang"]})
        await store.note(connection, [line])
    case = await cases.case("F0012")
    assert case is not None
    assert case.incident == replace(INCIDENT, id=number, assignee="li")
    assert [stored.finding for stored in case.findings] == [finding]
    assert [(e.kind, e.actor, e.detail) for e in case.events] == [
        ("told", "system", {"people": ["wang"]})
    ]
    assert [(one.message, len(one.attempts)) for one in case.messages] == [(message, 1)]
    assert case.people == PEOPLE
    assert (await cases.messages(None, 50)).items == case.messages
    assert await cases.case("F0013") is None


async def test_people_are_looked_up(database: Database, cases: SqlCases) -> None:
    """By id; nobody of that id is None."""
    await people(database)
    assert await cases.person("li") == Person(
        id="li", name="李娜", phone="+8613800000002", lang="en"
    )
    assert await cases.person("zhao") is None


async def test_an_officer_goes_in_and_acts(database: Database, cases: SqlCases) -> None:
    """Look, redeem, act; the list shows what was done."""
    incident = await put_incident(database)
    await mint(database, incident, "abcd01234z")
    seen = await cases.look("abcd01234z")
    assert seen is not None
    session = await cases.redeem("abcd01234z", lambda: COOKIE)
    assert await cases.session(COOKIE) == session
    doing = Doing(Act.ACKNOWLEDGE, session.person_id, NOW_MS)
    after = await cases.perform(incident, doing, via="link")
    assert after.state is State.ACKNOWLEDGED
    listed = await cases.incidents(IncidentFilter(states=frozenset({after.state})), None, 50)
    assert listed.items == (after,)


async def test_silences_go_through(cases: SqlCases) -> None:
    """Begun, listed, ended."""
    made = await cases.silence(Wanted("caimarenjia", None, None, NOW_MS + 1, "maintenance", "li"))
    assert (await cases.silences(SilenceFilter(), None, 50)).items == (made,)
    assert await cases.end_silence(made.id, "li") == replace(made, ended_ms=NOW_MS)
    assert await cases.end_silence(made.id + 1, "li") is None


async def test_a_photo_belongs_to_an_incident(database: Database, cases: SqlCases) -> None:
    """It is kept with it."""
    incident = await put_incident(database)
    assert (await cases.add_photo(incident, b"jpeg", "wang")).bytes == 4


async def test_links_are_asked_for_once_a_minute(
    database: Database, cases: SqlCases, clock: Clock
) -> None:
    """Also before the message that will carry the link has left."""
    incident = await put_incident(database)
    assert await cases.send_link(incident, "wang", PHONE) == 0
    clock.now_ms += 1_000
    assert await cases.send_link(incident, "wang", PHONE) == AGAIN_MS - 1_000
    await mint(database, incident, "0000000001", clock.now_ms)
    assert await cases.send_link(incident, "wang", PHONE) == AGAIN_MS
    clock.now_ms += AGAIN_MS
    assert await cases.send_link(incident, "wang", PHONE) == 0


async def test_of_two_who_ask_at_once_one_waits(database: Database, cases: SqlCases) -> None:
    """A double press, or two processes: one message."""
    incident = await put_incident(database)
    asked = await asyncio.gather(*(cases.send_link(incident, "wang", PHONE) for _ in range(5)))
    assert sorted(asked) == [0, *[AGAIN_MS] * 4]


async def test_no_link_without_a_phone_or_an_incident(
    database: Database, cases: SqlCases, around: Around
) -> None:
    """Whoever has left gets none."""
    around.phone = False
    incident = await put_incident(database)
    for number in (incident, incident + 1):
        with pytest.raises(LinkRefusedError):
            await cases.send_link(number, "wang", PHONE)
