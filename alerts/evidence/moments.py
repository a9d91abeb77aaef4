"""What happened, merged from all records into one list in order of time; and how it ended."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts.evidence.attachments import SYSTEM
from alerts.evidence.case import Case, Row
from alerts.evidence.texts import both, word
from devices.command_model import CUTS, Origin, State
from rules import texts as rule_texts
from rules.model import Change
from rules.texts import Lang

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BEFORE_MS: Final = 60_000  # a cut leaves before its incident is written
_CUTS: Final = frozenset(action.value for action in CUTS)
_KNOWN_BETTER: Final = frozenset({"sent", "delivered", "cut_proven", "finding_cleared"})
"""Timeline entries of what the messages, orders and findings themselves say."""
_UNSAID: Final = frozenset({"attachment", "due_ms", "finding", "sha256", "slot", "tier"})
"""What a timeline entry holds for programs."""
_OPEN: Final = frozenset(state.value for state in State if not state.ended)


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline. ``at_ms`` is UTC ms, the texts are in both languages."""

    at_ms: int
    what: str
    who: str


def wall_clock(case: Case) -> Callable[[int | None], str]:
    """Writes UTC ms as the site's date and time to the second; None as ``not yet``."""
    zone = ZoneInfo(case.place.timezone)

    def written(at_ms: int | None) -> str:
        if at_ms is None:
            return both("fact.not_yet")
        at = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
        return at.strftime("%Y-%m-%d %H:%M:%S")

    return written


def iso(at_ms: int | None, timezone: str) -> str:
    """UTC ms as ISO 8601 with the offset of ``timezone``, to the millisecond; None is empty."""
    if at_ms is None:
        return ""
    at = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(timezone))
    return at.isoformat(timespec="milliseconds")


def outcome(case: Case) -> str:
    """How the cut ended: ``proven``, ``failed``, ``pending`` or ``none``.

    A socket's cut that failed counts by the station's cut that followed it.
    """
    cuts = _own_cuts(case)
    followed = {row["parent_id"] for row in cuts}
    last = [row for row in cuts if row["id"] not in followed]
    if any(row["state"] not in _OPEN | {State.PROVEN} for row in last):
        return "failed"
    if any(row["state"] in _OPEN for row in last):
        return "pending"
    return "proven" if last else "none"


def moments(case: Case) -> Sequence[Moment]:
    """The whole timeline, oldest first."""
    lines = [*_findings(case), *_alarms(case), *_commands(case), *_messages(case), *_acts(case)]
    return sorted(lines, key=lambda line: line.at_ms)


def sentence(row: Row) -> str:
    """One step of a finding in words: why it was raised, or the values with which it ended."""
    if row["change"] == Change.CLEARED:
        return ", ".join(
            f"{name} {_short(value)}" for name, value in sorted(row["evidence"].items())
        )
    return " ".join(_told(row["reason"], lang, row["evidence"]) for lang in Lang)


def heading(row: Row) -> str:
    """What a finding is about: rule, title, station and socket."""
    socket = f" #{row['socket']}" if row["socket"] else ""
    return f"{row['rule']} {_title(row['rule'])} {row['station_id']}{socket}"


def _own_cuts(case: Case) -> list[Row]:
    """The cuts that belong to the incident, not those that end an ordinary charge beside it."""
    rules = {row["rule"] for row in case.findings}
    since = case.incident["first_ms"] - _BEFORE_MS
    cuts = [r for r in case.commands if r["action"] in _CUTS and r["issued_ms"] >= since]
    own = {r["id"] for r in cuts if r["rule"] in rules or r["origin"] == Origin.PERSON}
    return [r for r in cuts if r["id"] in own or r["parent_id"] in own]


def _findings(case: Case) -> Iterable[Moment]:
    for row in case.findings:
        for step in row["transitions"]:
            change = both(f"line.{step['change']}")
            what = f"{change}: {heading(row)}: {sentence(step)}"
            yield Moment(step["at_ms"], what, both("line.system"))


def _alarms(case: Case) -> Iterable[Moment]:
    for row in case.alarms:
        key = "line.alarm_on" if row["active"] else "line.alarm_off"
        yield Moment(row["received_ms"], both(key, kind=row["kind"]), row["station_id"])


def _commands(case: Case) -> Iterable[Moment]:
    for row in case.commands:
        socket = f" #{row['socket']}" if row["socket"] else ""
        action = f"{row['action']} {row['station_id']}{socket}"
        who = row["ordered_by"] or row["rule"] or row["origin"]
        yield Moment(row["issued_ms"], both("line.command", action=action), str(who))
        if row["proven_ms"] is not None:
            said = both("line.command_proven", action=action, watts=row["proof_w"])
            yield Moment(row["proven_ms"], said, row["station_id"])
        elif row["failure"] is not None:
            said = both("line.command_failed", action=action, failure=row["failure"])
            yield Moment(row["ended_ms"] or row["expires_ms"], said, both("line.system"))


def _messages(case: Case) -> Iterable[Moment]:
    for row in case.messages:
        by_way = {"kind": row["kind"], "channel": row["channel"]}
        to = case.people.get(row["person_id"], row["person_id"])
        steps = (
            ("first_sent_ms", both("line.message_sent", **by_way, to=to), both("line.system")),
            ("accepted_ms", both("line.message_accepted", **by_way), row["provider"]),
            ("delivered_ms", both("line.message_delivered", **by_way), to),
        )
        for name, said, who in steps:
            if row[name] is not None:
                yield Moment(row[name], said, str(who or ""))


def _acts(case: Case) -> Iterable[Moment]:
    for row in case.timeline:
        if row["kind"] in _KNOWN_BETTER:
            continue
        detail = ", ".join(
            f"{name}: {_said(case, value)}"
            for name, value in sorted(row["detail"].items())
            if name not in _UNSAID and value is not None
        )
        said = word("event", row["kind"])
        what = f"{said}: {detail}" if detail else said
        yield Moment(row["at_ms"], what, _who(case, row["actor"]))


def _who(case: Case, actor: str) -> str:
    return both("line.system") if actor == SYSTEM else case.people.get(actor, actor)


def _said(case: Case, value: Any) -> str:
    """A value of a timeline entry; people by their names."""
    if isinstance(value, list | tuple):
        return ", ".join(_said(case, part) for part in value)
    return _short(case.people.get(value, value) if isinstance(value, str) else value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:160]} …"  # noqa: PLR2004 - two lines of print


def _told(reason: str, lang: Lang, evidence: Any) -> str:
    try:
        return rule_texts.text(reason, lang, evidence)
    except KeyError:
        return reason  # recorded by another version


def _title(rule: str) -> str:
    try:
        return " ".join(rule_texts.title(rule, lang) for lang in Lang)
    except KeyError:
        return ""
