"""SQL tables of incidents: what happened, what is due, who did what, who may act by link.

Times are UTC milliseconds. Stations, sites and people are named by id without a foreign key:
an incident must be writable, and must outlive, whatever the registries say.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from alerts.tables import SERIAL, STATION_ID
from devices.tables import Document, metadata

_NAME = String(64)
_WORD = String(24)

incident = Table(
    "incident",
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("number", String(16), nullable=False, unique=True),
    Column("site_id", STATION_ID, nullable=False),
    Column("area_id", STATION_ID),
    Column("station_id", STATION_ID),
    Column("urgency", _WORD, nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("canary", Boolean, nullable=False),
    Column("state", _WORD, nullable=False),
    Column("round", Integer, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("activity_ms", BigInteger, nullable=False),
    Column("standing", Integer, nullable=False),
    Column("acknowledged_ms", BigInteger),
    Column("on_site_ms", BigInteger),
    Column("reported_ms", BigInteger),
    Column("closed_ms", BigInteger),
    Column("assignee", _NAME),
    Column("cause", _WORD),
    Column("merged_into", BigInteger),
    Index(None, "first_ms", "id"),
    Index(None, "state"),
    # At most one live incident per station, whatever runs twice.
    Index(
        "uq_incident_live_station",
        "station_id",
        unique=True,
        sqlite_where=text("state != 'closed' AND station_id IS NOT NULL AND NOT drill"),
        postgresql_where=text("state != 'closed' AND station_id IS NOT NULL AND NOT drill"),
    ),
)

incident_finding = Table(
    "incident_finding",
    metadata,
    Column("finding_id", ForeignKey("finding.id"), primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("added_ms", BigInteger, nullable=False),
)

incident_event = Table(
    "incident_event",  # the timeline: everything that happened, in order of id
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("detail", Document, nullable=False),
)

escalation = Table(
    "escalation",  # deadlines and steps: each a row with a due time, claimed once
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("step", String(32), nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("state", _WORD, nullable=False),  # due, fired, met, missed, cancelled
    Column("settled_ms", BigInteger),  # when it left ``due``
    UniqueConstraint("incident_id", "round", "step", name="uq_escalation_step"),
    Index(None, "state", "due_ms"),
)

silence = Table(
    "silence",
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("site_id", STATION_ID, nullable=False),
    Column("station_id", STATION_ID),  # None = the whole site
    Column("rule", String(8)),  # None = every rule that may be silenced
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("by", _NAME, nullable=False),
    Column("ended_ms", BigInteger),
    Index(None, "until_ms"),
)

link = Table(
    "link",  # one-time links: only the digest of the token is kept
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("person_id", _NAME, nullable=False),
    Column("phone", String(20), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    Column("session_sha256", String(64), unique=True),  # what the link was exchanged for
    Column("session_until_ms", BigInteger),
)

attachment = Table(
    "attachment",  # photos from people, stills from cameras, frozen frames: files with a digest
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("kind", _WORD, nullable=False),  # photo, still, frames
    Column("name", String(120), nullable=False),
    Column("media_type", String(60), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("by", _NAME, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("detail", Document, nullable=False),
)

evidence_task = Table(
    "evidence_task",  # what is still to be frozen: due times, claimed once, retried
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False),
    Column("what", String(80), nullable=False),  # frames, still:<camera>
    Column("due_ms", BigInteger, nullable=False),
    Column("state", _WORD, nullable=False),  # due, done, failed
    Column("tries", Integer, nullable=False),
    Column("error", String(200)),
    UniqueConstraint("incident_id", "what", name="uq_evidence_task_what"),
    Index(None, "state", "due_ms"),
)

audit = Table(
    "audit",  # hash-chained, append-only
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(120), nullable=False),
    Column("detail", Document, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

audit_head = Table(
    "audit_head",  # one row: updating it makes writers wait for each other
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

watch_mark = Table(
    "watch_mark",  # one row per name: the clock's anchor, the last heartbeat, ...
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("detail", Document, nullable=False),
)

canary_run = Table(
    "canary_run",
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("started_ms", BigInteger, nullable=False, index=True),
    Column("alarm_ms", BigInteger),  # committed in the inbox
    Column("message_ms", BigInteger),  # accepted by the sandbox
    Column("outcome", _WORD, nullable=False),  # running, passed, late, failed
    Column("detail", Document, nullable=False),
)

drill = Table(
    "drill",
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("site_id", STATION_ID, nullable=False),
    # "" = the whole site: NULL would not be held equal by the constraint below.
    Column("area_id", STATION_ID, nullable=False),
    Column("planned_ms", BigInteger, nullable=False),
    Column("incident_id", ForeignKey("incident.id")),
    Column("state", _WORD, nullable=False),  # planned, running, done
    Column("by", _NAME, nullable=False),
    Column("note", String(200), nullable=False),
    UniqueConstraint("site_id", "area_id", "planned_ms", name="uq_drill_plan"),
)
