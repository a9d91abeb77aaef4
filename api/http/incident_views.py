"""The shapes of incidents, messages and silences: what stands here is the JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from alerts.channels.port import Channel
from alerts.incidents.model import Cause, Kind, State, Urgency
from alerts.incidents.silences import Silence
from alerts.incidents.store import Deadline, Event
from alerts.outbox.model import MessageState
from api.http import kept
from api.http.kept import Ms

Later = Annotated[int | None, Field(description="UTC milliseconds; null = not yet")]
Next = Annotated[str | None, Field(description="cursor of the next page; null on the last")]


@dataclass(frozen=True, slots=True)
class Incident:
    """What people handle: findings of one station, or of a whole site, grouped."""

    number: Annotated[str, Field(description="what people read and reply with")]
    site: str
    area: str | None
    station: Annotated[str | None, Field(description="null = the whole site")]
    urgency: Urgency
    drill: bool
    state: State
    round: Annotated[int, Field(description="from 1; it begins again when something worse comes")]
    opened_ms: Annotated[int, Field(description="UTC ms; the deadlines of the round count from it")]
    first_ms: Ms
    activity_ms: Annotated[int, Field(description="UTC ms of the newest finding")]
    standing: Annotated[int, Field(description="findings that have not cleared")]
    acknowledged_ms: Later
    on_site_ms: Later
    reported_ms: Later
    closed_ms: Later
    assignee: str | None
    cause: Cause | None
    merged: Annotated[bool, Field(description="whether an incident of the whole site took it over")]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one provider; acceptance and receipts are no proof that anybody has read."""

    provider: str
    started_ms: Ms
    ended_ms: Ms
    outcome: Annotated[str, Field(description="accepted, throttled, retryable, unknown, permanent")]
    code: Annotated[str, Field(description="the provider's own word")]
    detail: str
    segments: int
    receipt: Annotated[str | None, Field(description="delivered or undelivered")]
    receipt_ms: Later
    receipt_code: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person by one way, and everything that was tried for it."""

    id: Annotated[str, Field(description="ours; it travels to the provider and comes back")]
    incident: Annotated[str, Field(description="the incident's number")]
    round: int
    kind: Kind
    channel: Channel
    person: str
    address: Annotated[str, Field(description="masked for readers without a credential")]
    lang: str
    state: MessageState
    text: Annotated[str | None, Field(description="without its one-time link; null = not sent yet")]
    due_ms: Ms
    created_ms: Ms
    first_sent_ms: Later
    accepted_ms: Later
    delivered_ms: Later
    ended_ms: Later
    provider: str | None
    bundle: Annotated[str | None, Field(description="the message that says it with others")]
    reason: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file kept with an incident."""

    id: int
    kind: Annotated[str, Field(description="photo, still, frames, rules")]
    name: str
    media_type: str
    bytes: int
    sha256: str
    by: str
    at_ms: Ms
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """An incident with all that belongs to it; lists are in order of time."""

    incident: Incident
    findings: tuple[kept.Finding, ...]
    deadlines: Annotated[
        tuple[Deadline, ...],
        Field(description="of people (acknowledge, on_site, report) and steps of the plan"),
    ]
    timeline: tuple[Event, ...]
    messages: tuple[Message, ...]
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Incidents:
    """A page of incidents, newest first."""

    items: tuple[Incident, ...]
    next: Next


@dataclass(frozen=True, slots=True)
class Messages:
    """A page of the ledger, newest first."""

    items: tuple[Message, ...]
    next: Next


@dataclass(frozen=True, slots=True)
class Silences:
    """A page of silences, newest first."""

    items: tuple[Silence, ...]
    next: Next
