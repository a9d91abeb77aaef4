"""Small books for the tests of rosters, and instants as people write them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from alerts.oncall.book import Book, Place
from alerts.oncall.model import Hours, Override, Person, Role, Roster

SHANGHAI = "Asia/Shanghai"
NAMES = ("an", "bo", "cai", "du", "en")


def at(text: str, zone: str = SHANGHAI) -> int:
    """``2026-01-05 08:00`` by the clocks of ``zone``, in UTC ms."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def shown(at_ms: int, zone: str = SHANGHAI) -> str:
    """The reverse."""
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).strftime("%m-%d %H:%M")


def person(name: str, /, **more: object) -> Person:
    """Somebody with a phone."""
    number = f"+86138000000{ord(name[0]):03}"
    return Person.model_validate({"id": name, "name": name.upper(), "phone": number, **more})


def roster(*people: str, **more: object) -> Roster:
    """Officers of the site ``site``, changing on Mondays at 08:00."""
    plan = {"id": "officers", "site": "site", "role": Role.OFFICER, "people": people}
    return Roster.model_validate({**plan, **more})


def hours(*parts: str) -> list[Hours]:
    """``08:00-18:00`` as hours."""
    return [Hours(start=part[:5], end=part[6:]) for part in parts]


def book(  # noqa: PLR0913 - the columns of the tables
    *rosters: Roster,
    overrides: tuple[Override, ...] = (),
    people: tuple[Person, ...] | None = None,
    zone: str = SHANGHAI,
    areas: tuple[str, ...] = ("east", "west"),
    quiet: tuple[str, ...] = (),
    holidays: tuple[str, ...] = (),
) -> Book:
    """A book of one site called ``site``, whose people are all of ``NAMES``."""
    known = tuple(map(person, NAMES)) if people is None else people
    place = Place(
        id="site",
        zone=ZoneInfo(zone),
        areas=areas,
        people=tuple(p.id for p in known),
        quiet=tuple(hours(*quiet)),
        holidays=dict.fromkeys(holidays, "holiday"),
    )
    return Book({p.id: p for p in known}, rosters, overrides, {"site": place})
