"""What the registry says of each station, as detection wants it; and whether it may say so."""

from collections.abc import Sequence
from typing import Final

from alerts.watch.canary import canary_id
from devices.errors import SiteFileError
from devices.model import Site
from devices.names import CANARY_PREFIX, is_canary
from devices.orders import Intervals
from rules.catalogue import Catalogue
from rules.engine import StationProfile
from rules.errors import CatalogueError

DEVICE_ALARM: Final = "R90"


def profiles(sites: Sequence[Site], *, canaries: bool = False) -> list[StationProfile]:
    """Every station with the catalogue in force there: the default, the site's, its own.

    ``canaries``: and the synthetic station of each site, which nothing else lists.

    Raises CatalogueError for a site that ``check`` would refuse.
    """
    catalogue = Catalogue.default()
    registered = [
        StationProfile(
            station=station.id,
            site=site.id,
            sockets=station.sockets,
            catalogue=of_site.with_overrides(station.rules),
            idle_interval_s=site.intervals_of(station).idle_s,
        )
        for site in sites
        for of_site in [catalogue.with_overrides(site.rules)]
        for station in site.stations
    ]
    return registered + (_synthetic(sites) if canaries else [])


def _synthetic(sites: Sequence[Site]) -> list[StationProfile]:
    """The canary of each site: only its own alarms are rules, and it is nobody's neighbour."""
    default = Catalogue.default()
    others = {rule: {"enabled": False} for rule in default.rules if rule != DEVICE_ALARM}
    catalogue = default.with_overrides(others)
    return [
        StationProfile(canary_id(site.id), canary_id(site.id), 1, catalogue, Intervals().idle_s)
        for site in sites
    ]


def check(site: Site, source: str) -> Site:
    """``site``, if its rule settings are such as the catalogue knows, and its ids are free.

    Raises SiteFileError that names each field and its allowed range; ``source`` is where the
    site came from.
    """
    places = [("rules", site.rules)]
    places += [(f"stations.{s.id}.rules", s.rules) for s in site.stations]
    problems = [
        f"stations.{s.id}: ids that begin with {CANARY_PREFIX} are kept for synthetic stations"
        for s in site.stations
        if is_canary(s.id)
    ]
    for place, overrides in places:
        try:
            Catalogue.default().with_overrides(overrides)
        except CatalogueError as error:
            problems += [f"{place}: {problem}" for problem in error.problems]
    if problems:
        raise SiteFileError(source, tuple(problems))
    return site
