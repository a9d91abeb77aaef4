"""SQL tables of this room, and the metadata all rooms' tables share.

Times are UTC milliseconds. ``socket`` 0 stands for the station itself, so that unique keys
work (NULL is equal to nothing). Twin, commands and lockouts name their station by id without
a foreign key: a safety record must be writable, and must outlive, whatever the registry says.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON document; Python None is SQL NULL."""
_ID = String(64)
_LABEL = String(60)

site = Table(
    "site",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name_zh", _LABEL, nullable=False),
    Column("name_en", _LABEL, nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("plan_width_m", Float, nullable=False),
    Column("plan_height_m", Float, nullable=False),
    Column("grids", Integer, nullable=False),
    Column("camera_total", Integer, nullable=False),
    Column("trips", Document, nullable=False),
    Column("intervals", Document, nullable=False),
    Column("rules", Document, nullable=False),
)

area = Table(
    "area",
    metadata,
    Column("site_id", ForeignKey("site.id", ondelete="CASCADE"), primary_key=True),
    Column("id", _ID, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("name_zh", _LABEL, nullable=False),
    Column("name_en", _LABEL, nullable=False),
)

camera = Table(
    "camera",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("site_id", _ID, nullable=False, index=True),
    Column("area_id", _ID, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("name_zh", _LABEL, nullable=False),
    Column("name_en", _LABEL, nullable=False),
    Column("x_m", Float, nullable=False),
    Column("y_m", Float, nullable=False),
    Column("snapshot_url", String(300)),
    ForeignKeyConstraint(["site_id", "area_id"], ["area.site_id", "area.id"]),
)

station = Table(
    "station",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("site_id", _ID, nullable=False, index=True),
    Column("area_id", _ID, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("name_zh", _LABEL, nullable=False),
    Column("name_en", _LABEL, nullable=False),
    Column("grid", Integer, nullable=False),
    Column("x_m", Float, nullable=False),
    Column("y_m", Float, nullable=False),
    Column("sockets", Integer, nullable=False),
    Column("feeder_limit_w", Float, nullable=False),
    Column("trips", Document),
    Column("intervals", Document),
    Column("rules", Document, nullable=False),
    ForeignKeyConstraint(["site_id", "area_id"], ["area.site_id", "area.id"]),
)

station_camera = Table(
    "station_camera",
    metadata,
    Column("station_id", ForeignKey("station.id", ondelete="CASCADE"), primary_key=True),
    Column("camera_id", ForeignKey("camera.id", ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, nullable=False),
)

station_status = Table(
    "station_status",
    metadata,
    Column("station_id", _ID, primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("boot", String(8), nullable=False),
    Column("firmware", String(40), nullable=False),
    Column("hardware", String(40), nullable=False),
    Column("sockets", Integer, nullable=False),
    Column("interval_s", Float, nullable=False),
    Column("limits_version", BigInteger, nullable=False),
    Column("protections", Document, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
)

limits = Table(
    "limits",
    metadata,
    Column("station_id", _ID, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("trips", Document, nullable=False),
    Column("intervals", Document, nullable=False),
    Column("locked", Document, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
)

command = Table(
    "command",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("station_id", _ID, nullable=False),
    Column("socket", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("rule", String(8)),
    Column("origin", String(16), nullable=False),
    Column("ordered_by", String(64)),
    Column("lock", Boolean, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("parent_id", _ID),
    Column("issued_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("trigger_received_ms", BigInteger),
    Column("first_sent_ms", BigInteger),
    Column("sent_ms", BigInteger),
    Column("published_ms", BigInteger),
    Column("sends", Integer, nullable=False),
    Column("seen_boot", BigInteger),
    Column("seen_seq", BigInteger),
    Column("reply", String(16)),
    Column("reply_detail", String(200), nullable=False),
    Column("replied_ms", BigInteger),
    Column("proven_ms", BigInteger),
    Column("proof_w", Float),
    Column("relay_open", Boolean),
    Column("others_unaffected", Boolean),
    Column("failure", String(16)),
    Column("ended_ms", BigInteger),
    Index(None, "station_id", "issued_ms"),
    Index(None, "issued_ms", "id"),
)

lockout = Table(
    "lockout",
    metadata,
    Column("station_id", _ID, primary_key=True),
    Column("socket", Integer, primary_key=True),
    Column("rule", String(8), primary_key=True),
    Column("since_ms", BigInteger, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("fire", Boolean, nullable=False),
    Column("approvals", Document, nullable=False),
    Column("released_ms", BigInteger, index=True),
)

credential = Table(
    "credential",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)
