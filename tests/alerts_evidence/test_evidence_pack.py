"""The pack: everything is in it, it proves itself, and meddling shows."""

import asyncio
import csv
import hashlib
import json
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO, StringIO
from math import exp
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader
from sqlalchemy import text

from alerts import audit
from alerts.evidence import moments, proof, tasks
from alerts.evidence.case import Case, read_case
from alerts.evidence.check import check_pack
from alerts.evidence.errors import NoIncidentError, PackError
from alerts.evidence.files import EvidenceFiles
from alerts.evidence.freezer import Freezer
from alerts.evidence.pack import Packed
from alerts.evidence.packer import Packer
from alerts.evidence.photos import add_photo
from alerts.evidence.sheets import cell, sheet
from alerts.evidence.texts import LANGUAGES, texts
from devices.command_model import Failure, State
from devices.database import Database
from devices.orders import Action
from devices.records import save_commands
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from simulators.camera import still
from tests.alerts_evidence.evidence_scene import (
    OPENED,
    STATION,
    Around,
    add_incident,
    add_story,
    proven_cut,
)
from tests.iot_stores.telemetry import frames

MINUTE = 60_000
CAMERA = "cam-001"


class OneStill:
    """A camera that never fails."""

    async def fetch(self, camera: str, url: str) -> bytes:
        """A picture."""
        return still(f"{camera} {url}", 1)


def _heat(row: int, socket: int) -> float:
    """Socket 3 burns up around the incident and cools after its cut."""
    minutes = row / 12 - 60
    if socket != 3:
        return 24 + socket + minutes / 30
    return 27 + (55 / (1 + exp(-minutes / 2)) if minutes < 0.3 else 30 * exp(-minutes / 9))


def _photo() -> bytes:
    out = BytesIO()
    Image.new("RGB", (300, 400), "#884422").save(out, "JPEG")
    return out.getvalue()


@dataclass
class Scene:
    """A closed incident with all its evidence frozen."""

    database: Database
    files: EvidenceFiles
    folder: Path
    incident_id: int

    async def pack(self, name: str = "pack.zip") -> Packed:
        """As a person asks for it."""
        return await Packer(self.database, self.files).pack("F0012", self.folder / name)

    async def case(self) -> Case:
        """What the pack is made of."""
        async with self.database.reading() as connection:
            return await read_case(connection, "F0012")


@pytest.fixture
async def scene(database: Database, tmp_path: Path) -> Scene:
    """Real database, store, files; everything frozen."""
    incident_id = await add_story(database)
    files = EvidenceFiles(tmp_path)
    store = await EmbeddedStore.open(tmp_path / "telemetry", EmbeddedOptions(memory_limit_mb=128))
    batch = frames(
        1440, station=STATION, start_ms=OPENED - 60 * MINUTE, step_ms=5_000, sockets=12, value=_heat
    )
    await store.append([(1, batch)], 2)
    around = Around(OPENED + 31 * MINUTE, OPENED + 31 * MINUTE, {CAMERA: "http://127.0.0.1:9/"})
    freezer = Freezer(database, store, files, OneStill(), around)
    async with database.writing() as connection:
        await tasks.plan(connection, incident_id, [CAMERA, "cam-gone"], OPENED)
    for _ in range(3):
        await freezer.turn(around.at_ms)
        await freezer.settle()
    await store.close()
    await add_photo(
        database, files, number="F0012", data=_photo(), by="zhang-wei", at_ms=OPENED + 300_000
    )
    return Scene(database, files, tmp_path, incident_id)


def _open(packed: Packed) -> zipfile.ZipFile:
    return zipfile.ZipFile(packed.path)


def _rows(packed: Packed, name: str) -> list[dict[str, str]]:
    with _open(packed) as archive:
        return list(csv.DictReader(StringIO(archive.read(name).decode("utf-8-sig"))))


def _json(packed: Packed, name: str) -> Any:
    with _open(packed) as archive:
        return json.loads(archive.read(name))


async def test_everything_is_in_it(scene: Scene) -> None:
    """Records, report, and every frozen file with the digest under which it was registered."""
    packed = await scene.pack()
    with _open(packed) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert names[:-1] == [
        "README.txt",
        "incident.json",
        "commands.csv",
        "messages.csv",
        "attempts.csv",
        "callbacks.csv",
        "acts.csv",
        "alarms.csv",
        "deadlines.csv",
        "audit.json",
        "report.pdf",
        *(entry["file"] for entry in _json(packed, "incident.json")["attachments"]),
    ]
    assert names[-1] == "manifest.json"
    kinds = sorted(name.partition("/")[0] for name in names if "/" in name)
    assert kinds == ["frames"] * 2 + ["photos"] + ["rules"] + ["stills"] * 3
    manifest = _json(packed, "manifest.json")
    with _open(packed) as archive:
        for entry in manifest["files"]:
            assert hashlib.sha256(archive.read(entry["name"])).hexdigest() == entry["sha256"]
        whole = hashlib.sha256(archive.read("manifest.json")).hexdigest()
    assert packed == Packed(packed.path, len(names), packed.path.stat().st_size, whole, ())
    assert (manifest["incident"], manifest["damaged"]) == ("F0012", [])


async def test_the_incident_stands_with_what_was_measured_and_by_which_rules(scene: Scene) -> None:
    """Findings with evidence and steps, deadlines, rule version, what could not be had."""
    packed = await scene.pack()
    said = _json(packed, "incident.json")
    assert (said["incident"]["number"], said["outcome"]) == ("F0012", "proven")
    [finding] = said["findings"]
    assert finding["evidence"] == {"temp_c": 48.0, "limit_c": 80.0}
    assert [(s["change"], s["evidence"].get("power_w")) for s in finding["transitions"]] == [
        ("raised", 412.5),
        ("cleared", None),
    ]
    assert [d["step"] for d in said["deadlines"]] == ["acknowledge", "on_site", "report"]
    [rules] = said["rules"]
    frozen = _json(packed, rules["file"])
    assert frozen == Around().rules([STATION])
    assert rules["detail"]["versions"] == [frozen["stations"][STATION]]
    missing = [f for f in said["freezing"] if f["state"] != "done"]
    assert {f["what"].split(":")[2] for f in missing} == {"cam-gone"}
    assert {f["error"] for f in missing} == {
        "the camera is not registered any more, or gives no stills"
    }
    assert said["place"]["site"] == {"zh": "蔡马人家", "en": "Caimarenjia"}


async def test_orders_messages_and_receipts_stand_as_tables(scene: Scene) -> None:
    """With the site's wall clock; proofs, providers' words, what people did."""
    packed = await scene.pack()
    cut = _rows(packed, "commands.csv")[0]
    assert (cut["time"], cut["state"], cut["proof_w"], cut["others_unaffected"]) == (
        "2026-07-01T14:03:05.010+08:00",
        "proven",
        "0.4",
        "1",
    )
    sent = {row["id"]: row for row in _rows(packed, "messages.csv")}
    assert (sent["m1"]["address"], sent["m1"]["state"]) == ("'+8613800000001", "delivered")
    assert sent["m2"]["first_sent_ms"] == ""
    assert [r["provider_ref"] for r in _rows(packed, "attempts.csv")] == ["biz-m1", "biz-m2"]
    assert [r["kind"] for r in _rows(packed, "callbacks.csv")] == ["receipt", "receipt"]
    acts = [row["kind"] for row in _rows(packed, "acts.csv")]
    assert acts == ["opened", "acknowledged", "on_site", "reported", "closed", "photo"]
    [alarm] = _rows(packed, "alarms.csv")
    assert (alarm["kind"], alarm["value"]) == ("over_temperature", "83.5")


async def test_who_reads_a_pack_cannot_act_with_its_links(scene: Scene) -> None:
    """One-time links are masked wherever they stand."""
    packed = await scene.pack()
    with _open(packed) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Zm9vYmFyYmF6" not in everything
    message = _rows(packed, "messages.csv")[0]
    assert message["text"].endswith("单号F0012 cw.example/l/***")
    assert json.loads(message["params"]) == {"place": "=cmd|'/c calc'!A1", "token": "***"}


async def test_the_same_evidence_gives_the_same_bytes(scene: Scene) -> None:
    """Made again, on another day: whoever has one can compare."""
    first, second = await scene.pack("a.zip"), await scene.pack("b.zip")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.manifest_sha256 == second.manifest_sha256


async def test_the_report_can_be_read(scene: Scene) -> None:
    """Place, values, outcome, times, people, digests: in both languages."""
    packed = await scene.pack()
    with _open(packed) as archive:
        pages = PdfReader(BytesIO(archive.read("report.pdf"))).pages
        report = "\n".join(page.extract_text() for page in pages)
    report = report.replace("\n", "")
    case = await scene.case()
    for said in (
        "事件取证报告 Evidence report F0012",
        "已断电，并已测量证实 Power cut, and measured to be off",
        "蔡马人家 Caimarenjia",
        "R02",
        "过热 overheating",
        "2026-07-01 14:03:46",
        "after 41 s",
        "张伟",
        "<b>充电器</b>过热 & 已隔离",
        "cam-001",
        "消防安全员 Fire-safety officer",
        str(case.audit.anchor)[:40],
        *(a.sha256[:16] for a in case.attachments),
    ):
        assert said.replace(" ", "") in report.replace(" ", ""), said
    assert f"Page {len(pages)} of {len(pages)}" in report


async def test_a_good_pack_is_good(scene: Scene) -> None:
    """With what is needed to ask the product about its chain."""
    packed = await scene.pack()
    checked = check_pack(packed.path)
    assert (checked.incident, list(checked.problems), checked.files) == (
        "F0012",
        [],
        packed.files,
    )
    assert checked.manifest_sha256 == packed.manifest_sha256
    async with scene.database.reading() as connection:
        anchor = audit.Anchor.parse(str(checked.anchor))
        assert (await audit.verify(connection, anchor)).ok


def _rewritten(packed: Packed, name: str, data: bytes | None) -> Path:
    """A copy of the pack in which one file is other (or, with None, gone)."""
    copy = packed.path.with_name("copy.zip")
    with _open(packed) as old, zipfile.ZipFile(copy, "w") as new:
        for entry in old.namelist():
            if entry != name:
                new.writestr(entry, old.read(entry))
        if data is not None:
            new.writestr(name, data)
    return copy


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("incident.json", b"{}", "incident.json: altered"),
        ("commands.csv", None, "commands.csv: missing"),
        ("extra.txt", b"x", "extra.txt: not in the manifest"),
        ("report.pdf", b"", "report.pdf: altered"),
    ],
)
async def test_meddling_with_a_pack_shows(
    scene: Scene, name: str, data: bytes | None, problem: str
) -> None:
    """A file changed, taken out, put in."""
    copy = _rewritten(await scene.pack(), name, data)
    assert list(check_pack(copy).problems) == [problem]


async def test_a_flipped_bit_anywhere_is_told_and_never_raised(scene: Scene) -> None:
    """In data, names, directory: a problem or no pack; only a ZIP's own notes may change."""
    packed = await scene.pack()
    good = packed.path.read_bytes()
    random = Random(7)
    missed = 0
    for _ in range(300):
        bad = bytearray(good)
        bad[random.randrange(len(bad))] ^= 1 << random.randrange(8)
        packed.path.write_bytes(bad)
        with suppress(PackError):
            checked = check_pack(packed.path)
            same = checked.manifest_sha256 == packed.manifest_sha256
            missed += not checked.problems and not same
    assert missed == 0


async def test_a_file_that_stands_twice_shows(scene: Scene) -> None:
    """Programs disagree on which of two they show."""
    packed = await scene.pack()
    with zipfile.ZipFile(packed.path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("incident.json", b"{}")
    assert "incident.json: there twice" in check_pack(packed.path).problems


async def test_an_altered_audit_part_does_not_lead_to_its_anchor(scene: Scene) -> None:
    """Even with a manifest that fits."""
    packed = await scene.pack()
    told = _json(packed, "audit.json")
    told["links"][0]["actor"] = "somebody"
    data = json.dumps(told).encode()
    manifest = _json(packed, "manifest.json")
    for entry in manifest["files"]:
        if entry["name"] == "audit.json":
            entry["sha256"] = hashlib.sha256(data).hexdigest()
    copy = _rewritten(packed, "audit.json", data)
    copy = copy.rename(packed.path)
    copy = _rewritten(replace(packed, path=copy), "manifest.json", json.dumps(manifest).encode())
    assert list(check_pack(copy).problems) == ["audit.json: the links do not lead to the anchor"]


@pytest.mark.parametrize("junk", [b"", b"PK", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_pack_says_so(tmp_path: Path, junk: bytes) -> None:
    """An error with the file's name, never a traceback."""
    path = tmp_path / "junk.zip"
    path.write_bytes(junk)
    with pytest.raises(PackError, match=r"junk\.zip"):
        check_pack(path)
    with pytest.raises(PackError):
        check_pack(tmp_path / "nothing.zip")


async def test_a_frozen_file_that_was_changed_is_named(scene: Scene) -> None:
    """In the manifest, in the report, by the check; one that is gone too, and nothing fails."""
    kept = {a.kind.value: a.name for a in (await scene.case()).attachments}
    scene.files.path("F0012", kept["frames"]).write_text("altered")
    scene.files.path("F0012", kept["photo"]).unlink()
    packed = await scene.pack()
    assert set(packed.damaged) == {kept["frames"], kept["photo"]}
    problems = check_pack(packed.path).problems
    assert f"{kept['photo']}: was not as registered when packed" in problems
    with _open(packed) as archive:
        pages = PdfReader(BytesIO(archive.read("report.pdf"))).pages
        report = "".join(page.extract_text() for page in pages)
    assert "Not what was registered" in report


async def test_an_incident_with_nothing_makes_a_pack_too(
    database: Database, tmp_path: Path
) -> None:
    """Just opened, of a site that is not registered: what there is, is there."""
    await add_incident(database, "F0001", None, site_id="gone-site")
    packer = Packer(database, EvidenceFiles(tmp_path))
    packed = await packer.pack("F0001", tmp_path / "pack.zip")
    assert list(check_pack(packed.path).problems) == []
    assert (await packer.report("F0001"))[:5] == b"%PDF-"
    assert _rows(packed, "commands.csv") == []
    with pytest.raises(NoIncidentError):
        await packer.pack("F9999", tmp_path / "none.zip")
    assert not await asyncio.to_thread((tmp_path / "none.zip").exists)


async def test_the_audit_part_shows_nothing_of_others(scene: Scene) -> None:
    """Entries between stand by their digest alone, and the chain still holds."""
    case = await scene.case()
    part = case.audit.as_dict()
    assert proof.holds(part)
    assert "of somebody else" not in json.dumps(part)
    whole = [link["action"] for link in proof.concerning(case.audit.links)]
    assert whole == [f"incident.{n}" for n in ("acknowledge", "arrive", "report", "close")] + [
        "photo.add"
    ]
    assert len(case.audit.links) == 9
    for meddled in (
        part | {"links": part["links"][1:]},
        part | {"links": part["links"][:-1]},
        part | {"links": [part["links"][0], *part["links"]]},
        part | {"previous": "1" * 64},
        part | {"anchor": None},
        part | {"links": []},
        {},
    ):
        assert not proof.holds(meddled)
    assert proof.holds({"previous": None, "links": [], "anchor": None})


@pytest.mark.parametrize(
    ("changes", "followed_by", "outcome"),
    [
        ({}, None, "proven"),
        ({"state": State.SENT, "proven_ms": None, "ended_ms": None}, None, "pending"),
        (
            {"state": State.FAILED, "proven_ms": None, "failure": Failure.STILL_POWER},
            None,
            "failed",
        ),
        ({"state": State.FAILED, "proven_ms": None}, State.PROVEN, "proven"),
        ({"state": State.FAILED, "proven_ms": None}, State.FAILED, "failed"),
        ({"rule": "R20"}, None, "none"),
    ],
)
async def test_how_the_cut_ended(
    scene: Scene, changes: dict[str, Any], followed_by: State | None, outcome: str
) -> None:
    """A socket's failed cut counts by the station's that followed; an ordinary end does not."""
    cuts = [proven_cut(**changes)]
    if followed_by is not None:
        station = proven_cut(id="c0ffee03", parent=cuts[0].id, state=followed_by, rule="R40")
        cuts.append(replace(station, socket=None, action=Action.CUT_STATION))
    async with scene.database.writing() as connection:
        await save_commands(connection, cuts)
    assert moments.outcome(await scene.case()) == outcome


async def test_the_timeline_is_one_list_in_order(scene: Scene) -> None:
    """Found, ordered, proven, told, received, done by people: each once."""
    case = await scene.case()
    lines = moments.moments(case)
    assert [m.at_ms for m in lines] == sorted(m.at_ms for m in lines)
    english = [m.what for m in lines]
    for said in ("found: R02", "power measured off, 0.4 W", "sms", "over_temperature", "closed"):
        assert any(said in line for line in english), said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("=1+1", "'=1+1"),
        ("+86138", "'+86138"),
        ("-2", "'-2"),
        ("@x", "'@x"),
        ("\t=1", "'\t=1"),
        ("＝1", "'＝1"),
        ("normal", "normal"),
        (-2.5, "-2.5"),
        (True, "1"),
        (None, ""),
    ],
)
def test_no_text_is_a_formula(value: object, said: str) -> None:
    """What people typed is text in a spreadsheet, numbers stay numbers."""
    assert cell(value) == said


def test_a_sheet_is_read_back(tmp_path: Path) -> None:
    """Commas, quotes, line breaks, Chinese."""
    rows: list[dict[str, object]] = [{"a": 'x,"y"\nz', "b": "充电"}, {"a": 1.5}]
    path = tmp_path / "a.csv"
    path.write_bytes(sheet(["a", "b"], rows))
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"a": 'x,"y"\nz', "b": "充电"},
            {"a": "1.5", "b": ""},
        ]


def test_both_languages_say_the_same_things() -> None:
    """The same keys with the same placeholders."""
    shapes = []
    for language in LANGUAGES:
        said = texts(language)
        shapes.append(
            {
                (section, name): sorted(p for p in _placeholders(value))
                for section, names in said.items()
                for name, value in names.items()
            }
        )
    assert shapes[0] == shapes[1]


def _placeholders(value: str) -> set[str]:
    return {part.split("}")[0] for part in value.split("{")[1:]}


async def test_a_database_that_was_altered_below_is_seen_by_the_anchor(scene: Scene) -> None:
    """The pack was given away; then somebody changed the record."""
    checked = check_pack((await scene.pack()).path)
    async with scene.database.writing() as connection:
        await connection.execute(text("UPDATE audit SET actor = 'x' WHERE seq = 1"))
    async with scene.database.reading() as connection:
        anchor = audit.Anchor.parse(str(checked.anchor))
        assert not (await audit.verify(connection, anchor)).ok
