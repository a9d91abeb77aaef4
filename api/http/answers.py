"""How answers are written: JSON straight from views, entity tags where re-reading is common."""

import hashlib
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.encoding import encode

JSON: Final = "application/json"
_MAX_TAGS: Final = 32
"""Entity tags of one ``If-None-Match`` that are looked at."""


def answer(view: object, status: int = 200) -> Response:
    """``view`` as JSON, never cached."""
    return Response(encode(view), status, media_type=JSON)


def tagged(request: Request, view: object, identity: object) -> Response:
    """``view`` with a weak entity tag of ``identity``; 304 when the caller has that already.

    ``identity`` is what makes two answers the same for a reader: the view without its clock.
    """
    digest = hashlib.blake2b(encode(identity), digest_size=12).hexdigest()
    tag = f'W/"{digest}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if _matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(encode(view), headers=headers, media_type=JSON)


def _matches(if_none_match: str | None, tag: str) -> bool:
    """Weak comparison (RFC 9110, 8.8.3.2)."""
    if if_none_match is None:
        return False
    tags = [entry.strip() for entry in if_none_match.split(",")[:_MAX_TAGS]]
    return "*" in tags or any(entry.removeprefix("W/") == tag.removeprefix("W/") for entry in tags)
