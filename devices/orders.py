"""Orders a station can be given, the answers it can make, and the limits it enforces alone."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Action(StrEnum):
    """What the backend may ask of a station; there is no power-on."""

    CUT = "cut"
    CUT_STATION = "cut_station"
    RELEASE = "release"
    IDENTIFY = "identify"
    SELF_TEST = "self_test"


class Result(StrEnum):
    """How a station answered an order. ``done`` is a claim; only measured power is proof."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Trips(_Section):
    """Limits at which the station opens relays by itself, without the backend.

    Units: degrees Celsius, amperes, watts, minutes. ``offline_min`` is how long a station
    goes on without the backend before it opens its relays.
    """

    socket_c: Annotated[float, Field(ge=40, le=120)] = 90.0
    enclosure_c: Annotated[float, Field(ge=40, le=120)] = 75.0
    socket_a: Annotated[float, Field(ge=0.5, le=40)] = 6.0
    socket_w: Annotated[float, Field(ge=50, le=10_000)] = 1200.0
    session_min: Annotated[int, Field(ge=1, le=2880)] = 660
    offline_min: Annotated[int, Field(ge=1, le=1440)] = 30


class Intervals(_Section):
    """How often the station reports, in seconds."""

    charging_s: Annotated[float, Field(ge=0.5, le=60)] = 5.0
    idle_s: Annotated[float, Field(ge=1, le=300)] = 30.0
    fast_s: Annotated[float, Field(ge=0.2, le=10)] = 1.0
