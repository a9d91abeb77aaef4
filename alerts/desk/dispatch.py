"""Sending: claim what is due, freeze its text, hand it over, mark what came of it.

A claim is a lease in SQL: whoever is killed between sending and marking loses it, and the
message is sent again with the same id. Nothing is marked before it was sent, so nothing is lost.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import stamina
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.channels.gateway import Sent, Tried
from alerts.channels.port import Channel, Outgoing, Provider, Throttled
from alerts.incidents import escalation
from alerts.incidents.links import mint
from alerts.incidents.model import Incident, Kind, State
from alerts.incidents.plans import DeadlineName, Plans, When
from alerts.incidents.store import Note, incident_by_id, note
from alerts.incidents.telling import cut_outcome
from alerts.outbox import flood, store
from alerts.outbox.model import Facts, MessageState, Text
from alerts.outbox.store import PRIORITY, Attempt, Message
from devices.database import Database
from devices.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

LEASE_MS: Final = 15_000
"""Renewed by each turn while a message is on its way; whoever is killed loses it after this."""
AT_ONCE: Final = 4
"""Messages of one channel handed over and not marked yet, and as many again that are urgent: so
many a kill may double."""
CLAIM_LIMIT: Final = 2_000
AGAIN_MS: Final = 5_000
AGAIN_MOST_MS: Final = 60_000
RECEIPT_WITHIN_MS: Final = 30_000
GIVE_UP_MS: Final = 30 * 60_000
LINKED: Final = frozenset(
    {Kind.FIRE, Kind.CUT, Kind.CUT_FAILED, Kind.ESCALATION, Kind.DRILL, Kind.LINK}
)
"""What carries a one-time link: whoever reads it may act at once."""


class Gateway(Protocol):
    """The ways to people (``alerts.channels.gateway.Gateway``)."""

    async def send(
        self,
        outgoing: Outgoing,
        *,
        closed: Mapping[str, Throttled] | None = ...,
        avoid: frozenset[str] = ...,
    ) -> Sent:
        """Try the providers of the message's channel in order."""

    def of(self, channel: Channel) -> tuple[Provider, ...]:
        """The ways of one channel, in the order in which they are tried."""


class Render(Protocol):
    """Makes texts (``alerts.texts``)."""

    def __call__(self, facts: Facts, lang: str, channel: Channel) -> Text:
        """The text of a message by this way."""


Closed = Callable[[AsyncConnection, Outgoing, int], Awaitable[Mapping[str, Throttled]]]
"""Which providers their quotas close for this message now."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the dispatcher is made of."""

    database: Database
    gateway: Gateway
    render: Render
    closed: Closed
    plans: Plans
    clock_ms: Callable[[], int]
    new_id: Callable[[], str]
    link_base: str = ""  # "cw.example.cn/a/"; empty = messages carry no links
    on_tried: Callable[[Message, Tried], None] = lambda _, __: None
    on_ended: Callable[[Message], None] = lambda _: None  # accepted, or given up


class Dispatcher:
    """Sends what is due: ``turn`` starts it, ``idle`` waits until nothing is on its way."""

    def __init__(self, parts: Parts) -> None:
        """Nothing is on its way."""
        self._p = parts
        self._sending: dict[asyncio.Task[None], str] = {}
        self._slots: dict[tuple[Channel, bool], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(AT_ONCE)
        )
        self.failures = 0  # sendings that broke; their leases end and they are sent again

    async def turn(self, now_ms: int) -> int:
        """Claim what is due and begin to send it; how many messages that are."""
        async with self._p.database.writing() as connection:
            ours = set(self._sending.values())
            if ours:
                await store.renew(connection, ours, now_ms + LEASE_MS)
            found = await store.waiting(connection, now_ms, CLAIM_LIMIT)
            waiting = [m for m in found if m.id not in ours]  # not twice at the same time
            if not waiting:
                return 0
            taken = await self._claim(connection, waiting, now_ms)
        for item in taken:
            task = asyncio.create_task(self._send(item), name=f"message {item.id}")
            self._sending[task] = item.id
            task.add_done_callback(self._done)
        return len(taken)

    async def idle(self) -> None:
        """Until nothing is on its way."""
        while self._sending:
            await asyncio.wait(set(self._sending))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sending.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures += 1
            log.error("a message was not sent; it will be again", error=repr(error))

    # --- claiming ---------------------------------------------------------------------------

    async def _claim(
        self, connection: AsyncConnection, waiting: Sequence[Message], now_ms: int
    ) -> list[Message]:
        lost = [m for m in waiting if m.state is MessageState.SENDING or m.first_sent_ms]
        fresh: dict[tuple[str, Channel], list[Message]] = defaultdict(list)
        for item in waiting:
            if item.state is MessageState.QUEUED and item.first_sent_ms is None:
                fresh[item.address, item.channel].append(item)
        recent = await self._recent(connection, fresh, now_ms)
        taken = [m for m in lost if not await self._dropped(connection, m, now_ms)]
        for (address, channel), items in fresh.items():
            decided = flood.plan(channel, recent[address, channel], items, now_ms)
            taken += [await self._freeze(connection, m, now_ms) for m in decided.single]
            if decided.bundle:
                taken.append(await self._bundle(connection, decided.bundle, now_ms))
            for item in decided.later:
                held = replace(item, due_ms=decided.again_ms, reason="storm: told together later")
                await store.mark(connection, held, was=MessageState.QUEUED)
        await store.take(connection, taken, now_ms + LEASE_MS)
        return taken

    async def _recent(
        self,
        connection: AsyncConnection,
        fresh: Mapping[tuple[str, Channel], object],
        now_ms: int,
    ) -> dict[tuple[str, Channel], list[flood.Sent]]:
        recent: dict[tuple[str, Channel], list[flood.Sent]] = defaultdict(list)
        addresses = {address for address, _ in fresh}
        for address, channel, priority, at_ms in await store.sent_lately(
            connection, addresses, now_ms - flood.HOUR_MS
        ):
            # A clock that was set back holds nothing up until it is there again.
            if at_ms <= now_ms:
                recent[address, Channel(channel)].append(flood.Sent(at_ms, priority))
        return recent

    async def _dropped(self, connection: AsyncConnection, item: Message, now_ms: int) -> bool:
        """Whether somebody has answered since an escalation was to be tried again."""
        if item.kind is not Kind.ESCALATION or item.facts.step != DeadlineName.ACKNOWLEDGE:
            return False
        incident = await incident_by_id(connection, item.incident)
        if incident is None or (incident.state is State.OPEN and incident.round == item.round):
            return False
        state = MessageState.ACCEPTED if item.accepted_ms else MessageState.WITHDRAWN
        ended = replace(
            item,
            state=state,
            ended_ms=now_ms,
            lease_ms=None,
            receipt_due_ms=None,
            reason="acknowledged",
        )
        return await store.mark(connection, ended, was=item.state)

    async def _freeze(self, connection: AsyncConnection, item: Message, now_ms: int) -> Message:
        """The text as it will be said, now and whenever it is sent again."""
        incident = await incident_by_id(connection, item.incident)
        facts = item.facts
        if incident is not None and item.kind is not Kind.STORM:
            facts = replace(facts, outcome=await cut_outcome(connection, incident))
        facts = replace(facts, link=await self._link(connection, item, incident, now_ms))
        text = self._text(facts, item)
        return replace(
            item,
            facts=facts,
            text=text.body,
            params=text.params,
            first_sent_ms=now_ms,
            state=MessageState.SENDING,
        )

    def _text(self, facts: Facts, item: Message) -> Text:
        try:
            return self._p.render(facts, item.lang, item.channel)
        except Exception:  # an alarm is rather badly worded than unsaid
            self.failures += 1
            log.exception("a text could not be made", message=item.id, kind=item.kind.value)
            words = f"{facts.number} {item.kind.value} {facts.station_zh or facts.station}"
            return Text(words, {})

    async def _link(
        self,
        connection: AsyncConnection,
        item: Message,
        incident: Incident | None,
        now_ms: int,
    ) -> str:
        wanted = incident is not None and not incident.canary and item.kind in LINKED
        if not (wanted and self._p.link_base) or item.channel is not Channel.SMS:
            return ""  # a link is one phone's: a group could act in that person's name
        token = await mint(
            connection,
            incident_id=item.incident,
            person_id=item.person,
            phone=item.address[:20],
            now_ms=now_ms,
        )
        return f"{self._p.link_base}{token}"

    async def _bundle(
        self, connection: AsyncConnection, items: Sequence[Message], now_ms: int
    ) -> Message:
        """One message for many; they keep their rows and point to it."""
        first = items[0]
        numbers = tuple(dict.fromkeys(m.facts.number for m in items))
        made = self._p.new_id()
        carrier = replace(
            first,
            id=made,
            slot=f"storm-{made}",
            kind=Kind.STORM,
            priority=min(PRIORITY[Kind.STORM], first.priority),
            facts=replace(first.facts, kind=Kind.STORM, others=numbers, at_ms=now_ms),
            created_ms=now_ms,
            due_ms=now_ms,
            reason="",
        )
        await store.add_messages(connection, [carrier])
        await store.bundle(connection, [m.id for m in items], made, now_ms)
        return await self._freeze(connection, carrier, now_ms)

    # --- sending ----------------------------------------------------------------------------

    async def _send(self, item: Message) -> None:
        async with self._slots[item.channel, item.priority == flood.URGENT]:
            await self._hand_over(item)

    async def _hand_over(self, item: Message) -> None:
        now_ms = self._p.clock_ms()
        outgoing = Outgoing(
            id=item.id,
            kind=item.kind,
            channel=item.channel,
            address=item.address,
            text=item.text or "",
            params=item.params or {},
            lang=item.lang,
            title=item.facts.number,
        )
        async with self._p.database.reading() as connection:
            closed = await self._p.closed(connection, outgoing, now_ms)
            tried = await store.attempts_of(connection, [item.id])
        avoid = frozenset(a.provider for a in tried if a.outcome in ("accepted", "unknown"))
        sent = await self._p.gateway.send(outgoing, closed=closed, avoid=avoid)
        # The provider has it: forgetting that because SQL is away would send it twice.
        async for again in stamina.retry_context(
            on=DatabaseUnavailable, attempts=None, timeout=LEASE_MS / 1000, wait_max=1.0
        ):
            with again:
                await self._mark(item, sent)

    async def _mark(self, item: Message, sent: Sent) -> None:
        now_ms = self._p.clock_ms()
        async with self._p.database.writing() as connection:
            incident = await incident_by_id(connection, item.incident, lock=True)
            [row] = await store.messages_by_id(connection, [item.id]) or [item]
            after = _after(row, sent, now_ms)
            await store.add_attempts(connection, [_attempt(row, t) for t in sent.tried])
            await store.mark(connection, after, was=row.state)
            if row.delivered_ms is not None:  # its receipt came before we could mark it
                await store.receipt_came(
                    connection, row.id, None, delivered=True, code="", at_ms=row.delivered_ms
                )
            await self._note(connection, after, sent, now_ms)
            if sent.accepted is None and incident is not None:
                await self._hasten(connection, incident, after, now_ms)
        for tried in sent.tried:
            self._p.on_tried(after, tried)
        if after.state is not MessageState.QUEUED:
            self._p.on_ended(after)

    async def _note(
        self, connection: AsyncConnection, after: Message, sent: Sent, now_ms: int
    ) -> None:
        told = {
            "message": after.id,
            "kind": after.kind.value,
            "channel": after.channel.value,
            "person": after.person,
            "tried": [f"{t.provider}: {t.outcome} {t.code}".strip() for t in sent.tried],
        }
        kind = "sent" if sent.accepted else "not_sent"
        ids = [after.incident]
        await note(connection, [Note(i, now_ms, kind, detail=told) for i in ids])

    async def _hasten(
        self, connection: AsyncConnection, incident: Incident, after: Message, now_ms: int
    ) -> None:
        """No provider took it: whoever is called when no receipt comes is called now."""
        if after.channel is Channel.SMS:
            steps = undelivered_steps(self._p.plans, incident)
            await escalation.hasten(connection, incident, steps, now_ms)


def undelivered_steps(plans: Plans, incident: Incident) -> list[str]:
    """The steps of the incident's plan that wait for a receipt."""
    plan = plans.of(incident.urgency)
    return [step.name for step in plan.steps if step.when is When.UNDELIVERED]


def _after(row: Message, sent: Sent, now_ms: int) -> Message:
    attempts = row.attempts + len(sent.tried)
    if sent.accepted is not None:
        at_ms = sent.accepted.ended_ms
        state = row.state if row.state is not MessageState.SENDING else MessageState.ACCEPTED
        return replace(
            row,
            state=state,
            accepted_ms=row.accepted_ms or at_ms,
            receipt_due_ms=_receipt_due(row, sent.accepted),
            provider=sent.accepted.provider,
            attempts=attempts,
            lease_ms=None,
        )
    if row.state is not MessageState.SENDING:
        return replace(row, attempts=attempts)
    reason = "; ".join(f"{t.provider}: {t.code}" for t in sent.tried) or "no way to send it"
    too_late = now_ms - row.created_ms > GIVE_UP_MS
    if sent.retry_after_s is None or too_late:
        state = MessageState.ACCEPTED if row.accepted_ms else MessageState.FAILED
        return replace(
            row,
            state=state,
            attempts=attempts,
            ended_ms=now_ms,
            lease_ms=None,
            receipt_due_ms=None,
            reason=reason,
        )
    wait_ms = max(
        min(AGAIN_MS * 2 ** min(row.attempts, 10), AGAIN_MOST_MS), round(sent.retry_after_s * 1000)
    )
    if row.priority == flood.URGENT:  # a provider's guess of an hour is nothing for a fire
        wait_ms = min(wait_ms, AGAIN_MOST_MS)
    return replace(
        row,
        state=MessageState.QUEUED,
        due_ms=now_ms + wait_ms,
        attempts=attempts,
        lease_ms=None,
        reason=reason,
    )


def _receipt_due(row: Message, accepted: Tried) -> int | None:
    """A text that nobody says has arrived goes another way; once, for a phone may be off."""
    owed = accepted.receipts and row.channel is Channel.SMS and row.receipt_due_ms is None
    return accepted.ended_ms + RECEIPT_WITHIN_MS if owed else None


def _attempt(row: Message, tried: Tried) -> Attempt:
    return Attempt(
        message=row.id,
        provider=tried.provider,
        address=row.address,
        signature=tried.signature,
        template=tried.template,
        kind=row.kind,
        started_ms=tried.started_ms,
        ended_ms=tried.ended_ms,
        outcome=tried.outcome,
        code=tried.code,
        detail=tried.detail,
        ref=tried.ref,
        segments=tried.segments,
    )
