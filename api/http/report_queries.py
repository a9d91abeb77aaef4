"""What callers may send about reports and drills. All bounded, none unknown."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from api.http.queries import Id, PageQuery
from devices.names import AreaId, SiteId

FORMATS: Final = ("json", "html", "csv", "pdf")
_DAY: Final = r"2\d{3}-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?"

PathPeriod = Annotated[str, StringConstraints(pattern=rf"^{_DAY}(?:\.(?:{'|'.join(FORMATS)}))?$")]
"""A day or a month, with the format where it is not to be negotiated: ``2026-11.pdf``."""


class ReportQuery(BaseModel):
    """In which language; without it as ``Accept-Language`` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lang: Literal["zh", "en"] | None = None


class DrillsQuery(PageQuery):
    """Which drills."""

    site: Id | None = None


class DrillOrder(BaseModel):
    """A drill, now."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    site: SiteId
    area: AreaId | None = None
    note: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
