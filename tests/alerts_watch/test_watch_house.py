"""The house's own findings: what stands in SQL is what is wrong now, no more and no less."""

import pytest

from alerts.findings import Recorded, get_history, open_findings
from alerts.watch.house import HouseFinding, HouseRule, stand
from devices.database import Database
from rules.model import Act, Change, Family, Finding, FindingKey, Severity
from rules.reasons import Reason
from rules.texts import Lang, title

NOON = 1_790_812_800_000
SITE = "caimarenjia"


def fault(subject: str = "sql", reason: Reason = Reason.SQL_DOWN) -> HouseFinding:
    """An internal fault."""
    return HouseFinding(SITE, HouseRule.INTERNAL_FAULT, subject, reason)


BUDGET = HouseFinding(
    SITE,
    HouseRule.MESSAGE_BUDGET,
    "sms",
    Reason.MESSAGE_BUDGET,
    Severity.WARN,
    {"used": 80, "limit": 100},
)


def said(recorded: Recorded) -> list[tuple[str, str, str]]:
    """Change, rule and tier of what was new."""
    return [(t.change.value, t.finding.key.rule, t.finding.key.tier) for _, t in recorded.new]


async def stood(database: Database, *wanted: HouseFinding, at_ms: int) -> list[tuple[str, ...]]:
    """Compare once, in a transaction of its own."""
    async with database.writing() as connection:
        return [*said(await stand(connection, wanted, at_ms))]


async def test_what_is_wrong_is_raised_once_and_cleared_when_it_is_over(database: Database) -> None:
    """The same again is no news; an end and a new beginning are."""
    assert await stood(database, fault(), BUDGET, at_ms=NOON) == [
        ("raised", "R96", "sql"),
        ("raised", "R97", "sms"),
    ]
    assert await stood(database, fault(), BUDGET, at_ms=NOON + 10_000) == []
    assert await stood(database, BUDGET, at_ms=NOON + 20_000) == [("cleared", "R96", "sql")]
    assert await stood(database, BUDGET, fault(), at_ms=NOON + 30_000) == [("raised", "R96", "sql")]


async def test_a_finding_of_the_house_is_a_finding_like_all_others(database: Database) -> None:
    """On the site, acting on nothing, with its subject and values as evidence."""
    async with database.writing() as connection:
        recorded = await stand(connection, [BUDGET], NOON)
        (found,) = await open_findings(connection, SITE)
    key = FindingKey(SITE, None, "R97", "sms", NOON)
    assert recorded.began == {key}
    assert found.finding == Finding(
        key=key,
        family=Family.SUPERVISORY,
        severity=Severity.WARN,
        reason="message_budget",
        act=Act.NONE,
        latched=False,
        fire=False,
        shadow=False,
        raised_ms=NOON,
        evidence={"subject": "sms", "used": 80, "limit": 100},
    )


async def test_worse_is_an_update_and_a_new_value_alone_is_not(database: Database) -> None:
    """Severity and reason are what people are told by."""
    worse = HouseFinding(
        SITE, BUDGET.rule, "sms", BUDGET.reason, Severity.MAJOR, {"used": 100, "limit": 100}
    )
    more = HouseFinding(
        SITE, BUDGET.rule, "sms", BUDGET.reason, Severity.WARN, {"used": 90, "limit": 100}
    )
    await stood(database, BUDGET, at_ms=NOON)
    assert await stood(database, more, at_ms=NOON + 10_000) == []
    assert await stood(database, worse, at_ms=NOON + 20_000) == [("updated", "R97", "sms")]
    async with database.reading() as connection:
        (found,) = await open_findings(connection)
        history = await get_history(connection, found.id)
    assert (found.finding.severity, found.finding.evidence["used"]) == (Severity.MAJOR, 100)
    assert [step.change for step in history] == [Change.RAISED, Change.UPDATED]


async def test_who_looks_after_one_rule_leaves_the_others_alone(database: Database) -> None:
    """Rosters are looked at by another job than faults."""
    empty = HouseFinding(SITE, HouseRule.EMPTY_SHIFT, "night", Reason.EMPTY_SHIFT)
    await stood(database, fault(), empty, at_ms=NOON)
    async with database.writing() as connection:
        faults = await stand(connection, [], NOON + 1, [HouseRule.INTERNAL_FAULT])
        shifts = await stand(connection, [fault()], NOON + 2, [HouseRule.EMPTY_SHIFT])
    assert said(faults) == [("cleared", "R96", "sql")]
    assert said(shifts) == [("cleared", "R95", "night")]


async def test_long_subjects_stay_apart(database: Database) -> None:
    """Two rosters whose names begin alike are two findings, and each is known again."""
    first, second = (
        HouseFinding(SITE, HouseRule.EMPTY_SHIFT, "officer-" * 6 + end, Reason.EMPTY_SHIFT)
        for end in ("a", "b")
    )
    assert len(await stood(database, first, second, at_ms=NOON)) == 2
    assert await stood(database, first, second, at_ms=NOON + 1) == []
    assert len(await stood(database, second, at_ms=NOON + 2)) == 1


@pytest.mark.parametrize("rule", list(HouseRule))
@pytest.mark.parametrize("lang", list(Lang))
def test_every_rule_of_the_house_has_a_title(rule: HouseRule, lang: Lang) -> None:
    """In both languages, and none is the engine's."""
    assert title(rule.value, lang)
