"""Sites in SQL: import what a site file says, load it back whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from devices import tables
from devices.database import insert_into
from devices.errors import RegistryError
from devices.model import Area, Camera, Name, Plan, Position, Site, Station
from devices.orders import Intervals, Trips
from devices.records import load_lockouts


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import changed; each entry names a thing, like ``station cmrj-01``."""

    site: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def unchanged(self) -> bool:
        """Whether the registry already said all this."""
        return not (self.added or self.changed or self.removed)


async def import_site(connection: AsyncConnection, site: Site) -> ImportReport:
    """Make the registry say what ``site`` says; importing it again changes nothing.

    Raises:
        RegistryError: a station that would go, or lose sockets, is still locked; or an id
            belongs to another site. Nothing is changed then.

    """
    await _check_owners(connection, site)
    old = await load_site(connection, site.id)
    report = _compare(old, site)
    await _check_lockouts(connection, old, site)
    if not report.unchanged:
        await _replace(connection, site)
    return report


async def load_site(connection: AsyncConnection, site_id: str) -> Site | None:
    """One site, or None."""
    sites = await _load(connection, site_id)
    return sites[0] if sites else None


async def load_sites(connection: AsyncConnection) -> list[Site]:
    """All sites, by id."""
    return await _load(connection, None)


def _compare(old: Site | None, new: Site) -> ImportReport:
    before = {} if old is None else _things(old)
    after = _things(new)
    return ImportReport(
        site=new.id,
        added=tuple(name for name in after if name not in before),
        changed=tuple(n for n, thing in after.items() if n in before and before[n] != thing),
        removed=tuple(name for name in before if name not in after),
    )


def _things(site: Site) -> dict[str, Any]:
    """Every thing of the site with all that the registry keeps of it, order included."""
    things: dict[str, Any] = {f"site {site.id}": _site_row(site)}
    things |= {f"area {a.id}": _area_row(site, i, a) for i, a in enumerate(site.areas)}
    things |= {
        f"station {s.id}": (_station_row(site, i, s), s.cameras)
        for i, s in enumerate(site.stations)
    }
    return things | {f"camera {c.id}": _camera_row(site, i, c) for i, c in enumerate(site.cameras)}


async def _check_owners(connection: AsyncConnection, site: Site) -> None:
    for table, ids in (
        (tables.station, [s.id for s in site.stations]),
        (tables.camera, [c.id for c in site.cameras]),
    ):
        query = select(table.c.id, table.c.site_id).where(table.c.site_id != site.id)
        taken = {row.id: row.site_id for row in await connection.execute(query)}
        for thing in ids:
            if thing in taken:
                msg = f"{table.name} {thing!r} belongs to site {taken[thing]!r}"
                raise RegistryError(msg)


async def _check_lockouts(connection: AsyncConnection, old: Site | None, new: Site) -> None:
    if old is None:
        return
    for lock in await load_lockouts(connection):
        if old.station(lock.station) is None:
            continue
        station = new.station(lock.station)
        if station is None:
            msg = f"station {lock.station!r} cannot be removed: {lock.rule} has locked it"
            raise RegistryError(msg)
        if lock.socket is not None and lock.socket > station.sockets:
            msg = (
                f"station {lock.station!r} cannot shrink to {station.sockets} sockets: "
                f"{lock.rule} has locked socket {lock.socket}"
            )
            raise RegistryError(msg)


async def _replace(connection: AsyncConnection, site: Site) -> None:
    """Upsert the site and rewrite what hangs on it: small tables, one transaction, one order."""
    row = _site_row(site)
    insert = insert_into(connection, tables.site)
    changes = {name: insert.excluded[name] for name in row if name != "id"}
    await connection.execute(
        insert.on_conflict_do_update(index_elements=["id"], set_=changes), [row]
    )
    for table in (tables.station, tables.camera, tables.area):
        await connection.execute(delete(table).where(table.c.site_id == site.id))
    links = [
        {"station_id": s.id, "camera_id": camera, "ordinal": i}
        for s in site.stations
        for i, camera in enumerate(s.cameras)
    ]
    for table, rows in (
        (tables.area, [_area_row(site, i, a) for i, a in enumerate(site.areas)]),
        (tables.camera, [_camera_row(site, i, c) for i, c in enumerate(site.cameras)]),
        (tables.station, [_station_row(site, i, s) for i, s in enumerate(site.stations)]),
        (tables.station_camera, links),
    ):
        if rows:
            await connection.execute(table.insert(), rows)


def _site_row(site: Site) -> dict[str, Any]:
    return {
        "id": site.id,
        "name_zh": site.name.zh,
        "name_en": site.name.en,
        "timezone": site.timezone,
        "plan_width_m": site.plan.width,
        "plan_height_m": site.plan.height,
        "grids": site.grids,
        "camera_total": site.camera_total,
        "trips": site.trips.model_dump(),
        "intervals": site.intervals.model_dump(),
        "rules": site.rules,
    }


def _placed(site: Site, ordinal: int, thing: Station | Camera) -> dict[str, Any]:
    return {
        "id": thing.id,
        "site_id": site.id,
        "area_id": thing.area,
        "ordinal": ordinal,
        "name_zh": thing.name.zh,
        "name_en": thing.name.en,
        "x_m": thing.position.x,
        "y_m": thing.position.y,
    }


def _area_row(site: Site, ordinal: int, area: Area) -> dict[str, Any]:
    return {
        "site_id": site.id,
        "id": area.id,
        "ordinal": ordinal,
        "name_zh": area.name.zh,
        "name_en": area.name.en,
    }


def _camera_row(site: Site, ordinal: int, camera: Camera) -> dict[str, Any]:
    return {**_placed(site, ordinal, camera), "snapshot_url": camera.snapshot_url}


def _station_row(site: Site, ordinal: int, station: Station) -> dict[str, Any]:
    own = {
        name: None if section is None else section.model_dump(exclude_unset=True)
        for name, section in (("trips", station.trips), ("intervals", station.intervals))
    }
    return {
        **_placed(site, ordinal, station),
        "grid": station.grid,
        "sockets": station.sockets,
        "feeder_limit_w": station.feeder_limit_w,
        **own,
        "rules": station.rules,
    }


async def _load(connection: AsyncConnection, site_id: str | None) -> list[Site]:
    query = select(tables.site).order_by(tables.site.c.id)
    if site_id is not None:
        query = query.where(tables.site.c.id == site_id)
    sites = (await connection.execute(query)).all()
    ids = [row.id for row in sites]
    children: list[dict[str, list[Row[Any]]]] = []
    for table in (tables.area, tables.camera, tables.station):
        of_sites = select(table).where(table.c.site_id.in_(ids)).order_by(table.c.ordinal)
        children.append(_grouped(await _all(connection, of_sites), "site_id"))
    link = tables.station_camera
    links = _grouped(await _all(connection, select(link).order_by(link.c.ordinal)), "station_id")
    areas, cameras, stations = children
    return [
        _site(row, areas.get(row.id, []), cameras.get(row.id, []), stations.get(row.id, []), links)
        for row in sites
    ]


async def _all(connection: AsyncConnection, query: Any) -> Sequence[Row[Any]]:
    return (await connection.execute(query)).all()


def _grouped(rows: Sequence[Row[Any]], key: str) -> dict[str, list[Row[Any]]]:
    out: dict[str, list[Row[Any]]] = {}
    for row in rows:
        out.setdefault(getattr(row, key), []).append(row)
    return out


def _site(
    row: Row[Any],
    areas: list[Row[Any]],
    cameras: list[Row[Any]],
    stations: list[Row[Any]],
    links: dict[str, list[Row[Any]]],
) -> Site:
    return Site(
        id=row.id,
        name=_name(row),
        timezone=row.timezone,
        plan=Plan(width=row.plan_width_m, height=row.plan_height_m),
        grids=row.grids,
        camera_total=row.camera_total,
        trips=Trips.model_validate(row.trips),
        intervals=Intervals.model_validate(row.intervals),
        rules=row.rules,
        areas=tuple(Area(id=a.id, name=_name(a)) for a in areas),
        stations=tuple(_station(s, links.get(s.id, [])) for s in stations),
        cameras=tuple(
            Camera(
                id=c.id,
                name=_name(c),
                area=c.area_id,
                position=Position(x=c.x_m, y=c.y_m),
                snapshot_url=c.snapshot_url,
            )
            for c in cameras
        ),
    )


def _station(row: Row[Any], links: list[Row[Any]]) -> Station:
    return Station(
        id=row.id,
        name=_name(row),
        area=row.area_id,
        grid=row.grid,
        position=Position(x=row.x_m, y=row.y_m),
        sockets=row.sockets,
        feeder_limit_w=row.feeder_limit_w,
        cameras=tuple(link.camera_id for link in links),
        trips=None if row.trips is None else Trips.model_validate(row.trips),
        intervals=None if row.intervals is None else Intervals.model_validate(row.intervals),
        rules=row.rules,
    )


def _name(row: Row[Any]) -> Name:
    return Name(zh=row.name_zh, en=row.name_en)
