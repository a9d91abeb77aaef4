"""HTTP both ways: the provider's server, and its client that makes the call-backs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

import aiohttp
from aiohttp import web

from simulators.sms.exchange import service_of
from simulators.sms.model import Answer, Asked, Behaviour, CallbackRequest, Mode, Service

POST_TIMEOUT_S: Final = 5.0
_GLANCE_S: Final = 0.05
"""How often the clock is looked at: it may be moved by hand."""
_MOST_BYTES: Final = 4 * 1024 * 1024


class Answering(Protocol):
    """Who answers."""

    def behaviour(self, service: Service) -> Behaviour:
        """How the service behaves now."""
        ...

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request."""
        ...

    def latency_s(self, service: Service) -> float:
        """Real seconds until the answer leaves."""
        ...


class Pushing(Protocol):
    """Whose call-backs are made."""

    def due(self, now_ms: int) -> list[CallbackRequest]:
        """The call-backs to make now."""
        ...

    def answered(
        self, request: CallbackRequest, status: int | None, body: bytes, now_ms: int
    ) -> bool:
        """How one was answered."""
        ...


@asynccontextmanager
async def serving(provider: Answering, port: int) -> AsyncIterator[str]:
    """Listen on loopback until the block ends; the address is ``127.0.0.1:port``."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle(provider, request)

    app = web.Application(client_max_size=_MOST_BYTES)
    app.router.add_route("*", "/{path:.*}", handle)
    # A client that hangs up ends the wait for a lost answer; the end of the block ends all.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _handle(provider: Answering, request: web.Request) -> web.Response:
    asked = Asked(
        method=request.method,
        path=request.path,
        query=dict(request.query),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.read(),
    )
    service = service_of(asked)
    if service is None:
        return _response(provider.answer(asked))
    behaviour = provider.behaviour(service)
    if behaviour.mode is Mode.REFUSED:
        return _torn(request)
    answer = provider.answer(asked)
    await asyncio.sleep(provider.latency_s(service))
    if behaviour.mode is Mode.LOST_ANSWER:
        if behaviour.answer_after_s is None:
            await asyncio.Event().wait()
        await asyncio.sleep(behaviour.answer_after_s or 0)
    return _response(answer)


def _torn(request: web.Request) -> web.Response:
    """The connection ends here; what is returned cannot be written any more."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _response(answer: Answer) -> web.Response:
    # Tencent's SDK looks for errors only under this very content type, without a charset.
    body = json.dumps(answer.body, ensure_ascii=False).encode()
    return web.Response(body=body, status=answer.status, content_type="application/json")


async def push(provider: Pushing, now_ms: Callable[[], int]) -> None:
    """Make call-backs as they become due, until cancelled."""
    timeout = aiohttp.ClientTimeout(total=POST_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        while True:
            for request in provider.due(now_ms()):
                group.create_task(_post(provider, session, request, now_ms))
            await asyncio.sleep(_GLANCE_S)


async def _post(
    provider: Pushing,
    session: aiohttp.ClientSession,
    request: CallbackRequest,
    now_ms: Callable[[], int],
) -> None:
    status, body = None, b""
    try:
        async with session.post(request.url, data=request.body, headers=request.headers) as got:
            status, body = got.status, await got.read()
    except (aiohttp.ClientError, TimeoutError):
        status = None  # nobody answered: as the providers do, again later
    provider.answered(request, status, body, now_ms())
