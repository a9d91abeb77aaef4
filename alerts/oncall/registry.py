"""People and rosters in SQL: import what a people file says, load it back whole."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.oncall import tables
from alerts.oncall.book import person_of
from alerts.oncall.errors import Fault, Flaw, Kind, PeopleRefusedError, UnknownError
from alerts.oncall.model import Roster, RosterPlan
from alerts.oncall.peoplefile import Holiday, People, flaws
from devices import tables as registered
from devices.database import insert_into
from devices.registry import ImportReport

_ALL_ELSE = "order of people and rosters"


async def import_people(connection: AsyncConnection, people: People) -> ImportReport:
    """Make SQL say what ``people`` says of its site; importing it again changes nothing.

    People who are no longer in it become inactive, unless another site has them; nobody is
    ever deleted. Overrides stay as they are.

    Raises:
        UnknownError: the site is not registered.
        PeopleRefusedError: it contradicts itself or the registry. Nothing is changed.

    """
    await _check(connection, people)
    old = await load_people(connection, people.site)
    report = _compare(old, people)
    if not report.unchanged:
        await _replace(connection, old, people)
    return report


async def load_people(connection: AsyncConnection, site: str) -> People | None:
    """What was imported for the site; None when nothing ever was. Holidays are in order."""
    plans = await _plans(connection)
    if site not in plans:
        return None
    plan = plans[site]
    of_site = select(tables.person).where(tables.person.c.id.in_(plan["people"]))
    people = {row.id: person_of(row) for row in await connection.execute(of_site)}
    query = select(tables.roster).where(tables.roster.c.site_id == site)
    rosters = {row.id: _plan(row.plan) for row in await connection.execute(query)}
    c = tables.holiday.c
    holidays = await connection.execute(
        select(tables.holiday).where(c.site_id == site).order_by(c.day)
    )
    return People.model_validate(
        {
            "site": site,
            "quiet": plan["quiet"],
            "people": [people[i] for i in plan["people"]],
            "rosters": [rosters[i] for i in plan["rosters"]],
            "holidays": [Holiday(day=row.day, name=row.name) for row in holidays],
        }
    )


async def check_site(connection: AsyncConnection, site: str) -> None:
    """Raises UnknownError when the site is not registered."""
    query = select(registered.site.c.id).where(registered.site.c.id == site)
    if (await connection.execute(query)).first() is None:
        raise UnknownError(Kind.SITE, site)


async def _check(connection: AsyncConnection, people: People) -> None:
    await check_site(connection, people.site)
    c = registered.area.c
    rows = await connection.execute(
        select(c.id).where(c.site_id == people.site).order_by(c.ordinal)
    )
    found = list(flaws(people, [row.id for row in rows]))
    others = select(tables.roster).where(tables.roster.c.site_id != people.site)
    owners = {row.id: row.site_id for row in await connection.execute(others)}
    found += [
        Flaw(f"rosters[{i}].id", Fault.OTHER_SITE, {"name": r.id, "site": owners[r.id]})
        for i, r in enumerate(people.rosters)
        if r.id in owners
    ]
    if found:
        raise PeopleRefusedError(found)


def _compare(old: People | None, new: People) -> ImportReport:
    before = {} if old is None else _things(old)
    after = _things(new)
    changed = [n for n, thing in after.items() if n in before and before[n] != thing]
    added = [name for name in after if name not in before]
    removed = [name for name in before if name not in after]
    if old is not None and not (added or changed or removed) and _order(old) != _order(new):
        changed.append(_ALL_ELSE)
    return ImportReport(new.site, tuple(added), tuple(changed), tuple(removed))


def _things(people: People) -> dict[str, Any]:
    things: dict[str, Any] = {f"person {p.id}": p for p in people.people}
    things |= {f"roster {r.id}": r for r in people.rosters}
    things |= {f"holiday {h.day}": h for h in people.holidays}
    return things | ({"quiet hours": people.quiet} if people.quiet else {})


def _order(people: People) -> tuple[list[str], list[str]]:
    return [p.id for p in people.people], [r.id for r in people.rosters]


async def _replace(connection: AsyncConnection, old: People | None, new: People) -> None:
    """Write the people, then rewrite what hangs on the site: small tables, one transaction."""
    for person in new.people:
        await _put(connection, tables.person, {**person.model_dump(), "active": True}, "id")
    ids, rosters = _order(new)
    plan = {"people": ids, "rosters": rosters, "quiet": [q.model_dump() for q in new.quiet]}
    await _put(connection, tables.oncall_site, {"site_id": new.site, "plan": plan}, "site_id")
    gone = {p.id for p in old.people} - set(ids) if old else set()
    for other in (await _plans(connection)).values():
        gone -= set(other["people"])
    await connection.execute(
        update(tables.person).where(tables.person.c.id.in_(sorted(gone))).values(active=False)
    )
    for table, rows in (
        (tables.roster, [_roster_row(new.site, r) for r in new.rosters]),
        (tables.holiday, [{"site_id": new.site, **h.model_dump()} for h in new.holidays]),
    ):
        await connection.execute(delete(table).where(table.c.site_id == new.site))
        if rows:
            await connection.execute(table.insert(), rows)


def _roster_row(site: str, plan: RosterPlan) -> dict[str, Any]:
    roster = Roster(site=site, **dict(plan))
    return {
        "id": roster.id,
        "site_id": site,
        "role": roster.role.value,
        "plan": roster.model_dump(mode="json"),
    }


def _plan(stored: Mapping[str, Any]) -> RosterPlan:
    return RosterPlan.model_validate({k: v for k, v in stored.items() if k != "site"})


async def _plans(connection: AsyncConnection) -> dict[str, dict[str, Any]]:
    rows = await connection.execute(select(tables.oncall_site))
    return {row.site_id: row.plan for row in rows}


async def _put(connection: AsyncConnection, table: Any, row: dict[str, Any], key: str) -> None:
    insert = insert_into(connection, table)
    changes = {name: insert.excluded[name] for name in row if name != key}
    await connection.execute(insert.on_conflict_do_update(index_elements=[key], set_=changes), row)
