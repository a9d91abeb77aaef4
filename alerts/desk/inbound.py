"""What comes back from the providers, applied: receipts to messages, answers to incidents.

Only a person's own word acknowledges; a receipt says no more than that a phone has it.
"""

from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.callbacks.events import CallResult, Receipt, Reply
from alerts.channels.port import Channel
from alerts.desk.dispatch import Gateway, undelivered_steps
from alerts.desk.otherwise import send_otherwise
from alerts.incidents import escalation
from alerts.incidents.acts import Acts
from alerts.incidents.model import Act, ActRefusedError, Doing, Incident, Kind, State
from alerts.incidents.plans import Plans
from alerts.incidents.store import Note, get_incident, incident_by_id, note
from alerts.incidents.telling import OnCall, Teller, Telling
from alerts.outbox import store
from alerts.outbox.model import MessageState
from alerts.outbox.store import Message
from alerts.texts.replies import ReplyAct, parse_reply

REPLY_WITHIN_MS: Final = 24 * 3_600_000
"""A bare "1" is about the newest message of this time."""
LINKS_PER_ROUND: Final = 10
_KEY_ACKNOWLEDGES: Final = "1"
_ACTS: Final = {ReplyAct.ACKNOWLEDGE: Act.ACKNOWLEDGE, ReplyAct.ARRIVE: Act.ARRIVE}


class Inbound:
    """Implements ``alerts.callbacks.inbox.Desk``; everything in the caller's transaction."""

    def __init__(
        self, oncall: OnCall, acts: Acts, teller: Teller, gateway: Gateway, plans: Plans
    ) -> None:
        """``oncall`` knows whose phone it is."""
        self._oncall = oncall
        self._acts = acts
        self._teller = teller
        self._gateway = gateway
        self._plans = plans

    async def receipt(self, connection: AsyncConnection, came: Receipt, now_ms: int) -> bool:
        """A delivery receipt; whether it is of a message of ours."""
        found = await self._of_ours(connection, came)
        if found is None:
            return False
        await store.receipt_came(
            connection, found.id, came.ref, delivered=came.delivered, code=came.code, at_ms=now_ms
        )
        if came.delivered:
            await self._delivered(connection, found, now_ms)
        else:
            await self._undelivered(connection, found, came.code, now_ms)
        return True

    async def call_result(self, connection: AsyncConnection, came: CallResult, now_ms: int) -> bool:
        """What became of a call; key 1 acknowledges. Whether it is a call of ours."""
        found = await self._of_ours(connection, came)
        if found is None:
            return False
        await store.receipt_came(
            connection, found.id, came.ref, delivered=came.answered, code=came.code, at_ms=now_ms
        )
        if not came.answered:
            ended = replace(
                found,
                state=MessageState.UNDELIVERED,
                ended_ms=now_ms,
                reason=came.code or "unanswered",
            )
            await store.mark(connection, ended, was=found.state)
            said = {"message": found.id, "person": found.person, "code": came.code}
            await note(connection, [Note(found.incident, now_ms, "call_unanswered", detail=said)])
            return True
        await self._delivered(connection, found, now_ms)
        if came.dtmf.startswith(_KEY_ACKNOWLEDGES):
            doing = Doing(Act.ACKNOWLEDGE, found.person, now_ms)
            for incident in await self._meant(connection, found):
                await self._act(connection, incident, doing, "voice")
        return True

    async def _of_ours(
        self, connection: AsyncConnection, came: Receipt | CallResult
    ) -> Message | None:
        """The message it is about, as it stands once nobody else can change it."""
        found = await store.message_of_attempt(connection, came.ref, came.message_id)
        if found is None:
            return None
        await incident_by_id(connection, found.incident, lock=True)
        [row] = await store.messages_by_id(connection, [found.id])
        return row

    async def reply(self, connection: AsyncConnection, came: Reply, now_ms: int) -> str:
        """A person's text; in one word, what it did."""
        person = self._oncall.by_phone(came.phone)
        if person is None or person.phone is None:
            return "unknown_number"
        understood = parse_reply(came.text)
        if understood.act is ReplyAct.UNKNOWN:
            return "not_understood"
        if understood.number is None:
            newest = await store.newest_to(connection, person.phone, now_ms - REPLY_WITHIN_MS)
            incidents = [] if newest is None else await self._meant(connection, newest)
        else:
            incidents = await self._named(connection, understood.number, person.phone)
        if not incidents:
            return "wrong_incident"
        if understood.act is ReplyAct.LINK:
            sent = await self.new_link(connection, incidents[0], person.id, now_ms)
            return "applied" if sent else "refused"
        doing = Doing(_ACTS[understood.act], person.id, now_ms)
        outcomes = [await self._act(connection, i, doing, "sms") for i in incidents]
        return "applied" if any(outcomes) else "refused"

    async def _act(
        self, connection: AsyncConnection, incident: Incident, doing: Doing, via: str
    ) -> bool:
        try:
            await self._acts.perform(connection, incident.id, doing, via=via)
        except ActRefusedError as refused:
            said = {"act": doing.act.value, "via": via, "refusal": refused.refusal.value}
            line = Note(incident.id, doing.at_ms, "act_refused", doing.by, dict(said))
            await note(connection, [line])
            return False
        return True

    async def _meant(self, connection: AsyncConnection, item: Message) -> list[Incident]:
        """The incidents a message speaks of: its own, or all of a bundle."""
        if item.kind is Kind.STORM:
            ids = {m.incident for m in await store.bundled_in(connection, item.id)}
        else:
            ids = {item.incident}
        found = [await incident_by_id(connection, i) for i in sorted(ids)]
        live = [i for i in found if i is not None and i.state is not State.CLOSED]
        return live or [i for i in found if i is not None]

    async def _named(self, connection: AsyncConnection, number: str, phone: str) -> list[Incident]:
        """The incident of that number, if this phone was told of it."""
        incident = await get_incident(connection, number)
        if incident is None:
            return []
        told = [m for m in await store.messages_of(connection, incident.id) if m.address == phone]
        return [incident] if told else []

    async def new_link(
        self, connection: AsyncConnection, incident: Incident, person: str, now_ms: int
    ) -> bool:
        """Send the person another link; whether there is a phone and it had not too many."""
        messages = await store.messages_of(connection, incident.id, incident.round)
        asked = [m for m in messages if m.kind is Kind.LINK and m.person == person]
        known = self._oncall.person(person)
        if known is None or known.phone is None or len(asked) >= LINKS_PER_ROUND:
            return False
        telling = Telling(f"link-{len(asked) + 1}", Kind.LINK, (Channel.SMS,))
        return bool(await self._teller.tell(connection, incident, [known], telling, now_ms))

    async def _delivered(self, connection: AsyncConnection, found: Message, now_ms: int) -> None:
        if found.state is MessageState.DELIVERED:
            return
        done = replace(
            found, state=MessageState.DELIVERED, delivered_ms=now_ms, ended_ms=now_ms, lease_ms=None
        )
        await store.mark(connection, done, was=found.state)
        said = {"message": found.id, "person": found.person, "channel": found.channel.value}
        await note(connection, [Note(found.incident, now_ms, "delivered", detail=said)])

    async def _undelivered(
        self, connection: AsyncConnection, found: Message, code: str, now_ms: int
    ) -> None:
        if found.state not in (MessageState.ACCEPTED, MessageState.SENDING):
            return
        tried = await store.attempts_of(connection, [found.id])
        # Another provider may have taken it since: then that one's receipt decides.
        elsewhere = any(a.outcome == "accepted" and a.receipt is None for a in tried)
        again = not elsewhere and await send_otherwise(
            connection, found, self._gateway, now_ms, f"undelivered: {code}"
        )
        if not (again or elsewhere):
            ended = replace(
                found,
                state=MessageState.UNDELIVERED,
                ended_ms=now_ms,
                reason=f"undelivered: {code}",
            )
            await store.mark(connection, ended, was=found.state)
        said = {"message": found.id, "person": found.person, "code": code, "again": again}
        await note(connection, [Note(found.incident, now_ms, "undelivered", detail=said)])
        incident = await incident_by_id(connection, found.incident)
        if incident is not None:
            steps = undelivered_steps(self._plans, incident)
            await escalation.hasten(connection, incident, steps, now_ms)
