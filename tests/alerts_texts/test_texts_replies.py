"""Replies: what surely means something does, all else is unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.texts.replies import Reply, ReplyAct, parse_reply

ACKNOWLEDGE, LINK, ARRIVE = ReplyAct.ACKNOWLEDGE, ReplyAct.LINK, ReplyAct.ARRIVE
UNKNOWN = Reply(ReplyAct.UNKNOWN)
_DIGITS = str.maketrans("0123456789F ", "０１２３４５６７８９Ｆ\u3000")


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("1", Reply(ACKNOWLEDGE)),
        ("１", Reply(ACKNOWLEDGE)),
        ("  1 \r\n", Reply(ACKNOWLEDGE)),
        ("1。", Reply(ACKNOWLEDGE)),
        ("“1”".replace("“", '"').replace("”", '"'), Reply(ACKNOWLEDGE)),
        ("1\ufe0f\u20e3", Reply(ACKNOWLEDGE)),  # the keycap emoji
        ("\ufeff1\u200b", Reply(ACKNOWLEDGE)),
        ("收到", Reply(ACKNOWLEDGE)),
        ("收到！", Reply(ACKNOWLEDGE)),
        ("1 F3021", Reply(ACKNOWLEDGE, "F3021")),
        ("F3021 1", Reply(ACKNOWLEDGE, "F3021")),
        ("1f3021", Reply(ACKNOWLEDGE, "F3021")),
        ("1,F0012", Reply(ACKNOWLEDGE, "F0012")),
        ("Ｆ３０２１\u3000１", Reply(ACKNOWLEDGE, "F3021")),
        ("F3021收到", Reply(ACKNOWLEDGE, "F3021")),
        ("2", Reply(LINK)),
        ("2 F3021", Reply(LINK, "F3021")),
        ("3", Reply(ARRIVE)),
        ("F3021:3", Reply(ARRIVE, "F3021")),
        ("", UNKNOWN),
        ("11", UNKNOWN),
        ("1 1", UNKNOWN),
        ("4", UNKNOWN),
        ("0", UNKNOWN),
        ("-1", UNKNOWN),
        ("1/2", UNKNOWN),
        ("F3021", UNKNOWN),
        ("F30211", UNKNOWN),  # a number alone, not F3021 and 1
        ("1 F3021 F3022", UNKNOWN),
        ("not 1", UNKNOWN),
        ("没收到", UNKNOWN),
        ("1是什么意思", UNKNOWN),
        ("F1 F2", UNKNOWN),
        ("1" * 600, UNKNOWN),
        ("1" + " " * 600, UNKNOWN),
    ],
)
def test_what_a_reply_means(text: str, reply: Reply) -> None:
    """Width, spaces, punctuation and order do not matter; anything more does."""
    assert parse_reply(text) == reply


@given(st.text())
def test_it_never_raises_and_never_guesses(text: str) -> None:
    """What is understood contains the sign that means it."""
    reply = parse_reply(text)
    assert isinstance(reply, Reply)
    assert reply.act is ReplyAct.UNKNOWN or len(text) >= 1
    assert reply.act is not ReplyAct.UNKNOWN or reply.number is None


@given(
    number=st.integers(0, 10**15 - 1),
    sign=st.sampled_from(["1", "2", "3", "收到"]),
    first=st.booleans(),
    wide=st.booleans(),
    lower=st.booleans(),
    between=st.sampled_from([" ", "  ", ",", "。", "\n", ": "]),
)
def test_act_and_number_in_any_dress(  # noqa: PLR0913, PLR0917 - one argument per way to write it
    number: int,
    sign: str,
    first: bool,  # noqa: FBT001
    wide: bool,  # noqa: FBT001
    lower: bool,  # noqa: FBT001
    between: str,
) -> None:
    """Number first or last, full width, small f, any separator."""
    name = f"{'f' if lower else 'F'}{number}"
    text = f"{name}{between}{sign}" if first else f"{sign}{between}{name}"
    acts = {"1": ACKNOWLEDGE, "收到": ACKNOWLEDGE, "2": LINK, "3": ARRIVE}
    expected = Reply(acts[sign], f"F{number}")
    assert parse_reply(text.translate(_DIGITS) if wide else text) == expected
