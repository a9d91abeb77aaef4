"""The rows of the list of stations, encoded once for as long as they stay true.

A row depends on the newest frame and status, the box, the findings, the lockouts and the
registration. All of these are compared each time, so a row is never older than they are; what
is saved is looking at every socket of every station for each reader.
"""

from dataclasses import dataclass

from api.encoding import encode
from api.http import status
from api.http.ports import Backend
from devices.lockouts import Lockout
from devices.model import Site, Station
from devices.twin import LastFrame, ReportedStatus
from rules.model import Finding
from rules.views import StationView


@dataclass(frozen=True, slots=True)
class Row:
    """One encoded row, and what readers filter by."""

    json: bytes
    online: bool


@dataclass(frozen=True, slots=True)
class _Basis:
    """All that a row is made from."""

    frame: LastFrame | None
    reported: ReportedStatus | None
    registered: Station
    box: StationView
    findings: list[Finding]
    locks: tuple[Lockout, ...]

    def same(self, other: "_Basis") -> bool:
        """Whether the same row would come out; a frame is never changed, only replaced."""
        return (
            self.frame is other.frame
            and self.reported is other.reported
            and self.registered is other.registered
            and self.box == other.box
            and self.findings == other.findings
            and self.locks == other.locks
        )


class Board:
    """Remembers one row per registered station."""

    def __init__(self, backend: Backend) -> None:
        """Nothing remembered yet."""
        self._backend = backend
        self._rows: dict[str, tuple[_Basis, Row]] = {}

    def row(self, site: Site, station: Station) -> Row:
        """The row as it is now."""
        twin = self._backend.twins.get(station.id)
        basis = _Basis(
            None if twin is None else twin.frame,
            None if twin is None else twin.status,
            station,
            self._backend.detection.station_view(station.id),
            list(self._backend.detection.active(station.id)),
            self._backend.locks.of_station(station.id),
        )
        known = self._rows.get(station.id)
        if known is not None and known[0].same(basis):
            return known[1]
        view = status.summary(self._backend, site, station)
        row = Row(encode(view), view.online)
        self._rows[station.id] = (basis, row)
        return row
