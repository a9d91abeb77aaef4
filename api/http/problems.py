"""RFC 9457 problem documents: one table from errors to problems, one place that writes them.

A problem never shows a stack, a driver's message or a secret. Its ``type`` is a path that does
not change between versions; title and detail come from the text files, in the language the
reader asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import singledispatch
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from alerts.callbacks.errors import BodyError, Reason
from alerts.incidents.model import ActRefusedError, Refusal
from alerts.incidents.silences import MAX_MS, SilenceRefusal, SilenceRefusedError
from alerts.oncall import errors as oncall
from api import errors
from api.http.bodies import limit_of
from api.http.cases import PhotoRefusedError
from api.live import TooManyListenersError
from api.texts import negotiate, text
from devices.errors import CursorError, DatabaseUnavailable
from devices.lockouts import Outcome
from iot.store import StoreError

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_S: Final = 5
_MAX_ERRORS: Final = 20
"""Entries of ``errors`` in one problem; a body can be wrong in thousands of places."""
_MAX_ECHO: Final = 200
"""Characters of the caller's own input that are shown back."""


class Problem(Enum):
    """Every problem this API can answer with: slug and status."""

    BAD_REQUEST = ("bad-request", 400)
    UNAUTHENTICATED = ("unauthenticated", 401)
    NOT_FOUND = ("not-found", 404)
    NO_SUCH_THING = ("no-such-thing", 404)
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405)
    STILL_DANGEROUS = ("still-dangerous", 409)
    SECOND_PERSON = ("second-person", 409)
    NOT_LOCKED = ("not-locked", 409)
    INCIDENT_CLOSED = ("incident-closed", 409)
    INCIDENT_NOT_CLOSED = ("incident-not-closed", 409)
    CAUSE_NEEDED = ("cause-needed", 409)
    NOTE_NEEDED = ("note-needed", 409)
    PERSON_NEEDED = ("person-needed", 409)
    NOT_REPORTED = ("not-reported", 409)
    NEVER_SILENT = ("never-silent", 409)
    TOO_LARGE = ("too-large", 413)
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", 415)
    INVALID = ("invalid", 422)
    REASON_MISSING = ("reason-missing", 422)
    BAD_CURSOR = ("bad-cursor", 422)
    PHOTO_REFUSED = ("photo-refused", 422)
    TOO_MANY_ATTEMPTS = ("too-many-attempts", 429)
    INTERNAL = ("internal", 500)
    UNAVAILABLE = ("unavailable", 503)
    TOO_MANY_LISTENERS = ("too-many-listeners", 503)

    @property
    def slug(self) -> str:
        """Last segment of the type URI and key of the texts."""
        return self.value[0]

    @property
    def status(self) -> int:
        """HTTP status code."""
        return self.value[1]

    @property
    def type(self) -> str:
        """The type URI, relative to this server."""
        return f"/problems/{self.slug}"


_REFUSALS: Final = {
    Outcome.NOT_LOCKED: Problem.NOT_LOCKED,
    Outcome.STILL_DANGEROUS: Problem.STILL_DANGEROUS,
    Outcome.SAME_PERSON: Problem.SECOND_PERSON,
    Outcome.REASON_MISSING: Problem.REASON_MISSING,
}

_ACTS: Final = {
    Refusal.CLOSED: Problem.INCIDENT_CLOSED,
    Refusal.NOT_CLOSED: Problem.INCIDENT_NOT_CLOSED,
    Refusal.NEEDS_CAUSE: Problem.CAUSE_NEEDED,
    Refusal.NEEDS_NOTE: Problem.NOTE_NEEDED,
    Refusal.NEEDS_PERSON: Problem.PERSON_NEEDED,
    Refusal.NOT_REPORTED: Problem.NOT_REPORTED,
}
_SILENCES: Final = {
    SilenceRefusal.OVER: errors.Why.OVER,
    SilenceRefusal.TOO_LONG: errors.Why.TOO_FAR_AHEAD,
}
_BY_STATUS: Final[Mapping[int, Problem]] = {
    HTTPStatus.BAD_REQUEST: Problem.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED: Problem.UNAUTHENTICATED,
    HTTPStatus.NOT_FOUND: Problem.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: Problem.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Problem.TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Problem.UNSUPPORTED_MEDIA_TYPE,
}


_KINDS: Final = {
    "missing": errors.Why.MISSING,
    "json_invalid": errors.Why.NOT_JSON,
    "no_such_day": errors.Why.NO_SUCH_DAY,
}
_LIMITS: Final = {
    "greater_than_equal": (errors.Why.AT_LEAST, "ge"),
    "greater_than": (errors.Why.ABOVE, "gt"),
    "less_than_equal": (errors.Why.AT_MOST, "le"),
    "less_than": (errors.Why.BELOW, "lt"),
    "string_too_short": (errors.Why.SHORTEST, "min_length"),
    "string_too_long": (errors.Why.LONGEST, "max_length"),
    "too_short": (errors.Why.FEWEST, "min_length"),
    "too_long": (errors.Why.MOST, "max_length"),
    "string_pattern_mismatch": (errors.Why.PATTERN, "pattern"),
    "enum": (errors.Why.ONE_OF, "expected"),
    "literal_error": (errors.Why.ONE_OF, "expected"),
}
"""Pydantic's kinds of error that name a limit, and what the limit is called in their context."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One field at fault, and why; ``values`` fill the text."""

    where: str
    why: errors.Why
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """A problem before it is put into words: what fills its texts, its members, its headers."""

    problem: Problem
    fill: Mapping[str, object] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)  # placeholder: key of its text
    wrong: tuple[Wrong, ...] = ()
    members: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@singledispatch
def tell(error: Exception) -> Told:  # noqa: ARG001 - whatever it is, nothing of it is shown
    """The one table from errors to problems; what is not in it is an error on our side."""
    return Told(Problem.INTERNAL)


@tell.register
def _(_: errors.UnauthenticatedError) -> Told:
    challenge = {"WWW-Authenticate": 'Bearer realm="chargeward"'}
    return Told(Problem.UNAUTHENTICATED, headers=challenge)


@tell.register
def _(error: errors.TooManyAttemptsError) -> Told:
    return _later(Problem.TOO_MANY_ATTEMPTS, error.retry_s)


@tell.register
def _(error: errors.NoSuchThingError) -> Told:
    words = {"kind": f"kind.{error.thing}"}
    return Told(Problem.NO_SUCH_THING, {"name": error.name[:_MAX_ECHO]}, words)


@tell.register
def _(error: errors.BadQueryError) -> Told:
    return Told(Problem.INVALID, wrong=(Wrong(error.field, error.why, error.values),))


@tell.register
def _(error: errors.ReleaseRefusedError) -> Told:
    blocking = {"blocked_by": error.findings} if error.findings else {}
    return Told(_REFUSALS[error.outcome], members=blocking)


@tell.register
def _(error: ActRefusedError) -> Told:
    return Told(_ACTS[error.refusal])


@tell.register
def _(error: SilenceRefusedError) -> Told:
    if error.refusal is SilenceRefusal.DANGER:
        return Told(Problem.NEVER_SILENT)
    days = {"days": MAX_MS // 86_400_000}
    return Told(Problem.INVALID, wrong=(Wrong("until", _SILENCES[error.refusal], days),))


@tell.register
def _(error: PhotoRefusedError) -> Told:
    return Told(Problem.PHOTO_REFUSED, words={"what": f"photo.{error.refusal}"})


@tell.register
def _(error: RequestValidationError) -> Told:
    problem = Problem.REASON_MISSING if _lacks_reason(error) else Problem.INVALID
    return Told(problem, wrong=_wrong_fields(error))


@tell.register
def _(error: BodyError) -> Told:
    why = errors.Why.NOT_JSON if error.reason is Reason.NOT_JSON else errors.Why.INVALID
    return Told(Problem.INVALID, wrong=(Wrong("body", why),))


@tell.register
def _(error: oncall.UnknownError) -> Told:
    return tell(errors.NoSuchThingError(errors.Thing(error.kind.value), error.name))


@tell.register
def _(error: oncall.PeopleRefusedError) -> Told:
    return Told(Problem.INVALID, wrong=tuple(map(_flawed, error.flaws[:_MAX_ERRORS])))


@tell.register
def _(error: oncall.OverrideRefusedError) -> Told:
    return Told(Problem.INVALID, wrong=(_flawed(error.flaw),))


@tell.register
def _(_: CursorError) -> Told:
    return Told(Problem.BAD_CURSOR)


@tell.register
def _(_: TooManyListenersError) -> Told:
    return _later(Problem.TOO_MANY_LISTENERS, RETRY_S)


@tell.register
def _(_: DatabaseUnavailable) -> Told:
    return _later(Problem.UNAVAILABLE, RETRY_S, what="what.sql")


@tell.register
def _(_: StoreError) -> Told:
    return _later(Problem.UNAVAILABLE, RETRY_S, what="what.telemetry")


@tell.register
def _(error: HTTPException) -> Told:
    problem = _BY_STATUS.get(error.status_code, Problem.BAD_REQUEST)
    return Told(problem, headers=error.headers or {})


def _later(problem: Problem, retry_s: int, **words: str) -> Told:
    return Told(problem, {"retry_s": retry_s}, words, headers={"Retry-After": str(retry_s)})


def _flawed(flaw: oncall.Flaw) -> Wrong:
    return Wrong(flaw.where, errors.Why(flaw.fault.value), flaw.values)


def _lacks_reason(error: RequestValidationError) -> bool:
    """Whether all that is wrong is a reason left out or left blank."""
    entries = error.errors()
    return len(entries) == 1 and all(
        entry["loc"][0] == "body"
        and entry["loc"][-1] == "reason"
        and (entry["type"] == "missing" or not str(entry["input"] or "").strip())
        for entry in entries
    )


def _wrong_fields(error: RequestValidationError) -> tuple[Wrong, ...]:
    """What is wrong where, without echoing values: they may be secrets or megabytes."""
    return tuple(Wrong(_where(entry), *_why(entry)) for entry in error.errors()[:_MAX_ERRORS])


def _where(entry: Mapping[str, Any]) -> str:
    """The field's own name, with its place where it is in a list: ``rosters[1].turn_days``.

    Outside of lists bodies are flat: what stands before the name only tells the kind of body.
    """
    place, *path = entry["loc"]
    if entry["type"] == "json_invalid" or not path:
        return str(place)
    if not any(isinstance(part, int) for part in path):
        return str(path[-1])[:_MAX_ECHO]
    whole = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return whole.removeprefix(".")[:_MAX_ECHO]


def _why(entry: Mapping[str, Any]) -> tuple[errors.Why, Mapping[str, object]]:
    """What is wrong, with the allowed range where there is one."""
    kind = str(entry["type"])
    if kind == "extra_forbidden":
        query = entry["loc"][0] == "query"
        return (errors.Why.UNKNOWN_PARAMETER if query else errors.Why.UNKNOWN_FIELD), {}
    if kind in _LIMITS:
        why, name = _LIMITS[kind]
        return why, {"limit": str(entry["ctx"][name]).replace(" or ", ", ")}
    return _KINDS.get(kind, errors.Why.INVALID), {}


def document(error: Exception, path: str, accept_language: str | None) -> Response:
    """The problem document for ``error`` at ``path``."""
    language = negotiate(accept_language)
    told = tell(error)
    slug = told.problem.slug
    fill = {
        "limit": limit_of(path),
        **told.fill,
        **{name: text(language, key) for name, key in told.words.items()},
    }
    body = {
        "type": told.problem.type,
        "title": text(language, f"problem.{slug}.title"),
        "status": told.problem.status,
        "detail": text(language, f"problem.{slug}.detail", **fill),
        "instance": path[:_MAX_ECHO],
        **told.members,
    }
    if told.wrong:
        body["errors"] = [
            {"field": wrong.where, "message": text(language, f"why.{wrong.why}", **wrong.values)}
            for wrong in told.wrong
        ]
    headers = {"Content-Language": language, "Vary": "Accept-Language", **told.headers}
    encoded = orjson.dumps(body, default=str)
    return Response(encoded, told.problem.status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    """Answer every expected error with its problem; the edge answers the unexpected ones."""

    async def handle(request: Request, error: Exception) -> Response:
        response = document(error, request.url.path, request.headers.get("accept-language"))
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # The route's template, not the path: some paths hold a key.
            route = getattr(request.scope.get("route"), "path", "unmatched")
            log.warning("request not served", route=route, error=repr(error))
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = _allow(request.url.path, routes)
        return response

    handled: tuple[type[Exception], ...] = (
        errors.ApiError,
        ActRefusedError,
        PhotoRefusedError,
        oncall.OnCallError,
        RequestValidationError,
        SilenceRefusedError,
        HTTPException,
        BodyError,
        CursorError,
        DatabaseUnavailable,
        StoreError,
        TooManyListenersError,
    )
    for kind in handled:
        app.add_exception_handler(kind, handle)


def _allow(path: str, routes: Sequence[APIRoute]) -> str:
    """All methods of ``path``: each route alone knows only its own."""
    known = {method for r in routes if r.path_regex.match(path) for method in r.methods or ()}
    return ", ".join(sorted(known)) or "GET"


SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "enum": [problem.type for problem in Problem]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "blocked_by": {"type": "array", "items": {"$ref": "#/components/schemas/Finding"}},
    },
}
"""For the OpenAPI document."""
