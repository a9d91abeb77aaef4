"""The application: routes, gate and edge put together over one backend."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.http import callbacks as callback_routes
from api.http import (
    drills,
    duty,
    duty_changes,
    entry,
    evidence,
    history,
    incidents,
    officer,
    orders,
    problems,
    reports,
    sites,
    system,
)
from api.http.edge import Edge
from api.http.gate import Gate
from api.http.office import Office
from api.http.ports import Backend, Callbacks
from api.http.stream import HEARTBEAT_S

VERSION: Final = "1"
OPENAPI_PATH: Final = "/api/v1/openapi.json"
_ABOUT: Final = """Backend that keeps e-bike charging points from burning, and proves that it did.

Times are integer UTC milliseconds; sockets count from 1; `null` for a number means that no
valid sensor says it. Errors are problem documents (RFC 9457) in Chinese or English by
`Accept-Language`. Lists are continued with the opaque `next` as `cursor`."""
_TAGS: Final = [
    {"name": "sites", "description": "Sites, stations and sockets: now, and over time"},
    {"name": "commands", "description": "Cut, release, identify; lockouts"},
    {"name": "history", "description": "Findings, alarms, refused messages"},
    {"name": "incidents", "description": "Incidents, acts, messages, silences"},
    {"name": "callbacks", "description": "For SMS and voice providers: receipts, replies, calls"},
    {"name": "duty", "description": "People, rosters, who is on duty and when nobody is"},
    {"name": "reports", "description": "Days and months of a site; drills and who answered them"},
    {"name": "live", "description": "Server-sent events"},
    {"name": "system", "description": "Probes and metrics"},
]


def create_app(
    backend: Backend,
    *,
    open_reads: bool = False,
    callbacks: Callbacks | None = None,
    heartbeat_s: float = HEARTBEAT_S,
    secure_cookies: bool = False,
) -> FastAPI:
    """The ASGI application over ``backend``; its life cycle belongs to the caller.

    ``open_reads``: reading needs no credential; whatever changes state always does.
    ``callbacks`` takes what providers send back; None = there is no provider, every key is wrong.
    ``secure_cookies``: officers' pages are served over HTTPS, also where a proxy hides it.
    ``heartbeat_s``: seconds of silence on the live stream before a comment is sent.
    """
    gate = Gate(backend, open_reads=open_reads)
    app = FastAPI(
        title="Chargeward",
        version=VERSION,
        description=_ABOUT,
        openapi_tags=_TAGS,
        openapi_url=OPENAPI_PATH,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_middleware(Edge, metrics=backend.metrics)
    routers = (
        sites.routes(backend, gate),
        orders.routes(backend, gate),
        history.routes(backend, gate),
        incidents.routes(backend, gate),
        evidence.routes(backend, gate),
        callback_routes.routes(backend, callbacks),
        duty.routes(backend, gate),
        duty.calendars(backend, gate),
        duty_changes.site_routes(backend, gate),
        duty_changes.roster_routes(backend, gate),
        reports.routes(backend, gate),
        drills.routes(backend, gate),
        system.events(backend, gate, heartbeat_s=heartbeat_s),
        system.probes(backend),
    )
    office = Office(backend, secure=secure_cookies)
    pages = (entry.routes(office), officer.routes(office))
    for router in (*routers, *pages):
        app.include_router(router)
    problems.install(app, _routes((*routers, *pages)))
    app.openapi = partial(_document, app, routers)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _document(app: FastAPI, routers: Sequence[APIRouter]) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        schemas = schema["components"]["schemas"]
        schemas["Problem"] = problems.SCHEMA
        # FastAPI's own error shapes are never answered here; every 422 is a problem document.
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        _restore_nulls(schema, routers)
        app.openapi_schema = schema
    return app.openapi_schema


def _restore_nulls(schema: dict[str, Any], routers: Sequence[APIRouter]) -> None:
    """FastAPI drops nulls from examples; here null is an answer of its own."""
    for route in _routes(routers):
        for method in route.methods or ():
            documented = schema["paths"][route.path][method.lower()]["responses"]
            for status, response in route.responses.items():
                for media, content in response.get("content", {}).items():
                    if "example" in content:
                        shown = documented[str(status)]["content"][media]
                        shown["example"] = content["example"]


def _routes(routers: Sequence[APIRouter]) -> list[APIRoute]:
    return [r for router in routers for r in router.routes if isinstance(r, APIRoute)]
