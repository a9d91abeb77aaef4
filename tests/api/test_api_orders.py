"""Orders: a cut is always allowed, a release is earned, and power never comes back by itself."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from devices.lockouts import Kind
from devices.orders import Action
from tests.api.fake_backend import HOT, NOW_MS, OTHER_TOKEN, FakeBackend, hot_finding

SECOND = {"Authorization": f"Bearer {OTHER_TOKEN}"}
RELEASE = {"action": "release", "station": HOT, "socket": 5, "reason": "contact replaced"}


async def order(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    """Post an order."""
    return await client.post("/api/v1/commands", json=body)


async def test_a_cut_is_ordered_and_can_be_followed(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """202 with the command as it stands and the address where its proof will show."""
    response = await order(client, action="cut", station=HOT, socket=4, reason="smell of burning")
    assert response.status_code == 202
    expected: dict[str, Any] = {
        "id": "c1",
        "station": HOT,
        "socket": 4,
        "action": "cut",
        "reason": "smell of burning",
        "origin": "person",
        "rule": None,
        "by": "admin",
        "parent": None,
        "state": "requested",
        "lock": True,
        "issued_ms": NOW_MS,
        "expires_ms": NOW_MS + 10_000,
        "sends": 1,
        "reply": None,
        "reply_detail": "",
        "replied_ms": None,
        "reaction_ms": None,
        "proven_ms": None,
        "proof_w": None,
        "relay_open": None,
        "others_unaffected": None,
        "failure": None,
        "ended_ms": None,
    }
    assert response.json() == {"outcome": "ordered", "command": expected, "lockouts": []}
    assert response.headers["location"] == "/api/v1/commands/c1"
    assert (await client.get("/api/v1/commands/c1")).json() == expected
    assert [(s.action, s.station, s.socket) for s in backend.sends] == [(Action.CUT, HOT, 4)]


async def test_the_same_cut_twice_is_one_command(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """A nervous second click gets the order that is on its way."""
    body = {"action": "cut", "station": HOT, "socket": 4, "reason": "smoke"}
    first, second = [await order(client, **body) for _ in range(2)]
    assert first.json()["command"]["id"] == second.json()["command"]["id"] == "c1"
    assert len(backend.sends) == 1


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"action": "cut_station", "reason": "smoke"}, (Action.CUT_STATION, None, "smoke")),
        ({"action": "identify"}, (Action.IDENTIFY, None, "")),
        ({"action": "identify", "socket": 2}, (Action.IDENTIFY, 2, "")),
    ],
)
async def test_other_orders(
    backend: FakeBackend, client: httpx.AsyncClient, body: dict[str, Any], sent: tuple[object, ...]
) -> None:
    """A whole station is cut with a reason; identifying needs none."""
    assert (await order(client, station=HOT, **body)).status_code == 202
    assert [(s.action, s.socket, s.reason) for s in backend.sends] == [sent]


@pytest.mark.parametrize("action", ["release", "cut", "cut_station"])
@pytest.mark.parametrize("reason", [None, "", "   ", "\u3000", "missing"])
async def test_without_a_reason_nothing_is_done(
    backend: FakeBackend, client: httpx.AsyncClient, action: str, reason: str | None
) -> None:
    """A blank reason is no reason: 422 of its own kind, the lock stays and nothing is sent."""
    body: dict[str, object] = {"action": action, "station": HOT, "reason": reason}
    if action != "cut_station":
        body["socket"] = 5
    if reason == "missing":
        del body["reason"]
    backend.detection.findings.clear()
    response = await order(client, **body)
    problem = response.json()
    assert response.status_code == 422
    assert (problem["type"], problem["title"]) == (
        "/problems/reason-missing",
        "A reason is needed",
    )
    assert [e["field"] for e in problem["errors"]] == ["reason"]
    assert (len(backend.locks.active(HOT, 5)), backend.sends) == (1, [])


async def test_a_release_ends_the_lockout(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """With a reason and no danger left: 200, nothing stands any more, no power-on is sent."""
    backend.detection.findings.clear()
    response = await order(client, **RELEASE)
    assert response.status_code == 200
    assert response.json() == {"outcome": "released", "command": None, "lockouts": []}
    assert (await client.get("/api/v1/lockouts")).json() == {"items": []}
    assert backend.sends == []


async def test_a_release_is_refused_while_it_is_dangerous(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """409 with the findings that forbid it; the lock stays."""
    response = await order(client, **RELEASE)
    problem = response.json()
    assert response.status_code == 409
    blocking = problem.pop("blocked_by")
    assert [(f["rule"], f["socket"], f["evidence"]["temp_c"]) for f in blocking] == [
        ("R02", 5, 81.5)
    ]
    assert problem == {
        "type": "/problems/still-dangerous",
        "title": "Still dangerous",
        "status": 409,
        "detail": (
            "The findings in blocked_by are open; the lockout stays until they have cleared."
        ),
        "instance": "/api/v1/commands",
    }
    assert len(backend.locks.active(HOT, 5)) == 1


async def test_after_a_fire_alarm_two_people_release(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """202 for the first word, 409 for the same person again, 200 for the second person."""
    backend.locks.add(
        HOT, None, kind=Kind.LATCHED, rule="R07", reason="smoke", fire=True, now_ms=NOW_MS
    )
    body = {"action": "release", "station": HOT, "reason": "no fire found"}
    first = await order(client, **body)
    assert first.status_code == 202
    assert first.json() == {
        "outcome": "needs_second_person",
        "command": None,
        "lockouts": [
            {
                "station": HOT,
                "socket": None,
                "kind": "latched",
                "rule": "R07",
                "reason": "smoke",
                "fire": True,
                "since_ms": NOW_MS,
                "approvals": [{"by": "admin", "reason": "no fire found", "at_ms": NOW_MS}],
                "released_ms": None,
            }
        ],
    }
    again = await order(client, **body)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/second-person")
    second = await client.post("/api/v1/commands", json=body, headers=SECOND)
    assert (second.status_code, second.json()["outcome"]) == (200, "released")
    assert backend.locks.active(HOT, None) == ()


async def test_what_is_not_locked_cannot_be_released(client: httpx.AsyncClient) -> None:
    """409 says so, rather than pretending that something was done."""
    response = await order(client, **{**RELEASE, "socket": 6})
    assert (response.status_code, response.json()["type"]) == (409, "/problems/not-locked")


@pytest.mark.parametrize(
    "body",
    [
        {"action": "cut", "station": "nowhere", "socket": 1, "reason": "x"},
        {"action": "cut", "station": HOT, "socket": 13, "reason": "x"},
        {"action": "release", "station": "nowhere", "socket": 1, "reason": "x"},
        {"action": "release", "station": HOT, "socket": 13, "reason": "x"},
        {"action": "identify", "station": "nowhere"},
    ],
)
async def test_orders_need_a_registered_subject(
    backend: FakeBackend, client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    """404 for what is not there; nothing leaves."""
    response = await order(client, **body)
    assert (response.status_code, response.json()["type"]) == (404, "/problems/no-such-thing")
    assert backend.sends == []


async def test_commands_are_listed_newest_first_in_pages(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """Pages follow each other; filters narrow them."""
    for socket in (1, 2, 3):
        backend.utc_ms += 1_000
        await order(client, action="cut", station=HOT, socket=socket, reason="x")
    first = (await client.get("/api/v1/commands?limit=2")).json()
    assert [c["socket"] for c in first["items"]] == [3, 2]
    rest = (await client.get(f"/api/v1/commands?limit=2&cursor={first['next']}")).json()
    assert ([c["socket"] for c in rest["items"]], rest["next"]) == ([1], None)
    assert (await client.get("/api/v1/commands?state=proven")).json()["items"] == []
    assert (await client.get("/api/v1/commands?station=cmrj-02")).json()["items"] == []
    assert (await client.get("/api/v1/commands/c9")).status_code == 404


async def test_lockouts_are_listed_oldest_first(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """All that stand, or those of one station."""
    backend.locks.add(
        "cmrj-02", 1, kind=Kind.LATCHED, rule="R10", reason="x", fire=False, now_ms=NOW_MS - 9_000
    )
    listed = (await client.get("/api/v1/lockouts")).json()["items"]
    assert [(lock["station"], lock["socket"]) for lock in listed] == [("cmrj-02", 1), (HOT, 5)]
    one = (await client.get(f"/api/v1/lockouts?station={HOT}")).json()["items"]
    assert [lock["station"] for lock in one] == [HOT]


async def test_a_finding_of_another_socket_does_not_forbid(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """The release asks about its own subject."""
    other = hot_finding(socket=9)
    backend.detection.findings = [replace(other)]
    assert (await order(client, **RELEASE)).status_code == 200
