"""How a number is written, and what a text by it costs."""

from typing import Final

_MAINLAND: Final = "+86"
_ONE: Final = 70
_EACH: Final = 67
"""UTF-16 units: what one message holds, and each part of a longer one."""


def dialled(phone: str) -> str:
    """An E.164 number as Aliyun wants it: 11 digits at home, country code and number abroad."""
    return phone.removeprefix(_MAINLAND).removeprefix("+")


def segments(text: str, signature: str) -> int:
    """How many messages a carrier bills for ``text`` under ``signature``."""
    signed = f"【{signature}】{text}" if signature else text
    units = len(signed.encode("utf-16-le", "surrogatepass")) // 2
    return 1 if units <= _ONE else -(-units // _EACH)
