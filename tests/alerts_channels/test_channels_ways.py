"""From settings to ways: what is made of them, what is missing, what is written down instead."""

import json
import stat
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr, ValidationError

from alerts.channels.port import Accepted, Channel, Retryable
from alerts.channels.settings import (
    LIMITS,
    AliyunSettings,
    ChannelsSettings,
    Limit,
    ModemSettings,
    SmtpSettings,
    TencentSettings,
)
from alerts.channels.ways import Way, build, longest_s, survey
from alerts.channels.written import File
from alerts.incidents.model import Kind
from api.settings import Settings
from tests.alerts_channels.channels_kit import ALIYUN, FIRE, TENCENT

ALL_BUT_FIRE = tuple(kind for kind in Kind if kind is not Kind.FIRE)
EVERYTHING = ChannelsSettings(
    aliyun=ALIYUN,
    tencent=TENCENT,
    modem=ModemSettings(config=Path("/etc/gammurc"), timeout_s=20),
    smtp=SmtpSettings(host="mail", sender="a@b.cn"),
    robots={"duty": SecretStr("wecombot://12345678-1234-1234-1234-123456789abc")},
)


async def test_every_way_is_made_in_order() -> None:
    """SMS by Aliyun, Tencent and modem, calls, mail, robots."""
    providers = build(EVERYTHING, clock_ms=lambda: 0)
    assert [(p.channel, p.name) for p in providers] == [
        (Channel.SMS, "aliyun"),
        (Channel.SMS, "tencent"),
        (Channel.SMS, "modem"),
        (Channel.VOICE, "aliyun-voice"),
        (Channel.EMAIL, "smtp"),
        (Channel.ROBOT, "robot"),
    ]
    assert {p.template(Kind.FIRE, "en") for p in providers} == {"SMS_2", "1110", "", "TTS_1"}
    assert {p.template(Kind.CUT, "zh") for p in providers} == {""}
    for provider in providers:
        await provider.close()


def test_the_order_of_sms_can_be_set() -> None:
    """Those not named come after, so that none is forgotten."""
    settings = EVERYTHING.model_copy(update={"sms_order": ("modem", "tencent")})
    assert [way.name for way in survey(settings)][:3] == ["modem", "tencent", "aliyun"]
    with pytest.raises(ValidationError, match="names a way twice"):
        ChannelsSettings(sms_order=("aliyun", "aliyun"))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (ChannelsSettings(), []),
        (
            ChannelsSettings(aliyun=AliyunSettings(access_key_id=SecretStr("k"))),
            [
                Way(
                    "aliyun",
                    Channel.SMS,
                    ("ALIYUN__ACCESS_KEY_SECRET", "ALIYUN__SIGNATURE", "ALIYUN__TEMPLATES"),
                    tuple(Kind),
                )
            ],
        ),
        (
            ChannelsSettings(aliyun=AliyunSettings(tts_codes={"fire": "TTS_1"})),
            [
                Way(
                    "aliyun-voice",
                    Channel.VOICE,
                    ("ALIYUN__ACCESS_KEY_ID", "ALIYUN__ACCESS_KEY_SECRET"),
                    ALL_BUT_FIRE,
                )
            ],
        ),
        (
            ChannelsSettings(tencent=TencentSettings(secret_key=SecretStr(""))),
            [
                Way(
                    "tencent",
                    Channel.SMS,
                    (
                        "TENCENT__SECRET_ID",
                        "TENCENT__SECRET_KEY",
                        "TENCENT__SDK_APP_ID",
                        "TENCENT__SIGNATURE",
                        "TENCENT__TEMPLATES",
                    ),
                    tuple(Kind),
                )
            ],
        ),
        (
            ChannelsSettings(aliyun=ALIYUN),
            [
                Way("aliyun", Channel.SMS, (), ALL_BUT_FIRE),
                Way("aliyun-voice", Channel.VOICE, (), ALL_BUT_FIRE),
            ],
        ),
    ],
)
def test_what_is_missing(settings: ChannelsSettings, expected: list[Way]) -> None:
    """Named as the environment variable that one has to set."""
    assert survey(settings) == expected


async def test_an_incomplete_way_is_left_out_and_said_so() -> None:
    """The others work; the backend starts and cuts power all the same."""
    half = ChannelsSettings(
        aliyun=AliyunSettings(access_key_id=SecretStr("k")),
        smtp=SmtpSettings(host="mail", sender="a@b.cn"),
    )
    with structlog.testing.capture_logs() as logs:
        providers = build(half, clock_ms=lambda: 0)
    assert [p.name for p in providers] == ["smtp"]
    [said] = logs
    assert (said["log_level"], said["way"]) == ("error", "aliyun")
    assert said["missing"][0] == "ALIYUN__ACCESS_KEY_SECRET"


async def test_without_any_way_messages_are_only_logged_and_it_says_so() -> None:
    """Loudly, at the start and for every message."""
    with structlog.testing.capture_logs() as logs:
        providers = build(ChannelsSettings(), clock_ms=lambda: 0)
        accepted = await providers[0].send(FIRE)
    assert [(p.name, p.channel) for p in providers] == [("console", c) for c in Channel]
    assert accepted == Accepted(None, receipts=False)
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("warning", "nobody can be told: messages are only written down"),
        ("warning", "nobody was told"),
    ]
    assert (logs[1]["address"], logs[1]["text"]) == (FIRE.address, FIRE.text)


async def test_the_file_takes_a_line_a_message(tmp_path: Path) -> None:
    """Whole, in order, for its owner's eyes only."""
    path = tmp_path / "messages.jsonl"
    providers = build(ChannelsSettings(file=path), clock_ms=lambda: 1_790_000_000_000)
    assert [(p.name, p.channel) for p in providers] == [("file", c) for c in Channel]
    for provider in providers[:2]:
        assert await provider.send(FIRE) == Accepted(None, receipts=False)
        await provider.close()
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    line = {
        "at_ms": 1_790_000_000_000,
        "id": FIRE.id,
        "kind": "fire",
        "channel": "sms",
        "address": FIRE.address,
        "lang": "zh",
        "title": FIRE.title,
        "text": FIRE.text,
        "params": dict(FIRE.params),
    }
    assert lines == [line, line]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """Later perhaps; it is not taken for told."""
    way = File(Channel.SMS, tmp_path / "nowhere" / "messages.jsonl", lambda: 0)
    with pytest.raises(Retryable, match="disk: FileNotFoundError"):
        await way.send(FIRE)


def test_a_file_never_stands_behind_a_provider() -> None:
    """It would take what the provider refused, and nobody would be told."""
    with pytest.raises(ValidationError, match="for sites without another way"):
        ChannelsSettings(file=Path("x"), aliyun=ALIYUN)


def test_how_long_a_message_can_be_on_its_way() -> None:
    """All SMS ways one after the other, each with its turn and its time-out."""
    assert longest_s(EVERYTHING) == 3 * 2 + 2 + 2 + 20
    assert longest_s(ChannelsSettings()) == 0
    assert longest_s(ChannelsSettings(robots={"duty": SecretStr("json://x")})) == 2 + 4


def test_limits_are_the_providers_unless_set() -> None:
    """A line of the settings replaces the provider's."""
    own = Limit(count=500, window_s=86_400)
    settings = ChannelsSettings(limits={"tencent": (own,)})
    assert settings.limits_of("tencent") == (own,)
    assert settings.limits_of("aliyun") == LIMITS["aliyun"]
    assert settings.limits_of("modem") == ()


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable an entry, or JSON; secrets show nowhere."""
    values = {
        "ALIYUN__ACCESS_KEY_ID": "LTAI-key-id",
        "ALIYUN__ACCESS_KEY_SECRET": "aliyun-key-secret",
        "ALIYUN__SIGNATURE": "安充消防",
        "ALIYUN__TEMPLATES__FIRE": "SMS_1",
        "ALIYUN__TTS_CODES": '{"fire": "TTS_1", "fire.en": "TTS_2"}',
        "ROBOTS__DUTY": "dingtalk://SECdeadbeef@token",
        "LIMITS": '{"tencent": [{"count": 100, "window_s": 86400}]}',
        "BUDGET__CALLS": "40",
        "SMS_ORDER": '["tencent", "aliyun"]',
    }
    for name, value in values.items():
        monkeypatch.setenv(f"CHARGEWARD_CHANNELS__{name}", value)
    settings = Settings().channels
    assert settings.aliyun is not None
    assert settings.aliyun.templates == {"fire": "SMS_1"}
    assert settings.aliyun.tts_codes == {"fire": "TTS_1", "fire.en": "TTS_2"}
    assert settings.robots["duty"].get_secret_value() == "dingtalk://SECdeadbeef@token"
    assert settings.limits_of("tencent") == (Limit(count=100, window_s=86_400),)
    assert (settings.budget.calls, settings.sms_order) == (40, ("tencent", "aliyun"))
    assert not any(secret in repr(settings) for secret in ("LTAI", "key-secret", "deadbeef"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALIYUN__TEMPLATES__FIER", "SMS_1"),
        ("ALIYUN__SMS_ENDPOINT", "https://dysmsapi.aliyuncs.com"),
        ("ALIYUN__SIGNATURE", "【安充】"),
        ("ALIYUN__KEY", "x"),
        ("TENCENT__SCHEME", "ftp"),
        ("GATEWAY__CONCURRENCY", "0"),
        ("PIGEON__HOST", "x"),
    ],
)
def test_a_slip_of_the_pen_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """At the start, not at the first fire."""
    monkeypatch.setenv(f"CHARGEWARD_CHANNELS__{name}", value)
    with pytest.raises(ValidationError):
        Settings()
