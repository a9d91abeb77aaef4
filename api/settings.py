"""Settings of the whole product: one section per room, read once, unknown names refused.

Environment variables are ``CHARGEWARD_`` + section + ``__`` + field, for example
``CHARGEWARD_MQTT__HOST``. No file is read: ``.env`` belongs to docker compose.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from alerts.callbacks.keys import CallbackSettings
from alerts.channels.settings import ChannelsSettings
from alerts.desk.settings import AlertsSettings
from alerts.drills.plans import DrillsSettings
from alerts.evidence.stills import CameraSettings
from alerts.watch.settings import WatchSettings
from iot.mqtt import MqttSettings

MiB = 1024 * 1024


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DatabaseSettings(_Section):
    """Where what people act on is kept; empty = SQLite in the data directory."""

    url: str | None = Field(
        default=None, pattern=r"^(sqlite(\+aiosqlite)?|postgresql(\+asyncpg)?)://"
    )


class TelemetrySettings(_Section):
    """Where readings are kept: embedded in the data directory, or InfluxDB 2 by URL."""

    kind: Literal["embedded", "influx"] = "embedded"
    url: str = Field(default="http://127.0.0.1:8086", pattern=r"^https?://")
    token: SecretStr | None = None
    org: str = "chargeward"
    bucket: str = "telemetry"
    retention_days: int = Field(default=400, ge=1, le=3660)
    spool_mib: int = Field(default=2048, ge=64, le=1_000_000)
    memory_mib: int = Field(default=256, ge=64, le=65_536)

    @model_validator(mode="after")
    def _token_for_influx(self) -> Self:
        if self.kind == "influx" and (self.token is None or not self.token.get_secret_value()):
            msg = "kind influx needs a token (CHARGEWARD_TELEMETRY__TOKEN)"
            raise ValueError(msg)
        return self


class ApiSettings(_Section):
    """The HTTP side."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    open_reads: bool = False


class PaperSettings(_Section):
    """What evidence and reports are printed with."""

    font: Annotated[Path | None, BeforeValidator(lambda given: given or None)] = None
    """A TrueType font or collection with Chinese; None = what is found on the machine."""


class Settings(BaseSettings):
    """Everything an operator may set."""

    model_config = SettingsConfigDict(
        env_prefix="CHARGEWARD_",
        env_nested_delimiter="__",
        extra="forbid",
        hide_input_in_errors=True,  # it may be a secret
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Path("var")
    sites: str = Field(default="", description="site files, separated by commas")
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    snapshot_s: float = Field(default=30.0, ge=1, le=3600)
    mqtt: MqttSettings = MqttSettings()
    database: DatabaseSettings = DatabaseSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    api: ApiSettings = ApiSettings()
    channels: ChannelsSettings = ChannelsSettings()
    callbacks: CallbackSettings = CallbackSettings()
    alerts: AlertsSettings = AlertsSettings()
    watch: WatchSettings = WatchSettings()
    drills: DrillsSettings = DrillsSettings()
    cameras: CameraSettings = CameraSettings()
    paper: PaperSettings = PaperSettings()
    people: str = Field(default="", description="people files, separated by commas")

    @property
    def database_url(self) -> str:
        """The SQL database's URL."""
        default = f"sqlite+aiosqlite:///{(self.data_dir / 'chargeward.db').absolute()}"
        return self.database.url or default

    @property
    def site_files(self) -> list[Path]:
        """The site files named in ``sites``."""
        return _paths(self.sites)

    @property
    def people_files(self) -> list[Path]:
        """The people files named in ``people``."""
        return _paths(self.people)


def _paths(text: str) -> list[Path]:
    return [Path(part.strip()) for part in text.split(",") if part.strip()]
