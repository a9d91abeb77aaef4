"""People's photos: made anew without metadata, bounded, registered once."""

from contextlib import suppress
from io import BytesIO
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import select

from alerts import audit
from alerts.evidence import images
from alerts.evidence.attachments import Attachment, Kind, attachments
from alerts.evidence.errors import NoIncidentError, PhotoRefusedError, Refusal, StillError
from alerts.evidence.files import EvidenceFiles
from alerts.evidence.photos import MAX_PHOTOS, add_photo
from alerts.incidents.tables import incident_event
from devices.database import Database
from tests.alerts_evidence.evidence_scene import OPENED, add_incident

GPS, ORIENTATION, MAKER = 0x8825, 0x0112, 0x010F


def _picture(kind: str = "JPEG", size: tuple[int, int] = (60, 40), mode: str = "RGB") -> bytes:
    out = BytesIO()
    Image.new(mode, size, 200 if mode == "L" else "#3366aa").save(out, kind)
    return out.getvalue()


def _phone_photo() -> bytes:
    """Turned by its metadata, and telling where it was taken."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKER] = 6, "Secret Phone"
    exif.get_ifd(GPS)[2] = (30.0, 16.0, 1.0)
    out = BytesIO()
    Image.new("RGB", (60, 40), "red").save(out, "JPEG", exif=exif, comment=b"Mrs Li")
    return out.getvalue()


def test_a_photo_keeps_its_pixels_and_nothing_else() -> None:
    """Upright, without place, device and comment."""
    sent = _phone_photo()
    assert b"Secret Phone" in sent
    kept = images.clean_photo(sent)
    with Image.open(BytesIO(kept)) as image:
        assert (image.format, image.size) == ("JPEG", (40, 60))
        assert dict(image.getexif()) == {}
        assert not {"exif", "comment", "icc_profile"} & set(image.info)
    assert b"Secret Phone" not in kept
    assert b"Mrs Li" not in kept


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB")]
)
def test_what_phones_send_is_taken(kind: str, mode: str) -> None:
    """JPEG, PNG and WebP of any colour mode become JPEG."""
    with Image.open(BytesIO(images.clean_photo(_picture(kind, mode=mode)))) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (60, 40))


def _promise(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that says it is of this size."""
    data = bytearray(_picture("PNG"))
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


REFUSED: list[tuple[str, bytes, Refusal]] = [
    ("empty", b"", Refusal.NO_IMAGE),
    ("a web page", b"<html><script>", Refusal.NO_IMAGE),
    ("a gif", _picture("GIF"), Refusal.NO_IMAGE),
    ("a tiff", _picture("TIFF"), Refusal.NO_IMAGE),
    ("an iPhone's own", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), Refusal.HEIC),
    ("the same by its other brand", b"\0\0\0\x18ftypmif1" + bytes(100), Refusal.HEIC),
    ("half of it", _picture(size=(600, 400))[:900], Refusal.DAMAGED),
    ("48 megapixels", _promise(8_000, 6_000), Refusal.TOO_MANY_PIXELS),
    ("a bomb", _promise(12_000, 10_000), Refusal.TOO_MANY_PIXELS),
    ("a larger bomb", _promise(60_000, 60_000), Refusal.TOO_MANY_PIXELS),
    ("11 MB", b"\xff\xd8" + bytes(11 * 1024 * 1024), Refusal.TOO_LARGE),
]


@pytest.mark.parametrize(("data", "refusal"), [pytest.param(d, r, id=n) for n, d, r in REFUSED])
def test_what_is_no_photo_is_refused_with_the_reason(data: bytes, refusal: Refusal) -> None:
    """Before anything is kept, and before memory is filled."""
    with pytest.raises(PhotoRefusedError) as caught:
        images.clean_photo(data)
    assert caught.value.refusal is refusal
    with pytest.raises(StillError):
        images.check_still(data)


@given(st.binary(max_size=300), st.integers(0, 600), st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_broken_pictures_are_refused_not_raised(noise: bytes, at: int, kind: str) -> None:
    """A picture with noise in it is a photo or a refusal, nothing else."""
    data = _picture(kind)
    broken = data[: at % len(data)] + noise + data[at % len(data) + len(noise) :]
    with suppress(PhotoRefusedError):
        assert images.clean_photo(broken)[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("JPEG", ("image/jpeg", "jpg")),
        ("PNG", ("image/png", "png")),
        ("WEBP", ("image/webp", "webp")),
    ],
)
def test_a_still_is_kept_as_it_came(kind: str, said: tuple[str, str]) -> None:
    """Only looked at: it is evidence."""
    assert images.check_still(_picture(kind)) == said


async def _add(database: Database, folder: Path, data: bytes, number: str = "F0012") -> Attachment:
    return await add_photo(
        database, EvidenceFiles(folder), number=number, data=data, by="zhang-wei", at_ms=OPENED
    )


async def test_a_photo_is_kept_and_told(database: Database, tmp_path: Path) -> None:
    """File, register, timeline and audit say the same; again is the same, once."""
    incident_id = await add_incident(database)
    added = await _add(database, tmp_path, _phone_photo())
    assert await _add(database, tmp_path, _phone_photo()) == added
    data = (tmp_path / "evidence" / "F0012" / added.name).read_bytes()
    assert (added.kind, added.by, added.at_ms) == (Kind.PHOTO, "zhang-wei", OPENED)
    assert added.bytes == len(data)
    said = {"attachment": added.id, "name": added.name, "sha256": added.sha256}
    async with database.reading() as connection:
        assert list(await attachments(connection, incident_id)) == [added]
        [event] = (await connection.execute(select(incident_event))).all()
        [entry] = await audit.newest(connection)
    assert (event.incident_id, event.kind, event.actor, event.detail) == (
        incident_id,
        "photo",
        "zhang-wei",
        said,
    )
    assert (entry.action, entry.subject, entry.detail) == ("photo.add", "incident:F0012", said)


async def test_an_incident_has_only_so_many_photos(database: Database, tmp_path: Path) -> None:
    """A link in wrong hands does not fill the disk."""
    await add_incident(database)
    for n in range(MAX_PHOTOS):
        await _add(database, tmp_path, _picture(size=(60, 40 + 8 * n)))
    with pytest.raises(PhotoRefusedError) as caught:
        await _add(database, tmp_path, _picture(size=(9, 9)))
    assert caught.value.refusal is Refusal.TOO_MANY


async def test_there_must_be_an_incident(database: Database, tmp_path: Path) -> None:
    """And nothing is kept without."""
    with pytest.raises(NoIncidentError):
        await _add(database, tmp_path, _picture(), "F9999")
    assert not EvidenceFiles(tmp_path).path("F9999", "photo").parent.exists()
