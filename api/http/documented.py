"""What a route says of itself in the OpenAPI document: model, example, problems."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from api.encoding import encode
from api.http.problems import MEDIA_TYPE

_WORDS: Final = {
    400: "The request cannot be read",
    401: "A credential is needed",
    404: "It does not exist",
    409: "It does not fit what is now; the problem's type says why",
    413: "The body is too large",
    415: "The body must be JSON",
    422: "The request is not valid",
    429: "Too many wrong credentials",
    503: "A store does not answer; alarms and cuts are not affected",
}
ALWAYS: Final = (401, 422, 429, 503)
"""What every route behind the gate can answer."""
PROBLEM: Final[Mapping[str, Any]] = {
    MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
}


def documented(
    model: type,
    example: object,
    *problems: int,
    status: int = 200,
    tagged: bool = False,
) -> dict[str, Any]:
    """Arguments for a route that answers ``status`` with ``model``; handlers write it themselves.

    ``tagged``: it carries an entity tag and can answer 304.
    """
    responses: dict[int | str, Any] = {status: shown(example), **refusals(*ALWAYS, *problems)}
    if tagged:
        responses[304] = {"description": "What If-None-Match names is still so"}
    return {"response_model": model, "status_code": status, "responses": responses}


def probe(model: type, example: object, *, refuses: bool = False) -> dict[str, Any]:
    """The same for a probe, which needs no credential; ``refuses``: it answers 503 alike."""
    responses: dict[int | str, Any] = {200: shown(example), **refusals(422)}
    if refuses:
        responses[503] = {"description": "Not ready; the reasons are listed", "model": model}
    return {"response_model": model, "responses": responses}


def keyed(model: Any, example: object, *problems: int) -> dict[str, Any]:
    """The same for a route whose path holds its key: a wrong one is 404, not 401."""
    responses: dict[int | str, Any] = {200: shown(example), **refusals(404, 422, 429, *problems)}
    return {"response_model": model, "responses": responses}


def refusals(*codes: int) -> dict[int | str, Any]:
    """Problem documents with these status codes."""
    return {
        code: {"description": _WORDS[code], "content": dict(PROBLEM)} for code in sorted(set(codes))
    }


def shown(example: object) -> dict[str, Any]:
    """A response with an example of its body."""
    return {"content": {"application/json": {"example": plain(example)}}}


def plain(view: object) -> Any:
    """``view`` as plain JSON values."""
    return orjson.loads(encode(view))
