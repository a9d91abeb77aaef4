"""How much of a request's body is read, by where it goes."""

import re
from typing import Final

MAX_BODY_BYTES: Final = 16 * 1024
"""Of any request but those below; the largest that makes sense is a note of 2,000 characters."""
MAX_PHOTO_BODY: Final = 11 * 1024 * 1024
"""Of the two addresses that take a photo: the largest photo and what a form puts around it."""
MAX_CALLBACK_BODY: Final = 1024 * 1024
"""A thousand receipts of a provider."""
_LARGER: Final = (
    (re.compile(r"/incident/[^/]+/photo|/api/v1/incidents/[^/]+/photos"), MAX_PHOTO_BODY),
    (re.compile(r"/api/v1/callbacks/.*", re.DOTALL), MAX_CALLBACK_BODY),
)


def limit_of(path: str) -> int:
    """Bytes of a body that are read for this path."""
    found = (limit for pattern, limit in _LARGER if pattern.fullmatch(path))
    return next(found, MAX_BODY_BYTES)
