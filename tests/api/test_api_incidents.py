"""Incidents, messages and silences over HTTP: what is shown, what is done, what is refused."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from alerts.incidents.model import Act, Cause, Doing, State, Urgency
from alerts.incidents.silences import MAX_MS
from api.http.incident_records import _mask
from tests.api.fake_backend import NOW_MS, FakeBackend, client_of
from tests.api.fake_cases import NUMBER, PHONE, TOKEN, fire

URL = "/api/v1/incidents"
ONE = f"{URL}/{NUMBER}"
SHOWN = {
    "number": NUMBER,
    "site": "caimarenjia",
    "area": "east",
    "station": "cmrj-01",
    "urgency": "fire",
    "drill": False,
    "state": "open",
    "round": 1,
    "opened_ms": NOW_MS - 20_000,
    "first_ms": NOW_MS - 20_000,
    "activity_ms": NOW_MS - 15_000,
    "standing": 2,
    "acknowledged_ms": None,
    "on_site_ms": None,
    "reported_ms": None,
    "closed_ms": None,
    "assignee": None,
    "cause": None,
    "merged": False,
}
NOT_ALLOWED = "has a value that is not allowed"
SILENCE = {
    "site": "caimarenjia",
    "station": "cmrj-01",
    "rule": "R41",
    "until": NOW_MS + 3_600_000,
    "reason": "4G modem is being exchanged",
}


def problem(response: httpx.Response, status: int) -> str:
    """The slug of the problem."""
    assert (response.status_code, response.json()["status"]) == (status, status), response.text
    slug: str = response.json()["type"]
    return slug.removeprefix("/problems/")


async def act(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    """Do something about the fire."""
    return await client.post(f"{ONE}/acts", json=body)


def others(backend: FakeBackend) -> None:
    """A trouble of another site's station yesterday, and a drill of the whole site."""
    case = fire(NOW_MS)
    trouble = replace(
        case.incident,
        id=11,
        number="F0011",
        site="other",
        station="oth-01",
        urgency=Urgency.FAULT,
        state=State.CLOSED,
        first_ms=NOW_MS - 86_400_000,
    )
    drill = replace(
        case.incident, id=13, number="D0013", station=None, drill=True, first_ms=NOW_MS - 5
    )
    for incident in (trouble, drill):
        backend.cases.put(replace(case, incident=incident, findings=(), messages=()))


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", ["D0013", "F0012", "F0011"]),
        ("?site=caimarenjia", ["D0013", "F0012"]),
        ("?station=oth-01", ["F0011"]),
        ("?state=closed", ["F0011"]),
        ("?urgency=fire", ["D0013", "F0012"]),
        ("?drill=true", ["D0013"]),
        ("?drill=false&site=caimarenjia", ["F0012"]),
        ("?site=nowhere", []),
    ],
)
async def test_incidents_are_listed_newest_first(
    backend: FakeBackend, client: httpx.AsyncClient, query: str, numbers: list[str]
) -> None:
    """By site, station, state, urgency, and whether it is a drill."""
    others(backend)
    body = (await client.get(f"{URL}{query}")).json()
    assert ([item["number"] for item in body["items"]], body["next"]) == (numbers, None)


async def test_a_list_goes_on(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """Page by page, each incident once."""
    others(backend)
    first = (await client.get(f"{URL}?limit=2")).json()
    rest = (await client.get(f"{URL}?limit=2&cursor={first['next']}")).json()
    listed = [item["number"] for item in (*first["items"], *rest["items"])]
    assert (listed, rest["next"]) == (["D0013", "F0012", "F0011"], None)


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ("state=burning", "invalid"),
        ("urgency=high", "invalid"),
        ("since=2&until=1", "invalid"),
        (f"since={NOW_MS}&until={NOW_MS}", "invalid"),
        ("drill=maybe", "invalid"),
        ("canary=true", "invalid"),
        ("cursor=x", "bad-cursor"),
    ],
)
async def test_what_cannot_be_asked(client: httpx.AsyncClient, query: str, slug: str) -> None:
    """Unknown words, times the wrong way round, made-up cursors."""
    assert problem(await client.get(f"{URL}?{query}"), 422) == slug


async def test_one_incident_with_everything(client: httpx.AsyncClient) -> None:
    """Findings, deadlines and steps, timeline, messages with their attempts, attachments."""
    body = (await client.get(ONE)).json()
    assert body["incident"] == SHOWN
    assert [finding["rule"] for finding in body["findings"]] == ["R02", "R07"]
    assert body["deadlines"][1] == {
        "round": 1,
        "step": "acknowledge",
        "due_ms": NOW_MS + 40_000,
        "state": "due",
        "settled_ms": None,
    }
    assert body["timeline"][0] == {
        "id": 1,
        "at_ms": NOW_MS - 20_000,
        "kind": "opened",
        "actor": "system",
        "detail": {"rule": "R02", "socket": 5},
    }
    assert body["attachments"] == []
    [message] = body["messages"]
    assert (message["person"], message["address"], message["state"]) == (
        "wang",
        PHONE,
        "delivered",
    )
    assert [attempt["receipt_code"] for attempt in message["attempts"]] == ["DELIVERED"]


async def test_nobody_can_act_by_what_the_ledger_shows(client: httpx.AsyncClient) -> None:
    """The text is shown, the one-time link in it is not."""
    for path in (ONE, "/api/v1/messages"):
        text = (await client.get(path)).text
        assert TOKEN not in text
        assert "cw.example.cn/a/…" in text


async def test_open_reads_mask_numbers(backend: FakeBackend) -> None:
    """Where reading is open, people's numbers are not, and the ledger is closed."""
    async with client_of(backend, open_reads=True) as client:
        body = (await client.get(ONE)).json()
        assert body["messages"][0]["address"] == "+86138…0001"
        assert problem(await client.get("/api/v1/messages"), 401) == "unauthenticated"


def test_a_short_address_is_masked_whole() -> None:
    """Nothing of a robot's name or a short number stays."""
    assert (_mask("duty"), _mask("+861234567"), _mask("a@example.cn")) == (
        "…",
        "…",
        "a@exam…e.cn",
    )


async def test_the_ledger(client: httpx.AsyncClient) -> None:
    """All messages with the incident's number and everything that was tried."""
    body = (await client.get("/api/v1/messages")).json()
    [message] = body["items"]
    assert (message["incident"], message["kind"], message["address"]) == (NUMBER, "fire", PHONE)
    assert message["attempts"] == [
        {
            "provider": "aliyun",
            "started_ms": NOW_MS - 19_100,
            "ended_ms": NOW_MS - 18_900,
            "outcome": "accepted",
            "code": "OK",
            "detail": "",
            "segments": 1,
            "receipt": "delivered",
            "receipt_ms": NOW_MS - 16_000,
            "receipt_code": "DELIVERED",
        }
    ]


@pytest.mark.parametrize(
    ("body", "doing"),
    [
        ({"act": "acknowledge"}, Doing(Act.ACKNOWLEDGE, "admin", NOW_MS)),
        ({"act": "arrive"}, Doing(Act.ARRIVE, "admin", NOW_MS)),
        (
            {"act": "report", "cause": "overcharge", "note": "battery swollen"},
            Doing(Act.REPORT, "admin", NOW_MS, "battery swollen", Cause.OVERCHARGE),
        ),
        ({"act": "comment", "note": "called"}, Doing(Act.COMMENT, "admin", NOW_MS, "called")),
        ({"act": "assign", "person": "li"}, Doing(Act.ASSIGN, "admin", NOW_MS, person="li")),
    ],
)
async def test_what_can_be_done(
    backend: FakeBackend, client: httpx.AsyncClient, body: dict[str, Any], doing: Doing
) -> None:
    """Each act reaches the core as it was sent, by the credential's name."""
    response = await act(client, **body)
    assert response.status_code == 200
    assert backend.cases.done == [(doing, "api")]
    after = backend.cases.by_number[NUMBER].incident
    assert (response.json()["state"], response.json()["assignee"]) == (
        after.state.value,
        after.assignee,
    )


async def test_closing_and_reopening(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """A danger is reported first; what still stands needs a note; reopened it is round 2."""
    assert problem(await act(client, act="close", cause="test"), 409) == "not-reported"
    await act(client, act="report", cause="overheating")
    assert problem(await act(client, act="close"), 409) == "note-needed"
    closed = await act(client, act="close", note="socket exchanged")
    assert (closed.json()["state"], closed.json()["cause"]) == ("closed", "overheating")
    assert problem(await act(client, act="arrive"), 409) == "incident-closed"
    reopened = await act(client, act="reopen", note="smoke again")
    assert (reopened.json()["state"], reopened.json()["round"]) == ("open", 2)
    assert problem(await act(client, act="reopen", note="x"), 409) == "incident-not-closed"
    backend.cases.change(urgency=Urgency.FAULT)
    assert problem(await act(client, act="close", note="x"), 409) == "cause-needed"


async def test_a_refusal_says_what_to_do(client: httpx.AsyncClient) -> None:
    """In the reader's language."""
    response = await client.post(
        f"{ONE}/acts", json={"act": "close"}, headers={"Accept-Language": "zh"}
    )
    assert response.json() == {
        "type": "/problems/not-reported",
        "title": "尚未上报",
        "status": 409,
        "detail": "火警和危险须由到场人员上报后才能关闭。",
        "instance": f"{ONE}/acts",
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"act": "explode"}, "body"),
        ({"act": "acknowledge", "by": "boss"}, "by"),
        ({"act": "report"}, "cause"),
        ({"act": "report", "cause": "arson"}, "cause"),
        ({"act": "reopen"}, "note"),
        ({"act": "reopen", "note": "  "}, "note"),
        ({"act": "comment", "note": "a\x00b"}, "note"),
        ({"act": "comment", "note": "x" * 1_001}, "note"),
        ({"act": "assign", "person": "../x"}, "person"),
        ({"act": "comment", "note": 5}, "note"),
    ],
)
async def test_what_is_no_act(
    backend: FakeBackend, client: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    """Unknown acts and fields, missing and malformed ones; nothing is done."""
    response = await act(client, **body)
    assert problem(response, 422) == "invalid"
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert backend.cases.done == []


@pytest.mark.parametrize(
    ("method", "path", "body", "name"),
    [
        ("GET", f"{URL}/F9999", None, "incident F9999"),
        ("POST", f"{URL}/F9999/acts", {"act": "arrive"}, "incident F9999"),
        ("POST", f"{URL}/F9999/photos", None, "incident F9999"),
        ("POST", f"{ONE}/acts", {"act": "assign", "person": "nobody"}, "person nobody"),
        ("POST", "/api/v1/silences", {**SILENCE, "site": "nowhere"}, "site nowhere"),
        ("POST", "/api/v1/silences", {**SILENCE, "station": "oth-01"}, "station oth-01"),
        ("DELETE", "/api/v1/silences/7", None, "silence 7"),
    ],
)
async def test_what_does_not_exist(
    client: httpx.AsyncClient, method: str, path: str, body: object, name: str
) -> None:
    """404 that says what there is none of."""
    response = await client.request(method, path, json=body)
    assert problem(response, 404) == "no-such-thing"
    assert response.json()["detail"] == f"There is no {name}."


async def test_a_photo_is_the_body(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """Raw bytes, kept by the caller's name; what is no picture is refused."""
    jpeg = b"\xff\xd8\xff\xe0"
    response = await client.post(f"{ONE}/photos", content=jpeg)
    assert response.status_code == 201
    assert (response.json()["kind"], response.json()["by"]) == ("photo", "admin")
    assert backend.cases.photos == [jpeg]
    refused = await client.post(f"{ONE}/photos", content=b"GIF89a")
    assert problem(refused, 422) == "photo-refused"
    assert refused.json()["detail"] == "It is no JPEG, PNG or WebP."
    too_large = await client.post(f"{ONE}/photos", content=jpeg + bytes(10 * 1024 * 1024))
    assert too_large.json()["detail"] == "It has more than 10 MB."
    beyond = await client.post(f"{ONE}/photos", content=bytes(12 * 1024 * 1024))
    assert problem(beyond, 413) == "too-large"


async def test_a_strangers_photo_is_not_read(
    backend: FakeBackend, stranger: httpx.AsyncClient
) -> None:
    """Who has no credential cannot make us take in megabytes."""
    response = await stranger.post(f"{ONE}/photos", content=b"\xff\xd8" + bytes(1024))
    assert problem(response, 401) == "unauthenticated"
    assert backend.cases.photos == []


async def test_a_silence_begins_and_ends(client: httpx.AsyncClient) -> None:
    """By the caller, from now; ended early it is no longer active, but still on record."""
    made = await client.post("/api/v1/silences", json=SILENCE)
    assert made.status_code == 201
    silence = {
        "id": 1,
        "site": "caimarenjia",
        "station": "cmrj-01",
        "rule": "R41",
        "from_ms": NOW_MS,
        "until_ms": NOW_MS + 3_600_000,
        "reason": "4G modem is being exchanged",
        "by": "admin",
        "ended_ms": None,
    }
    assert made.json() == silence
    listed = await client.get("/api/v1/silences?active=true")
    assert listed.json() == {"items": [silence], "next": None}
    ended = {**silence, "ended_ms": NOW_MS}
    for _ in range(2):
        assert (await client.delete("/api/v1/silences/1")).json() == ended
    assert (await client.get("/api/v1/silences?active=true")).json()["items"] == []
    assert (await client.get("/api/v1/silences")).json()["items"] == [ended]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rule": "R02"}, (409, "never-silent", [])),
        ({"until": NOW_MS}, (422, "invalid", ["must be in the future"])),
        ({"until": NOW_MS + MAX_MS + 1}, (422, "invalid", ["must be at most 7 days ahead"])),
        ({"reason": ""}, (422, "reason-missing", ["must have at least 1 characters"])),
        ({"until": None}, (422, "invalid", [NOT_ALLOWED])),
        ({"rule": "X1"}, (422, "invalid", [r"must match ^R\d{2}$"])),
        ({"by": "boss"}, (422, "invalid", ["is not a field of this body"])),
    ],
)
async def test_what_is_no_silence(
    backend: FakeBackend,
    client: httpx.AsyncClient,
    changes: dict[str, Any],
    told: tuple[int, str, list[str]],
) -> None:
    """Of a danger, in the past, too long, without a reason; nothing is silenced."""
    response = await client.post("/api/v1/silences", json=SILENCE | changes)
    messages = [error["message"] for error in response.json().get("errors", [])]
    assert (response.status_code, problem(response, told[0]), messages) == told
    assert backend.cases.kept_silences == []


@pytest.mark.parametrize("path", [URL, ONE, "/api/v1/messages", "/api/v1/silences"])
async def test_the_database_is_away(
    backend: FakeBackend, client: httpx.AsyncClient, path: str
) -> None:
    """503, and nothing of the error."""
    backend.cases.down = True
    response = await client.get(path)
    assert problem(response, 503) == "unavailable"
    assert "secret" not in response.text
