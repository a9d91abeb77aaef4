"""How the providers write a number."""

from typing import Final

_MAINLAND: Final = "+86"


def dialled(phone: str) -> str:
    """An E.164 number as Aliyun wants it: 11 digits at home, country code and number abroad."""
    return phone.removeprefix(_MAINLAND).removeprefix("+")
