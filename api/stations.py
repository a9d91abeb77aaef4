"""What the registry says of each station, as detection wants it; and whether it may say so."""

from collections.abc import Sequence

from devices.errors import SiteFileError
from devices.model import Site
from rules.catalogue import Catalogue
from rules.engine import StationProfile
from rules.errors import CatalogueError


def profiles(sites: Sequence[Site]) -> list[StationProfile]:
    """Every station with the catalogue in force there: the default, the site's, its own.

    Raises CatalogueError for a site that ``check`` would refuse.
    """
    catalogue = Catalogue.default()
    return [
        StationProfile(
            station=station.id,
            site=site.id,
            sockets=station.sockets,
            catalogue=catalogue.with_overrides(site.rules).with_overrides(station.rules),
            idle_interval_s=site.intervals_of(station).idle_s,
        )
        for site in sites
        for station in site.stations
    ]


def check(site: Site, source: str) -> Site:
    """``site``, if all its rule settings are such as the catalogue knows.

    Raises SiteFileError that names each field and its allowed range; ``source`` is where the
    site came from.
    """
    places = [("rules", site.rules)]
    places += [(f"stations.{s.id}.rules", s.rules) for s in site.stations]
    problems: list[str] = []
    for place, overrides in places:
        try:
            Catalogue.default().with_overrides(overrides)
        except CatalogueError as error:
            problems += [f"{place}: {problem}" for problem in error.problems]
    if problems:
        raise SiteFileError(source, tuple(problems))
    return site
