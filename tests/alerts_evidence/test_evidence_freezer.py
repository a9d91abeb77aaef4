"""Freezing: what is due is frozen once, whatever fails meanwhile, and what is missing is told."""

import asyncio
import csv
import hashlib
import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from pydantic import SecretStr

from alerts.evidence import tasks
from alerts.evidence.attachments import Attachment, Kind, attachments
from alerts.evidence.files import EvidenceFiles
from alerts.evidence.freezer import FreezeCounts, Freezer, stations_of
from alerts.evidence.stills import CameraLogin, CameraSettings, Stills
from alerts.evidence.tasks import LEASE_MS, Part, Standing, What
from devices.database import Database
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from simulators.camera import CameraSimulator, Mood, Scheme
from tests.alerts_evidence.evidence_scene import (
    OPENED,
    STATION,
    Around,
    add_finding,
    add_incident,
    hot,
)
from tests.iot_stores.telemetry import frames

MINUTE = 60_000
CAMERA = "cam-001"
LOGIN = CameraSettings(
    username="nobody",
    password=SecretStr("x"),
    logins={CAMERA: CameraLogin(username="viewer", password=SecretStr("viewer-secret"))},
    timeout_s=2,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    """A real telemetry store with two hours of one station and of another."""
    opened = await EmbeddedStore.open(tmp_path / "telemetry", EmbeddedOptions(memory_limit_mb=128))
    start = OPENED - 60 * MINUTE
    batches = [frames(720, station=s, start_ms=start, step_ms=10_000) for s in (STATION, "cmrj-02")]
    await opened.append(list(enumerate(batches, 1)), 3)
    yield opened
    await opened.close()


@pytest.fixture
async def camera() -> AsyncIterator[CameraSimulator]:
    """A camera behind digest authentication."""
    numbers = count(1)
    async with CameraSimulator(CAMERA, nonce=lambda: f"n{next(numbers)}") as one:
        yield one


@pytest.fixture
async def stills() -> AsyncIterator[Stills]:
    """The real way to cameras."""
    asking = Stills(LOGIN)
    yield asking
    await asking.close()


class Bench:
    """A freezer with its surroundings."""

    def __init__(
        self, database: Database, store: EmbeddedStore, folder: Path, stills: Stills
    ) -> None:
        """All real but for what it is told."""
        self.database = database
        self.around = Around()
        self.files = EvidenceFiles(folder)
        self.freezer = Freezer(database, store, self.files, stills, self.around)

    async def plan(self, incident_id: int, *cameras: str) -> None:
        """As the intake does."""
        async with self.database.writing() as connection:
            await tasks.plan(connection, incident_id, cameras, OPENED)

    async def at(self, after_ms: int) -> None:
        """One turn at that time, to its end; the drain has everything by then."""
        self.around.at_ms = OPENED + after_ms
        self.around.stored_ms = self.around.at_ms
        await self.freezer.turn(self.around.at_ms)
        await self.freezer.settle()

    async def standing(self, incident_id: int) -> dict[str, Standing]:
        """How far each task is."""
        async with self.database.reading() as connection:
            found = await tasks.standings(connection, incident_id)
        return {str(s.what).replace(f":{OPENED}", ""): s for s in found}

    async def kept(self, incident_id: int) -> list[Attachment]:
        """What was frozen."""
        async with self.database.reading() as connection:
            return list(await attachments(connection, incident_id))


@pytest.fixture
def bench(database: Database, store: EmbeddedStore, tmp_path: Path, stills: Stills) -> Bench:
    """Real database, store, files and HTTP client."""
    return Bench(database, store, tmp_path, stills)


async def test_an_incident_is_frozen_step_by_step(bench: Bench, camera: CameraSimulator) -> None:
    """Rules and a still at once, first frames, stills after 30 s and 5 min, all frames at 30."""
    incident_id = await add_incident(bench.database)
    bench.around.urls = {CAMERA: camera.url}
    await bench.plan(incident_id, CAMERA)
    await bench.plan(incident_id, CAMERA)  # a replay plans nothing twice
    seen: dict[int, list[str]] = {}
    for seconds in (0, 4, 5, 29, 30, 299, 300, 1804, 1805, 4000):
        before = len(await bench.kept(incident_id))
        await bench.at(seconds * 1000)
        seen[seconds] = sorted(a.name for a in (await bench.kept(incident_id))[before:])
    assert seen == {
        0: ["rules-20260701T060305Z.json", "still-cam-001-0s-20260701T060305Z.jpg"],
        4: [],
        5: ["first-frames-20260701T060305Z.csv"],
        29: [],
        30: ["still-cam-001-30s-20260701T060305Z.jpg"],
        299: [],
        300: ["still-cam-001-300s-20260701T060305Z.jpg"],
        1804: [],
        1805: ["frames-20260701T060305Z.csv"],
        4000: [],
    }
    assert {s.state for s in (await bench.standing(incident_id)).values()} == {"done"}
    assert bench.freezer.counts == FreezeCounts(done=6)
    for one in await bench.kept(incident_id):
        data = bench.files.path("F0012", one.name).read_bytes()
        assert (one.bytes, one.sha256) == (len(data), hashlib.sha256(data).hexdigest())


async def test_the_frames_are_those_of_half_an_hour_before_and_after(bench: Bench) -> None:
    """Of the incident's station alone; a row per socket reading."""
    incident_id = await add_incident(bench.database)
    await bench.plan(incident_id)
    await bench.at(31 * MINUTE)
    whole = next(a for a in await bench.kept(incident_id) if a.name.startswith("frames"))
    assert (whole.kind, whole.media_type, whole.by) == (Kind.FRAMES, "text/csv", "system")
    assert whole.detail == {
        "stations": [STATION],
        "start_ms": OPENED - 30 * MINUTE,
        "end_ms": OPENED + 30 * MINUTE,
        "rows": 360 * 3,
        "complete": True,
        "opened_ms": OPENED,
    }
    with bench.files.path("F0012", whole.name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 360 * 3
    assert {row["station"] for row in rows} == {STATION}
    assert int(rows[0]["event_ms"]) == OPENED - 30 * MINUTE
    assert int(rows[-1]["event_ms"]) == OPENED + 30 * MINUTE - 10_000


async def test_the_rules_in_force_are_kept_with_their_version(bench: Bench) -> None:
    """Whatever the settings are changed to afterwards."""
    incident_id = await add_incident(bench.database)
    await bench.plan(incident_id)
    await bench.at(0)
    [rules] = await bench.kept(incident_id)
    said = json.loads(bench.files.path("F0012", rules.name).read_text())
    assert said == bench.around.rules([STATION])
    assert rules.detail == {"versions": list(said["catalogues"]), "opened_ms": OPENED}


async def test_frames_wait_for_the_drain_but_not_for_ever(bench: Bench) -> None:
    """What is still in the journal is not in the store; after an hour what is there is kept."""
    incident_id = await add_incident(bench.database)
    await bench.plan(incident_id)
    await bench.at(6_000)
    for seconds in (1805, 1807, 1811, 3000):
        bench.around.at_ms = OPENED + seconds * 1000
        bench.around.stored_ms = OPENED + 29 * MINUTE
        await bench.freezer.turn(bench.around.at_ms)
        await bench.freezer.settle()
    waiting = (await bench.standing(incident_id))["frames"]
    assert (waiting.state, waiting.error) == (
        "due",
        "the telemetry store does not have all of it yet",
    )
    bench.around.at_ms = OPENED + 91 * MINUTE
    bench.around.stored_ms = None
    await bench.freezer.turn(bench.around.at_ms)
    await bench.freezer.settle()
    whole = (await bench.kept(incident_id))[-1]
    assert whole.detail["complete"] is False
    assert (await bench.standing(incident_id))["frames"].state == "done"


async def test_a_store_that_is_away_is_asked_again(bench: Bench, store: EmbeddedStore) -> None:
    """It is a delay with a reason, later and later, and no error of ours."""
    incident_id = await add_incident(bench.database)
    await bench.plan(incident_id)
    await store.close()
    await bench.at(6_000)
    waiting = (await bench.standing(incident_id))["first-frames"]
    assert (waiting.state, waiting.tries) == ("due", 1)
    assert waiting.error
    assert bench.freezer.counts == FreezeCounts(done=1, postponed=1)


@pytest.mark.parametrize("scheme", list(Scheme))
async def test_every_way_to_log_in_is_known(
    camera: CameraSimulator, stills: Stills, scheme: Scheme
) -> None:
    """None, basic, digest with SHA-256 and with MD5."""
    camera.scheme = scheme
    assert (await stills.fetch(CAMERA, camera.url))[:2] == b"\xff\xd8"
    # Digest: the first answer says how to ask; then the library asks for a challenge of its own.
    asked = {Scheme.OPEN: 0, Scheme.BASIC: 1, Scheme.DIGEST: 2, Scheme.OLD_DIGEST: 2}
    assert (camera.given, camera.refused) == (1, asked[scheme])


BAD: list[tuple[Mood, str, str]] = [
    (Mood.NOT_FOUND, "due", "the camera answered 404"),
    (Mood.ELSEWHERE, "due", "the camera answered 302"),
    (Mood.NO_IMAGE, "due", "not an image"),
    (Mood.CUT_OFF, "due", "not a whole image"),
    (Mood.HUGE, "due", "larger than 10485760 bytes"),
    (Mood.SLOW, "due", "no still within 2 s"),
]


@pytest.mark.parametrize(("mood", "state", "error"), BAD)
async def test_a_camera_that_fails_delays_nothing(
    bench: Bench, camera: CameraSimulator, mood: Mood, state: str, error: str
) -> None:
    """The reason is written down, everything else is frozen, and it is asked again."""
    incident_id = await add_incident(bench.database)
    bench.around.urls = {CAMERA: camera.url}
    await bench.plan(incident_id, CAMERA)
    camera.mood = mood
    await bench.at(0)
    standing = await bench.standing(incident_id)
    first = standing[f"still:{CAMERA}:0"]
    assert (standing["rules"].state, first.state, first.tries) == ("done", state, 1)
    assert first.error is not None
    assert first.error.startswith(error)
    camera.mood = Mood.GOOD
    await bench.at(3_000)
    assert (await bench.standing(incident_id))[f"still:{CAMERA}:0"].state == "done"


async def test_a_camera_is_given_up_after_four_tries(bench: Bench) -> None:
    """A port where nobody listens; the other times are tried all the same."""
    incident_id = await add_incident(bench.database)
    bench.around.urls = {CAMERA: "http://127.0.0.1:9/snapshot.jpg"}
    await bench.plan(incident_id, CAMERA)
    for seconds in (0, 3, 8, 17, 26):
        await bench.at(seconds * 1000)
    standing = await bench.standing(incident_id)
    first = standing[f"still:{CAMERA}:0"]
    assert (first.state, first.tries) == ("failed", 4)
    assert first.error is not None
    assert first.error.startswith("ConnectError")
    assert standing[f"still:{CAMERA}:30000"].state == "due"


@pytest.mark.parametrize(
    ("camera_id", "error"),
    [
        ("cam-002", "the camera refuses the login"),
        ("cam-003", "the camera is not registered any more, or gives no stills"),
    ],
)
async def test_what_only_a_person_can_mend_is_not_tried_again(
    bench: Bench, camera: CameraSimulator, camera_id: str, error: str
) -> None:
    """A wrong login asked again and again would lock us out."""
    incident_id = await add_incident(bench.database)
    bench.around.urls = {"cam-002": camera.url}
    await bench.plan(incident_id, camera_id)
    await bench.at(0)
    first = (await bench.standing(incident_id))[f"still:{camera_id}:0"]
    assert (first.state, first.tries, first.error) == ("failed", 1, error)


async def test_without_a_login_a_camera_that_wants_one_says_so(camera: CameraSimulator) -> None:
    """Nothing is sent that was not set."""
    asking = Stills(CameraSettings())
    with pytest.raises(Exception, match="the camera wants a login"):
        await asking.fetch(CAMERA, camera.url)
    await asking.close()
    assert camera.refused == 1


async def test_two_processes_freeze_each_thing_once(
    bench: Bench, store: EmbeddedStore, stills: Stills, migrated_url: str, tmp_path: Path
) -> None:
    """A claim is a lease: nobody else has the task meanwhile."""
    ids = [await add_incident(bench.database, f"F{n:04}", f"cmrj-{n:02}") for n in range(1, 7)]
    for incident_id in ids:
        await bench.plan(incident_id)
    other_database = await Database.open(migrated_url, checkpoints=False)
    other = Freezer(other_database, store, EvidenceFiles(tmp_path), stills, bench.around)
    bench.around.at_ms = OPENED + 31 * MINUTE
    bench.around.stored_ms = bench.around.at_ms
    for _ in range(3):
        await asyncio.gather(bench.freezer.turn(bench.around.at_ms), other.turn(bench.around.at_ms))
        await asyncio.gather(bench.freezer.settle(), other.settle())
    await other_database.close()
    for incident_id in ids:
        assert len(await bench.kept(incident_id)) == 3
    assert bench.freezer.counts.done + other.counts.done == 18


async def test_a_task_whose_owner_died_is_done_by_another(bench: Bench) -> None:
    """After the lease; and the one that comes back late changes nothing."""
    incident_id = await add_incident(bench.database)
    await bench.plan(incident_id)
    async with bench.database.writing() as connection:
        [lost] = await tasks.claim(connection, OPENED, 10)
        assert await tasks.claim(connection, OPENED + LEASE_MS - 1, 10) != [lost]
        again = await tasks.claim(connection, OPENED + 2 * LEASE_MS, 10)
        assert lost.what.part is Part.RULES
        assert [t.tries for t in again if t.id == lost.id] == [2]
        assert not await tasks.finish(connection, lost)
        assert not await tasks.postpone(connection, lost, "late", 0)
        mine = next(t for t in again if t.id == lost.id)
        assert await tasks.finish(connection, mine)
        assert not await tasks.fail(connection, mine, "twice")


async def test_a_freezer_that_is_closed_leaves_its_tasks_to_others(
    bench: Bench, camera: CameraSimulator
) -> None:
    """What ran is broken off, not lost."""
    incident_id = await add_incident(bench.database)
    bench.around.urls = {CAMERA: camera.url}
    camera.mood = Mood.SLOW
    await bench.plan(incident_id, CAMERA)
    await bench.freezer.turn(OPENED)
    await bench.freezer.close()
    assert (await bench.standing(incident_id))[f"still:{CAMERA}:0"].state == "due"
    camera.mood = Mood.GOOD
    await bench.at(LEASE_MS)
    still = (await bench.standing(incident_id))[f"still:{CAMERA}:0"]
    assert (still.state, still.error) == ("done", None)


async def test_a_site_wide_incident_is_about_the_stations_its_findings_name(
    bench: Bench,
) -> None:
    """Their frames, in one file."""
    incident_id = await add_incident(bench.database, station=None)
    for station in ("cmrj-02", STATION):
        await add_finding(bench.database, incident_id, hot(station))
    async with bench.database.reading() as connection:
        assert await stations_of(connection, incident_id, None) == [STATION, "cmrj-02"]
    await bench.plan(incident_id)
    await bench.at(31 * MINUTE)
    whole = [a for a in await bench.kept(incident_id) if a.name.startswith("frames")]
    assert [a.detail["rows"] for a in whole] == [2 * 360 * 3]


async def test_an_incident_without_any_station_has_no_frames(bench: Bench) -> None:
    """An empty file with its row: there was nothing, and that is told."""
    incident_id = await add_incident(bench.database, station=None)
    await bench.plan(incident_id)
    await bench.at(31 * MINUTE)
    assert [a.bytes for a in await bench.kept(incident_id) if a.kind is Kind.FRAMES] == [0, 0]


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (What(Part.RULES, OPENED), f"rules:{OPENED}"),
        (What(Part.STILL, OPENED, "c" * 32, 300_000), f"still:{OPENED}:{'c' * 32}:300000"),
    ],
)
def test_a_task_is_written_and_read(what: What, text: str) -> None:
    """Within the 80 characters of its column."""
    assert (str(what), What.parse(text)) == (text, what)
    assert len(text) <= 80


@pytest.mark.parametrize(
    ("number", "name"),
    [("../x", "a.csv"), ("F0012", "../a"), ("F0012", ".hidden"), ("", "a"), ("F1", "a/b")],
)
def test_no_name_leads_elsewhere(tmp_path: Path, number: str, name: str) -> None:
    """Names come from rows, and rows from people."""
    with pytest.raises(ValueError, match="no names of evidence"):
        EvidenceFiles(tmp_path).keep(number, name, b"")
