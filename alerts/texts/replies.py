"""What a person answered by SMS. Anything not surely understood is UNKNOWN, never an act."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ReplyAct(StrEnum):
    """What a reply asks for."""

    ACKNOWLEDGE = "acknowledge"  # 1, 收到
    LINK = "link"  # 2: a fresh one-time link
    ARRIVE = "arrive"  # 3
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """What was understood; ``number`` is the incident's where it was named, in capitals."""

    act: ReplyAct
    number: str | None = None


_LONGEST: Final = 500
"""Characters of a reply that are looked at: the most a carrier brings."""
_DIGITS: Final = "[0-9]{1,15}"
_ACT: Final = "[123]|收到"
_REPLY: Final = re.compile(
    # After a number a digit needs a space before it: F30211 is a number alone.
    rf"(?:F(?P<before>{_DIGITS})(?: |(?=收)))?(?P<act>{_ACT})"
    rf"|(?P<first>{_ACT}) ?F(?P<after>{_DIGITS})"
)
_ACTS: Final = {
    "1": ReplyAct.ACKNOWLEDGE,
    "收到": ReplyAct.ACKNOWLEDGE,
    "2": ReplyAct.LINK,
    "3": ReplyAct.ARRIVE,
}
_NOISE: Final = re.compile(r"[\s.,;:!。、#\"']+")


def parse_reply(text: str) -> Reply:
    """The act and the incident's number in a reply; never raises.

    Full-width forms, emoji keycaps, spaces and punctuation do not matter, nor which comes first.
    """
    if len(text) > _LONGEST:
        return Reply(ReplyAct.UNKNOWN)
    match = _REPLY.fullmatch(_plain(text))
    if match is None:
        return Reply(ReplyAct.UNKNOWN)
    digits = match["before"] or match["after"]
    return Reply(_ACTS[match["act"] or match["first"]], f"F{digits}" if digits else None)


def _plain(text: str) -> str:
    """One width, one case, single spaces; marks, format characters and punctuation gone."""
    folded = _NOISE.sub(" ", unicodedata.normalize("NFKC", text).upper())
    kept = (c for c in folded if unicodedata.category(c) not in ("Cc", "Cf", "Me", "Mn"))
    return " ".join("".join(kept).split())
