"""The simulated provider in real time: its call-backs over HTTP, and its command."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from api.cli.main import app
from simulators.sms.ledger import read_log
from simulators.sms.model import Behaviour, Person, Service
from simulators.sms.provider import SmsProvider
from tests.cli.conftest import call, words
from tests.simulators_sms.sms_clients import PHONE, Clients

NOW_MS = 1_790_000_000_000
SOON_S = 10


class Receiver:
    """Takes call-backs: refuses the first, acknowledges the rest."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.got: list[tuple[str, str]] = []
        self.address = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Keep path and body."""
        self.got.append((request.path, await request.text()))
        if len(self.got) == 1:
            return web.Response(status=503)
        return web.json_response({"code": 0, "msg": "OK"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A listening one."""
    receiving = Receiver()
    application = web.Application()
    application.router.add_post("/{path:.*}", receiving.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiving.address = f"127.0.0.1:{runner.addresses[0][1]}"
    yield receiving
    await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, in real time."""
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - real sockets are in between
            await asyncio.sleep(0.01)


async def test_run_posts_what_is_due_and_again_what_was_refused(receiver: Receiver) -> None:
    """A receipt refused with 503 comes again, the same, when its minute is over; then the reply."""
    clock = [NOW_MS]
    url = f"http://{receiver.address}/cb/{{service}}"
    provider = SmsProvider(now_ms=lambda: clock[0], seed=1, callbacks=url)
    provider.behave(Service.ALIYUN_SMS, Behaviour(delivery_s=(0, 0)))
    provider.people[PHONE] = Person(reply="1", reply_after_s=120)
    async with provider.serving() as address:
        running = asyncio.create_task(provider.run())
        await Clients(address).aliyun_sms("m1")
        await until(lambda: len(receiver.got) == 1)
        await until(lambda: provider.next_due_ms() == NOW_MS + 60_000)
        clock[0] += 60_000
        await until(lambda: len(receiver.got) == 2)
        clock[0] += 60_000
        await until(lambda: len(receiver.got) == 3)
        running.cancel()
    (first, second, third) = receiver.got
    assert first == second
    assert json.loads(first[1])[0]["out_id"] == "m1"
    assert [path for path, _ in receiver.got] == ["/cb/aliyun_sms"] * 3
    assert json.loads(third[1])[0]["content"] == "1"


async def test_run_takes_silence_for_a_refusal() -> None:
    """Nobody listens where the call-backs should go: they wait for their minute."""
    provider = SmsProvider(now_ms=lambda: NOW_MS, seed=1, callbacks="http://127.0.0.1:9/{service}")
    provider.behave(Service.ALIYUN_SMS, Behaviour(delivery_s=(0, 0)))
    async with provider.serving() as address:
        running = asyncio.create_task(provider.run())
        await Clients(address).aliyun_sms("m1")
        await until(lambda: provider.next_due_ms() == NOW_MS + 60_000)
        running.cancel()


async def test_the_command_serves_the_sdks_and_says_what_it_accepts(tmp_path: Path) -> None:
    """The address first, then one JSON line per message, and the same in the log."""
    log = tmp_path / "accepted.jsonl"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli.main", "simulate-sms", "--json", "--log", str(log)),
        *("--behaviour", "tencent_sms=permanent"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            address = json.loads(await process.stdout.readline())["address"]
            clients = Clients(address)
            await clients.aliyun_sms("m1")
            refused = await clients.tencent_sms("m1")
            await clients.aliyun_call("m2")
            lines = [json.loads(await process.stdout.readline()) for _ in range(2)]
    finally:
        process.terminate()
        await process.wait()
    assert refused["Code"] == "InvalidParameterValue.IncorrectPhoneNumber"
    told = [(line["service"], line["out_id"], line["phone"]) for line in lines]
    assert told == [("aliyun_sms", "m1", PHONE), ("aliyun_voice", "m2", PHONE)]
    assert [(sms.service.value, sms.out_id, sms.phone) for sms in read_log(log)] == told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--behaviour", "aliyun_sms"), "'aliyun_sms': write service=mode"),
        (("--behaviour", "pigeon=ok"), "'pigeon=ok': write service=mode"),
        (("--callbacks", "localhost"), "'localhost' is no http URL"),
        (("--lang", "fr"), "'fr': there are zh and en"),
    ],
)
def test_the_command_explains_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    """A usage error names the option's text."""
    result = call(app, "simulate-sms", *arguments)
    assert result.exit_code == 2
    assert said in words(result.output)
