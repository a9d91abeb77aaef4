"""What the house finds about itself: its rules are no rules of the engine, its findings are.

They are findings on a site (the key's station is the site's id, the tier names the subject), so
that they are recorded, grouped and told like all others. What stands is in SQL alone: any
process may compare.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from zlib import crc32

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.findings import Recorded, save_transitions, stored_finding
from alerts.tables import finding as finding_table
from rules.model import Act, Change, Evidence, Family, Finding, FindingKey, Severity, Transition
from rules.reasons import Reason

_TIER_LENGTH: Final = 32


class HouseRule(StrEnum):
    """The rules of the house; titles are in ``rules/texts/``."""

    EMPTY_SHIFT = "R95"  # nobody is on duty for a part of a roster
    INTERNAL_FAULT = "R96"  # a part of ours does not work
    MESSAGE_BUDGET = "R97"  # messages cost more, or are nearer their limit, than planned
    CLOCK_JUMP = "R98"  # the machine's clock was set while running

    @property
    def family(self) -> Family:
        """A protection is off, or we are blind or broken."""
        return _FAMILIES[self]


_FAMILIES: Final = {
    HouseRule.EMPTY_SHIFT: Family.SUPERVISORY,
    HouseRule.INTERNAL_FAULT: Family.TROUBLE,
    HouseRule.MESSAGE_BUDGET: Family.SUPERVISORY,
    HouseRule.CLOCK_JUMP: Family.TROUBLE,
}


@dataclass(frozen=True, slots=True)
class HouseFinding:
    """One thing that is wrong now. ``subject``: a roster, lane, job, ... of the site's house."""

    site: str
    rule: HouseRule
    subject: str
    reason: Reason
    severity: Severity = Severity.MAJOR
    evidence: Evidence = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, str]:
        """What makes it the same finding: station, rule and tier of its key."""
        return self.site, self.rule.value, _tier(self.subject)


async def stand(
    connection: AsyncConnection,
    wanted: Sequence[HouseFinding],
    now_ms: int,
    rules: Collection[HouseRule] = tuple(HouseRule),
) -> Recorded:
    """Make what stands of ``rules`` exactly ``wanted``: raise, update, clear; what was new.

    A finding is updated when its severity or reason changes, not for each new value.
    """
    standing = await _standing(connection, rules)
    new = {finding.place: finding for finding in wanted if finding.rule in rules}
    transitions = [*_ended(standing, new, now_ms), *_begun(standing, new, now_ms)]
    return await save_transitions(connection, transitions, now_ms)


def _ended(
    standing: Iterable[Finding], new: dict[tuple[str, str, str], HouseFinding], now_ms: int
) -> list[Transition]:
    gone = [finding for finding in standing if _place(finding) not in new]
    return [Transition(Change.CLEARED, finding, now_ms) for finding in gone]


def _begun(
    standing: Iterable[Finding], new: dict[tuple[str, str, str], HouseFinding], now_ms: int
) -> list[Transition]:
    known = {_place(finding): finding for finding in standing}
    out: list[Transition] = []
    for place, wanted in new.items():
        old = known.get(place)
        if old is None:
            out.append(Transition(Change.RAISED, _finding(wanted, now_ms), now_ms))
        elif (old.severity, old.reason) != (wanted.severity, wanted.reason.value):
            out.append(Transition(Change.UPDATED, _changed(old, wanted), now_ms))
    return out


def _finding(wanted: HouseFinding, now_ms: int) -> Finding:
    return Finding(
        key=FindingKey(wanted.site, None, wanted.rule.value, _tier(wanted.subject), now_ms),
        family=wanted.rule.family,
        severity=wanted.severity,
        reason=wanted.reason.value,
        act=Act.NONE,
        latched=False,
        fire=False,
        shadow=False,
        raised_ms=now_ms,
        evidence={"subject": wanted.subject, **wanted.evidence},
    )


def _changed(old: Finding, wanted: HouseFinding) -> Finding:
    return replace(
        old,
        severity=wanted.severity,
        reason=wanted.reason.value,
        evidence={"subject": wanted.subject, **wanted.evidence},
    )


def _place(finding: Finding) -> tuple[str, str, str]:
    return finding.key.station, finding.key.rule, finding.key.tier


def _tier(subject: str) -> str:
    """The subject as a tier; a long one is shortened and stays itself by its checksum."""
    if len(subject) <= _TIER_LENGTH:
        return subject
    return f"{subject[: _TIER_LENGTH - 9]}-{crc32(subject.encode()):08x}"


async def _standing(connection: AsyncConnection, rules: Collection[HouseRule]) -> list[Finding]:
    c = finding_table.c
    query = (
        select(finding_table)
        .where(c.cleared_ms.is_(None), c.rule.in_(sorted(rule.value for rule in rules)))
        .order_by(c.id)
    )
    return [stored_finding(row).finding for row in await connection.execute(query)]
