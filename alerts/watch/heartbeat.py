"""The outward heartbeat: a dead man's switch that somebody else watches.

Each beat asks one address, and only while the auditor passes and readiness is green. Whoever is
behind it (an uptime service, a script on another machine) alarms when it has heard nothing for
three minutes: a backend that is gone cannot say so itself. A beat that does not get through is
no fault of ours; the other side will notice.
"""

from enum import StrEnum
from typing import Final

import httpx
import structlog

log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 10.0


class Beat(StrEnum):
    """What became of one beat; also the metric's label."""

    SENT = "sent"
    WITHHELD = "withheld"  # something is wrong with us
    FAILED = "failed"  # the other side did not answer, or not with success


class Heartbeat:
    """Beats when told to."""

    def __init__(self, url: str, method: str = "GET") -> None:
        """``url`` is never logged: such addresses are their own password."""
        self._url = url
        self._method = method
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    async def beat(self, *, sound: bool) -> Beat:
        """Ask the address if all is ``sound``; never raises for what the other side does."""
        if not sound:
            return Beat.WITHHELD
        try:
            answer = await self._client.request(self._method, self._url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("the heartbeat was not sent", error=type(error).__name__)
            return Beat.FAILED
        if not answer.is_success:
            log.warning("the heartbeat was not taken", status=answer.status_code)
            return Beat.FAILED
        return Beat.SENT

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()
