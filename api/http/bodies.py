"""How much of a request's body is read, by where it goes."""

from typing import Final

MAX_BODY_BYTES: Final = 16 * 1024
"""Of any request but those below; the largest that makes sense is a reason of 500 characters."""
_LARGER: Final = (
    ("/api/v1/callbacks/", 1024 * 1024),  # 1,000 receipts of the providers
)


def limit_of(path: str) -> int:
    """Bytes of a body that are read for this path."""
    return next((limit for prefix, limit in _LARGER if path.startswith(prefix)), MAX_BODY_BYTES)
