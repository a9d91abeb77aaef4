"""The registry: what a site file says is what SQL says, and nothing locked gets lost."""

from typing import Any

import pytest

from devices.database import Database
from devices.errors import RegistryError
from devices.lockouts import Kind, Lockout
from devices.model import Site
from devices.orders import Trips
from devices.records import save_lockouts
from devices.registry import ImportReport, import_site, load_site, load_sites
from devices.sitefile import packaged_site


async def _import(database: Database, site: Site) -> ImportReport:
    async with database.writing() as connection:
        return await import_site(connection, site)


async def _load(database: Database, site_id: str) -> Site | None:
    async with database.reading() as connection:
        return await load_site(connection, site_id)


def _with_station(site: Site, index: int, **changes: Any) -> Site:
    stations = list(site.stations)
    stations[index] = stations[index].model_copy(update=changes)
    return site.model_copy(update={"stations": tuple(stations)})


async def _lock(database: Database, station: str, socket: int | None) -> None:
    lock = Lockout(station, socket, Kind.LATCHED, "R02", "hot", fire=False, since_ms=1)
    async with database.writing() as connection:
        await save_lockouts(connection, [lock])


async def test_the_packaged_site_comes_back_whole(database: Database) -> None:
    """All stations, cameras and links, in the order of the file."""
    site = packaged_site()
    report = await _import(database, site)
    assert len(report.added) == 1 + 3 + 16 + len(site.cameras)
    assert (report.changed, report.removed) == ((), ())
    assert await _load(database, site.id) == site
    async with database.reading() as connection:
        assert await load_sites(connection) == [site]


async def test_importing_again_changes_nothing(database: Database) -> None:
    """The report says so."""
    await _import(database, packaged_site())
    report = await _import(database, packaged_site())
    assert report.unchanged


async def test_a_change_is_named(database: Database) -> None:
    """What was changed, added and removed, and nothing else."""
    site = packaged_site()
    await _import(database, site)
    other = _with_station(site, 4, trips=Trips(socket_c=80.0), rules={"R02": {"cut_c": 78.5}})
    last = other.stations[-1]
    renamed = last.model_copy(update={"id": "cmrj-99"})
    other = other.model_copy(update={"stations": (*other.stations[:-1], renamed)})
    report = await _import(database, other)
    assert report == ImportReport(
        site.id,
        added=("station cmrj-99",),
        changed=("station cmrj-05",),
        removed=("station cmrj-16",),
    )
    back = await _load(database, site.id)
    assert back == other
    assert back.trips_of(back.stations[4]) == Trips(socket_c=80.0)


async def test_where_a_camera_gives_stills_comes_back(database: Database) -> None:
    """And a new address is a change of that camera alone."""
    site = packaged_site()
    await _import(database, site)
    first = site.cameras[0].model_copy(update={"snapshot_url": "http://192.0.2.7/a.jpg?n=1"})
    other = site.model_copy(update={"cameras": (first, *site.cameras[1:])})
    report = await _import(database, other)
    assert report == ImportReport(site.id, (), (f"camera {first.id}",), ())
    assert await _load(database, site.id) == other


async def test_a_locked_station_cannot_be_removed(database: Database) -> None:
    """Taking it out of the file would let it come back unlocked; nothing is changed."""
    site = packaged_site()
    await _import(database, site)
    await _lock(database, "cmrj-16", 3)
    shorter = site.model_copy(update={"stations": site.stations[:-1]})
    with pytest.raises(RegistryError, match="'cmrj-16' cannot be removed: R02"):
        await _import(database, shorter)
    assert await _load(database, site.id) == site


async def test_a_locked_socket_cannot_be_removed(database: Database) -> None:
    """Nor can a station shrink below a socket that is locked."""
    site = packaged_site()
    await _import(database, site)
    await _lock(database, "cmrj-01", 12)
    with pytest.raises(RegistryError, match="locked socket 12"):
        await _import(database, _with_station(site, 0, sockets=10))
    assert (await _import(database, _with_station(site, 1, sockets=10))).changed == (
        "station cmrj-02",
    )


async def test_two_sites_live_side_by_side(database: Database) -> None:
    """A second site changes nothing of the first, and cannot take its stations over."""
    site = packaged_site()
    await _import(database, site)
    area = site.areas[0]
    mine = site.stations[0].model_copy(update={"id": "other-01", "cameras": (), "grid": 1})
    other = Site.model_validate(
        {
            "id": "other-site",
            "name": site.name,
            "plan": site.plan,
            "areas": (area,),
            "stations": (mine,),
        }
    )
    await _import(database, other)
    assert await _load(database, site.id) == site
    assert await _load(database, "other-site") == other
    thief = _with_station(other, 0, id="cmrj-01")
    with pytest.raises(RegistryError, match="'cmrj-01' belongs to site 'caimarenjia'"):
        await _import(database, thief)


async def test_unknown_site_is_none(database: Database) -> None:
    """Nothing is made up."""
    assert await _load(database, "nowhere") is None
