"""The audit chain: who did what, append-only, each entry bound to all before it.

An entry's ``hash`` is SHA-256 over the hash before it and the digest of its own content, so
that nothing can be changed, taken out or put in without breaking every hash after it. Whoever
keeps a ``HASH@SEQ`` outside (it is printed on every evidence report) can also tell that the
end was cut off, or that all of it was written anew.

Content is hashed in one canonical form that survives both databases' JSON: keys sorted, whole
numbers without a fraction, what JSON cannot hold (NaN, infinity) as null.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Final, Self

from sqlalchemy import Row, Select, Text, cast, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents.tables import audit, audit_head
from devices.database import insert_into

GENESIS: Final = "0" * 64
"""The hash before the first entry."""
MAX_LISTED: Final = 1_000
"""The most entries one list gives."""

_HEAD_ID: Final = 1
_PAGE: Final = 1_000
_ACTOR, _ACTION, _SUBJECT = 64, 40, 120  # lengths of the columns


class Kind(StrEnum):
    """How a chain is broken."""

    ALTERED = "altered"  # the entry is not what was hashed, or does not follow the one before it
    MISSING = "missing"  # there is no entry of this number, but a later one, or the head says so
    HEAD = "head_mismatch"  # the head is not the last entry
    ANCHOR = "anchor_mismatch"  # the chain is whole, but not the one whose hash was kept outside


@dataclass(frozen=True, slots=True)
class Anchor:
    """One point of the chain; what people keep outside as ``HASH@SEQ``. 0 = before all."""

    seq: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``HASH@SEQ``.

        Raises:
            ValueError: it is not 64 hexadecimal digits, ``@`` and a number.

        """
        digest, _, number = text.strip().lower().partition("@")
        whole = number.isascii() and number.isdigit() and len(number) < len(str(2**63))
        if len(digest) != len(GENESIS) or set(digest) - set("0123456789abcdef") or not whole:
            msg = f"{text!r} is no anchor: 64 hexadecimal digits, @ and the entry's number"
            raise ValueError(msg)
        return cls(int(number), digest)

    def __str__(self) -> str:
        """``HASH@SEQ``."""
        return f"{self.hash}@{self.seq}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands in the chain. ``at_ms`` is UTC ms."""

    seq: int
    at_ms: int
    actor: str
    action: str
    subject: str
    detail: Any
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place at which the chain does not hold."""

    seq: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the whole chain found."""

    entries: int  # that were found good
    head: Anchor
    broken: Broken | None = None

    @property
    def ok(self) -> bool:
        """Whether the chain is whole."""
        return self.broken is None


def incident_subject(number: str) -> str:
    """How an incident is called in the chain."""
    return f"incident:{number}"


def station_subject(station: str) -> str:
    """How a station is called in the chain."""
    return f"station:{station}"


async def append(  # noqa: PLR0913 - one argument per column
    connection: AsyncConnection,
    *,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
    at_ms: int,
) -> int:
    """Add an entry in the caller's transaction; its number.

    Writers wait here for each other until they commit, so let it come last in a transaction.
    Names that are longer than their column are cut: an act is never refused for its audit.

    Raises:
        TypeError: ``detail`` holds what is neither text, number, truth, list nor mapping.

    """
    before = await _take(connection)
    entry = Entry(
        seq=before.seq + 1,
        at_ms=at_ms,
        actor=_clean(actor)[:_ACTOR],
        action=_clean(action)[:_ACTION],
        subject=_clean(subject)[:_SUBJECT],
        detail=canonical(detail),
        previous=before.hash,
        hash="",
    )
    digest = chained(before.hash, content_digest(entry))
    row = {name: getattr(entry, name) for name in Entry.__slots__} | {"hash": digest}
    await connection.execute(audit.insert().values(row))
    moved = update(audit_head).where(audit_head.c.id == _HEAD_ID).values(hash=digest)
    await connection.execute(moved)
    return entry.seq


async def head(connection: AsyncConnection) -> Anchor:
    """The end of the chain, as its head says."""
    query = select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.id == _HEAD_ID)
    row = (await connection.execute(query)).first()
    return Anchor(0, GENESIS) if row is None else Anchor(row.seq, row.hash)


async def verify(connection: AsyncConnection, expect: Anchor | None = None) -> Verdict:
    """Check every entry, the head, and ``expect`` if it is given; the first fault found."""
    end = await head(connection)
    at = Anchor(0, GENESIS)
    met = expect is None or expect == at
    async for entry in entries(connection):
        fault = _fault(at, entry)
        if fault is not None:
            return Verdict(at.seq, end, fault)
        at = Anchor(entry.seq, entry.hash)
        met = met or at == expect
    if at != end:
        kind = Kind.MISSING if end.seq > at.seq else Kind.HEAD
        return Verdict(at.seq, end, Broken(at.seq + 1 if kind is Kind.MISSING else at.seq, kind))
    if expect is not None and not met:
        return Verdict(at.seq, end, Broken(expect.seq, Kind.ANCHOR))
    return Verdict(at.seq, end)


async def entries(
    connection: AsyncConnection, first: int | None = None, last: int | None = None
) -> AsyncIterator[Entry]:
    """All entries by number, or those from ``first`` to ``last``; read in pages."""
    after = None if first is None else first - 1
    while True:
        query = _selected().order_by(audit.c.seq).limit(_PAGE)
        if last is not None:
            query = query.where(audit.c.seq <= last)
        if after is not None:
            query = query.where(audit.c.seq > after)
        page = [_entry(row) for row in await connection.execute(query)]
        for entry in page:
            yield entry
        if len(page) < _PAGE:
            return
        after = page[-1].seq


async def newest(
    connection: AsyncConnection,
    *,
    subject: str | None = None,
    actor: str | None = None,
    limit: int = 50,
) -> Sequence[Entry]:
    """The newest entries first, at most ``limit`` and ``MAX_LISTED``."""
    query = _selected().order_by(audit.c.seq.desc()).limit(max(1, min(limit, MAX_LISTED)))
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    if actor is not None:
        query = query.where(audit.c.actor == actor)
    return [_entry(row) for row in await connection.execute(query)]


def content_digest(entry: Entry) -> str:
    """SHA-256 of what an entry says: everything but its place in the chain."""
    content = {
        "seq": entry.seq,
        "at_ms": entry.at_ms,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": canonical(entry.detail),
    }
    text = json.dumps(
        content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=repr
    )  # repr: whatever a meddler put into a column is hashed, and differs
    return hashlib.sha256(text.encode()).hexdigest()


def chained(previous: str, digest: str) -> str:
    """The hash of an entry from the one before it and the digest of its content.

    The content goes in as its digest: a part of the chain can be proven to somebody who may
    not read the rest.
    """
    return hashlib.sha256(f"{previous}\n{digest}".encode()).hexdigest()


def canonical(value: Any) -> Any:
    """``value`` as both databases give it back: what is hashed is what is stored.

    Raises:
        TypeError: it has no JSON form.

    """
    if isinstance(value, str):
        return _clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return {_clean(str(key)): canonical(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(part) for part in value]
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)


def _number(value: float) -> float | int | None:
    """PostgreSQL keeps JSON numbers as decimals: 1e22 comes back whole, -0.0 without its sign."""
    if not isfinite(value):
        return None
    return int(value) if value.is_integer() else value


def _clean(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: NUL and halves of surrogate pairs."""
    whole = str(text).encode("utf-8", "replace").decode()
    return whole.replace("\x00", "\N{REPLACEMENT CHARACTER}")


async def _take(connection: AsyncConnection) -> Anchor:
    """Move the head to the next number, and with it hold all other writers; what it was."""
    c = audit_head.c
    move = update(audit_head).where(c.id == _HEAD_ID).values(seq=c.seq + 1)
    returning = move.returning(c.seq, c.hash)
    row = (await connection.execute(returning)).first()
    if row is None:
        first = insert_into(connection, audit_head).on_conflict_do_nothing(index_elements=["id"])
        await connection.execute(first.values(id=_HEAD_ID, seq=0, hash=GENESIS))
        row = (await connection.execute(returning)).one()
    return Anchor(row.seq - 1, row.hash)


def _fault(before: Anchor, entry: Entry) -> Broken | None:
    if entry.seq > before.seq + 1:
        return Broken(before.seq + 1, Kind.MISSING)
    follows = entry.seq == before.seq + 1 and entry.previous == before.hash
    if not follows or entry.hash != chained(before.hash, content_digest(entry)):
        return Broken(entry.seq, Kind.ALTERED)
    return None


def _selected() -> Select[Any]:
    """All columns; ``detail`` as text, so that what is no JSON any more can be told, not raised."""
    return select(*(c for c in audit.c if c.name != "detail"), cast(audit.c.detail, Text))


def _entry(row: Row[Any]) -> Entry:
    values = {name: getattr(row, name) for name in Entry.__slots__}
    return Entry(**values | {"detail": _parsed(row.detail)})


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # never what was hashed: that was a mapping
