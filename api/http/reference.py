"""The OpenAPI document as it is checked in (``docs/openapi.json``), made from the routes.

The routes need a backend to exist, but the document says nothing about one, so it is made
over a stand-in that nothing is ever asked of.
"""

from typing import Any, cast

import orjson

from api.http.app import create_app
from api.http.ports import Backend
from api.metrics import Metrics


class _NoBackend:
    """Only what the application asks for while it is put together."""

    def __init__(self) -> None:
        self.metrics = Metrics()


def document() -> dict[str, Any]:
    """The OpenAPI document of the routes as they are."""
    return create_app(cast("Backend", _NoBackend())).openapi()


def text() -> str:
    """The document as text: sorted, indented, ending with a line feed."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(document(), option=options).decode()
