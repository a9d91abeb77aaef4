"""Everything of one incident as one ZIP that proves itself (``alerts.evidence.check``).

The same case gives the same bytes: names in order, no clock, no random. ``manifest.json`` has
the SHA-256 of every other file; its own digest is the pack's.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table

from alerts.evidence import moments
from alerts.evidence.attachments import Attachment, Kind
from alerts.evidence.case import Case, Row
from alerts.evidence.files import EvidenceFiles
from alerts.evidence.frozen import Frozen, look
from alerts.evidence.report import render
from alerts.evidence.sheets import sheet
from alerts.evidence.texts import LANGUAGES, said
from alerts.incidents.tables import escalation, incident_event
from alerts.outbox.tables import attempt, callback, message
from alerts.paper.fonts import Face
from alerts.tables import alarm
from devices.tables import command

FORMAT: Final = "chargeward-evidence/1"
MANIFEST: Final = "manifest.json"
AUDIT: Final = "audit.json"
REPORT: Final = "report.pdf"

_FOLDER: Final = {
    Kind.FRAMES: "frames",
    Kind.RULES: "rules",
    Kind.STILL: "stills",
    Kind.PHOTO: "photos",
}
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first date a ZIP knows; it says nothing here
_MODE: Final = 0o644 << 16


@dataclass(frozen=True, slots=True)
class Packed:
    """A finished pack. ``manifest_sha256`` stands for all of it; note it down elsewhere."""

    path: Path
    files: int
    bytes: int
    manifest_sha256: str
    damaged: Sequence[str]
    """Frozen files that are gone or are not what was registered."""


def write_pack(case: Case, files: EvidenceFiles, face: Face, out: Path) -> Packed:
    """Write the pack to ``out``, whole or not at all. Blocking: seconds for a long incident.

    Raises:
        OSError: it cannot be written.

    """
    frozen = look(case, files)
    draft = out.with_name(f"{out.name}.draft")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            listed = [_put(archive, name, data) for name, data in _contents(case, frozen, face)]
            manifest = _json(
                {
                    "format": FORMAT,
                    "incident": case.number,
                    "audit_anchor": case.audit.as_dict()["anchor"],
                    "damaged": list(frozen.damaged),
                    "files": listed,
                }
            )
            _put(archive, MANIFEST, manifest)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    digest = hashlib.sha256(manifest).hexdigest()
    return Packed(out, len(listed) + 1, out.stat().st_size, digest, frozen.damaged)


def _contents(case: Case, frozen: Frozen, face: Face) -> Iterator[tuple[str, bytes]]:
    """Every file but the manifest: name and bytes, in the order of the archive."""
    yield "README.txt", "\n".join(_readme(case, language) for language in LANGUAGES).encode()
    yield "incident.json", _json(_incident(case))
    for name, (columns, rows) in _sheets(case).items():
        yield f"{name}.csv", sheet(columns, rows)
    yield AUDIT, _json(case.audit.as_dict())
    yield REPORT, render(case, frozen, face)
    for attachment in case.attachments:
        data = frozen.data(attachment)
        if data is not None:
            yield f"{_FOLDER[attachment.kind]}/{attachment.name}", data


def _incident(case: Case) -> dict[str, Any]:
    place = case.place
    return {
        "incident": dict(case.incident),
        "outcome": moments.outcome(case),
        "place": {
            "site": place.site.model_dump(),
            "area": None if place.area is None else place.area.model_dump(),
            "stations": {s: name.model_dump() for s, name in place.stations.items()},
            "timezone": place.timezone,
        },
        "window": {"since_ms": case.since_ms, "until_ms": case.until_ms},
        "findings": [dict(row) for row in case.findings],
        "deadlines": [dict(row) for row in case.deadlines],
        "timeline": [
            {"at_ms": m.at_ms, "what": m.what, "who": m.who} for m in moments.moments(case)
        ],
        "lockouts": [dict(row) for row in case.lockouts],
        "rules": [_registered(a) for a in case.attachments if a.kind is Kind.RULES],
        "attachments": [_registered(a) for a in case.attachments],
        "freezing": [
            {"what": str(s.what), "state": s.state, "tries": s.tries, "error": s.error}
            for s in case.tasks
        ],
    }


def _registered(attachment: Attachment) -> dict[str, Any]:
    return {
        "file": f"{_FOLDER[attachment.kind]}/{attachment.name}",
        "media_type": attachment.media_type,
        "bytes": attachment.bytes,
        "sha256": attachment.sha256,
        "by": attachment.by,
        "at_ms": attachment.at_ms,
        "detail": dict(attachment.detail),
    }


def _sheets(case: Case) -> dict[str, tuple[list[str], list[Row]]]:
    """The tables, each with the site's wall clock before the columns of the record."""
    zone = case.place.timezone
    tables: dict[str, tuple[Table, Sequence[Row], str]] = {
        "commands": (command, case.commands, "issued_ms"),
        "messages": (message, case.messages, "created_ms"),
        "attempts": (attempt, case.attempts, "started_ms"),
        "callbacks": (callback, case.callbacks, "received_ms"),
        "acts": (incident_event, case.timeline, "at_ms"),
        "alarms": (alarm, case.alarms, "received_ms"),
        "deadlines": (escalation, case.deadlines, "due_ms"),
    }
    return {
        name: (
            ["time", *table.c.keys()],
            [{"time": moments.iso(row[at], zone), **_flat(row)} for row in rows],
        )
        for name, (table, rows, at) in tables.items()
    }


def _flat(row: Row) -> Row:
    """Documents within a row as JSON text."""
    return {
        name: _text(value) if isinstance(value, dict | list) else value
        for name, value in row.items()
    }


def _readme(case: Case, language: str) -> str:
    return said(language, "readme.text", number=case.number)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode()


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> dict[str, Any]:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = _MODE
    archive.writestr(entry, data)
    return {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
