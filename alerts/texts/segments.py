"""How long a text is, as those who carry it count.

A Chinese carrier counts every character as one, Chinese or not, with the signature and its
brackets: 70 make one segment, beyond that each segment holds 67. A GSM modem sends 160 septets
when all characters are of the GSM 03.38 alphabet (153 per part, those of its extension table
count two), else 70 (67) UTF-16 units.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Final

ONE: Final = 70
"""Characters of one segment, signature included, by a Chinese carrier."""
_PART: Final = 67
_ONE_GSM: Final = 160
_PART_GSM: Final = 153
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = frozenset("\f^{}\\[~]|€")


class Route(StrEnum):
    """By whom a text travels."""

    CARRIER = "carrier"  # a provider in China
    MODEM = "modem"  # a GSM modem at the site


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text costs: ``characters`` as they are counted, ``limit`` of them make one."""

    characters: int
    segments: int
    limit: int


def count(text: str, signature: str, route: Route) -> Segments:
    """How many segments ``text`` takes; a ``signature`` stands before it in 【】."""
    whole = signed(text, signature)
    if route is Route.CARRIER:
        characters = units(whole)
        parts = 1 if characters <= ONE else ceil(characters / _PART)
        return Segments(characters, parts, ONE)
    if all(c in _BASIC or c in _EXTENSION for c in whole):
        return _packed([2 if c in _EXTENSION else 1 for c in whole], _ONE_GSM, _PART_GSM)
    return _packed([units(c) for c in whole], ONE, _PART)


def signed(text: str, signature: str) -> str:
    """The text as it arrives."""
    return f"【{signature}】{text}" if signature else text


def units(text: str) -> int:
    """UTF-16 code units: an emoji is two, as is a rare Chinese character."""
    return len(text) + sum(c > "\uffff" for c in text)


def _packed(widths: Iterable[int], one: int, part: int) -> Segments:
    """No part ends within a character that is two wide."""
    total, parts, used = 0, 1, 0
    for width in widths:
        total += width
        if used + width > part:
            parts, used = parts + 1, 0
        used += width
    return Segments(total, 1 if total <= one else parts, one)
