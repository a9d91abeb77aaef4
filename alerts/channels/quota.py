"""What the providers still let through, counted from the ledger of attempts.

An attempt counts when it was accepted or when nobody knows; windows roll. The limits are the
providers' own, so that we go another way before they refuse; the budget is ours, and holds
back only what is no danger.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import case, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.channels.gateway import URGENT
from alerts.channels.port import Channel, Outgoing, Provider, Throttled
from alerts.channels.settings import BudgetSettings, ChannelsSettings, Limit, Per
from alerts.channels.written import FREE
from alerts.incidents.model import Kind
from alerts.outbox.tables import attempt, message

DAY_MS: Final = 86_400_000
NEVER_SAVED_ON: Final = URGENT | {Kind.CUT, Kind.ESCALATION, Kind.STORM}
"""Kinds the budget never holds back: they are, or may stand for, a danger."""
_COUNTED: Final = ("accepted", "unknown")
_COSTLY: Final = frozenset({Channel.SMS, Channel.VOICE})
_BUDGET_RETRY_S: Final = 600.0
_WARN_AT: Final = 0.8


class BudgetLevel(StrEnum):
    """How much of the day's budget is gone."""

    FINE = "fine"
    NEARLY = "nearly"  # 80 % or more
    SPENT = "spent"  # all of it


@dataclass(frozen=True, slots=True)
class Spent:
    """What went out in the last 24 hours, and what may."""

    segments: int
    calls: int
    budget: BudgetSettings

    @property
    def level(self) -> BudgetLevel:
        """The worse of the two."""
        share = max(self.segments / self.budget.segments, self.calls / self.budget.calls)
        if share >= 1:
            return BudgetLevel.SPENT
        return BudgetLevel.NEARLY if share >= _WARN_AT else BudgetLevel.FINE


@dataclass(frozen=True, slots=True)
class Use:
    """An earlier attempt to the same address."""

    started_ms: int
    signature: str
    template: str
    same_text: bool


class Quota:
    """Limits and budget of one installation."""

    def __init__(self, settings: ChannelsSettings) -> None:
        """``settings`` name the limits; the providers' defaults hold for what they do not."""
        self._settings = settings

    async def closed(
        self,
        connection: AsyncConnection,
        providers: Iterable[Provider],
        outgoing: Outgoing,
        now_ms: int,
    ) -> dict[str, Throttled]:
        """Which of ``providers`` may not take ``outgoing`` now, and from when on they may."""
        ways = [way for way in providers if way.channel is outgoing.channel]
        if await self._saved_on(connection, outgoing, now_ms):
            return {way.name: Throttled("budget", "", _BUDGET_RETRY_S) for way in ways}
        limited = {way.name: way for way in ways if self._settings.limits_of(way.name)}
        uses = await self._uses(connection, limited, outgoing, now_ms)
        shut: dict[str, Throttled] = {}
        for name, way in limited.items():
            template = way.template(outgoing.kind, outgoing.lang)
            mine = Use(now_ms, way.signature, template, same_text=True)
            urgent = outgoing.kind in URGENT
            limits = self._settings.limits_of(name)
            error = held_back(limits, uses.get(name, ()), mine, urgent=urgent)
            if error is not None:
                shut[name] = error
        return shut

    async def spent(self, connection: AsyncConnection, now_ms: int) -> Spent:
        """What the last 24 hours cost, against the budget."""
        segments = case((message.c.channel == Channel.SMS.value, attempt.c.segments), else_=0)
        calls = case((message.c.channel == Channel.VOICE.value, 1), else_=0)
        query = (
            select(func.coalesce(func.sum(segments), 0), func.coalesce(func.sum(calls), 0))
            .select_from(attempt.join(message, message.c.id == attempt.c.message_id))
            .where(
                attempt.c.started_ms > now_ms - DAY_MS,
                attempt.c.outcome.in_(_COUNTED),
                attempt.c.provider.not_in(FREE),
            )
        )
        row = (await connection.execute(query)).one()
        return Spent(int(row[0]), int(row[1]), self._settings.budget)

    async def _saved_on(self, connection: AsyncConnection, outgoing: Outgoing, now_ms: int) -> bool:
        if outgoing.kind in NEVER_SAVED_ON or outgoing.channel not in _COSTLY:
            return False
        spent = await self.spent(connection, now_ms)
        if outgoing.channel is Channel.SMS:
            return spent.segments >= spent.budget.segments
        return spent.calls >= spent.budget.calls

    async def _uses(
        self,
        connection: AsyncConnection,
        ways: Mapping[str, Provider],
        outgoing: Outgoing,
        now_ms: int,
    ) -> dict[str, list[Use]]:
        limits = [limit for name in ways for limit in self._settings.limits_of(name)]
        if not limits:
            return {}
        longest_ms = max(limit.window_s for limit in limits) * 1_000
        c, m = attempt.c, message.c
        same = or_(c.message_id == outgoing.id, func.coalesce(m.text == outgoing.text, false()))
        query = (
            select(c.provider, c.started_ms, c.signature, c.template, same.label("same"))
            .select_from(attempt.join(message, m.id == c.message_id))
            .where(
                c.provider.in_(sorted(ways)),
                c.address == outgoing.address,
                c.started_ms > now_ms - longest_ms,
                c.outcome.in_(_COUNTED),
            )
            .order_by(c.started_ms, c.id)
        )
        uses: dict[str, list[Use]] = {}
        for row in await connection.execute(query):
            use = Use(row.started_ms, row.signature, row.template, bool(row.same))
            uses.setdefault(row.provider, []).append(use)
        return uses


def held_back(
    limits: Iterable[Limit], uses: Sequence[Use], mine: Use, *, urgent: bool
) -> Throttled | None:
    """The limit that holds ``mine`` back the longest, or None; ``uses`` are the oldest first."""
    worst: Throttled | None = None
    for limit in limits:
        window_ms = limit.window_s * 1_000
        starts = [
            use.started_ms
            for use in uses
            if use.started_ms > mine.started_ms - window_ms and _alike(limit.per, use, mine)
        ]
        allowed = limit.count - (0 if urgent else limit.reserve)
        if len(starts) < allowed:
            continue
        free_ms = starts[len(starts) - allowed] + window_ms - mine.started_ms
        # A clock that was set back must not close a way for longer than its window.
        wait_s = min(max(free_ms / 1_000, 1.0), float(limit.window_s))
        if worst is None or wait_s > worst.retry_after_s:
            code = f"quota-{limit.count}-in-{limit.window_s}s"
            worst = Throttled(code, f"{len(starts)} by {limit.per.value}", wait_s)
    return worst


def _alike(per: Per, use: Use, mine: Use) -> bool:
    if per is Per.TEMPLATE:
        return (use.signature, use.template) == (mine.signature, mine.template)
    return per is Per.ADDRESS or use.same_text
