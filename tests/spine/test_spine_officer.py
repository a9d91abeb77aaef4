"""From smoke to the officer's thumb: the link in the message, the page, and what it does."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.callbacks.events import Reply
from alerts.channels.settings import ChannelsSettings
from alerts.desk.settings import AlertsSettings
from alerts.incidents.links import LINK_MS
from api.backend import ApiBackend
from api.bootstrap import assemble
from api.clock import VirtualClock
from api.http.app import create_app
from api.loopback import Loopback
from api.settings import Settings
from devices.orders import Action
from iot.topics import Channel
from tests.spine.conftest import START_MS, STATION, Stage
from tests.spine.scenes import all_off, commands, play

HOST = "cw.example.cn"


@dataclass
class Night:
    """A stage, the messages people got, and a phone's browser."""

    stage: Stage
    sent: Path
    phone: httpx.AsyncClient
    served: ApiBackend

    async def turn(self) -> None:
        """Let what was decided be recorded, and people be told."""
        await self.stage.backend.committer.flush()
        await self.stage.backend.desk()
        await self.stage.backend.people.desk.dispatcher.idle()

    def messages(self) -> list[dict[str, Any]]:
        """What was sent so far, oldest first."""
        return [json.loads(line) for line in self.sent.read_text("utf-8").splitlines()]

    def link(self) -> str:
        """The newest one-time link that was sent."""
        text = self.sent.read_text("utf-8")
        return str(re.findall(rf"{HOST}(/a/[0-9a-z]{{10}})", text)[-1])


@pytest.fixture
async def night(tmp_path: Path) -> AsyncIterator[Night]:
    """A started backend with the packaged people, whose messages are written to a file."""
    clock = VirtualClock(START_MS)
    loops: dict[str, Loopback] = {}

    def link(lane: str, _filters: Sequence[str]) -> Loopback:
        return loops.setdefault(lane, Loopback(lane, clock))

    sent = tmp_path / "sent.jsonl"
    settings = Settings(
        _env_file=None,
        data_dir=tmp_path,
        channels=ChannelsSettings(file=sent),
        alerts=AlertsSettings(link_base=f"{HOST}/a/", packaged_people=True),
    )
    async with assemble(settings, clock, link) as backend:
        backend.start()
        stage = Stage(backend, clock, loops)
        stage.pass_s(1)
        served = ApiBackend(backend)
        transport = httpx.ASGITransport(create_app(served))
        phone = httpx.AsyncClient(transport=transport, base_url=f"https://{HOST}")
        async with phone:
            made = Night(stage, sent, phone, served)
            await made.turn()
            stage.published.clear()
            yield made


async def smoke(night: Night) -> None:
    """The detector closes, the station is cut and measured off, the officer asks for a link."""
    night.stage.send(night.stage.alarm(), Channel.ALARM)
    play(night.stage, 2, 1, **all_off(smoke=1))
    await night.turn()
    night.stage.pass_s(3)
    await night.turn()
    phone = night.messages()[-1]["address"]
    async with night.stage.backend.database.writing() as connection:
        reply = Reply("aliyun", "1", phone, "2", night.stage.clock.utc_ms(), "")
        inbound = night.stage.backend.people.desk.inbound
        assert await inbound.reply(connection, reply, night.stage.clock.utc_ms()) == "applied"
    await night.turn()


def proof(page: httpx.Response) -> str:
    """What the page's forms carry."""
    found = re.search(r'name="proof" value="([0-9a-f]{32})"', page.text)
    assert found is not None, page.text
    return found[1]


async def test_the_officer_acts_by_the_link_of_the_message(night: Night) -> None:
    """Look, acknowledge, arrive, report: each step is the incident's, met in time, audited."""
    await smoke(night)
    link = night.link()
    page = await night.phone.get(link)
    assert page.status_code == 200
    for words in ("火警", "烟雾报警", "1幢北侧车棚", f"{STATION} 整站已断电：实测 0.0 W"):
        assert words in page.text

    inside = await night.phone.post(link, follow_redirects=True)
    base, form = inside.url.path, proof(inside)
    number = base.removeprefix("/incident/")
    arrived = await night.phone.post(f"{base}/arrive", data={"proof": form})
    assert arrived.status_code == 303
    said = {"proof": form, "cause": "true_fire", "note": "灭火器已扑灭"}
    assert (await night.phone.post(f"{base}/report", data=said)).status_code == 303

    case = await night.served.cases.case(number)
    assert case is not None
    assert (case.incident.state.value, case.incident.cause) == ("reported", "true_fire")
    people = {
        row.step: row.state
        for row in case.deadlines
        if row.step in {"acknowledge", "on_site", "report"}
    }
    assert people == {"acknowledge": "met", "on_site": "met", "report": "met"}
    acts = [(e.kind, e.detail.get("via")) for e in case.events if e.detail.get("via")]
    assert acts == [("acknowledged", "link"), ("arrived", "link"), ("reported", "link")]


async def test_who_watches_the_live_stream_sees_it(night: Night) -> None:
    """What happens to the incident, and what became of its messages, without any number."""
    listener = night.stage.backend.live.subscribe()
    await smoke(night)
    seen = (await listener.take(1)).decode()
    events = [part.split("\n") for part in seen.split("\n\n") if "event: " in part]
    told = [
        (kind.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for _, kind, data in events
    ]
    incidents = [data["what"] for kind, data in told if kind == "incident"]
    assert incidents[:1] == ["opened"]
    assert "told" in incidents
    messages = [data for kind, data in told if kind == "message"]
    assert [(m["kind"], m["channel"], m["state"], m["incident"]) for m in messages] == [
        ("fire", "sms", "accepted", "F0001"),
        ("link", "sms", "accepted", "F0001"),
    ]
    assert "+86" not in "".join(str(data) for kind, data in told if kind == "message")


async def test_the_officer_cuts_the_zone(night: Night) -> None:
    """Every station of the area is ordered off, by the officer's name."""
    await smoke(night)
    link = night.link()
    await night.phone.get(link)
    inside = await night.phone.post(link, follow_redirects=True)
    base, form = inside.url.path, proof(inside)
    running = asyncio.create_task(night.stage.backend.committer.run())
    try:
        done = await night.phone.post(f"{base}/zone", data={"proof": form})
    finally:
        night.stage.backend.committer.close()
        await running
    assert done.status_code == 303
    ordered = [
        order.station
        for order in await commands(night.stage)
        if order.action is Action.CUT_STATION and order.by is not None
    ]
    assert sorted(ordered) == [f"cmrj-0{n}" for n in range(1, 7)]


async def test_a_link_that_expired_is_sent_anew(night: Night) -> None:
    """Asked for on the page of the old one, it comes by SMS and opens the incident."""
    await smoke(night)
    old = night.link()
    night.stage.clock.now_ms += LINK_MS
    assert (await night.phone.get(old)).status_code == 410
    asked = await night.phone.post(f"{old}/again", follow_redirects=True)
    assert "新链接已发到您的手机" in asked.text
    await night.turn()
    fresh = night.link()
    assert fresh != old
    assert (await night.phone.get(fresh)).status_code == 200
