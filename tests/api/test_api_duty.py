"""People and rosters over HTTP: who is on duty, what may be changed, and by whom."""

from typing import Any

import httpx
import pytest
from icalendar import Calendar

from alerts.oncall.errors import Fault
from alerts.oncall.errors import Kind as OnCallKind
from alerts.oncall.feeds import Feed
from alerts.oncall.peoplefile import packaged_people
from api.errors import Thing, Why
from api.http.duty_views import masked_email, masked_phone
from tests.api.fake_backend import BEARER, NOW_MS, OTHER_TOKEN, FakeBackend, client_of

SITE = "/api/v1/sites/caimarenjia"
HOUR = 3_600_000
ZHAO = {"id": "zhao-weiguo", "name": "赵卫国"}
SUN = {"id": "sun-jianhua", "name": "孙建华"}
DUTY_MONDAY_MS = 1_789_948_800_000  # 2026-09-21T08:00 in Shanghai; now is 22:13 that day


def errors(response: httpx.Response) -> list[dict[str, str]]:
    """What is wrong with which field."""
    assert response.status_code == 422
    found: list[dict[str, str]] = response.json()["errors"]
    return found


def document(**more: object) -> dict[str, Any]:
    """The packaged people as a body."""
    return {**packaged_people().model_dump(mode="json"), **more}


async def test_numbers_are_masked_unless_they_are_asked_for(client: httpx.AsyncClient) -> None:
    """Enough to recognise a number by; whole for whoever has a credential and asks."""
    masked = (await client.get("/api/v1/people?site=caimarenjia")).json()["items"]
    assert masked[0] == {
        "id": "zhao-weiguo",
        "name": "赵卫国",
        "phone": "+86138****0001",
        "email": None,
        "robot": None,
        "lang": "zh",
    }
    assert masked[5]["email"] == "w***@caimarenjia.example"
    whole = (await client.get("/api/v1/people?site=caimarenjia&contacts=true")).json()["items"]
    assert [p["phone"] for p in whole] == [p.phone for p in packaged_people().people]
    assert whole[5]["email"] == "wu-fang@caimarenjia.example"


async def test_open_reads_show_no_number(backend: FakeBackend) -> None:
    """Names and duty are open then; numbers and the document need a credential."""
    async with client_of(backend, open_reads=True) as client:
        listed = await client.get("/api/v1/people?site=caimarenjia")
        assert (listed.status_code, "+8613800000001" in listed.text) == (200, False)
        asked = await client.get("/api/v1/people?site=caimarenjia&contacts=true")
        assert asked.status_code == 401
        assert (await client.get(f"{SITE}/people")).status_code == 401
        assert (await client.get(f"{SITE}/duty")).status_code == 200
        assert (await client.get("/api/v1/people/wu-fang.ics")).status_code == 401


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        (None, None),
        ("+8613800000001", "+86138****0001"),
        ("+1234567", "+****4567"),
        ("+123456789012345", "+1234567****2345"),
    ],
)
def test_a_masked_number_cannot_be_called(phone: str | None, masked: str | None) -> None:
    """At least three digits are hidden, of the shortest number too."""
    assert masked_phone(phone) == masked


def test_a_masked_address_shows_its_domain() -> None:
    """One letter of the name."""
    assert (masked_email(None), masked_email("wu@x.example")) == (None, "w***@x.example")


async def test_who_is_on_duty_now_and_at_another_time(client: httpx.AsyncClient) -> None:
    """Each role, who would be told, and until when warnings wait: it is 22:13 in Hangzhou."""
    now = (await client.get(f"{SITE}/duty")).json()
    assert (now["site"], now["area"], now["at_ms"]) == ("caimarenjia", None, NOW_MS)
    assert now["quiet_until_ms"] == DUTY_MONDAY_MS + 23 * HOUR
    assert [[p["id"] for p in role["people"]] for role in now["roles"]] == [
        ["qian-liming"],
        ["zhou-xiaomin"],
        ["zheng-dashan"],
        ["wang-haitao"],
    ]
    qian = {"id": "qian-liming", "name": "钱立明"}
    assert now["roles"][0] == {
        "role": "officer",
        "people": [qian],
        "told": [qian],
        "told_role": "officer",
        "fell_back": False,
    }
    before = (await client.get(f"{SITE}/duty?area=east&at={DUTY_MONDAY_MS - 1}")).json()
    assert before["roles"][0]["people"] == [ZHAO]
    assert (before["area"], before["quiet_until_ms"]) == ("east", None)


async def test_rosters_shifts_and_gaps(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """The plan, what it comes to, and where it leaves a hole."""
    rosters = (await client.get("/api/v1/rosters?site=caimarenjia")).json()["items"]
    assert [r["id"] for r in rosters] == sorted(r.id for r in packaged_people().rosters)
    span = f"start={DUTY_MONDAY_MS}&end={DUTY_MONDAY_MS + 12 * HOUR}"
    office = await client.get(f"/api/v1/rosters/cmrj-manager/shifts?{span}")
    start, half_past, six = (
        DUTY_MONDAY_MS,
        DUTY_MONDAY_MS + HOUR // 2,
        DUTY_MONDAY_MS + 10 * HOUR,
    )
    end, wu = start + 12 * HOUR, {"id": "wu-fang", "name": "吴芳"}
    assert office.json() == {
        "roster": "cmrj-manager",
        "items": [
            {"person": None, "from_ms": start, "until_ms": half_past, "why": "not_covered"},
            {"person": wu, "from_ms": half_past, "until_ms": six, "why": "turn"},
            {"person": None, "from_ms": six, "until_ms": end, "why": "not_covered"},
        ],
    }
    assert (await client.get(f"{SITE}/gaps")).json() == {"site": "caimarenjia", "items": []}
    people = packaged_people()
    kept = tuple(r for r in people.rosters if r.id != "cmrj-night-manager")
    backend.duty.documents["caimarenjia"] = people.model_copy(update={"rosters": kept})
    assert (await client.get(f"{SITE}/gaps?{span}")).json()["items"] == [
        {"area": None, "role": "manager", "from_ms": start, "until_ms": half_past},
        {"area": None, "role": "manager", "from_ms": six, "until_ms": end},
    ]


async def test_an_override_is_made_by_the_caller_and_ended(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """It holds at once, is listed, and ends when somebody says so; ``by`` cannot be chosen."""
    path = "/api/v1/rosters/cmrj-officers/overrides"
    body = {"person": "sun-jianhua", "from_ms": NOW_MS, "until_ms": NOW_MS + HOUR}
    made = await client.post(path, json=body)
    assert made.status_code == 201
    stored = {"id": 1, "roster": "cmrj-officers", **body, "by": "admin", "created_ms": NOW_MS}
    assert made.json() == stored
    assert (await client.get(path)).json() == {"items": [stored]}
    assert (await client.get(f"{SITE}/duty")).json()["roles"][0]["people"] == [SUN]
    backend.utc_ms += 1_000
    other = {"Authorization": f"Bearer {OTHER_TOKEN}"}
    ended = await client.delete("/api/v1/overrides/1", headers=other)
    assert (ended.status_code, ended.json()) == (200, {**stored, "until_ms": NOW_MS + 1_000})
    assert backend.duty.by == [("end", "second")]
    assert (await client.get(path)).json() == {"items": []}
    chosen = await client.post(path, json={**body, "by": "boss"})
    assert errors(chosen) == [{"field": "by", "message": "is not a field of this body"}]


@pytest.mark.parametrize(
    ("more", "field", "message"),
    [
        ({"person": None}, "person", "has a value that is not allowed"),
        ({"person": "X"}, "person", "must match ^[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]$"),
        ({"from_ms": 5}, "from_ms", "must be at least 1704067200000"),
        ({"until_ms": 2**63}, "until_ms", "must be below 4070908800000"),
        ({"until_ms": NOW_MS}, "until_ms", "must be after from_ms"),
        ({"from_ms": "now"}, "from_ms", "has a value that is not allowed"),
    ],
)
async def test_overrides_that_cannot_be(
    backend: FakeBackend,
    client: httpx.AsyncClient,
    more: dict[str, object],
    field: str,
    message: str,
) -> None:
    """The field's name and the allowed range; nothing is made."""
    body = {"person": "sun-jianhua", "from_ms": NOW_MS, "until_ms": NOW_MS + HOUR, **more}
    response = await client.post("/api/v1/rosters/cmrj-officers/overrides", json=body)
    assert errors(response) == [{"field": field, "message": message}]
    assert backend.duty.made == {}


async def test_somebody_unknown_cannot_stand_in(client: httpx.AsyncClient) -> None:
    """The answer names those who can."""
    body = {"person": "nobody", "from_ms": NOW_MS, "until_ms": NOW_MS + HOUR}
    response = await client.post("/api/v1/rosters/cmrj-officers/overrides", json=body)
    known = ", ".join(p.id for p in packaged_people().people)
    message = f"has nobody, who is none of {known}"
    assert errors(response) == [{"field": "person", "message": message}]


async def test_the_people_document_goes_out_and_in(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """What GET gives PUT takes; unchanged it is 304 to whoever has it."""
    got = await client.get(f"{SITE}/people")
    assert got.json() == document()
    again = await client.get(f"{SITE}/people", headers={"If-None-Match": got.headers["etag"]})
    assert again.status_code == 304
    put = await client.put(f"{SITE}/people", json=got.json())
    assert put.json() == {"site": "caimarenjia", "added": [], "changed": [], "removed": []}
    changed = await client.put(f"{SITE}/people", json=document(quiet=[]))
    assert (changed.status_code, changed.json()["changed"]) == (200, ["all"])
    assert backend.duty.documents["caimarenjia"].quiet == ()
    assert backend.duty.by == [("people", "admin"), ("people", "admin")]


@pytest.mark.parametrize(
    ("more", "field", "message"),
    [
        ({"site": "other"}, "site", "must be caimarenjia, as in the address"),
        ({"people": []}, "people", "must have at least 1 entries"),
        (
            {
                "people": [
                    {"id": "an", "name": "An"},
                    {"id": "bo", "name": "Bo", "phone": "138"},
                ],
                "rosters": [],
            },
            "people[1].phone",
            r"must match ^\+[1-9][0-9]{6,14}$",
        ),
        (
            {"rosters": [{"id": "r1", "role": "boss", "people": ["wu-fang"]}]},
            "rosters[0].role",
            "must be one of 'officer', 'second', 'manager', 'supervisor'",
        ),
        (
            {"rosters": [{"id": "r1", "role": "second", "people": ["wu-fang"], "turn_days": 999}]},
            "rosters[0].turn_days",
            "must be at most 366",
        ),
        (
            {"rosters": [{"id": "r1", "role": "second", "people": ["wu-fang"], "sms": True}]},
            "rosters[0].sms",
            "is not a field of this body",
        ),
        (
            {"holidays": [{"day": "2026-02-30", "name": "x"}]},
            "holidays[0].day",
            "is not in the calendar",
        ),
        (
            {"rosters": [{"id": "r1", "role": "second", "people": ["wu-fang"], "areas": ["top"]}]},
            "rosters[0].areas",
            "has top, which is none of east, west, south",
        ),
        (
            {"quiet": [{"start": "08:00", "end": "08:00"}]},
            "quiet",
            "must leave part of the day in which warnings are sent",
        ),
    ],
)
async def test_documents_that_cannot_be(
    backend: FakeBackend,
    client: httpx.AsyncClient,
    more: dict[str, object],
    field: str,
    message: str,
) -> None:
    """Each field by its place, with what would be allowed; nothing is changed."""
    response = await client.put(f"{SITE}/people", json=document(**more))
    assert errors(response) == [{"field": field, "message": message}]
    assert backend.duty.documents["caimarenjia"] == packaged_people()


async def test_what_is_wrong_is_said_in_the_readers_language(client: httpx.AsyncClient) -> None:
    """Chinese is the default."""
    body = document(quiet=[{"start": "00:00", "end": "00:00"}])
    zh = {"Accept-Language": "zh"}
    response = await client.put(f"{SITE}/people", json=body, headers=zh)
    assert errors(response) == [{"field": "quiet", "message": "必须留出可以发送预警的时段"}]


async def test_holidays_one_by_one(backend: FakeBackend, client: httpx.AsyncClient) -> None:
    """Put, list, take away; by whom is recorded."""
    put = await client.put(f"{SITE}/holidays/2026-05-01", json={"name": "劳动节"})
    labour = {"day": "2026-05-01", "name": "劳动节"}
    assert (put.status_code, put.json()) == (200, labour)
    listed = (await client.get(f"{SITE}/holidays")).json()["items"]
    assert (listed[0], len(listed)) == (labour, 5)
    gone = await client.delete(f"{SITE}/holidays/2026-05-01")
    assert (gone.status_code, gone.json()["items"]) == (200, listed[1:])
    assert {by for _, by in backend.duty.by} == {"admin"}
    assert (await client.delete(f"{SITE}/holidays/2026-05-01")).status_code == 404
    wrong = await client.put(f"{SITE}/holidays/2026-02-30", json={"name": "x"})
    assert errors(wrong) == [{"field": "day", "message": "is not in the calendar"}]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/people?site=nowhere"),
        ("GET", "/api/v1/rosters?site=nowhere"),
        ("GET", "/api/v1/sites/nowhere/duty"),
        ("GET", f"{SITE}/duty?area=nowhere"),
        ("GET", "/api/v1/sites/nowhere/gaps"),
        ("GET", "/api/v1/sites/nowhere/holidays"),
        ("GET", "/api/v1/sites/nowhere/people"),
        ("GET", "/api/v1/rosters/nowhere/shifts"),
        ("GET", "/api/v1/rosters/nowhere/overrides"),
        ("GET", "/api/v1/rosters/nowhere.ics"),
        ("GET", "/api/v1/people/nowhere.ics"),
        ("POST", "/api/v1/rosters/nowhere/feed"),
        ("POST", "/api/v1/people/nowhere/feed"),
        ("DELETE", "/api/v1/overrides/99"),
        ("DELETE", "/api/v1/sites/nowhere/holidays/2026-10-01"),
    ],
)
async def test_what_does_not_exist(client: httpx.AsyncClient, method: str, path: str) -> None:
    """404 that says what of which name."""
    response = await client.request(method, path)
    assert response.status_code == 404
    assert response.json()["type"] == "/problems/no-such-thing"
    assert ("nowhere" in path) == ("nowhere" in response.json()["detail"])


async def test_spans_are_bounded(client: httpx.AsyncClient) -> None:
    """At most 92 days, forwards."""
    far = f"start={NOW_MS}&end={NOW_MS + 93 * 24 * HOUR}"
    for path in ("/api/v1/rosters/cmrj-officers/shifts", f"{SITE}/gaps"):
        assert errors(await client.get(f"{path}?{far}")) == [
            {"field": "start", "message": "must be at most 92 days before end"}
        ]
        assert errors(await client.get(f"{path}?start={NOW_MS}&end={NOW_MS}")) == [
            {"field": "start", "message": "must be before end"}
        ]


async def test_a_calendar_is_opened_by_its_own_key_alone(
    backend: FakeBackend, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    """The address that was made works without a credential; another's key, or none, does not."""
    made = await client.post("/api/v1/rosters/cmrj-officers/feed")
    path = made.json()["path"]
    key = backend.duty.keys[Feed.ROSTER, "cmrj-officers"]
    assert (made.status_code, path) == (201, f"/api/v1/rosters/cmrj-officers.ics?key={key}")
    feed = await stranger.get(path)
    assert (feed.status_code, feed.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert feed.headers["cache-control"] == "no-store"
    assert (
        len(list(Calendar.from_ical(feed.content).walk("VEVENT"))) == 14
    )  # ten weeks, one of them split by three holidays
    for other in ("/api/v1/rosters/cmrj-second.ics", "/api/v1/people/cmrj-officers.ics"):
        assert (await stranger.get(f"{other}?key={key}")).status_code == 401
    assert (await stranger.get("/api/v1/rosters/cmrj-officers.ics")).status_code == 401
    assert (await stranger.get(f"{path}&x=1")).status_code == 422
    await client.post("/api/v1/rosters/cmrj-officers/feed")
    assert (await stranger.get(path)).status_code == 401


async def test_a_persons_calendar_is_in_that_persons_language(
    backend: FakeBackend, client: httpx.AsyncClient
) -> None:
    """Whatever the reader's; a credential opens it too."""
    feed = await client.get("/api/v1/people/sun-jianhua.ics")
    [first, *_] = Calendar.from_ical(feed.content).walk("VEVENT")
    assert str(first["SUMMARY"]) == "消防值班员：孙建华"
    roster = await client.get("/api/v1/rosters/cmrj-second.ics")
    [first, *_] = Calendar.from_ical(roster.content).walk("VEVENT")
    assert str(first["SUMMARY"]).startswith("Second officer: ")
    assert backend.duty.keys == {}


async def test_guessing_a_key_is_throttled(
    backend: FakeBackend, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    """Five guesses a minute; a calendar that was right before is still let in."""
    path = (await client.post("/api/v1/people/wu-fang/feed")).json()["path"]
    assert (await stranger.get(path)).status_code == 200
    guesses = [
        (await stranger.get(f"/api/v1/people/wu-fang.ics?key=cwf_{n}")).status_code
        for n in range(7)
    ]
    assert guesses == [401] * 5 + [429] * 2
    assert (await stranger.get(path)).status_code == 200
    assert backend.duty.by == [("feed", "admin")]


async def test_a_database_that_is_down_is_said_so(
    backend: FakeBackend, stranger: httpx.AsyncClient
) -> None:
    """503 for a key that cannot be checked: never let in."""
    backend.sql_down = True
    response = await stranger.get("/api/v1/people/wu-fang.ics?key=cwf_x")
    assert response.status_code == 503
    assert (await stranger.get(f"{SITE}/duty", headers=BEARER)).status_code == 503


def test_every_fault_has_a_text_and_every_kind_a_noun() -> None:
    """What the people's room can say is in the API's words, too."""
    assert {fault.value for fault in Fault} <= {why.value for why in Why}
    assert {kind.value for kind in OnCallKind} <= {thing.value for thing in Thing}
