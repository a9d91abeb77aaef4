"""The configured stations: which slot, which catalogue, how many sockets, how often they report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rules.catalogue import Catalogue
from rules.layout import StationFloats, StationInts
from rules.rule_models import Offline
from rules.settings import HEARTBEATS_OF_GAP, Settings
from rules.snapshots import EngineState

Int64 = npt.NDArray[np.int64]
NOT_CONFIGURED: Final = -1


@dataclass(frozen=True, slots=True)
class StationProfile:
    """What detection must know of one station; ``idle_interval_s`` is its slowest reporting."""

    station: str
    site: str
    sockets: int
    catalogue: Catalogue
    idle_interval_s: float


class Fleet:
    """Profiles by slot, as arrays; the state says where a station stands."""

    def __init__(self, state: EngineState) -> None:
        """Nobody configured yet; stations that only the state knows stay asleep."""
        self.state = state
        self.settings = Settings()
        self.profiles: dict[str, StationProfile] = {}
        self.slots: dict[str, int] = {}
        self.sites: dict[str, set[str]] = {}
        self.catalogue = np.zeros(0, np.int64)  # number in settings; -1 = not configured
        self.gap_floor_ms = np.zeros(0, np.int64)
        self.silence_ms = np.zeros(0, np.int64)
        self.will_ms = np.zeros(0, np.int64)
        self.sockets = np.zeros(0, np.int64)

    def configure(self, profiles: Iterable[StationProfile]) -> None:
        """Add stations, or change those that are there already."""
        for profile in profiles:
            slot = self.state.add(profile.station, profile.sockets)
            self._fit()
            self._leave_site(profile.station)
            self.sites.setdefault(profile.site, set()).add(profile.station)
            self.profiles[profile.station] = profile
            self.slots[profile.station] = slot
            self.catalogue[slot] = self.settings.add(profile.catalogue)
            idle_ms = round(profile.idle_interval_s * 1000)
            self.gap_floor_ms[slot] = HEARTBEATS_OF_GAP * idle_ms
            silence = profile.catalogue.of(Offline).main
            self.silence_ms[slot] = max(
                round(silence.silence_s * 1000), round(silence.heartbeats * idle_ms)
            )
            self.will_ms[slot] = round(silence.will_s * 1000)
            self.sockets[slot] = profile.sockets

    @property
    def station_ints(self) -> StationInts:
        """The whole columns of times per station, writable."""
        return StationInts(*self.state.station_ints)

    @property
    def station_floats(self) -> StationFloats:
        """The whole columns of values per station, writable."""
        return StationFloats(*self.state.station_floats)

    def forget(self, station: str) -> None:
        """The station has left; its state goes with it."""
        slot = self.slots.pop(station)
        self._leave_site(station)
        del self.profiles[station]
        self.catalogue[slot] = NOT_CONFIGURED
        self.state.remove(station)

    def profile(self, slot: int) -> StationProfile:
        """The profile of a configured slot."""
        name = self.state.stations[slot]
        return self.profiles[name or ""]

    def exists(self, slots: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """(n, columns): which columns are sockets that the station has."""
        columns = np.arange(self.state.columns)
        return (columns >= 1) & (columns <= self.sockets[slots][:, None])

    def _leave_site(self, station: str) -> None:
        known = self.profiles.get(station)
        if known is not None:
            self.sites[known.site].discard(station)

    def _fit(self) -> None:
        missing = self.state.capacity - len(self.catalogue)
        if missing <= 0:
            return
        for name in ("gap_floor_ms", "silence_ms", "will_ms", "sockets"):
            setattr(self, name, np.pad(getattr(self, name), (0, missing)))
        self.catalogue = np.pad(self.catalogue, (0, missing), constant_values=NOT_CONFIGURED)
