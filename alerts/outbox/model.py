"""The words of a message on its way."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alerts.incidents.model import Kind


class MessageState(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"  # to be sent from its due time on
    SENDING = "sending"  # a sender has it, until its lease ends
    ACCEPTED = "accepted"  # a provider has it
    DELIVERED = "delivered"  # the receipt says so (a call: it was answered)
    UNDELIVERED = "undelivered"  # the receipt says no, and no other way is left
    BUNDLED = "bundled"  # another message says it; see ``bundle_id``
    WITHDRAWN = "withdrawn"  # no longer needed before it was sent
    FAILED = "failed"  # every way refused it for good, or it is too late


class Outcome(StrEnum):
    """Whether what the system did about the danger worked, as the text says it."""

    PROVEN = "proven"  # power measured off
    ORDERED = "ordered"  # cut ordered, not measured yet
    FAILED = "failed"  # power may still flow
    NONE = "none"  # nothing was cut


@dataclass(frozen=True, slots=True)
class Facts:
    """What a text is made of. Stored with the message; the text is frozen when it is first sent.

    ``at_ms`` is UTC; ``timezone`` is the site's. ``reason`` is a member of ``rules.reasons`` and
    ``evidence`` the finding's, so that the value can be said with its unit.
    """

    kind: Kind
    number: str
    at_ms: int
    timezone: str
    site_zh: str
    site_en: str
    area_zh: str = ""
    area_en: str = ""
    station: str = ""  # its id
    station_zh: str = ""
    station_en: str = ""
    socket: int | None = None
    rule: str = ""
    reason: str = ""
    evidence: dict[str, float | int | str | bool | None] = field(default_factory=dict)
    outcome: Outcome = Outcome.NONE
    fire: bool = False
    step: str = ""  # ESCALATION: which deadline was missed
    others: tuple[str, ...] = ()  # STORM: numbers of all incidents it stands for
    link: str = ""  # the one-time link without its scheme; empty = none
    values: dict[str, Any] = field(default_factory=dict)  # what a kind needs beyond these


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered text: ``body`` without the signature, and the template's variables."""

    body: str
    params: dict[str, str]
    title: str = ""
