"""The edge: headers on every answer, counts by template, and the last word on defects."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from tests.api.fake_backend import HOT, FakeBackend

HARDENED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}


@contextmanager
def logs() -> Iterator[list[structlog.typing.EventDict]]:
    """What is logged inside."""
    with capture_logs() as entries:
        yield entries


@pytest.mark.parametrize(
    "path", ["/livez", "/api/v1/stations", "/nothing", "/api/v1/sites?x=1", "/metrics"]
)
async def test_every_answer_is_hardened(client: httpx.AsyncClient, path: str) -> None:
    """Good and bad answers carry the security headers and say how they may be cached."""
    headers = (await client.get(path)).headers
    assert {name: headers.get(name) for name in HARDENED} == HARDENED
    assert headers["cache-control"] in {"no-store", "no-cache"}
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


async def test_other_origins_are_not_invited(client: httpx.AsyncClient) -> None:
    """CORS is off: a preflight is just a method that does not exist."""
    response = await client.options(
        "/api/v1/commands",
        headers={"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"},
    )
    assert response.status_code == 405
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_no_page_loads_scripts_from_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    """The interactive pages, which load from a CDN, do not exist."""
    assert (await client.get(path)).status_code == 404


async def test_a_defect_is_answered_generically_and_logged(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """500 with a problem and headers; the error stands in the log and nowhere else."""
    backend.site = None  # type: ignore[assignment]  # a defect no code expects
    with logs() as entries:
        response = await client.get("/api/v1/sites")
    assert response.status_code == 500
    assert response.json() == {
        "type": "/problems/internal",
        "title": "An error on our side",
        "status": 500,
        "detail": "It has been logged. Alarms and cuts are not affected.",
        "instance": "/api/v1/sites",
    }
    assert {name: response.headers.get(name) for name in HARDENED} == HARDENED
    assert [(e["event"], e["log_level"], e["route"]) for e in entries] == [
        ("request failed", "error", "/api/v1/sites")
    ]


async def test_counts_are_by_template_not_by_path(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """However many stations, paths and methods are tried, the series stay few."""
    await client.get(f"/api/v1/stations/{HOT}")
    await client.get("/api/v1/stations/cmrj-02")
    await client.get("/api/v1/stations/nowhere")
    for n in range(20):
        await client.get(f"/random/{n}")
        await client.request(f"X{n}", "/livez")
    text = backend.metrics.render(backend.verdict()).decode()
    counted = {
        tuple(sample.labels[k] for k in ("method", "route", "status")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "chargeward_http_requests_total"
    }
    assert counted == {
        ("GET", "/api/v1/stations/{station}", "200"): 2,
        ("GET", "/api/v1/stations/{station}", "404"): 1,
        ("GET", "unmatched", "404"): 20,
        ("other", "/livez", "405"): 20,
    }


async def test_readiness_lists_what_is_wrong(
    backend: FakeBackend, stranger: httpx.AsyncClient
) -> None:
    """503 with the reasons once a lane has been silent for more than 10 s; green before."""
    backend.utc_ms += 10_000
    assert (await stranger.get("/readyz")).json()["ready"] is True
    backend.health.processed("telemetry", backend.monotonic_ms())
    backend.health.sql(reachable=True, now_ms=backend.monotonic_ms())
    backend.utc_ms += 1
    response = await stranger.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "reasons": [{"trouble": "lane_silent", "subject": "safety", "red": True, "age_ms": 10_001}],
        "lanes": [{"lane": "safety", "age_ms": 10_001}, {"lane": "telemetry", "age_ms": 1}],
        "drain_frames": 0,
        "drain_age_ms": 0,
    }
    assert (await stranger.get("/livez")).json() == {"alive": True}
