"""Segments are counted as those who carry the text count them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.texts.carriers import clean, head, tail, violations
from alerts.texts.segments import Route, Segments, count, units


@pytest.mark.parametrize(
    ("text", "signature", "expected"),
    [
        ("", "", Segments(0, 1, 70)),
        ("a" * 64, "安充消防", Segments(70, 1, 70)),
        ("火" * 64, "安充消防", Segments(70, 1, 70)),
        ("火" * 65, "安充消防", Segments(71, 2, 70)),
        ("1" * 128, "安充消防", Segments(134, 2, 70)),
        ("1" * 129, "安充消防", Segments(135, 3, 70)),
        ("🔥" * 32, "安充消防", Segments(70, 1, 70)),
        ("🔥" * 32 + "a", "安充消防", Segments(71, 2, 70)),
        ("𠮷" * 35, "", Segments(70, 1, 70)),
    ],
)
def test_a_chinese_carrier_counts_every_character_alike(
    text: str, signature: str, expected: Segments
) -> None:
    """70 with the signature and its brackets, then 67 each; UTF-16 units beyond the plane."""
    assert count(text, signature, Route.CARRIER) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 160, Segments(160, 1, 160)),
        ("a" * 161, Segments(161, 2, 160)),
        ("a" * 306, Segments(306, 2, 160)),
        ("a" * 307, Segments(307, 3, 160)),
        ("€" * 80, Segments(160, 1, 160)),
        ("€" * 81, Segments(162, 2, 160)),
        ("a" * 152 + "€" * 10, Segments(172, 2, 160)),
        ("€" * 153, Segments(306, 3, 160)),  # 76 per part, none is split
        ("a[b]{c}~^|\\", Segments(19, 1, 160)),
        ("ÄÖÜß@£ΔΩ", Segments(8, 1, 160)),
        ("82℃", Segments(3, 1, 70)),
        ("火" * 71, Segments(71, 2, 70)),
        ("火" * 134, Segments(134, 2, 70)),
        ("火" * 66 + "🔥" + "火" * 66, Segments(134, 3, 70)),  # no part ends within the emoji
    ],
)
def test_a_modem_counts_septets_or_utf_16(text: str, expected: Segments) -> None:
    """160 (153) of the GSM alphabet, its extension twice; else 70 (67)."""
    assert count(text, "", Route.MODEM) == expected


@given(text=st.text(max_size=400), route=st.sampled_from(Route))
def test_one_segment_exactly_up_to_the_limit(text: str, route: Route) -> None:
    """Segments and characters agree."""
    counted = count(text, "", route)
    assert (counted.segments == 1) == (counted.characters <= counted.limit)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("  1幢 \n 北侧  ", "1幢 北侧"),
        ("【A】「B」★①号㎡", "AB1号m2"),
        ("Ａ区🔥", "A区"),
        ("找老王13800138000", "找老王*"),
        ("+86 138-0013-8000 门", "+86 * 门"),
        ("${number}", "number"),
        ("\ud800x\x00", "x"),
    ],
)
def test_a_name_is_rid_of_what_carriers_refuse(name: str, cleaned: str) -> None:
    """Brackets, symbols, mobile numbers, control characters."""
    assert clean(name) == cleaned


@given(st.text())
def test_a_cleaned_name_violates_nothing(name: str) -> None:
    """And is not cleaned any further the second time."""
    once = clean(name)
    assert violations(once) == ()
    assert clean(once) == once


@given(text=st.text(alphabet="a幢𠮷\u0301\u0300e", max_size=30), limit=st.integers(1, 12))
def test_a_cut_name_is_whole_characters_with_their_marks(text: str, limit: int) -> None:
    """Nothing is cut within a surrogate pair or between a letter and its accent."""
    beginning, end = head(text, limit), tail(text, limit)
    assert units(beginning) <= limit
    assert units(end) <= limit
    assert text.startswith(beginning)
    assert text.endswith(end)
    rest = text[len(beginning) :]
    assert not rest.startswith(("\u0301", "\u0300")) or not beginning
    assert end == text or not end.startswith(("\u0301", "\u0300"))
