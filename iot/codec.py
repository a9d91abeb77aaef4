"""Bytes on the wire to contract messages and back: the one gate every body passes.

Whatever the bytes are, decoding gives a valid message or raises ``Refusal``; nothing else
comes out of it, so a poison message cannot end the loop that reads it. The reason is an enum
because it is also the metric label, the quarantine column and the ``reason`` of the invalid
golden vectors that firmware teams run against their own encoders.
"""

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Final, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from iot import contract
from iot.topics import DELIVERY, Channel

_DETAIL_CHARS: Final = 160
_MANY_ERRORS: Final = 500
_TELEMETRY_KEYS: Final = len(contract.Telemetry.model_fields)


class RefusalReason(StrEnum):
    """Why a body was refused."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    UNKNOWN_KEY = "unknown_key"
    MISSING_KEY = "missing_key"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    BAD_CLOCK = "bad_clock"
    BAD_FORMAT = "bad_format"
    BAD_LENGTH = "bad_length"
    UNEQUAL_LENGTHS = "unequal_lengths"
    CONTRADICTION = "contradiction"
    WRONG_DIRECTION = "wrong_direction"


class Refusal(Exception):  # noqa: N818 - an outcome with a name in the domain, not an accident
    """A body that is not what its channel carries.

    ``reason`` is for machines; ``detail`` names the place for a person. It is at most 160
    characters of printable ASCII, so it can be logged and stored as it is.
    """

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        """Keep ``detail`` harmless: escaped and cut."""
        self.reason = reason
        self.detail = detail.encode("unicode_escape").decode("ascii")[:_DETAIL_CHARS]
        super().__init__(f"{reason}: {self.detail}")


_TELEMETRY: Final = Channel.TELEMETRY
_MAX_BYTES: Final = contract.MAX_BODY_BYTES
_frame: Final[Callable[[bytes], contract.Telemetry]] = (
    contract.Telemetry.__pydantic_validator__.validate_json
)


def decode(channel: Channel, payload: bytes) -> contract.Uplink:
    """What a station said on ``channel``; raises ``Refusal`` and nothing else."""
    if channel is not _TELEMETRY:
        return cast("contract.Uplink", _decode(channel, payload, "up"))
    if len(payload) > _MAX_BYTES:
        raise _too_large(payload)
    try:
        frame = _frame(payload)
    except ValidationError as error:
        raise _refusal(channel, payload, error) from None
    # No value of a valid frame can hold a colon and every key is required, so one more
    # colon than keys is a key given twice (the parser keeps the last): 0.2 us, not 20.
    if payload.count(b":") != _TELEMETRY_KEYS:
        raise Refusal(RefusalReason.DUPLICATE_KEY, "a key is given twice")
    return frame


def decode_downlink(channel: Channel, payload: bytes) -> contract.Downlink:
    """What the backend said on ``channel``, for stations; raises ``Refusal`` and nothing else."""
    return cast("contract.Downlink", _decode(channel, payload, "down"))


def encode(message: contract.Uplink | contract.Downlink) -> bytes:
    """The body of ``message`` as it goes on the wire: compact UTF-8 JSON, keys in model order."""
    return message.__pydantic_serializer__.to_json(message)


def _decode(channel: Channel, payload: bytes, direction: contract.Direction) -> contract.Message:
    delivery = DELIVERY[channel]
    if delivery.direction != direction:
        raise Refusal(RefusalReason.WRONG_DIRECTION, f"{channel} is not for this side to send")
    if len(payload) > _MAX_BYTES:
        raise _too_large(payload)
    try:
        message = delivery.model.model_validate_json(payload)
    except ValidationError as error:
        raise _refusal(channel, payload, error) from None
    _refuse_duplicates(payload)
    return message


def _too_large(payload: bytes) -> Refusal:
    return Refusal(RefusalReason.TOO_LARGE, f"{len(payload)} bytes, at most {_MAX_BYTES}")


def _refuse_duplicates(payload: bytes) -> None:
    try:
        json.loads(payload, object_pairs_hook=_unique)
    except Refusal:
        raise
    except (ValueError, RecursionError) as error:
        raise Refusal(RefusalReason.NOT_JSON, str(error)) from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Refusal(RefusalReason.DUPLICATE_KEY, twice)
    return unique


_BY_TYPE: Final = {
    "missing": RefusalReason.MISSING_KEY,
    "extra_forbidden": RefusalReason.UNKNOWN_KEY,
    "finite_number": RefusalReason.NOT_FINITE,
    "greater_than": RefusalReason.OUT_OF_RANGE,
    "greater_than_equal": RefusalReason.OUT_OF_RANGE,
    "less_than": RefusalReason.OUT_OF_RANGE,
    "less_than_equal": RefusalReason.OUT_OF_RANGE,
    "enum": RefusalReason.BAD_FORMAT,
    "string_pattern_mismatch": RefusalReason.BAD_FORMAT,
    "string_too_long": RefusalReason.BAD_FORMAT,
    "string_too_short": RefusalReason.BAD_FORMAT,
    "too_long": RefusalReason.BAD_LENGTH,
    "too_short": RefusalReason.BAD_LENGTH,
}
_CLOCKS: Final = frozenset({"ts", "issued", "expires"})


def _refusal(channel: Channel, payload: bytes, error: ValidationError) -> Refusal:
    """The first thing that is wrong, in the order of the model's fields."""
    if error.error_count() > _MANY_ERRORS:  # a flood of unknown keys: listing them costs more
        return Refusal(RefusalReason.UNKNOWN_KEY, f"{error.error_count()} errors")
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return _unparsed(payload, first["msg"])
    place = ".".join(str(part) for part in first["loc"])
    return Refusal(_reason(channel, first), f"{place}: {first['msg']}" if place else first["msg"])


def _reason(channel: Channel, first: ErrorDetails) -> RefusalReason:
    kind = first["type"]
    if kind == "value_error":
        if channel is Channel.TELEMETRY:
            return RefusalReason.UNEQUAL_LENGTHS
        return RefusalReason.CONTRADICTION
    reason = _BY_TYPE.get(kind, RefusalReason.WRONG_TYPE)
    if reason is RefusalReason.OUT_OF_RANGE and first["loc"][0] in _CLOCKS:
        return RefusalReason.BAD_CLOCK
    return reason


def _unparsed(payload: bytes, message: str) -> Refusal:
    """Why the parser gave up; it tells only in words, and the golden vectors hold it to them."""
    if not payload:
        return Refusal(RefusalReason.EMPTY, "no body")
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError as error:
        return Refusal(RefusalReason.NOT_UTF8, f"{error.reason} at byte {error.start}")
    if "recursion limit" in message:
        return Refusal(RefusalReason.TOO_DEEP, message)
    if "number out of range" in message:
        return Refusal(RefusalReason.OUT_OF_RANGE, message)
    return Refusal(RefusalReason.NOT_JSON, message)
