"""The words of reports, from data: ``alerts/reports/zh.toml`` and ``en.toml``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from alerts.oncall.wallclock import local
from alerts.reports.model import Report
from devices.model import Name, Site
from rules import texts
from rules.texts import Lang


@dataclass(frozen=True, slots=True)
class Words:
    """One language, and the names of the site's stations and areas in it."""

    lang: Lang
    site: Site

    @property
    def units(self) -> Mapping[str, str]:
        """Words for h, min and s."""
        units: Mapping[str, str] = book(self.lang)["unit"]
        return units

    def say(self, section: str, key: str, **values: object) -> str:
        """A text; a key that has none stands for itself, as a provider's name does."""
        phrase: str = book(self.lang)[section].get(key, key)
        return phrase.format(**values) if values else phrase

    def signatures(self) -> list[str]:
        """Who signs."""
        who: list[str] = book(self.lang)["head"]["sign"]
        return who

    def station(self, station: str | None) -> str:
        """A station by name and id; the id alone when it is no longer registered."""
        if not station:
            return self.say("whole", "site")
        found = self.site.station(station)
        return station if found is None else f"{self.named(found.name)} {station}"

    def area(self, area: str | None) -> str:
        """An area by its name."""
        found = next((a for a in self.site.areas if a.id == area), None)
        return area or self.say("whole", "site") if found is None else self.named(found.name)

    def named(self, name: Name) -> str:
        """The name in this language."""
        return name.zh if self.lang is Lang.ZH else name.en

    def rule(self, rule: str) -> str:
        """A rule's title; its id alone when it has none."""
        try:
            return texts.title(rule, self.lang)
        except KeyError:
            return rule

    def heading(self, report: Report) -> tuple[str, str, str]:
        """Title, period, and as of when."""
        at = local(min(report.now_ms, report.end_ms), ZoneInfo(report.timezone))
        whole = "monthly" if len(report.by_day) > 1 else "daily"
        return (
            self.say("head", "title", site=self.named(self.site.name)),
            self.say("head", whole, period=report.period),
            self.say("head", "asof", at=f"{at:%Y-%m-%d %H:%M}", timezone=report.timezone),
        )


@cache
def book(lang: Lang) -> Mapping[str, Any]:
    """All texts of one language."""
    source = (resources.files("alerts.reports") / f"{lang.value}.toml").read_text("utf-8")
    return tomllib.loads(source)
