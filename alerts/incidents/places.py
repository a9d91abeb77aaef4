"""Where a finding is: from the id in its key to names, area and time zone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from devices.model import Name, Site


@dataclass(frozen=True, slots=True)
class Place:
    """A station with its surroundings, or a whole site (``station`` None)."""

    site: str
    site_name: Name
    timezone: str
    station: str | None = None
    station_name: Name | None = None
    area: str | None = None
    area_name: Name | None = None
    cameras: tuple[str, ...] = ()
    canary: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """All stations and sites by id."""

    stations: Mapping[str, Place] = field(default_factory=dict)
    sites: Mapping[str, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, sites: Iterable[Site], canaries: Iterable[Site] = ()) -> "Places":
        """The places of the registry, and those of the synthetic stations."""
        stations: dict[str, Place] = {}
        whole: dict[str, Place] = {}
        for site, canary in [*((s, False) for s in sites), *((s, True) for s in canaries)]:
            areas = {area.id: area.name for area in site.areas}
            if not canary:
                whole[site.id] = Place(site.id, site.name, site.timezone)
            for station in site.stations:
                stations[station.id] = Place(
                    site=site.id,
                    site_name=site.name,
                    timezone=site.timezone,
                    station=station.id,
                    station_name=station.name,
                    area=station.area,
                    area_name=areas[station.area],
                    cameras=station.cameras,
                    canary=canary,
                )
        return cls(stations, whole)

    def find(self, subject: str) -> Place | None:
        """The place whose id a finding's key carries: a station's, or a site's."""
        return self.stations.get(subject) or self.sites.get(subject)

    def of_site(self, site: str) -> frozenset[str]:
        """Ids of the site's stations, the synthetic ones left out."""
        return frozenset(
            p.station
            for p in self.stations.values()
            if p.site == site and p.station and not p.canary
        )
