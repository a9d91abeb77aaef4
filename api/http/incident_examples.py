"""Examples of incidents, messages and silences for the OpenAPI document; they are views."""

from typing import Any, Final

from alerts.channels.port import Channel
from alerts.incidents.model import Cause, Kind, State, Urgency
from alerts.incidents.silences import Silence
from alerts.incidents.store import Deadline, Event
from alerts.outbox.model import MessageState
from api.http import incident_views as views
from api.http.examples import finding

_T: Final = 1_790_000_000_000  # 2026-09-21T14:13:20Z

incident: Final = views.Incident(
    number="F0012",
    site="caima",
    area="east",
    station="cm-e01",
    urgency=Urgency.FIRE,
    drill=False,
    state=State.REPORTED,
    round=1,
    opened_ms=_T - 1_200_000,
    first_ms=_T - 1_200_000,
    activity_ms=_T - 1_180_000,
    standing=1,
    acknowledged_ms=_T - 1_161_000,
    on_site_ms=_T - 960_000,
    reported_ms=_T - 300_000,
    closed_ms=None,
    assignee="wang",
    cause=Cause.OVERHEATING,
    merged=False,
)
message: Final = views.Message(
    id="m0k3v9s8t2qa",
    incident="F0012",
    round=1,
    kind=Kind.FIRE,
    channel=Channel.SMS,
    person="wang",
    address="+8613800000001",
    lang="zh",
    state=MessageState.DELIVERED,
    text="火警!东区一号充电站5号座,13:53,82℃,已断电。请立即到场并视情拨119。单号F0012",
    due_ms=_T - 1_200_000,
    created_ms=_T - 1_200_000,
    first_sent_ms=_T - 1_199_200,
    accepted_ms=_T - 1_198_900,
    delivered_ms=_T - 1_195_000,
    ended_ms=_T - 1_195_000,
    provider="aliyun",
    bundle=None,
    reason="",
    attempts=(
        views.Attempt(
            provider="aliyun",
            started_ms=_T - 1_199_200,
            ended_ms=_T - 1_198_900,
            outcome="accepted",
            code="OK",
            detail="",
            segments=1,
            receipt="delivered",
            receipt_ms=_T - 1_195_000,
            receipt_code="DELIVERED",
        ),
    ),
)
attachment: Final = views.Attachment(
    id=31,
    kind="photo",
    name="photo-9f86d081884c7d65.jpg",
    media_type="image/jpeg",
    bytes=412_334,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    by="wang",
    at_ms=_T - 320_000,
    detail={"sent_bytes": 3_904_112},
)
silence: Final = Silence(
    id=5,
    site="caima",
    station="cm-e01",
    rule="R41",
    from_ms=_T,
    until_ms=_T + 7_200_000,
    reason="4G modem is being exchanged",
    by="li",
)
incident_detail: Final = views.IncidentDetail(
    incident=incident,
    findings=(finding,),
    deadlines=(Deadline(1, "acknowledge", _T - 1_140_000, "met", _T - 1_161_000),),
    timeline=(Event(901, _T - 1_161_000, "acknowledged", "wang", {"via": "link"}),),
    messages=(message,),
    attachments=(attachment,),
)
incidents: Final = views.Incidents((incident,), f"{_T - 1_200_000}.12")
messages: Final = views.Messages((message,), None)
silences: Final = views.Silences((silence,), None)
ACTS: Final[dict[str, Any]] = {
    "acknowledge": {"summary": "I am on it", "value": {"act": "acknowledge"}},
    "arrive": {"summary": "I am on site", "value": {"act": "arrive"}},
    "report": {
        "summary": "What it was",
        "value": {"act": "report", "cause": "overheating", "note": "contact burnt, vehicle out"},
    },
    "close": {"summary": "It is over", "value": {"act": "close", "note": "socket exchanged"}},
    "reopen": {"summary": "It is not over", "value": {"act": "reopen", "note": "smoke again"}},
    "comment": {"summary": "A line", "value": {"act": "comment", "note": "electrician called"}},
    "assign": {"summary": "Hand over", "value": {"act": "assign", "person": "li"}},
}
SILENCES: Final[dict[str, Any]] = {
    "station": {
        "summary": "One rule at one station",
        "value": {
            "site": "caima",
            "station": "cm-e01",
            "rule": "R41",
            "until": _T + 7_200_000,
            "reason": "4G modem is being exchanged",
        },
    }
}
