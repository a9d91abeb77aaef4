"""Lengths of time and moments as people write them."""

import pytest
import typer

from api.cli.durations import seconds
from api.cli.moments import moment, shown

NOW_MS = 1_790_812_800_000  # 2026-10-01T00:00:00Z
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("90s", 90),
        ("10m", 600),
        ("24h", 86_400),
        ("1h30m", 5_400),
        ("1h1s", 3_601),
        ("2m5", 125),
        (" 10m ", 600),
        ("744h", 31 * 86_400),
    ],
)
def test_lengths_are_understood(text: str, expected: int) -> None:
    """Hours, minutes, seconds in this order; a bare number is seconds; 31 days are the most."""
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "0", "0h", "soon", "-5m", "5m1h", "1.5h", "1d", "744h1s", "9" * 12]
)
def test_other_lengths_are_explained(text: str) -> None:
    """Nothing is guessed; the message says what would be understood."""
    with pytest.raises(typer.BadParameter, match="write 90s, 10m, 24h or 1h30m"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_MS),
        ("-24h", NOW_MS - 24 * HOUR_MS),
        ("-1h30m", NOW_MS - HOUR_MS * 3 // 2),
        ("2026-10-01", NOW_MS),
        ("2026-10-01T08:00:00+08:00", NOW_MS),
        ("2026-10-01T00:00:00Z", NOW_MS),
        ("2026-10-01 00:00:00.250", NOW_MS + 250),
        ("1790812800000", NOW_MS),
        ("0", 0),
        ("1969-12-31", 0),
    ],
)
def test_moments_are_understood(text: str, expected: int) -> None:
    """Relative to now, ISO 8601 (UTC where it does not say), or UTC milliseconds."""
    assert moment(text, NOW_MS) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yesterday", "write now, -24h"),
        ("", "write now, -24h"),
        ("2026-02-30", "write now, -24h"),
        ("--1h", "write 90s"),
        ("-", "write 90s"),
        ("1790812800", "seconds times 1000"),
        ("20261001", "seconds times 1000"),
        ("9" * 5000, "seconds times 1000"),
    ],
)
def test_other_moments_are_explained(text: str, words: str) -> None:
    """Seconds are not taken for milliseconds, and a date without dashes for neither."""
    with pytest.raises(typer.BadParameter, match=words):
        moment(text, NOW_MS)


def test_a_moment_is_shown_in_utc() -> None:
    """As ISO 8601 that is understood again."""
    assert shown(NOW_MS + 999) == "2026-10-01T00:00:00Z"
    assert moment(shown(NOW_MS), 0) == NOW_MS
