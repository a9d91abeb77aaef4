"""The simulated provider as the official SDKs see it: formats, signatures, misbehaviour."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException
from darabonba.exceptions import UnretryableException
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from simulators.sms.ledger import read_log
from simulators.sms.model import AcceptedSms, Behaviour, Mode, Service
from simulators.sms.provider import SmsProvider
from tests.simulators_sms.sms_clients import PARAMS, PHONE, SECRETS, SIGNATURE, Clients

NOW_MS = 1_790_000_000_000
Send = Callable[[Clients], Awaitable[dict[str, Any]]]
SENDS: dict[Service, Send] = {
    Service.ALIYUN_SMS: Clients.aliyun_sms,
    Service.ALIYUN_VOICE: Clients.aliyun_call,
    Service.TENCENT_SMS: Clients.tencent_sms,
}


@pytest.fixture
async def provider(tmp_path: Path) -> SmsProvider:
    """Checks signatures, keeps a log; its clock stands."""
    return SmsProvider(
        now_ms=lambda: NOW_MS,
        seed=7,
        secrets=SECRETS,
        callbacks="/called/{service}",
        log=tmp_path / "accepted.jsonl",
    )


@pytest.fixture
async def clients(provider: SmsProvider) -> AsyncIterator[Clients]:
    """The SDKs, pointed at it."""
    async with provider.serving() as address:
        yield Clients(address)


async def test_every_service_takes_what_its_sdk_sends(
    provider: SmsProvider, clients: Clients, tmp_path: Path
) -> None:
    """Signed requests are accepted whole: our id, number, signature, template, parameters."""
    sms = await clients.aliyun_sms("m1")
    call = await clients.aliyun_call("m2")
    other = await clients.tencent_sms("m3")
    assert sms == {
        "Code": "OK",
        "Message": "OK",
        "RequestId": sms["RequestId"],
        "BizId": sms["BizId"],
    }
    assert call == {
        "Code": "OK",
        "Message": "OK",
        "RequestId": call["RequestId"],
        "CallId": call["CallId"],
    }
    assert other == {
        "SerialNo": other["SerialNo"],
        "PhoneNumber": PHONE,
        "Fee": 1,
        "SessionContext": "m3",
        "Code": "Ok",
        "Message": "send success",
        "IsoCode": "CN",
    }
    unnamed = {"1": PARAMS["place"], "2": PARAMS["time"]}
    taken = [
        AcceptedSms(
            Service.ALIYUN_SMS, "m1", sms["BizId"], PHONE, SIGNATURE, "SMS_1", PARAMS, NOW_MS
        ),
        AcceptedSms(Service.ALIYUN_VOICE, "m2", call["CallId"], PHONE, "", "TTS_1", PARAMS, NOW_MS),
        AcceptedSms(
            Service.TENCENT_SMS, "m3", other["SerialNo"], PHONE, SIGNATURE, "1110", unnamed, NOW_MS
        ),
    ]
    assert provider.accepted == taken
    assert read_log(tmp_path / "accepted.jsonl") == taken
    assert provider.copies() == {"m1": 1, "m2": 1, "m3": 1}
    assert provider.copies(Service.TENCENT_SMS) == {"m3": 1}


async def test_a_batch_goes_to_each_number_with_its_own_parameters(
    provider: SmsProvider, clients: Clients
) -> None:
    """SendBatchSms: one id of the provider, one entry per number."""
    answer = await clients.aliyun_batch("m1")
    assert [(s.provider_id, s.phone, s.params) for s in provider.accepted] == [
        (answer["BizId"], "+8613812345678", {"n": "一"}),
        (answer["BizId"], "+8613912345678", {"n": "二"}),
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"phone": "12345"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"phone": ""}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"signature": ""}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"template": ""}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"params": "{place"}, "isv.INVALID_JSON_PARAM"),
        ({"params": "[]"}, "isv.INVALID_JSON_PARAM"),
    ],
)
async def test_aliyun_refuses_what_is_wrong(
    provider: SmsProvider, clients: Clients, changes: dict[str, str], code: str
) -> None:
    """With the code for it, and nothing is accepted."""
    assert (await clients.aliyun_sms(**changes))["Code"] == code
    assert provider.accepted == []


async def test_a_call_carries_an_id_of_15_bytes_at_most(
    provider: SmsProvider, clients: Clients
) -> None:
    """As the provider says; a longer one is refused."""
    assert (await clients.aliyun_call("123456789012345"))["Code"] == "OK"
    assert (await clients.aliyun_call("1234567890123456"))["Code"] == "isv.INVALID_PARAMETERS"
    assert provider.copies() == {"123456789012345": 1}


@pytest.mark.parametrize(
    ("wrong", "aliyun", "tencent"),
    [
        (
            {"aliyun_secret": "x", "tencent_secret": "x"},
            (400, "SignatureDoesNotMatch"),
            "AuthFailure.SignatureFailure",
        ),
        (
            {"aliyun_key": "x", "tencent_key": "x"},
            (404, "InvalidAccessKeyId.NotFound"),
            "AuthFailure.SecretIdNotFound",
        ),
    ],
)
async def test_wrong_signatures_get_the_real_errors(
    provider: SmsProvider,
    clients: Clients,
    wrong: dict[str, str],
    aliyun: tuple[int, str],
    tencent: str,
) -> None:
    """A secret or a key id that is not ours: refused as the provider refuses it."""
    forger = Clients(clients.address, **wrong)  # type: ignore[arg-type]  # all of these are texts
    for send in (forger.aliyun_sms, forger.aliyun_call):
        with pytest.raises(ClientException) as refused:
            await send()
        assert (refused.value.status_code, refused.value.code) == aliyun
    with pytest.raises(TencentCloudSDKException) as error:
        await forger.tencent_sms()
    assert error.value.code == tencent
    assert provider.accepted == []


@pytest.mark.parametrize(
    ("mode", "codes"),
    [
        (Mode.THROTTLED, ("isv.BUSINESS_LIMIT_CONTROL", "LimitExceeded.PhoneNumberDailyLimit")),
        (
            Mode.PERMANENT,
            ("isv.MOBILE_NUMBER_ILLEGAL", "InvalidParameterValue.IncorrectPhoneNumber"),
        ),
    ],
)
async def test_refusals_by_the_business_are_http_200(
    provider: SmsProvider, clients: Clients, mode: Mode, codes: tuple[str, str]
) -> None:
    """Limits and illegal numbers: each provider's own code; nothing is accepted."""
    for service in Service:
        provider.behave(service, mode)
    got = [(await send(clients))["Code"] for send in SENDS.values()]
    assert got == [codes[0], codes[0], codes[1]]
    assert provider.accepted == []


@pytest.mark.parametrize("mode", [Mode.DOWN, Mode.REFUSED])
async def test_a_broken_service_answers_with_an_error_and_takes_nothing(
    provider: SmsProvider, clients: Clients, mode: Mode
) -> None:
    """HTTP 500, or a connection torn; the other services are not affected."""
    for service, send in SENDS.items():
        provider.behave(service, mode)
        with pytest.raises((ServerException, UnretryableException, TencentCloudSDKException)):
            await send(clients)
        provider.behave(service, Mode.OK)
    assert provider.accepted == []
    for send in SENDS.values():
        await send(clients)
    assert provider.copies() == {"m1": 3}


async def test_a_lost_answer_is_a_message_that_was_taken(
    provider: SmsProvider, clients: Clients
) -> None:
    """The client times out; the message is accepted and will be delivered all the same."""
    clients.timeout_ms = 150
    for service, send in SENDS.items():
        provider.behave(service, Behaviour(Mode.LOST_ANSWER, answer_after_s=None))
        with pytest.raises((UnretryableException, TencentCloudSDKException)):
            await send(clients)
    assert provider.copies() == {"m1": 3}
    due = provider.due(NOW_MS + 60_000)
    assert sorted(request.service for request in due) == sorted(Service)


async def test_latency_delays_the_answer_only(provider: SmsProvider, clients: Clients) -> None:
    """A client that does not wait for it has sent a message all the same."""
    provider.behave(Service.ALIYUN_SMS, Behaviour(latency_s=(0.5, 0.6)))
    clients.timeout_ms = 100
    with pytest.raises(UnretryableException):
        await clients.aliyun_sms()
    clients.timeout_ms = 5_000
    assert (await clients.aliyun_sms())["Code"] == "OK"
    assert provider.copies() == {"m1": 2}


async def test_aliyun_tells_the_state_of_a_message_when_asked() -> None:
    """Waiting until the carrier's report, then delivered or failed with its code."""
    clock = [NOW_MS]
    provider = SmsProvider(now_ms=lambda: clock[0], seed=1, callbacks="/c")
    async with provider.serving() as address:
        clients = Clients(address)
        good = (await clients.aliyun_sms("m1"))["BizId"]
        provider.behave(Service.ALIYUN_SMS, Mode.UNDELIVERED)
        bad = (await clients.aliyun_sms("m2"))["BizId"]
        seen = []
        for clock[0] in (NOW_MS, NOW_MS + 5_000):
            for biz_id in (good, bad):
                answer = await clients.aliyun_details("20260921", biz_id)
                row = answer["SmsSendDetailDTOs"]["SmsSendDetailDTO"][0]
                seen.append((row["OutId"], row["SendStatus"], row.get("ErrCode")))
        elsewhere = await clients.aliyun_details("20260922", good)
    assert seen == [
        ("m1", 1, None),
        ("m2", 1, None),
        ("m1", 3, "DELIVERED"),
        ("m2", 2, "MOBILE_NOT_ON_SERVICE"),
    ]
    assert elsewhere["TotalCount"] == "0"
