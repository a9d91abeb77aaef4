"""Lengths of time as people write them: ``90s``, ``10m``, ``24h``, ``1h30m``."""

import re
from typing import Final

import typer

_PARTS: Final = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s?)?", re.ASCII)
MAX_S: Final = 31 * 86_400


def seconds(text: str) -> int:
    """Whole seconds of ``text``; a bare number is seconds.

    Raises ``typer.BadParameter`` that says what would be understood.
    """
    match = _PARTS.fullmatch(text.strip())
    parts = [int(p) for p in match.groups(default="0")] if match and text.strip() else [0, 0, 0]
    total = parts[0] * 3600 + parts[1] * 60 + parts[2]
    if not 0 < total <= MAX_S:
        msg = f"{text!r} is no length of time: write 90s, 10m, 24h or 1h30m (at most 31 days)"
        raise typer.BadParameter(msg)
    return total
