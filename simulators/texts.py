"""Texts for people, from data files: ``simulators/i18n/zh.toml`` and ``en.toml``."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from simulators.model import EventKind

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


def title(scenario: str, language: Language) -> str:
    """What a scenario is called; KeyError when there is none of that name."""
    return _texts(language)["scenario"][scenario]


def event(kind: EventKind, language: Language) -> str:
    """What an event is called."""
    return _texts(language)["event"][kind.value]


def sms(word: str, language: Language) -> str:
    """A word of the simulated SMS provider."""
    return _texts(language)["sms"][word]


@cache
def _texts(language: Language) -> dict[str, dict[str, str]]:
    source = files("simulators").joinpath("i18n", f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(source)
