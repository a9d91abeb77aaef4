"""Playing a scenario against the whole backend: in real time over a broker, or in virtual time.

Virtual time replaces the two MQTT sessions by a loop-back and steps everything by hand, second
by second: the same admission, rules, orders, journal, SQL and store, and no network.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import structlog
from fastapi import FastAPI

from alerts.desk.settings import AlertsSettings
from api.backend import ApiBackend
from api.bootstrap import assemble
from api.cli.narrator import Narrator
from api.cli.phones import CALLBACKS, Crew, Phones, new_key, primary
from api.cli.story import Attempt, Story
from api.clock import SystemClock, VirtualClock
from api.http.app import create_app
from api.loopback import Loopback
from api.running import SAFETY, TELEMETRY, Backend
from api.server import serving
from api.settings import ApiSettings, Settings
from devices.command_model import CommandRecord, State
from iot.broker import BrokerProcess, EmbeddedBroker, MosquittoProcess
from iot.mqtt import Delivery, MqttSettings
from iot.topics import Channel, parse, topic
from rules.model import Severity, Transition
from simulators.fleet import Fleet
from simulators.link import run as play_over_broker
from simulators.model import EventKind, Outgoing, StationPlan
from simulators.sms.model import Mode
from simulators.sms.provider import SmsProvider

log = structlog.get_logger(__name__)

FLUSH_S: Final = 60
DRAIN_S: Final = 900
SNAPSHOT_S: Final = 6 * 3600
ROUND_TRIP_MS: Final = 120
CALM_BATCH_MS: Final = 4_000
VIRTUAL_START_MS: Final = 1_790_812_800_000  # 2026-10-01T00:00:00Z, so that a seed gives one story
MOSQUITTO: Final = """
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
"""


@dataclass(frozen=True, slots=True)
class Play:
    """What the command line asked for."""

    scenario: str
    seed: int
    real_s: int | None
    virtual_s: int | None
    as_json: bool
    site: Path | None
    broker: str
    host: str
    port: int
    provider: Mode = Mode.OK
    crew: Crew = Crew.SILENT


async def play_real(play: Play, directory: Path) -> dict[str, Any]:
    """Broker, backend, API and stations in real time, until the time is up or a signal comes."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(_broker(play, directory))
        phones = await stack.enter_async_context(_phones(play, clock))
        settings = _settings(play, directory, broker, phones)
        backend = await stack.enter_async_context(assemble(settings, clock))
        phones.give_out(backend.people.duty.book, play.crew)
        served = ApiBackend(backend)
        app = create_app(served, open_reads=True, callbacks=served.callbacks)
        url = await stack.enter_async_context(serving(app, play.host, play.port))
        phones.call_back(url)
        story = Story(clock.utc_ms())
        story.watch(backend)
        narrator = Narrator(backend, quiet=play.as_json)
        narrator.welcome(url, broker, play.scenario)
        fleet = Fleet(_plans(backend), play.scenario, play.seed, story.start_ms)
        stations = asyncio.create_task(
            play_over_broker(fleet, host=broker.host, port=broker.port, clock=clock.utc_ms)
        )
        turning = asyncio.create_task(served.run())
        trying = asyncio.create_task(_look_and_try(backend, story, url))
        ringing = asyncio.create_task(phones.provider.run())
        try:
            await _time_or_signal(play.real_s, [stations, turning, ringing])
        finally:
            asyncio.get_running_loop().set_exception_handler(_leaving)
            for task in (trying, ringing, stations, turning):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await _settle(backend, story)
        _restarts(fleet, story)
        seconds = (clock.utc_ms() - story.start_ms) / 1000
        await story.read_people(backend)
        return story.as_json(backend, play.scenario, play.seed, seconds)


async def play_virtual(play: Play, directory: Path) -> dict[str, Any]:
    """The same without waiting: ``virtual_s`` seconds of the story, one at a time."""
    clock = VirtualClock(VIRTUAL_START_MS)
    loops: dict[str, Loopback] = {}

    def link(lane: str, _filters: Sequence[str]) -> Loopback:
        return loops.setdefault(lane, Loopback(lane, clock))

    async with AsyncExitStack() as stack:
        phones = await stack.enter_async_context(_phones(play, clock))
        settings = _settings(play, directory, None, phones)
        backend = await stack.enter_async_context(assemble(settings, clock, link))
        phones.give_out(backend.people.duty.book, play.crew)
        story = Story(clock.utc_ms())
        story.watch(backend)
        served = ApiBackend(backend)
        app = create_app(served, open_reads=True, callbacks=served.callbacks)
        fleet = Fleet(_plans(backend), play.scenario, play.seed, story.start_ms)
        desk = _VirtualDesk(backend, phones, app)
        stage = _VirtualStage(backend, fleet, loops, clock)
        backend.start()
        for second in range(play.virtual_s or 0):
            await stage.second(VIRTUAL_START_MS + second * 1000, desk.look)
            if second % FLUSH_S == 0:
                await backend.committer.flush()
                story.look(backend)
            if second % DRAIN_S == 0:
                await backend.drain.pump()
                await _freeze(backend)
                await _try_release(backend, story, "http://virtual", app)
            if second % SNAPSHOT_S == 0:
                await backend.snapshot(flush=True)
        await backend.committer.flush()
        await _try_release(backend, story, "http://virtual", app)
        await _settle(backend, story)
        await _freeze(backend)
        _restarts(fleet, story)
        await story.read_people(backend)
        return story.as_json(backend, play.scenario, play.seed, float(play.virtual_s or 0))


class _VirtualDesk:
    """Steps the desk and the phones; does nothing in the seconds in which nothing is due."""

    def __init__(self, backend: Backend, phones: Phones, app: FastAPI) -> None:
        self._backend = backend
        self._phones = phones
        self._app = app
        self._news = False
        self._next_ms: int | None = None
        backend.observation.on_transition.append(self._noted)
        backend.observation.on_command.append(self._ordered)

    async def look(self, now_ms: int) -> None:
        """Commit what people act on, do what is due, deliver what came back."""
        back_ms = self._phones.provider.next_due_ms()
        due = [m for m in (self._next_ms, back_ms) if m is not None]
        if not self._news and not any(moment <= now_ms for moment in due):
            return
        self._news = False
        await self._backend.committer.flush()
        await self._turn(now_ms)
        await self._phones.deliver(self._app, now_ms)
        await self._turn(now_ms)
        self._next_ms = await self._backend.people.desk.next_ms()

    async def _turn(self, now_ms: int) -> None:
        await self._backend.people.desk.turn(now_ms)
        await self._backend.people.desk.dispatcher.idle()

    def _noted(self, transition: Transition) -> None:
        self._news = self._news or transition.finding.severity is not Severity.INFO

    def _ordered(self, record: CommandRecord) -> None:
        self._news = self._news or (record.lock and record.state.ended)


class _VirtualStage:
    """Carries messages between fleet and backend, and plays the broker's part: last wills."""

    def __init__(
        self, backend: Backend, fleet: Fleet, loops: dict[str, Loopback], clock: VirtualClock
    ) -> None:
        self._backend = backend
        self._fleet = fleet
        self._loops = loops
        self._clock = clock
        self._online = {plan.station: True for plan in fleet.stations}
        self._frames: list[Delivery] = []

    async def second(self, now_ms: int, look: Callable[[int], Awaitable[None]]) -> None:
        """Let one second pass; an order and its answer take their time on the way.

        ``look`` is called whenever something may have been recorded.
        """
        self._clock.now_ms = now_ms
        messages = self._fleet.step(now_ms) + self._wills()
        if messages:
            self._arrive(messages)
        self._backend.tick()
        await look(now_ms)
        while messages := self._answers(now_ms):
            self._clock.now_ms += ROUND_TRIP_MS
            self._arrive(messages)
            await look(self._clock.now_ms)

    def _wills(self) -> list[Outgoing]:
        wills = []
        for station, was in self._online.items():
            now = self._fleet.online(station)
            if was and not now:
                will = self._fleet.will(station)
                wills.append(Outgoing(station, Channel.STATUS, will, retain=True))
            self._online[station] = now
        return wills

    def _arrive(self, messages: Sequence[Outgoing]) -> None:
        safety: list[Delivery] = []
        for message in messages:
            telemetry = message.channel is Channel.TELEMETRY
            loop = self._loops[TELEMETRY if telemetry else SAFETY]
            delivery = loop.delivery(topic(message.station, message.channel), message.payload)
            (self._frames if telemetry else safety).append(delivery)
        if safety:
            self._backend.lanes[SAFETY].turn(safety)
        # Calm frames are taken together, as a busy backend would; with an order under way or
        # an alarm in, each at once.
        waited_ms = self._clock.utc_ms() - self._frames[0].received_ms if self._frames else 0
        if self._frames and (safety or self._busy or waited_ms >= CALM_BATCH_MS):
            self._backend.lanes[TELEMETRY].turn(self._frames)
            self._frames = []

    @property
    def _busy(self) -> bool:
        return bool(self._backend.runner.actuation.commands.live())

    def _answers(self, now_ms: int) -> list[Outgoing]:
        answers: list[Outgoing] = []
        for published in self._loops[SAFETY].take():
            address = parse(published.topic)
            if address is not None:
                answers += self._fleet.deliver(*address, published.payload, now_ms)
        return answers


def _broker(play: Play, directory: Path) -> BrokerProcess:
    if play.broker == "mosquitto":
        return MosquittoProcess(MOSQUITTO, directory)
    return EmbeddedBroker()


@asynccontextmanager
async def _phones(play: Play, clock: SystemClock) -> AsyncIterator[Phones]:
    key = new_key()
    provider = SmsProvider(now_ms=clock.utc_ms, seed=play.seed, callbacks=CALLBACKS + key)
    primary(provider, play.provider)
    async with provider.serving() as address:
        yield Phones(provider, address, key)


def _settings(
    play: Play, directory: Path, broker: BrokerProcess | None, phones: Phones
) -> Settings:
    mqtt = MqttSettings() if broker is None else MqttSettings(host=broker.host, port=broker.port)
    return Settings(
        _env_file=None,
        data_dir=directory,
        sites=str(play.site or ""),
        mqtt=mqtt,
        channels=phones.channels(),
        callbacks=phones.callbacks(),
        alerts=AlertsSettings(packaged_people=True, link_base=_links(play)),
        api=ApiSettings(host=play.host, port=play.port, open_reads=True),
    )


def _links(play: Play) -> str:
    """Where one-time links lead, as far as it is known before the API listens."""
    return f"{play.host}:{play.port}/a/" if play.port and ":" not in play.host else ""


def _plans(backend: Backend) -> list[StationPlan]:
    return [StationPlan(s.id, s.sockets) for site in backend.sites for s in site.stations]


def _leaving(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Cancelled aiomqtt clients leave futures and writers behind that nobody needs."""
    log.debug("left behind while ending", what=context.get("message"))


async def _time_or_signal(limit_s: int | None, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the end of time, a signal, or a task that ended: then raise what ended it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait(
            [waiting, *tasks], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done - {waiting}:
            task.result()
    finally:
        waiting.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _look_and_try(backend: Backend, story: Story, url: str) -> None:
    """Each second a look at the charges; after the first proven safety cut, the attempt."""
    while True:
        story.look(backend)
        await _try_release(backend, story, url, app=None)
        await asyncio.sleep(1)


async def _try_release(backend: Backend, story: Story, url: str, app: FastAPI | None) -> None:
    """A release without a reason must be refused, even with the right credential."""
    if any(attempt.what == "release_without_reason" for attempt in story.attempts):
        return
    proven = [r for r in story.orders.values() if r.lock and r.state is State.PROVEN]
    if not proven:
        return
    order = proven[0]
    body = {"action": "release", "station": order.station, "socket": order.socket}
    transport = None if app is None else httpx.ASGITransport(app)
    headers = {"Authorization": f"Bearer {backend.first_token}", "Accept-Language": "en"}
    async with httpx.AsyncClient(base_url=url, transport=transport, headers=headers) as client:
        answer = await client.post("/api/v1/commands", json=body)
    story.attempts.append(
        Attempt(
            what="release_without_reason",
            by="manager",
            station=order.station,
            socket=order.socket,
            refused=not answer.is_success,
            answer=f"{answer.status_code} {answer.json().get('title', '')}",
        )
    )


def _restarts(fleet: Fleet, story: Story) -> None:
    for event in fleet.events:
        if event.kind is EventKind.START_REFUSED and event.at_ms >= story.start_ms:
            story.attempts.append(
                Attempt("restart", "user", event.station, event.socket, True, event.detail)  # noqa: FBT003 - a plain record
            )


async def _freeze(backend: Backend) -> None:
    """What is due of the evidence, to its end: the story's clock stands meanwhile."""
    await backend.freeze()
    await backend.evidence.freezer.settle()


async def _settle(backend: Backend, story: Story) -> None:
    """Everything that was accepted is committed and stored; count it there."""
    await backend.committer.flush()
    while await backend.drain.pump():
        pass
    story.frames = await backend.store.count()
