"""The outermost layer: it counts every answer, sets the security headers, has the last word.

Whatever unexpected is raised inside ends here as a generic problem and a log entry. Pure ASGI,
so a live stream passes through unbuffered.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.bodies import limit_of
from api.http.problems import document
from api.metrics import Metrics

log = structlog.get_logger(__name__)

_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_MAX_DIGITS: Final = 18
"""Of a ``Content-Length`` that is read as a number; more is too long in any case."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Edge:
    """ASGI middleware; see the module."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """``clock`` gives seconds of which only differences mean anything."""
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request inwards and the answer outwards."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock()
        begun = False

        async def outwards(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _harden(message)
                seconds = self._clock() - started
                self._metrics.http(_method(scope), _route(scope), message["status"], seconds)
            await send(message)

        try:
            await self._app(scope, _bounded(scope, receive), outwards)
        except Exception as error:
            # The edge of the API: whatever it is, the caller gets a generic problem and the
            # log gets the error. The alarm path runs in other tasks and is not affected.
            log.exception("request failed", method=_method(scope), route=_route(scope))
            if begun:
                raise
            language = _header(scope, b"accept-language")
            await document(error, scope["path"], language)(scope, receive, outwards)


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """Reads no more of a body than any request may have; 413 for one that has more."""
    limit = limit_of(scope["path"])
    announced = _header(scope, b"content-length") or ""
    too_long = announced.isdecimal() and (len(announced) > _MAX_DIGITS or int(announced) > limit)
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        if too_long:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return bounded


def _harden(message: Message) -> None:
    headers = message.setdefault("headers", [])
    present = {name for name, _ in headers}
    headers.extend((name, value) for name, value in _HEADERS if name not in present)
    if b"cache-control" not in present:
        headers.append((b"cache-control", b"no-store"))


def _route(scope: Scope) -> str:
    """The route's template; one word for everything that is none, so series stay bounded."""
    return str(getattr(scope.get("route"), "path", "unmatched"))


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in _METHODS else "other"


def _header(scope: Scope, name: bytes) -> str | None:
    return next((v.decode("latin-1") for n, v in scope["headers"] if n == name), None)
