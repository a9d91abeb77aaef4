"""Whom to tell: the fall-back chain, empty shifts, quiet hours, and the packaged people."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.oncall.book import Book, Place
from alerts.oncall.gaps import Gap, empty_shifts, gaps
from alerts.oncall.model import Role, Roster
from alerts.oncall.peoplefile import packaged_people
from alerts.oncall.reach import Reached, quiet_until, reach
from alerts.oncall.roster import on_duty
from devices.sitefile import packaged_site
from tests.alerts_oncall.oncall_books import NAMES, at, book, hours, person, roster
from tests.alerts_oncall.oncall_scenes import DAY_MS, scenes

NOON, NIGHT = at("2026-01-05 12:00"), at("2026-01-05 23:00")
DAYS = {"hours": hours("08:00-20:00")}
ALL = book(
    roster("an", id="o1", **DAYS),
    roster("bo", id="s1", role=Role.SECOND, **DAYS),
    roster("cai", id="m1", role=Role.MANAGER),
    roster("du", id="v1", role=Role.SUPERVISOR),
)


def packaged() -> Book:
    """The packaged people of the packaged site."""
    people, site = packaged_people(), packaged_site()
    place = Place(
        id=site.id,
        zone=ZoneInfo(site.timezone),
        areas=tuple(a.id for a in site.areas),
        people=tuple(p.id for p in people.people),
        quiet=people.quiet,
        holidays={h.day: h.name for h in people.holidays},
    )
    rosters = tuple(Roster(site=site.id, **dict(r)) for r in people.rosters)
    return Book({p.id: p for p in people.people}, rosters, (), {site.id: place})


@pytest.mark.parametrize(
    ("role", "now_ms", "who", "used", "fell_back"),
    [
        (Role.OFFICER, NOON, "an", Role.OFFICER, False),
        (Role.SECOND, NOON, "bo", Role.SECOND, False),
        (Role.OFFICER, NIGHT, "cai", Role.MANAGER, True),
        (Role.SECOND, NIGHT, "cai", Role.MANAGER, True),
        (Role.SUPERVISOR, NIGHT, "du", Role.SUPERVISOR, False),
    ],
)
def test_the_next_role_is_told_when_nobody_is_on_duty(
    role: Role, now_ms: int, who: str, used: Role, *, fell_back: bool
) -> None:
    """Officer, second, manager, supervisor."""
    found = reach(ALL, "site", "east", role, now_ms)
    assert found == Reached((ALL.people[who],), used, fell_back)


def test_at_the_end_everybody_of_the_site_is_told() -> None:
    """No roster covers the time: all its active people, in the order of the file."""
    one = book(roster("an", **DAYS))
    everybody = tuple(one.people[name] for name in NAMES)
    assert reach(one, "site", None, Role.OFFICER, NIGHT) == Reached(everybody, None, True)  # noqa: FBT003 - the whole value
    assert reach(one, "site", None, Role.SUPERVISOR, NOON) == Reached(everybody, None, True)  # noqa: FBT003


def test_a_site_that_has_nobody_or_is_unknown_reaches_nobody() -> None:
    """And says that it fell back."""
    nobody = Reached((), None, fell_back=True)
    assert reach(book(people=()), "site", None, Role.OFFICER, NOON) == nobody
    assert reach(ALL, "elsewhere", None, Role.OFFICER, NOON) == nobody


def test_somebody_without_any_address_is_passed_over_while_others_have_one() -> None:
    """Being on duty is no way to be told; somebody with an e-mail address can be."""
    mute = person("an", phone=None)
    mail = person("bo", phone=None, email="bo@site.example")
    rosters = roster("an"), roster("bo", id="s1", role=Role.SECOND)
    both = book(*rosters, people=(mute, mail))
    assert reach(both, "site", None, Role.OFFICER, NOON) == Reached((mail,), Role.SECOND, True)  # noqa: FBT003
    alone = book(roster("an"), people=(mute,))
    assert reach(alone, "site", None, Role.OFFICER, NOON) == Reached((mute,), None, True)  # noqa: FBT003


@settings(max_examples=200, deadline=None)
@given(scene=scenes(), role=st.sampled_from(Role), data=st.data())
def test_reach_is_never_empty_while_the_site_has_anybody(
    scene: tuple[Book, Roster, int, int], role: Role, data: st.DataObject
) -> None:
    """Whatever the roster, at every instant; without falling back it is who is on duty."""
    one, _, from_ms, until_ms = scene
    now_ms = data.draw(st.integers(from_ms, until_ms))
    found = reach(one, "site", None, role, now_ms)
    assert found.people
    assert found.fell_back is (found.role_used is not role)
    if not found.fell_back:
        assert found.people == on_duty(one, "site", None, role, now_ms)


def test_rosters_of_one_role_fill_each_others_gaps() -> None:
    """Day and night together leave none; what is left is told by role, and once per site."""
    whole = book(roster("an", **DAYS), roster("bo", id="n1", hours=hours("20:00-08:00")))
    assert gaps(whole, "site", NOON, NOON + 3 * DAY_MS) == ()
    holed = book(roster("an", **DAYS), roster("bo", id="n1", hours=hours("21:00-08:00")))
    evening, nine = at("2026-01-05 20:00"), at("2026-01-05 21:00")
    assert gaps(holed, "site", NOON, NOON + DAY_MS) == (
        Gap("site", None, Role.OFFICER, evening, nine),
    )


def test_an_area_without_cover_is_named() -> None:
    """The west has its own officer, the east has none at night."""
    one = book(
        roster("an", **DAYS),
        roster("bo", id="west", areas=["west"]),
        roster("cai", id="m1", role=Role.MANAGER, areas=["west"]),
    )
    start, end = NOON, NOON + DAY_MS
    assert gaps(one, "site", start, end) == (
        Gap("site", "east", Role.OFFICER, at("2026-01-05 20:00"), at("2026-01-06 08:00")),
        Gap("site", "east", Role.MANAGER, start, end),
    )


def test_a_site_without_an_officer_roster_is_one_gap() -> None:
    """Roles without a roster are no gap, but for the officer; unknown sites have nobody."""
    one = book(roster("an", role=Role.MANAGER))
    assert empty_shifts(one, ["site", "elsewhere"], NOON, DAY_MS) == (
        Gap("site", None, Role.OFFICER, NOON, NOON + DAY_MS),
        Gap("elsewhere", None, Role.OFFICER, NOON, NOON + DAY_MS),
    )


@settings(max_examples=100, deadline=None)
@given(scene=scenes(), data=st.data())
def test_gaps_are_exactly_when_nobody_is_on_duty(
    scene: tuple[Book, Roster, int, int], data: st.DataObject
) -> None:
    """At every instant: inside a gap nobody is on duty, outside somebody is."""
    one, _, from_ms, until_ms = scene
    found = gaps(one, "site", from_ms, until_ms)
    for now_ms in data.draw(st.lists(st.integers(from_ms, until_ms - 1), min_size=10)):
        inside = any(g.from_ms <= now_ms < g.until_ms for g in found)
        assert inside is (on_duty(one, "site", None, Role.OFFICER, now_ms) == ())


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        ((), "2026-01-05 23:00", None),
        (("22:00-07:00",), "2026-01-05 21:59", None),
        (("22:00-07:00",), "2026-01-05 22:00", "2026-01-06 07:00"),
        (("22:00-07:00",), "2026-01-06 06:59", "2026-01-06 07:00"),
        (("22:00-07:00",), "2026-01-06 07:00", None),
        (("22:00-00:00", "00:00-06:00"), "2026-01-05 23:00", "2026-01-06 06:00"),
        (("12:00-14:00", "13:00-15:00"), "2026-01-05 12:30", "2026-01-05 15:00"),
    ],
)
def test_until_when_it_is_quiet(quiet: tuple[str, ...], now: str, until: str | None) -> None:
    """Hours over midnight, and hours that follow on each other."""
    expected = None if until is None else at(until)
    assert quiet_until(book(quiet=quiet), "site", at(now)) == expected


def test_an_unknown_site_is_never_quiet() -> None:
    """A warning too many is better than one that waits for ever."""
    assert quiet_until(book(quiet=("22:00-07:00",)), "elsewhere", NIGHT) is None


def test_the_packaged_people_cover_every_role_at_every_hour() -> None:
    """Two years without a gap, three officers in turn, and on holidays a day each."""
    one = packaged()
    start = at("2026-01-05 08:00")
    for role in Role:
        assert one.rosters_of("caimarenjia", role)
    assert gaps(one, "caimarenjia", start, start + 730 * DAY_MS) == ()
    weeks = [_officer(one, start + n * 7 * DAY_MS) for n in range(4)]
    assert weeks == ["zhao-weiguo", "qian-liming", "sun-jianhua", "zhao-weiguo"]
    holidays = [_officer(one, at(f"2026-10-0{day} 12:00")) for day in (1, 2, 3)]
    assert sorted(holidays) == ["qian-liming", "sun-jianhua", "zhao-weiguo"]


def _officer(one: Book, now_ms: int) -> str:
    [found] = on_duty(one, "caimarenjia", "east", Role.OFFICER, now_ms)
    return found.id


def test_the_packaged_numbers_are_invented() -> None:
    """All of one block of numbers that nobody has, each its own, and everybody has one."""
    phones = [p.phone for p in packaged_people().people]
    assert phones == [f"+861380000{n:04}" for n in range(1, len(phones) + 1)]
