"""SQL tables of people and rosters. Times are UTC milliseconds."""

from sqlalchemy import BigInteger, Boolean, Column, Identity, Index, String, Table

from alerts.tables import SERIAL, STATION_ID
from devices.tables import Document, metadata

_NAME = String(64)

person = Table(
    "person",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("name", String(60), nullable=False),
    Column("phone", String(20), index=True),  # E.164
    Column("email", String(200)),
    Column("robot", _NAME),  # a group robot's name in the settings
    Column("lang", String(2), nullable=False),
    Column("active", Boolean, nullable=False),
)

roster = Table(
    "roster",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("site_id", STATION_ID, nullable=False, index=True),
    Column("role", String(24), nullable=False),
    Column("plan", Document, nullable=False),  # ``alerts.oncall.model.Roster`` as JSON
)

override = Table(
    "roster_override",
    metadata,
    Column("id", SERIAL, Identity(), primary_key=True),
    Column("roster_id", _NAME, nullable=False),
    Column("person_id", _NAME, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("by", _NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index(None, "roster_id", "until_ms"),
)

holiday = Table(
    "holiday",
    metadata,
    Column("site_id", STATION_ID, primary_key=True),
    Column("day", String(10), primary_key=True),  # ISO date in the site's time zone
    Column("name", String(60), nullable=False),
)

oncall_site = Table(
    "oncall_site",  # what the people file of a site says beside people, rosters and holidays
    metadata,
    Column("site_id", STATION_ID, primary_key=True),
    Column("plan", Document, nullable=False),  # people and rosters in order, quiet hours
)

calendar_feed = Table(
    "calendar_feed",  # whose calendar may be read with which key; of the key only its SHA-256
    metadata,
    Column("kind", String(8), primary_key=True),  # roster, person
    Column("id", _NAME, primary_key=True),
    Column("key_sha256", String(64), nullable=False),
    Column("by", _NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)
