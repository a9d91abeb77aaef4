"""From what is stored to what the API shows: findings, commands, refusals, telemetry."""

from typing import Final

from alerts.alarms import StoredAlarm
from alerts.findings import StoredFinding
from api.http import kept
from devices.command_model import CommandRecord
from iot.quarantine import Refused
from iot.store import RangeQuery, Series
from rules.model import Finding

_PREVIEW: Final = 200
"""Bytes of a refused body that are shown."""


def command(record: CommandRecord) -> kept.Command:
    """A command without what only its supervision needs."""
    return kept.Command(
        id=record.id,
        station=record.station,
        socket=record.socket,
        action=record.action,
        reason=record.reason,
        origin=record.origin,
        rule=record.rule,
        by=record.by,
        parent=record.parent,
        state=record.state,
        lock=record.lock,
        issued_ms=record.issued_ms,
        expires_ms=record.expires_ms,
        sends=record.sends,
        reply=record.reply,
        reply_detail=record.reply_detail,
        replied_ms=record.replied_ms,
        reaction_ms=record.reaction_ms,
        proven_ms=record.proven_ms,
        proof_w=record.proof_w,
        relay_open=record.relay_open,
        others_unaffected=record.others_unaffected,
        failure=record.failure,
        ended_ms=record.ended_ms,
    )


def finding(stored: StoredFinding) -> kept.Finding:
    """A finding at rest."""
    return _finding(stored.id, stored.finding, stored.updated_ms, stored.cleared_ms)


def standing(found: Finding) -> kept.Finding:
    """A finding that stands now, from the engine's memory."""
    return _finding(None, found, found.raised_ms, None)


def _finding(
    number: int | None, found: Finding, updated_ms: int, cleared_ms: int | None
) -> kept.Finding:
    key = found.key
    return kept.Finding(
        id=number,
        station=key.station,
        socket=key.socket,
        rule=key.rule,
        tier=key.tier,
        family=found.family,
        severity=found.severity,
        reason=found.reason,
        act=found.act,
        latched=found.latched,
        fire=found.fire,
        shadow=found.shadow,
        open=cleared_ms is None,
        since_ms=key.episode_ms,
        raised_ms=found.raised_ms,
        updated_ms=updated_ms,
        cleared_ms=cleared_ms,
        evidence=found.evidence,
    )


def alarm(stored: StoredAlarm) -> kept.Alarm:
    """A station's own alarm."""
    told = stored.alarm
    return kept.Alarm(
        id=told.key.alarm_id,
        boot=told.key.boot,
        station=told.key.station,
        socket=told.socket,
        kind=told.kind,
        active=told.key.active,
        value=told.value,
        ts_ms=told.ts_ms,
        received_ms=told.received_ms,
    )


def refusal(refused: Refused) -> kept.Refusal:
    """A refused message with a preview that no terminal or browser can be tricked by."""
    size = len(refused.payload) if refused.payload_size is None else refused.payload_size
    return kept.Refusal(
        received_ms=refused.received_ms,
        topic=_printable(refused.topic),
        reason=refused.reason,
        detail=_printable(refused.detail),
        retained=refused.retained,
        size=size,
        preview=_printable(refused.payload[:_PREVIEW].decode("utf-8", "backslashreplace")),
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def telemetry(query: RangeQuery, series: Series) -> kept.TelemetryRange:
    """Windows of one channel; the arrays go to JSON as they are."""
    return kept.TelemetryRange(
        station=query.station,
        socket=query.socket,
        channel=query.channel,
        start_ms=query.start_ms,
        end_ms=query.end_ms,
        window_ms=series.window_ms,
        at_ms=series.start_ms,
        min=series.minimum,
        max=series.maximum,
        mean=series.mean,
        samples=series.samples,
    )
