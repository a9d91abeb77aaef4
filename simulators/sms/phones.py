"""Phone numbers as each provider writes them, and as E.164."""

import re
from typing import Final

_MAINLAND: Final = re.compile(r"(?:\+?86|0086)?(1[3-9]\d{9})", re.ASCII)
_E164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_ABROAD: Final = re.compile(r"[1-9]\d{6,14}", re.ASCII)


def e164(text: str) -> str | None:
    """The number a request names, or None when it is none."""
    if found := _MAINLAND.fullmatch(text):
        return f"+86{found[1]}"
    if _E164.fullmatch(text):
        return text
    if text.startswith("00") and _ABROAD.fullmatch(text[2:]):
        return f"+{text[2:]}"
    return None


def national(phone: str) -> str:
    """As Aliyun writes it in call-backs: no prefix at home, country code and number abroad."""
    return phone.removeprefix("+86") if phone.startswith("+86") else phone.removeprefix("+")


def parts(phone: str) -> tuple[str, str]:
    """Country code and number, as Tencent writes them in call-backs.

    Only 86 is told apart; any other number is taken to have a code of its first two digits.
    """
    return phone[1:3], phone[3:]
