"""The end of patience: a provider that does not answer in time may still have taken it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alerts.channels.port import Unknown


@asynccontextmanager
async def answered_within(timeout_s: float) -> AsyncIterator[None]:
    """Give up after ``timeout_s``, whatever hangs inside.

    Raises:
        Unknown: it took longer.

    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        code, detail = "timeout", f"no answer within {timeout_s:g} s"
        raise Unknown(code, detail) from None
