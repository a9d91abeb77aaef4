"""What can go wrong behind the API.

::

    ApiError
    ├── UnauthenticatedError     no credential, or one that is none of ours
    ├── TooManyAttemptsError     too many wrong credentials from one address
    ├── NoSuchThingError         the site, station, incident, ... does not exist
    ├── BadQueryError            parameters that contradict each other
    └── ReleaseRefusedError      the lockout stays, for the reason given
"""

from enum import StrEnum

from devices.lockouts import Outcome


class ApiError(Exception):
    """Base of this package's errors. Never carries a secret."""


class UnauthenticatedError(ApiError):
    """No credential, or one that is none of ours."""


class TooManyAttemptsError(ApiError):
    """Too many wrong credentials from one address; try again in ``retry_s`` seconds."""

    def __init__(self, retry_s: int) -> None:
        """``retry_s``: whole seconds until the next attempt is looked at."""
        super().__init__(retry_s)
        self.retry_s = retry_s


class Thing(StrEnum):
    """What may not exist; its name is a text under ``kind``."""

    SITE = "site"
    STATION = "station"
    SOCKET = "socket"
    FINDING = "finding"
    COMMAND = "command"
    INCIDENT = "incident"
    PERSON = "person"
    SILENCE = "silence"
    AREA = "area"
    ROSTER = "roster"
    PERIOD = "period"
    DRILL = "drill"
    OVERRIDE = "override"
    HOLIDAY = "holiday"


class NoSuchThingError(ApiError):
    """There is no ``thing`` called ``name``."""

    def __init__(self, thing: Thing, name: str) -> None:
        """Both are shown to the caller, who sent ``name``."""
        super().__init__(thing, name)
        self.thing = thing
        self.name = name


class Why(StrEnum):
    """What is wrong with a field; each has a text under ``why``."""

    UNKNOWN_PARAMETER = "unknown_parameter"
    UNKNOWN_FIELD = "unknown_field"
    MISSING = "missing"
    INVALID = "invalid"
    NOT_JSON = "not_json"
    START_AFTER_END = "start_after_end"
    SINCE_AFTER_UNTIL = "since_after_until"
    RANGE_TOO_LONG = "range_too_long"
    SOCKET_NEEDED = "socket_needed"
    NO_SOCKET = "no_socket"
    OVER = "over"
    TOO_FAR_AHEAD = "too_far_ahead"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    ABOVE = "above"
    BELOW = "below"
    SHORTEST = "shortest"
    LONGEST = "longest"
    FEWEST = "fewest"
    MOST = "most"
    PATTERN = "pattern"
    ONE_OF = "one_of"
    NO_SUCH_DAY = "no_such_day"
    OTHER_THAN_ADDRESS = "other_than_address"
    DOUBLED = "doubled"
    UNKNOWN_PERSON = "unknown_person"
    UNKNOWN_AREA = "unknown_area"
    OTHER_SITE = "other_site"
    QUIET_ALL_DAY = "quiet_all_day"
    NOT_AFTER = "not_after"
    TOO_LONG = "too_long"


class BadQueryError(ApiError):
    """Parameters that contradict each other: ``field`` is at fault."""

    def __init__(self, *, field: str, why: Why, **values: object) -> None:
        """``values`` fill the placeholders of the text of ``why``."""
        super().__init__(field, why)
        self.field = field
        self.why = why
        self.values = values


class ReleaseRefusedError(ApiError):
    """The lockout stays; ``findings`` are those that forbid the release, if any."""

    def __init__(self, outcome: Outcome, findings: tuple[object, ...] = ()) -> None:
        """``findings`` are views, shown to the caller."""
        super().__init__(outcome)
        self.outcome = outcome
        self.findings = findings
