"""People and rosters behind the API, on both databases: each call reaches its table."""

import pytest

from alerts.oncall.changes import StoredOverride
from alerts.oncall.errors import UnknownError
from alerts.oncall.feeds import Feed
from alerts.oncall.model import Override, Role
from alerts.oncall.peoplefile import Holiday, packaged_people
from alerts.oncall.reach import Reached, reach
from api.duty import SqlDuty
from devices.database import Database
from devices.registry import import_site
from devices.sitefile import packaged_site

NOW = 1_790_000_000_000
SITE = "caimarenjia"


@pytest.fixture
async def duty(database: Database) -> SqlDuty:
    """The packaged site and its people."""
    async with database.writing() as connection:
        await import_site(connection, packaged_site())
    made = SqlDuty(database, lambda: NOW)
    await made.put_people(packaged_people(), "admin")
    return made


async def test_what_is_put_is_got(duty: SqlDuty) -> None:
    """The document, and nothing for a site without one; a second time nothing changes."""
    assert await duty.people(SITE) == packaged_people()
    assert await duty.people("other") is None
    assert (await duty.put_people(packaged_people(), "admin")).unchanged


async def test_an_override_changes_who_is_reached(duty: SqlDuty) -> None:
    """From the next book on, until it is ended."""
    override = Override(
        roster="cmrj-officers",
        person="sun-jianhua",
        from_ms=NOW - 5,
        until_ms=NOW + 5,
        by="admin",
    )
    stored = await duty.add_override(override)
    book = await duty.book()
    sun = Reached((book.people["sun-jianhua"],), Role.OFFICER, fell_back=False)
    assert reach(book, SITE, None, Role.OFFICER, NOW) == sun
    assert await duty.overrides("cmrj-officers") == [StoredOverride(stored.id, override, NOW)]
    ended = await duty.end_override(stored.id, "admin")
    assert ended.override.until_ms == NOW
    assert await duty.overrides("cmrj-officers") == []
    assert reach(await duty.book(), SITE, None, Role.OFFICER, NOW) != sun


async def test_holidays_and_feed_keys(duty: SqlDuty) -> None:
    """Put, seen, taken away; made, right, wrong."""
    await duty.put_holiday(SITE, Holiday(day="2026-05-01", name="劳动节"), "admin")
    assert (await duty.book()).sites[SITE].holidays["2026-05-01"] == "劳动节"
    assert await duty.remove_holiday(SITE, "2026-05-01", "admin") is True
    assert await duty.remove_holiday(SITE, "2026-05-01", "admin") is False
    key = await duty.feed_key(Feed.PERSON, "wu-fang", "admin")
    assert await duty.opens(Feed.PERSON, "wu-fang", key) is True
    assert await duty.opens(Feed.PERSON, "wu-fang", f"{key}x") is False
    with pytest.raises(UnknownError, match="there is no roster nights"):
        await duty.feed_key(Feed.ROSTER, "nights", "admin")
