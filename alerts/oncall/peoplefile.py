"""The people file of a site: TOML, read with errors that name the field, written back whole."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alerts.oncall.errors import Fault, Flaw, PeopleFileError
from alerts.oncall.model import Day, Hours, Person, RosterPlan
from devices.model import Label
from devices.names import SiteId

MAX_BYTES: Final = 1024 * 1024
"""The largest people file that is read: 500 people take about 80 kB."""
_PACKAGED: Final = "caimarenjia.toml"
_SHOWN: Final = 20
"""Known names that are listed when one is unknown."""
_DAY_MIN: Final = 24 * 60


class Holiday(BaseModel):
    """A day on which the holiday people of a roster stand in."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    day: Day
    name: Label


class People(BaseModel):
    """Who is to be reached at one site, and when: all that its people file says."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    site: SiteId
    quiet: Annotated[tuple[Hours, ...], Field(max_length=8, strict=False)] = ()
    """Local hours in which warnings wait; alarms never do."""
    people: Annotated[tuple[Person, ...], Field(min_length=1, max_length=500, strict=False)]
    rosters: Annotated[tuple[RosterPlan, ...], Field(max_length=200, strict=False)] = ()
    holidays: Annotated[tuple[Holiday, ...], Field(max_length=366, strict=False)] = ()


def load_people_file(path: Path) -> People:
    """Read one people file.

    Raises:
        PeopleFileError: it cannot be read, is no TOML, or says something impossible.

    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PeopleFileError(str(path), (f"larger than {MAX_BYTES} bytes",))
        data = path.read_bytes()
    except OSError as error:
        raise PeopleFileError(str(path), (error.strerror or str(error),)) from error
    return parse_people(data, str(path))


def parse_people(data: bytes, source: str) -> People:
    """Check the bytes of a people file field by field; ``flaws`` checks them together.

    Raises:
        PeopleFileError: no UTF-8, no TOML, or something impossible; ``source`` is named in it.

    """
    try:
        raw = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise PeopleFileError(source, (f"byte {error.start} is not UTF-8",)) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PeopleFileError(source, (f"not TOML: {error}",)) from error
    try:
        return People.model_validate(raw)
    except ValidationError as error:
        raise PeopleFileError(source, tuple(_line(dict(e)) for e in error.errors())) from error


def dump_people(people: People) -> str:
    """The document as TOML that ``parse_people`` reads back to an equal one."""
    data = people.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    if people.rosters:
        data["rosters"] = [_roster_table(roster) for roster in people.rosters]
    return tomli_w.dumps(data)


def _roster_table(roster: RosterPlan) -> dict[str, Any]:
    """Without what is as usual, but with all that says whose turn it is."""
    turns = {"anchor": roster.anchor, "turn_days": roster.turn_days, "handover": roster.handover}
    return roster.model_dump(mode="json", exclude_defaults=True) | turns


def packaged_people() -> People:
    """The people of 蔡马人家 (Caimarenjia) for the demo: invented names and numbers."""
    file = resources.files("alerts.oncall") / "data" / _PACKAGED
    return parse_people(file.read_bytes(), _PACKAGED)


def flaws(people: People, areas: Sequence[str] | None = None) -> tuple[Flaw, ...]:
    """What no field alone shows: names used twice, names that do not exist.

    ``areas`` are those of the registered site; None = they are not known, so not checked.
    """
    found = [*_doubled(people), *_unknown_people(people)]
    if areas is not None:
        found += _unknown_areas(people, areas)
    if _minutes(people.quiet) >= _DAY_MIN:
        found.append(Flaw("quiet", Fault.QUIET_ALL_DAY))
    return tuple(found)


def _doubled(people: People) -> Iterator[Flaw]:
    for field, names in (
        ("people", [p.id for p in people.people]),
        ("rosters", [r.id for r in people.rosters]),
        ("holidays", [h.day for h in people.holidays]),
    ):
        for name, times in Counter(names).items():
            if times > 1:
                yield Flaw(field, Fault.DOUBLED, {"name": name, "times": times})


def _unknown_people(people: People) -> Iterator[Flaw]:
    known = [p.id for p in people.people]
    for index, roster in enumerate(people.rosters):
        for field, names in (
            ("people", roster.people),
            ("holiday_people", roster.holiday_people),
        ):
            yield from _unknown(f"rosters[{index}].{field}", Fault.UNKNOWN_PERSON, names, known)


def _unknown_areas(people: People, areas: Sequence[str]) -> Iterator[Flaw]:
    for index, roster in enumerate(people.rosters):
        yield from _unknown(f"rosters[{index}].areas", Fault.UNKNOWN_AREA, roster.areas, areas)


def _unknown(
    field: str, fault: Fault, names: Iterable[str], known: Sequence[str]
) -> Iterator[Flaw]:
    for name in dict.fromkeys(names):
        if name not in known:
            yield Flaw(field, fault, {"name": name, "known": listed(known)})


def listed(names: Sequence[str]) -> str:
    """Names as a sentence shows them; of very many only the first."""
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _minutes(hours: Sequence[Hours]) -> int:
    """Minutes of the day that at least one of the parts covers."""
    covered: set[int] = set()
    for part in hours:
        start, end = _minute(part.start), _minute(part.end)
        covered.update(range(start, end) if end > start else range(start, end + _DAY_MIN))
    return len({minute % _DAY_MIN for minute in covered})


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _line(item: dict[str, Any]) -> str:
    """The field as written in the file, what is wrong, and what was found."""
    field = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in item["loc"])
    found = item["input"]
    shown = f", found {found!r:.80}" if isinstance(found, str | int | float) else ""
    said = item["msg"]
    return f"{field.removeprefix('.')}: {said[0].lower()}{said[1:]}{shown}"
