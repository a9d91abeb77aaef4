"""What people read about being on duty, in Chinese and English (``zh.toml``, ``en.toml``)."""

import tomllib
from functools import cache
from importlib import resources
from typing import Final

LANGUAGES: Final = ("zh", "en")


def say(lang: str, key: str, /, **values: object) -> str:
    """The text ``key`` (``role.officer``) with its placeholders filled; KeyError for none."""
    table, _, name = key.partition(".")
    return texts(lang)[table][name].format(**values)


@cache
def texts(lang: str) -> dict[str, dict[str, str]]:
    """All texts of one language, by table and name."""
    data = (resources.files("alerts.oncall.texts") / f"{lang}.toml").read_text("utf-8")
    loaded: dict[str, dict[str, str]] = tomllib.loads(data)
    return loaded
