"""``chargeward doctor``: against real brokers, databases and stores, whole and broken."""

import asyncio
import json
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import typer

from api import database_schema
from api.cli.database_checks import judge_database_clock
from api.cli.diagnosis import Check, State, conclude
from api.cli.doctor import doctor
from api.cli.machine_checks import judge_clock, judge_disk
from api.cli.people import app as people
from api.cli.service_checks import in_words
from api.health import Trouble
from api.http.app import create_app
from api.server import serving
from devices.database import Database, parse_url
from devices.sitefile import dump_site, packaged_site
from iot.broker import MosquittoProcess, free_port
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from iot.mqtt import LinkError, MqttSettings, Session
from tests.api.fake_backend import FakeBackend
from tests.broker.conftest import password, with_configuration
from tests.cli.conftest import acall, call, held_store, words
from tests.conftest import missing
from tests.iot_stores.influx_stub import influx_stub
from tests.iot_stores.telemetry import START_MS, frames
from tests.spine.process import BackendProcess

app = typer.Typer()
app.command()(doctor)

NOWHERE = {
    "settings": "ok",
    "data directory": "warn",
    "disk": "ok",
    "site files": "ok",
    "broker": "fail",
    "database": "warn",
    "telemetry store": "ok",
    "channels": "warn",
    "server": "warn",
}
"""What stands on a machine where nothing was started yet; the machine's clock is its own matter."""


@pytest.fixture(autouse=True)
def environment(data: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:  # noqa: ARG001 - clears first
    """Nobody listens on any port, the journal is small enough for any test machine."""
    monkeypatch.setenv("CHARGEWARD_MQTT__PORT", str(free_port()))
    monkeypatch.setenv("CHARGEWARD_API__PORT", str(free_port()))
    monkeypatch.setenv("CHARGEWARD_TELEMETRY__SPOOL_MIB", "64")
    return monkeypatch


class Told:
    """What the doctor said, by check."""

    def __init__(self, printed: str, exit_code: int) -> None:
        """``printed`` is what ``--json`` printed: one object."""
        self.printed = printed
        self.exit_code = exit_code
        self.body: dict[str, Any] = json.loads(printed)
        assert set(self.body) == {"ok", "checks"}
        self.checks = {check["name"]: Check(**check) for check in self.body["checks"]}
        assert len(self.checks) == len(self.body["checks"])
        assert self.body["ok"] is (exit_code == 0)
        for check in self.checks.values():  # a trouble without advice leaves people alone
            assert bool(check.advice) is (check.state != "ok"), check

    def __getitem__(self, name: str) -> Check:
        """The check called ``name``."""
        return self.checks[name]

    def states(self) -> dict[str, str]:
        """All states but the clock's, which depends on the machine."""
        return {name: check.state for name, check in self.checks.items() if name != "clock"}


async def told() -> Told:
    """``chargeward doctor --json`` beside the test's own servers."""
    result = await acall(app, "--json")
    return Told(result.stdout, result.exit_code)


def test_before_the_first_start_it_says_what_is_missing_and_makes_nothing(data: Path) -> None:
    """Only what no start can mend fails: here the broker. Exit code 1, no file left."""
    result = call(app, "--json")
    said = Told(result.stdout, result.exit_code)
    assert said.states() == NOWHERE
    assert said["clock"].state in {"ok", "warn"}
    assert said.exit_code == 1
    assert "docker compose up -d mosquitto" in said["broker"].advice
    assert "chargeward serve" in said["server"].advice
    assert not data.exists()
    assert list(data.parent.iterdir()) == []


def test_people_get_a_table_with_advice() -> None:
    """Each state as sign and word; what to do stands below what was found."""
    result = call(app)
    shown = words(result.stdout)
    assert result.exit_code == 1
    assert "✗ fail broker 127.0.0.1:" in shown
    assert "→ Start the broker" in shown
    assert "✓ ok site files" in shown
    assert "! warn server no server answers" in shown


async def test_a_broker_that_lets_us_in(
    mosquitto: MosquittoProcess, environment: pytest.MonkeyPatch
) -> None:
    """A message to oneself comes back; warnings alone are exit code 0."""
    environment.setenv("CHARGEWARD_MQTT__PORT", str(mosquitto.port))
    said = await told()
    assert said.states() == {**NOWHERE, "broker": "ok"}
    assert said.exit_code == 0
    assert re.search(r"there and back in 0\.\d{3} s", said["broker"].found)


async def test_the_doctor_leaves_no_session_at_the_broker(
    mosquitto: MosquittoProcess, environment: pytest.MonkeyPatch
) -> None:
    """The broker keeps nothing for a client that never comes back."""
    environment.setenv("CHARGEWARD_MQTT__PORT", str(mosquitto.port))
    name = f"chargeward-doctor-{os.getpid()}"
    assert (await told())["broker"].state == "ok"
    assert not await session_is_kept(mosquitto.port, name)
    assert await session_is_kept(mosquitto.port, name)  # by the question before, so one is seen


async def session_is_kept(port: int, name: str) -> bool:
    """Connect as ``name`` without cleaning: the broker says whether it has a session."""
    body = b"\x00\x04MQTT\x04\x00\x00\x3c" + len(name).to_bytes(2, "big") + name.encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(bytes([0x10, len(body)]) + body)
    answer = await reader.readexactly(4)
    assert (answer[0], answer[3]) == (0x20, 0)
    writer.write(b"\xe0\x00")
    writer.close()
    await writer.wait_closed()
    return bool(answer[2])


@pytest.mark.parametrize(
    ("user", "secret", "state", "found", "advice"),
    [
        ("backend", password("backend"), "ok", "there and back", ""),
        ("backend", "hunter2", "fail", "ot authori", "CHARGEWARD_MQTT__PASSWORD"),
        (None, None, "fail", "ot authori", "CHARGEWARD_MQTT__USERNAME"),
        (
            "station-a",
            password("station-a"),
            "fail",
            "the broker ended the connection",
            "deploy/acl",
        ),
    ],
    ids=["backend", "wrong password", "anonymous", "a station's credential"],
)
async def test_the_shipped_broker(  # noqa: PLR0913, PLR0917 - the columns of a table
    user: str | None,
    secret: str | None,
    state: str,
    found: str,
    advice: str,
    tmp_path: Path,
    environment: pytest.MonkeyPatch,
) -> None:
    """With ``deploy/mosquitto.conf`` and its access list: wrong credential, wrong rights, right."""
    folder = tmp_path / "broker"
    folder.mkdir()
    if user is not None:
        environment.setenv("CHARGEWARD_MQTT__USERNAME", user)
        environment.setenv("CHARGEWARD_MQTT__PASSWORD", str(secret))
    if shutil.which("mosquitto_passwd") is None:
        missing("mosquitto_passwd")
    async with with_configuration("mosquitto.conf", folder) as broker:
        environment.setenv("CHARGEWARD_MQTT__PORT", str(broker.port))
        said = await told()
    assert said["broker"].state == state
    assert found in said["broker"].found
    assert advice in said["broker"].advice
    assert secret is None or secret not in said.printed


async def test_everything_hangs(environment: pytest.MonkeyPatch) -> None:
    """Broker, InfluxDB, PostgreSQL and API take connections and never answer: each is told."""
    async with silent() as port:
        environment.setenv("CHARGEWARD_MQTT__PORT", str(port))
        environment.setenv("CHARGEWARD_TELEMETRY__KIND", "influx")
        environment.setenv("CHARGEWARD_TELEMETRY__URL", f"http://127.0.0.1:{port}")
        environment.setenv("CHARGEWARD_TELEMETRY__TOKEN", "token")
        environment.setenv("CHARGEWARD_DATABASE__URL", f"postgresql+asyncpg://x@127.0.0.1:{port}/x")
        environment.setenv("CHARGEWARD_API__PORT", str(port))
        said = await told()
    hanging = dict.fromkeys(("broker", "telemetry store", "database", "server"), "fail")
    assert said.states() == {**NOWHERE, **hanging}
    assert "timed out" in said["broker"].found
    assert "took more than" in said["telemetry store"].found
    assert "ReadTimeout" in said["server"].found


def test_a_certificate_file_that_is_not_there(environment: pytest.MonkeyPatch) -> None:
    """The TLS settings are tried as well; the advice names them."""
    environment.setenv("CHARGEWARD_MQTT__TLS", "true")
    environment.setenv("CHARGEWARD_MQTT__CA_FILE", "no-such-ca.crt")
    result = call(app, "--json")
    check = Told(result.stdout, result.exit_code)["broker"]
    assert check.state == "fail"
    assert "with TLS, __CA_FILE" in check.advice


async def test_a_round_trip_ends_when_the_broker_does(mosquitto: MosquittoProcess) -> None:
    """A connection that closes is told at once, not after the time-out."""
    session = Session(
        MqttSettings(port=mosquitto.port),
        "doctor-1",
        [],
        clock_ms=lambda: START_MS,
        monotonic_s=time.monotonic,
    )
    stopping: list[asyncio.Task[None]] = []
    session.on_connected = lambda: stopping.append(asyncio.create_task(takeover(mosquitto.port)))
    session.probe = lambda: None  # type: ignore[method-assign] # nothing will come back
    with pytest.raises(LinkError, match="ended the connection"):
        await session.round_trip_s(30)
    await asyncio.gather(*stopping)


async def takeover(port: int) -> None:
    """Connect under the doctor's name: the broker closes the older connection."""
    async with aiomqtt.Client("127.0.0.1", port, identifier="chargeward-doctor-1"):
        pass


@asynccontextmanager
async def silent(answer: bytes = b"") -> AsyncIterator[int]:
    """The port of a server that takes connections and says ``answer`` or nothing."""
    end = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        else:
            await end.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        try:
            yield port
        finally:
            end.set()


def settings_in(environment: pytest.MonkeyPatch, url: str) -> None:
    """Name a database by the settings, with the driver that they ask for."""
    full = parse_url(url).render_as_string(hide_password=False)
    environment.setenv("CHARGEWARD_DATABASE__URL", full)


async def test_a_database_at_the_newest_revision(
    migrated_url: str, environment: pytest.MonkeyPatch
) -> None:
    """Both kinds; PostgreSQL has a clock of its own, which is compared with ours."""
    settings_in(environment, migrated_url)
    said = await told()
    assert said["database"].state == "ok"
    assert f"at revision {database_schema.newest()}" in said["database"].found
    if migrated_url.startswith("postgresql"):
        assert said["database clock"].state == "ok"
    else:
        assert "database clock" not in said.checks


async def test_a_database_of_another_revision_fails(
    migrated_url: str, environment: pytest.MonkeyPatch
) -> None:
    """One that a newer version made, for example: the server would refuse it."""
    database = await Database.open(migrated_url)
    async with database.writing() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    await database.close()
    settings_in(environment, migrated_url)
    said = await told()
    assert said["database"].state == "fail"
    assert "at revision 9999, this version needs" in said["database"].found
    assert "chargeward db upgrade" in said["database"].advice


async def test_a_database_without_tables_is_a_warning(
    database_url: str, environment: pytest.MonkeyPatch
) -> None:
    """The server makes them at its start."""
    database = await Database.open(database_url)
    await database.close()
    settings_in(environment, database_url)
    said = await told()
    assert said["database"].state == "warn"
    assert "has no tables yet" in said["database"].found


def test_a_file_that_is_no_database(data: Path) -> None:
    """A failure with the way back: the backup."""
    data.mkdir()
    (data / "chargeward.db").write_bytes(b"something else entirely" * 500)
    result = call(app, "--json")
    check = Told(result.stdout, result.exit_code)["database"]
    assert check.state == "fail"
    assert "not a database" in check.found
    assert "backup" in check.advice


def test_a_postgresql_that_is_not_there(environment: pytest.MonkeyPatch) -> None:
    """Told once, as the database, not as its clock; the password is not shown."""
    url = f"postgresql+asyncpg://chargeward:hunter2@127.0.0.1:{free_port()}/chargeward"
    environment.setenv("CHARGEWARD_DATABASE__URL", url)
    result = call(app, "--json")
    said = Told(result.stdout, result.exit_code)
    assert said["database"].state == "fail"
    assert "CHARGEWARD_DATABASE__URL" in said["database"].advice
    assert "database clock" not in said.checks
    assert "hunter2" not in result.output


async def test_the_embedded_store(data: Path) -> None:
    """Whole, held by a running server, damaged: only the last is a failure."""
    store = await EmbeddedStore.open(data / "telemetry", EmbeddedOptions(memory_limit_mb=128))
    await store.append([(0, frames(10))], 1)
    await store.close()
    said = await told()
    assert said["telemetry store"].state == "ok"
    assert said["telemetry store"].found.endswith(" MiB stored")
    assert said["data directory"].state == "ok"
    async with held_store(data / "telemetry"):
        held = (await told())["telemetry store"]
    assert (held.state, held.found) == ("ok", "in use by the running server")
    (data / "telemetry" / "telemetry-000009.duckdb").write_bytes(b"no database" * 1000)
    damaged = (await told())["telemetry store"]
    assert damaged.state == "fail"
    assert "telemetry-000009" in damaged.found
    assert ".damaged" in damaged.advice


async def test_influxdb(environment: pytest.MonkeyPatch) -> None:
    """Right token, wrong token, server down; the token is never shown."""
    async with influx_stub() as stub:
        environment.setenv("CHARGEWARD_TELEMETRY__KIND", "influx")
        environment.setenv("CHARGEWARD_TELEMETRY__URL", stub.url)
        environment.setenv("CHARGEWARD_TELEMETRY__TOKEN", stub.token)
        right = await told()
        environment.setenv("CHARGEWARD_TELEMETRY__TOKEN", "hunter2")
        wrong = await told()
    down = (await told())["telemetry store"]
    assert (right["telemetry store"].state, right.exit_code) == ("ok", 1)
    assert (wrong["telemetry store"].state, "refuses the token" in wrong.printed) == ("fail", True)
    assert "hunter2" not in wrong.printed
    assert stub.token not in right.printed
    assert (down.state, "does not answer" in down.found) == ("fail", True)


def test_site_files(data: Path, environment: pytest.MonkeyPatch) -> None:
    """Every named file is read; the wrong field and its file are named."""
    good, bad = data.parent / "good.toml", data.parent / "bad.toml"
    text = dump_site(packaged_site())
    good.write_text(text, encoding="utf-8")
    bad.write_text(text.replace("sockets = 12", "sockets = 999", 1), encoding="utf-8")
    environment.setenv("CHARGEWARD_SITES", str(good))
    result = call(app, "--json")
    assert Told(result.stdout, result.exit_code)["site files"].state == "ok"
    environment.setenv("CHARGEWARD_SITES", f"{good},{bad},{data.parent / 'none.toml'}")
    result = call(app, "--json")
    check = Told(result.stdout, result.exit_code)["site files"]
    assert check.state == "fail"
    assert "bad.toml: stations[0].sockets" in check.found
    assert "none.toml: No such file" in check.found
    assert "good.toml" not in check.found


def test_wrong_settings_are_all_that_is_told(environment: pytest.MonkeyPatch) -> None:
    """Nothing can be checked without them; the variable is named, its value is not."""
    environment.setenv("CHARGEWARD_MQTT__PORT", "hunter2")
    environment.setenv("CHARGEWARD_TELEMETRY__COLOUR", "red")
    result = call(app, "--json")
    said = Told(result.stdout, result.exit_code)
    assert said.states() == {"settings": "fail"}
    assert "CHARGEWARD_MQTT__PORT: " in said["settings"].found
    assert "CHARGEWARD_TELEMETRY__COLOUR: " in said["settings"].found
    assert "hunter2" not in result.output


def test_a_misspelt_variable(environment: pytest.MonkeyPatch) -> None:
    """One underscore too few: the server would not start, so nothing else matters."""
    environment.setenv("CHARGEWARD_MQTT_HOST", "broker.example")
    environment.setenv("CHARGEWARD_LOG_LEVEL", "info")
    result = call(app, "--json")
    said = Told(result.stdout, result.exit_code)
    assert said.states() == {"settings": "fail"}
    assert said["settings"].found.startswith("CHARGEWARD_MQTT_HOST: no such setting")


def test_a_data_directory_that_cannot_be_used(data: Path) -> None:
    """A file in its place: no start will mend that."""
    data.write_text("a file")
    result = call(app, "--json")
    check = Told(result.stdout, result.exit_code)["data directory"]
    assert check.state == "fail"
    assert check.found == f"{data}: Not a directory"
    assert "CHARGEWARD_DATA_DIR" in check.advice


async def test_a_ready_server(environment: pytest.MonkeyPatch) -> None:
    """Its own verdict, asked over HTTP."""
    async with serving(create_app(FakeBackend()), "127.0.0.1", 0) as url:
        environment.setenv("CHARGEWARD_API__PORT", url.rpartition(":")[2])
        said = await told()
    assert (said["server"].state, said["server"].advice) == ("ok", "")
    assert said["server"].found.startswith("ready")


async def test_a_server_that_is_not_ready_says_why(environment: pytest.MonkeyPatch) -> None:
    """Its reasons in words, with how long already."""
    backend = FakeBackend()
    now_ms = backend.monotonic_ms()
    backend.health.sql(reachable=False, now_ms=now_ms)
    async with serving(create_app(backend), "127.0.0.1", 0) as url:
        environment.setenv("CHARGEWARD_API__PORT", url.rpartition(":")[2])
        said = await told()
    assert said["server"].state == "fail"
    assert re.search(r"^not ready: .*the database has not answered for \d+ s", said["server"].found)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "another program (status 200)"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", "another program (status 404)"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "RemoteProtocolError"),
    ],
    ids=["page", "json", "no http"],
)
async def test_another_program_on_the_port(
    answer: bytes, found: str, environment: pytest.MonkeyPatch
) -> None:
    """The server could not start there: a failure, whatever that program says."""
    async with silent(answer) as port:
        environment.setenv("CHARGEWARD_API__PORT", str(port))
        check = (await told())["server"]
    assert check.state == "fail"
    assert found in check.found
    assert "CHARGEWARD_API__PORT" in check.advice


async def test_beside_a_running_server(
    mosquitto: MosquittoProcess, data: Path, environment: pytest.MonkeyPatch
) -> None:
    """All is well, twice, and the server stays ready: its sessions and files are left alone.

    Before it knows any people, they and the ways to them are all there is to warn of.
    """
    await asyncio.to_thread(data.mkdir)
    port = str(free_port())
    environment.setenv("CHARGEWARD_MQTT__PORT", str(mosquitto.port))
    environment.setenv("CHARGEWARD_API__PORT", port)
    server = BackendProcess(data, mosquitto.port, API__PORT=port)
    await server.start()
    try:
        states = (await told()).states()
        assert {n for n, state in states.items() if state != "ok"} == {"people", "channels"}
        assert (await acall(people, "import", "--packaged")).exit_code == 0
        for _ in range(2):
            said = await told()
            states = said.states()
            assert states.pop("channels") == "warn"  # a server in a test tells nobody
            assert set(states.values()) == {"ok"}, said.printed
    finally:
        assert await server.stop() == 0
    assert "mqtt connection lost" not in server.log()


@pytest.mark.parametrize(
    ("free", "spool", "used", "state"),
    [
        (4096, 2048, 0, State.OK),
        (3071, 2048, 0, State.WARN),  # 2048 may come, 1024 must stay
        (3071, 2048, 1, State.OK),
        (1024, 2048, 4096, State.OK),  # the bound was lowered: nothing more comes
        (256, 64, 64, State.WARN),
        (255, 64, 64, State.FAIL),
        (0, 64, 0, State.FAIL),
    ],
)
def test_the_disk_must_take_the_whole_journal(
    free: int, spool: int, used: int, state: State
) -> None:
    """What the journal may still grow to, and a reserve; nearly nothing is a failure at once."""
    assert judge_disk(free, spool, used).state is state


@pytest.mark.parametrize(
    ("now_ms", "synchronised", "state", "found"),
    [
        (1_790_812_800_000, True, State.OK, "2026-10-01T00:00:00+00:00, synchronised"),
        (1_790_812_800_000, None, State.OK, "does not tell"),
        (1_790_812_800_000, False, State.WARN, "synchronised with nothing"),
        (0, True, State.FAIL, "1970-01-01T00:00:00+00:00 cannot be the time"),
        (4_102_444_800_000, True, State.FAIL, "2100-01-01T00:00:00+00:00 cannot be the time"),
    ],
)
def test_the_clock_must_be_plausible_and_kept(
    now_ms: int, *, synchronised: bool | None, state: State, found: str
) -> None:
    """An impossible year fails; a clock that nothing keeps is a warning."""
    check = judge_clock(now_ms, synchronised)
    assert check.state is state
    assert found in check.found


@pytest.mark.parametrize(
    ("ahead_s", "state", "found"),
    [
        (0.0, State.OK, "within 2 s"),
        (-2.0, State.OK, "within 2 s"),
        (2.1, State.WARN, "2.1 s ahead of this machine"),
        (-3600.0, State.WARN, "3600.0 s behind this machine"),
    ],
)
def test_the_clocks_of_both_machines(ahead_s: float, state: State, found: str) -> None:
    """More than 2 s apart is a warning that says which one is ahead."""
    check = judge_database_clock(ahead_s)
    assert check.state is state
    assert found in check.found


@pytest.mark.parametrize("trouble", list(Trouble))
@pytest.mark.parametrize("age_ms", [None, 61_400])
def test_every_reason_has_words(trouble: Trouble, age_ms: int | None) -> None:
    """None of the server's reasons reaches a person as a code or a placeholder."""
    said = in_words({"trouble": trouble, "subject": "safety", "age_ms": age_ms, "red": True})
    assert trouble not in said
    assert "{" not in said
    assert "None" not in said


def test_a_reason_that_is_newer_than_the_doctor() -> None:
    """Told as it came rather than not at all."""
    reason = {"trouble": "moon_full", "subject": "sky", "age_ms": 5_000, "red": True}
    assert in_words(reason) == "moon_full (sky, 5 s)"


async def test_a_check_that_hangs_or_breaks_is_told_as_failed() -> None:
    """The others must still be told, whatever one of them does."""

    async def hangs() -> Check:
        await asyncio.Event().wait()
        raise AssertionError

    async def breaks() -> Check:
        msg = "no such thing"
        raise LookupError(msg)

    hung = await conclude("hanging", hangs, timeout_s=0.05)
    broke = await conclude("breaking", breaks)
    assert hung is not None
    assert broke is not None
    assert (hung.name, hung.state, hung.found) == (
        "hanging",
        State.FAIL,
        "no answer within 0.05 s",
    )
    assert (broke.name, broke.state) == ("breaking", State.FAIL)
    assert "LookupError: no such thing" in broke.found
