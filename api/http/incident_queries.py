"""What callers may send about incidents and silences. All bounded, none unknown."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from alerts.incidents.model import Cause, State, Urgency
from alerts.oncall.model import PersonId
from api.http.queries import Flag, Id, Instant, PageQuery, Reason, whole
from devices.names import SiteId, StationId
from iot.contract import EARLIEST_TS_MS, LATEST_TS_MS

MAX_NOTE: Final = 1_000
IncidentNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z]\d{1,12}$")]
Note = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=MAX_NOTE,
        pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
    ),
    Field(description="goes into the record"),
]
MaybeNote = Annotated[str, StringConstraints(max_length=MAX_NOTE, pattern=r"^[^\x00-\x1f\x7f]*$")]
BodyCause = Annotated[Cause, Field(strict=False)]


class IncidentsQuery(PageQuery):
    """Which incidents."""

    site: Id | None = None
    station: Id | None = None
    state: State | None = None
    urgency: Urgency | None = None
    drill: Flag | None = None
    since: Instant | None = Field(None, description="begun at or after, UTC ms")
    until: Instant | None = Field(None, description="begun before, UTC ms")


class MessagesQuery(PageQuery):
    """Which part of the ledger."""


class SilencesQuery(PageQuery):
    """Which silences."""

    site: Id | None = None
    station: Id | None = None
    active: Flag | None = Field(None, description="true = only those in force now")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Acknowledge(_Body):
    """I am on it."""

    act: Literal["acknowledge"]


class Arrive(_Body):
    """I am on site."""

    act: Literal["arrive"]


class Report(_Body):
    """What it was. May be corrected until the incident is closed."""

    act: Literal["report"]
    cause: BodyCause
    note: MaybeNote = ""


class Close(_Body):
    """It is over; a danger must have been reported, and what still stands needs a note."""

    act: Literal["close"]
    cause: BodyCause | None = None
    note: MaybeNote = ""


class Reopen(_Body):
    """It is not over: everybody is told again."""

    act: Literal["reopen"]
    note: Note


class Comment(_Body):
    """A line for the timeline."""

    act: Literal["comment"]
    note: Note


class Assign(_Body):
    """Somebody else takes it."""

    act: Literal["assign"]
    person: PersonId
    note: MaybeNote = ""


ActBody = Annotated[
    Acknowledge | Arrive | Report | Close | Reopen | Comment | Assign, Field(discriminator="act")
]


class SilenceBody(_Body):
    """Of what people are not told, and until when. Never of a danger."""

    site: SiteId
    station: Annotated[StationId | None, Field(description="null = every station")] = None
    rule: Annotated[
        Annotated[str, StringConstraints(pattern=r"^R\d{2}$")] | None,
        Field(description="null = every rule that may be silenced"),
    ] = None
    until: Annotated[
        int,
        Field(ge=EARLIEST_TS_MS, lt=LATEST_TS_MS, description="UTC ms, at most 7 days ahead"),
        BeforeValidator(whole),
    ]
    reason: Reason
