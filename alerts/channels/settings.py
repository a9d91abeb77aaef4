"""Which ways to people exist, and what may be sent by them. Held by the product's settings.

Environment variables name a section and a field, for example
``CHARGEWARD_CHANNELS__ALIYUN__ACCESS_KEY_ID``; tables are JSON objects or one variable an entry:
``CHARGEWARD_CHANNELS__ALIYUN__TEMPLATES__FIRE=SMS_123``.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from alerts.incidents.model import Kind

_KINDS: Final = "|".join(kind.value for kind in Kind)
TemplateKey = Annotated[str, StringConstraints(pattern=rf"^({_KINDS})(\.(zh|en))?$")]
"""``fire`` for every language, ``fire.en`` for one."""
Templates = dict[TemplateKey, Annotated[str, StringConstraints(min_length=1, max_length=64)]]
Endpoint = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+(:\d{1,5})?$")]
"""Host, or host:port, without a scheme."""
Signature = Annotated[str, StringConstraints(max_length=20, pattern=r"^[^【】]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
ROBOT_TIMEOUT_S: Final = 4.0
Seconds = Annotated[float, Field(gt=0, le=120)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AliyunSettings(_Section):
    """An account with Aliyun: SMS where ``templates`` are named, calls where ``tts_codes`` are."""

    access_key_id: SecretStr | None = None
    access_key_secret: SecretStr | None = None
    region: str = "cn-hangzhou"
    scheme: Literal["https", "http"] = "https"
    sms_endpoint: Endpoint = "dysmsapi.aliyuncs.com"
    voice_endpoint: Endpoint = "dyvmsapi.aliyuncs.com"
    signature: Signature = ""
    templates: Templates = {}
    tts_codes: Templates = {}
    called_show_number: str | None = None
    """The number people see; empty where calls go out by the provider's public numbers."""
    play_times: int = Field(default=2, ge=1, le=3)
    receipts: bool = True
    """Whether the provider was told our call-back address."""
    timeout_s: Seconds = 4.0


class TencentSettings(_Section):
    """An account with Tencent Cloud for SMS."""

    secret_id: SecretStr | None = None
    secret_key: SecretStr | None = None
    sdk_app_id: str = ""
    region: str = "ap-guangzhou"
    scheme: Literal["https", "http"] = "https"
    endpoint: Endpoint = "sms.tencentcloudapi.com"
    signature: Signature = ""
    templates: Templates = {}
    variables: dict[TemplateKey, str] = {}
    """The variables in the order of a template's {1}, {2} ..., separated by commas, where it was
    not filed as ``chargeward texts`` prints it."""
    receipts: bool = True
    timeout_s: Seconds = 4.0


class ModemSettings(_Section):
    """A GSM modem on this machine, driven by gammu, for sites without internet."""

    config: Path
    """A gammurc file: device and connection."""
    section: int = Field(default=0, ge=0, le=99)
    """0 = ``[gammu]``, n = ``[gammuN]``."""
    program: str = "gammu"
    timeout_s: Seconds = 30.0
    """A modem is slow: several seconds for each segment are usual."""


class SmtpSettings(_Section):
    """A mail server."""

    host: str
    port: int = Field(default=465, ge=1, le=65535)
    tls: Literal["tls", "starttls", "none"] = "tls"
    user: str | None = None
    password: SecretStr | None = None
    sender: Annotated[str, StringConstraints(pattern=r"^[^@\s<>]+@[^@\s<>]+$")]
    timeout_s: Seconds = 10.0

    @model_validator(mode="after")
    def _user_with_password(self) -> Self:
        if (self.user is None) is not (self.password is None):
            msg = "smtp needs both user and password, or neither"
            raise ValueError(msg)
        return self


class Per(StrEnum):
    """What a limit counts together, always for one address."""

    ADDRESS = "address"
    TEMPLATE = "template"  # the same signature and template
    CONTENT = "content"  # the same text


class Limit(_Section):
    """At most ``count`` accepted messages in any ``window_s`` seconds.

    ``reserve`` of them are kept for fire and for a cut that failed.
    """

    count: int = Field(ge=1)
    window_s: int = Field(ge=1, le=31 * 86_400)
    per: Per = Per.ADDRESS
    reserve: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _reserve_within(self) -> Self:
        if self.reserve >= self.count:
            msg = f"a reserve of {self.reserve} leaves nothing of {self.count}"
            raise ValueError(msg)
        return self


LIMITS: Final[dict[str, tuple[Limit, ...]]] = {
    # What the providers allow an account by default; higher ones can be agreed with them.
    "aliyun": (Limit(count=50, window_s=86_400, per=Per.TEMPLATE, reserve=10),),
    "tencent": (
        Limit(count=1, window_s=30, per=Per.CONTENT),
        Limit(count=10, window_s=86_400, per=Per.ADDRESS, reserve=3),
    ),
    "aliyun-voice": (
        Limit(count=1, window_s=60),
        Limit(count=5, window_s=3_600, reserve=1),
        Limit(count=20, window_s=86_400, reserve=5),
    ),
    "robot": (Limit(count=20, window_s=60, reserve=5),),
}
"""By provider; what the settings name for a provider replaces its line here."""


class BudgetSettings(_Section):
    """What messages may cost in any 24 hours. It never holds back a fire."""

    segments: int = Field(default=2_000, ge=1)
    calls: int = Field(default=300, ge=1)


class GatewaySettings(_Section):
    """How ways are tried."""

    concurrency: int = Field(default=8, ge=1, le=64)
    """Messages handed to one provider at the same time; as many again for fire."""
    patience_s: float = Field(default=1.0, gt=0, le=60)
    """How long a message waits for its turn with a busy provider before it goes the next way."""
    fails: int = Field(default=3, ge=1)
    """Failures in a row after which a provider is left alone ..."""
    pause_s: float = Field(default=30.0, gt=0, le=3_600)
    """... for so long."""
    retry_s: float = Field(default=5.0, gt=0, le=3_600)
    """When to try again what no way took, unless a limit says more."""


class ChannelsSettings(_Section):
    """Every way to people. Nothing set = messages are only written down, and it says so."""

    aliyun: AliyunSettings | None = None
    tencent: TencentSettings | None = None
    modem: ModemSettings | None = None
    smtp: SmtpSettings | None = None
    robots: dict[Name, SecretStr] = {}
    """Group robots by name: apprise URLs such as ``dingtalk://secret@token``."""
    file: Path | None = None
    """Where messages are written, one JSON line each, by a site without any other way."""
    sms_order: tuple[Literal["aliyun", "tencent", "modem"], ...] = ("aliyun", "tencent", "modem")
    """Which SMS way is tried first; those not named come after."""
    limits: dict[Name, tuple[Limit, ...]] = {}
    budget: BudgetSettings = BudgetSettings()
    gateway: GatewaySettings = GatewaySettings()

    @model_validator(mode="after")
    def _file_alone(self) -> Self:
        if self.file is not None and self.reaches_people:
            # A file takes everything: behind a provider it would hide that nobody was told.
            msg = "file is for sites without another way: unset it, or all the others"
            raise ValueError(msg)
        if len(set(self.sms_order)) != len(self.sms_order):
            msg = "sms_order names a way twice"
            raise ValueError(msg)
        return self

    @property
    def reaches_people(self) -> bool:
        """Whether any way to people is named."""
        named = (self.aliyun, self.tencent, self.modem, self.smtp)
        return bool(self.robots) or any(section is not None for section in named)

    def limits_of(self, provider: str) -> tuple[Limit, ...]:
        """What holds for one provider; empty = nothing is counted."""
        return self.limits.get(provider, LIMITS.get(provider, ()))


def template_for(templates: Templates, kind: Kind, lang: str) -> str:
    """The template of a kind in a language, else the kind's; empty = none."""
    return templates.get(f"{kind.value}.{lang}", templates.get(kind.value, ""))
