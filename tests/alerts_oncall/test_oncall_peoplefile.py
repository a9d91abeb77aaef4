"""The people file: read strictly, with errors that name the field; written back whole."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.oncall.errors import Fault, Flaw, PeopleFileError
from alerts.oncall.model import Role
from alerts.oncall.peoplefile import (
    MAX_BYTES,
    People,
    dump_people,
    flaws,
    load_people_file,
    packaged_people,
    parse_people,
)

AREAS = ("east", "west", "south")


def document(**more: object) -> People:
    """Two people and one roster, but for what is given."""
    base = {
        "site": "caimarenjia",
        "people": [{"id": "an", "name": "An"}, {"id": "bo", "name": "Bo"}],
        "rosters": [{"id": "officers", "role": "officer", "people": ["an", "bo"]}],
    }
    return People.model_validate({**base, **more})


def test_the_packaged_file_is_whole() -> None:
    """No flaw, for the areas of its site; out and in again it is the same."""
    people = packaged_people()
    assert flaws(people, AREAS) == ()
    assert {r.role for r in people.rosters} == set(Role)
    assert parse_people(dump_people(people).encode(), "again") == people


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x7f"), min_size=1
).map(lambda text: text[:60])
IDS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}[a-z0-9]", fullmatch=True)
CLOCK = st.integers(0, 1439).map(lambda m: f"{m // 60:02}:{m % 60:02}")
HOURS = st.lists(st.fixed_dictionaries({"start": CLOCK, "end": CLOCK}), min_size=1, max_size=3)


@given(
    names=st.lists(TEXT, min_size=1, max_size=3),
    roster=st.fixed_dictionaries(
        {"id": IDS, "role": st.sampled_from([r.value for r in Role])},
        optional={
            "hours": HOURS,
            "handover": CLOCK,
            "turn_days": st.integers(1, 366),
            "areas": st.lists(st.sampled_from(AREAS), max_size=2),
            "weekdays": st.lists(st.integers(1, 7), min_size=1, max_size=7),
            "anchor": st.dates().filter(lambda d: 2000 <= d.year < 2100).map(str),
        },
    ),
    quiet=HOURS,
)
def test_what_is_written_is_read_back(
    names: list[str], roster: dict[str, object], quiet: list[dict[str, str]]
) -> None:
    """Any document, with whatever characters in its names."""
    people = [{"id": f"person-{n}", "name": name} for n, name in enumerate(names)]
    whole = People.model_validate(
        {
            "site": "caimarenjia",
            "people": people,
            "rosters": [{**roster, "people": ["person-0"]}],
            "quiet": quiet,
            "holidays": [{"day": "2026-10-01", "name": names[0]}],
        }
    )
    assert parse_people(dump_people(whole).encode(), "x") == whole


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "site: field required"),
        ("x = 1", "x: extra inputs are not permitted, found 1"),
        (
            '[[people]]\nid = "an"\nname = "An"\nphone = "13800000001"',
            (
                r"people[0].phone: string should match pattern '^\+[1-9][0-9]{6,14}$', "
                "found '13800000001'"
            ),
        ),
        (
            '[[people]]\nid = "an"\nname = "An"\nmobile = "+8613800000001"',
            "people[0].mobile: extra inputs are not permitted, found '+8613800000001'",
        ),
        (
            '[[rosters]]\nid = "r1"\nrole = "officer"\npeople = ["an"]\nturn_days = 400',
            "rosters[0].turn_days: input should be less than or equal to 366, found 400",
        ),
        (
            '[[rosters]]\nid = "r1"\nrole = "boss"\npeople = ["an"]',
            (
                "rosters[0].role: input should be 'officer', 'second', 'manager' or 'supervisor', "
                "found 'boss'"
            ),
        ),
        (
            '[[rosters]]\nid = "r1"\nrole = "officer"\npeople = ["an"]\nweekdays = [0, 8]',
            "rosters[0].weekdays[1]: input should be less than or equal to 7, found 8",
        ),
        (
            '[[rosters]]\nid = "r1"\nrole = "officer"\npeople = ["an"]\nanchor = "2026-02-29"',
            "rosters[0].anchor: 2026-02-29 is not in the calendar, found '2026-02-29'",
        ),
        (
            'quiet = [{ start = "24:00" }]',
            (
                "quiet[0].start: string should match pattern '^([01][0-9]|2[0-3]):[0-5][0-9]$', "
                "found '24:00'"
            ),
        ),
        ("= 1", "not TOML: Invalid statement (at line 1, column 1)"),
    ],
)
def test_what_is_wrong_is_named_with_its_field_and_range(text: str, problem: str) -> None:
    """As written in the file, with what was found."""
    with pytest.raises(PeopleFileError) as caught:
        parse_people(text.encode(), "people.toml")
    assert problem in caught.value.problems
    assert caught.value.source == "people.toml"


@pytest.mark.parametrize(
    "phone",
    ["+86 13800000001", "+８613800000001", "+0138000000", "+861380000\n", "tel:+8613800000001"],
)
def test_only_plain_international_numbers_are_phones(phone: str) -> None:
    """No spaces, no full-width digits, no line feed at the end."""
    with pytest.raises(PeopleFileError):
        parse_people(
            dump_people(document()).replace("An", f'An"\nphone = "{phone}').encode(), "people.toml"
        )


def test_files_that_are_none(tmp_path: Path) -> None:
    """Not there, too large, or in another encoding."""
    file = tmp_path / "people.toml"
    with pytest.raises(PeopleFileError, match="No such file"):
        load_people_file(file)
    file.write_bytes("赵".encode("gbk"))
    with pytest.raises(PeopleFileError, match="byte 0 is not UTF-8"):
        load_people_file(file)
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(PeopleFileError, match="larger than 1048576 bytes"):
        load_people_file(file)
    file.write_text(dump_people(document()))
    assert load_people_file(file) == document()


@pytest.mark.parametrize(
    ("more", "flaw"),
    [
        (
            {"people": [{"id": "an", "name": "1"}, {"id": "an", "name": "2"}], "rosters": []},
            Flaw("people", Fault.DOUBLED, {"name": "an", "times": 2}),
        ),
        (
            {"rosters": [{"id": "r1", "role": "officer", "people": ["an"]}] * 3},
            Flaw("rosters", Fault.DOUBLED, {"name": "r1", "times": 3}),
        ),
        (
            {"holidays": [{"day": "2026-10-01", "name": "x"}] * 2},
            Flaw("holidays", Fault.DOUBLED, {"name": "2026-10-01", "times": 2}),
        ),
        (
            {"rosters": [{"id": "r1", "role": "officer", "people": ["an", "cai", "cai"]}]},
            Flaw("rosters[0].people", Fault.UNKNOWN_PERSON, {"name": "cai", "known": "an, bo"}),
        ),
        (
            {
                "rosters": [
                    {"id": "r1", "role": "second", "people": ["an"], "holiday_people": ["du"]}
                ]
            },
            Flaw(
                "rosters[0].holiday_people",
                Fault.UNKNOWN_PERSON,
                {"name": "du", "known": "an, bo"},
            ),
        ),
        (
            {
                "rosters": [
                    {"id": "r1", "role": "second", "people": ["an"], "areas": ["east", "north"]}
                ]
            },
            Flaw(
                "rosters[0].areas",
                Fault.UNKNOWN_AREA,
                {"name": "north", "known": "east, west, south"},
            ),
        ),
        (
            {"quiet": [{"start": "08:00", "end": "08:00"}]},
            Flaw("quiet", Fault.QUIET_ALL_DAY),
        ),
        (
            {"quiet": [{"start": "06:00", "end": "20:00"}, {"start": "19:00", "end": "07:00"}]},
            Flaw("quiet", Fault.QUIET_ALL_DAY),
        ),
    ],
)
def test_what_contradicts_itself_is_a_flaw(more: dict[str, object], flaw: Flaw) -> None:
    """Names used twice or unknown, and warnings that would wait for ever."""
    assert flaws(document(**more), AREAS) == (flaw,)


def test_areas_are_not_checked_while_they_are_not_known() -> None:
    """A file is good by itself before its site is registered."""
    rosters = [{"id": "r1", "role": "second", "people": ["an"], "areas": ["north"]}]
    assert flaws(document(rosters=rosters)) == ()
