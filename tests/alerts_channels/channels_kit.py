"""What the tests of the channels share: a message, settings, a server that says what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from aiohttp import web
from pydantic import SecretStr

from alerts.channels.port import Accepted, Channel, Outgoing, SendError
from alerts.channels.settings import AliyunSettings, TencentSettings
from alerts.incidents.model import Kind

PHONE = "+8613800000001"
SIGNATURE = "安充消防"
TEXT = "火警!翠苑3区东车棚A07桩5号座,14:03,82℃,插座已断电。请立即到场并视情拨119。单号F3021"
FIRE = Outgoing(
    id="m00000000000001",
    kind=Kind.FIRE,
    channel=Channel.SMS,
    address=PHONE,
    text=TEXT,
    params={"place": "翠苑3区东车棚A07桩5号座", "value": "82℃", "number": "F3021"},
    title="火警 F3021",
)
TROUBLE = replace(FIRE, id="m00000000000002", kind=Kind.TROUBLE)
CALL = replace(FIRE, channel=Channel.VOICE)
ALIYUN = AliyunSettings(
    access_key_id=SecretStr("LTAI-key-id"),
    access_key_secret=SecretStr("aliyun-key-secret"),
    scheme="http",
    signature=SIGNATURE,
    templates={"fire": "SMS_1", "fire.en": "SMS_2"},
    tts_codes={"fire": "TTS_1"},
    timeout_s=2.0,
)
TENCENT = TencentSettings(
    secret_id=SecretStr("AKID-key-id"),
    secret_key=SecretStr("tencent-key-secret"),
    sdk_app_id="1400006666",
    scheme="http",
    signature=SIGNATURE,
    templates={"fire": "1110"},
    variables={"fire": "number, place,value"},
    timeout_s=2.0,
)
SECRETS = {"LTAI-key-id": "aliyun-key-secret", "AKID-key-id": "tencent-key-secret"}


@dataclass
class Canned:
    """An HTTP server that answers everything with the same."""

    address: str = ""
    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)
    """The bodies that came."""

    async def handle(self, request: web.Request) -> web.Response:
        """Keep what came, say what was told."""
        self.asked.append(await request.read())
        return web.Response(
            status=self.status,
            body=self.body,
            content_type=self.content_type,
            headers=self.headers,
        )


@asynccontextmanager
async def canned() -> AsyncIterator[Canned]:
    """Serve on loopback until the block ends."""
    told = Canned()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.address = f"127.0.0.1:{runner.addresses[0][1]}"
        yield told
    finally:
        await runner.cleanup()


@asynccontextmanager
async def mute() -> AsyncIterator[str]:
    """A server that takes connections and never says a word; its address."""
    open_ends: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ends.append(writer)
        with suppress(ConnectionError):
            await reader.read()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in open_ends:
            writer.close()
        await server.wait_closed()


async def until(reached: Callable[[], bool]) -> None:
    """Let everything else go on until it is so."""
    while not reached():  # noqa: ASYNC110 - servers and adapters know no event of ours
        await asyncio.sleep(0.001)


Answer = Accepted | SendError | Exception
ANYWAY = Accepted("ref")


@dataclass
class Scripted:
    """A provider that gives the answers of a list, then accepts; a gate holds all of them up."""

    name: str
    channel: Channel = Channel.SMS
    signature: str = SIGNATURE
    answers: list[Answer] = field(default_factory=list)
    got: list[Outgoing] = field(default_factory=list)
    gate: asyncio.Event | None = None
    inside: int = 0
    most: int = 0
    closed: bool = False
    after: Callable[[], None] = lambda: None

    def template(self, kind: Kind, lang: str) -> str:
        """One a kind and language."""
        return f"{self.name}-{kind.value}-{lang}"

    async def send(self, outgoing: Outgoing) -> Accepted:
        """The next answer."""
        self.got.append(outgoing)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            if self.gate is not None:
                await self.gate.wait()
            self.after()
            answer = self.answers.pop(0) if self.answers else ANYWAY
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.inside -= 1

    async def close(self) -> None:
        """Seen by the test."""
        self.closed = True
