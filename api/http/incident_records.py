"""From what is stored to what the API shows: incidents, messages, attachments."""

import re
from typing import Final

from alerts.incidents.links import ALPHABET, TOKEN_LENGTH
from alerts.incidents.model import Incident
from alerts.outbox.store import Attempt
from api.http import incident_views as views
from api.http import records
from api.http.cases import Attachment, Case, Sent

_LINK: Final = re.compile(rf"/a/[{ALPHABET}]{{{TOKEN_LENGTH}}}")
_NO_LINK: Final = "/a/…"
_SHOWN_HEAD, _SHOWN_TAIL = 6, 4
"""Characters of an address that stay when it is masked: +86138…0001."""


def incident(stored: Incident) -> views.Incident:
    """An incident as people know it: by its number."""
    return views.Incident(
        number=stored.number,
        site=stored.site,
        area=stored.area,
        station=stored.station,
        urgency=stored.urgency,
        drill=stored.drill,
        state=stored.state,
        round=stored.round,
        opened_ms=stored.opened_ms,
        first_ms=stored.first_ms,
        activity_ms=stored.activity_ms,
        standing=stored.standing,
        acknowledged_ms=stored.acknowledged_ms,
        on_site_ms=stored.on_site_ms,
        reported_ms=stored.reported_ms,
        closed_ms=stored.closed_ms,
        assignee=stored.assignee,
        cause=stored.cause,
        merged=stored.merged_into is not None,
    )


def detail(case: Case, *, masked: bool) -> views.IncidentDetail:
    """Everything about an incident; ``masked``: nobody's number or address is shown."""
    return views.IncidentDetail(
        incident=incident(case.incident),
        findings=tuple(map(records.finding, case.findings)),
        deadlines=case.deadlines,
        timeline=case.events,
        messages=tuple(message(sent, masked=masked) for sent in case.messages),
        attachments=tuple(map(attachment, case.attachments)),
    )


def message(sent: Sent, *, masked: bool = False) -> views.Message:
    """A message with its attempts. Whoever may read it may not act by its link."""
    stored = sent.message
    return views.Message(
        id=stored.id,
        incident=stored.facts.number,
        round=stored.round,
        kind=stored.kind,
        channel=stored.channel,
        person=stored.person,
        address=_mask(stored.address) if masked else stored.address,
        lang=stored.lang,
        state=stored.state,
        text=None if stored.text is None else _LINK.sub(_NO_LINK, stored.text),
        due_ms=stored.due_ms,
        created_ms=stored.created_ms,
        first_sent_ms=stored.first_sent_ms,
        accepted_ms=stored.accepted_ms,
        delivered_ms=stored.delivered_ms,
        ended_ms=stored.ended_ms,
        provider=stored.provider,
        bundle=stored.bundle,
        reason=stored.reason,
        attempts=tuple(map(_attempt, sent.attempts)),
    )


def attachment(kept: Attachment) -> views.Attachment:
    """A file by its digest."""
    return views.Attachment(
        id=kept.id,
        kind=kept.kind,
        name=kept.name,
        media_type=kept.media_type,
        bytes=kept.bytes,
        sha256=kept.sha256,
        by=kept.by,
        at_ms=kept.at_ms,
        detail=kept.detail,
    )


def _attempt(stored: Attempt) -> views.Attempt:
    return views.Attempt(
        provider=stored.provider,
        started_ms=stored.started_ms,
        ended_ms=stored.ended_ms,
        outcome=stored.outcome,
        code=stored.code,
        detail=stored.detail,
        segments=stored.segments,
        receipt=stored.receipt,
        receipt_ms=stored.receipt_ms,
        receipt_code=stored.receipt_code,
    )


def _mask(address: str) -> str:
    if len(address) <= _SHOWN_HEAD + _SHOWN_TAIL:
        return "…"
    return f"{address[:_SHOWN_HEAD]}…{address[-_SHOWN_TAIL:]}"
