"""What machines ask: is it alive, does it work, what are its numbers, what happens right now."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Response

from api.http import examples, views
from api.http.answers import answer
from api.http.documented import ALWAYS, probe, refusals
from api.http.gate import Gate
from api.http.ports import Backend
from api.http.queries import no_query
from api.http.stream import EventStream
from api.metrics import CONTENT_TYPE

_EVENTS: Final[dict[int | str, Any]] = {
    200: {
        "description": (
            "Server-sent events, until the client leaves: station (a row of the list of "
            "stations, at most one a second per station), finding, command, lockouts, incident "
            "(a line of its timeline), message (accepted by a provider, or given up), and resync "
            "when events were missed and the state must be read again."
        ),
        "content": {
            "text/event-stream": {"schema": {"type": "string"}, "example": examples.EVENTS}
        },
    },
    **refusals(*ALWAYS),
}
_METRICS: Final[dict[int | str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": examples.METRICS}}},
    **refusals(422),
}


def probes(backend: Backend) -> APIRouter:
    """Probes and metrics at the root; they need no credential and show no names of people."""
    router = APIRouter(tags=["system"], dependencies=[Depends(no_query)])

    @router.get("/livez", **probe(views.Alive, examples.alive))
    async def live() -> Response:
        """The process answers. For restarting it; says nothing about its work."""
        return answer(views.Alive(alive=True))

    @router.get("/readyz", **probe(views.Ready, examples.ready, refuses=True))
    async def ready() -> Response:
        """Whether the backend does its work: 503 with the reasons when it does not."""
        verdict = backend.verdict()
        view = views.Ready(
            ready=verdict.ready,
            reasons=verdict.reasons,
            lanes=verdict.lanes,
            drain_frames=verdict.drain_frames,
            drain_age_ms=verdict.drain_age_ms,
        )
        return answer(view, 200 if verdict.ready else 503)

    @router.get("/metrics", responses=_METRICS, response_class=Response)
    async def metrics() -> Response:
        """Prometheus text exposition."""
        backend.metrics.sse_clients(backend.live.listeners)
        text = backend.metrics.render(backend.verdict())
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    return router


def events(backend: Backend, gate: Gate, *, heartbeat_s: float) -> APIRouter:
    """The live stream."""
    router = APIRouter(prefix="/api/v1", tags=["live"], dependencies=[Depends(gate.reader)])

    @router.get(
        "/events",
        dependencies=[Depends(no_query)],
        status_code=200,
        responses=_EVENTS,
        response_class=EventStream,
    )
    async def stream(
        last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    ) -> Response:
        """Live events. With ``Last-Event-ID``, what was missed comes first where we still know."""
        listener = backend.live.subscribe(last_event_id)
        return EventStream(backend.live, listener, heartbeat_s=heartbeat_s)

    return router
