"""Aliyun by its official SDK: SMS and calls against the simulated provider, and odd answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from alerts.channels.aliyun_sms import AliyunSms
from alerts.channels.aliyun_voice import AliyunVoice
from alerts.channels.port import (
    Accepted,
    Outgoing,
    Permanent,
    Provider,
    Retryable,
    SendError,
    Throttled,
    Unknown,
)
from alerts.incidents.model import Kind
from iot.broker import free_port
from simulators.sms.model import AcceptedSms, Behaviour, Mode, Service
from simulators.sms.provider import SmsProvider
from tests.alerts_channels.channels_kit import (
    ALIYUN,
    CALL,
    FIRE,
    PHONE,
    SECRETS,
    SIGNATURE,
    Canned,
    canned,
    mute,
    until,
)

NOW_MS = 1_790_000_000_000
Ask = Callable[[str], Provider]


def sms(address: str) -> Provider:
    """The SMS adapter, pointed at ``address``."""
    return AliyunSms(ALIYUN.model_copy(update={"sms_endpoint": address}))


def voice(address: str) -> Provider:
    """The calls' adapter, pointed at ``address``."""
    return AliyunVoice(ALIYUN.model_copy(update={"voice_endpoint": address}))


BOTH = pytest.mark.parametrize(
    ("made", "outgoing", "service"),
    [(sms, FIRE, Service.ALIYUN_SMS), (voice, CALL, Service.ALIYUN_VOICE)],
    ids=["sms", "voice"],
)


@pytest.fixture
async def simulated() -> AsyncIterator[tuple[SmsProvider, str]]:
    """The simulated provider, which checks signatures, and its address."""
    provider = SmsProvider(now_ms=lambda: NOW_MS, seed=7, secrets=SECRETS)
    async with provider.serving() as address:
        yield provider, address


@pytest.fixture
async def told() -> AsyncIterator[Canned]:
    """A server that says what the test tells it."""
    async with canned() as server:
        yield server


async def error_of(provider: Provider, outgoing: Outgoing) -> SendError:
    """The error with which it refuses ``outgoing``; it holds no secret."""
    with pytest.raises(SendError) as caught:
        await provider.send(outgoing)
    await provider.close()
    said = f"{caught.value!r} {caught.value} {caught.value.__cause__}"
    assert not any(secret in said for pair in SECRETS.items() for secret in pair), said
    return caught.value


async def test_an_sms_arrives_whole(simulated: tuple[SmsProvider, str]) -> None:
    """Number, signature, template by kind and language, variables, and our id; the BizId back."""
    provider, address = simulated
    way = sms(address)
    first = await way.send(FIRE)
    second = await way.send(replace(FIRE, id="m3", lang="en", text="x" * 65, params={}))
    await way.close()
    [chinese, english] = provider.accepted
    assert first == Accepted(chinese.provider_id, 1, receipts=True)
    assert second == Accepted(english.provider_id, 2, receipts=True)
    assert chinese == AcceptedSms(
        Service.ALIYUN_SMS,
        FIRE.id,
        chinese.provider_id,
        PHONE,
        SIGNATURE,
        "SMS_1",
        FIRE.params,
        NOW_MS,
    )
    assert (english.out_id, english.template, english.params) == ("m3", "SMS_2", {})


async def test_a_call_is_made(simulated: tuple[SmsProvider, str]) -> None:
    """With the TTS code, the variables and our id; the CallId back."""
    provider, address = simulated
    way = voice(address)
    accepted = await way.send(CALL)
    await way.close()
    [call] = provider.accepted
    assert accepted == Accepted(call.provider_id, 1, receipts=True)
    assert call == AcceptedSms(
        Service.ALIYUN_VOICE, CALL.id, call.provider_id, PHONE, "", "TTS_1", CALL.params, NOW_MS
    )


async def test_a_way_without_call_backs_says_so(simulated: tuple[SmsProvider, str]) -> None:
    """Then nobody waits for a receipt."""
    _, address = simulated
    way = AliyunSms(ALIYUN.model_copy(update={"sms_endpoint": address, "receipts": False}))
    assert (await way.send(FIRE)).receipts is False
    await way.close()


@pytest.mark.parametrize("made", [sms, voice])
async def test_a_kind_without_a_template_goes_no_further(made: Ask) -> None:
    """Nothing leaves; it never will by this way."""
    error = await error_of(made("127.0.0.1:1"), replace(FIRE, kind=Kind.CLEARED))
    assert (type(error), error.code, error.detail) == (
        Permanent,
        "no-template",
        "none for cleared.zh",
    )


@BOTH
@pytest.mark.parametrize(
    ("mode", "kind", "code", "taken"),
    [
        (Mode.DOWN, Retryable, "InternalError", 0),
        (Mode.REFUSED, Unknown, "no-answer", 0),
        (Mode.THROTTLED, Throttled, "isv.BUSINESS_LIMIT_CONTROL", 0),
        (Mode.PERMANENT, Permanent, "isv.MOBILE_NUMBER_ILLEGAL", 0),
        (Mode.LOST_ANSWER, Unknown, "", 1),
    ],
)
async def test_how_it_misbehaves(  # noqa: PLR0913, PLR0917 - one row of a table
    simulated: tuple[SmsProvider, str],
    made: Ask,
    outgoing: Outgoing,
    service: Service,
    mode: Mode,
    kind: type[SendError],
    code: str,
    taken: int,
) -> None:
    """Each trouble is the error that says what to do about it, and nothing is sent twice."""
    provider, address = simulated
    provider.behave(service, mode)
    error = await error_of(made(address), outgoing)
    assert type(error) is kind
    assert error.code == code or (not code and error.code in {"timeout", "no-answer"})
    assert len(provider.accepted) == taken


@BOTH
async def test_the_providers_own_limits(
    simulated: tuple[SmsProvider, str], made: Ask, outgoing: Outgoing, service: Service
) -> None:
    """A limit by the minute is over in a minute; one by the day is asked about each hour."""
    provider, address = simulated
    provider.limits = True
    way = made(address)
    allowed = 50 if service is Service.ALIYUN_SMS else 1
    for _ in range(allowed):
        await way.send(outgoing)
    error = await error_of(way, outgoing)
    assert isinstance(error, Throttled)
    assert error.retry_after_s == (3_600 if service is Service.ALIYUN_SMS else 60)
    assert len(provider.accepted) == allowed


@BOTH
async def test_a_wrong_secret(
    simulated: tuple[SmsProvider, str], made: Ask, outgoing: Outgoing, service: Service
) -> None:
    """It never will: the account must be mended first."""
    _, address = simulated
    del service
    wrong = SmsProvider(now_ms=lambda: NOW_MS, seed=7, secrets={"LTAI-key-id": "another"})
    async with wrong.serving() as other:
        error = await error_of(made(other), outgoing)
    assert (type(error), error.code) == (Permanent, "SignatureDoesNotMatch")
    assert (await made(address).send(outgoing)).ref


@BOTH
async def test_nobody_listens(made: Ask, outgoing: Outgoing, service: Service) -> None:
    """The request cannot have left."""
    del service
    error = await error_of(made(f"127.0.0.1:{free_port()}"), outgoing)
    assert (type(error), error.code) == (Retryable, "unreachable")


@BOTH
async def test_a_server_that_says_nothing(made: Ask, outgoing: Outgoing, service: Service) -> None:
    """Our own time-out ends it; nobody knows."""
    del service
    async with mute() as address:
        error = await error_of(made(address), outgoing)
    assert type(error) is Unknown


@BOTH
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>captive portal</html>"),
        (200, b""),
        (200, b"[]"),
        (200, b"null"),
        (200, b"{}"),
        (200, b'{"Code": null}'),
        (200, b'{"Code": ""}'),
        (200, b"\xff\xfe"),
        (200, b"[" * 100_000),
        (502, b"<html>Bad Gateway</html>"),
        (503, b"{}"),
    ],
)
async def test_rubbish(  # noqa: PLR0913, PLR0917 - one row of a table
    told: Canned, made: Ask, outgoing: Outgoing, service: Service, status: int, body: bytes
) -> None:
    """What is no answer of the provider's leaves it open whether the message was taken."""
    del service
    told.status, told.body = status, body
    error = await error_of(made(told.address), outgoing)
    assert type(error) is Unknown
    assert len(told.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "retry_after_s"),
    [
        (200, "isv.BUSINESS_LIMIT_CONTROL", "触发小时级流控Permits:5", Throttled, 3_600),
        (200, "isv.DAY_LIMIT_CONTROL", "触发日发送限额", Throttled, 3_600),
        (400, "Throttling.User", "Request was denied due to user flow control.", Throttled, 5),
        (503, "ServiceUnavailable", "try later", Retryable, None),
        (200, "isp.SYSTEM_ERROR", "", Retryable, None),
        (200, "isp.RAM_PERMISSION_DENY", "", Permanent, None),
        (200, "isv.OUT_OF_SERVICE", "业务停机", Permanent, None),
        (200, "isv.AMOUNT_NOT_ENOUGH", "账户余额不足", Permanent, None),
        (200, "isv.SMS_TEMPLATE_ILLEGAL", "", Permanent, None),
        (200, "isv.SMS_SIGNATURE_ILLEGAL", "", Permanent, None),
        (404, "InvalidAccessKeyId.NotFound", "", Permanent, None),
        (400, "InvalidTimeStamp.Expired", "", Retryable, None),
        (200, "something.New", "", Retryable, None),
    ],
)
async def test_codes_by_the_wire(  # noqa: PLR0913, PLR0917 - one row of a table
    told: Canned,
    status: int,
    code: str,
    message: str,
    kind: type[SendError],
    retry_after_s: float | None,
) -> None:
    """The code is kept as the provider wrote it, in a refusal of the business or the gateway."""
    told.status = status
    told.body = json.dumps({"Code": code, "Message": message, "RequestId": "r"}).encode()
    error = await error_of(sms(told.address), FIRE)
    assert (type(error), error.code) == (kind, code)
    assert getattr(error, "retry_after_s", None) == retry_after_s


async def test_the_gateway_says_when_to_come_back(told: Canned) -> None:
    """Its header, in milliseconds, beats our guess."""
    told.status = 429
    told.headers = {"x-acs-retry-after": "7000"}
    told.body = b'{"Code": "Throttling.Api", "Message": "slow down", "RequestId": "r"}'
    error = await error_of(sms(told.address), FIRE)
    assert isinstance(error, Throttled)
    assert (error.code, error.retry_after_s) == ("Throttling.Api", 7)


async def test_what_the_provider_repeats_of_our_keys_is_taken_out(told: Canned) -> None:
    """Aliyun writes the string it signed, with the key id, into its answer."""
    told.status = 400
    said = "server string to sign is: LTAI-key-id/aliyun-key-secret"
    told.body = json.dumps({"Code": "SignatureDoesNotMatch", "Message": said}).encode()
    error = await error_of(sms(told.address), FIRE)
    assert "***/***" in error.detail


async def test_cancelling_ends_at_once(simulated: tuple[SmsProvider, str]) -> None:
    """A stop of the process does not wait for a provider, and is no error of it."""
    provider, address = simulated
    provider.behave(Service.ALIYUN_SMS, Behaviour(Mode.LOST_ANSWER, answer_after_s=None))
    way = sms(address)
    sending = asyncio.create_task(way.send(FIRE))
    await until(lambda: bool(provider.accepted))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await way.close()
