"""What a finding means for people: whether anybody is told, how fast, and with which message."""

from collections.abc import Iterable

from alerts.incidents.model import Kind, Urgency
from rules.model import Act, Family, Finding, Severity

CUT_FAILED_RULE = "R40"
OFFLINE_RULE = "R41"
OUTAGE_RULE = "R50"
SELF_TEST_REASON = "device_self_test"
POWER_LOSS_REASON = "device_power_loss"
LINK_REASONS = frozenset({"silence", "last_will", POWER_LOSS_REASON})
"""What an outage of the site explains."""


def urgency(finding: Finding) -> Urgency | None:
    """How fast people must answer; None = nobody is told (normal ends, tests, shadow rules)."""
    if finding.shadow or finding.severity is Severity.INFO:
        return None
    if finding.fire:
        return Urgency.FIRE
    if finding.key.rule == OFFLINE_RULE and finding.evidence.get("warned"):
        return Urgency.DANGER  # it warned of heat, and then fell silent: it may burn
    if finding.family is Family.ALARM and finding.severity is Severity.CRITICAL:
        return Urgency.DANGER
    if finding.severity in (Severity.MAJOR, Severity.CRITICAL):
        return Urgency.FAULT
    return Urgency.NOTICE


def kind(finding: Finding) -> Kind:
    """Which template says it."""
    if finding.key.rule == CUT_FAILED_RULE:
        return Kind.CUT_FAILED
    if finding.fire:
        return Kind.FIRE
    if finding.family is Family.ALARM and finding.act in (Act.CUT_SOCKET, Act.CUT_STATION):
        return Kind.CUT
    return Kind.TROUBLE


def explained_by_outage(finding: Finding) -> bool:
    """Whether a power cut or a dead network of the whole site explains it."""
    return finding.reason in LINK_REASONS and not finding.evidence.get("warned")


def worst(findings: Iterable[Finding]) -> Finding | None:
    """What a message about all of them must say first: a failed cut, then fire, then severity.

    Of equals the first stands, so that later ones do not change what people were told.
    """
    order = list(Severity)
    return max(
        findings,
        key=lambda f: (
            f.key.rule == CUT_FAILED_RULE,
            f.fire,
            f.family is Family.ALARM,
            order.index(f.severity),
            -f.raised_ms,
        ),
        default=None,
    )
