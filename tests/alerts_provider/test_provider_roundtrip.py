"""The whole way round: official SDK, simulated provider, HTTP, inbox; in virtual time."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.callbacks.events import CallResult, Event, Receipt, Reply
from alerts.callbacks.intake import Intake
from alerts.callbacks.keys import CallbackKeys, Service
from devices.database import Database
from devices.errors import DatabaseUnavailable
from simulators.sms import model as simulated
from simulators.sms.model import Behaviour, Mode, Person
from simulators.sms.provider import SmsProvider
from tests.api.fake_backend import FakeBackend, client_of
from tests.simulators_sms.sms_clients import PHONE, SIGNATURE, Clients

KEY = "0123456789abcdef" * 3
NOW_MS = 1_790_000_000_000


class Listening:
    """A desk that believes everything, and can have its database taken away."""

    def __init__(self) -> None:
        """Nothing was heard."""
        self.heard: list[Event] = []
        self.down = False

    async def receipt(self, connection: AsyncConnection, came: Receipt, now_ms: int) -> bool:
        """Ours."""
        del connection, now_ms
        return self._hear(came)

    async def reply(self, connection: AsyncConnection, came: Reply, now_ms: int) -> str:
        """Understood."""
        del connection, now_ms
        return "applied" if self._hear(came) else ""

    async def call_result(self, connection: AsyncConnection, came: CallResult, now_ms: int) -> bool:
        """Ours."""
        del connection, now_ms
        return self._hear(came)

    def _hear(self, came: Event) -> bool:
        if self.down:
            msg = "not now"
            raise DatabaseUnavailable(msg)
        self.heard.append(came)
        return True


class Round:
    """Provider, backend and the clock between them."""

    def __init__(self, database: Database, *, session_context: bool = True) -> None:
        """Deliveries take a second; the person replies after 4 and presses 1 after 12 seconds."""
        self.now_ms = NOW_MS
        self.desk = Listening()
        self.backend = FakeBackend()
        self.provider = SmsProvider(
            now_ms=lambda: self.now_ms,
            seed=1,
            callbacks=f"/api/v1/callbacks/{{service}}/{KEY}",
            session_context=session_context,
        )
        for service in simulated.Service:
            self.provider.behave(service, Behaviour(delivery_s=(1, 1)))
        self.provider.people[PHONE] = Person(
            reply="１", reply_after_s=4, answers_after_s=5, presses="1", presses_after_s=6
        )
        self.backend.callbacks = Intake(  # type: ignore[assignment]  # the real one
            database=database,
            keys=CallbackKeys(dict.fromkeys(Service, KEY)),
            desk=self.desk,
            clock=lambda: self.now_ms,
            counters=self.backend.metrics,
        )

    async def until(self, client: httpx.AsyncClient, after_s: float) -> list[tuple[int, int]]:
        """Let the time pass; each push's second and the status it was answered with."""
        end_ms, pushed = NOW_MS + int(after_s * 1000), []
        while (due_ms := self.provider.next_due_ms()) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            for push in self.provider.due(self.now_ms):
                got = await client.post(push.url_path, content=push.body, headers=push.headers)
                self.provider.answered(push, got.status_code, got.content, self.now_ms)
                pushed.append(((self.now_ms - NOW_MS) // 1000, got.status_code))
        self.now_ms = end_ms
        return pushed


@pytest.fixture
async def circle(database: Database) -> Round:
    """On each kind of database."""
    return Round(database)


@pytest.fixture
async def client(circle: Round) -> AsyncIterator[httpx.AsyncClient]:
    """Of the application; the provider's side of the call-backs."""
    async with client_of(circle.backend) as client:
        yield client


async def test_what_is_sent_comes_back_as_receipt_reply_and_key(
    circle: Round, client: httpx.AsyncClient
) -> None:
    """Every service: our id, the provider's, the number, the words; each exactly once."""
    async with circle.provider.serving() as address:
        clients = Clients(address)
        sms = (await clients.aliyun_sms("m1"))["BizId"]
        call = (await clients.aliyun_call("v1"))["CallId"]
        other = (await clients.tencent_sms("t1"))["SerialNo"]
    assert await circle.until(client, 60) == [(1, 200), (1, 200), (5, 200), (5, 200), (12, 200)]
    heard = [(type(e), e.provider, e.phone, e.at_ms) for e in circle.desk.heard]
    assert heard == [
        (Receipt, "aliyun", PHONE, NOW_MS + 1_000),
        (Receipt, "tencent", PHONE, NOW_MS + 1_000),
        (Reply, "aliyun", PHONE, NOW_MS + 5_000),
        (Reply, "tencent", PHONE, NOW_MS + 5_000),
        (CallResult, "aliyun-voice", PHONE, NOW_MS + 12_000),
    ]
    first, second, reply, other_reply, result = circle.desk.heard
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert isinstance(reply, Reply)
    assert isinstance(other_reply, Reply)
    assert isinstance(result, CallResult)
    assert (first.ref, first.message_id, first.delivered) == (sms, "m1", True)
    assert (second.ref, second.message_id, second.delivered) == (other, "t1", True)
    assert (reply.text, reply.signature) == (other_reply.text, other_reply.signature)
    assert (reply.text, reply.signature) == ("１", SIGNATURE)
    assert (result.ref, result.message_id, result.answered, result.dtmf) == (call, "v1", True, "1")


async def test_what_was_not_delivered_is_said(circle: Round, client: httpx.AsyncClient) -> None:
    """Undelivered and unanswered, with the carrier's code; nobody replies."""
    for service in simulated.Service:
        circle.provider.behave(service, Mode.UNDELIVERED)
    async with circle.provider.serving() as address:
        clients = Clients(address)
        await clients.aliyun_sms("m1")
        await clients.aliyun_call("v1")
        await clients.tencent_sms("t1")
    await circle.until(client, 3600)
    told = [(e.delivered, e.code) for e in circle.desk.heard if isinstance(e, Receipt)]
    calls = [(e.answered, e.code) for e in circle.desk.heard if isinstance(e, CallResult)]
    assert told == [(False, "MOBILE_NOT_ON_SERVICE"), (False, "MK:0001")]
    assert calls == [(False, "200007")]
    assert len(circle.desk.heard) == 3


async def test_a_database_that_is_away_loses_nothing(
    circle: Round, client: httpx.AsyncClient
) -> None:
    """503 until it is back; the provider comes again, and it is applied once."""
    async with circle.provider.serving() as address:
        await Clients(address).aliyun_sms("m1")
    circle.desk.down = True
    assert await circle.until(client, 60) == [(1, 503), (5, 503)]
    circle.desk.down = False
    assert await circle.until(client, 120) == [(61, 200), (65, 200)]
    assert [type(event) for event in circle.desk.heard] == [Receipt, Reply]


async def test_an_answer_that_is_lost_makes_no_second_event(
    circle: Round, client: httpx.AsyncClient
) -> None:
    """We took it, the provider did not hear so and comes again: applied once."""
    async with circle.provider.serving() as address:
        await Clients(address).aliyun_sms("m1")
    circle.now_ms += 1_000
    [push] = circle.provider.due(circle.now_ms)
    assert (await client.post(push.url_path, content=push.body)).status_code == 200
    circle.provider.answered(push, None, b"", circle.now_ms)
    assert await circle.until(client, 3) == []
    assert await circle.until(client, 70) == [(5, 200), (61, 200)]
    assert [type(event) for event in circle.desk.heard] == [Receipt, Reply]


async def test_without_our_id_the_providers_has_to_do(database: Database) -> None:
    """An account for which Tencent does not send the session context back."""
    circle = Round(database, session_context=False)
    async with circle.provider.serving() as address:
        serial = (await Clients(address).tencent_sms("t1"))["SerialNo"]
    async with client_of(circle.backend) as client:
        await circle.until(client, 2)
    [receipt] = circle.desk.heard
    assert isinstance(receipt, Receipt)
    assert (receipt.ref, receipt.message_id) == (serial, None)
