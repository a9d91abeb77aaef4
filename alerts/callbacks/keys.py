"""Who may say that something came back: a key in the call-back's address, one per account.

Neither provider signs its HTTP call-backs, so the address itself is the secret (ADR 0017).
"""

import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

MIN_CHARS: Final = 32
"""At 4 bits per character, which hexadecimal ones have, 128 bits."""
_WELL_FORMED: Final = re.compile(rf"[A-Za-z0-9_-]{{{MIN_CHARS},128}}")
_FEWEST_DIFFERENT: Final = 8


class Service(StrEnum):
    """What call-backs are about; the word in their address."""

    ALIYUN_SMS = "aliyun_sms"
    ALIYUN_VOICE = "aliyun_voice"
    TENCENT_SMS = "tencent_sms"


class CallbackSettings(BaseModel):
    """The keys; an account without one takes no call-backs: every key is wrong."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    aliyun_key: SecretStr | None = None
    tencent_key: SecretStr | None = None

    @field_validator("aliyun_key", "tencent_key")
    @classmethod
    def _strong(cls, given: SecretStr | None) -> SecretStr | None:
        key = "" if given is None else given.get_secret_value()
        if not key:
            return None
        if not _WELL_FORMED.fullmatch(key) or len(set(key)) < _FEWEST_DIFFERENT:
            msg = (
                f"a call-back key has {MIN_CHARS} to 128 random characters of A-Z a-z 0-9 _ -; "
                "make one with: openssl rand -hex 24"
            )
            raise ValueError(msg)
        return given


@dataclass(frozen=True, slots=True)
class CallbackKeys:
    """The keys by service."""

    keys: dict[Service, str]

    @classmethod
    def of(cls, settings: CallbackSettings) -> Self:
        """Both services of Aliyun have one account, hence one key."""
        given = {
            Service.ALIYUN_SMS: settings.aliyun_key,
            Service.ALIYUN_VOICE: settings.aliyun_key,
            Service.TENCENT_SMS: settings.tencent_key,
        }
        return cls({s: k.get_secret_value() for s, k in given.items() if k is not None})

    def right(self, service: str, key: str) -> Service | None:
        """The service, when that is its key; compared in constant time."""
        for known, own in self.keys.items():
            if known == service:
                same = hmac.compare_digest(own.encode(), key.encode("utf-8", "replace"))
                return known if same else None
        return None
