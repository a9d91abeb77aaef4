"""Server-sent events: the response that drains one listener's queue into one connection."""

import asyncio
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.live import LiveHub, Subscription

HEARTBEAT_S: Final = 15.0
"""A comment after this much silence, so that proxies keep the connection and a dead one shows."""
SEND_TIMEOUT_S: Final = 30.0
"""A client that takes nothing for this long loses its connection."""
_HELLO: Final = b"retry: 3000\n\n"
_HEARTBEAT: Final = b": still here\n\n"


class EventStream(Response):
    """Sends what the hub hands out until the client goes, is too slow, or the hub closes."""

    media_type = "text/event-stream"

    def __init__(
        self,
        hub: LiveHub,
        listener: Subscription,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        """``listener`` is unsubscribed from ``hub`` when the response ends, however it ends."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._listener = listener
        self._heartbeat_s = heartbeat_s
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the ASGI signature
        """Pump until the first of: the queue ends, the client leaves, sending takes too long."""
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.unsubscribe(self._listener)
            pump.cancel()
            gone.cancel()
            results = await asyncio.gather(pump, gone, return_exceptions=True)
        # A connection that broke or stalled is an ordinary end; anything else is a defect.
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, (OSError, TimeoutError)):
                raise result

    async def _pump(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        chunk = _HELLO
        while True:
            async with asyncio.timeout(self._send_timeout_s):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if self._listener.finished:
                break
            chunk = await self._listener.take(self._heartbeat_s) or _HEARTBEAT
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
