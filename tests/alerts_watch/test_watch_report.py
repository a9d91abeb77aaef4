"""From health, audit and canary to what is told of the house: pure."""

from typing import Final

import pytest

from alerts.channels.quota import Spent
from alerts.channels.settings import BudgetSettings
from alerts.oncall.book import Book
from alerts.watch.auditor import Broken, Invariant
from alerts.watch.canary_runs import Standing
from alerts.watch.faultline import Fault
from alerts.watch.house import HouseFinding, HouseRule
from api import house
from api.health import Reason as Cause
from api.health import Trouble, Verdict
from api.house import Wrong
from rules.model import Severity
from rules.reasons import Reason
from rules.texts import Lang, text

NOON: Final = 1_790_812_800_000
SITE: Final = "caimarenjia"


def verdict(*causes: Cause, jump_ms: int = 0) -> Verdict:
    """Health with these reasons."""
    return Verdict(causes, (), 0, 0, jump_ms=jump_ms)


def cause(
    trouble: Trouble, subject: str, age_ms: int | None = 31_000, *, red: bool = True
) -> Cause:
    """One reason of health."""
    return Cause(trouble, subject, red=red, age_ms=age_ms)


@pytest.mark.parametrize("trouble", list(Trouble))
@pytest.mark.parametrize("lang", list(Lang))
def test_every_trouble_is_told_in_words(trouble: Trouble, lang: Lang) -> None:
    """None of the reasons of health is known to machines only."""
    (found,) = house.wrong(verdict(cause(trouble, "x"), jump_ms=3_600_000), (), None)
    said = text(found.reason, lang, {"subject": found.subject, **found.evidence})
    assert said
    assert "{" not in said
    assert "–" not in said


@pytest.mark.parametrize("invariant", list(Invariant))
def test_every_invariant_is_told_in_words(invariant: Invariant) -> None:
    """It has a reason of its own, which names the thing."""
    (found,) = house.wrong(verdict(), [Broken(invariant, "F0012", NOON)], None)
    assert found == Wrong(
        HouseRule.INTERNAL_FAULT,
        f"audit-{invariant.value}",
        Reason(invariant.value),
        Severity.MAJOR,
        {"subject": "F0012", "since_ms": NOON},
    )
    assert "F0012" in text(found.reason, "zh", found.evidence)


def test_an_invariant_broken_many_times_is_one_finding() -> None:
    """About the oldest case; the numbers are in the metrics."""
    broken = [Broken(Invariant.NOBODY_TOLD, f"F{n}", NOON + n) for n in range(3)]
    (found,) = house.wrong(verdict(), broken, None)
    assert found.evidence == {"subject": "F0", "since_ms": NOON}


def test_red_is_worse_than_not_red_and_a_clock_is_a_rule_of_its_own() -> None:
    """Severity follows readiness; R98 says by how much the clock was set."""
    found = house.wrong(
        verdict(
            cause(Trouble.LANE_SILENT, "safety"),
            cause(Trouble.DRAIN_LATE, "telemetry", red=False),
            cause(Trouble.CLOCK_JUMP, "clock", None, red=False),
            jump_ms=-3_600_400,
        ),
        (),
        None,
    )
    assert [(w.rule.value, w.subject, w.severity) for w in found] == [
        ("R96", "safety", Severity.MAJOR),
        ("R96", "telemetry", Severity.WARN),
        ("R98", "clock", Severity.MAJOR),
    ]
    assert found[2].evidence == {"jump_s": -3_600}


@pytest.mark.parametrize(("failures", "told"), [(0, 0), (1, 0), (2, 1), (9, 1)])
def test_one_failed_run_of_the_canary_is_not_told(failures: int, told: int) -> None:
    """Two in a row are."""
    assert len(house.wrong(verdict(), (), Standing(0.9, NOON, failures))) == told


def test_each_site_hears_that_its_watch_is_not_whole() -> None:
    """The house is everybody's."""
    found = house.wrong(verdict(cause(Trouble.SQL_DOWN, "sql", 4_000)), (), None)
    assert house.of_sites(found, ["east", "west"]) == [
        HouseFinding(
            site,
            HouseRule.INTERNAL_FAULT,
            "sql",
            Reason.SQL_DOWN,
            Severity.MAJOR,
            {"age_ms": 4_000},
        )
        for site in ("east", "west")
    ]


@pytest.mark.parametrize(
    ("told", "faults"),
    [
        (cause(Trouble.SQL_DOWN, "sql", 30_000), []),
        (cause(Trouble.SQL_DOWN, "sql", 30_001), [Fault(Reason.SQL_DOWN, "sql")]),
        (cause(Trouble.SQL_UNKNOWN, "sql", 30_001), [Fault(Reason.SQL_DOWN, "sql")]),
        (cause(Trouble.JOB_FAILED, "desk", 30_001), [Fault(Reason.JOB_BROKEN, "desk")]),
        (cause(Trouble.JOB_LATE, "desk", 30_001), [Fault(Reason.JOB_BROKEN, "desk")]),
        (cause(Trouble.JOB_LATE, "snapshot", 90_001), []),
        (cause(Trouble.LANE_SILENT, "safety", 60_000), []),  # the desk works: it tells that
    ],
)
def test_only_what_the_ordinary_way_cannot_say_goes_past_sql(
    told: Cause, faults: list[Fault]
) -> None:
    """SQL or the desk, away for more than half a minute."""
    assert house.direct(verdict(told)) == faults


@pytest.mark.parametrize(
    ("segments", "calls", "severity", "subject"),
    [(79, 0, None, ""), (80, 0, "warn", "sms"), (100, 9, "major", "sms"), (1, 9, "warn", "voice")],
)
def test_the_budget_is_told_at_four_fifths_and_when_it_is_spent(
    segments: int, calls: int, severity: str | None, subject: str
) -> None:
    """Of texts or calls, whichever is nearer its end."""
    budget = BudgetSettings(segments=100, calls=10)
    found = house.budget(Spent(segments, calls, budget), [SITE])
    said = [(f.severity.value, f.subject, f.evidence["limit"]) for f in found]
    limit = 100 if subject == "sms" else 10
    assert said == ([] if severity is None else [(severity, subject, limit)])


def test_a_site_with_nobody_lacks_its_officer() -> None:
    """From now on, and that is worse than a missing manager."""
    (found,) = house.empty_shifts(Book(), [SITE], NOON)
    assert found == HouseFinding(
        SITE,
        HouseRule.EMPTY_SHIFT,
        "officer",
        Reason.EMPTY_SHIFT,
        Severity.MAJOR,
        {"from_ms": NOON, "until_ms": NOON + house.AHEAD_MS},
    )
