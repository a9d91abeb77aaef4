"""Tencent SMS by its official SDK: against the simulated provider, and odd answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from alerts.channels.port import (
    Accepted,
    Outgoing,
    Permanent,
    Retryable,
    SendError,
    Throttled,
    Unknown,
)
from alerts.channels.tencent_sms import TencentSms
from alerts.incidents.model import Kind
from iot.broker import free_port
from simulators.sms.model import AcceptedSms, Behaviour, Mode, Service
from simulators.sms.provider import SmsProvider
from tests.alerts_channels.channels_kit import (
    FIRE,
    PHONE,
    SECRETS,
    SIGNATURE,
    TENCENT,
    Canned,
    canned,
    mute,
    until,
)

NOW_MS = 1_790_000_000_000


def tencent(address: str, **changes: object) -> TencentSms:
    """The adapter, pointed at ``address``."""
    return TencentSms(TENCENT.model_copy(update={"endpoint": address, **changes}))


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


async def error_of(way: TencentSms, outgoing: Outgoing = FIRE) -> SendError:
    """The error with which it refuses ``outgoing``; it holds no secret."""
    with pytest.raises(SendError) as caught:
        await way.send(outgoing)
    await way.close()
    said = f"{caught.value!r} {caught.value} {caught.value.__cause__}"
    assert not any(secret in said for pair in SECRETS.items() for secret in pair), said
    return caught.value


async def test_an_sms_arrives_whole(simulated: tuple[SmsProvider, str]) -> None:
    """Variables in the template's order, our id as session context; the serial number back."""
    provider, address = simulated
    way = tencent(address)
    accepted = await way.send(FIRE)
    await way.close()
    [sms] = provider.accepted
    assert accepted == Accepted(sms.provider_id, 1, receipts=True)
    assert sms == AcceptedSms(
        Service.TENCENT_SMS,
        FIRE.id,
        sms.provider_id,
        PHONE,
        SIGNATURE,
        "1110",
        {"1": "F3021", "2": FIRE.params["place"], "3": "82℃"},
        NOW_MS,
    )


async def test_without_an_order_the_variables_go_as_our_template_has_them(
    simulated: tuple[SmsProvider, str],
) -> None:
    """The same on every database, which may keep a JSON object in another order."""
    provider, address = simulated
    params = {"number": "F3021", "time": "14:03", "place": "A07", "outcome": "断", "value": "82℃"}
    way = tencent(address, variables={})
    await way.send(replace(FIRE, params=params))
    await way.close()
    assert list(provider.accepted[0].params.values()) == ["A07", "14:03", "82℃", "断", "F3021"]


@pytest.mark.parametrize(
    ("outgoing", "code"),
    [
        (replace(FIRE, kind=Kind.CLEARED), "no-template"),
        (replace(FIRE, params={"place": "A07"}), "no-variable"),
    ],
)
async def test_what_cannot_be_written_goes_no_further(outgoing: Outgoing, code: str) -> None:
    """Nothing leaves; it never will by this way."""
    error = await error_of(tencent("127.0.0.1:1"), outgoing)
    assert (type(error), error.code) == (Permanent, code)


@pytest.mark.parametrize(
    ("mode", "kind", "code", "taken"),
    [
        (Mode.DOWN, Retryable, "ServerNetworkError", 0),
        (Mode.REFUSED, Unknown, "no-answer", 0),
        (Mode.THROTTLED, Throttled, "LimitExceeded.PhoneNumberDailyLimit", 0),
        (Mode.PERMANENT, Permanent, "InvalidParameterValue.IncorrectPhoneNumber", 0),
        (Mode.LOST_ANSWER, Unknown, "", 1),
    ],
)
async def test_how_it_misbehaves(
    simulated: tuple[SmsProvider, str], mode: Mode, kind: type[SendError], code: str, taken: int
) -> None:
    """Each trouble is the error that says what to do about it, and nothing is sent twice."""
    provider, address = simulated
    provider.behave(Service.TENCENT_SMS, mode)
    error = await error_of(tencent(address))
    assert type(error) is kind
    assert error.code == code or (not code and error.code in {"timeout", "no-answer"})
    assert len(provider.accepted) == taken


async def test_a_wrong_secret() -> None:
    """It never will: the account must be mended first."""
    wrong = SmsProvider(now_ms=lambda: NOW_MS, seed=7, secrets={"AKID-key-id": "another"})
    async with wrong.serving() as address:
        error = await error_of(tencent(address))
    assert (type(error), error.code) == (Permanent, "AuthFailure.SignatureFailure")


async def test_nobody_listens_or_nobody_speaks() -> None:
    """Refused: it cannot have left. Silent: our time-out ends it, and nobody knows."""
    refused = await error_of(tencent(f"127.0.0.1:{free_port()}"))
    async with mute() as address:
        silent = await error_of(tencent(address))
    assert (type(refused), refused.code) == (Retryable, "unreachable")
    assert type(silent) is Unknown


@pytest.mark.parametrize(
    "body",
    [
        b"<html>captive portal</html>",
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"Response": {}}',
        b'{"Response": []}',
        b'{"Response": {"SendStatusSet": []}}',
        b'{"Response": {"SendStatusSet": [{}]}}',
        b'{"Response": {"SendStatusSet": [{"Code": "Ok"}, {"Code": "Ok"}]}}',
        b'{"Response": {"Error": "no"}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
async def test_rubbish(told: Canned, body: bytes, content_type: str) -> None:
    """What is no answer of the provider's leaves it open whether the message was taken."""
    told.body, told.content_type = body, content_type
    error = await error_of(tencent(told.address))
    assert type(error) is Unknown
    assert len(told.asked) == 1


@pytest.mark.parametrize(
    ("code", "kind", "retry_after_s"),
    [
        ("LimitExceeded.PhoneNumberThirtySecondLimit", Throttled, 30),
        ("LimitExceeded.PhoneNumberOneHourLimit", Throttled, 3_600),
        ("LimitExceeded.DailyLimit", Throttled, 3_600),
        ("LimitExceeded.PhoneNumberSameContentDailyLimit", Throttled, 3_600),
        ("LimitExceeded.DeliveryFrequencyLimit", Throttled, 60),
        ("LimitExceeded.PhoneNumberCountLimit", Permanent, None),
        ("RequestLimitExceeded", Throttled, 5),
        ("InternalError.Timeout", Unknown, None),
        ("InternalError.OtherError", Retryable, None),
        ("FailedOperation.TemplateIncorrectOrUnapproved", Permanent, None),
        ("FailedOperation.InsufficientBalanceInSmsPackage", Permanent, None),
        ("FailedOperation.PhoneNumberInBlacklist", Permanent, None),
        ("UnauthorizedOperation.SdkAppIdIsDisabled", Permanent, None),
        ("AuthFailure.SignatureExpire", Retryable, None),
        ("something.New", Retryable, None),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
async def test_codes_by_the_wire(
    told: Canned, code: str, kind: type[SendError], retry_after_s: float | None, *, whole: bool
) -> None:
    """The same in an error of the whole request and in the status of the one number."""
    error = {"Error": {"Code": code, "Message": "AKID-key-id said no"}, "RequestId": "r"}
    status = {"SendStatusSet": [{"Code": code, "Message": "AKID-key-id said no"}]}
    told.body = json.dumps({"Response": error if whole else status}).encode()
    got = await error_of(tencent(told.address))
    assert (type(got), got.code, got.detail) == (kind, code, "*** said no")
    assert getattr(got, "retry_after_s", None) == retry_after_s


async def test_what_it_was_billed_is_kept(told: Canned) -> None:
    """The provider's own count of segments, and ours where it says nothing."""
    answers = []
    for fee in (3, 0):
        status = {"Code": "Ok", "SerialNo": "1:2", "Fee": fee}
        told.body = json.dumps({"Response": {"SendStatusSet": [status]}}).encode()
        way = tencent(told.address)
        answers.append(await way.send(replace(FIRE, text="字" * 65)))
        await way.close()
    assert answers == [Accepted("1:2", 3), Accepted("1:2", 2)]


async def test_cancelling_ends_at_once(simulated: tuple[SmsProvider, str]) -> None:
    """A stop of the process does not wait for a provider, and is no error of it."""
    provider, address = simulated
    provider.behave(Service.TENCENT_SMS, Behaviour(Mode.LOST_ANSWER, answer_after_s=None))
    way = tencent(address)
    sending = asyncio.create_task(way.send(FIRE))
    await until(lambda: bool(provider.accepted))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await way.close()
