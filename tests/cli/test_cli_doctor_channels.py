"""What ``chargeward doctor`` says of the ways to people."""

import shutil
from pathlib import Path

import pytest
from pydantic import SecretStr

from alerts.channels.settings import (
    AliyunSettings,
    ChannelsSettings,
    ModemSettings,
    TencentSettings,
)
from alerts.incidents.model import Kind
from api.cli.channel_checks import channels
from api.cli.diagnosis import State

ALL = {kind.value: f"T_{number}" for number, kind in enumerate(Kind)}
ALIYUN = AliyunSettings(
    access_key_id=SecretStr("the-key"),
    access_key_secret=SecretStr("the-secret"),
    signature="安充",
    templates=ALL,
    tts_codes=ALL,
)
TENCENT = TencentSettings(
    secret_id=SecretStr("the-key"),
    secret_key=SecretStr("the-secret"),
    sdk_app_id="1",
    signature="安充",
    templates=ALL,
)


async def test_two_ways_and_calls_are_fine() -> None:
    """Nothing to do."""
    check = await channels(ChannelsSettings(aliyun=ALIYUN, tencent=TENCENT))
    assert (check.state, check.found, check.advice) == (
        State.OK,
        "SMS: aliyun, tencent; calls: aliyun-voice; mail: none; robots: none",
        "",
    )


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        (ChannelsSettings(), "the log"),
        (ChannelsSettings(file=Path("/tmp/m.jsonl")), "the file /tmp/m.jsonl"),  # noqa: S108
    ],
)
async def test_nobody_can_be_told(settings: ChannelsSettings, where: str) -> None:
    """It says so in capitals: alarms would go nowhere."""
    check = await channels(settings)
    assert check.state is State.WARN
    assert check.found == f"NOBODY CAN BE TOLD: messages are only written to {where}"
    assert "CHARGEWARD_CHANNELS__ALIYUN__" in check.advice


@pytest.mark.parametrize(
    ("settings", "state", "found", "advice"),
    [
        (
            ChannelsSettings(aliyun=ALIYUN),
            State.WARN,
            "only one SMS way",
            "one that fails must not silence everything",
        ),
        (
            ChannelsSettings(tencent=TENCENT),
            State.WARN,
            "nobody can be called",
            "CHARGEWARD_CHANNELS__ALIYUN__TTS_CODES",
        ),
        (
            ChannelsSettings(robots={"duty": SecretStr("wecombot://the-secret")}),
            State.WARN,
            "no SMS",
            "second SMS way",
        ),
        (
            ChannelsSettings(
                aliyun=ALIYUN.model_copy(update={"signature": "", "access_key_secret": None}),
                tencent=TENCENT,
            ),
            State.FAIL,
            "aliyun cannot be used",
            "ALIYUN__ACCESS_KEY_SECRET, CHARGEWARD_CHANNELS__ALIYUN__SIGNATURE.",
        ),
        (
            ChannelsSettings(
                aliyun=ALIYUN,
                tencent=TENCENT.model_copy(
                    update={"templates": {k: v for k, v in ALL.items() if k != "link"}}
                ),
            ),
            State.WARN,
            "tencent has no template for link",
            "chargeward texts",
        ),
        (
            ChannelsSettings(
                aliyun=ALIYUN,
                tencent=TENCENT.model_copy(update={"scheme": "http", "endpoint": "sms.example:80"}),
            ),
            State.WARN,
            "sms.example:80 is spoken to without encryption",
            "https",
        ),
        (
            ChannelsSettings(
                aliyun=ALIYUN,
                modem=ModemSettings(config=Path("/no/gammurc"), program="gammu-of-nobody"),
            ),
            State.FAIL,
            "the modem needs gammu-of-nobody, which is not installed; there is no /no/gammurc",
            "apt-get install gammu",
        ),
    ],
)
async def test_what_is_weak_or_broken(
    settings: ChannelsSettings, state: State, found: str, advice: str
) -> None:
    """Broken fails, weak warns; each with what to do, none with a secret."""
    check = await channels(settings)
    assert check.state is state
    assert found in check.found
    assert advice in check.advice
    assert "the-secret" not in f"{check}"


async def test_a_simulated_provider_on_this_machine_needs_no_encryption(tmp_path: Path) -> None:
    """Loopback is loopback; and a modem with its file and program is fine."""
    (tmp_path / "gammurc").write_text("[gammu]\n")
    modem = ModemSettings(config=tmp_path / "gammurc", program=shutil.which("sh") or "sh")
    here = {"scheme": "http", "sms_endpoint": "127.0.0.1:9", "voice_endpoint": "localhost:9"}
    check = await channels(ChannelsSettings(aliyun=ALIYUN.model_copy(update=here), modem=modem))
    assert (check.state, check.found) == (
        State.OK,
        "SMS: aliyun, modem; calls: aliyun-voice; mail: none; robots: none",
    )
