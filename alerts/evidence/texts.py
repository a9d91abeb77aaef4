"""Texts of the evidence report, from data files; a report is in both languages at once."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("zh", "en")


def both(key: str, /, **values: object) -> str:
    """The text of ``key`` in Chinese, then in English; KeyError when there is none."""
    return " ".join(_once(key, values))


def label(key: str) -> str:
    """The same, one language below the other: for narrow columns."""
    return "\n".join(_once(key, {}))


def said(language: str, key: str, /, **values: object) -> str:
    """The text of ``key`` (``section.name``) in one language with its placeholders filled."""
    section, _, name = key.partition(".")
    return texts(language)[section][name].format(**values)


def word(section: str, name: object) -> str:
    """A word of the records in both languages; itself where it has no text."""
    known = texts(LANGUAGES[0])[section]
    return both(f"{section}.{name}") if str(name) in known else str(name)


def _once(key: str, values: dict[str, object]) -> list[str]:
    """In each language, once where both say the same."""
    return list(dict.fromkeys(said(language, key, **values) for language in LANGUAGES))


@cache
def texts(language: str) -> dict[str, dict[str, str]]:
    """All texts of one language, read once."""
    source = files("alerts.evidence").joinpath("i18n", f"{language}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))
