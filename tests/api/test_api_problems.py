"""Problem documents: every error has one, in the reader's language, and none tells too much."""

from typing import Any

import httpx
import orjson
import pytest

from api.http.bodies import MAX_BODY_BYTES
from api.http.problems import Problem, Told, tell
from devices.errors import CursorError, DatabaseRefused, DatabaseUnavailable
from devices.names import STATION_PATTERN
from iot.contract import EARLIEST_TS_MS
from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS
from iot.store import StoreUnavailable
from tests.api.fake_backend import HOT, FakeBackend

CHANNELS = ", ".join(repr(channel) for channel in (*STATION_CHANNELS, *SOCKET_CHANNELS))


def problem(response: httpx.Response) -> dict[str, Any]:
    """The document, checked for its media type and for naming its own status."""
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == response.status_code
    return body


def test_every_problem_has_its_own_type() -> None:
    """Types are unique paths."""
    types = [p.type for p in Problem]
    assert len(set(types)) == len(types)
    assert all(t.startswith("/problems/") for t in types)


@pytest.mark.parametrize("error", [RuntimeError("hunter2"), DatabaseRefused("no such table x")])
def test_what_nobody_expected_is_our_error_and_says_nothing(error: Exception) -> None:
    """An exception outside the table is internal; nothing of it is shown."""
    assert tell(error) == Told(Problem.INTERNAL)


@pytest.mark.parametrize(
    "error",
    [CursorError("x' OR 1=1"), DatabaseUnavailable("INSERT secret"), StoreUnavailable("token")],
)
def test_errors_of_lower_rooms_are_not_quoted(error: Exception) -> None:
    """A message of the database never reaches a caller."""
    told = tell(error)
    assert str(error) not in repr(told)


async def test_an_unknown_address(client: httpx.AsyncClient) -> None:
    """404 says where the addresses are listed."""
    assert problem(await client.get("/api/v1/nothing")) == {
        "type": "/problems/not-found",
        "title": "There is no such address",
        "status": 404,
        "detail": "The addresses are listed in /api/v1/openapi.json.",
        "instance": "/api/v1/nothing",
    }


async def test_a_wrong_method_lists_the_right_ones(client: httpx.AsyncClient) -> None:
    """405 with Allow naming all methods of the address, not only those of one handler."""
    response = await client.put("/api/v1/commands")
    assert problem(response)["type"] == "/problems/method-not-allowed"
    assert response.headers["allow"] == "GET, POST"
    assert (await client.post(f"/api/v1/stations/{HOT}")).headers["allow"] == "GET"


async def test_the_language_is_the_readers(client: httpx.AsyncClient) -> None:
    """Chinese unless asked otherwise; caches are told that it varies."""
    response = await client.get(
        "/api/v1/stations/nowhere", headers={"Accept-Language": "zh-CN,en;q=0.5"}
    )
    assert problem(response) == {
        "type": "/problems/no-such-thing",
        "title": "未找到",
        "status": 404,
        "detail": "没有充电站 nowhere。",
        "instance": "/api/v1/stations/nowhere",
    }
    assert response.headers["content-language"] == "zh"
    assert response.headers["vary"] == "Accept-Language"


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [
        ("/api/v1/sites?x=1", "x", "is not a parameter of this address"),
        ("/api/v1/stations?offline=true", "offline", "is not a parameter of this address"),
        (f"/api/v1/stations/{HOT}?full=1", "full", "is not a parameter of this address"),
        ("/livez?verbose", "verbose", "is not a parameter of this address"),
        ("/api/v1/stations?limit=1000000000", "limit", "must be at most 1000"),
        ("/api/v1/stations?limit=0", "limit", "must be at least 1"),
        ("/api/v1/stations?limit=1.0", "limit", "has a value that is not allowed"),
        ("/api/v1/stations?limit=%2B1", "limit", "has a value that is not allowed"),
        ("/api/v1/stations?limit=%D9%A3", "limit", "has a value that is not allowed"),
        ("/api/v1/stations?online=yes", "online", "has a value that is not allowed"),
        ("/api/v1/stations?site=../etc", "site", f"must match {STATION_PATTERN}"),
        ("/api/v1/stations?site=%27%20OR%201=1", "site", f"must match {STATION_PATTERN}"),
        (f"/api/v1/stations/{HOT}/sockets/0", "socket", "must be at least 1"),
        (f"/api/v1/stations/{HOT}/sockets/-1", "socket", "has a value that is not allowed"),
        (f"/api/v1/stations/{HOT}/sockets/999", "socket", "must be at most 64"),
        ("/api/v1/findings/0", "finding", "must be at least 1"),
        ("/api/v1/findings/99999999999999999999", "finding", "must be below 9007199254740992"),
        ("/api/v1/findings?rule=R2", "rule", r"must match ^R\d{2}$"),
        (
            "/api/v1/findings?severity=awful",
            "severity",
            "must be one of 'info', 'warn', 'major', 'critical'",
        ),
        ("/api/v1/findings?since=2026-01-01", "since", "has a value that is not allowed"),
        ("/api/v1/findings?since=1790000000", "since", f"must be at least {EARLIEST_TS_MS}"),
        (
            "/api/v1/findings?since=1790000000000&until=1790000000000",
            "since",
            "must be before until",
        ),
        (f"/api/v1/stations/{HOT}/telemetry", "channel", "is required"),
        (
            f"/api/v1/stations/{HOT}/telemetry?channel=rpm",
            "channel",
            f"must be one of {CHANNELS}",
        ),
        (
            f"/api/v1/stations/{HOT}/telemetry?channel=temp_c",
            "socket",
            "is required for this channel",
        ),
        (
            f"/api/v1/stations/{HOT}/telemetry?channel=ambient_c&socket=1",
            "socket",
            "must be left out here",
        ),
        (
            f"/api/v1/stations/{HOT}/telemetry?channel=ambient_c&points=2001",
            "points",
            "must be at most 2000",
        ),
        (
            f"/api/v1/stations/{HOT}/telemetry?channel=ambient_c&start=1790000000001",
            "start",
            "must be before end",
        ),
        (
            f"/api/v1/stations/{HOT}/telemetry?channel=ambient_c&start=1780000000000",
            "start",
            "must be at most 92 days before end",
        ),
    ],
)
async def test_bad_parameters_are_named(
    client: httpx.AsyncClient, path: str, field: str, message: str
) -> None:
    """Whatever is unknown, unbounded or contradictory is refused, and the field named."""
    response = await client.get(path)
    assert response.status_code == 422
    assert problem(response) == {
        "type": "/problems/invalid",
        "title": "The request is not valid",
        "status": 422,
        "detail": "What is wrong stands in errors.",
        "instance": path.partition("?")[0],
        "errors": [{"field": field, "message": message}],
    }


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"action": "cut"}, ["reason", "socket", "station"]),
        ({"action": "cut", "station": HOT, "socket": "5", "reason": "x"}, ["socket"]),
        ({"action": "cut", "station": HOT, "socket": 5.5, "reason": "x"}, ["socket"]),
        ({"action": "cut", "station": HOT, "socket": True, "reason": "x"}, ["socket"]),
        ({"action": "cut", "station": HOT, "socket": 0, "reason": "x"}, ["socket"]),
        ({"action": "cut", "station": HOT, "socket": None, "reason": "x"}, ["socket"]),
        ({"action": "cut", "station": "A/#", "socket": 5, "reason": "x"}, ["station"]),
        ({"action": "cut", "station": HOT, "socket": 5, "reason": "x", "by": "boss"}, ["by"]),
        ({"action": "cut_station", "station": HOT, "socket": 5, "reason": "x"}, ["socket"]),
        ({"action": "cut", "station": HOT, "socket": 5, "reason": "x" * 201}, ["reason"]),
        ({"action": "cut", "station": HOT, "socket": 5, "reason": "a\nb"}, ["reason"]),
        ({"action": "power_on", "station": HOT, "socket": 5, "reason": "x"}, ["body"]),
        ({"action": "self_test", "station": HOT, "reason": "x"}, ["body"]),
        ([], ["body"]),
    ],
)
async def test_bad_orders_are_named_and_nothing_is_sent(
    backend: FakeBackend, client: httpx.AsyncClient, body: object, errors: list[str]
) -> None:
    """Unknown, read-only, mistyped or missing fields: 422, each named, nothing ordered."""
    response = await client.post("/api/v1/commands", json=body)
    assert response.status_code == 422
    assert sorted(e["field"] for e in problem(response)["errors"]) == errors
    assert backend.sends == []


@pytest.mark.parametrize(
    ("content", "media", "status", "kind"),
    [
        (b"", "application/json", 422, "invalid"),
        (b"null", "application/json", 422, "invalid"),
        (b"{", "application/json", 422, "invalid"),
        (b"\xff\xfe", "application/json", 422, "invalid"),
        (b"[" * 10_000, "application/json", 400, "bad-request"),
        (b"{}", "text/plain", 415, "unsupported-media-type"),
        (b"action=cut", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b" " * (MAX_BODY_BYTES + 1), "application/json", 413, "too-large"),
        (b" " * (10 * 1024 * 1024), "application/json", 413, "too-large"),
    ],
)
async def test_bodies_that_cannot_be_read(
    client: httpx.AsyncClient, content: bytes, media: str, status: int, kind: str
) -> None:
    """Neither size, nesting, encoding nor media type breaks anything."""
    response = await client.post(
        "/api/v1/commands", content=content, headers={"Content-Type": media}
    )
    assert (response.status_code, problem(response)["type"]) == (status, f"/problems/{kind}")


async def test_a_body_without_a_length_is_bounded_too(client: httpx.AsyncClient) -> None:
    """Chunked bodies are counted as they come."""

    async def endless() -> Any:
        for _ in range(40):
            yield b" " * 1024

    response = await client.post(
        "/api/v1/commands", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert problem(response) == {
        "type": "/problems/too-large",
        "title": "The body is too large",
        "status": 413,
        "detail": "At most 16384 bytes are read.",
        "instance": "/api/v1/commands",
    }


async def test_many_wrong_fields_make_no_large_answer(client: httpx.AsyncClient) -> None:
    """The list of errors is bounded and values are never echoed."""
    body = {"action": "cut", **{f"f{n}": "secret" for n in range(500)}}
    response = await client.post("/api/v1/commands", json=body)
    assert len(problem(response)["errors"]) == 20
    assert b"secret" not in response.content


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/findings?cursor=nonsense",
        "/api/v1/commands?cursor=1",
        "/api/v1/alarms?cursor=a.b",
        "/api/v1/stations?cursor=1790000000000.4",
    ],
)
async def test_a_cursor_that_no_list_gave_out(client: httpx.AsyncClient, path: str) -> None:
    """422 with what to do instead."""
    response = await client.get(path)
    assert problem(response) == {
        "type": "/problems/bad-cursor",
        "title": "The cursor is not valid",
        "status": 422,
        "detail": "Use next of the page before, unchanged, with the same filters.",
        "instance": path.partition("?")[0],
    }


async def test_a_store_that_is_down_tells_nothing_of_itself(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """503 without address, token or driver's words."""
    backend.telemetry.down = True
    response = await client.get(f"/api/v1/stations/{HOT}/telemetry?channel=ambient_c")
    assert problem(response) == {
        "type": "/problems/unavailable",
        "title": "Not available just now",
        "status": 503,
        "detail": (
            "The telemetry store does not answer. "
            "Alarms and cuts are not affected; try again in 5 s."
        ),
        "instance": f"/api/v1/stations/{HOT}/telemetry",
    }


async def test_instance_is_bounded(client: httpx.AsyncClient) -> None:
    """A caller's own path is not given back at any length."""
    response = await client.get("/" + "a" * 5_000)
    assert len(orjson.loads(response.content)["instance"]) == 200
