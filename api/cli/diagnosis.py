"""What a check of the doctor says, and how checks are made to always say something."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TIMEOUT_S: Final = 5.0
"""No check takes longer; what it asks inside must give up before."""
ASK_S: Final = 4.0
"""How long one question to another program may take."""


class State(StrEnum):
    """How it stands; only ``FAIL`` makes the exit code 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """``name`` was looked at, ``found`` is what was there, ``advice`` what to do (or empty)."""

    name: str
    state: State
    found: str
    advice: str = ""


async def conclude(
    name: str, check: Callable[[], Awaitable[Check | None]], *, timeout_s: float = TIMEOUT_S
) -> Check | None:
    """The check's answer; one that takes too long or breaks is a failed check, not an end."""
    try:
        async with asyncio.timeout(timeout_s):
            return await check()
    except TimeoutError:
        return Check(
            name,
            State.FAIL,
            f"no answer within {timeout_s:g} s",
            "It is reachable but hangs, or the network drops packets: look at its own logs, and "
            "at firewalls on the way.",
        )
    except Exception as error:  # noqa: BLE001 - the other checks must still be told
        return Check(
            name,
            State.FAIL,
            f"the check itself broke: {type(error).__name__}: {error}",
            "Run `chargeward doctor` again; if it stays, report this line.",
        )
