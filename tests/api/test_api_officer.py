"""The officer's pages: what a link opens, what is done there, and what is refused."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape

import httpx
import pytest

from alerts.incidents.links import LINK_MS, SESSION_MS
from alerts.incidents.model import Act, Cause, Doing, State
from api.http import lines
from api.http.app import create_app
from api.http.attempts import WINDOW_MS
from api.http.moments import Mark
from api.texts import LANGUAGES, texts
from devices.command_model import CommandRecord, Origin
from devices.command_model import State as OrderState
from devices.orders import Action
from rules.views import Reading
from tests.api.fake_backend import NOW_MS, FakeBackend, client_of, station_view
from tests.api.fake_cases import (
    NUMBER,
    OTHER_TOKEN,
    PHONE,
    TOKEN,
    FakeLink,
    fire,
)
from tests.api.test_api_texts import placeholders

LINK = f"/a/{TOKEN}"
INCIDENT = f"/incident/{NUMBER}"
JPEG = b"\xff\xd8\xff\xe0 a photo"


@pytest.fixture
async def browser(backend: FakeBackend) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without any cookie, in English."""
    async with client_of(backend) as client:
        client.headers["Accept-Language"] = "en"
        yield client


def said(response: httpx.Response) -> str:
    """The words of a page, without its marks-up."""
    text = re.sub(r"<style>.*?</style>", "", response.text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def proof(response: httpx.Response) -> str:
    """What the page's forms carry."""
    found = re.search(r'name="proof" value="([0-9a-f]{32})"', response.text)
    assert found is not None
    return found[1]


async def enter(browser: httpx.AsyncClient, token: str = TOKEN) -> str:
    """Open the link, press its button; the proof of the session's forms."""
    await browser.get(f"/a/{token}")
    page = await browser.post(f"/a/{token}", follow_redirects=True)
    assert page.status_code == 200
    return proof(page)


async def press(browser: httpx.AsyncClient, act: str, proof: str, **fields: str) -> httpx.Response:
    """Send one of the forms."""
    return await browser.post(f"{INCIDENT}/{act}", data={"proof": proof, **fields})


def moved(response: httpx.Response) -> str:
    """Where a redirect leads."""
    assert response.status_code == 303, response.text
    return response.headers["location"]


async def test_a_link_shows_the_incident_and_changes_nothing(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """What, where, since when, what the system did, deadlines: in the officer's language."""
    [_, _, page] = [await browser.get(LINK) for _ in range(3)]
    assert page.status_code == 200
    text = said(page)
    for words in (
        "火警",
        NUMBER,
        "待确认",
        "烟雾报警",
        "蔡马人家 · 东区",
        "1幢北侧车棚",
        "充电站 cmrj-01",
        "22:13:05 起（15 秒前）",
        "系统没有断电",
        "22:14:00 前（还有 40 秒）",
        "5 号插座：插座温度 82.4 ℃",
        "王强 · 短信 已送达",
        "收到",
    ):
        assert words in text
    assert (backend.cases.done, backend.cases.links[TOKEN].used) == ([], False)


async def test_pages_are_small_and_load_nothing(browser: httpx.AsyncClient) -> None:
    """Less than 20 KB, no script, nothing from anywhere, never kept, no referrer."""
    page = await browser.get(LINK)
    assert len(page.content) < 20_000
    assert "<script" not in page.text
    assert not re.search(r'(src|href)="(?!/|\?|tel:)', page.text)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-robots-tag"] == "noindex"


async def test_a_busy_incident_is_a_small_page_too(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """However much has happened: the newest of it, and all buttons."""
    case = backend.cases.by_number[NUMBER]
    event, sent = case.events[0], case.messages[0]
    busy = replace(
        case,
        findings=case.findings * 40,
        events=tuple(replace(event, id=n, detail={"note": "烟" * 200}) for n in range(300)),
        messages=tuple(
            replace(sent, message=replace(sent.message, person=f"officer-{n}")) for n in range(99)
        ),
    )
    backend.cases.put(busy)
    backend.stored_commands = {
        str(n): order(OrderState.FAILED, f"cmrj-0{n % 9}", id=str(n), socket=n) for n in range(99)
    }
    assert len((await browser.get(LINK)).content) < 20_000
    page = await browser.post(LINK, follow_redirects=True)
    assert len(page.content) < 20_000
    assert "整个区域断电" in said(page)


async def test_one_press_acknowledges_and_opens_the_incident(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """The link is used, the incident acknowledged by its person, the cookie for it alone."""
    await browser.get(LINK)
    response = await browser.post(LINK)
    assert moved(response) == f"{INCIDENT}?done=acknowledged"
    cookie = response.headers["set-cookie"]
    assert re.fullmatch(
        r"cw_session=[\w-]{43}; HttpOnly; Max-Age=3600; Path=/incident/F0012; SameSite=strict",
        cookie,
    )
    assert backend.cases.done == [(Doing(Act.ACKNOWLEDGE, "wang", NOW_MS), "link")]
    page = await browser.get(INCIDENT)
    assert "已确认" in said(page)
    assert "我已到场" in said(page)


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_cookies_stay_on_https(backend: FakeBackend, scheme: str, *, secure: bool) -> None:
    """A cookie that came by HTTPS goes back by HTTPS alone."""
    transport = httpx.ASGITransport(create_app(backend))
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://cw.test") as client:
        response = await client.get(LINK)
    cookies = response.headers.get_list("set-cookie")
    assert [("Secure" in cookie) for cookie in cookies] == [secure, secure]


async def test_cookies_stay_on_https_behind_a_proxy(backend: FakeBackend) -> None:
    """Where a proxy hides it, the setting says that it is HTTPS."""
    transport = httpx.ASGITransport(create_app(backend, secure_cookies=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://cw.test") as client:
        response = await client.get(LINK)
    assert all("Secure" in cookie for cookie in response.headers.get_list("set-cookie"))


async def test_pressing_twice_is_harmless(backend: FakeBackend, browser: httpx.AsyncClient) -> None:
    """The second press, though the link is used, leads where the first did."""
    await browser.get(LINK)
    first, second = await browser.post(LINK), await browser.post(LINK)
    assert moved(first) == moved(second) == f"{INCIDENT}?done=acknowledged"
    assert backend.cases.by_number[NUMBER].incident.state is State.ACKNOWLEDGED


async def test_an_answer_that_was_lost_can_be_asked_for_again(
    browser: httpx.AsyncClient,
) -> None:
    """The network broke after the press: the same message opened again leads in."""
    await browser.get(LINK)
    await browser.post(LINK)
    browser.cookies.delete("cw_session", path=INCIDENT)
    assert (await browser.get(INCIDENT)).status_code == 403
    assert moved(await browser.get(LINK)) == INCIDENT
    assert (await browser.get(INCIDENT)).status_code == 200


async def test_without_cookies_it_still_acknowledges(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """A browser that keeps nothing: the one thing that matters is done."""
    assert (await browser.post(LINK)).status_code == 303
    assert backend.cases.by_number[NUMBER].incident.state is State.ACKNOWLEDGED


async def test_another_browser_is_told_that_the_link_was_used(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """It gets no session, but may have a new link sent to the phone, not to itself."""
    await enter(browser)
    async with client_of(backend) as other:
        for ask in (other.get, other.post):
            page = await ask(LINK)
            assert page.status_code == 410
            assert "链接已使用过" in said(page)
            assert "cw_session" not in page.headers.get("set-cookie", "")
        assert moved(await other.post(f"{LINK}/again")) == f"{LINK}/again"
        assert "新链接已发到您的手机" in said(await other.get(f"{LINK}/again"))
        assert moved(await other.post(f"{LINK}/again")) == f"{LINK}/again?wait=42"
        later = await other.get(f"{LINK}/again?wait=42")
        assert (later.status_code, later.headers["retry-after"]) == (429, "42")
    assert backend.cases.sent_to == [PHONE]


async def test_an_expired_link_offers_a_new_one(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """Told apart only to whoever has the link; in the person's language."""
    backend.cases.links[OTHER_TOKEN] = FakeLink(NUMBER, "li", PHONE, NOW_MS - LINK_MS)
    page = await browser.get(f"/a/{OTHER_TOKEN}")
    assert page.status_code == 410
    assert "This link has expired" in said(page)
    assert f'action="/a/{OTHER_TOKEN}/again"' in page.text
    assert (await browser.post(f"/a/{OTHER_TOKEN}")).status_code == 410
    assert backend.cases.done == []


@pytest.mark.parametrize("token", ["0000000000", "x", "%00", "..%2f..", "a" * 5_000, "火"])
async def test_all_that_is_no_link_gets_one_answer(browser: httpx.AsyncClient, token: str) -> None:
    """404 and the same words, whatever it is; no way to a new link."""
    page = await browser.get(f"/a/{token}")
    assert page.status_code == 404
    if not page.headers["content-type"].startswith("application/problem+json"):
        assert "This link does not work" in said(page)
        assert "<form" not in page.text


async def test_guessing_is_slowed_down(backend: FakeBackend, browser: httpx.AsyncClient) -> None:
    """Five wrong ones a minute and address; then nothing is looked at until it is over."""
    for n in range(5):
        assert (await browser.get(f"/a/000000000{n}")).status_code == 404
    for ask, path in ((browser.get, LINK), (browser.post, LINK), (browser.post, f"{LINK}/again")):
        page = await ask(path)
        assert (page.status_code, page.headers["retry-after"]) == (429, "60")
        assert "try again in 60 s" in said(page)
    assert (backend.cases.done, backend.cases.sent_to) == ([], [])
    backend.utc_ms += WINDOW_MS
    assert (await browser.get(LINK)).status_code == 200


async def test_a_good_link_is_looked_at_beside_a_guesser(browser: httpx.AsyncClient) -> None:
    """An officer who has opened it behind the same address is not shut out."""
    await browser.get(LINK)
    for n in range(9):
        await browser.get(f"/a/000000000{n}")
    assert (await browser.post(LINK)).status_code == 303


async def test_the_officer_goes_through_everything(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """Arrive, report with cause and note, photo, new link: each a redirect, each once more."""
    form = await enter(browser)
    backend.utc_ms += 60_000
    assert moved(await press(browser, "arrive", form)) == f"{INCIDENT}?done=arrived"
    assert moved(await press(browser, "arrive", form)) == f"{INCIDENT}?done=arrived"
    note = "烧焦味,\x00已通风"
    report = await press(browser, "report", form, cause="overheating", note=note)
    assert moved(report) == f"{INCIDENT}?done=reported"
    photo = await browser.post(
        f"{INCIDENT}/photo", data={"proof": form}, files={"photo": ("p.jpg", JPEG, "image/jpeg")}
    )
    assert moved(photo) == f"{INCIDENT}?done=photo"
    assert moved(await press(browser, "link", form)) == f"{INCIDENT}?done=link_sent"
    later = moved(await press(browser, "link", form))
    assert later == f"{INCIDENT}?done=link_later&wait=42"
    assert "请 42 秒后再试" in said(await browser.get(later))
    assert [(doing.act, doing.note, doing.cause, via) for doing, via in backend.cases.done] == [
        (Act.ACKNOWLEDGE, "", None, "link"),
        (Act.ARRIVE, "", None, "link"),
        (Act.ARRIVE, "", None, "link"),
        (Act.REPORT, "烧焦味, 已通风", Cause.OVERHEATING, "link"),
    ]
    assert backend.cases.photos == [JPEG]
    page = said(await browser.get(INCIDENT))
    assert "上报：过热：烧焦味, 已通风" in page
    assert page.count("王强 · 到场") == 1
    assert "修改上报" in page


async def test_a_report_needs_a_cause(backend: FakeBackend, browser: httpx.AsyncClient) -> None:
    """Without one the page comes again and has kept the note, safely."""
    form = await enter(browser)
    note = '<b>"&'
    page = await press(browser, "report", form, note=note)
    assert page.status_code == 422
    assert "请选择原因" in said(page)
    assert "&lt;b&gt;&#34;&amp;</textarea>" in page.text
    assert (await press(browser, "report", form, cause="arson")).status_code == 422
    assert [doing.act for doing, _ in backend.cases.done] == [Act.ACKNOWLEDGE]


@pytest.mark.parametrize(
    ("body", "told"),
    [(b"GIF89a", "photo_no_image"), (b"\xff\xd8" + bytes(10 * 1024 * 1024), "photo_too_large")],
)
async def test_a_photo_that_cannot_be_kept_is_said_so(
    backend: FakeBackend, browser: httpx.AsyncClient, body: bytes, told: str
) -> None:
    """It takes nothing else with it."""
    form = await enter(browser)
    files = {"photo": ("p", body, "image/jpeg")}
    response = await browser.post(f"{INCIDENT}/photo", data={"proof": form}, files=files)
    assert moved(response) == f"{INCIDENT}?done={told}"
    assert "照片没有保存" in said(await browser.get(moved(response)))
    assert backend.cases.photos == []


async def test_a_form_without_a_photo(browser: httpx.AsyncClient) -> None:
    """A text where the picture should be."""
    form = await enter(browser)
    told = moved(await press(browser, "photo", form, photo="none"))
    assert told == f"{INCIDENT}?done=photo_no_image"


async def test_a_body_beyond_every_photo_is_refused(browser: httpx.AsyncClient) -> None:
    """More than eleven megabytes are not read."""
    form = await enter(browser)
    files = {"photo": ("p", bytes(12 * 1024 * 1024), "image/jpeg")}
    response = await browser.post(f"{INCIDENT}/photo", data={"proof": form}, files=files)
    assert response.status_code == 413
    assert "照片太大" in said(response)
    assert f'href="{INCIDENT}"' in response.text


async def test_cutting_the_station(backend: FakeBackend, browser: httpx.AsyncClient) -> None:
    """One order, by the officer, with the incident's number; it is on the timeline."""
    form = await enter(browser)
    assert moved(await press(browser, "cut", form)) == f"{INCIDENT}?done=cut_station"
    [order] = backend.stored_commands.values()
    assert (order.station, order.action, order.by, order.reason) == (
        "cmrj-01",
        Action.CUT_STATION,
        "wang",
        "F0012: ordered on the phone page",
    )
    page = await browser.get(INCIDENT)
    assert "cmrj-01 整站已下令断电，尚未测得结果（王强 下令）" in said(page)
    assert '<meta http-equiv="refresh" content="5;url=/incident/F0012">' in page.text
    assert "从手机页面下令断电：cmrj-01" in said(page)


async def test_cutting_the_zone_names_every_station_first(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """The page before it lists them all; pressing twice orders nothing twice."""
    form = await enter(browser)
    asked = await browser.get(f"{INCIDENT}/zone")
    east = [station for station in backend.site.stations if station.area == "east"]
    assert len(east) == 6
    for station in east:
        assert f"{station.name.zh} {station.id}" in said(asked)
    assert backend.stored_commands == {}
    assert moved(await press(browser, "zone", form)) == f"{INCIDENT}?done=cut_zone"
    await press(browser, "zone", form)
    ordered = [(order.station, order.action) for order in backend.stored_commands.values()]
    assert sorted(ordered) == [(station.id, Action.CUT_STATION) for station in east]
    assert "其他 5 个站：0 个已实测断电，5 个待测，0 个失败" in said(await browser.get(INCIDENT))


async def test_an_incident_of_the_whole_site_has_no_station_to_cut(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """Its page says so; the addresses answer and order nothing."""
    backend.cases.change(station=None, area=None)
    backend.cases.put(replace(backend.cases.by_number[NUMBER], findings=()))
    form = await enter(browser)
    page = said(await browser.get(INCIDENT))
    assert "整个小区" in page
    assert "断电并锁定" not in page
    assert "本站全部断电" not in page
    assert (await browser.get(f"{INCIDENT}/zone")).status_code == 404
    assert moved(await press(browser, "cut", form)) == f"{INCIDENT}?done=cut_station"
    await press(browser, "zone", form)
    assert backend.stored_commands == {}


@pytest.mark.parametrize("act", ["acknowledge", "arrive", "cut", "zone", "report", "photo", "link"])
async def test_every_form_must_be_of_its_session(
    backend: FakeBackend, browser: httpx.AsyncClient, act: str
) -> None:
    """No cookie, no proof, another session's proof: nothing is done."""
    refused = await press(browser, act, "0" * 32)
    assert refused.status_code == 403
    await enter(browser)
    for wrong in ("", "0" * 32, "火"):
        page = await press(browser, act, wrong, cause="test")
        assert page.status_code == 403
        assert "什么都没有改动" in said(page)
    assert [doing.act for doing, _ in backend.cases.done] == [Act.ACKNOWLEDGE]
    assert (backend.stored_commands, backend.cases.sent_to) == ({}, [])


async def test_two_incidents_have_two_sessions(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """The second link takes nothing from the first, and no form fits the other."""
    other = fire(NOW_MS)
    incident = replace(other.incident, id=13, number="F0013", station="cmrj-02")
    backend.cases.put(replace(other, incident=incident, findings=()))
    backend.cases.links[OTHER_TOKEN] = FakeLink("F0013", "wang", PHONE, NOW_MS)
    first = await enter(browser)
    second = await enter(browser, OTHER_TOKEN)
    assert first != second
    assert moved(await press(browser, "arrive", first)) == f"{INCIDENT}?done=arrived"
    assert (await press(browser, "arrive", second)).status_code == 403
    assert backend.cases.by_number[NUMBER].incident.state is State.ON_SITE
    assert backend.cases.by_number["F0013"].incident.state is State.ACKNOWLEDGED


async def test_a_session_ends(backend: FakeBackend, browser: httpx.AsyncClient) -> None:
    """After an hour the page says what to do; so does the message opened again."""
    form = await enter(browser)
    backend.utc_ms += SESSION_MS
    for page in (await browser.get(INCIDENT), await press(browser, "arrive", form)):
        assert page.status_code == 403
        assert "页面已失效" in said(page)
    again = await browser.post(LINK)
    assert again.status_code == 410
    assert "页面已失效" in said(again)


@pytest.mark.parametrize("path", ["", "/zone", "/report"])
@pytest.mark.parametrize("merged", [None, 77])
async def test_a_closed_incident_is_a_clear_page(
    backend: FakeBackend, browser: httpx.AsyncClient, path: str, merged: int | None
) -> None:
    """Nothing more is shown of it, nothing can be done, and nothing is an error of ours."""
    form = await enter(browser)
    backend.cases.change(state=State.CLOSED, merged_into=merged)
    page = await browser.get(f"{INCIDENT}{path}")
    assert page.status_code == 410
    assert "F0012 已关闭" in said(page)
    assert ("并入" in said(page)) is (merged is not None)
    assert "cmrj-01" not in page.text
    for act in ("acknowledge", "arrive", "cut", "zone", "report", "photo", "link"):
        assert (await press(browser, act, form, cause="test")).status_code == 410
    assert backend.stored_commands == {}


async def test_a_link_to_a_closed_incident(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """Looking and pressing both say that it is over."""
    backend.cases.change(state=State.CLOSED)
    assert (await browser.get(LINK)).status_code == 410
    page = await browser.post(LINK)
    assert page.status_code == 410
    assert "F0012 已关闭" in said(page)


async def test_an_incident_that_closes_while_it_is_reported(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """Two officers at once: the later one is told, whatever the page still showed."""
    form = await enter(browser)
    before = backend.cases.session

    async def open_still(cookie: str) -> object:
        found = await before(cookie)
        backend.cases.change(state=State.CLOSED)
        return found

    backend.cases.session = open_still  # type: ignore[method-assign,assignment]  # the race itself
    page = await press(browser, "arrive", form)
    assert page.status_code == 409
    assert "已关闭" in said(page)


async def test_the_language_can_be_switched(browser: httpx.AsyncClient) -> None:
    """The link at the top switches, and the choice stays for the pages that follow."""
    assert 'lang="zh"' in (await browser.get(LINK)).text
    assert 'href="?lang=en"' in (await browser.get(LINK)).text
    page = await browser.get(f"{LINK}?lang=en")
    assert page.headers["content-language"] == "en"
    assert "Smoke detector active" in said(page)
    page = await browser.post(LINK, follow_redirects=True)
    assert "Everybody knows that you are on it." in said(page)


async def test_the_database_is_away(backend: FakeBackend, browser: httpx.AsyncClient) -> None:
    """503 as a page that says to call 119; nothing of the error is shown."""
    backend.cases.down = True
    for page in (await browser.get(LINK), await browser.post(LINK)):
        assert page.status_code == 503
        assert page.headers["retry-after"] == "5"
        assert "call 119" in said(page)
        assert "secret" not in page.text


@pytest.mark.parametrize("number", ["X", "F-1", "f0012", "F" + "9" * 400])
async def test_no_such_address(browser: httpx.AsyncClient, number: str) -> None:
    """What can be no incident is a page too."""
    assert (await browser.get(f"/incident/{number}")).status_code == 404


async def test_a_notice_says_only_what_we_said(browser: httpx.AsyncClient) -> None:
    """Nobody can make a page say something by its address."""
    await enter(browser)
    for query in ("done=<b>", "done=link_later&wait=<b>", "done=../x", "wait=9"):
        page = await browser.get(f"{INCIDENT}?{query}")
        assert page.status_code == 200
        assert "<b>&lt;" not in page.text
        assert "&lt;b&gt;" not in page.text


def order(state: OrderState, station: str = "cmrj-01", **more: object) -> CommandRecord:
    """A station cut that has come this far."""
    record = CommandRecord(
        id=f"{station}{state}",
        station=station,
        socket=None,
        action=Action.CUT_STATION,
        reason="",
        rule="R07",
        origin=Origin.RULE,
        by=None,
        lock=True,
        state=state,
        issued_ms=NOW_MS - 9_000,
        expires_ms=NOW_MS,
    )
    return replace(record, **more)  # type: ignore[arg-type]  # names are checked by replace


@pytest.mark.parametrize(
    ("record", "mark", "words"),
    [
        (order(OrderState.SENT), Mark.WARN, "尚未测得结果"),
        (order(OrderState.ACKNOWLEDGED), Mark.WARN, "尚未测得结果"),
        (order(OrderState.PROVEN, proof_w=0.25), Mark.GOOD, "已断电：实测 0.2 W"),
        (order(OrderState.FAILED), Mark.ALARM, "断电失败！请立即拉总闸"),
        (order(OrderState.EXPIRED), Mark.ALARM, "断电失败！请立即拉总闸"),
        (order(OrderState.REFUSED), Mark.ALARM, "断电失败！请立即拉总闸"),
    ],
)
async def test_only_a_measurement_is_a_success(
    backend: FakeBackend,
    browser: httpx.AsyncClient,
    record: CommandRecord,
    mark: Mark,
    words: str,
) -> None:
    """A reply is none, and an order that ended otherwise has failed: colour, shape and word."""
    backend.stored_commands = {record.id: record}
    page = await browser.get(LINK)
    assert re.search(f'class="m {mark}">[^<]*{words}', page.text)


async def test_a_silent_station_is_never_shown_as_cool(
    backend: FakeBackend, browser: httpx.AsyncClient
) -> None:
    """Its last values are a warning; a sensor that says nothing is one too."""
    case = backend.cases.by_number[NUMBER]
    backend.cases.put(replace(case, findings=case.findings[:1]))
    page = await browser.get(LINK)
    assert 'class="m info">81.5 ℃' in page.text
    backend.detection.boxes["cmrj-01"] = station_view(
        stale=True, enclosure_c=Reading(None, "absent"), smoke=None
    )
    page = await browser.get(LINK)
    assert "充电站失联，以下为最后已知值" in said(page)
    assert 'class="m warn">81.5 ℃' in page.text
    assert page.text.count('class="m warn">无有效读数') == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": State.ACKNOWLEDGED, "acknowledged_ms": NOW_MS}, "已于 22:13:20 完成"),
        ({"acknowledged_ms": NOW_MS + 41_000}, "（超时）"),
    ],
)
async def test_a_deadline_that_was_met(
    backend: FakeBackend, browser: httpx.AsyncClient, changes: dict[str, object], words: str
) -> None:
    """In time, or late."""
    backend.cases.change(**changes)
    assert words in said(await browser.get(LINK))


async def test_a_deadline_that_passes(backend: FakeBackend, browser: httpx.AsyncClient) -> None:
    """Over but not yet settled, then missed, then not needed any more."""
    backend.utc_ms += 50_000
    assert "22:14:00 前（已超 10 秒）" in said(await browser.get(LINK))
    case = backend.cases.by_number[NUMBER]
    for state, words in (("missed", "22:14:00 已超时"), ("cancelled", "不再需要")):
        rows = tuple(replace(row, state=state) for row in case.deadlines)
        backend.cases.put(replace(case, deadlines=rows))
        assert words in said(await browser.get(LINK))


def test_every_word_the_pages_use_exists() -> None:
    """Both languages say the same, and every state, deadline, cause and event has its words."""
    shapes = [
        {key: placeholders(t) for key, t in texts(lang, "officer").items()} for lang in LANGUAGES
    ]
    assert shapes[0] == shapes[1]
    known = set(texts("en", "officer"))
    assert {f"state.{state}" for state in State} <= known
    assert {f"cause.{cause}" for cause in Cause} <= known
    assert {f"deadline.{name}" for name in lines._DONE} <= known
    assert {f"message.{state}" for state in lines._MESSAGE_MARKS} <= known
    assert {f"event.{kind}" for kind in lines._EVENT_MARKS} <= known
