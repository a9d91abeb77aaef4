"""SQL tables of this room: findings and the stations' own alarms, as they were recorded.

Times are UTC milliseconds. ``socket`` 0 stands for the station itself, so that unique keys
work (NULL is equal to nothing). No foreign key to the registry: see ``devices.tables``.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from devices.tables import Document, metadata

SERIAL = BigInteger().with_variant(Integer(), "sqlite")
STATION_ID = String(64)

finding = Table(
    "finding",
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("station_id", STATION_ID, nullable=False),
    Column("socket", Integer, nullable=False),
    Column("rule", String(8), nullable=False),
    Column("tier", String(32), nullable=False),
    Column("episode_ms", BigInteger, nullable=False),
    Column("family", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("act", String(16), nullable=False),
    Column("latched", Boolean, nullable=False),
    Column("fire", Boolean, nullable=False),
    Column("shadow", Boolean, nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("cleared_ms", BigInteger),
    Column("evidence", Document, nullable=False),
    UniqueConstraint("station_id", "socket", "rule", "tier", "episode_ms", name="uq_finding_key"),
    Index(None, "raised_ms", "id"),
    Index(None, "station_id", "raised_ms"),
    Index(None, "cleared_ms"),
)

finding_transition = Table(
    "finding_transition",
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("finding_id", ForeignKey("finding.id"), nullable=False),
    Column("change", String(16), nullable=False),
    # When it happened for an update; 0 for raised and cleared, which happen once.
    Column("step_ms", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("evidence", Document, nullable=False),
    UniqueConstraint("finding_id", "change", "step_ms", name="uq_finding_transition_step"),
)

alarm = Table(
    "alarm",
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("station_id", STATION_ID, nullable=False),
    Column("boot", String(8), nullable=False),
    Column("alarm_id", String(64), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("socket", Integer, nullable=False),
    Column("value", Float),
    Column("ts_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    UniqueConstraint("station_id", "boot", "alarm_id", "active", name="uq_alarm_key"),
    Index(None, "received_ms", "id"),
    Index(None, "station_id", "received_ms"),
)
