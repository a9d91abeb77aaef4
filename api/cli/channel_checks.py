"""What the doctor says of the ways to people. Nothing is sent, nobody is asked."""

import shutil
from typing import Final

from alerts.channels.port import Channel
from alerts.channels.settings import ChannelsSettings
from alerts.channels.ways import Way, survey
from alerts.incidents.model import Kind
from api.cli.diagnosis import Check, State

NAME: Final = "channels"
_PREFIX: Final = "CHARGEWARD_CHANNELS__"
_WORDS: Final = {
    Channel.SMS: "SMS",
    Channel.VOICE: "calls",
    Channel.EMAIL: "mail",
    Channel.ROBOT: "robots",
}
_HERE: Final = ("127.0.0.1", "localhost")


async def channels(settings: ChannelsSettings) -> Check:
    """Which ways to people exist, which lack something, and whether one failure silences all."""
    ways = survey(settings)
    if not ways:
        where = "the log" if settings.file is None else f"the file {settings.file}"
        return Check(
            NAME,
            State.WARN,
            f"NOBODY CAN BE TOLD: messages are only written to {where}",
            "Set up at least one SMS provider (CHARGEWARD_CHANNELS__ALIYUN__..., __TENCENT__...) "
            "or a modem; deploy/env.example lists what each needs.",
        )
    broken = [*_lacking(ways), *_no_gammu(settings)]
    weak = [*_alone(ways), *_unfiled(ways), *_open_lines(settings)]
    found = "; ".join([_listed(ways), *(said for said, _ in broken + weak)])
    advice = " ".join(dict.fromkeys(told for _, told in broken + weak))
    state = State.FAIL if broken else State.WARN if weak else State.OK
    return Check(NAME, state, found, advice)


def _listed(ways: list[Way]) -> str:
    usable = [way for way in ways if not way.missing]
    parts = []
    for channel, word in _WORDS.items():
        names = [way.name for way in usable if way.channel is channel]
        parts.append(f"{word}: {', '.join(names) or 'none'}")
    return "; ".join(parts)


def _lacking(ways: list[Way]) -> list[tuple[str, str]]:
    return [
        (
            f"{way.name} cannot be used",
            f"Set {', '.join(_PREFIX + name for name in way.missing)}.",
        )
        for way in ways
        if way.missing
    ]


def _no_gammu(settings: ChannelsSettings) -> list[tuple[str, str]]:
    if settings.modem is None:
        return []
    wrong = []
    if shutil.which(settings.modem.program) is None:
        said = f"the modem needs {settings.modem.program}, which is not installed"
        wrong.append((said, "Install it (Debian: `apt-get install gammu`)."))
    if not settings.modem.config.is_file():
        said = f"there is no {settings.modem.config}"
        wrong.append((said, "Write the modem's gammurc (`gammu-config`)."))
    return wrong


def _alone(ways: list[Way]) -> list[tuple[str, str]]:
    usable = [way.channel for way in ways if not way.missing]
    weak = []
    if usable.count(Channel.SMS) <= 1:
        said = ("no SMS", "only one SMS way")[usable.count(Channel.SMS)]
        weak.append((said, "Set up a second SMS way: one that fails must not silence everything."))
    if Channel.VOICE not in usable:
        weak.append(("nobody can be called", "Set up CHARGEWARD_CHANNELS__ALIYUN__TTS_CODES."))
    return weak


def _unfiled(ways: list[Way]) -> list[tuple[str, str]]:
    return [
        (
            f"{way.name} has no template for {_kinds(way.unfiled)}",
            "File the templates that `chargeward texts` prints, and name their codes.",
        )
        for way in ways
        if way.unfiled and not way.missing
    ]


def _open_lines(settings: ChannelsSettings) -> list[tuple[str, str]]:
    """Providers that would be spoken to without encryption beyond this machine."""
    lines = []
    if settings.aliyun is not None and settings.aliyun.scheme == "http":
        lines += [settings.aliyun.sms_endpoint, settings.aliyun.voice_endpoint]
    if settings.tencent is not None and settings.tencent.scheme == "http":
        lines.append(settings.tencent.endpoint)
    return [
        (f"{line} is spoken to without encryption", "Use scheme https with a real provider.")
        for line in lines
        if line.partition(":")[0] not in _HERE
    ]


def _kinds(kinds: tuple[Kind, ...]) -> str:
    return ", ".join(kind.value for kind in kinds)
