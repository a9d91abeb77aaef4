"""Texts: both languages say the same things, and readers get the one they asked for."""

import string

import pytest

from api.errors import Thing, Why
from api.health import Trouble
from api.http.cases import PhotoRefusal
from api.http.problems import Problem
from api.texts import LANGUAGES, negotiate, text, texts


def placeholders(template: str) -> set[str]:
    """The names a text wants filled."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_both_languages_have_the_same_texts() -> None:
    """Every key exists in both files and wants the same placeholders."""
    shapes = [{key: placeholders(t) for key, t in texts(lang).items()} for lang in LANGUAGES]
    assert shapes[0] == shapes[1]


def test_every_key_the_code_uses_exists_and_no_other() -> None:
    """No problem, reason or noun without its text, and no text that nothing shows."""
    used = {f"problem.{p.slug}.{part}" for p in Problem for part in ("title", "detail")}
    used |= {f"why.{why}" for why in Why} | {f"kind.{thing}" for thing in Thing}
    used |= {f"trouble.{trouble}" for trouble in Trouble}
    used |= {f"photo.{refusal}" for refusal in PhotoRefusal}
    assert set(texts("en")) == used | {"what.sql", "what.telemetry"}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "zh"),
        ("", "zh"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0,zh;q=0.1", "zh"),
        ("fr, de;q=0.9", "zh"),
        ("fr, en;q=0.1", "en"),
        ("*", "zh"),
        ("en;q=nonsense", "zh"),
        ("en;q=NaN", "zh"),
        ("en;q=7", "zh"),
        (";;;,,,q=1", "zh"),
        ("x," * 5_000 + "en", "zh"),
    ],
)
def test_the_reader_chooses_the_language(header: str | None, language: str) -> None:
    """By weight; what cannot be read counts for nothing, and Chinese is the default."""
    assert negotiate(header) == language


def test_a_text_is_filled() -> None:
    """Placeholders take the caller's values."""
    assert text("en", "problem.too-many-attempts.detail", retry_s=9) == "Try again in 9 s."
    assert text("zh", "problem.too-many-attempts.detail", retry_s=9) == "请在 9 秒后重试。"
