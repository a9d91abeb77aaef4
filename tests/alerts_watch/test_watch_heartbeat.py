"""The outward heartbeat, against a real server on this machine."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from alerts.watch.heartbeat import Beat, Heartbeat
from alerts.watch.settings import WatchSettings


@dataclass
class Outside:
    """The other side: what it was asked, and what it answers."""

    url: str = ""
    status: int = 200
    asked: list[str] = field(default_factory=list)


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    """It listens on a free port."""
    made = Outside()

    async def answer(request: web.Request) -> web.Response:
        made.asked.append(f"{request.method} {request.path}")
        return web.Response(status=made.status)

    app = web.Application()
    app.router.add_route("*", "/ping/{key}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}/ping/secret"
    yield made
    await runner.cleanup()


@pytest.mark.parametrize(
    ("sound", "status", "beat", "asked"),
    [
        (True, 200, Beat.SENT, ["POST /ping/secret"]),
        (True, 204, Beat.SENT, ["POST /ping/secret"]),
        (False, 200, Beat.WITHHELD, []),
        (True, 404, Beat.FAILED, ["POST /ping/secret"]),
        (True, 500, Beat.FAILED, ["POST /ping/secret"]),
    ],
)
async def test_it_beats_only_while_all_is_well(
    outside: Outside, *, sound: bool, status: int, beat: Beat, asked: list[str]
) -> None:
    """Withheld means that nothing at all leaves; only a success counts as sent."""
    outside.status = status
    heartbeat = Heartbeat(outside.url, "POST")
    assert await heartbeat.beat(sound=sound) is beat
    assert outside.asked == asked
    await heartbeat.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::bad/"])
async def test_an_outside_that_is_not_there_is_no_fault_of_ours(url: str) -> None:
    """It is counted, and nothing is raised."""
    heartbeat = Heartbeat(url)
    assert await heartbeat.beat(sound=True) is Beat.FAILED
    await heartbeat.close()


def test_the_address_is_a_secret_and_must_be_one() -> None:
    """It is not shown, an empty one is none, and another scheme is refused."""
    settings = WatchSettings.model_validate({"heartbeat_url": "https://x.test/secret"})
    assert "secret" not in repr(settings)
    assert WatchSettings.model_validate({"heartbeat_url": ""}).heartbeat_url is None
    with pytest.raises(ValueError, match="https://"):
        WatchSettings.model_validate({"heartbeat_url": "ftp://x.test/secret"})
