"""The twin of each station: what it last said, and what we want of it.

Held in memory; the last status is also stored, so that a restart knows what was online.
``online`` is the station's word (or its last will's), never inferred here: silence is the
business of the rules.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.limits import Desired

Floats = npt.NDArray[np.float32]
Reading = dict[str, float | list[float | None] | None]
"""Channel by contract name; station channels are one number, socket channels one per socket."""


@dataclass(frozen=True, slots=True)
class ReportedStatus:
    """The status message of a station, as plain values; ``received_ms`` is our clock."""

    online: bool
    boot: str
    firmware: str
    hardware: str
    sockets: int
    interval_s: float
    limits_version: int
    protections: Mapping[str, bool]
    received_ms: int


class LastFrame(NamedTuple):
    """The newest live frame; values in the order of the channel names given to ``Twins``."""

    boot: int
    seq: int
    event_ms: int
    received_ms: int
    station_values: Floats  # (channels,)
    socket_values: Floats  # (channels, sockets)


@dataclass(slots=True)
class Twin:
    """Last reported and desired state of one station; only ``Twins`` writes to it."""

    station: str
    status: ReportedStatus | None = None
    link_since_ms: int | None = None  # since when ``online`` has its value
    frame: LastFrame | None = None
    desired: Desired | None = None

    @property
    def online(self) -> bool | None:
        """What the station last said; None = never heard of."""
        return None if self.status is None else self.status.online

    @property
    def received_ms(self) -> int | None:
        """When anything was last received from it, UTC ms; None = never."""
        times = [part.received_ms for part in (self.status, self.frame) if part is not None]
        return max(times, default=None)

    @property
    def limits_current(self) -> bool | None:
        """Whether the station has the limits document we want; None = not known."""
        if self.status is None or self.desired is None:
            return None
        return self.status.limits_version == self.desired.version


class Twins:
    """The twins of all stations heard of or wanted."""

    def __init__(self, station_channels: Sequence[str], socket_channels: Sequence[str]) -> None:
        """The channel names, in the order of the arrays given to ``on_frame``."""
        self._station_channels = tuple(station_channels)
        self._socket_channels = tuple(socket_channels)
        self._twins: dict[str, Twin] = {}
        self._changed: dict[str, ReportedStatus] = {}

    def on_status(self, station: str, status: ReportedStatus) -> bool:
        """Take a status in; whether ``online`` changed by it."""
        twin = self._twin(station)
        was = twin.online
        twin.status = status
        self._changed[station] = status
        if was is status.online:
            return False
        twin.link_since_ms = status.received_ms
        return True

    def on_frame(  # noqa: PLR0913 - the plain values of one frame, by name
        self,
        station: str,
        *,
        boot: int,
        seq: int,
        event_ms: int,
        received_ms: int,
        station_values: Floats,
        socket_values: Floats,
    ) -> None:
        """Take in one live frame, ``socket_values`` cut to the sockets the station has.

        The arrays are copied, so that no batch stays alive for one row of it.
        """
        self._twin(station).frame = LastFrame(
            boot, seq, event_ms, received_ms, station_values.copy(), socket_values.copy()
        )

    def on_desired(self, desired: Desired) -> None:
        """Note the limits document that the station is to have."""
        self._twin(desired.station).desired = desired

    def get(self, station: str) -> Twin | None:
        """The twin, or None when nothing is known of the station."""
        return self._twins.get(station)

    def reading(self, station: str) -> Reading | None:
        """The last values by channel name, None where no sensor is valid; None before any."""
        twin = self._twins.get(station)
        if twin is None or twin.frame is None:
            return None
        out: Reading = {}
        for name, value in zip(
            self._station_channels, twin.frame.station_values.tolist(), strict=True
        ):
            out[name] = None if isnan(value) else value
        for name, row in zip(self._socket_channels, twin.frame.socket_values.tolist(), strict=True):
            out[name] = [None if isnan(v) else v for v in row]
        return out

    def __iter__(self) -> Iterator[Twin]:
        """All twins, in the order in which they were first heard of."""
        return iter(self._twins.values())

    def __len__(self) -> int:
        """How many."""
        return len(self._twins)

    def changed(self) -> list[tuple[str, ReportedStatus]]:
        """Statuses to store; handed out once, keep them until they are committed."""
        out = list(self._changed.items())
        self._changed.clear()
        return out

    def restore(self, statuses: Mapping[str, ReportedStatus]) -> None:
        """Take over what was stored before a restart."""
        for station, status in statuses.items():
            twin = self._twin(station)
            twin.status = status
            twin.link_since_ms = status.received_ms

    def _twin(self, station: str) -> Twin:
        twin = self._twins.get(station)
        if twin is None:
            twin = self._twins[station] = Twin(station)
        return twin
