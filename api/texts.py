"""Texts for people, from data files: ``api/i18n/zh.toml`` and ``api/i18n/en.toml``.

Both files hold the same keys with the same placeholders; a test checks it. Chinese is the
default because it is what most users of this product read.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Language = Literal["zh", "en"]
DEFAULT: Final[Language] = "zh"
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
_MAX_RANGES: Final = 16
"""Language ranges of an ``Accept-Language`` header that are looked at; browsers send about 4."""


@cache
def texts(language: Language) -> dict[str, str]:
    """All texts of one language by dotted key, read once."""
    source = files("api").joinpath("i18n", f"{language}.toml").read_text(encoding="utf-8")
    return _flat(tomllib.loads(source), "")


def text(language: Language, key: str, /, **values: object) -> str:
    """The text ``key`` with its placeholders filled; KeyError when there is none."""
    return texts(language)[key].format(**values)


def negotiate(accept_language: str | None) -> Language:
    """The language a reader prefers by ``Accept-Language`` (RFC 9110, 12.5.4), else Chinese."""
    best: tuple[float, Language] = (0.0, DEFAULT)
    for entry in (accept_language or "").split(",")[:_MAX_RANGES]:
        tag, _, parameter = entry.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter.strip())
        for language in LANGUAGES:
            if primary in {language, "*"} and weight > best[0]:
                best = (weight, language)
    return best[1]


def _weight(parameter: str) -> float:
    if not parameter:
        return 1.0
    name, _, value = parameter.partition("=")
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip().lower() == "q" and 0.0 <= weight <= 1.0 else 0.0


def _flat(table: dict[str, object], prefix: str) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat
