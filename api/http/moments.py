"""The reader of a page: a language, a time zone, an instant; and how things are said to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from alerts.oncall.model import Person
from api.texts import Words
from devices.model import Name
from rules import texts as rule_texts
from rules.model import Finding

_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400


class Mark(StrEnum):
    """What a line means, shown by colour and by shape."""

    ALARM = "alarm"
    WARN = "warn"
    INFO = "info"
    GOOD = "good"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its mark, its words, and when (already in words)."""

    mark: Mark
    text: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, where and when; ``now_ms`` is UTC."""

    say: Words
    zone: ZoneInfo
    now_ms: int
    people: Mapping[str, Person] = field(default_factory=dict)

    def clock(self, at_ms: int) -> str:
        """``14:03:20`` on the reader's day, else ``11-24 14:03``; local time."""
        at, now = (datetime.fromtimestamp(ms / 1000, self.zone) for ms in (at_ms, self.now_ms))
        return at.strftime("%H:%M:%S" if at.date() == now.date() else "%m-%d %H:%M")

    def span(self, ms: int) -> str:
        """``45 s``, ``3 min``, ``2 h 5 min``, ``3 days``: as exact as it matters; never < 0."""
        seconds = max(0, ms) // 1000
        if seconds < 2 * _MINUTE_S:
            return self.say("span.seconds", n=seconds)
        if seconds < _HOUR_S:
            return self.say("span.minutes", n=seconds // _MINUTE_S)
        if seconds < 2 * _DAY_S:
            minutes = seconds % _HOUR_S // _MINUTE_S
            return self.say("span.hours", n=seconds // _HOUR_S, m=minutes)
        return self.say("span.days", n=seconds // _DAY_S)

    def name(self, name: Name) -> str:
        """A place in the reader's language."""
        return name.zh if self.say.language == "zh" else name.en

    def who(self, person: str) -> str:
        """A person's name; an id that is nobody's stands for itself."""
        if person == "system":
            return self.say("page.system")
        known = self.people.get(person)
        return person if known is None else known.name

    def rule(self, rule: str) -> str:
        """What a rule finds; a rule without a title stands for itself."""
        try:
            return rule_texts.title(rule, self.say.language)
        except KeyError:
            return rule

    def reason(self, finding: Finding) -> str:
        """What was seen, in one sentence with its values."""
        try:
            return rule_texts.text(finding.reason, self.say.language, finding.evidence)
        except KeyError:
            return self.rule(finding.key.rule)

    def socket(self, socket: int | None) -> str:
        """``Socket 5``, or the whole station."""
        if socket is None:
            return self.say("page.all_sockets")
        return self.say("page.socket", number=socket)
