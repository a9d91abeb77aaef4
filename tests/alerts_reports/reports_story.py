"""A month of one site, written straight into the tables: what a report must find again."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents.tables import canary_run, escalation, incident, incident_event
from alerts.outbox.tables import attempt, message
from alerts.tables import finding

SITE = "caimarenjia"
DAY_MS = 86_400_000
NOVEMBER_MS = 1_793_462_400_000
"""2026-11-01 00:00 in Hangzhou."""
_TARGETS_S = {"acknowledge": 60, "on_site": 300, "report": 1800}
_ACTS = {"acknowledge": "acknowledged", "on_site": "arrived", "report": "reported"}


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    """UTC ms of a local time in November 2026."""
    return NOVEMBER_MS + (day - 1) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000


@dataclass
class Story:
    """Writes rows with as few words as the tests need."""

    connection: AsyncConnection
    ids: Any = field(default_factory=lambda: count(1))

    async def incident(self, first_ms: int, took_s: tuple[int | None, ...], **columns: Any) -> int:
        """An incident whose stages were reached after ``took_s`` seconds (None = never)."""
        number = next(self.ids)
        row = {
            "id": number,
            "number": f"F{number:04d}",
            "site_id": SITE,
            "area_id": "east",
            "station_id": "cmrj-01",
            "urgency": "fire",
            "drill": False,
            "canary": False,
            "state": "closed",
            "round": 1,
            "opened_ms": first_ms,
            "first_ms": first_ms,
            "activity_ms": first_ms,
            "standing": 0,
        }
        await self.connection.execute(insert(incident), [row | columns])
        await self.answered(number, 1, first_ms, took_s)
        return int(number)

    async def answered(
        self, number: int, round_: int, begun_ms: int, took_s: tuple[int | None, ...], by: str = ""
    ) -> None:
        """The deadlines of a round and what people did about them."""
        for (step, target_s), took in zip(_TARGETS_S.items(), took_s, strict=True):
            met = took is not None and took <= target_s
            row = {
                "incident_id": number,
                "round": round_,
                "step": step,
                "due_ms": begun_ms + target_s * 1000,
                "state": "met" if met else "missed",
                "settled_ms": begun_ms + target_s * 1000,
            }
            await self.connection.execute(insert(escalation), [row])
            if took is not None:
                await self.event(number, begun_ms + took * 1000, _ACTS[step], by or "zhang-wei")

    async def event(self, number: int, at_ms: int, kind: str, actor: str = "system") -> None:
        """A line of the timeline."""
        row = {"incident_id": number, "at_ms": at_ms, "kind": kind, "actor": actor, "detail": {}}
        await self.connection.execute(insert(incident_event), [row])

    async def finding(
        self, subject: str, rule: str, span: tuple[int, int | None], **more: Any
    ) -> None:
        """A finding that stood from, to (None = still)."""
        row = {
            "station_id": subject,
            "socket": 0,
            "rule": rule,
            "tier": "main",
            "episode_ms": span[0],
            "family": "trouble",
            "severity": "major",
            "reason": "silence",
            "act": "none",
            "latched": False,
            "fire": False,
            "shadow": False,
            "raised_ms": span[0] + 180_000,
            "updated_ms": span[0] + 180_000,
            "cleared_ms": span[1],
            "evidence": {},
        }
        await self.connection.execute(insert(finding), [row | more])

    async def message(self, number: int, created_ms: int, state: str, **more: Any) -> str:
        """A message of an incident."""
        name = f"m{next(self.ids):011d}"
        row = {
            "id": name,
            "incident_id": number,
            "round": 1,
            "slot": name,
            "kind": "fire",
            "channel": "sms",
            "person_id": "zhang-wei",
            "address": "+8613800000000",
            "lang": "zh",
            "priority": 0,
            "state": state,
            "facts": {},
            "due_ms": created_ms,
            "created_ms": created_ms,
            "provider": "aliyun",
            "attempts": 1,
            "reason": "",
        }
        await self.connection.execute(insert(message), [row | more])
        return name

    async def attempt(self, name: str, at_ms: int, outcome: str, provider: str = "aliyun") -> None:
        """One try of a provider."""
        row = {
            "message_id": name,
            "provider": provider,
            "address": "+8613800000000",
            "signature": "安充消防",
            "template": "SMS_1",
            "kind": "fire",
            "started_ms": at_ms,
            "ended_ms": at_ms + 300,
            "outcome": outcome,
            "code": "OK",
            "detail": "",
            "segments": 1,
        }
        await self.connection.execute(insert(attempt), [row])

    async def canary(self, at_ms: int, outcome: str) -> None:
        """A run of the self-test."""
        row = {"started_ms": at_ms, "outcome": outcome, "detail": {}}
        await self.connection.execute(insert(canary_run), [row])


async def november(connection: AsyncConnection) -> None:
    """A month with everything a report shows."""
    story = Story(connection)
    fire = await story.incident(at(3, 14, 3, 22), (41, 262, 1603), cause="true_fire")
    await story.incident(
        at(3, 20), (75, 290, None), station_id="cmrj-02", urgency="danger", cause="false_alarm"
    )
    again = await story.incident(
        at(18, 1, 30), (None, None, None), station_id="cmrj-01", round=2, state="on_site"
    )
    await story.event(again, at(18, 1, 40), "raised")
    await story.answered(again, 2, at(18, 1, 40), (12, 200, None), by="li-na")
    await story.incident(
        at(18, 2), (30, 100, 900), station_id="cmrj-03", urgency="fault", merged_into=again
    )
    await story.incident(at(20, 9), (20, 250, 1500), drill=True, station_id=None, cause="test")
    await story.incident(at(21), (1, 2, 3), canary=True, station_id="canary-01")
    await story.incident(at(1) - 1, (1, 2, 3), station_id="cmrj-04")  # of October
    await story.incident(at(31), (1, 2, 3), station_id="cmrj-04")  # of December
    sent = await story.message(fire, at(3, 14, 3, 23), "delivered")
    await story.attempt(sent, at(3, 14, 3, 24), "retryable")
    await story.attempt(sent, at(3, 14, 3, 26), "accepted", "tencent")
    await story.message(
        fire, at(3, 14, 4, 22), "withdrawn", provider=None, attempts=0, channel="voice"
    )
    await story.finding("cmrj-05", "R41", (at(2, 3), at(2, 5)))
    await story.finding("cmrj-05", "R42", (at(2, 4), at(2, 6)), tier="blind", family="supervisory")
    await story.finding("cmrj-06", "R41", (at(1) - DAY_MS, at(1, 1)))
    await story.finding("cmrj-07", "R90", (at(29), None), tier="protection", family="supervisory")
    await story.finding("cmrj-08", "R02", (at(4), at(5)), family="alarm")
    await story.finding("cmrj-09", "R41", (at(4), at(5)), shadow=True)
    await story.finding(SITE, "R50", (at(6, 1), at(6, 2)), evidence={"stations": "cmrj-10,cmrj-11"})
    await story.finding(SITE, "R95", (at(7), at(7, 8)), family="supervisory", reason="empty_shift")
    for minute in range(4):
        await story.canary(at(9, 0, minute), "passed" if minute else "late")
