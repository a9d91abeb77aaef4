"""From health, audit and canary to findings of the house: what is wrong, of which site."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.channels.quota import BudgetLevel, Spent
from alerts.oncall.book import Book
from alerts.oncall.gaps import Gap
from alerts.oncall.gaps import empty_shifts as gaps_of
from alerts.oncall.model import Role
from alerts.watch.auditor import Broken
from alerts.watch.canary_runs import Standing
from alerts.watch.faultline import Fault
from alerts.watch.house import HouseFinding, HouseRule
from api.health import Reason as Cause
from api.health import Trouble, Verdict
from rules.model import Evidence, Severity
from rules.reasons import Reason

FAILED_RUNS: Final = 2
"""Canary runs that fail in a row before people are told."""
DIRECT_MS: Final = 30_000
"""SQL, or a job of the desk, that is away for longer is told past SQL."""
AHEAD_MS: Final = 12 * 3_600_000
"""Empty shifts are told this long before they begin."""
DESK_JOBS: Final = frozenset({"desk"})
"""Jobs without which no message leaves."""
_REASONS: Final = {
    Trouble.LANE_SILENT: Reason.LANE_SILENT,
    Trouble.SQL_DOWN: Reason.SQL_DOWN,
    Trouble.SQL_UNKNOWN: Reason.SQL_DOWN,
    Trouble.DRAIN_LATE: Reason.STORE_LATE,
    Trouble.JOURNAL_FULL: Reason.JOURNAL_FULL,
    Trouble.JOB_FAILED: Reason.JOB_BROKEN,
    Trouble.JOB_LATE: Reason.JOB_BROKEN,
    Trouble.UNRECORDABLE: Reason.UNRECORDABLE,
    Trouble.REPLAY_SKIPPED: Reason.REPLAY_SKIPPED,
    Trouble.CLOCK_JUMP: Reason.CLOCK_JUMP,
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong with the house as a whole."""

    rule: HouseRule
    subject: str
    reason: Reason
    severity: Severity
    evidence: Evidence


def wrong(verdict: Verdict, broken: Iterable[Broken], canary: Standing | None) -> list[Wrong]:
    """Everything that is wrong now; an invariant counts once, however many things break it."""
    out = [_of_cause(cause, verdict) for cause in verdict.reasons]
    by_name = {one.name: one for one in reversed(list(broken))}  # the oldest of each stays
    out += [
        Wrong(
            HouseRule.INTERNAL_FAULT,
            f"audit-{one.name.value}",
            Reason(one.name.value),
            Severity.MAJOR,
            {"subject": one.subject, "since_ms": one.since_ms},
        )
        for one in by_name.values()
    ]
    if canary is not None and canary.failures_in_row >= FAILED_RUNS:
        evidence: Evidence = {"failures": canary.failures_in_row}
        out.append(_fault("canary", Reason.CANARY_FAILED, Severity.MAJOR, evidence))
    return list({(one.rule, one.subject): one for one in out}.values())


def of_sites(found: Sequence[Wrong], sites: Iterable[str]) -> list[HouseFinding]:
    """The same as findings: every site hears that its watch is not whole."""
    return [
        HouseFinding(site, one.rule, one.subject, one.reason, one.severity, one.evidence)
        for site in sites
        for one in found
    ]


def direct(verdict: Verdict) -> list[Fault]:
    """What only the direct line can tell: SQL is away, or the desk does not work."""
    out = []
    for cause in verdict.reasons:
        sql = cause.trouble in (Trouble.SQL_DOWN, Trouble.SQL_UNKNOWN)
        desk = cause.subject in DESK_JOBS and cause.trouble in (
            Trouble.JOB_FAILED,
            Trouble.JOB_LATE,
        )
        if (sql or desk) and (cause.age_ms or 0) > DIRECT_MS:
            out.append(Fault(_REASONS[cause.trouble], cause.subject))
    return out


def empty_shifts(book: Book, sites: Sequence[str], now_ms: int) -> list[HouseFinding]:
    """Where nobody is on duty, now or within twelve hours; without an officer it is worse."""
    found = {(g.site, _post(g)): g for g in reversed(gaps_of(book, sites, now_ms, AHEAD_MS))}
    return [
        HouseFinding(
            site,
            HouseRule.EMPTY_SHIFT,
            post,
            Reason.EMPTY_SHIFT,
            Severity.MAJOR if gap.role is Role.OFFICER else Severity.WARN,
            {"from_ms": gap.from_ms, "until_ms": gap.until_ms},
        )
        for (site, post), gap in found.items()
    ]


def budget(spent: Spent, sites: Iterable[str]) -> list[HouseFinding]:
    """What has gone out in 24 hours, where it is 80 % of the budget or all of it."""
    used = (
        ("sms", spent.segments, spent.budget.segments),
        ("voice", spent.calls, spent.budget.calls),
    )
    severity = Severity.MAJOR if spent.level is BudgetLevel.SPENT else Severity.WARN
    subject, count, limit = max(used, key=lambda item: item[1] / item[2])
    if spent.level is BudgetLevel.FINE:
        return []
    evidence: Evidence = {"used": count, "limit": limit}
    return [
        HouseFinding(
            site, HouseRule.MESSAGE_BUDGET, subject, Reason.MESSAGE_BUDGET, severity, evidence
        )
        for site in sites
    ]


def _post(gap: Gap) -> str:
    return gap.role.value if gap.area is None else f"{gap.role.value} {gap.area}"


def _of_cause(cause: Cause, verdict: Verdict) -> Wrong:
    severity = Severity.MAJOR if cause.red else Severity.WARN
    reason = _REASONS[cause.trouble]
    if cause.trouble is Trouble.CLOCK_JUMP:
        evidence: Evidence = {"jump_s": round(verdict.jump_ms / 1000)}
        return Wrong(HouseRule.CLOCK_JUMP, "clock", reason, Severity.MAJOR, evidence)
    return _fault(cause.subject, reason, severity, {"age_ms": cause.age_ms})


def _fault(subject: str, reason: Reason, severity: Severity, evidence: Evidence) -> Wrong:
    return Wrong(HouseRule.INTERNAL_FAULT, subject, reason, severity, evidence)
