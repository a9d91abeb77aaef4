"""What people do with an incident.

One transaction for its state, its deadlines, the timeline and the audit log.
"""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import audit
from alerts.incidents import escalation
from alerts.incidents.model import (
    Act,
    ActRefusedError,
    Doing,
    Incident,
    Kind,
    Refusal,
    State,
    apply,
)
from alerts.incidents.plans import Plans
from alerts.incidents.rounds import Rounds
from alerts.incidents.store import (
    Note,
    change_incident,
    incident_by_id,
    live_incidents,
    note,
)
from alerts.outbox.store import withdraw

_WORDS: Final = {
    Act.ACKNOWLEDGE: "acknowledged",
    Act.ARRIVE: "arrived",
    Act.REPORT: "reported",
    Act.CLOSE: "closed",
    Act.REOPEN: "reopened",
    Act.COMMENT: "commented",
    Act.ASSIGN: "assigned",
}


STILL_SAID: Final = frozenset({Kind.CUT_FAILED, Kind.CLEARED, Kind.LINK})
"""What whoever is on the way must hear all the same."""


class NoSuchIncidentError(LookupError):
    """No incident has this id."""


class Acts:
    """Does acts; everything in the caller's transaction."""

    def __init__(self, plans: Plans, rounds: Rounds) -> None:
        """``rounds`` begins again what is reopened."""
        self._plans = plans
        self._rounds = rounds

    async def perform(
        self, connection: AsyncConnection, incident_id: int, doing: Doing, *, via: str = "api"
    ) -> Incident:
        """The incident after the act. What is done already is noted and changes nothing.

        ``via`` is how it came: api, sms, voice, link.

        Raises:
            NoSuchIncidentError: there is none.
            ActRefusedError: it does not fit the incident's state.

        """
        before = await incident_by_id(connection, incident_id, lock=True)
        if before is None:
            raise NoSuchIncidentError(incident_id)
        after = apply(before, doing)
        if after.round != before.round and not before.drill:
            await self._alone(connection, before)
        if after != before:
            await change_incident(connection, before, after)
        await self._write_down(connection, before, after, doing, via)
        await self._follow(connection, before, after, doing.at_ms)
        if doing.act is Act.ASSIGN and after != before and doing.person not in (None, doing.by):
            await self._rounds.assigned(connection, after, doing.at_ms)
        return after

    async def _alone(self, connection: AsyncConnection, closed: Incident) -> None:
        """A station has one live incident; what happened since belongs to that one."""
        stations = [closed.station] if closed.station is not None else []
        if await live_incidents(connection, stations, ()):
            raise ActRefusedError(Refusal.SUPERSEDED)

    async def _write_down(
        self,
        connection: AsyncConnection,
        before: Incident,
        after: Incident,
        doing: Doing,
        via: str,
    ) -> None:
        said: dict[str, str] = {"via": via}
        if doing.note:
            said["note"] = doing.note
        if doing.cause is not None:
            said["cause"] = doing.cause.value
        if doing.person is not None:
            said["person"] = doing.person
        if after == before and doing.act is not Act.COMMENT:
            said["again"] = "yes"
        line = Note(after.id, doing.at_ms, _WORDS[doing.act], doing.by, dict(said))
        await note(connection, [line])
        await audit.append(
            connection,
            actor=doing.by,
            action=f"incident.{doing.act.value}",
            subject=after.number,
            detail=said | {"state": after.state.value},
            at_ms=doing.at_ms,
        )

    async def _follow(
        self, connection: AsyncConnection, before: Incident, after: Incident, now_ms: int
    ) -> None:
        """The rows that the act meets, cancels or makes."""
        if after.round != before.round:
            await escalation.cancel(connection, before, now_ms)
            await self._rounds.begin(connection, after, now_ms)
        elif after.state is State.CLOSED:
            await escalation.cancel(connection, after, now_ms)
            await withdraw(connection, after.id, now_ms, "closed")
        elif after.state is not before.state:
            names = escalation.met_by(self._plans.of(after.urgency), after.state)
            await escalation.meet(connection, after, names, now_ms)
            await withdraw(connection, after.id, now_ms, "acknowledged", spare=STILL_SAID)
