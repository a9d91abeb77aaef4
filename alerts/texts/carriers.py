"""What Chinese carriers refuse in a text, and how names are rid of it.

Names come from site files, so anything may be in them: a bracket, a star, the caretaker's
mobile number. A text with one of these is refused as a whole, which nobody may find out during a
fire.
"""

import re
import unicodedata
from typing import Final

from alerts.texts.segments import units

_FORBIDDEN: Final = re.compile(r"[【】「」『』〖〗「」★☆●■◆→←↑↓²³]|[\u2460-\u24ff\u3200-\u33ff]")
_MOBILE: Final = re.compile(r"1[3-9]\d(?:[ -]?\d){8}")
_BRACKETS: Final = frozenset("【】「」『』〖〗〔〕${}<>")
_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk", "Zl", "Zp"})


def violations(text: str) -> tuple[str, ...]:
    """The parts of ``text`` that carriers refuse; empty = none."""
    found = [*_FORBIDDEN.findall(text), *(m[0] for m in _MOBILE.finditer(text))]
    return tuple(found)


def clean(name: str) -> str:
    """``name`` without what is refused: symbols unfolded (①, ㎡) or dropped, numbers starred."""
    plain = unicodedata.normalize("NFKC", name)
    kept = "".join(c for c in plain if not _is_refused(c))
    return _MOBILE.sub("*", " ".join(kept.split()))


def head(text: str, limit: int) -> str:
    """As much from the beginning as ``limit`` UTF-16 units hold, whole characters with marks."""
    kept = ""
    for cluster in _clusters(text):
        if units(kept + cluster) > limit:
            break
        kept += cluster
    return kept.strip()


def tail(text: str, limit: int) -> str:
    """As much from the end as ``limit`` UTF-16 units hold, whole characters with marks."""
    kept = ""
    for cluster in reversed(_clusters(text)):
        if units(cluster + kept) > limit:
            break
        kept = cluster + kept
    return kept.strip()


def _is_refused(character: str) -> bool:
    return character in _BRACKETS or unicodedata.category(character) in _DROPPED


def _clusters(text: str) -> list[str]:
    """Characters, each with the combining marks that follow it."""
    clusters: list[str] = []
    for character in text:
        if clusters and unicodedata.category(character).startswith("M"):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters
