"""Photos that people bring to an incident."""

import asyncio
import hashlib
from typing import Final

from sqlalchemy import select

from alerts import audit
from alerts.evidence.attachments import Attachment, Kind, attach, how_many
from alerts.evidence.errors import NoIncidentError, PhotoRefusedError, Refusal
from alerts.evidence.files import EvidenceFiles
from alerts.evidence.images import clean_photo
from alerts.incidents.tables import incident, incident_event
from devices.database import Database

MAX_PHOTOS: Final = 40
"""Of one incident: a link that fell into wrong hands must not fill the disk."""
EVENT: Final = "photo"
"""The kind of the incident's timeline entry."""


async def add_photo(  # noqa: PLR0913 - where, what, by whom and when
    database: Database,
    files: EvidenceFiles,
    *,
    number: str,
    data: bytes,
    by: str,
    at_ms: int,
) -> Attachment:
    """Keep a photo with the incident ``number``; the same photo again is the same attachment.

    What is kept is a new JPEG without any metadata. The timeline and the audit chain say who
    brought it.

    Raises:
        PhotoRefusedError: the file is not taken; its ``refusal`` says why.
        NoIncidentError: there is no such incident.

    """
    async with database.reading() as connection:
        query = select(incident.c.id).where(incident.c.number == number)
        incident_id = (await connection.execute(query)).scalar_one_or_none()
        if incident_id is None:
            raise NoIncidentError(number)
        if await how_many(connection, incident_id, Kind.PHOTO) >= MAX_PHOTOS:
            raise PhotoRefusedError(Refusal.TOO_MANY)
    clean = await asyncio.to_thread(clean_photo, data)
    name = f"photo-{hashlib.sha256(clean).hexdigest()[:16]}.jpg"
    kept = await asyncio.to_thread(files.keep, number, name, clean)
    async with database.writing() as connection:
        before = await how_many(connection, incident_id, Kind.PHOTO)
        added = await attach(
            connection,
            incident_id,
            Kind.PHOTO,
            kept,
            media_type="image/jpeg",
            by=by,
            at_ms=at_ms,
            detail={"sent_bytes": len(data)},
        )
        if await how_many(connection, incident_id, Kind.PHOTO) > before:
            said = {"attachment": added.id, "name": name, "sha256": kept.sha256}
            event = {"incident_id": incident_id, "at_ms": at_ms, "kind": EVENT, "actor": by}
            await connection.execute(incident_event.insert().values(**event, detail=said))
            subject = audit.incident_subject(number)
            await audit.append(
                connection,
                actor=by,
                action="photo.add",
                subject=subject,
                detail=said,
                at_ms=at_ms,
            )
    return added
