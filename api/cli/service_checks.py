"""What the doctor asks other programs: broker, telemetry store, our own API."""

import os
from collections.abc import Mapping
from typing import Any, Final

import httpx

from api.cli.diagnosis import ASK_S, Check, State
from api.cli.telemetry_store import NoStore, StoreInUse, opened
from api.clock import SystemClock
from api.health import Trouble
from api.settings import MiB, Settings
from api.texts import text
from iot.mqtt import LinkError, LinkTrouble, MqttSettings, Session
from iot.store import StoreError, StoreHealth

_RIGHTS: Final = (
    "It lets this user in and not at our messages: its access list must allow reading and "
    "writing chargeward/# (deploy/acl). A station's credential is not enough."
)
_BROKER_ADVICE: Final = {
    LinkTrouble.UNREACHABLE: "Start the broker (`docker compose up -d mosquitto`), or correct "
    "CHARGEWARD_MQTT__HOST, __PORT and, with TLS, __CA_FILE.",
    LinkTrouble.REFUSED: "Set CHARGEWARD_MQTT__USERNAME and CHARGEWARD_MQTT__PASSWORD to a user "
    "of the broker (with compose: the password in .env).",
    LinkTrouble.CLOSED: _RIGHTS,
    LinkTrouble.SILENT: _RIGHTS,
}


async def broker(settings: MqttSettings) -> Check:
    """Whether a message to oneself goes through the broker with the server's credential."""
    clock = SystemClock()
    where = f"{settings.host}:{settings.port}"
    impatient = settings.model_copy(
        update={"connect_timeout_s": min(settings.connect_timeout_s, ASK_S)}
    )
    session = Session(
        impatient,
        f"doctor-{os.getpid()}",  # a lane of its own: the server's sessions are not disturbed
        [],
        clock_ms=clock.utc_ms,
        monotonic_s=clock.monotonic_s,
    )
    try:
        took_s = await session.round_trip_s(ASK_S / 2)
    except LinkError as error:
        advice = _BROKER_ADVICE[error.trouble]
        return Check("broker", State.FAIL, f"{where}: {error}", advice)
    return Check("broker", State.OK, f"{where}: a message went there and back in {took_s:.3f} s")


async def telemetry(settings: Settings) -> Check:
    """Whether the telemetry store could be used; opens it the way the server does."""
    name = "telemetry store"
    try:
        async with opened(settings, query_timeout_s=ASK_S) as store:
            return _judge_store(settings, await store.health())
    except StoreInUse:
        return Check(name, State.OK, "in use by the running server")
    except NoStore:
        return Check(name, State.OK, "nothing is stored yet")
    except StoreError as error:
        return Check(name, State.FAIL, str(error), _store_advice(settings))


def _judge_store(settings: Settings, health: StoreHealth) -> Check:
    name = "telemetry store"
    if not health.ok:
        return Check(name, State.FAIL, health.detail, _store_advice(settings))
    if health.bytes_used is None:
        where = f"bucket {settings.telemetry.bucket} at {settings.telemetry.url}"
        return Check(name, State.OK, f"{where} can be read")
    return Check(name, State.OK, f"{health.bytes_used / MiB:,.1f} MiB stored")


def _store_advice(settings: Settings) -> str:
    if settings.telemetry.kind == "influx":
        return (
            "Start InfluxDB, or correct CHARGEWARD_TELEMETRY__URL, __TOKEN, __ORG and __BUCKET. "
            "Alarms and cuts go on meanwhile; frames wait in the journal."
        )
    return (
        f"Look at {settings.data_dir.absolute() / 'telemetry'}: a file set aside as .damaged can "
        "be restored from a backup, or deleted with the readings of its days. New frames are "
        "stored beside it."
    )


async def api(settings: Settings) -> Check:
    """What a running server says of itself."""
    name = "server"
    if settings.api.port == 0:
        return Check(name, State.OK, "takes any free port, so it cannot be asked here")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.api.host, settings.api.host)  # noqa: S104 - not bound, replaced
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.api.port}/readyz"
    try:
        async with httpx.AsyncClient(timeout=ASK_S, trust_env=False) as client:
            answer = await client.get(url)
    except httpx.ConnectError:
        return Check(
            name, State.WARN, f"no server answers at {url}", "Start it: `chargeward serve`."
        )
    except httpx.HTTPError as error:
        return Check(
            name,
            State.FAIL,
            f"{url}: {type(error).__name__}",
            "The server hangs, or another program has the port: look at the server's log, restart "
            "it, or change CHARGEWARD_API__PORT.",
        )
    return _judge_ready(url, answer)


def _judge_ready(url: str, answer: httpx.Response) -> Check:
    try:
        told = answer.json()
        ready, reasons = bool(told["ready"]), [in_words(reason) for reason in told["reasons"]]
        waiting = int(told["drain_frames"])
    except (ValueError, KeyError, TypeError):
        return Check(
            "server",
            State.FAIL,
            f"{url} is answered by another program (status {answer.status_code})",
            "End that program, or give the server another port by CHARGEWARD_API__PORT.",
        )
    if reasons:
        return Check(
            "server",
            State.WARN if ready else State.FAIL,
            f"{'ready' if ready else 'not ready'}: {'; '.join(reasons)}",
            "Act on the other lines of this list first; if they are fine, look at the server's "
            "log and restart it.",
        )
    return Check("server", State.OK, f"ready; {waiting:,} frames wait for the telemetry store")


def in_words(reason: Mapping[str, Any]) -> str:
    """A reason of ``/readyz`` as a sentence; one that is newer than us as it came."""
    age_ms = reason["age_ms"]
    age = "some time" if age_ms is None else f"{age_ms / 1000:,.0f} s"
    if reason["trouble"] not in Trouble.__members__.values():
        return f"{reason['trouble']} ({reason['subject']}, {age})"
    return text("en", f"trouble.{reason['trouble']}", subject=reason["subject"], age=age)
