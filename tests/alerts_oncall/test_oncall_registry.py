"""People in SQL: imports, overrides, holidays and feed keys, on both databases."""

import pytest
from sqlalchemy import select

from alerts.oncall import tables
from alerts.oncall.book import Book, load_book
from alerts.oncall.changes import (
    StoredOverride,
    add_override,
    end_override,
    list_overrides,
    put_holiday,
    remove_holiday,
)
from alerts.oncall.errors import (
    Fault,
    Flaw,
    Kind,
    OverrideRefusedError,
    PeopleRefusedError,
    UnknownError,
)
from alerts.oncall.feeds import Feed, make_key, opens
from alerts.oncall.model import Override, Role
from alerts.oncall.peoplefile import Holiday, People, packaged_people
from alerts.oncall.registry import import_people, load_people
from alerts.oncall.roster import on_duty
from devices.database import Database
from devices.registry import ImportReport, import_site
from devices.sitefile import packaged_site
from tests.alerts_oncall.oncall_books import at

SITE = "caimarenjia"
NOW = at("2026-01-07 12:00")
HOUR = 3_600_000
OTHER = packaged_site().model_copy(update={"id": "other", "stations": (), "cameras": ()})


@pytest.fixture
async def site(database: Database) -> Database:
    """A database in which the packaged site and another one are registered; no people yet."""
    async with database.writing() as connection:
        await import_site(connection, packaged_site())
        await import_site(connection, OTHER)
    return database


async def put(database: Database, people: People) -> ImportReport:
    """Import."""
    async with database.writing() as connection:
        return await import_people(connection, people)


async def loaded(database: Database, site: str = SITE) -> People | None:
    """Load back."""
    async with database.reading() as connection:
        return await load_people(connection, site)


async def opened(database: Database, since_ms: int = 0) -> Book:
    """The book."""
    async with database.reading() as connection:
        return await load_book(connection, since_ms)


async def active(database: Database) -> dict[str, bool]:
    """Everybody who was ever imported, and whether they can be told."""
    async with database.reading() as connection:
        rows = await connection.execute(select(tables.person.c.id, tables.person.c.active))
        return {row.id: row.active for row in rows}


def without(people: People, name: str) -> People:
    """The document after somebody has left."""
    rosters = (
        r.model_copy(
            update={
                "people": tuple(p for p in r.people if p != name),
                "holiday_people": tuple(p for p in r.holiday_people if p != name),
            }
        )
        for r in people.rosters
    )
    kept = tuple(p for p in people.people if p.id != name)
    return people.model_copy(
        update={"people": kept, "rosters": tuple(r for r in rosters if r.people)}
    )


async def test_an_import_is_loaded_back_whole_and_a_second_changes_nothing(site: Database) -> None:
    """All that the file says; then a report without an entry."""
    people = packaged_people()
    report = await put(site, people)
    assert (report.site, len(report.added), report.changed, report.removed) == (SITE, 18, (), ())
    assert report.added[0] == "person zhao-weiguo"
    assert await loaded(site) == people
    assert await put(site, people) == ImportReport(SITE, (), (), ())
    assert await loaded(site, "other") is None


async def test_the_book_has_what_was_imported(site: Database) -> None:
    """People, rosters, hours, holidays, and the clock and areas of the registered site."""
    await put(site, packaged_people())
    book = await opened(site)
    place = book.sites[SITE]
    assert (place.zone.key, place.areas) == ("Asia/Shanghai", ("east", "west", "south"))
    assert place.quiet == packaged_people().quiet
    assert place.holidays == {h.day: h.name for h in packaged_people().holidays}
    assert book.people_of(SITE) == packaged_people().people
    assert book.people_of("other") == ()
    [officer] = on_duty(book, SITE, "east", Role.OFFICER, NOW)
    assert officer == packaged_people().people[0]


async def test_what_changed_is_named(site: Database) -> None:
    """A new number, a new roster, no quiet hours, one holiday less, another order."""
    people = packaged_people()
    await put(site, people)
    first, *others = people.people
    moved = first.model_copy(update={"phone": "+8613800009999"})
    changed = people.model_copy(
        update={"people": (moved, *others), "quiet": (), "holidays": people.holidays[1:]}
    )
    assert await put(site, changed) == ImportReport(
        SITE, (), ("person zhao-weiguo",), ("holiday 2026-10-01", "quiet hours")
    )
    assert await loaded(site) == changed
    reordered = changed.model_copy(update={"people": changed.people[::-1]})
    assert await put(site, reordered) == ImportReport(
        SITE, (), ("order of people and rosters",), ()
    )
    assert await loaded(site) == reordered


async def test_who_leaves_becomes_inactive_and_comes_back(site: Database) -> None:
    """Never deleted: the record of who was told needs the name."""
    people = packaged_people()
    await put(site, people)
    report = await put(site, without(people, "wu-fang"))
    assert report.removed == ("person wu-fang", "roster cmrj-manager")
    assert [n for n, yes in (await active(site)).items() if not yes] == ["wu-fang"]
    assert "wu-fang" not in (await opened(site)).people
    assert (await put(site, people)).added == ("person wu-fang", "roster cmrj-manager")
    assert all((await active(site)).values())


async def test_somebody_of_two_sites_stays_while_one_has_them(site: Database) -> None:
    """Leaving one site is not leaving the other."""
    people = packaged_people()
    wang = next(p for p in people.people if p.id == "wang-haitao")
    await put(site, people)
    await put(site, People(site="other", people=(wang,)))
    await put(site, without(people, "wang-haitao"))
    assert (await active(site))["wang-haitao"] is True
    book = await opened(site)
    assert (wang in book.people_of(SITE), book.people_of("other")) == (False, (wang,))


async def test_imports_that_contradict_the_registry_change_nothing(site: Database) -> None:
    """Unknown site, unknown area, a roster of another site."""
    people = packaged_people()
    await put(site, people)
    with pytest.raises(UnknownError) as unknown:
        await put(site, people.model_copy(update={"site": "nowhere"}))
    assert (unknown.value.kind, unknown.value.name) == (Kind.SITE, "nowhere")
    north = people.rosters[0].model_copy(update={"areas": ("north",)})
    with pytest.raises(PeopleRefusedError) as refused:
        await put(site, people.model_copy(update={"site": "other", "rosters": (north,)}))
    assert refused.value.flaws == (
        Flaw(
            "rosters[0].areas",
            Fault.UNKNOWN_AREA,
            {"name": "north", "known": "east, west, south"},
        ),
        Flaw("rosters[0].id", Fault.OTHER_SITE, {"name": "cmrj-officers", "site": SITE}),
    )
    assert (await loaded(site), await loaded(site, "other")) == (people, None)


def stands_in(**more: object) -> Override:
    """Sun for Zhao, for an hour from now on."""
    whole = {
        "roster": "cmrj-officers",
        "person": "sun-jianhua",
        "from_ms": NOW,
        "until_ms": NOW + HOUR,
        "by": "wu-fang",
    }
    return Override.model_validate({**whole, **more})


async def add(database: Database, override: Override, now_ms: int = NOW) -> StoredOverride:
    """Add."""
    async with database.writing() as connection:
        return await add_override(connection, override, now_ms)


async def end(database: Database, number: int, now_ms: int) -> StoredOverride:
    """End."""
    async with database.writing() as connection:
        return await end_override(connection, number, now_ms)


async def coming(database: Database, since_ms: int, roster: str | None = None) -> list[int]:
    """Numbers of overrides."""
    async with database.reading() as connection:
        return [o.id for o in await list_overrides(connection, since_ms, roster)]


async def officer(database: Database, now_ms: int) -> str:
    """Who is on duty."""
    [found] = on_duty(await opened(database, now_ms), SITE, None, Role.OFFICER, now_ms)
    return found.id


async def test_an_override_begins_and_ends(site: Database) -> None:
    """From its first millisecond to its last, or until somebody ends it; twice is once."""
    await put(site, packaged_people())
    made = await add(site, stands_in())
    assert made == StoredOverride(made.id, stands_in(), NOW)
    assert await officer(site, NOW - 1) == "zhao-weiguo"
    assert await officer(site, NOW) == "sun-jianhua"
    assert await officer(site, NOW + HOUR - 1) == "sun-jianhua"
    assert await officer(site, NOW + HOUR) == "zhao-weiguo"
    ended = await end(site, made.id, NOW + 5)
    assert ended == StoredOverride(made.id, stands_in(until_ms=NOW + 5), NOW)
    assert await end(site, made.id, NOW + 9) == ended
    assert await officer(site, NOW + 5) == "zhao-weiguo"


async def test_an_override_that_is_ended_before_it_begins_never_does(site: Database) -> None:
    """It stays on record without a duration, and is listed no more."""
    await put(site, packaged_people())
    made = await add(site, stands_in(from_ms=NOW + HOUR, until_ms=NOW + 2 * HOUR))
    other = await add(site, stands_in(roster="cmrj-second"))
    assert await coming(site, NOW) == [other.id, made.id]
    assert await coming(site, NOW, "cmrj-officers") == [made.id]
    ended = await end(site, made.id, NOW)
    assert (ended.override.from_ms, ended.override.until_ms) == (NOW + HOUR, NOW + HOUR)
    assert await coming(site, NOW) == [other.id]
    assert await coming(site, NOW + HOUR) == []


@pytest.mark.parametrize(
    ("more", "flaw"),
    [
        ({"until_ms": NOW}, Flaw("until_ms", Fault.NOT_AFTER, {"other": "from_ms"})),
        (
            {"until_ms": NOW + 366 * 24 * HOUR + 1},
            Flaw("until_ms", Fault.TOO_LONG, {"days": 366, "other": "from_ms"}),
        ),
        ({"from_ms": NOW - HOUR, "until_ms": NOW}, Flaw("until_ms", Fault.OVER)),
    ],
)
async def test_overrides_whose_times_cannot_be(
    site: Database, more: dict[str, int], flaw: Flaw
) -> None:
    """Backwards, longer than a year, or over already."""
    await put(site, packaged_people())
    with pytest.raises(OverrideRefusedError) as refused:
        await add(site, stands_in(**more))
    assert refused.value.flaw == flaw
    assert await coming(site, 0) == []


async def test_overrides_name_rosters_and_people_that_exist(site: Database) -> None:
    """And only people of the roster's own site."""
    people = packaged_people()
    await put(site, people)
    stranger = people.people[0].model_copy(update={"id": "stranger"})
    await put(site, People(site="other", people=(stranger,)))
    with pytest.raises(UnknownError, match="there is no roster nights"):
        await add(site, stands_in(roster="nights"))
    with pytest.raises(OverrideRefusedError) as refused:
        await add(site, stands_in(person="stranger"))
    known = ", ".join(p.id for p in people.people)
    assert refused.value.flaw == Flaw(
        "person", Fault.UNKNOWN_PERSON, {"name": "stranger", "known": known}
    )
    with pytest.raises(UnknownError, match="there is no override 77"):
        await end(site, 77, NOW)


async def test_single_holidays_come_and_go(site: Database) -> None:
    """Put twice it is called anew; an import afterwards says what the file says."""
    await put(site, packaged_people())
    async with site.writing() as connection:
        await put_holiday(connection, SITE, Holiday(day="2026-05-01", name="x"))
        await put_holiday(connection, SITE, Holiday(day="2026-05-01", name="劳动节"))
        assert await remove_holiday(connection, SITE, "2026-10-01") is True
        assert await remove_holiday(connection, SITE, "2026-10-01") is False
        with pytest.raises(UnknownError, match="there is no site nowhere"):
            await put_holiday(connection, "nowhere", Holiday(day="2026-05-01", name="x"))
    assert list((await opened(site)).sites[SITE].holidays.items()) == [
        ("2026-05-01", "劳动节"),
        ("2026-10-02", "国庆节"),
        ("2026-10-03", "国庆节"),
        ("2027-01-01", "元旦"),
    ]
    report = await put(site, packaged_people())
    assert (report.added, report.removed) == (("holiday 2026-10-01",), ("holiday 2026-05-01",))


async def test_a_feed_key_opens_one_calendar_and_a_new_one_ends_it(site: Database) -> None:
    """Not another roster's, not a person's; only its digest is kept."""
    await put(site, packaged_people())
    keys = iter(["cwf_first", "cwf_second", "cwf_third"])
    async with site.writing() as connection:

        async def make(feed: Feed, name: str) -> str:
            return await make_key(
                connection, feed, name, NOW, by="admin", new_key=lambda: next(keys)
            )

        assert await make(Feed.ROSTER, "cmrj-officers") == "cwf_first"
        assert await opens(connection, Feed.ROSTER, "cmrj-officers", "cwf_first")
        assert not await opens(connection, Feed.ROSTER, "cmrj-second", "cwf_first")
        assert not await opens(connection, Feed.PERSON, "cmrj-officers", "cwf_first")
        assert await make(Feed.ROSTER, "cmrj-officers") == "cwf_second"
        assert not await opens(connection, Feed.ROSTER, "cmrj-officers", "cwf_first")
        assert await opens(connection, Feed.ROSTER, "cmrj-officers", "cwf_second")
        assert await make(Feed.PERSON, "wu-fang") == "cwf_third"
        with pytest.raises(UnknownError, match="there is no person nobody"):
            await make(Feed.PERSON, "nobody")
        kept = (await connection.execute(select(tables.calendar_feed))).all()
    assert "cwf_" not in repr(kept)


@pytest.mark.parametrize("key", ["", "cwf_", "cwf_" + "x" * 5_000, "cwf_é", "nothing"])
async def test_a_wrong_key_opens_nothing(site: Database, key: str) -> None:
    """However it looks, and where no key was ever made."""
    await put(site, packaged_people())
    async with site.reading() as connection:
        assert not await opens(connection, Feed.ROSTER, "cmrj-officers", key)
