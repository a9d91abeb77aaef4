"""The register of frozen files: what each is, from whom, and its digest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.evidence.files import Kept
from alerts.incidents.tables import attachment

SYSTEM: Final = "system"
"""Who froze what no person brought."""


class Kind(StrEnum):
    """What a file is."""

    FRAMES = "frames"  # readings of the stations, CSV
    RULES = "rules"  # the rule settings in force, JSON
    STILL = "still"  # from a camera, as it came
    PHOTO = "photo"  # from a person, made anew without metadata


@dataclass(frozen=True, slots=True)
class Attachment:
    """One frozen file. ``at_ms``: when it was frozen, UTC ms."""

    id: int
    incident_id: int
    kind: Kind
    name: str
    media_type: str
    bytes: int
    sha256: str
    by: str
    at_ms: int
    detail: Mapping[str, Any]


async def attach(  # noqa: PLR0913 - one argument per column
    connection: AsyncConnection,
    incident_id: int,
    kind: Kind,
    kept: Kept,
    *,
    media_type: str,
    by: str,
    at_ms: int,
    detail: Mapping[str, Any],
) -> Attachment:
    """Register a file; one that is registered under this name and digest is not added again."""
    c = attachment.c
    same = select(attachment).where(
        c.incident_id == incident_id, c.name == kept.name, c.sha256 == kept.sha256
    )
    known = (await connection.execute(same)).first()
    if known is not None:
        return _attachment(known)
    row = {
        "incident_id": incident_id,
        "kind": kind.value,
        "name": kept.name,
        "media_type": media_type,
        "bytes": kept.bytes,
        "sha256": kept.sha256,
        "by": by,
        "at_ms": at_ms,
        "detail": dict(detail),
    }
    added = await connection.execute(attachment.insert().values(row).returning(*attachment.c))
    return _attachment(added.one())


async def attachments(connection: AsyncConnection, incident_id: int) -> Sequence[Attachment]:
    """The files of an incident in the order in which they were registered."""
    c = attachment.c
    query = select(attachment).where(c.incident_id == incident_id).order_by(c.id)
    return [_attachment(row) for row in await connection.execute(query)]


async def how_many(connection: AsyncConnection, incident_id: int, kind: Kind) -> int:
    """How many files of one kind an incident has."""
    c = attachment.c
    query = select(func.count()).where(c.incident_id == incident_id, c.kind == kind.value)
    return int((await connection.execute(query)).scalar_one())


def _attachment(row: Row[Any]) -> Attachment:
    values = {name: getattr(row, name) for name in Attachment.__slots__}
    return Attachment(**values | {"kind": Kind(row.kind)})
