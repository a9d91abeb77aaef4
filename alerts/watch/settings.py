"""Settings of the watch over the watcher. Environment: ``CHARGEWARD_WATCH__HEARTBEAT_URL`` ..."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from alerts.oncall.model import Phone

_SCHEMES = ("https://", "http://")


class WatchSettings(BaseModel):
    """Who hears that we live, and how we try ourselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    heartbeat_url: SecretStr | None = None
    """Asked each minute while all is well; whoever is behind it alarms when that stops. Secret,
    because such addresses are their own password."""
    heartbeat_method: Literal["GET", "POST"] = "GET"
    canary: bool = True
    """A synthetic station raises an alarm again and again that must reach a recipient."""
    canary_period_s: Annotated[int, Field(ge=60, le=86_400)] = 60
    canary_recipient: Phone | None = None
    """Told by each run through the real providers; None = a sandbox in this process. Mind their
    limits: of one text a number gets 50 a day, so with a number let the period be 1800 s."""
    fallback_phones: Annotated[tuple[Phone, ...], Field(max_length=10)] = ()
    """Told of our own faults, and of fire while SQL is away, where a site has nobody on duty."""

    @field_validator("heartbeat_url")
    @classmethod
    def _is_http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if not value.get_secret_value().startswith(_SCHEMES):
            msg = "must be an address that begins with https:// or http://"
            raise ValueError(msg)
        return value
