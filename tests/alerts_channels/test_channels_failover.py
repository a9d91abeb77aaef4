"""Failover through the providers' own SDKs: what a person gets while a provider misbehaves."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from alerts.channels.circuit import CircuitState
from alerts.channels.gateway import Gateway, Sent
from alerts.channels.port import Channel
from alerts.channels.settings import ChannelsSettings, GatewaySettings
from alerts.channels.ways import build
from alerts.incidents.model import Kind
from simulators.sms.model import Mode, Service
from simulators.sms.provider import SmsProvider
from tests.alerts_channels.channels_kit import ALIYUN, CALL, FIRE, SECRETS, TENCENT

NOW_MS = 1_790_000_000_000
SHORT = {"timeout_s": 1.0}


class Town:
    """Both SMS providers and calls, simulated, behind the gateway; a clock moved by hand."""

    def __init__(self, provider: SmsProvider, address: str) -> None:
        """``address`` is where the provider listens."""
        here = {"endpoint": address, "sms_endpoint": address, "voice_endpoint": address, **SHORT}
        settings = ChannelsSettings(
            aliyun=ALIYUN.model_copy(
                update={k: v for k, v in here.items() if k in type(ALIYUN).model_fields}
            ),
            tencent=TENCENT.model_copy(
                update={k: v for k, v in here.items() if k in type(TENCENT).model_fields}
            ),
            gateway=GatewaySettings(fails=2, pause_s=30),
        )
        self.provider = provider
        self.s = 0.0
        self.gateway = Gateway(
            build(settings, clock_ms=lambda: NOW_MS),
            clock_ms=lambda: NOW_MS,
            monotonic_s=lambda: self.s,
            settings=settings.gateway,
        )


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    """Everything works."""
    provider = SmsProvider(now_ms=lambda: NOW_MS, seed=7, secrets=SECRETS)
    async with provider.serving() as address:
        made = Town(provider, address)
        yield made
        await made.gateway.close()


def ends(sent: Sent) -> list[tuple[str, str]]:
    """Who was tried, and how it ended."""
    return [(tried.provider, tried.outcome) for tried in sent.tried]


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        (Mode.DOWN, "retryable"),
        (Mode.REFUSED, "unknown"),
        (Mode.THROTTLED, "throttled"),
        (Mode.PERMANENT, "permanent"),
    ],
)
async def test_the_second_provider_tells_the_person(town: Town, mode: Mode, outcome: str) -> None:
    """Once, with our id, whatever the first one says."""
    town.provider.behave(Service.ALIYUN_SMS, mode)
    sent = await town.gateway.send(FIRE)
    assert ends(sent) == [("aliyun", outcome), ("tencent", "accepted")]
    assert town.provider.copies() == {FIRE.id: 1}
    assert sent.accepted is not None
    assert sent.accepted.ref == town.provider.accepted[0].provider_id


async def test_a_lost_answer_costs_one_duplicate_with_the_same_id(town: Town) -> None:
    """Better told twice than not at all; by two providers, once each."""
    town.provider.behave(Service.ALIYUN_SMS, Mode.LOST_ANSWER)
    assert ends(await town.gateway.send(FIRE)) == [("aliyun", "unknown"), ("tencent", "accepted")]
    assert Counter(sms.service for sms in town.provider.accepted) == {
        Service.ALIYUN_SMS: 1,
        Service.TENCENT_SMS: 1,
    }
    assert town.provider.copies() == {FIRE.id: 2}


async def test_what_was_accepted_and_never_delivered_goes_the_other_way(town: Town) -> None:
    """The next attempt avoids the provider that kept silent."""
    town.provider.behave(Service.ALIYUN_SMS, Mode.SILENT)
    first = await town.gateway.send(FIRE)
    second = await town.gateway.send(FIRE, avoid=frozenset({"aliyun"}))
    assert (ends(first), ends(second)) == ([("aliyun", "accepted")], [("tencent", "accepted")])


async def test_with_both_away_fire_is_tried_by_both_each_time_and_calls_go_on(town: Town) -> None:
    """Open circuits hold back nothing that must not wait; the voice service is another way."""
    for service in (Service.ALIYUN_SMS, Service.TENCENT_SMS):
        town.provider.behave(service, Mode.DOWN)
    for _ in range(3):
        sent = await town.gateway.send(FIRE)
        assert sorted(ends(sent)) == [("aliyun", "retryable"), ("tencent", "retryable")]
        assert (sent.accepted, sent.retry_after_s) == (None, 5.0)
    assert town.gateway.circuits() == {
        (Channel.SMS, "aliyun"): CircuitState.OPEN,
        (Channel.SMS, "tencent"): CircuitState.OPEN,
        (Channel.VOICE, "aliyun-voice"): CircuitState.CLOSED,
    }
    waits = await town.gateway.send(replace(FIRE, kind=Kind.TROUBLE))
    assert (waits.tried, waits.retry_after_s) == ((), 30.0)
    assert ends(await town.gateway.send(CALL)) == [("aliyun-voice", "accepted")]
    for service in (Service.ALIYUN_SMS, Service.TENCENT_SMS):
        town.provider.behave(service, Mode.OK)
    assert ends(await town.gateway.send(FIRE)) == [("aliyun", "accepted")]
    assert town.provider.copies(Service.ALIYUN_SMS) == {FIRE.id: 1}
