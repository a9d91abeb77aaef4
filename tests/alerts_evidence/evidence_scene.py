"""One incident as it stands in SQL, and what surrounds the freezer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from alerts import audit
from alerts.alarms import AlarmKey, StationAlarm, save_alarms
from alerts.findings import save_transitions
from alerts.incidents.tables import escalation, incident, incident_event, incident_finding
from alerts.oncall.tables import person
from alerts.outbox.tables import attempt, callback, message
from alerts.tables import finding
from devices.command_model import CommandRecord, Origin, State
from devices.database import Database
from devices.lockouts import Kind, Lockout
from devices.orders import Action, Result
from devices.records import save_commands, save_lockouts
from devices.registry import import_site
from devices.sitefile import packaged_site
from rules.catalogue import Catalogue
from rules.model import Act, Change, Family, Finding, FindingKey, Severity, Transition

OPENED = 1_782_885_785_000
"""2026-07-01 14:03:05 in Shanghai."""
STATION = "cmrj-01"
SITE = "caimarenjia"


@dataclass
class Around:
    """What the freezer is told: a clock and a drain that the test moves."""

    at_ms: int = OPENED
    stored_ms: int | None = None
    urls: dict[str, str] = field(default_factory=dict)

    def now_ms(self) -> int:
        """The test's clock."""
        return self.at_ms

    def stored_until_ms(self) -> int | None:
        """The test's drain."""
        return self.stored_ms

    def camera_url(self, camera: str) -> str | None:
        """The test's cameras."""
        return self.urls.get(camera)

    def rules(self, stations: Sequence[str]) -> Mapping[str, Any]:
        """The default catalogue for all."""
        catalogue = Catalogue.default()
        version = catalogue.version
        return {
            "stations": dict.fromkeys(stations, version),
            "catalogues": {version: catalogue.as_dict()},
        }


async def add_incident(
    database: Database, number: str = "F0012", station: str | None = STATION, **changes: Any
) -> int:
    """A fire at socket 3, open; its id."""
    row = {
        "number": number,
        "site_id": SITE,
        "area_id": "east",
        "station_id": station,
        "urgency": "fire",
        "drill": False,
        "canary": False,
        "state": "open",
        "round": 1,
        "opened_ms": OPENED,
        "first_ms": OPENED,
        "activity_ms": OPENED,
        "standing": 1,
        **changes,
    }
    async with database.writing() as connection:
        added = await connection.execute(incident.insert().values(row).returning(incident.c.id))
        return int(added.scalar_one())


def hot(station: str = STATION, **changes: Any) -> Finding:
    """Socket 3 is hot."""
    values: dict[str, Any] = {
        "key": FindingKey(station, 3, "R02", "sustained", OPENED - 30_000),
        "family": Family.ALARM,
        "severity": Severity.CRITICAL,
        "reason": "socket_hot",
        "act": Act.CUT_SOCKET,
        "latched": True,
        "fire": False,
        "shadow": False,
        "raised_ms": OPENED,
        "evidence": {"temp_c": 82.0, "limit_c": 80.0, "power_w": 412.5, "sensor": "socket"},
    }
    return Finding(**(values | changes))


async def add_finding(database: Database, incident_id: int, found: Finding) -> int:
    """Recorded, and named by the incident; its id."""
    async with database.writing() as connection:
        await save_transitions(
            connection, [Transition(Change.RAISED, found, found.raised_ms)], found.raised_ms + 20
        )
        c = finding.c
        query = select(c.id).where(c.station_id == found.key.station, c.rule == found.key.rule)
        finding_id = int((await connection.execute(query)).scalar_one())
        values = {"finding_id": finding_id, "incident_id": incident_id, "added_ms": OPENED}
        await connection.execute(incident_finding.insert().values(values))
        return finding_id


def _command(command_id: str, after_ms: int, **changes: Any) -> CommandRecord:
    values: dict[str, Any] = {
        "id": command_id,
        "station": STATION,
        "socket": 3,
        "action": Action.CUT,
        "reason": "R02 socket_hot",
        "rule": "R02",
        "origin": Origin.RULE,
        "by": None,
        "lock": True,
        "state": State.PROVEN,
        "parent": None,
        "issued_ms": OPENED + after_ms,
        "expires_ms": OPENED + after_ms + 10_000,
    }
    return CommandRecord(**(values | changes))


def proven_cut(**changes: Any) -> CommandRecord:
    """The socket was cut, and measured to be off after 2.1 s."""
    proof: dict[str, Any] = {
        "reply": Result.DONE,
        "replied_ms": OPENED + 900,
        "proven_ms": OPENED + 2_100,
        "proof_w": 0.4,
        "relay_open": True,
        "others_unaffected": True,
        "ended_ms": OPENED + 2_100,
        "sends": 1,
    }
    return _command("c0ffee01", 10, **(proof | changes))


LINK = "cw.example/l/Zm9vYmFyYmF6"
PHONE = "+8613800000001"


async def add_message(
    database: Database, incident_id: int, message_id: str, **changes: Any
) -> None:
    """An SMS to the officer, delivered, with its attempt and receipt."""
    row: dict[str, Any] = {
        "id": message_id,
        "incident_id": incident_id,
        "round": 1,
        "slot": "officer",
        "kind": "fire",
        "channel": "sms",
        "person_id": "zhang-wei",
        "address": PHONE,
        "lang": "zh",
        "priority": 0,
        "state": "delivered",
        "facts": {"kind": "fire", "number": "F0012", "link": LINK},
        "text": f"火警!蔡马人家1号桩3号座,14:03,82℃,插座已断电。请立即到场。单号F0012 {LINK}",
        "params": {"place": "=cmd|'/c calc'!A1", "token": "Zm9vYmFyYmF6"},
        "due_ms": OPENED,
        "created_ms": OPENED + 20,
        "first_sent_ms": OPENED + 400,
        "accepted_ms": OPENED + 900,
        "delivered_ms": OPENED + 4_000,
        "provider": "aliyun",
        "attempts": 1,
        "reason": "",
        **changes,
    }
    tried = {
        "message_id": message_id,
        "provider": "aliyun",
        "address": PHONE,
        "signature": "安充",
        "template": "SMS_1",
        "kind": row["kind"],
        "started_ms": OPENED + 400,
        "ended_ms": OPENED + 900,
        "outcome": "accepted",
        "code": "OK",
        "detail": "",
        "provider_ref": f"biz-{message_id}",
        "segments": 2,
        "receipt": "delivered",
        "receipt_ms": OPENED + 4_000,
        "receipt_code": "DELIVERED",
    }
    came = {
        "provider": "aliyun",
        "key": f"biz-{message_id}",
        "kind": "receipt",
        "received_ms": OPENED + 4_000,
        "outcome": "applied",
        "detail": {"message": message_id, "code": "DELIVERED"},
    }
    async with database.writing() as connection:
        await connection.execute(message.insert().values(row))
        await connection.execute(attempt.insert().values(tried))
        await connection.execute(callback.insert().values(came))


async def add_story(database: Database, number: str = "F0012") -> int:
    """A whole incident: found, cut, proven, told, acknowledged, reported, closed; its id."""
    closed = OPENED + 1_500_000
    incident_id = await add_incident(
        database,
        number,
        state="closed",
        acknowledged_ms=OPENED + 41_000,
        on_site_ms=OPENED + 240_000,
        reported_ms=OPENED + 1_200_000,
        closed_ms=closed,
        assignee="zhang-wei",
        cause="overheating",
        standing=0,
    )
    await add_finding(database, incident_id, hot())
    warm = replace(hot(), evidence={"temp_c": 48.0, "limit_c": 80.0})
    alarm = StationAlarm(
        AlarmKey(STATION, "abcd0123", "a-1", active=True),
        seq=7,
        kind="over_temperature",
        socket=3,
        value=83.5,
        ts_ms=OPENED + 1_000,
        received_ms=OPENED + 1_100,
    )
    other = _command("c0ffee02", 60_000, socket=7, rule="R20", lock=False, action=Action.CUT)
    async with database.writing() as connection:
        await import_site(connection, packaged_site())
        await save_transitions(
            connection, [Transition(Change.CLEARED, warm, OPENED + 900_000)], OPENED + 900_020
        )
        await save_alarms(connection, [alarm], OPENED + 1_110)
        await save_commands(connection, [proven_cut(), other])
        lock = Lockout(STATION, 3, Kind.LATCHED, "R02", "socket_hot", fire=False, since_ms=OPENED)
        await save_lockouts(connection, [lock])
        officer = {"id": "zhang-wei", "name": "张伟", "phone": PHONE, "lang": "zh", "active": True}
        await connection.execute(person.insert().values(officer))
        for step, due, after, state in (
            ("acknowledge", 60, 41, "met"),
            ("on_site", 300, 240, "met"),
            ("report", 1800, 1200, "met"),
        ):
            values = {"incident_id": incident_id, "round": 1, "step": step, "state": state}
            times = {"due_ms": OPENED + due * 1000, "settled_ms": OPENED + after * 1000}
            await connection.execute(escalation.insert().values(**values, **times))
        for after, kind, detail in (
            (0, "opened", {"urgency": "fire"}),
            (41, "acknowledged", {}),
            (240, "on_site", {}),
            (1200, "reported", {"note": "=HYPERLINK(1) <b>充电器</b>过热 & 已隔离"}),
            (1500, "closed", {"cause": "overheating"}),
        ):
            values = {"incident_id": incident_id, "at_ms": OPENED + after * 1000, "kind": kind}
            await connection.execute(
                incident_event.insert().values(**values, actor="zhang-wei", detail=detail)
            )
        for number_, action in enumerate(("acknowledge", "arrive", "report", "close")):
            await audit.append(
                connection,
                actor="zhang-wei",
                action=f"incident.{action}",
                subject=audit.incident_subject(number),
                detail={"n": number_},
                at_ms=OPENED + number_,
            )
            await audit.append(
                connection,
                actor="admin",
                action="credential.add",
                subject="credential:li-na",
                detail={"secret": "of somebody else"},
                at_ms=OPENED + number_,
            )
    await add_message(database, incident_id, "m1")
    await add_message(
        database,
        incident_id,
        "m2",
        channel="voice",
        state="withdrawn",
        text=None,
        first_sent_ms=None,
    )
    return incident_id
