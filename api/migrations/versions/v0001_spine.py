"""The spine: registry, twin, commands, lockouts, credentials, findings, alarms."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("boot", sa.String(length=8), nullable=False),
        sa.Column("alarm_id", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("socket", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
        sa.UniqueConstraint("station_id", "boot", "alarm_id", "active", name="uq_alarm_key"),
    )
    op.create_index(op.f("ix_alarm_received_ms_id"), "alarm", ["received_ms", "id"], unique=False)
    op.create_index(
        op.f("ix_alarm_station_id_received_ms"),
        "alarm",
        ["station_id", "received_ms"],
        unique=False,
    )
    op.create_table(
        "command",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("socket", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("rule", sa.String(length=8), nullable=True),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("ordered_by", sa.String(length=64), nullable=True),
        sa.Column("lock", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("trigger_received_ms", sa.BigInteger(), nullable=True),
        sa.Column("first_sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("published_ms", sa.BigInteger(), nullable=True),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("seen_boot", sa.BigInteger(), nullable=True),
        sa.Column("seen_seq", sa.BigInteger(), nullable=True),
        sa.Column("reply", sa.String(length=16), nullable=True),
        sa.Column("reply_detail", sa.String(length=200), nullable=False),
        sa.Column("replied_ms", sa.BigInteger(), nullable=True),
        sa.Column("proven_ms", sa.BigInteger(), nullable=True),
        sa.Column("proof_w", sa.Float(), nullable=True),
        sa.Column("relay_open", sa.Boolean(), nullable=True),
        sa.Column("others_unaffected", sa.Boolean(), nullable=True),
        sa.Column("failure", sa.String(length=16), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
    )
    op.create_index(op.f("ix_command_issued_ms_id"), "command", ["issued_ms", "id"], unique=False)
    op.create_index(op.f("ix_command_state"), "command", ["state"], unique=False)
    op.create_index(
        op.f("ix_command_station_id_issued_ms"),
        "command",
        ["station_id", "issued_ms"],
        unique=False,
    )
    op.create_table(
        "credential",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_credential")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_credential_token_sha256")),
    )
    op.create_table(
        "finding",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("socket", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=8), nullable=False),
        sa.Column("tier", sa.String(length=32), nullable=False),
        sa.Column("episode_ms", sa.BigInteger(), nullable=False),
        sa.Column("family", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("latched", sa.Boolean(), nullable=False),
        sa.Column("fire", sa.Boolean(), nullable=False),
        sa.Column("shadow", sa.Boolean(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("cleared_ms", sa.BigInteger(), nullable=True),
        sa.Column("evidence", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
        sa.UniqueConstraint(
            "station_id", "socket", "rule", "tier", "episode_ms", name="uq_finding_key"
        ),
    )
    op.create_index(op.f("ix_finding_cleared_ms"), "finding", ["cleared_ms"], unique=False)
    op.create_index(op.f("ix_finding_raised_ms_id"), "finding", ["raised_ms", "id"], unique=False)
    op.create_index(
        op.f("ix_finding_station_id_raised_ms"),
        "finding",
        ["station_id", "raised_ms"],
        unique=False,
    )
    op.create_table(
        "limits",
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("trips", DOCUMENT, nullable=False),
        sa.Column("intervals", DOCUMENT, nullable=False),
        sa.Column("locked", DOCUMENT, nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("station_id", name=op.f("pk_limits")),
    )
    op.create_table(
        "lockout",
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("socket", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=8), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fire", sa.Boolean(), nullable=False),
        sa.Column("approvals", DOCUMENT, nullable=False),
        sa.Column("released_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(
            "station_id", "socket", "rule", "since_ms", name=op.f("pk_lockout")
        ),
    )
    op.create_index(op.f("ix_lockout_released_ms"), "lockout", ["released_ms"], unique=False)
    op.create_table(
        "site",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=60), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("plan_width_m", sa.Float(), nullable=False),
        sa.Column("plan_height_m", sa.Float(), nullable=False),
        sa.Column("grids", sa.Integer(), nullable=False),
        sa.Column("camera_total", sa.Integer(), nullable=False),
        sa.Column("trips", DOCUMENT, nullable=False),
        sa.Column("intervals", DOCUMENT, nullable=False),
        sa.Column("rules", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
    )
    op.create_table(
        "station_status",
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("boot", sa.String(length=8), nullable=False),
        sa.Column("firmware", sa.String(length=40), nullable=False),
        sa.Column("hardware", sa.String(length=40), nullable=False),
        sa.Column("sockets", sa.Integer(), nullable=False),
        sa.Column("interval_s", sa.Float(), nullable=False),
        sa.Column("limits_version", sa.BigInteger(), nullable=False),
        sa.Column("protections", DOCUMENT, nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("station_id", name=op.f("pk_station_status")),
    )
    op.create_table(
        "area",
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_area_site_id_site"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("site_id", "id", name=op.f("pk_area")),
    )
    op.create_table(
        "finding_transition",
        sa.Column("id", SERIAL, sa.Identity(always=False), nullable=False),
        sa.Column("finding_id", SERIAL, nullable=False),
        sa.Column("change", sa.String(length=16), nullable=False),
        sa.Column("step_ms", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("evidence", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["finding_id"], ["finding.id"], name=op.f("fk_finding_transition_finding_id_finding")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_transition")),
        sa.UniqueConstraint("finding_id", "change", "step_ms", name="uq_finding_transition_step"),
    )
    op.create_table(
        "camera",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=60), nullable=False),
        sa.Column("x_m", sa.Float(), nullable=False),
        sa.Column("y_m", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id", "area_id"],
            ["area.site_id", "area.id"],
            name=op.f("fk_camera_site_id_area_id_area"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_camera")),
    )
    op.create_index(op.f("ix_camera_site_id"), "camera", ["site_id"], unique=False)
    op.create_table(
        "station",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("area_id", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=60), nullable=False),
        sa.Column("grid", sa.Integer(), nullable=False),
        sa.Column("x_m", sa.Float(), nullable=False),
        sa.Column("y_m", sa.Float(), nullable=False),
        sa.Column("sockets", sa.Integer(), nullable=False),
        sa.Column("feeder_limit_w", sa.Float(), nullable=False),
        sa.Column("trips", DOCUMENT, nullable=True),
        sa.Column("intervals", DOCUMENT, nullable=True),
        sa.Column("rules", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id", "area_id"],
            ["area.site_id", "area.id"],
            name=op.f("fk_station_site_id_area_id_area"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station")),
    )
    op.create_index(op.f("ix_station_site_id"), "station", ["site_id"], unique=False)
    op.create_table(
        "station_camera",
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"],
            ["camera.id"],
            name=op.f("fk_station_camera_camera_id_camera"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["station_id"],
            ["station.id"],
            name=op.f("fk_station_camera_station_id_station"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("station_id", "camera_id", name=op.f("pk_station_camera")),
    )


def downgrade() -> None:
    for table in (
        "station_camera",
        "station",
        "camera",
        "finding_transition",
        "area",
        "station_status",
        "site",
        "lockout",
        "limits",
        "finding",
        "credential",
        "command",
        "alarm",
    ):
        op.drop_table(table)
