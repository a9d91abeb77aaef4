"""Reports in every format and language, and drills by order."""

import httpx
import pytest

from api.http import report_examples as examples
from api.http.documented import plain
from api.http.media import preferred
from tests.api.fake_backend import NOW_MS, FakeBackend

REPORT = "/api/v1/reports/caimarenjia/2026-11-25"


@pytest.mark.parametrize(
    ("address", "accept", "media", "begins"),
    [
        (REPORT, None, "application/json", b'{"site":"caimarenjia"'),
        (REPORT, "text/html,application/xml;q=0.9,*/*;q=0.8", "text/html", b"<!doctype html>"),
        (REPORT, "text/csv", "text/csv", b"\xef\xbb\xbf"),
        (REPORT, "application/pdf", "application/pdf", b"%PDF-"),
        (f"{REPORT}.pdf", "text/html", "application/pdf", b"%PDF-"),
        (f"{REPORT}.csv", None, "text/csv", b"\xef\xbb\xbf"),
        (f"{REPORT}.html", None, "text/html", b"<!doctype html>"),
        (f"{REPORT}.json", "text/html", "application/json", b'{"site":"caimarenjia"'),
    ],
)
async def test_a_report_in_the_format_that_is_wanted(
    client: httpx.AsyncClient, address: str, accept: str | None, media: str, begins: bytes
) -> None:
    """The suffix says it, else ``Accept``; JSON when nobody does."""
    response = await client.get(address, headers={"Accept": accept} if accept else {})
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == media
    assert response.content.startswith(begins)
    assert "caimarenjia-2026-11-25." in response.headers["content-disposition"]


async def test_the_json_is_the_figures(client: httpx.AsyncClient) -> None:
    """Nothing added, nothing rounded."""
    assert (await client.get(REPORT)).json() == plain(examples.report)


@pytest.mark.parametrize(
    ("address", "title"),
    [
        (f"{REPORT}.html", "Caimarenjia: fire watch report"),
        (f"{REPORT}.html?lang=zh", "蔡马人家消防值守报告"),
    ],
)
async def test_the_page_speaks_the_readers_language(
    client: httpx.AsyncClient, address: str, title: str
) -> None:
    """The parameter says it, else ``Accept-Language``; the page may fetch and run nothing."""
    response = await client.get(address)
    assert f"<h1>{title}</h1>" in response.text
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/v1/reports/elsewhere/2026-11", 404),
        ("/api/v1/reports/caimarenjia/2026-02-30", 404),
        ("/api/v1/reports/caimarenjia/2026-13", 422),
        ("/api/v1/reports/caimarenjia/yesterday", 422),
        ("/api/v1/reports/caimarenjia/2026-11.exe", 422),
        ("/api/v1/reports/caimarenjia/2026-11?lang=fr", 422),
        ("/api/v1/reports/caimarenjia/2026-11?colour=red", 422),
    ],
)
async def test_what_cannot_be_reported_is_refused(
    client: httpx.AsyncClient, address: str, status: int
) -> None:
    """An unknown site or day does not exist, all else is not valid."""
    response = await client.get(address)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_drill_is_ordered_by_name(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """202 with its address, where it can be followed."""
    body = {"site": "caimarenjia", "area": "east", "note": "new officer"}
    response = await client.post("/api/v1/drills", json=body)
    assert (response.status_code, response.headers["location"]) == (202, "/api/v1/drills/8")
    [ordered] = backend.watchbook.ordered
    assert response.json() == plain(ordered)
    assert (ordered.site, ordered.area, ordered.by, ordered.planned_ms) == (
        "caimarenjia",
        "east",
        "admin",
        NOW_MS,
    )
    followed = (await client.get("/api/v1/drills/8")).json()
    assert followed == {"drill": response.json(), "begun_ms": None, "answers": []}
    listed = (await client.get("/api/v1/drills?site=caimarenjia")).json()
    assert [drill["id"] for drill in listed["items"]] == [8, 7]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"site": "elsewhere"}, 404),
        ({"site": "caimarenjia", "area": "moon"}, 404),
        ({}, 422),
        ({"site": "caimarenjia", "when": "now"}, 422),
        ({"site": "caimarenjia", "note": "a\nb"}, 422),
    ],
)
async def test_a_drill_of_what_does_not_exist_is_refused(
    backend: FakeBackend, client: httpx.AsyncClient, body: dict[str, str], status: int
) -> None:
    """Nobody is told."""
    assert (await client.post("/api/v1/drills", json=body)).status_code == status
    assert backend.watchbook.ordered == []


async def test_who_answered_a_drill(client: httpx.AsyncClient) -> None:
    """Everybody it told; an unknown drill is 404."""
    assert (await client.get("/api/v1/drills/7")).json() == plain(examples.drill_report)
    assert (await client.get("/api/v1/drills/99")).status_code == 404


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "a/a"),
        ("", "a/a"),
        ("*/*", "a/a"),
        ("b/b", "b/b"),
        ("a/a;q=0.5, b/b", "b/b"),
        ("b/*", "b/b"),
        ("*/*;q=0.1, b/b;q=0.2", "b/b"),
        ("a/a;q=0, */*", "b/b"),
        ("a/a;q=2, b/b;q=x, B/B;level=1;q=0.3", "b/b"),
        ("image/png", "a/a"),
    ],
)
def test_the_most_wanted_media_type(accept: str | None, chosen: str) -> None:
    """The most specific range counts; the first offered when nothing fits."""
    assert preferred(accept, ("a/a", "b/b")) == chosen
