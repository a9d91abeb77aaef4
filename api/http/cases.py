"""What the HTTP side needs of the people room: ``Cases``, implemented in the composition root.

All of it asks SQL; when SQL does not answer it raises ``devices.errors.DatabaseError``. Lists
give at most ``limit`` rows, newest first, and the cursor that continues after them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from alerts.findings import StoredFinding
from alerts.incidents.links import LinkView, Session
from alerts.incidents.model import Doing, Incident
from alerts.incidents.silences import Silence, SilenceFilter, Wanted
from alerts.incidents.store import Deadline, Event, IncidentFilter
from alerts.oncall.model import Person
from alerts.outbox.store import Attempt, Message
from devices.pages import Page

MAX_PHOTO_BYTES = 10 * 1024 * 1024
"""Of one photo as the phone sends it."""


class PhotoRefusal(StrEnum):
    """Why a photo is not kept."""

    TOO_LARGE = "too_large"  # more than MAX_PHOTO_BYTES
    TOO_MANY_PIXELS = "too_many_pixels"
    HEIC = "heic"  # a phone's own format: it can send JPEG when asked
    NO_IMAGE = "no_image"  # neither JPEG, PNG nor WebP
    DAMAGED = "damaged"
    TOO_MANY = "too_many"  # the incident has as many photos as it may


class PhotoRefusedError(Exception):
    """The photo is not kept; nothing was changed."""

    def __init__(self, refusal: PhotoRefusal) -> None:
        """With its reason."""
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file kept with an incident; ``at_ms`` is UTC, ``detail`` says where it is from."""

    id: int
    kind: str  # photo, still, frames
    name: str
    media_type: str
    bytes: int
    sha256: str
    by: str
    at_ms: int
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message with everything that was tried for it, in order."""

    message: Message
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """An incident and everything about it, as it was at one instant."""

    incident: Incident
    findings: tuple[StoredFinding, ...] = ()  # oldest first
    deadlines: tuple[Deadline, ...] = ()  # of all rounds
    events: tuple[Event, ...] = ()  # oldest first
    messages: tuple[Sent, ...] = ()  # oldest first
    attachments: tuple[Attachment, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)  # all that are named above


class Cases(Protocol):
    """Incidents, messages and silences; and what an officer's link opens."""

    async def incidents(
        self, where: IncidentFilter, cursor: str | None, limit: int
    ) -> Page[Incident]:
        """Incidents."""
        ...

    async def case(self, number: str) -> Case | None:
        """One incident by the number people read, or None."""
        ...

    async def person(self, person: str) -> Person | None:
        """Somebody who can be told, active or not; None when there is nobody of that id."""
        ...

    async def perform(self, incident: int, doing: Doing, *, via: str) -> Incident:
        """The incident after the act, which is in its timeline and in the audit log.

        ``via`` is how it came: api or link.

        Raises:
            ActRefusedError: the act does not fit; the incident is as it was.

        """
        ...

    async def add_photo(self, incident: int, photo: bytes, by: str) -> Attachment:
        """Keep a photo, without what the camera wrote about itself; the same one only once.

        Raises:
            PhotoRefusedError: it cannot be kept.

        """
        ...

    async def messages(self, cursor: str | None, limit: int) -> Page[Sent]:
        """The ledger."""
        ...

    async def silences(self, where: SilenceFilter, cursor: str | None, limit: int) -> Page[Silence]:
        """Silences, those that are over too unless ``where`` says otherwise."""
        ...

    async def silence(self, wanted: Wanted) -> Silence:
        """Begin a silence.

        Raises:
            SilenceRefusedError: it may not be.

        """
        ...

    async def end_silence(self, silence: int, by: str) -> Silence | None:
        """End a silence; None when there is none of that number."""
        ...

    async def look(self, token: str) -> LinkView | None:
        """What a one-time link leads to, without using it up; None when it is not known."""
        ...

    async def redeem(self, token: str, new_session: Callable[[], str]) -> Session:
        """Use a one-time link up.

        Raises:
            LinkRefusedError: it is unknown, used or expired.

        """
        ...

    async def session(self, cookie: str) -> Session | None:
        """Whose session it is, or None."""
        ...

    async def send_link(self, incident: int, person: str, phone: str) -> int:
        """Send a new one-time link to the same phone; ms to wait when it is too soon, else 0.

        Raises:
            LinkRefusedError: the person has no phone any more, or has had too many.

        """
        ...
