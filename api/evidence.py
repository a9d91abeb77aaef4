"""Evidence, made and joined: what is frozen when an incident opens, and people's photos."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.evidence import photos, tasks
from alerts.evidence.errors import PhotoRefusedError as EvidenceRefused
from alerts.evidence.errors import Refusal
from alerts.evidence.files import EvidenceFiles
from alerts.evidence.freezer import Freezer
from alerts.evidence.packer import Packer
from alerts.evidence.stills import CameraSettings, Stills
from alerts.incidents.model import Incident
from alerts.incidents.places import Place
from api.clock import Clock
from api.exports import Exports
from api.http.cases import Attachment, PhotoRefusal, PhotoRefusedError
from devices.database import Database
from devices.model import Site
from iot.drain import Drain
from iot.store import TelemetryStore
from rules.engine import StationProfile

_REFUSALS = {
    Refusal.TOO_LARGE: PhotoRefusal.TOO_LARGE,
    Refusal.TOO_MANY_PIXELS: PhotoRefusal.TOO_MANY_PIXELS,
    Refusal.HEIC: PhotoRefusal.HEIC,
    Refusal.NO_IMAGE: PhotoRefusal.NO_IMAGE,
    Refusal.DAMAGED: PhotoRefusal.DAMAGED,
    Refusal.TOO_MANY: PhotoRefusal.TOO_MANY,
}


class _Around:
    """What the freezer asks of the rest of the product."""

    def __init__(
        self,
        clock: Clock,
        drain: Drain,
        sites: Sequence[Site],
        profiles: Sequence[StationProfile],
    ) -> None:
        self._clock = clock
        self._drain = drain
        self._urls = {c.id: c.snapshot_url for site in sites for c in site.cameras}
        self._profiles = {profile.station: profile for profile in profiles}

    def now_ms(self) -> int:
        """UTC ms."""
        return self._clock.utc_ms()

    def stored_until_ms(self) -> int | None:
        """Up to which time of receipt the telemetry store has all frames."""
        return self._drain.stored_until_ms(self._clock.utc_ms())

    def camera_url(self, camera: str) -> str | None:
        """Where a camera gives stills."""
        return self._urls.get(camera)

    def rules(self, stations: Sequence[str]) -> Mapping[str, Any]:
        """The settings in force, by their version, and which station has which."""
        known = [self._profiles[s] for s in stations if s in self._profiles]
        return {
            "stations": {p.station: p.catalogue.version for p in known},
            "catalogues": {p.catalogue.version: p.catalogue.as_dict() for p in known},
        }


class Evidence:
    """The freezer, the files, the exports, and what the desk and the HTTP side ask of them."""

    def __init__(  # noqa: PLR0913 - what it works with, by name
        self,
        settings: CameraSettings,
        *,
        database: Database,
        store: TelemetryStore,
        drain: Drain,
        clock: Clock,
        sites: Sequence[Site],
        profiles: Sequence[StationProfile],
        data_dir: Path,
        font: Path | None,
    ) -> None:
        """``sites`` say where cameras are, ``profiles`` which rules are in force.

        ``font`` is what reports are printed with, see ``alerts.paper.fonts``.
        """
        around = _Around(clock, drain, sites, profiles)
        self._database = database
        self._camera_url: Callable[[str], str | None] = around.camera_url
        self._stills = Stills(settings)
        self.files = EvidenceFiles(data_dir)
        self.freezer = Freezer(database, store, self.files, self._stills, around)
        self.exports = Exports(database, Packer(database, self.files, font), data_dir, clock.utc_ms)

    async def opened(self, connection: AsyncConnection, incident: Incident, place: Place) -> None:
        """Plan what is to be frozen, in the transaction that opens the incident."""
        cameras = [camera for camera in place.cameras if self._camera_url(camera)]
        await tasks.plan(connection, incident.id, cameras, incident.opened_ms)

    async def add_photo(self, incident: Incident, photo: bytes, by: str, now_ms: int) -> Attachment:
        """Keep a person's photo.

        Raises:
            PhotoRefusedError: it cannot be kept.

        """
        try:
            kept = await photos.add_photo(
                self._database,
                self.files,
                number=incident.number,
                data=photo,
                by=by,
                at_ms=now_ms,
            )
        except EvidenceRefused as error:
            raise PhotoRefusedError(_REFUSALS[error.refusal]) from error
        return Attachment(
            id=kept.id,
            kind=kept.kind.value,
            name=kept.name,
            media_type=kept.media_type,
            bytes=kept.bytes,
            sha256=kept.sha256,
            by=kept.by,
            at_ms=kept.at_ms,
            detail=kept.detail,
        )

    async def close(self) -> None:
        """End what runs; what was not frozen is taken up at the next start."""
        await self.freezer.close()
        await self._stills.close()
