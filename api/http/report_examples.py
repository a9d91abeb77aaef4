"""Examples of reports and drills for the OpenAPI document."""

from typing import Any, Final

from alerts.drills.book import Drill, DrillState
from alerts.drills.report import Answer, DrillReport
from alerts.incidents.model import Cause, State, Urgency
from alerts.reports.model import (
    AlarmPath,
    IncidentLine,
    Report,
    Response,
    Sent,
    Tried,
    Unprotected,
)

_BEGUN_MS: Final = 1_795_579_200_000

report: Final = Report(
    site="caimarenjia",
    period="2026-11-25",
    timezone="Asia/Shanghai",
    start_ms=1_795_536_000_000,
    end_ms=1_795_622_400_000,
    now_ms=1_795_622_460_000,
    responses=(Response("acknowledge", 60, 1, 0, 0, 0, 41, 41),),
    incidents=(
        IncidentLine(
            number="F0012",
            station="cmrj-01",
            area="east",
            urgency=Urgency.FIRE,
            state=State.CLOSED,
            cause=Cause.OVERHEATING,
            rounds=1,
            opened_ms=_BEGUN_MS,
            acknowledged_s=41,
            on_site_s=262,
            reported_s=1603,
            by="zhang-wei",
        ),
    ),
    by_urgency=(("fire", 1),),
    by_cause=(("overheating", 1),),
    by_station=(("cmrj-01", 1),),
    by_day=(("2026-11-25", 1),),
    merged=0,
    false_alarms=0,
    sent=(Sent("sms", "aliyun", "delivered", 1, 1),),
    tried=(Tried("aliyun", "accepted", 1, 1),),
    unprotected=(Unprotected("cmrj-05", 3600, 0.041667, (("R41", 3600),)),),
    drills=(),
    alarm_path=AlarmPath(1439, 1, 0, 0.999306),
)
PAGE: Final = "<!doctype html>..."
CSV: Final = "\ufeff蔡马人家消防值守报告,日报 2026-11-25\r\n..."
PDF: Final = "%PDF-1.4 ..."

drill: Final = Drill(
    id=7,
    site="caimarenjia",
    area="east",
    planned_ms=_BEGUN_MS,
    state=DrillState.RUNNING,
    by="li-na",
    note="new officer",
    incident=31,
    number="F0031",
)
drill_report: Final = DrillReport(
    drill=drill,
    begun_ms=_BEGUN_MS + 800,
    answers=(
        Answer("zhang-wei", "张伟", ("sms",), 1, 4, 42, 250, None),
        Answer("chen-gang", "陈刚", ("sms", "voice"), 1, None, None, None, None),
    ),
)
drills: Final = {"items": [drill], "next": None}
ORDERS: Final[dict[str, Any]] = {
    "area": {
        "summary": "A drill of one area, now",
        "value": {"site": "caimarenjia", "area": "east", "note": "new officer"},
    },
    "site": {"summary": "A drill of the whole site, now", "value": {"site": "caimarenjia"}},
}
