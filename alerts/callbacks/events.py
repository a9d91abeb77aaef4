"""What a provider can tell us, whoever it is.

``key`` is the same whenever the same thing is told again, and only then. ``provider`` is the
name the provider has in the ledger. ``at_ms`` is the provider's own time, UTC; None = it said
none that can be read.
"""

import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """Whether a phone got a message. Nobody has read it yet."""

    provider: str
    key: str
    ref: str  # the provider's id of the message
    message_id: str | None  # ours; None = the provider did not send it back
    phone: str | None  # E.164; None = it cannot be read
    delivered: bool
    code: str  # the carrier's or provider's own word
    at_ms: int | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person sent back."""

    provider: str
    key: str
    phone: str  # E.164
    text: str  # at most ``MAX_TEXT`` characters, without control characters
    at_ms: int | None
    signature: str  # of the message it answers; empty = not said


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call ended, or which keys were pressed during it."""

    provider: str
    key: str
    ref: str  # the provider's id of the call
    message_id: str | None  # ours; None = the provider did not send it back
    phone: str | None  # E.164; None = it cannot be read
    answered: bool
    dtmf: str  # of 0-9, * and #; empty = none
    code: str
    at_ms: int | None


Event = Receipt | Reply | CallResult
MAX_TEXT = 500
"""Characters of a reply that are looked at; the carriers' own limit."""


def key_of(kind: str, *parts: object) -> str:
    """A key of at most 120 characters, however long and odd the ``parts`` are."""
    text = json.dumps(parts, default=str, ensure_ascii=True)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()}"
