"""The live stream over the application: fan-out, slow clients, heartbeats, clean ends.

The requests are driven as raw ASGI, because a test client collects a whole answer and a live
stream has no end.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.types import ASGIApp, Message

from api.http import status
from api.http.app import create_app
from api.http.stream import EventStream
from api.live import CLOSED, DROPPED, RESYNC, LiveHub
from tests.api.fake_backend import BEARER, HOT, FakeBackend, client_of

HELLO = b"retry: 3000\n\n"
FINDING = b'id: run1-1\nevent: finding\ndata: {"rule":"R02"}\n\n'


class Listener:
    """One client of the stream: what it received so far, and a way to leave or to stall."""

    def __init__(self) -> None:
        """It reads at once until ``reading`` is cleared."""
        self.reading = asyncio.Event()
        self.reading.set()
        self.gone = asyncio.Event()
        self.start: Message | None = None
        self.ended = False
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> Message:
        """Nothing is ever sent; after ``gone`` the connection is closed."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message, unless the client has stopped reading."""
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.ended = not message.get("more_body", False)
        if message["body"]:
            self.chunks.put_nowait(message["body"])

    async def next(self) -> bytes:
        """The next piece of the body."""
        async with asyncio.timeout(5):
            return await self.chunks.get()


@asynccontextmanager
async def listening(
    app: ASGIApp, headers: dict[str, str] | None = None
) -> AsyncIterator[tuple[Listener, "asyncio.Task[None]"]]:
    """A connected listener and the task that serves it; disconnected at the end."""
    listener = Listener()
    sent = {**BEARER, **(headers or {})}
    scope: dict[str, object] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/v1/events",
        "raw_path": b"/api/v1/events",
        "query_string": b"",
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()],
        "client": ("192.0.2.7", 40_000),
        "server": ("chargeward.test", 80),
    }
    task = asyncio.create_task(_serve(app, scope, listener.receive, listener.send))
    try:
        assert await listener.next() == HELLO
        yield listener, task
    finally:
        listener.reading.set()
        listener.gone.set()
        async with asyncio.timeout(5):
            await task


async def _serve(
    app: ASGIApp,
    scope: dict[str, object],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    await app(scope, receive, send)


async def test_every_client_hears_every_event(backend: FakeBackend) -> None:
    """Three clients, one publication, the same bytes for all; headers keep proxies from waiting."""
    app = create_app(backend)
    async with listening(app) as (one, _), listening(app) as (two, _), listening(app) as (three, _):
        backend.live.publish("finding", {"rule": "R02"})
        assert [await client.next() for client in (one, two, three)] == [FINDING] * 3
        assert one.start is not None
        headers = dict(one.start["headers"])
        assert headers[b"content-type"].startswith(b"text/event-stream")
        assert headers[b"cache-control"] == b"no-store"
        assert headers[b"x-accel-buffering"] == b"no"
        assert b"content-length" not in headers
        assert backend.live.listeners == 3
    assert backend.live.listeners == 0


async def test_a_slow_client_is_dropped_and_slows_nobody(backend: FakeBackend) -> None:
    """It stops reading, falls 256 events behind, is told so and loses its stream."""
    app = create_app(backend)
    async with listening(app) as (slow, slow_task), listening(app) as (quick, _):
        slow.reading.clear()
        backend.live.publish("finding", {"rule": "R02"})
        assert await quick.next() == FINDING
        await asyncio.sleep(0)  # the first event is in the slow client's hands, not in its queue
        for _ in range(257):
            backend.live.publish("finding", {"rule": "R02"})
            await quick.next()
        assert backend.live.listeners == 1
        slow.reading.set()
        async with asyncio.timeout(5):
            await slow_task
        assert [await slow.next(), await slow.next()] == [FINDING, DROPPED]
        assert slow.ended
        dropped = b"chargeward_sse_clients_dropped_total 1.0"
        assert dropped in backend.metrics.render(backend.verdict())


async def test_silence_is_filled_with_comments(backend: FakeBackend) -> None:
    """So that proxies keep the connection and a dead one shows."""
    app = create_app(backend, heartbeat_s=0)
    async with listening(app) as (client, _):
        assert await client.next() == b": still here\n\n"


async def test_a_client_that_leaves_is_forgotten(backend: FakeBackend) -> None:
    """Its task ends and its place is free, without waiting for the next event."""
    async with listening(create_app(backend)) as (client, task):
        client.gone.set()
        async with asyncio.timeout(5):
            await task
        assert backend.live.listeners == 0


async def test_a_client_that_takes_nothing_loses_its_connection() -> None:
    """Sending is given up after a while; the listener's place is free again."""
    hub, stalled = LiveHub("run1"), Listener()
    stalled.reading.clear()
    stream = EventStream(hub, hub.subscribe(), send_timeout_s=0)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await stalled.send(message)

    async with asyncio.timeout(5):
        await stream({}, stalled.receive, send)
    assert hub.listeners == 0


async def test_a_defect_while_sending_is_not_swallowed() -> None:
    """Only a broken or stalled connection is an ordinary end."""
    hub, client = LiveHub("run1"), Listener()

    async def send(_: Message) -> None:
        msg = "defect"
        raise LookupError(msg)

    with pytest.raises(LookupError, match="defect"):
        await EventStream(hub, hub.subscribe())({}, client.receive, send)
    assert hub.listeners == 0


@pytest.mark.parametrize(
    ("last_event_id", "first"),
    [("run1-0", FINDING), ("earlier-9", RESYNC), ("nonsense", RESYNC)],
)
async def test_a_returning_client_gets_what_it_missed(
    backend: FakeBackend, last_event_id: str, first: bytes
) -> None:
    """By ``Last-Event-ID``, or the advice to read the state again."""
    backend.live.publish("finding", {"rule": "R02"})
    app = create_app(backend)
    async with listening(app, {"Last-Event-ID": last_event_id}) as (client, _):
        assert await client.next() == first


async def test_closing_the_hub_ends_the_answers(backend: FakeBackend) -> None:
    """At shutdown open streams end by themselves and keep no server alive."""
    async with listening(create_app(backend)) as (client, task):
        backend.live.close()
        async with asyncio.timeout(5):
            await task
        assert await client.next() == CLOSED
        assert client.ended


async def test_a_full_stream_is_a_problem_document(backend: FakeBackend) -> None:
    """One listener too many: 503 with when to try again."""
    backend.live._max = 0
    async with client_of(backend) as client:
        response = await client.get("/api/v1/events", headers={**BEARER, "Accept-Language": "en"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json() == {
        "type": "/problems/too-many-listeners",
        "title": "The live stream is full",
        "status": 503,
        "detail": "Try again in 5 s.",
        "instance": "/api/v1/events",
    }


async def test_station_events_are_rows_of_the_list(backend: FakeBackend) -> None:
    """What a listener gets for a station is what the list shows; unknown stations are skipped."""
    app = create_app(backend)
    async with listening(app) as (client, _), client_of(backend) as http:
        backend.live.touch(HOT)
        backend.live.touch("nowhere")
        assert backend.live.flush(lambda station: status.row(backend, station)) == 1
        event = await client.next()
        listed = (await http.get("/api/v1/stations?limit=1", headers=BEARER)).content
    row = event.removeprefix(b"id: run1-1\nevent: station\ndata: ").strip()
    assert listed.startswith(b'{"items":[' + row + b"]")
