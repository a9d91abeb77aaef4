"""A part of the audit chain that proves itself without showing the rest.

From the first entry that concerns an incident to the last: those that concern it stand whole,
the others only with the digest of their content. Whoever has it can compute every hash up to
the anchor, and ask the product (``chargeward audit verify --expect``) whether that anchor lies
on its chain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import audit
from alerts.audit import Anchor, Entry, chained, content_digest
from alerts.incidents.tables import audit as table

OTHER: Final = "digest"
"""The key under which an entry that concerns somebody else has its digest."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Entries on ``subjects``, between ``since_ms`` and ``until_ms`` (UTC ms; None = open)."""

    subjects: Sequence[str]
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """Links from the hash before the first to the anchor; both None where nothing concerns."""

    previous: str | None
    links: Sequence[Mapping[str, Any]]
    anchor: Anchor | None

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a pack."""
        return {
            "previous": self.previous,
            "links": [dict(link) for link in self.links],
            "anchor": None if self.anchor is None else str(self.anchor),
        }


async def extract(connection: AsyncConnection, concerns: Sequence[Concern]) -> Extract:
    """The part of the chain that ``concerns`` need."""
    c = table.c
    wanted = or_(*(_where(concern) for concern in concerns))
    query = select(func.min(c.seq), func.max(c.seq)).where(wanted)
    first, last = (await connection.execute(query)).one()
    if first is None:
        return Extract(None, (), None)
    mine = set((await connection.execute(select(c.seq).where(wanted))).scalars())
    previous, links, anchor = None, [], None
    async for entry in audit.entries(connection, first, last):
        previous = entry.previous if previous is None else previous
        links.append(_whole(entry) if entry.seq in mine else _digest(entry))
        anchor = Anchor(entry.seq, entry.hash)
    return Extract(previous, tuple(links), anchor)


def concerning(links: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The links that stand whole."""
    return [link for link in links if OTHER not in link]


def holds(said: Mapping[str, Any]) -> bool:
    """Whether an extract (``as_dict``) leads, hash by hash, to the anchor it names."""
    try:
        return _leads(said["previous"], said["links"], said["anchor"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return False  # not even an extract


def _leads(at: str, links: Sequence[Mapping[str, Any]], anchor: str | None) -> bool:
    if anchor is None:
        return not links
    end = Anchor.parse(anchor)
    for seq, link in enumerate(links, end.seq - len(links) + 1):
        if link["seq"] != seq:
            return False
        digest = link[OTHER] if OTHER in link else content_digest(_entry(link, at))
        at = chained(at, digest)
    return bool(links) and at == end.hash


def _where(concern: Concern) -> ColumnElement[bool]:
    c = table.c
    limits: list[ColumnElement[bool]] = [c.subject.in_(list(concern.subjects))]
    if concern.since_ms is not None:
        limits.append(c.at_ms >= concern.since_ms)
    if concern.until_ms is not None:
        limits.append(c.at_ms <= concern.until_ms)
    return and_(*limits)


def _whole(entry: Entry) -> dict[str, Any]:
    kept = asdict(entry)
    del kept["previous"], kept["hash"]  # both follow from the links before
    return kept


def _digest(entry: Entry) -> dict[str, Any]:
    return {"seq": entry.seq, OTHER: content_digest(entry)}


def _entry(link: Mapping[str, Any], previous: str) -> Entry:
    return Entry(**link, previous=previous, hash="")
