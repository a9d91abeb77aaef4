"""What can go wrong in detection, as one small tree.

::

    RulesError
    ├── CatalogueError       a rule setting is refused; names the field and what is allowed
    ├── SnapshotError        bytes that are no snapshot, or one of another version
    └── UnknownStationError  a station that was never configured
"""


class RulesError(Exception):
    """Anything this package raises on purpose."""


class CatalogueError(RulesError):
    """A catalogue or an override that is not accepted; ``problems`` has one line per field."""

    def __init__(self, problems: list[str]) -> None:
        """``problems`` name the field, the value and the allowed range."""
        super().__init__("; ".join(problems))
        self.problems = problems


class SnapshotError(RulesError):
    """State bytes that cannot be read back: damaged, or of another format version."""


class UnknownStationError(RulesError):
    """The station was never configured."""

    def __init__(self, station: str) -> None:
        """``station`` is the id that was asked for."""
        super().__init__(f"station {station!r} is not configured")
        self.station = station
