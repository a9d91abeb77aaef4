"""SQL tables of messages: the outbox, every attempt to send, and what came back.

Times are UTC milliseconds. ``message.id`` is ours, travels to the provider and comes back in
receipts; it never changes, so that a provider, and we, can tell a repeat from a new message.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from alerts.tables import SERIAL
from devices.tables import Document, metadata

_NAME = String(64)
_WORD = String(24)

message = Table(
    "message",
    metadata,
    Column("id", String(15), primary_key=True),  # 15 bytes: what a voice call can carry
    Column("incident_id", ForeignKey("incident.id"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("slot", String(40), nullable=False),  # the step's place: said once per round and person
    Column("kind", _WORD, nullable=False),
    Column("channel", _WORD, nullable=False),
    Column("person_id", _NAME, nullable=False),
    Column("address", String(200), nullable=False),  # E.164 phone, e-mail address, robot name
    Column("lang", String(2), nullable=False),
    Column("priority", Integer, nullable=False),  # 0 = fire; smaller goes first
    Column("state", _WORD, nullable=False),
    Column("facts", Document, nullable=False),  # what the text is made of
    Column("text", Text),  # frozen at the first sending
    Column("params", Document),  # the providers' template variables, frozen with it
    Column("due_ms", BigInteger, nullable=False),  # not before
    Column("lease_ms", BigInteger),  # a sender has it until then
    Column("created_ms", BigInteger, nullable=False),
    Column("first_sent_ms", BigInteger),
    Column("accepted_ms", BigInteger),
    Column("receipt_due_ms", BigInteger),  # without a receipt by then it goes another way
    Column("delivered_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("provider", _NAME),
    Column("attempts", Integer, nullable=False),
    Column("bundle_id", String(15)),  # the message that says it together with others
    Column("reason", String(200), nullable=False),
    UniqueConstraint(
        "incident_id", "round", "slot", "channel", "person_id", name="uq_message_once"
    ),
    Index(None, "state", "due_ms"),
    Index(None, "state", "receipt_due_ms"),
    Index(None, "address", "channel", "first_sent_ms"),
    Index(None, "created_ms", "id"),
)

attempt = Table(
    "message_attempt",  # the ledger: what was handed to whom, and what they said
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("message_id", ForeignKey("message.id"), nullable=False, index=True),
    Column("provider", _NAME, nullable=False),
    Column("address", String(200), nullable=False),
    Column("signature", _NAME, nullable=False),
    Column("template", _NAME, nullable=False),
    Column("kind", _WORD, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger, nullable=False),
    Column("outcome", _WORD, nullable=False),  # accepted, throttled, retryable, permanent, unknown
    Column("code", String(80), nullable=False),
    Column("detail", String(200), nullable=False),
    Column("provider_ref", String(80)),
    Column("segments", Integer, nullable=False),
    Column("receipt", _WORD),  # delivered, undelivered
    Column("receipt_ms", BigInteger),
    Column("receipt_code", String(80)),
    Index(None, "provider_ref"),
    Index(None, "provider", "address", "started_ms"),
    Index(None, "started_ms"),  # what a day costs
)

callback = Table(
    "callback",  # receipts, replies and call results: each once, known or not
    metadata,
    Column("provider", _NAME, primary_key=True),
    Column("key", String(120), primary_key=True),  # what makes it the same when it comes again
    Column("kind", _WORD, nullable=False),  # receipt, reply, call
    Column("received_ms", BigInteger, nullable=False),
    Column("outcome", _WORD, nullable=False),  # applied, unknown_number, unknown_message, ...
    Column("detail", Document, nullable=False),
    Index(None, "received_ms"),
)
