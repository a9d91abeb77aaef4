"""Texts for people, from data files: ``api/i18n/zh.toml`` and ``api/i18n/en.toml``.

Both files hold the same keys with the same placeholders; a test checks it. Chinese is the
default because it is what most users of this product read. What has many texts of its own has
its own pair of files: ``officer.zh.toml``.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Language = Literal["zh", "en"]
DEFAULT: Final[Language] = "zh"
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
_MAX_RANGES: Final = 16
"""Language ranges of an ``Accept-Language`` header that are looked at; browsers send about 4."""


@cache
def texts(language: Language, book: str = "") -> dict[str, str]:
    """All texts of one language (and ``book``) by dotted key, read once."""
    name = f"{book}.{language}.toml" if book else f"{language}.toml"
    source = files("api").joinpath("i18n", name).read_text(encoding="utf-8")
    return _flat(tomllib.loads(source), "")


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one book in one language: ``say("button.cancel")``."""

    language: Language
    book: str

    def __call__(self, key: str, /, **values: object) -> str:
        """The text ``key`` with its placeholders filled; KeyError when there is none."""
        return texts(self.language, self.book)[key].format(**values)

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in texts(self.language, self.book)


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
