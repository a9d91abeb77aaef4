"""Another way for what a provider took and did not deliver, or does not say it delivered."""

from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.channels.port import Channel
from alerts.desk.dispatch import Gateway
from alerts.incidents.model import Incident, State
from alerts.incidents.store import Note, incident_by_id, note
from alerts.outbox import store
from alerts.outbox.model import MessageState
from alerts.outbox.store import Message

SWEEP_LIMIT: Final = 200


async def sweep(connection: AsyncConnection, gateway: Gateway, now_ms: int) -> int:
    """What no receipt came for in time goes by another provider, once; how many messages."""
    late = await store.without_receipt(connection, now_ms, SWEEP_LIMIT)
    for item in late:
        incident = await incident_by_id(connection, item.incident)
        if not _asks(incident, item) or not await send_otherwise(
            connection, item, gateway, now_ms, NO_RECEIPT
        ):
            waived = replace(item, receipt_due_ms=None)
            await store.mark(connection, waived, was=MessageState.ACCEPTED)
            continue
        said = {"message": item.id, "person": item.person, "provider": item.provider}
        await note(connection, [Note(item.incident, now_ms, "no_receipt", detail=said)])
    return len(late)


def _asks(incident: Incident | None, item: Message) -> bool:
    """Whether nobody has answered what the message says."""
    if incident is None or incident.round != item.round:
        return False
    return incident.state is State.OPEN


NO_RECEIPT: Final = "no receipt in time"


async def send_otherwise(
    connection: AsyncConnection, item: Message, gateway: Gateway, now_ms: int, reason: str
) -> bool:
    """Queue a message again for a provider that has not had it; whether there is one."""
    tried = await store.attempts_of(connection, [item.id])
    used = frozenset(a.provider for a in tried if a.outcome in ("accepted", "unknown"))
    if not others(gateway, item.channel, used):
        return False
    queued = replace(
        item,
        state=MessageState.QUEUED,
        due_ms=now_ms,
        lease_ms=None,
        receipt_due_ms=item.receipt_due_ms or now_ms,  # asked for already: not a third time
        reason=reason,
    )
    return await store.mark(connection, queued, was=item.state)


def others(gateway: Gateway, channel: Channel, used: frozenset[str]) -> frozenset[str]:
    """The ways of this channel that are not among ``used``."""
    return frozenset(provider.name for provider in gateway.of(channel)) - used
