"""What happened: findings in pages, the stations' own alarms, refused messages."""

import httpx

from alerts.alarms import AlarmKey, StationAlarm, StoredAlarm
from iot.quarantine import Refused
from tests.api.fake_backend import HOT, NOW_MS, FakeBackend


async def test_findings_come_in_pages_newest_first(client: httpx.AsyncClient) -> None:
    """Following ``next`` gives every finding once."""
    seen: list[int] = []
    address = "/api/v1/findings?limit=3"
    cursor: str | None = None
    while True:
        page = (await client.get(address + (f"&cursor={cursor}" if cursor else ""))).json()
        seen += [finding["id"] for finding in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_findings_are_filtered_by_site_and_station(client: httpx.AsyncClient) -> None:
    """A site stands for its stations; a station outside the site finds nothing."""
    for query, found in (
        ("site=caimarenjia", 7),
        ("site=elsewhere", 0),
        (f"site=caimarenjia&station={HOT}", 7),
        (f"site=elsewhere&station={HOT}", 0),
        ("station=cmrj-02", 0),
        ("open=false", 0),
        ("open=true", 7),
    ):
        items = (await client.get(f"/api/v1/findings?{query}")).json()["items"]
        assert len(items) == found, query


async def test_one_finding_with_its_steps(client: httpx.AsyncClient) -> None:
    """Reason, evidence and history together; an unknown number is 404."""
    body = (await client.get("/api/v1/findings/3")).json()
    assert (body["finding"]["id"], body["finding"]["open"]) == (3, True)
    assert body["history"] == [
        {
            "change": "raised",
            "at_ms": NOW_MS - 3,
            "recorded_ms": NOW_MS + 2,
            "severity": "critical",
            "reason": "socket_hot",
            "evidence": {"temp_c": 81.5, "threshold_c": 80.0},
        }
    ]
    assert (await client.get("/api/v1/findings/999")).status_code == 404


async def test_alarms_show_both_clocks(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """The station's clock may be wrong, so ours stands beside it."""
    alarm = StationAlarm(
        key=AlarmKey(HOT, "5d1c90ab", "a-17", active=True),
        seq=9,
        kind="smoke",
        socket=None,
        value=None,
        ts_ms=0,
        received_ms=NOW_MS,
    )
    backend.stored_alarms = [StoredAlarm(1, alarm, NOW_MS)]
    assert (await client.get("/api/v1/alarms")).json() == {
        "items": [
            {
                "id": "a-17",
                "boot": "5d1c90ab",
                "station": HOT,
                "socket": None,
                "kind": "smoke",
                "active": True,
                "value": None,
                "ts_ms": 0,
                "received_ms": NOW_MS,
            }
        ],
        "next": None,
    }
    assert (await client.get("/api/v1/alarms?kind=water")).json()["items"] == []


async def test_refused_messages_can_trick_no_reader(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """Control characters, wrong encodings and length are shown as what they are."""
    payload = b'\x1b[2J\xff<script>\r\n"' + b"x" * 1_000
    backend.quarantine = [
        Refused(
            received_ms=NOW_MS,
            topic="a\nb",
            reason="not_json",
            detail="bad \x07",
            payload=payload,
            retained=False,
            payload_size=200_000,
        )
    ]
    assert (await client.get("/api/v1/quarantine")).json() == {
        "items": [
            {
                "received_ms": NOW_MS,
                "topic": "a\\nb",
                "reason": "not_json",
                "detail": "bad \\x07",
                "retained": False,
                "size": 200_000,
                "preview": '\\x1b[2J\\xff<script>\\r\\n"' + "x" * 184,
            }
        ]
    }
    backend.quarantine *= 9
    assert len((await client.get("/api/v1/quarantine?limit=4")).json()["items"]) == 4
