"""What is shipped for production: pinned, bounded, and without a single default secret."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from api.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
ENV_EXAMPLE = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:[-?])([^}]*))?\}")
REQUIRED = set(re.findall(r"(?<!\$)\$\{(\w+):\?", COMPOSE))


class MissingError(Exception):
    """A required variable has no value."""


def composed(values: dict[str, str]) -> Any:
    """The compose file with its variables replaced as docker compose replaces them."""

    def replace(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        value = values.get(name, "")
        if not value and kind == ":?":
            raise MissingError(name)
        return value or (rest if kind == ":-" else "")

    return yaml.safe_load(VARIABLE.sub(replace, COMPOSE).replace("$$", "$"))


FILLED = {name: f"x-{name.lower().replace('_', '-')}" for name in REQUIRED}
SERVICES = composed(FILLED)["services"]


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_it_refuses_to_start_without_each_value(name: str) -> None:
    """Absent or empty, the variable is named."""
    with pytest.raises(MissingError, match=name):
        composed(FILLED | {name: ""})


def test_what_is_required_is_explained_and_has_no_default() -> None:
    """The example lists exactly the required values, all empty, so a mere copy starts nothing."""
    given = dict(re.findall(r"^(\w+)=(.*)$", ENV_EXAMPLE, re.MULTILINE))
    assert given == dict.fromkeys(REQUIRED, "")
    with pytest.raises(MissingError):
        composed(given)


def test_no_secret_is_written_into_the_file() -> None:
    """Every password, token and key comes from the environment."""
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET", key):
                assert str(value).startswith("x-"), f"{name}: {key}"


def test_images_are_pinned_to_a_patch_release() -> None:
    """No moving tag, in the compose file or the Dockerfile."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert len(images) == 7
    for image in images:
        assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z-]+)?$", image), image


def test_services_are_watched_restarted_and_confined() -> None:
    """Each long-running one has a health check and no more privileges than it needs."""
    for name, service in SERVICES.items():
        if name == "mosquitto-secrets":
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        assert "healthcheck" in service or service.get("build") == ".", name
    for name in ("mosquitto", "postgres", "influxdb"):
        assert SERVICES["app"]["depends_on"][name] == {"condition": "service_healthy"}


def test_only_the_stations_port_leaves_the_machine() -> None:
    """The stores are on an internal network; the API is on loopback, for a reverse proxy."""
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {
        "mosquitto": [f"{FILLED['STATIONS_ADDRESS']}:8883:8883"],
        "app": ["127.0.0.1:8000:8000"],
    }
    networks = composed(FILLED)["networks"]
    assert networks["stores"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == SERVICES["influxdb"]["networks"] == ["stores"]


def test_every_mounted_file_exists_and_every_volume_is_declared() -> None:
    """A wrong path would be mounted as an empty directory, without a word."""
    volumes = composed(FILLED)["volumes"]
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
            else:
                assert source in volumes, source


def test_the_backend_accepts_what_compose_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names and values are settings of ours, and lead to the other services."""
    for key, value in SERVICES["app"]["environment"].items():
        monkeypatch.setenv(key, "" if value is None else str(value))  # YAML's nothing is empty
    settings = Settings(_env_file=None)
    assert settings.mqtt.host in SERVICES
    assert settings.mqtt.password is not None
    assert settings.mqtt.password.get_secret_value() == FILLED["CHARGEWARD_MQTT__PASSWORD"]
    assert settings.database_url.startswith("postgresql+asyncpg://chargeward:")
    assert settings.telemetry.kind == "influx"
    assert settings.telemetry.url == "http://influxdb:8086"
    assert settings.telemetry.token is not None
    assert settings.api.open_reads is False


def test_every_setting_is_in_the_example() -> None:
    """An operator finds each name there, and no name that does not exist."""
    listed = set(re.findall(r"^#?(CHARGEWARD_\w+)=", ENV_EXAMPLE, re.MULTILINE))
    assert listed - {"CHARGEWARD_PORT"} == set(named("CHARGEWARD", Settings, "_"))


def named(prefix: str, model: type[BaseModel], joint: str = "__") -> Iterator[str]:
    """The environment variables of a section and of the sections in it."""
    for name, field in model.model_fields.items():
        full = f"{prefix}{joint}{name.upper()}"
        either = isinstance(field.annotation, UnionType)  # ``Section | None``
        kinds = get_args(field.annotation) if either else (field.annotation,)
        sections = [kind for kind in kinds if isinstance(kind, type)]
        sections = [kind for kind in sections if issubclass(kind, BaseModel)]
        yield from named(full, sections[0]) if sections else [full]


def test_the_image_is_built_from_hashes_and_runs_without_root() -> None:
    """Two stages, pinned dependencies, a user of its own, a health check."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    build, _, final = text.rpartition("\nFROM ")
    assert "--require-hashes -r requirements.txt" in build
    assert "pip install" not in final
    assert re.search(r"^USER chargeward$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert "/livez" in final
    copied = set(re.findall(r"^COPY (\w+) \1$", build, re.MULTILINE))
    assert copied == {"alerts", "api", "devices", "iot", "rules", "simulators"}
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in copied} <= set(allowed)
