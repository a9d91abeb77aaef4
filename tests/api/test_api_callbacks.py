"""Call-backs of SMS providers over HTTP: the key, the answers, the sizes, the guessers."""

import httpx
import pytest
import structlog

from api.http.attempts import WINDOW_MS
from api.http.bodies import limit_of
from tests.api.fake_backend import CALLBACK_KEY, FakeBackend, client_of

PATH = f"/api/v1/callbacks/aliyun_sms/{CALLBACK_KEY}"
WRONG = "/api/v1/callbacks/aliyun_sms/" + "f" * 48
LIMIT = 1024 * 1024


@pytest.mark.parametrize(
    ("service", "answered"),
    [
        ("aliyun_sms", {"code": 0, "msg": "OK"}),
        ("aliyun_voice", {"code": 0, "msg": "OK"}),
        ("tencent_sms", {"result": 0, "errmsg": "OK"}),
    ],
)
async def test_each_provider_gets_the_acknowledgement_it_knows(
    backend: FakeBackend, stranger: httpx.AsyncClient, service: str, answered: dict[str, object]
) -> None:
    """Without a credential, whatever the content type; the body is passed on as it came."""
    url = f"/api/v1/callbacks/{service}/{CALLBACK_KEY}"
    headers = {"Content-Type": "text/plain;charset=UTF-8"}
    response = await stranger.post(url, content=b'[{"a": 1}]', headers=headers)
    assert (response.status_code, response.json()) == (200, answered)
    assert response.headers["content-type"] == "application/json"
    assert backend.callbacks.taken == [(service, b'[{"a": 1}]')]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (WRONG, 404),
        (f"/api/v1/callbacks/pigeon/{CALLBACK_KEY}", 404),
        (PATH[:-1], 404),
        (PATH + "0", 404),
        (f"/api/v1/callbacks/ALIYUN/{CALLBACK_KEY}", 422),
        (f"{PATH}%00", 422),
        (f"{PATH}é", 422),
        ("/api/v1/callbacks/aliyun_sms/", 404),
    ],
)
async def test_a_wrong_key_is_an_address_that_is_not_there(
    backend: FakeBackend, stranger: httpx.AsyncClient, path: str, status: int
) -> None:
    """Nothing is taken, and the answer says no more than that."""
    assert (await stranger.post(path, content=b"[]")).status_code == status
    assert backend.callbacks.taken == []


async def test_without_a_provider_every_key_is_wrong(backend: FakeBackend) -> None:
    """The route is there all the same, and answers 404."""
    backend.callbacks = None  # type: ignore[assignment]  # as create_app is called without
    async with client_of(backend) as client:
        assert (await client.post(PATH, content=b"[]")).status_code == 404


async def test_guessing_is_throttled_but_the_provider_still_gets_through(
    backend: FakeBackend, stranger: httpx.AsyncClient
) -> None:
    """Five wrong keys a minute and address; the right one passes before, between and after."""
    for _ in range(5):
        assert (await stranger.post(WRONG, content=b"[]")).status_code == 404
    throttled = await stranger.post(WRONG, content=b"[]")
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "60")
    assert (await stranger.post(PATH, content=b"[]")).status_code == 200
    backend.utc_ms += WINDOW_MS
    assert (await stranger.post(WRONG, content=b"[]")).status_code == 404
    assert backend.callbacks.taken == [("aliyun_sms", b"[]")]


async def test_rubbish_is_an_invalid_request(stranger: httpx.AsyncClient) -> None:
    """The provider's retries will not help, and the log of the provider shows why."""
    response = await stranger.post(PATH, content=b"[{")
    assert response.status_code == 422
    assert response.json() == {
        "type": "/problems/invalid",
        "title": "The request is not valid",
        "status": 422,
        "detail": "What is wrong stands in errors.",
        "instance": PATH,
        "errors": [{"field": "body", "message": "is not valid JSON"}],
    }


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [(PATH, LIMIT, 422), (PATH, LIMIT + 1, 413), (PATH, 10 * LIMIT, 413), (WRONG, LIMIT, 404)],
)
async def test_a_megabyte_is_read_and_no_more(
    stranger: httpx.AsyncClient, path: str, size: int, status: int
) -> None:
    """A thousand receipts pass; elsewhere the ordinary limit holds; the key comes first."""
    response = await stranger.post(path, content=b" " * size)
    assert response.status_code == status
    if status == 413:
        assert response.json()["detail"] == f"At most {LIMIT} bytes are read."
    assert limit_of("/api/v1/commands") == 16 * 1024


async def test_the_database_down_is_said_and_no_key_is_logged(
    backend: FakeBackend, stranger: httpx.AsyncClient
) -> None:
    """503: the provider comes again; the log names the route by its template."""
    backend.callbacks.sql_down = True
    with structlog.testing.capture_logs() as logs:
        response = await stranger.post(PATH, content=b"[]")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert "secret" not in response.text
    assert [entry["route"] for entry in logs] == ["/api/v1/callbacks/{service}/{key}"]
    assert CALLBACK_KEY not in str(logs)
