"""``chargeward telemetry``: what a person exports, and what the commands say of store and spool."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from typer.testing import Result

from api.cli.telemetry import app
from api.clock import SystemClock
from api.database_schema import upgrade
from devices import registry
from devices.database import Database
from devices.sitefile import packaged_site
from iot.drain import CURSOR
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from iot.frames import FrameBatch
from iot.influx_store import InfluxOptions, InfluxStore
from iot.journal import Entry, EntryKind, Journal
from iot.quarantine import Quarantine, Refused
from tests.cli.conftest import acall, call, held_store, words
from tests.iot_stores.influx_stub import influx_stub
from tests.iot_stores.telemetry import START_MS, frames

pytestmark = pytest.mark.usefixtures("data")
RANGE = ("--start", "2025-10-09T08:53:20Z", "--end", "2025-10-09T16:53:30+08:00")
"""The first 10 s of ``frames``: an offset may be given, and none means UTC."""


async def stored(data: Path, *batches: FrameBatch) -> None:
    """Put frames into the embedded store, as a server that has ended left them."""
    store = await EmbeddedStore.open(data / "telemetry", EmbeddedOptions(memory_limit_mb=128))
    await store.append(list(enumerate(batches)), len(batches))
    await store.close()


async def registered(data: Path) -> None:
    """The packaged site in the SQL database."""
    url = f"sqlite:///{data / 'chargeward.db'}"
    await upgrade(url)
    database = await Database.open(url)
    async with database.writing() as connection:
        await registry.import_site(connection, packaged_site())
    await database.close()


def rows(file: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


async def run(*arguments: str) -> Result:
    """``chargeward telemetry ...``."""
    return await acall(app, *arguments)


async def test_a_range_becomes_a_csv_file(data: Path, tmp_path: Path) -> None:
    """Start inclusive, end exclusive; a row per socket reading; the answer says what is in it."""
    await stored(data, frames(20, sockets=2))
    result = await run("export", "out.csv", *RANGE)
    assert (result.exit_code, result.stderr) == (0, "")
    size = (tmp_path / "out.csv").stat().st_size
    assert result.stdout == (
        "out.csv: 20 readings of 10 frames from 2025-10-09T08:53:20Z to 2025-10-09T08:53:30Z, "
        f"{size:,} bytes\n"
    )
    found = rows(tmp_path / "out.csv")
    assert [(row["station"], row["socket"], row["temp_c"]) for row in found[:3]] == [
        ("st-01", "1", "20.25"),
        ("st-01", "2", "20.5"),
        ("st-01", "1", "21.25"),
    ]
    assert len(found) == 20


async def test_a_parquet_file_and_a_summary_for_scripts(data: Path, tmp_path: Path) -> None:
    """The name's ending chooses the format; ``--json`` prints one object and nothing else."""
    await stored(data, frames(20, sockets=2))
    result = await run("export", "out.PARQUET", *RANGE, "--json")
    assert result.exit_code == 0
    file = tmp_path / "out.PARQUET"
    assert json.loads(result.stdout) == {
        "file": "out.PARQUET",
        "format": "parquet",
        "rows": 20,
        "frames": 10,
        "bytes": file.stat().st_size,
        "stations": None,
        "start_ms": START_MS,
        "end_ms": START_MS + 10_000,
    }
    with duckdb.connect() as reader:
        found = reader.execute(f"SELECT count(*), max(seq) FROM '{file}'").fetchone()  # noqa: S608 - own path
    assert found == (20, 9)


async def test_only_the_stations_asked_for(data: Path, tmp_path: Path) -> None:
    """``--station`` may be repeated; naming one twice does not double its rows."""
    names = ["st-01", "st-02", "st-03"] * 2
    await stored(data, frames(6, station=names, sockets=1))
    chosen = ("--station", "st-03", "--station", "st-01", "--station", "st-03")
    result = await run("export", "out.txt", *RANGE, *chosen, "--format", "csv", "--json")
    assert json.loads(result.stdout)["stations"] == ["st-03", "st-01"]
    found = [row["station"] for row in rows(tmp_path / "out.txt")]
    assert found == ["st-01", "st-03", "st-01", "st-03"]


async def test_the_last_day_is_what_is_exported_by_default(data: Path, tmp_path: Path) -> None:
    """Without a range: from 24 hours ago until now, by the machine's clock."""
    now_ms = SystemClock().utc_ms()
    old, new = (frames(3, sockets=1, start_ms=now_ms - h * 3_600_000) for h in (25, 23))
    await stored(data, old, new)
    assert (await run("export", "day.csv")).exit_code == 0
    assert {row["event_ms"] for row in rows(tmp_path / "day.csv")} == {
        str(ms) for ms in new.event_ms
    }
    assert (await run("export", "more.csv", "--start", "-26h", "--end", "-24h")).exit_code == 0
    assert {row["event_ms"] for row in rows(tmp_path / "more.csv")} == {
        str(ms) for ms in old.event_ms
    }


async def test_an_existing_file_is_kept_unless_forced(data: Path, tmp_path: Path) -> None:
    """Exit code 1 and what to do; with --force it is replaced."""
    await stored(data, frames(3))
    file = tmp_path / "out.csv"
    file.write_text("older")
    refused = await run("export", "out.csv", *RANGE)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "out.csv exists; --force replaces it\n"
    assert file.read_text() == "older"
    assert (await run("export", "out.csv", *RANGE, "--force")).exit_code == 0
    assert len(rows(file)) == 9


async def test_nothing_stored_in_the_range_is_said(data: Path, tmp_path: Path) -> None:
    """The file has its head and no row; the answer points to what there is."""
    await stored(data, frames(3))
    result = await run("export", "out.csv", "--start", "2020-01-01", "--end", "2020-01-02")
    assert result.exit_code == 0
    assert "0 readings of 0 frames" in result.stdout
    assert "chargeward telemetry status" in result.stdout
    assert rows(tmp_path / "out.csv") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["out.xlsx"], "give --format csv or parquet"),
        (["out"], "give --format csv or parquet"),
        (["out.csv", "--start", "yesterday"], "write now, -24h"),
        (["out.csv", "--start", "1760000000"], "seconds times 1000"),
        (["out.csv", "--start", "now", "--end", "-1h"], "must be before --end"),
        (["out.csv", "--station", "ST/01"], "no station id"),
        (["out.csv", "--format", "xml"], "'csv', 'parquet'"),
        (["."], "is a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_are_explained(arguments: list[str], said: str, tmp_path: Path) -> None:
    """Exit code 2 and what would be right, before anything is opened or written."""
    result = call(app, "export", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in words(result.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["export", "out.csv"], ["status"]], ids=lambda c: c[0])
async def test_a_store_in_use_says_what_to_do(
    command: list[str], data: Path, tmp_path: Path
) -> None:
    """A running server holds the embedded store: exit code 1, and the two ways out of it."""
    await stored(data, frames(3))
    await registered(data)
    async with held_store(data / "telemetry"):
        result = await run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the running server has the telemetry store open" in result.stderr
    assert "Stop the server" in result.stderr
    assert "/api/v1/stations/STATION/telemetry" in result.stderr
    assert not (tmp_path / "out.csv").exists()
    assert (await run(*command)).exit_code == 0


def test_a_wrong_data_directory_is_named_and_not_made(data: Path) -> None:
    """An export from nowhere is an error, not an empty file in a new empty store."""
    result = call(app, "export", "out.csv", *RANGE)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"there is no telemetry in {data / 'telemetry'}" in result.stderr
    assert "CHARGEWARD_DATA_DIR" in result.stderr
    assert not data.exists()


async def test_a_folder_that_is_not_there(data: Path) -> None:
    """The disk's own words and exit code 1."""
    await stored(data, frames(3))
    result = await run("export", "no-such-folder/out.csv", *RANGE)
    assert result.exit_code == 1
    assert "no-such-folder" in result.stderr
    assert "Traceback" not in result.output


async def test_export_from_influxdb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same command over the other store, also while the server runs; down is exit code 69."""
    async with influx_stub() as stub:
        for name, value in {
            "KIND": "influx",
            "URL": stub.url,
            "TOKEN": stub.token,
            "ORG": stub.org,
            "BUCKET": stub.bucket,
        }.items():
            monkeypatch.setenv(f"CHARGEWARD_TELEMETRY__{name}", value)
        options = InfluxOptions(stub.url, stub.token, stub.org, stub.bucket)
        store = await InfluxStore.open(options, lambda _: None)
        await store.append([(0, frames(12, sockets=2))], 1)
        await store.close()
        assert (await run("export", "out.csv", *RANGE)).exit_code == 0
        assert len(rows(tmp_path / "out.csv")) == 20
        monkeypatch.setenv("CHARGEWARD_TELEMETRY__TOKEN", "hunter2")
        refused = await run("export", "refused.csv", *RANGE)
    assert refused.exit_code == 1
    assert "refuses the token" in refused.stderr
    assert "hunter2" not in refused.output
    down = await run("export", "down.csv", *RANGE)
    assert (down.exit_code, down.stdout) == (69, "")
    assert "cannot be used now" in down.stderr
    assert [name for name in listing(tmp_path) if ".csv" in name] == ["out.csv"]


async def test_status_counts_and_names_the_newest_frames(data: Path) -> None:
    """Every registered station is told, also one that never sent; the journal's backlog too."""
    await registered(data)
    now_ms = SystemClock().utc_ms()
    names = ["cmrj-01", "cmrj-02", "cmrj-01"]
    await stored(data, frames(3, station=names, start_ms=now_ms - 7_200_000))
    body = json.loads((await run("status", "--json")).stdout)
    assert (body["kind"], body["frames"], body["health"]) == ("embedded", 3, "ok")
    assert body["bytes"] > 0
    assert body["journal"] is None
    newest = {row["station"]: row["newest_ms"] for row in body["stations"]}
    assert len(newest) == 16
    assert {name: at for name, at in newest.items() if at is not None} == {
        "cmrj-01": now_ms - 7_200_000 + 2_000,
        "cmrj-02": now_ms - 7_200_000 + 1_000,
    }
    assert body["stations"][0]["age_ms"] >= 7_198_000
    shown = (await run("status")).stdout
    assert "embedded store: 3 frames" in shown
    assert "journal: none yet" in shown
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines()[3:]}
    assert lines["cmrj-02"][1:] == ["1", "h"] or lines["cmrj-02"][1:] == ["2", "h"]
    assert lines["cmrj-16"] == ["never"]


@pytest.mark.parametrize(
    ("kept", "drained", "waiting"),
    [
        (5, None, 5),  # the drain never ran: all of it waits
        (5, 3, 2),
        (5, 5, 0),
        (0, None, 0),
    ],
)
async def test_status_tells_what_waits_in_the_journal(
    kept: int, drained: int | None, waiting: int, data: Path
) -> None:
    """Read beside the process that has the journal open, without touching it."""
    await registered(data)
    await stored(data)
    journal = Journal.open(data / "journal", max_bytes=1 << 20)
    journal.append([Entry(EntryKind.FACTS, b"x" * 100)] * kept)
    if drained is not None:
        journal.move_cursor(CURSOR, drained)
    before = listing(data / "journal")
    body = json.loads((await run("status", "--json")).stdout)
    assert body["journal"]["waiting"] == waiting
    assert body["journal"]["bytes"] == journal.bytes_used
    assert body["journal"]["bound_bytes"] == 2048 * 1024 * 1024
    assert listing(data / "journal") == before
    assert f"journal: {waiting} records wait" in (await run("status")).stdout
    journal.close()


async def test_what_the_store_says_of_itself_counts_more_than_the_cursor(data: Path) -> None:
    """The cursor is moved after the store's own commit; a crash between them leaves it behind."""
    await registered(data)
    await stored(data, frames(1), frames(1, first_seq=1), frames(1, first_seq=2))
    journal = Journal.open(data / "journal", max_bytes=1 << 20)
    journal.append([Entry(EntryKind.FACTS, b"x")] * 4)
    journal.close()
    assert json.loads((await run("status", "--json")).stdout)["journal"]["waiting"] == 1


def test_status_without_a_database_says_so(data: Path) -> None:
    """Exit code 69 like the other commands on the database; nothing is made."""
    result = call(app, "status")
    assert (result.exit_code, result.stdout) == (69, "")
    assert "there is no database file" in result.stderr
    assert not data.exists()


def refuse(data: Path, items: Sequence[Refused]) -> None:
    """Put messages into the quarantine as the server does."""
    Quarantine(data / "quarantine").put(items)


def test_quarantine_lists_the_newest_first(data: Path) -> None:
    """Time, topic, reason, detail and true size, at most as many as asked for."""
    topic = "chargeward/v1/cmrj-01/telemetry"
    refuse(
        data,
        [
            Refused(START_MS, topic, "not_json", "byte 0", b"{", retained=False),
            Refused(START_MS + 1, topic, "too_large", "", b"x" * 9, retained=True, payload_size=99),
        ],
    )
    shown = words(call(app, "quarantine").stdout)
    assert shown.index("too_large") < shown.index("not_json")
    assert "2025-10-09T08:53:20Z" in shown
    result = call(app, "quarantine", "--limit", "1", "--json")
    assert json.loads(result.stdout) == [
        {
            "received_ms": START_MS + 1,
            "topic": topic,
            "reason": "too_large",
            "detail": "",
            "retained": True,
            "size": 99,
            "preview": "xxxxxxxxx",
        }
    ]


def test_what_a_stranger_sent_cannot_write_to_the_terminal(data: Path) -> None:
    """Escape sequences and markup of topic and body are shown as text."""
    evil = "a\x1b[2J[red]b[/red]\r\n"
    refuse(data, [Refused(START_MS, evil, "bad_topic", evil, evil.encode(), retained=False)])
    for result in (call(app, "quarantine"), call(app, "quarantine", "--json")):
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
        assert "\r" not in result.stdout
    assert "\\x1b[2J[red]b[/red]" in json.loads(result.stdout)[0]["topic"]


def test_an_empty_quarantine_is_not_made(data: Path) -> None:
    """Before the first start too: exit code 0, an empty list for scripts, no directory."""
    assert "nothing was refused" in call(app, "quarantine").stdout
    assert json.loads(call(app, "quarantine", "--json").stdout) == []
    assert not data.exists()


async def test_logs_stay_on_standard_error(data: Path) -> None:
    """A damaged file is logged when it is set aside; the JSON on standard output stays whole."""
    await registered(data)
    await stored(data, frames(3))
    (data / "telemetry" / "telemetry-000009.duckdb").write_bytes(b"no database" * 1000)
    result = await run("status", "--json")
    assert json.loads(result.stdout)["frames"] == 3
    assert "damaged" in json.loads(result.stdout)["health"]
    assert "set aside" in result.stderr


def listing(directory: Path) -> dict[str, int]:
    """Names and sizes of the files."""
    return {path.name: path.stat().st_size for path in directory.iterdir()}


def test_help_teaches_by_examples() -> None:
    """The group names its commands; each command says what it does."""
    assert {"export", "status", "quarantine"} <= set(words(call(app, "--help").stdout).split())
    assert "chargeward telemetry export last-day.parquet" in call(app, "export", "--help").stdout
