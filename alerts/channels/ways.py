"""From settings to ways: which exist, what they lack, and the adapters themselves.

The adapters are imported when they are needed: the SDKs take a second and 40 MB.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from alerts.channels.port import Channel, Provider
from alerts.channels.settings import (
    ROBOT_TIMEOUT_S,
    AliyunSettings,
    ChannelsSettings,
    ModemSettings,
    SmtpSettings,
    Templates,
    TencentSettings,
    template_for,
)
from alerts.channels.written import Console, File
from alerts.incidents.model import Kind

log = structlog.get_logger(__name__)

_SMS: Final = ("aliyun", "tencent", "modem")


@dataclass(frozen=True, slots=True)
class Way:
    """One way as the settings describe it."""

    name: str
    channel: Channel
    missing: tuple[str, ...] = ()
    """Settings without which it cannot be used, as environment variables without the prefix."""
    unfiled: tuple[Kind, ...] = ()
    """Kinds of message that have no template: they cannot go this way."""


def survey(settings: ChannelsSettings) -> list[Way]:
    """Every way to a person that is named, in the order in which each is tried."""
    ways: list[Way] = []
    unnamed = [name for name in _SMS if name not in settings.sms_order]
    for name in (*settings.sms_order, *unnamed):
        if name == "aliyun" and settings.aliyun is not None and _texts(settings.aliyun):
            ways.append(_aliyun(settings.aliyun, "aliyun", Channel.SMS))
        if name == "tencent" and settings.tencent is not None:
            ways.append(_tencent(settings.tencent))
        if name == "modem" and settings.modem is not None:
            ways.append(Way("modem", Channel.SMS))
    if settings.aliyun is not None and settings.aliyun.tts_codes:
        ways.append(_aliyun(settings.aliyun, "aliyun-voice", Channel.VOICE))
    if settings.smtp is not None:
        ways.append(Way("smtp", Channel.EMAIL))
    if settings.robots:
        ways.append(Way("robot", Channel.ROBOT))
    return ways


def build(settings: ChannelsSettings, *, clock_ms: Callable[[], int]) -> list[Provider]:
    """The adapters of every usable way. ``clock_ms`` is UTC.

    A way that lacks a setting is left out and said so: power is cut and recorded without it.

    Raises:
        ValueError: a robot's address is none.

    """
    providers: list[Provider] = []
    for way in survey(settings):
        if way.missing:
            log.error("a way to people lacks settings", way=way.name, missing=way.missing)
        else:
            providers.append(_made(way, settings))
    if settings.reaches_people:
        return providers
    log.warning("nobody can be told: messages are only written down", file=str(settings.file))
    if settings.file is None:
        return [Console(channel) for channel in Channel]
    return [File(channel, settings.file, clock_ms) for channel in Channel]


def longest_s(settings: ChannelsSettings) -> float:
    """How long one message can be on its way through all ways of a channel, in seconds.

    A lease on a message must last longer, or it is sent twice.
    """
    longest: dict[Channel, float] = {}
    for way in survey(settings):
        turn_s = 2 * settings.gateway.patience_s  # passed over once, and tried at the end
        spent_s = turn_s + _timeout_s(way, settings)
        longest[way.channel] = longest.get(way.channel, 0.0) + spent_s
    return max(longest.values(), default=0.0)


def _timeout_s(way: Way, settings: ChannelsSettings) -> float:
    sections: dict[str, AliyunSettings | TencentSettings | ModemSettings | SmtpSettings | None] = {
        "aliyun": settings.aliyun,
        "aliyun-voice": settings.aliyun,
        "tencent": settings.tencent,
        "modem": settings.modem,
        "smtp": settings.smtp,
    }
    section = sections.get(way.name)
    return ROBOT_TIMEOUT_S if section is None else section.timeout_s


def _made(way: Way, settings: ChannelsSettings) -> Provider:
    # ruff: noqa: PLC0415 - the SDKs are imported only where they are used; see above
    if way.name == "aliyun" and settings.aliyun is not None:
        from alerts.channels.aliyun_sms import AliyunSms

        return AliyunSms(settings.aliyun)
    if way.name == "aliyun-voice" and settings.aliyun is not None:
        from alerts.channels.aliyun_voice import AliyunVoice

        return AliyunVoice(settings.aliyun)
    if way.name == "tencent" and settings.tencent is not None:
        from alerts.channels.tencent_sms import TencentSms

        return TencentSms(settings.tencent)
    if way.name == "modem" and settings.modem is not None:
        from alerts.channels.modem import Modem

        return Modem(settings.modem)
    if way.name == "smtp" and settings.smtp is not None:
        from alerts.channels.smtp import Smtp

        return Smtp(settings.smtp)
    from alerts.channels.robot import Robots

    return Robots(settings.robots)


def _texts(settings: AliyunSettings) -> bool:
    """Whether the account is for SMS; one that names only TTS codes is for calls."""
    return bool(settings.templates or settings.signature) or not settings.tts_codes


def _aliyun(settings: AliyunSettings, name: str, channel: Channel) -> Way:
    needed: dict[str, object] = {
        "ALIYUN__ACCESS_KEY_ID": settings.access_key_id,
        "ALIYUN__ACCESS_KEY_SECRET": settings.access_key_secret,
    }
    templates = settings.tts_codes
    if channel is Channel.SMS:
        templates = settings.templates
        needed |= {"ALIYUN__SIGNATURE": settings.signature, "ALIYUN__TEMPLATES": templates}
    return Way(name, channel, _lacking(needed), _unfiled(templates))


def _tencent(settings: TencentSettings) -> Way:
    needed: dict[str, object] = {
        "TENCENT__SECRET_ID": settings.secret_id,
        "TENCENT__SECRET_KEY": settings.secret_key,
        "TENCENT__SDK_APP_ID": settings.sdk_app_id,
        "TENCENT__SIGNATURE": settings.signature,
        "TENCENT__TEMPLATES": settings.templates,
    }
    return Way("tencent", Channel.SMS, _lacking(needed), _unfiled(settings.templates))


def _lacking(needed: dict[str, object]) -> tuple[str, ...]:
    return tuple(name for name, value in needed.items() if not value)


def _unfiled(templates: Templates) -> tuple[Kind, ...]:
    """Kinds without a template for Chinese, which is what most people read."""
    return tuple(kind for kind in Kind if not template_for(templates, kind, "zh"))
