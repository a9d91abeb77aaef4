"""Sites, stations and sockets: what is shown is what the twins, books and detection hold."""

from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from api.http.board import Board
from devices.lockouts import Kind
from iot.store import RangeQuery
from rules.model import Severity
from rules.views import Reading
from tests.api.fake_backend import HOT, NOW_MS, FakeBackend, hot_finding, station_view

DAY_MS = 86_400_000
COOL: dict[str, Any] = {
    "relay": False,
    "current_a": 0.0,
    "power_w": 0.0,
    "temp_c": 25.0,
    "phase": "idle",
    "locked": False,
    "worst": None,
}


async def test_all_sixteen_stations_are_listed_live(client: httpx.AsyncClient) -> None:
    """The list alone tells which stations are online, how warm and how loaded they are."""
    body = (await client.get("/api/v1/stations")).json()
    assert [item["id"] for item in body["items"]] == [f"cmrj-{n:02}" for n in range(1, 17)]
    assert all(item["online"] for item in body["items"])
    assert (body["next"], body["now_ms"]) == (None, NOW_MS)
    charging = {**COOL, "relay": True, "current_a": 0.75, "power_w": 150.0, "temp_c": 31.5}
    sockets = [{"number": n, **COOL} for n in range(1, 13)]
    sockets[2] = {"number": 3, **charging, "phase": "taper"}
    sockets[4] = {"number": 5, **COOL, "temp_c": 81.5, "locked": True, "worst": "critical"}
    sockets[11] = {"number": 12, **COOL, "temp_c": None}
    assert body["items"][0] == {
        "id": HOT,
        "name": {"zh": "1幢北侧车棚", "en": "Shed north of Building 1"},
        "site": "caimarenjia",
        "area": "east",
        "position": {"x": 352.0, "y": 268.0},
        "online": True,
        "since_ms": NOW_MS - 60_000,
        "last_seen_ms": NOW_MS - 60_000,
        "ambient_c": 24.5,
        "enclosure_c": 29.0,
        "smoke": False,
        "open_findings": 1,
        "worst": {"severity": "critical", "family": "alarm", "rule": "R02", "socket": 5},
        "locked": False,
        "sockets": sockets,
    }


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("site=caimarenjia&limit=2", ["cmrj-01", "cmrj-02"]),
        ("site=elsewhere", []),
        ("area=nowhere", []),
        ("online=false", ["cmrj-03"]),
        ("online=true&limit=3", ["cmrj-01", "cmrj-02", "cmrj-04"]),
    ],
)
async def test_the_list_is_filtered(
    backend: FakeBackend, client: httpx.AsyncClient, query: str, ids: list[str]
) -> None:
    """By site, area and whether it is online."""
    status = backend.twins.get("cmrj-03")
    assert status is not None
    assert status.status is not None
    backend.twins.on_status("cmrj-03", replace(status.status, online=False))
    body = (await client.get(f"/api/v1/stations?{query}")).json()
    assert [item["id"] for item in body["items"]] == ids


async def test_pages_follow_each_other_without_gap_or_double(client: httpx.AsyncClient) -> None:
    """Following ``next`` visits every station exactly once."""
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get(f"/api/v1/stations?limit=5{cursor and '&cursor='}{cursor}")).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == [f"cmrj-{n:02}" for n in range(1, 17)]


async def test_a_silent_station_is_not_shown_online(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """What it last said counts only until it is found silent."""
    backend.detection.boxes["cmrj-02"] = station_view(stale=True, offline=True)
    items = (await client.get("/api/v1/stations?limit=2")).json()["items"]
    assert [item["online"] for item in items] == [True, False]
    site = (await client.get("/api/v1/sites/caimarenjia")).json()
    assert site["stations_online"] == 15


async def test_a_station_never_heard_of_is_listed_as_unknown(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """Registered but silent since ever: offline, and every value null rather than zero."""
    del backend.twins._twins["cmrj-02"]
    blind = Reading(None, "absent")
    backend.detection.boxes["cmrj-02"] = station_view(
        ambient_c=blind, enclosure_c=blind, smoke=None
    )
    item = (await client.get("/api/v1/stations?limit=2")).json()["items"][1]
    assert [item[name] for name in ("online", "last_seen_ms", "ambient_c", "smoke")] == [
        False,
        None,
        None,
        None,
    ]
    detail = (await client.get("/api/v1/stations/cmrj-02")).json()
    assert [detail[name] for name in ("reported", "desired", "limits_in_force")] == [None] * 3


async def test_a_rule_on_trial_alarms_nobody(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """A shadow finding is recorded on the station's page but counts nowhere in the list."""
    backend.detection.findings = [replace(hot_finding(), shadow=True)]
    item = (await client.get("/api/v1/stations?limit=1")).json()["items"][0]
    assert (item["open_findings"], item["worst"]) == (0, None)
    detail = (await client.get(f"/api/v1/stations/{HOT}")).json()
    assert [f["shadow"] for f in detail["findings"]] == [True]


async def test_the_worst_finding_leads(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """The worst is by severity, and among equals the oldest."""
    mild = replace(hot_finding(socket=1), severity=Severity.WARN, raised_ms=NOW_MS - 9_000)
    older = replace(hot_finding(socket=7), raised_ms=NOW_MS - 5_000)
    backend.detection.findings = [mild, hot_finding(), older]
    item = (await client.get("/api/v1/stations?limit=1")).json()["items"][0]
    assert item["worst"]["socket"] == 7
    worst = {s["number"]: s["worst"] for s in item["sockets"] if s["worst"] is not None}
    assert worst == {1: "warn", 5: "critical", 7: "critical"}


async def test_a_station_lock_locks_every_socket(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """A lockout of the station itself shows on it and on all of its sockets."""
    backend.locks.add(
        HOT, None, kind=Kind.LATCHED, rule="R07", reason="smoke", fire=True, now_ms=NOW_MS
    )
    item = (await client.get("/api/v1/stations?limit=1")).json()["items"][0]
    assert item["locked"] is True
    assert {socket["locked"] for socket in item["sockets"]} == {True}


async def test_an_unchanged_list_is_not_sent_again(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """304 while nothing but the clock moved; 200 with another tag when something did."""
    first = await client.get("/api/v1/stations")
    tag = first.headers["etag"]
    backend.utc_ms += 500
    same = await client.get("/api/v1/stations", headers={"If-None-Match": f'"other", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    backend.detection.findings.clear()
    changed = await client.get("/api/v1/stations", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize("path", ["/api/v1/sites", "/api/v1/sites/caimarenjia"])
async def test_sites_carry_a_tag_too(client: httpx.AsyncClient, path: str) -> None:
    """The plan is read often and changes rarely."""
    tag = (await client.get(path)).headers["etag"]
    assert (await client.get(path, headers={"If-None-Match": tag})).status_code == 304
    assert (await client.get(path, headers={"If-None-Match": 'W/"x"'})).status_code == 200
    assert (await client.get(path, headers={"If-None-Match": "*"})).status_code == 304


async def test_a_site_counts_what_it_has(client: httpx.AsyncClient) -> None:
    """16 stations, 192 sockets, one of them locked."""
    body = (await client.get("/api/v1/sites/caimarenjia")).json()
    counts = ("stations", "stations_online", "sockets", "sockets_locked", "open_findings", "worst")
    assert [body[name] for name in counts] == [16, 16, 192, 1, 1, "critical"]
    assert [area["id"] for area in body["areas"]] == ["east", "west", "south"]
    assert (await client.get("/api/v1/sites")).json()["items"] == [body]


async def test_one_station_whole(client: httpx.AsyncClient) -> None:
    """Twin, truth, findings and lockouts stand together."""
    body = (await client.get(f"/api/v1/stations/{HOT}")).json()
    assert body["reported"]["firmware"] == "1.4.2"
    assert (body["desired"], body["limits_in_force"]) == (None, None)
    assert (body["door"], body["water"], body["voltage_v"]) == (None, False, 229.0)
    assert body["truth"] == {"ambient_c": "valid", "enclosure_c": "valid"}
    assert [f["rule"] for f in body["findings"]] == ["R02"]
    assert [(lock["socket"], lock["rule"]) for lock in body["lockouts"]] == [(5, "R02")]
    assert body["sockets"] == (await client.get(f"/api/v1/stations/{HOT}/sockets")).json()["items"]


async def test_one_socket_whole(client: httpx.AsyncClient) -> None:
    """The hot one: value, truth, lockout, finding with its evidence."""
    assert (await client.get(f"/api/v1/stations/{HOT}/sockets/5")).json() == {
        "station": HOT,
        "number": 5,
        "relay": False,
        "current_a": 0.0,
        "power_w": 0.0,
        "temp_c": 81.5,
        "rise_k_60s": 1.25,
        "rise_k_120s": None,
        "truth": {"temp_c": "valid", "current_a": "valid", "power_w": "valid"},
        "session": None,
        "lockouts": [
            {
                "station": HOT,
                "socket": 5,
                "kind": "latched",
                "rule": "R02",
                "reason": "socket_hot",
                "fire": False,
                "since_ms": NOW_MS - 2_000,
                "approvals": [],
                "released_ms": None,
            }
        ],
        "findings": [
            {
                "id": None,
                "station": HOT,
                "socket": 5,
                "rule": "R02",
                "tier": "sustained",
                "family": "alarm",
                "severity": "critical",
                "reason": "socket_hot",
                "act": "cut_socket",
                "latched": True,
                "fire": False,
                "shadow": False,
                "open": True,
                "since_ms": NOW_MS - 32_000,
                "raised_ms": NOW_MS - 2_000,
                "updated_ms": NOW_MS - 2_000,
                "cleared_ms": None,
                "evidence": {"temp_c": 81.5, "threshold_c": 80.0},
            }
        ],
    }
    session = (await client.get(f"/api/v1/stations/{HOT}/sockets/3")).json()["session"]
    assert session == {
        "phase": "taper",
        "running": True,
        "since_ms": NOW_MS - 3_600_000,
        "elapsed_s": 3_600.0,
        "peak_w": 182.0,
        "min_since_peak_w": 149.0,
        "energy_wh": 120.5,
        "slope_w_per_h": -30.0,
    }


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/api/v1/sites/nowhere", "There is no site nowhere."),
        ("/api/v1/stations/nowhere", "There is no station nowhere."),
        ("/api/v1/stations/nowhere/sockets", "There is no station nowhere."),
        (f"/api/v1/stations/{HOT}/sockets/13", f"There is no socket {HOT}/13."),
        (
            f"/api/v1/stations/{HOT}/telemetry?channel=temp_c&socket=13",
            f"There is no socket {HOT}/13.",
        ),
    ],
)
async def test_what_is_not_there_is_named(
    client: httpx.AsyncClient, path: str, detail: str
) -> None:
    """404 says what was looked for."""
    response = await client.get(path)
    assert (response.status_code, response.json()["detail"]) == (404, detail)


async def test_telemetry_over_time(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """The stated range and points reach the store; its windows come back, NaN as null."""
    start = NOW_MS - DAY_MS
    response = await client.get(
        f"/api/v1/stations/{HOT}/telemetry",
        params={"channel": "temp_c", "socket": 5, "start": start, "end": NOW_MS, "points": 24},
    )
    assert backend.telemetry.asked == [RangeQuery(HOT, 5, "temp_c", start, NOW_MS, 24)]
    assert response.json() == {
        "station": HOT,
        "socket": 5,
        "channel": "temp_c",
        "start_ms": start,
        "end_ms": NOW_MS,
        "window_ms": 3_600_000,
        "at_ms": [start, start + 3_600_000],
        "min": [20.0, 21.0],
        "max": [22.0, None],
        "mean": [21.0, 21.5],
        "samples": [10, 9],
    }


async def test_telemetry_defaults_to_the_last_day(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """Without a range: 24 hours up to now in about 300 windows."""
    await client.get(f"/api/v1/stations/{HOT}/telemetry?channel=ambient_c")
    assert backend.telemetry.asked == [
        RangeQuery(HOT, None, "ambient_c", NOW_MS - DAY_MS, NOW_MS, 300)
    ]


async def test_every_change_shows_in_the_next_list(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """Rows are remembered only while nothing they are made from has changed."""

    async def first_row() -> dict[str, Any]:
        """The row of the hot station."""
        row: dict[str, Any] = (await client.get("/api/v1/stations?limit=1")).json()["items"][0]
        return row

    row = await first_row()
    assert await first_row() == row
    backend.detection.findings.clear()
    row = {**row, "open_findings": 0, "worst": None}
    row["sockets"][4]["worst"] = None
    assert await first_row() == row
    backend.locks.release(HOT, 5, by="a", reason="b", dangerous=False, now_ms=NOW_MS)
    row["sockets"][4]["locked"] = False
    assert await first_row() == row
    backend.detection.boxes[HOT] = station_view(smoke=True)
    assert await first_row() == {**row, "smoke": True}
    backend.twins.on_frame(
        HOT,
        boot=1,
        seq=8,
        event_ms=NOW_MS,
        received_ms=NOW_MS,
        station_values=np.zeros(7, np.float32),
        socket_values=np.zeros((5, 12), np.float32),
    )
    assert await first_row() == {**row, "smoke": True, "last_seen_ms": NOW_MS}
    twin = backend.twins.get(HOT)
    assert twin is not None
    assert twin.status is not None
    backend.twins.on_status(HOT, replace(twin.status, online=False))
    assert (await first_row())["online"] is False


async def test_a_row_that_stays_true_is_not_made_again(backend: FakeBackend) -> None:
    """That is what keeps the list within its budget while many are reading it."""
    board, station = Board(backend), backend.site.stations[0]
    row = board.row(backend.site, station)
    assert board.row(backend.site, station) is row
    backend.detection.findings.clear()
    assert board.row(backend.site, station) is not row
