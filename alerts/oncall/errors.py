"""What can go wrong with people and rosters; all of it permanent until somebody changes it.

::

    OnCallError
    ├── PeopleFileError         a people file that cannot be read; ``problems`` names each field
    ├── PeopleRefusedError      a people document that contradicts itself or the registry
    ├── OverrideRefusedError    an override that cannot be; ``flaw`` says which field and why
    └── UnknownError            no such roster, person, site or override; ``kind`` says which

A ``Flaw`` is data, so that whoever shows it puts it into the reader's language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a field; ``values`` of the flaw fill its text."""

    DOUBLED = "doubled"  # name, times
    UNKNOWN_PERSON = "unknown_person"  # name, known
    UNKNOWN_AREA = "unknown_area"  # name, known
    OTHER_SITE = "other_site"  # name, site
    QUIET_ALL_DAY = "quiet_all_day"
    NOT_AFTER = "not_after"  # other
    TOO_LONG = "too_long"  # days, other
    OVER = "over"


class Kind(StrEnum):
    """What may not exist."""

    SITE = "site"
    ROSTER = "roster"
    PERSON = "person"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One field at fault, as written in the document: ``rosters[0].people``."""

    where: str
    fault: Fault
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """For logs."""
        told = ", ".join(f"{name}={value}" for name, value in self.values.items())
        return f"{self.where}: {self.fault}" + (f" ({told})" if told else "")


class OnCallError(Exception):
    """Root of the errors of people and rosters."""


class PeopleFileError(OnCallError):
    """A people file that cannot be read; one entry of ``problems`` per wrong field."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        """``source`` is the file's path as given."""
        super().__init__(f"{source}: " + "; ".join(problems))
        self.source = source
        self.problems = problems


class PeopleRefusedError(OnCallError):
    """A people document that contradicts itself or the registry; nothing was changed."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        """At least one."""
        super().__init__("; ".join(map(str, flaws)))
        self.flaws = tuple(flaws)


class OverrideRefusedError(OnCallError):
    """An override that cannot be."""

    def __init__(self, flaw: Flaw) -> None:
        """Which field, and why."""
        super().__init__(str(flaw))
        self.flaw = flaw


class UnknownError(OnCallError):
    """There is no ``kind`` called ``name``."""

    def __init__(self, kind: Kind, name: str) -> None:
        """As it was asked for."""
        super().__init__(f"there is no {kind} {name[:80]}")
        self.kind = kind
        self.name = name
