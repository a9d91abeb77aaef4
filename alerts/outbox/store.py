"""Messages at rest: written in the transaction of what caused them, claimed, marked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.channels.port import Channel
from alerts.incidents.model import Kind
from alerts.oncall.model import CANARY
from alerts.outbox.model import Facts, MessageState, Outcome
from alerts.outbox.tables import attempt, message
from devices.database import insert_into
from devices.pages import MAX_PAGE, Cursor, Page, page_of

PRIORITY: Final = {
    Kind.FIRE: 0,
    Kind.CUT_FAILED: 0,
    Kind.LINK: 0,
    Kind.CUT: 1,
    Kind.ESCALATION: 1,
    Kind.STORM: 1,
    Kind.DRILL: 2,
    Kind.TROUBLE: 3,
    Kind.CLEARED: 4,
}
"""What is sent first; 0 may use what is reserved for fire."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person by one way. Times are UTC ms."""

    id: str
    incident: int
    round: int
    slot: str
    kind: Kind
    channel: Channel
    person: str
    address: str
    lang: str
    priority: int
    facts: Facts
    due_ms: int
    created_ms: int
    state: MessageState = MessageState.QUEUED
    text: str | None = None
    params: Mapping[str, str] | None = None
    lease_ms: int | None = None
    first_sent_ms: int | None = None
    accepted_ms: int | None = None
    receipt_due_ms: int | None = None
    delivered_ms: int | None = None
    ended_ms: int | None = None
    provider: str | None = None
    attempts: int = 0
    bundle: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one provider, and what its receipt said later."""

    message: str
    provider: str
    address: str
    signature: str
    template: str
    kind: Kind
    started_ms: int
    ended_ms: int
    outcome: str  # accepted, throttled, retryable, unknown, permanent
    code: str
    detail: str
    ref: str | None
    segments: int
    receipt: str | None = None
    receipt_ms: int | None = None
    receipt_code: str | None = None


async def add_messages(connection: AsyncConnection, messages: Sequence[Message]) -> list[str]:
    """Queue what is new; ids of what was. The same slot, person and way is said once a round."""
    if not messages:
        return []
    insertion = insert_into(connection, message).on_conflict_do_nothing(
        index_elements=["incident_id", "round", "slot", "channel", "person_id"]
    )
    rows = [message_row(item) for item in messages]
    return list((await connection.execute(insertion.returning(message.c.id), rows)).scalars())


async def messages_of(
    connection: AsyncConnection, incident_id: int, round_: int | None = None
) -> list[Message]:
    """All messages of an incident, or of one of its rounds, oldest first."""
    c = message.c
    query = select(message).where(c.incident_id == incident_id)
    if round_ is not None:
        query = query.where(c.round == round_)
    rows = await connection.execute(query.order_by(c.created_ms, c.id))
    return [message_from(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's way


async def messages_by_id(connection: AsyncConnection, ids: Iterable[str]) -> list[Message]:
    """These messages, as far as they exist."""
    query = select(message).where(message.c.id.in_(sorted(set(ids))))
    rows = await connection.execute(query)
    return [message_from(row._mapping) for row in rows]  # noqa: SLF001


async def list_messages(
    connection: AsyncConnection, cursor: str | None = None, limit: int = 50
) -> Page[Message]:
    """One page of all messages to people, newest first; ``limit`` between 1 and ``MAX_PAGE``.

    Raises:
        CursorError: ``cursor`` was not given out by this list.

    """
    limit = max(1, min(limit, MAX_PAGE))
    c = message.c
    query = select(message).where(c.person_id != CANARY)
    query = query.order_by(c.created_ms.desc(), c.id.desc()).limit(limit + 1)
    if cursor is not None:
        last = Cursor.parse(cursor)
        older = and_(c.created_ms == last.at_ms, c.id < last.id)
        query = query.where(or_(c.created_ms < last.at_ms, older))
    rows = await connection.execute(query)
    items = [message_from(row._mapping) for row in rows]  # noqa: SLF001
    return page_of([(Cursor(m.created_ms, m.id), m) for m in items], limit)


async def attempts_of(connection: AsyncConnection, ids: Iterable[str]) -> list[Attempt]:
    """What was tried for these messages, in order."""
    c = attempt.c
    query = select(attempt).where(c.message_id.in_(sorted(set(ids)))).order_by(c.id)
    return [_attempt(row._mapping) for row in await connection.execute(query)]  # noqa: SLF001


async def add_attempts(connection: AsyncConnection, attempts: Sequence[Attempt]) -> None:
    """Write down what was tried."""
    rows = [
        {
            "message_id": a.message,
            "provider": a.provider,
            "address": a.address,
            "signature": a.signature,
            "template": a.template,
            "kind": a.kind.value,
            "started_ms": a.started_ms,
            "ended_ms": a.ended_ms,
            "outcome": a.outcome,
            "code": a.code[:80],
            "detail": a.detail[:200],
            "provider_ref": a.ref,
            "segments": a.segments,
        }
        for a in attempts
    ]
    if rows:
        await connection.execute(insert(attempt), rows)


async def waiting(connection: AsyncConnection, now_ms: int, limit: int) -> list[Message]:
    """Messages that are due, and those whose sender has not come back; urgent ones first."""
    c = message.c
    due = and_(c.state == MessageState.QUEUED.value, c.due_ms <= now_ms)
    lost = and_(c.state == MessageState.SENDING.value, c.lease_ms < now_ms)
    query = (
        select(message)
        .where(or_(due, lost))
        .order_by(c.priority, c.due_ms, c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = await connection.execute(query)
    return [message_from(row._mapping) for row in rows]  # noqa: SLF001


async def without_receipt(connection: AsyncConnection, now_ms: int, limit: int) -> list[Message]:
    """Messages that a provider took and whose receipt should have come by now."""
    c = message.c
    query = (
        select(message)
        .where(c.state == MessageState.ACCEPTED.value, c.receipt_due_ms <= now_ms)
        .order_by(c.receipt_due_ms, c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = await connection.execute(query)
    return [message_from(row._mapping) for row in rows]  # noqa: SLF001


async def sent_lately(
    connection: AsyncConnection, addresses: Iterable[str], since_ms: int
) -> list[tuple[str, str, int, int]]:
    """(address, channel, priority, first sent) of what left since then, oldest first."""
    c = message.c
    query = (
        select(c.address, c.channel, c.priority, c.first_sent_ms)
        .where(
            c.address.in_(sorted(set(addresses))),
            c.first_sent_ms > since_ms,
            c.state != MessageState.BUNDLED.value,
        )
        .order_by(c.first_sent_ms)
    )
    return [tuple(row) for row in await connection.execute(query)]


async def renew(connection: AsyncConnection, ids: Iterable[str], lease_ms: int) -> None:
    """We are still sending these: nobody else may until ``lease_ms``.

    One that somebody is marking in this instant is left to them.
    """
    c = message.c
    sending = and_(c.id.in_(sorted(ids)), c.state == MessageState.SENDING.value)
    free = select(c.id).where(sending).order_by(c.id).with_for_update(skip_locked=True)
    ours = list((await connection.execute(free)).scalars())
    if ours:
        await connection.execute(update(message).where(c.id.in_(ours)).values(lease_ms=lease_ms))


async def take(connection: AsyncConnection, items: Sequence[Message], lease_ms: int) -> None:
    """Mark as being sent until ``lease_ms``, with texts frozen; the rows are locked by us."""
    for item in items:
        await connection.execute(
            update(message)
            .where(message.c.id == item.id)
            .values(
                state=MessageState.SENDING.value,
                lease_ms=lease_ms,
                text=item.text,
                params=dict(item.params) if item.params is not None else None,
                facts=facts_document(item.facts),
                first_sent_ms=item.first_sent_ms,
            )
        )


async def mark(connection: AsyncConnection, item: Message, *, was: MessageState) -> bool:
    """Write how a message stands now, where it still stood as ``was``; whether it did."""
    result = await connection.execute(
        update(message)
        .where(message.c.id == item.id, message.c.state == was.value)
        .values(
            state=item.state.value,
            due_ms=item.due_ms,
            lease_ms=item.lease_ms,
            accepted_ms=item.accepted_ms,
            receipt_due_ms=item.receipt_due_ms,
            delivered_ms=item.delivered_ms,
            ended_ms=item.ended_ms,
            provider=item.provider,
            attempts=item.attempts,
            bundle_id=item.bundle,
            reason=item.reason[:200],
        )
    )
    return bool(result.rowcount)


async def bundle(
    connection: AsyncConnection, ids: Sequence[str], carrier: str, now_ms: int
) -> None:
    """These queued messages are said by ``carrier``."""
    c = message.c
    for start in range(0, len(ids), 1_000):
        await connection.execute(
            update(message)
            .where(c.id.in_(ids[start : start + 1_000]), c.state == MessageState.QUEUED.value)
            .values(
                state=MessageState.BUNDLED.value,
                bundle_id=carrier,
                ended_ms=now_ms,
                first_sent_ms=now_ms,
            )
        )


async def withdraw(
    connection: AsyncConnection,
    incident_id: int,
    now_ms: int,
    reason: str,
    *,
    spare: Iterable[Kind] = (),
) -> None:
    """What waits to be sent of an incident need not be, nor again; but for ``spare``."""
    c = message.c
    waits = and_(
        c.incident_id == incident_id,
        c.state == MessageState.QUEUED.value,
        c.kind.not_in(sorted(kind.value for kind in spare)),
    )
    for taken, state in (
        (c.accepted_ms.is_(None), MessageState.WITHDRAWN),
        (c.accepted_ms.is_not(None), MessageState.ACCEPTED),  # it waited for another provider
    ):
        ended = {"state": state.value, "ended_ms": now_ms, "reason": reason, "receipt_due_ms": None}
        await connection.execute(update(message).where(waits, taken).values(ended))


async def release_held(
    connection: AsyncConnection, incident_ids: Sequence[int], now_ms: int
) -> None:
    """The cut is proven or has failed: what waited to say so goes now."""
    c = message.c
    if incident_ids:
        await connection.execute(
            update(message)
            .where(
                c.incident_id.in_(incident_ids),
                c.state == MessageState.QUEUED.value,
                c.first_sent_ms.is_(None),
                c.reason == HELD,
                c.due_ms > now_ms,
            )
            .values(due_ms=now_ms)
        )


async def message_of_attempt(
    connection: AsyncConnection, ref: str | None, message_id: str | None
) -> Message | None:
    """The message that a provider's id, or ours that came back, stands for."""
    ids = [message_id] if message_id else []
    if ref:
        query = select(attempt.c.message_id).where(attempt.c.provider_ref == ref).limit(1)
        ids += list((await connection.execute(query)).scalars())
    found = await messages_by_id(connection, ids)
    return found[0] if found else None


async def receipt_came(  # noqa: PLR0913 - what a receipt says
    connection: AsyncConnection,
    message_id: str,
    ref: str | None,
    *,
    delivered: bool,
    code: str,
    at_ms: int,
) -> None:
    """Write a receipt beside its attempt; the first one stands. No ``ref``: the accepted one."""
    c = attempt.c
    which = c.provider_ref == ref if ref else c.outcome.in_(["accepted", "unknown"])
    await connection.execute(
        update(attempt)
        .where(c.message_id == message_id, which, c.receipt.is_(None))
        .values(
            receipt="delivered" if delivered else "undelivered",
            receipt_ms=at_ms,
            receipt_code=code[:80],
        )
    )


async def newest_to(connection: AsyncConnection, address: str, since_ms: int) -> Message | None:
    """The newest message that left for this phone since then, if any."""
    c = message.c
    query = (
        select(message)
        .where(
            c.address == address,
            c.first_sent_ms >= since_ms,
            c.state != MessageState.BUNDLED.value,
            c.kind.not_in([Kind.LINK.value, Kind.CLEARED.value]),
        )
        .order_by(c.first_sent_ms.desc(), c.created_ms.desc(), c.id.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else message_from(row._mapping)  # noqa: SLF001


async def bundled_in(connection: AsyncConnection, carrier: str) -> list[Message]:
    """The messages that one message stands for."""
    rows = await connection.execute(select(message).where(message.c.bundle_id == carrier))
    return [message_from(row._mapping) for row in rows]  # noqa: SLF001


HELD: Final = "waits for the proof of the cut"


async def next_due(connection: AsyncConnection) -> int | None:
    """When a message is to be sent next, a lost lease ends, or a receipt is due, UTC ms."""
    c = message.c
    queued = select(func.min(c.due_ms)).where(c.state == MessageState.QUEUED.value)
    leased = select(func.min(c.lease_ms) + 1).where(c.state == MessageState.SENDING.value)
    owed = select(func.min(c.receipt_due_ms)).where(c.state == MessageState.ACCEPTED.value)
    queries = (queued, leased, owed)
    found = [(await connection.execute(query)).scalar_one_or_none() for query in queries]
    return min((moment for moment in found if moment is not None), default=None)


def message_row(item: Message) -> dict[str, Any]:
    """The columns of a message."""
    return {
        "id": item.id,
        "incident_id": item.incident,
        "round": item.round,
        "slot": item.slot,
        "kind": item.kind.value,
        "channel": item.channel.value,
        "person_id": item.person,
        "address": item.address,
        "lang": item.lang,
        "priority": item.priority,
        "state": item.state.value,
        "facts": facts_document(item.facts),
        "text": item.text,
        "params": dict(item.params) if item.params is not None else None,
        "due_ms": item.due_ms,
        "lease_ms": item.lease_ms,
        "created_ms": item.created_ms,
        "first_sent_ms": item.first_sent_ms,
        "accepted_ms": item.accepted_ms,
        "receipt_due_ms": item.receipt_due_ms,
        "delivered_ms": item.delivered_ms,
        "ended_ms": item.ended_ms,
        "provider": item.provider,
        "attempts": item.attempts,
        "bundle_id": item.bundle,
        "reason": item.reason,
    }


def message_from(row: Any) -> Message:
    """A message of a mapping of its columns."""
    return Message(
        id=row["id"],
        incident=row["incident_id"],
        round=row["round"],
        slot=row["slot"],
        kind=Kind(row["kind"]),
        channel=Channel(row["channel"]),
        person=row["person_id"],
        address=row["address"],
        lang=row["lang"],
        priority=row["priority"],
        facts=facts_from(row["facts"]),
        due_ms=row["due_ms"],
        created_ms=row["created_ms"],
        state=MessageState(row["state"]),
        text=row["text"],
        params=row["params"],
        lease_ms=row["lease_ms"],
        first_sent_ms=row["first_sent_ms"],
        accepted_ms=row["accepted_ms"],
        receipt_due_ms=row["receipt_due_ms"],
        delivered_ms=row["delivered_ms"],
        ended_ms=row["ended_ms"],
        provider=row["provider"],
        attempts=row["attempts"],
        bundle=row["bundle_id"],
        reason=row["reason"],
    )


def facts_document(facts: Facts) -> dict[str, Any]:
    """Facts as a JSON document."""
    return asdict(facts) | {"others": list(facts.others)}


def facts_from(document: Mapping[str, Any]) -> Facts:
    """Facts of a stored document."""
    facts = Facts(**document)
    return replace(
        facts,
        kind=Kind(facts.kind),
        outcome=Outcome(facts.outcome),
        others=tuple(facts.others),
    )


def _attempt(row: Any) -> Attempt:
    return Attempt(
        message=row["message_id"],
        provider=row["provider"],
        address=row["address"],
        signature=row["signature"],
        template=row["template"],
        kind=Kind(row["kind"]),
        started_ms=row["started_ms"],
        ended_ms=row["ended_ms"],
        outcome=row["outcome"],
        code=row["code"],
        detail=row["detail"],
        ref=row["provider_ref"],
        segments=row["segments"],
        receipt=row["receipt"],
        receipt_ms=row["receipt_ms"],
        receipt_code=row["receipt_code"],
    )
