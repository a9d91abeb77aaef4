"""What people read: titles of rules and sentences for reasons, in Chinese and English.

The texts are data (``zh.toml``, ``en.toml``). A sentence names values of the evidence in
braces; a value that the evidence does not have is written as a dash, never as an error.
"""

import string
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from rules.model import Evidence
from rules.reasons import Reason

MISSING = "–"
"""Stands for a value that is not known."""


class Lang(StrEnum):
    """The languages of the product."""

    ZH = "zh"
    EN = "en"


def title(rule: str, lang: Lang | str) -> str:
    """What a rule is called, for example ``插座过热``; KeyError for a rule without a title."""
    return _texts(Lang(lang))["rules"][rule]


def text(reason: Reason | str, lang: Lang | str, evidence: Evidence) -> str:
    """One sentence that says what was seen; KeyError for a reason without a text."""
    template = _texts(Lang(lang))["reasons"][str(reason)]
    return _Lenient().vformat(template, (), evidence)


def placeholders(reason: Reason | str, lang: Lang | str) -> set[str]:
    """The evidence values that the sentence names."""
    template = _texts(Lang(lang))["reasons"][str(reason)]
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@cache
def _texts(lang: Lang) -> dict[str, dict[str, str]]:
    data = (resources.files("rules.texts") / f"{lang.value}.toml").read_text("utf-8")
    loaded: dict[str, dict[str, str]] = tomllib.loads(data)
    return loaded


class _Lenient(string.Formatter):
    """Formats what is there: no value, or one of another type, makes no error."""

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> object:
        """The value, or None."""
        del args
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        """Numbers as the sentence wants them, all else as it is."""
        if value is None:
            return MISSING
        if isinstance(value, int | float) and not isinstance(value, bool):
            return format(value, format_spec)
        return str(value)
