"""From bytes to checked items, the same for all providers. Pure.

Types are strict, sizes bounded. Fields we do not know are let pass: the formats are the
providers', who add to them without asking. Characters that no store can keep are taken out of
texts instead of refusing the text: a person's "1" counts even beside half an emoji.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from alerts.callbacks.errors import BodyError, Reason, Refused, refused
from alerts.callbacks.events import Event

MAX_BYTES: Final = 1024 * 1024
MAX_ITEMS: Final = 1_000
_MAX_MESSAGE_ID: Final = 15
_MAX_CODE: Final = 80
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_BEIJING: Final = timezone(timedelta(hours=8))
_MAINLAND: Final = re.compile(r"1[3-9]\d{9}", re.ASCII)
_COMPLETE: Final = re.compile(r"[1-9]\d{6,14}", re.ASCII)
_OURS: Final = re.compile(r"[!-~]{1,15}")


def clean(text: str) -> str:
    """Without control characters, line ends and halves of surrogate pairs."""
    return _CONTROL.sub(" ", text).strip()


def _clean(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(max_length=10_000), BeforeValidator(_clean)]
Ref = Annotated[
    str,
    StringConstraints(min_length=1, max_length=80, pattern=r"^[ -~]+$"),
    BeforeValidator(_clean),
]
"""A provider's id: printable ASCII, as long as the ledger can keep."""


class Item(BaseModel):
    """One entry of a call-back."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """What a body held; ``passing`` counts news that are no outcome, such as "it rings"."""

    events: tuple[Event, ...]
    refused: tuple[Refused, ...] = ()
    passing: int = 0


Taken = Event | Reason | None
"""An event; why the object is none; None = it is nothing to keep."""


def load(body: bytes) -> Any:
    """The body as JSON.

    Raises:
        BodyError: empty, too large, or not JSON.

    """
    if not body.strip():
        raise BodyError(Reason.EMPTY, "no body")
    if len(body) > MAX_BYTES:
        raise BodyError(Reason.TOO_LARGE, f"{len(body)} bytes, at most {MAX_BYTES}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BodyError(Reason.NOT_JSON, str(error)) from None


def items(value: Any) -> Sequence[Any]:
    """The list that ``value`` must be.

    Raises:
        BodyError: it is something else, or too long.

    """
    if not isinstance(value, list):
        raise BodyError(Reason.WRONG_SHAPE, f"a list is expected, not {type(value).__name__}")
    if len(value) > MAX_ITEMS:
        raise BodyError(Reason.TOO_MANY, f"{len(value)} items, at most {MAX_ITEMS}")
    return value


def each(values: Sequence[Any], read: Callable[[dict[str, Any]], Taken]) -> Batch:
    """Read every value by itself; a bad one does not take the others with it."""
    events: list[Event] = []
    bad: list[Refused] = []
    passing = 0
    for place, value in enumerate(values):
        if not isinstance(value, dict):
            said = f"an object is expected, not {type(value).__name__}"
            bad.append(refused(place, Reason.WRONG_TYPE, said))
            continue
        try:
            taken = read(value)
        except ValidationError as error:
            bad.append(_refused(place, error))
            continue
        if taken is None:
            passing += 1
        elif isinstance(taken, Reason):
            bad.append(refused(place, taken, f"fields: {', '.join(map(str, value))}"))
        else:
            events.append(taken)
    return Batch(tuple(events), tuple(bad), passing)


def _refused(place: int, error: ValidationError) -> Refused:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    kind = first["type"]
    if kind == "missing":
        reason = Reason.MISSING
    else:
        reason = Reason.WRONG_TYPE if kind.endswith("_type") else Reason.BAD_VALUE
    where = ".".join(str(part) for part in first["loc"])
    return refused(place, reason, f"{where}: {first['msg']}")


def message_id(given: str | None) -> str | None:
    """Our id, if it can be one of ours."""
    return given if given is not None and _OURS.fullmatch(given) else None


def code_of(given: object) -> str:
    """The provider's word, as long as the ledger can keep."""
    return "" if given is None else clean(str(given))[:_MAX_CODE]


def phone_of(number: str, country: str = "") -> str | None:
    """E.164 from a number as providers write it, or None when it is none (masked, too short)."""
    digits = number.strip().removeprefix("+").removeprefix("00")
    country = country.strip().removeprefix("+").removeprefix("00")
    if not country and _MAINLAND.fullmatch(digits):
        country = "86"
    complete = country + digits
    return f"+{complete}" if _COMPLETE.fullmatch(complete) else None


def beijing_ms(text: str | None) -> int | None:
    """UTC ms of "2017-01-01 00:00:00" in Beijing time; None when it says no time."""
    try:
        local = datetime.strptime((text or "").strip(), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - zoned below
    except ValueError:
        return None
    return int(local.replace(tzinfo=_BEIJING).timestamp()) * 1000
