"""``chargeward people``: what it prints, how it ends, and what the doctor says of people."""

import asyncio
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import Result

from alerts.oncall.book import Book, Place
from alerts.oncall.model import Hours, Person, Role, Roster
from alerts.oncall.peoplefile import dump_people, packaged_people, parse_people
from api.cli.diagnosis import Check, State
from api.cli.people import app
from api.cli.people_checks import judge_people
from api.database_schema import upgrade
from devices.database import Database
from devices.registry import import_site
from devices.sitefile import packaged_site
from tests.cli.conftest import call, words

MONDAY_NOON = 1_789_963_200_000  # 2026-09-21T12:00 in Shanghai


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with the packaged site and no people."""
    url = f"sqlite:///{tmp_path}/chargeward.db"

    async def make() -> None:
        await upgrade(url)
        database = await Database.open(url)
        async with database.writing() as connection:
            await import_site(connection, packaged_site())
        await database.close()

    asyncio.run(make())
    return url


@pytest.fixture
def peopled(url: str) -> str:
    """The same with the packaged people."""
    assert call(app, "import", "--packaged", "--database", url).exit_code == 0
    return url


def printed(result: Result) -> Any:
    """The one JSON document."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_import_list_and_export(url: str, tmp_path: Path) -> None:
    """In, shown, out again, and the same file goes in without a change."""
    assert "no people yet" in call(app, "list", "--database", url).stdout
    first = printed(call(app, "import", "--packaged", "--database", url, "--json"))
    assert (first["site"], len(first["added"]), first["removed"]) == ("caimarenjia", 18, [])
    listed = printed(call(app, "list", "--database", url, "--json"))
    assert listed[0] == {
        "site": "caimarenjia",
        "id": "zhao-weiguo",
        "name": "赵卫国",
        "phone": "+8613800000001",
        "email": None,
        "rosters": ["cmrj-officers"],
    }
    assert "吴芳" in call(app, "list", "caimarenjia", "--database", url).stdout
    out = tmp_path / "people.toml"
    call(app, "export", "caimarenjia", "--database", url, "-o", str(out))
    assert parse_people(out.read_bytes(), "out") == packaged_people()
    again = call(app, "import", str(out), "--database", url)
    assert (again.exit_code, again.stdout) == (0, "people of caimarenjia: nothing to change\n")
    shipped = call(app, "export", "--packaged").stdout
    assert parse_people(shipped.encode(), "out") == packaged_people()


def test_import_names_what_it_changed(peopled: str, tmp_path: Path) -> None:
    """One line per thing."""
    file = tmp_path / "people.toml"
    file.write_text(dump_people(packaged_people()).replace("吴芳", "吴小芳"))
    result = call(app, "import", str(file), "--database", peopled)
    assert (result.exit_code, result.stdout) == (0, "changed  person wu-fang\n")


def test_validate_names_every_problem_of_every_file(tmp_path: Path) -> None:
    """Fields by their place, with the allowed range; exit code 1 and no database."""
    good, bad, odd = tmp_path / "good.toml", tmp_path / "bad.toml", tmp_path / "odd.toml"
    good.write_text(dump_people(packaged_people()))
    bad.write_text(
        good.read_text().replace("turn_days = 7", "turn_days = 0").replace('"second"', '"2nd"')
    )
    odd.write_text(good.read_text().replace('"sun-jianhua",', '"sun",', 1))
    result = call(app, "validate", str(good), str(bad), str(odd))
    assert result.exit_code == 1
    assert result.stdout == f"{good}: good: caimarenjia: 8 people, 5 rosters\n"
    known = ", ".join(p.id for p in packaged_people().people)
    assert f"{odd}: rosters[0].people: has sun, who is none of {known}" in result.stderr
    assert "rosters[0].turn_days: input should be greater than or equal to 1" in result.stderr
    assert (
        "rosters[1].role: input should be 'officer', 'second', 'manager' or 'supervisor'"
        in result.stderr
    )
    told = printed(call(app, "validate", str(good), "--json"))
    assert [(t["file"], t["problems"]) for t in told] == [(str(good), [])]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["import"], 2, "give a people file, or --packaged"),
        (["export"], 2, "name a site, or give --packaged"),
        (["export", "nowhere"], 1, "there is no site nowhere"),
        (["import", "nothing.toml"], 1, "nothing.toml: No such file or directory"),
        (["list", "nowhere"], 2, "there are caimarenjia"),
        (["who", "nowhere"], 2, "there are caimarenjia"),
        (["who", "--area", "north"], 2, "north is none of east, west, south"),
        (["shifts", "nights"], 1, "there is no roster nights"),
        (["override", "end", "7"], 1, "there is no override 7"),
        (["override", "add", "nights", "wu-fang", "--until", "+1h"], 1, "no roster nights"),
        (["override", "add", "cmrj-second", "an", "--until", "+1h"], 1, "person: has an, who is"),
        (["override", "add", "cmrj-second", "X", "--until", "+1h"], 2, "person: String should"),
        (["override", "add", "cmrj-second", "an", "--until", "soon"], 2, "is no moment"),
        (
            ["override", "add", "cmrj-second", "wu-fang", "--until", "-1h"],
            1,
            "until_ms: must be after from_ms",
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    peopled: str, arguments: list[str], code: int, said: str
) -> None:
    """One line and an exit code, never a stack."""
    result = call(app, *arguments, "--database", peopled)
    assert (result.exit_code, said in words(result.stderr)) == (code, True), result.stderr


def test_people_of_a_site_that_is_not_registered(tmp_path: Path) -> None:
    """The site comes first; nothing is written."""
    url = f"sqlite:///{tmp_path}/empty.db"
    result = call(app, "import", "--packaged", "--database", url)
    assert (result.exit_code, result.stderr) == (1, "there is no site caimarenjia\n")


def test_who_is_on_duty_and_who_stands_in(peopled: str) -> None:
    """By the roster, then by an override, then by the roster again."""
    at = ("who", "--at", str(MONDAY_NOON), "--database", peopled)
    assert [r["people"][0]["id"] for r in printed(call(app, *at, "--json"))["roles"]] == [
        "qian-liming",
        "li-guoqiang",
        "wu-fang",
        "wang-haitao",
    ]
    shown = call(app, *at, "--area", "east").stdout
    assert shown.startswith("caimarenjia east at 2026-09-21 12:00+08:00\n")
    add = ("override", "add", "cmrj-officers", "sun-jianhua", "--until", "+8h", "--by", "wu-fang")
    made = printed(call(app, *add, "--database", peopled, "--json"))
    assert (made["id"], made["person"], made["by"]) == (1, "sun-jianhua", "wu-fang")
    now = printed(call(app, "who", "--database", peopled, "--json"))
    assert [p["id"] for p in now["roles"][0]["people"]] == ["sun-jianhua"]
    [listed] = printed(call(app, "override", "list", "--database", peopled, "--json"))
    assert listed == made
    assert "sun-jianhua" in call(app, "override", "list", "--database", peopled).stdout
    ended = call(app, "override", "end", "1", "--database", peopled)
    assert ended.stdout.startswith("override 1: sun-jianhua on cmrj-officers from ")
    assert call(app, "override", "list", "--database", peopled).stdout == "no override\n"


def test_shifts_follow_on_each_other(peopled: str) -> None:
    """From now on, as far as was asked for; empty ones say why."""
    found = printed(
        call(app, "shifts", "cmrj-manager", "--days", "3", "--database", peopled, "--json")
    )
    assert found[-1]["until_ms"] - found[0]["from_ms"] == 3 * 86_400_000
    assert {(s["person"] or {}).get("id"): s["why"] for s in found} == {
        "wu-fang": "turn",
        None: "not_covered",
    }
    table = call(app, "shifts", "cmrj-manager", "--days", "3", "--database", peopled).stdout
    assert "nobody" in table


def judged(*rosters: Roster, phone: str | None = "+8613800000001") -> Check:
    """What the doctor says of one site with these rosters."""
    an = Person(id="an", name="安", phone=phone)
    place = Place("site", ZoneInfo("Asia/Shanghai"), people=("an",))
    return judge_people(Book({"an": an}, rosters, (), {"site": place}), MONDAY_NOON)


ALWAYS = Roster(id="of", site="site", role=Role.OFFICER, people=("an",))


def test_the_doctor_is_content_when_somebody_is_on_duty_all_week() -> None:
    """One person, one roster, a phone."""
    assert judged(ALWAYS) == Check(
        "people", State.OK, "1 people, somebody on duty for the next 7 days"
    )


def test_the_doctor_names_empty_shifts() -> None:
    """In the site's local time; of many the first three."""
    days = ALWAYS.model_copy(update={"hours": (Hours(start="08:00", end="20:00"),)})
    said = judged(days)
    assert said.state is State.WARN
    assert said.found == (
        "7 empty shifts in 7 days: site officer from 09-21 20:00 until 09-22 08:00; "
        "site officer from 09-22 20:00 until 09-23 08:00; "
        "site officer from 09-23 20:00 until 09-24 08:00; and 4 more"
    )
    assert "chargeward people override add" in said.advice


def test_the_doctor_names_people_without_a_phone_and_sites_without_people() -> None:
    """Somebody on duty who cannot be called is as bad as nobody."""
    mute = judged(ALWAYS, phone=None)
    assert (mute.state, mute.found) == (State.WARN, "without a phone: 安")
    place = Place("site", ZoneInfo("Asia/Shanghai"))
    nobody = judge_people(Book(sites={"site": place}), MONDAY_NOON)
    assert (nobody.state, nobody.found) == (State.WARN, "nobody is told of alarms at site")
