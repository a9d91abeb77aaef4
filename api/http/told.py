"""Pages that only say something: a link that opens nothing, a page that has ended, an error.

On the officer's paths every expected error is such a page, in words that say what to do next;
nothing of an error's own text is shown.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from alerts.incidents.links import LinkRefusedError, Refusal
from alerts.incidents.model import ActRefusedError
from alerts.incidents.model import Refusal as ActRefusal
from api.errors import ApiError, TooManyAttemptsError
from api.http import pages
from api.http.moments import Mark
from api.http.problems import RETRY_S
from devices.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """A page that says ``word``; see ``told.*`` in the texts.

    ``again``: where a new link can be asked for; ``back``: where the reader came from.
    """

    word: str
    status: HTTPStatus
    mark: Mark = Mark.WARN
    values: Mapping[str, object] = field(default_factory=dict)
    again: str = ""
    back: str = ""
    call: bool = False
    preferred: str | None = None
    title: str = ""


class ToldError(ApiError):
    """Answer with this page instead."""

    def __init__(self, told: Told) -> None:
        """What the page says."""
        super().__init__(told.word)
        self.told = told


_REFUSED_LINKS: Final = {
    Refusal.UNKNOWN: HTTPStatus.NOT_FOUND,
    Refusal.USED: HTTPStatus.GONE,
    Refusal.EXPIRED: HTTPStatus.GONE,
}


@singledispatch
def _told(error: Exception) -> Told:
    raise error


@_told.register
def _(error: ToldError) -> Told:
    return error.told


@_told.register
def _(error: TooManyAttemptsError) -> Told:
    return Told("wait", HTTPStatus.TOO_MANY_REQUESTS, values={"seconds": error.retry_s}, call=True)


@_told.register
def _(_: DatabaseUnavailable) -> Told:
    values = {"seconds": RETRY_S}
    return Told("away", HTTPStatus.SERVICE_UNAVAILABLE, Mark.ALARM, values=values, call=True)


@_told.register
def _(error: LinkRefusedError) -> Told:
    return Told(error.refusal.value, _REFUSED_LINKS[error.refusal])


@_told.register
def _(error: ActRefusedError) -> Told:
    if error.refusal is ActRefusal.CLOSED:
        return Told("closed", HTTPStatus.CONFLICT, Mark.GOOD, values={"number": ""})
    return Told(f"refused.{error.refusal}", HTTPStatus.CONFLICT, title="told.stale_title")


@_told.register
def _(_: RequestValidationError) -> Told:
    return Told("unknown", HTTPStatus.NOT_FOUND)


@_told.register
def _(error: HTTPException) -> Told:
    large = error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return Told("too_large" if large else "unreadable", HTTPStatus(error.status_code))


def answer(request: Request, error: Exception) -> Response:
    """The page for ``error``; raises it again when it is not an expected one."""
    told = _told(error)
    if told.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("page not served", route=request.scope["route"].path, error=repr(error))
    say = pages.words(request, told.preferred)
    text = told.word if told.word.startswith("refused.") else f"told.{told.word}"
    response = pages.page(
        "officer_told.html",
        say,
        told.status,
        title=say(told.title or f"told.{told.word}_title", **told.values).strip(),
        text=say(text, **told.values),
        mark=told.mark,
        again=told.again,
        back=told.back or _back(request, error),
        call=told.call,
    )
    if "seconds" in told.values:
        response.headers["Retry-After"] = str(told.values["seconds"])
    return response


def _back(request: Request, error: Exception) -> str:
    """To the incident, where only this form was refused."""
    number = request.path_params.get("number")
    only_this = isinstance(error, ActRefusedError | HTTPException)
    return pages.path_of(number) if only_this and number else ""


class PageRoute(APIRoute):
    """A route whose expected errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its errors answered."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except (
                ApiError,
                ActRefusedError,
                DatabaseUnavailable,
                HTTPException,
                LinkRefusedError,
                RequestValidationError,
            ) as error:
                return answer(request, error)

        return handler
