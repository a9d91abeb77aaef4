"""Who may pass: the whole matrix of routes and methods, generated from the routes themselves."""

from typing import Any

import httpx
import pytest

from api.http.attempts import WINDOW_MS
from api.http.reference import document
from tests.api.fake_backend import BEARER, HOT, OTHER_TOKEN, FakeBackend, client_of

PROBES = {"/livez", "/readyz", "/metrics"}
KEYED = "/api/v1/callbacks/aliyun_sms/wrong"
OPEN = {*PROBES, KEYED}
"""Probes need no credential and call-backs have a key in their path; everything else does
unless reading is opened."""
UNAUTHENTICATED = {
    "type": "/problems/unauthenticated",
    "title": "A credential is needed",
    "status": 401,
    "detail": (
        "Send the header Authorization: Bearer <credential>. "
        "The credential was printed once, at the first start."
    ),
}


def operations() -> list[tuple[str, str]]:
    """Every method and path there is, with the parameters filled."""
    fill: dict[str, object] = {
        "site": "caimarenjia",
        "station": HOT,
        "socket": 5,
        "command": "c1",
        "finding": 1,
        "number": "F0012",
        "silence": 1,
    }
    fill |= {"service": "aliyun_sms", "key": "wrong"}
    fill |= {"period": "2026-11", "drill": 7}
    fill |= {"roster": "cmrj-officers", "person": "wu-fang", "override": 1, "day": "2026-10-01"}
    return [
        (method.upper(), path.format(**fill))
        for path, item in document()["paths"].items()
        for method in item
    ]


GUARDED = [(method, path) for method, path in operations() if path not in OPEN]
CHANGING = [(method, path) for method, path in GUARDED if method != "GET"]
CUT = {"action": "cut", "station": HOT, "socket": 4, "reason": "smell of burning"}


def refused(response: httpx.Response) -> dict[str, Any]:
    """The problem of a 401, checked for its headers, without its place."""
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="chargeward"'
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    del body["instance"]
    return body


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_nothing_is_read_or_changed_without_a_credential(
    backend: FakeBackend, stranger: httpx.AsyncClient, method: str, path: str
) -> None:
    """Each route and method answers 401 to a stranger, and does nothing."""
    response = await stranger.request(method, path, json=CUT if method != "GET" else None)
    assert refused(response) == UNAUTHENTICATED
    assert backend.sends == []


@pytest.mark.parametrize(("method", "path"), CHANGING)
async def test_open_reads_open_nothing_that_changes_state(
    backend: FakeBackend, method: str, path: str
) -> None:
    """Where reading is open, whatever changes state still needs a credential."""
    async with client_of(backend, open_reads=True) as client:
        client.headers["Accept-Language"] = "en"
        assert refused(await client.request(method, path, json=CUT)) == UNAUTHENTICATED
    assert backend.sends == []


async def test_open_reads_open_reading_but_not_the_quarantine(backend: FakeBackend) -> None:
    """Bodies of refused messages may hold anything, so they stay closed."""
    async with client_of(backend, open_reads=True) as client:
        assert (await client.get("/api/v1/stations")).status_code == 200
        assert (await client.get("/api/v1/quarantine")).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer cw_wrong",
        "Bearer ",
        "Bearer",
        "Basic YWRtaW46YWRtaW4=",
        "cw_kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
        "Bearer " + "k" * 5_000,
        "Bearer \xff\xfe",
        "bearer\tx",
    ],
)
@pytest.mark.parametrize("open_reads", [False, True])
async def test_a_wrong_credential_is_refused_even_where_none_is_needed(
    backend: FakeBackend, header: str, *, open_reads: bool
) -> None:
    """Who shows a credential means it: a wrong one never reads as "nobody"."""
    async with client_of(backend, open_reads=open_reads) as client:
        headers = {b"Authorization": header.encode("latin-1"), b"Accept-Language": b"en"}
        response = await client.get("/api/v1/sites", headers=headers)
    assert refused(response) == UNAUTHENTICATED


@pytest.mark.parametrize("path", sorted(PROBES))
async def test_probes_need_no_credential(stranger: httpx.AsyncClient, path: str) -> None:
    """Machines that restart or alert must not depend on a secret."""
    assert (await stranger.get(path)).status_code == 200


async def test_guessing_is_throttled_but_an_officer_still_cuts(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """Five wrong ones a minute and address; a credential known to be right passes all the same."""
    assert (await client.get("/api/v1/sites")).status_code == 200
    wrong = {"Authorization": "Bearer cw_guess"}
    for _ in range(5):
        assert (await client.get("/api/v1/sites", headers=wrong)).status_code == 401
    throttled = await client.get("/api/v1/sites", headers=wrong)
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "60")
    assert throttled.json() == {
        "type": "/problems/too-many-attempts",
        "title": "Too many wrong credentials",
        "status": 429,
        "detail": "Try again in 60 s.",
        "instance": "/api/v1/sites",
    }
    unknown = {"Authorization": f"Bearer {OTHER_TOKEN}"}
    assert (await client.get("/api/v1/sites", headers=unknown)).status_code == 429
    assert (await client.post("/api/v1/commands", json=CUT)).status_code == 202
    backend.utc_ms += WINDOW_MS
    assert (await client.get("/api/v1/sites", headers=unknown)).status_code == 200


async def test_nobody_passes_while_sql_cannot_tell(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """Fail closed: 503 for known and unknown alike, and nothing of the driver's words shows."""
    backend.sql_down = True
    for headers in (BEARER, {"Authorization": "Bearer cw_guess"}):
        response = await client.post("/api/v1/commands", json=CUT, headers=headers)
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert response.json() == {
            "type": "/problems/unavailable",
            "title": "Not available just now",
            "status": 503,
            "detail": (
                "The database does not answer. Alarms and cuts are not affected; try again in 5 s."
            ),
            "instance": "/api/v1/commands",
        }
    assert backend.sends == []


async def test_an_outage_is_not_counted_as_guessing(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """After SQL is back the caller is not throttled for what it tried meanwhile."""
    backend.sql_down = True
    for _ in range(9):
        await client.get("/api/v1/sites")
    backend.sql_down = False
    assert (await client.get("/api/v1/sites")).status_code == 200
