"""People: incidents, their timeline and deadlines, messages, rosters, evidence, audit, watch."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("camera", sa.Column("snapshot_url", sa.String(length=300), nullable=True))
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "callback",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("provider", "key", name=op.f("pk_callback")),
    )
    op.create_index(op.f("ix_callback_received_ms"), "callback", ["received_ms"], unique=False)
    op.create_table(
        "calendar_feed",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_calendar_feed")),
    )
    op.create_table(
        "canary_run",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("alarm_ms", sa.BigInteger(), nullable=True),
        sa.Column("message_ms", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canary_run")),
    )
    op.create_index(op.f("ix_canary_run_started_ms"), "canary_run", ["started_ms"], unique=False)
    op.create_table(
        "holiday",
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "day", name=op.f("pk_holiday")),
    )
    op.create_table(
        "incident",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=True),
        sa.Column("station_id", sa.String(length=64), nullable=True),
        sa.Column("urgency", sa.String(length=24), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("canary", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("activity_ms", sa.BigInteger(), nullable=False),
        sa.Column("standing", sa.Integer(), nullable=False),
        sa.Column("acknowledged_ms", sa.BigInteger(), nullable=True),
        sa.Column("on_site_ms", sa.BigInteger(), nullable=True),
        sa.Column("reported_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("assignee", sa.String(length=64), nullable=True),
        sa.Column("cause", sa.String(length=24), nullable=True),
        sa.Column("merged_into", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sa.UniqueConstraint("number", name=op.f("uq_incident_number")),
    )
    op.create_index(op.f("ix_incident_first_ms_id"), "incident", ["first_ms", "id"], unique=False)
    op.create_index(op.f("ix_incident_state"), "incident", ["state"], unique=False)
    op.create_index(
        "uq_incident_live_station",
        "incident",
        ["station_id"],
        unique=True,
        sqlite_where=sa.text("state != 'closed' AND station_id IS NOT NULL AND NOT drill"),
        postgresql_where=sa.text("state != 'closed' AND station_id IS NOT NULL AND NOT drill"),
    )
    op.create_table(
        "oncall_site",
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("plan", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_oncall_site")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("email", sa.String(length=200), nullable=True),
        sa.Column("robot", sa.String(length=64), nullable=True),
        sa.Column("lang", sa.String(length=2), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    op.create_index(op.f("ix_person_phone"), "person", ["phone"], unique=False)
    op.create_table(
        "roster",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("plan", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster")),
    )
    op.create_index(op.f("ix_roster_site_id"), "roster", ["site_id"], unique=False)
    op.create_table(
        "roster_override",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("roster_id", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_override")),
    )
    op.create_index(
        op.f("ix_roster_override_roster_id_until_ms"),
        "roster_override",
        ["roster_id", "until_ms"],
        unique=False,
    )
    op.create_table(
        "silence",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("station_id", sa.String(length=64), nullable=True),
        sa.Column("rule", sa.String(length=8), nullable=True),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
    )
    op.create_index(op.f("ix_silence_until_ms"), "silence", ["until_ms"], unique=False)
    op.create_table(
        "watch_mark",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watch_mark")),
    )
    op.create_table(
        "attachment",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("incident_id", SERIAL, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("media_type", sa.String(length=60), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_attachment_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index(op.f("ix_attachment_incident_id"), "attachment", ["incident_id"], unique=False)
    op.create_table(
        "drill",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("planned_ms", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", SERIAL, nullable=True),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_drill_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drill")),
        sa.UniqueConstraint("site_id", "area_id", "planned_ms", name="uq_drill_plan"),
    )
    op.create_table(
        "escalation",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("incident_id", SERIAL, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_escalation_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation")),
        sa.UniqueConstraint("incident_id", "round", "step", name="uq_escalation_step"),
    )
    op.create_index(
        op.f("ix_escalation_state_due_ms"), "escalation", ["state", "due_ms"], unique=False
    )
    op.create_table(
        "evidence_task",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("incident_id", SERIAL, nullable=False),
        sa.Column("what", sa.String(length=80), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_evidence_task_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_task")),
        sa.UniqueConstraint("incident_id", "what", name="uq_evidence_task_what"),
    )
    op.create_index(
        op.f("ix_evidence_task_state_due_ms"), "evidence_task", ["state", "due_ms"], unique=False
    )
    op.create_table(
        "incident_event",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("incident_id", SERIAL, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_event_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_event")),
    )
    op.create_index(
        op.f("ix_incident_event_incident_id"), "incident_event", ["incident_id"], unique=False
    )
    op.create_table(
        "incident_finding",
        sa.Column("finding_id", SERIAL, nullable=False),
        sa.Column("incident_id", SERIAL, nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["finding_id"], ["finding.id"], name=op.f("fk_incident_finding_finding_id_finding")
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_finding_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("finding_id", name=op.f("pk_incident_finding")),
    )
    op.create_index(
        op.f("ix_incident_finding_incident_id"), "incident_finding", ["incident_id"], unique=False
    )
    op.create_table(
        "link",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("incident_id", SERIAL, nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.Column("session_sha256", sa.String(length=64), nullable=True),
        sa.Column("session_until_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_link_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_link")),
        sa.UniqueConstraint("session_sha256", name=op.f("uq_link_session_sha256")),
    )
    op.create_index(op.f("ix_link_incident_id"), "link", ["incident_id"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", sa.String(length=15), nullable=False),
        sa.Column("incident_id", SERIAL, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("slot", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("channel", sa.String(length=24), nullable=False),
        sa.Column("person_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("lang", sa.String(length=2), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("facts", DOCUMENT, nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("params", DOCUMENT, nullable=True),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("lease_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("accepted_ms", sa.BigInteger(), nullable=True),
        sa.Column("receipt_due_ms", sa.BigInteger(), nullable=True),
        sa.Column("delivered_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.String(length=64), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("bundle_id", sa.String(length=15), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_message_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "incident_id", "round", "slot", "channel", "person_id", name="uq_message_once"
        ),
    )
    op.create_index(
        op.f("ix_message_address_channel_first_sent_ms"),
        "message",
        ["address", "channel", "first_sent_ms"],
        unique=False,
    )
    op.create_index(op.f("ix_message_created_ms_id"), "message", ["created_ms", "id"], unique=False)
    op.create_index(op.f("ix_message_state_due_ms"), "message", ["state", "due_ms"], unique=False)
    op.create_index(
        op.f("ix_message_state_receipt_due_ms"),
        "message",
        ["state", "receipt_due_ms"],
        unique=False,
    )
    op.create_table(
        "message_attempt",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("message_id", sa.String(length=15), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("provider_ref", sa.String(length=80), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("receipt", sa.String(length=24), nullable=True),
        sa.Column("receipt_ms", sa.BigInteger(), nullable=True),
        sa.Column("receipt_code", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_message_attempt_message_id_message")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_attempt")),
    )
    op.create_index(
        op.f("ix_message_attempt_message_id"), "message_attempt", ["message_id"], unique=False
    )
    op.create_index(
        op.f("ix_message_attempt_provider_address_started_ms"),
        "message_attempt",
        ["provider", "address", "started_ms"],
        unique=False,
    )
    op.create_index(
        op.f("ix_message_attempt_provider_ref"), "message_attempt", ["provider_ref"], unique=False
    )
    op.create_index(
        op.f("ix_message_attempt_started_ms"), "message_attempt", ["started_ms"], unique=False
    )


def downgrade() -> None:
    for table in (
        "message_attempt",
        "message",
        "link",
        "incident_finding",
        "incident_event",
        "evidence_task",
        "escalation",
        "drill",
        "attachment",
        "watch_mark",
        "silence",
        "roster_override",
        "roster",
        "person",
        "oncall_site",
        "incident",
        "holiday",
        "canary_run",
        "calendar_feed",
        "callback",
        "audit_head",
        "audit",
    ):
        op.drop_table(table)
    op.drop_column("camera", "snapshot_url")
