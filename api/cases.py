"""Incidents, messages, silences and officers' links over SQL, each question one transaction.

What it cannot do by itself it is given: acts, which know the response plans; the sending of a
link, which knows the texts; the keeping of a photo, which knows the disk.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents import links, silences, store
from alerts.incidents.links import LinkRefusedError, LinkView, Session
from alerts.incidents.model import Doing, Incident, Kind
from alerts.incidents.silences import Silence, SilenceFilter, Wanted
from alerts.incidents.store import IncidentFilter
from alerts.incidents.tables import attachment
from alerts.oncall.model import Person
from alerts.oncall.tables import person as person_table
from alerts.outbox import store as outbox
from alerts.outbox.store import Message
from api.http.cases import Attachment, Case, Sent
from devices.database import Database
from devices.pages import Page


class Acting(Protocol):
    """Does acts in the caller's transaction."""

    async def perform(
        self, connection: AsyncConnection, incident_id: int, doing: Doing, *, via: str
    ) -> Incident:
        """The incident after the act. Raises ActRefusedError."""
        ...


class LinkSending(Protocol):
    """Queues a message that will carry a fresh link, in the caller's transaction."""

    async def new_link(
        self, connection: AsyncConnection, incident: Incident, person: str, now_ms: int
    ) -> bool:
        """To the person's own phone; whether there is one and it has not had too many."""
        ...


class PhotoKeeping(Protocol):
    """Keeps photos beside the database."""

    async def add_photo(self, incident: Incident, photo: bytes, by: str, now_ms: int) -> Attachment:
        """Keep it. Raises PhotoRefusedError."""
        ...


class SqlCases:
    """Implements ``api.http.cases.Cases``."""

    def __init__(
        self,
        database: Database,
        *,
        now_ms: Callable[[], int],
        acts: Acting,
        sending: LinkSending,
        photos: PhotoKeeping,
    ) -> None:
        """``now_ms`` gives UTC milliseconds."""
        self._database = database
        self._now_ms = now_ms
        self._acts = acts
        self._sending = sending
        self._photos = photos

    async def incidents(
        self, where: IncidentFilter, cursor: str | None, limit: int
    ) -> Page[Incident]:
        """Incidents."""
        async with self._database.reading() as connection:
            return await store.list_incidents(connection, where, cursor, limit)

    async def case(self, number: str) -> Case | None:
        """Everything about one incident, of one instant."""
        async with self._database.reading() as connection:
            incident = await store.get_incident(connection, number)
            if incident is None:
                return None
            events = await store.timeline(connection, incident.id)
            sent = await _with_attempts(
                connection, await outbox.messages_of(connection, incident.id)
            )
            named = {event.actor for event in events}
            named |= {who for event in events for who in event.detail.get("people", ())}
            named |= {one.message.person for one in sent}
            named |= {incident.assignee} if incident.assignee else set()
            return Case(
                incident=incident,
                findings=tuple(await store.findings_of(connection, incident.id)),
                deadlines=tuple(await store.deadlines(connection, incident.id)),
                events=tuple(events),
                messages=sent,
                attachments=await _attachments(connection, incident.id),
                people=await _people(connection, named),
            )

    async def person(self, person: str) -> Person | None:
        """Somebody who can be told."""
        async with self._database.reading() as connection:
            return (await _people(connection, {person})).get(person)

    async def perform(self, incident: int, doing: Doing, *, via: str) -> Incident:
        """The incident after the act."""
        async with self._database.writing() as connection:
            return await self._acts.perform(connection, incident, doing, via=via)

    async def add_photo(self, incident: int, photo: bytes, by: str) -> Attachment:
        """Keep a photo, and say so on the timeline."""
        async with self._database.reading() as connection:
            found = await store.incident_by_id(connection, incident)
        if found is None:
            raise LookupError(incident)
        return await self._photos.add_photo(found, photo, by, self._now_ms())

    async def messages(self, cursor: str | None, limit: int) -> Page[Sent]:
        """The ledger."""
        async with self._database.reading() as connection:
            page = await outbox.list_messages(connection, cursor, limit)
            return Page(await _with_attempts(connection, page.items), page.next)

    async def silences(self, where: SilenceFilter, cursor: str | None, limit: int) -> Page[Silence]:
        """Silences."""
        async with self._database.reading() as connection:
            return await silences.list_silences(connection, where, cursor, limit)

    async def silence(self, wanted: Wanted) -> Silence:
        """Begin a silence."""
        async with self._database.writing() as connection:
            return await silences.add(connection, wanted, self._now_ms())

    async def end_silence(self, silence: int, by: str) -> Silence | None:
        """End a silence."""
        async with self._database.writing() as connection:
            return await silences.end(connection, silence, by, self._now_ms())

    async def look(self, token: str) -> LinkView | None:
        """What a link leads to."""
        async with self._database.reading() as connection:
            return await links.look(connection, token, self._now_ms())

    async def redeem(self, token: str, new_session: Callable[[], str]) -> Session:
        """Use a link up."""
        async with self._database.writing() as connection:
            return await links.redeem(connection, token, self._now_ms(), new_session)

    async def session(self, cookie: str) -> Session | None:
        """Whose session it is."""
        async with self._database.reading() as connection:
            return await links.session(connection, cookie, self._now_ms())

    async def send_link(self, incident: int, person: str, phone: str) -> int:
        """Send a new link; ms to wait when it is too soon, else 0."""
        now_ms = self._now_ms()
        async with self._database.writing() as connection:
            # The incident's row is locked, so that of two who ask at once one waits and is told.
            found = await store.incident_by_id(connection, incident, lock=True)
            wait_ms = await links.pause_ms(
                connection, incident_id=incident, phone=phone, now_ms=now_ms
            )
            if found is None:
                raise LinkRefusedError(links.Refusal.UNKNOWN)
            wait_ms = max(wait_ms, await _still_asked(connection, found, person, now_ms))
            if wait_ms:
                return wait_ms
            if not await self._sending.new_link(connection, found, person, now_ms):
                raise LinkRefusedError(links.Refusal.UNKNOWN)
            return 0


async def _still_asked(
    connection: AsyncConnection, incident: Incident, person: str, now_ms: int
) -> int:
    """How long a link that was asked for counts before it is made, which is when it is sent."""
    asked = [
        message.created_ms
        for message in await outbox.messages_of(connection, incident.id, incident.round)
        if message.kind is Kind.LINK and message.person == person
    ]
    return max(0, max(asked, default=0) + links.AGAIN_MS - now_ms)


async def _with_attempts(
    connection: AsyncConnection, messages: Iterable[Message]
) -> tuple[Sent, ...]:
    listed = tuple(messages)
    attempts = await outbox.attempts_of(connection, (message.id for message in listed))
    return tuple(
        Sent(message, tuple(one for one in attempts if one.message == message.id))
        for message in listed
    )


async def _attachments(connection: AsyncConnection, incident_id: int) -> tuple[Attachment, ...]:
    c = attachment.c
    query = select(attachment).where(c.incident_id == incident_id).order_by(c.id)
    return tuple(
        Attachment(
            id=row.id,
            kind=row.kind,
            name=row.name,
            media_type=row.media_type,
            bytes=row.bytes,
            sha256=row.sha256,
            by=row.by,
            at_ms=row.at_ms,
            detail=row.detail,
        )
        for row in await connection.execute(query)
    )


async def _people(connection: AsyncConnection, ids: Iterable[str]) -> Mapping[str, Person]:
    query = select(person_table).where(person_table.c.id.in_(sorted(set(ids))))
    return {
        row.id: Person(
            id=row.id,
            name=row.name,
            phone=row.phone,
            email=row.email,
            robot=row.robot,
            lang=row.lang,
        )
        for row in await connection.execute(query)
    }
