"""The words of the texts, from data: ``alerts/texts/zh.toml`` and ``en.toml``.

Both files have the same keys; a test checks it.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from importlib import resources
from math import isfinite
from string import Formatter
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alerts.incidents.model import Kind
from alerts.outbox.model import Facts, Outcome
from rules.texts import Lang

VALUE_LIMIT: Final = 8
"""Characters of a value in an SMS; a reading that would be longer is said in words."""
MOST_MINUTES: Final = 99
"""More is not said: an escalation must stay within a segment."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def words(lang: Lang) -> Mapping[str, Any]:
    """All texts of one language."""
    source = (resources.files("alerts.texts") / f"{lang.value}.toml").read_text("utf-8")
    return tomllib.loads(source)


def form(lang: Lang, key: str, **values: object) -> str:
    """A small phrase with its placeholders filled."""
    phrase: str = words(lang)["form"][key]
    return phrase.format(**values)


def value(facts: Facts, lang: Lang) -> str:
    """What was seen in a word: ``82℃``, ``烟雾``; without a number where none is known."""
    if facts.values.get("drill"):
        return form(lang, "drill")
    table: Mapping[str, list[str]] = words(lang)["values"]
    phrases = table.get(facts.reason, table["other"])
    return next(said for p in phrases if (said := _said(p, facts)) is not None)


def outcome(kind: Kind, of: Outcome, lang: Lang) -> str:
    """Whether what the system did worked, as short as this kind of text needs it."""
    table = words(lang)["outcome"]
    short: str = table.get(kind.value, {}).get(of.value) or table["any"][of.value]
    return short


def spoken_outcome(of: Outcome, lang: Lang) -> str:
    """The same for a voice, which has time for a whole phrase."""
    said: str = words(lang)["outcome"]["spoken"][of.value]
    return said


def step(facts: Facts, lang: Lang) -> str:
    """What nobody has done in time, and for how many minutes already."""
    table: Mapping[str, str] = words(lang)["step"]
    missed = table.get(facts.step, table["other"])
    minutes = facts.values.get("minutes")
    if not isinstance(minutes, int):
        return missed
    return table["since"].format(missed=missed, minutes=min(minutes, MOST_MINUTES))


def local(at_ms: int, timezone: str) -> datetime:
    """The local time; UTC where the zone is not known: a text must go out all the same."""
    zone: tzinfo
    try:
        zone = ZoneInfo(timezone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        zone = UTC
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)


def spoken(text: str, lang: Lang) -> str:
    """A value as a voice reads it: units in words."""
    table: Mapping[str, str] = words(lang)["spoken"]
    for unit, said in table.items():
        text = re.sub(rf"(?<=[0-9C]){re.escape(unit)}(?![A-Za-z])", said, text)
    return text


def spelled(number: str, lang: Lang) -> str:
    """An incident's number, every digit on its own."""
    digits: Mapping[str, str] = words(lang)["digits"]
    return " ".join(digits.get(character, character) for character in number)


def _said(phrase: str, facts: Facts) -> str | None:
    """The phrase with its reading; None where there is none, or none that fits."""
    names = [name for _, name, _, _ in Formatter().parse(phrase) if name]
    readings = {name: facts.evidence.get(name) for name in names}
    if not all(_is_number(reading) for reading in readings.values()):
        return None
    said = phrase.format(**readings)
    return said if len(said) <= VALUE_LIMIT else None


def _is_number(reading: object) -> bool:
    return isinstance(reading, int | float) and not isinstance(reading, bool) and isfinite(reading)
