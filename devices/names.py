"""The names by which every room refers to a thing: stations, sites, sockets.

They live in the lowest layer because the wire contract, the registry, the rules and
the API must all agree on what a well-formed name is.
"""

import re
from typing import Annotated, Final

from pydantic import Field, StringConstraints

STATION_PATTERN = r"^[a-z0-9][a-z0-9-]{1,30}[a-z0-9]$"
"""What a station may be called on the wire, in the registry and in an address."""

_STATION = re.compile(STATION_PATTERN)

StationId = Annotated[str, StringConstraints(strict=True, pattern=STATION_PATTERN)]
SiteId = Annotated[str, StringConstraints(strict=True, pattern=STATION_PATTERN)]
AreaId = Annotated[str, StringConstraints(strict=True, pattern=STATION_PATTERN)]
CameraId = Annotated[str, StringConstraints(strict=True, pattern=STATION_PATTERN)]

CANARY_PREFIX: Final = "canary-"
"""What the ids of synthetic stations begin with: they try the alarm path and are never listed."""

MAX_SOCKETS = 64
SocketNumber = Annotated[int, Field(strict=True, ge=1, le=MAX_SOCKETS)]
"""Sockets are numbered from 1 everywhere a person or a device sees them."""


def is_station_id(text: str) -> bool:
    """Whether ``text`` is a well-formed station id (``[a-z0-9-]``, 3 to 32 characters)."""
    return _STATION.fullmatch(text) is not None


def is_canary(text: str) -> bool:
    """Whether the id is one of a synthetic station; no registered one may have it."""
    return text.startswith(CANARY_PREFIX)
