"""Golden vectors: what the contract accepts and, to the reason, what it refuses."""

import json
from pathlib import Path

import jsonschema
import pytest

from iot import asyncapi, contract
from iot.codec import Refusal, RefusalReason, decode, decode_downlink, encode
from iot.topics import DELIVERY, Channel
from tests.contract.golden import VECTORS, Vector, vectors

CONTRACT = Path(__file__).parents[2] / "docs" / "contract"
IN_NO_SCHEMA = {  # JSON Schema knows no difference between 1.0 and 1
    "telemetry-seq-float",
    "telemetry-contact-float",
    # and this validator's "$" also matches before a final newline
    "telemetry-boot-newline",
}


def receive(channel: Channel, body: bytes) -> contract.Uplink | contract.Downlink:
    """Decode as the side that receives this channel does."""
    if DELIVERY[channel].direction == "up":
        return decode(channel, body)
    return decode_downlink(channel, body)


@pytest.mark.parametrize("vector", vectors("valid"), ids=str)
def test_a_valid_vector_survives_the_way_there_and_back(vector: Vector) -> None:
    """It decodes to its channel's model, and what is encoded from that decodes to the same."""
    message = receive(vector.channel, vector.body)
    assert type(message) is DELIVERY[vector.channel].model
    assert receive(vector.channel, encode(message)) == message
    assert json.loads(encode(message)) == json.loads(vector.body)


@pytest.mark.parametrize("vector", vectors("invalid"), ids=str)
def test_an_invalid_vector_is_refused_for_its_reason(vector: Vector) -> None:
    """The reason is the one in the index, and the detail is safe to log."""
    with pytest.raises(Refusal) as refused:
        receive(vector.channel, vector.body)
    assert refused.value.reason == vector.reason
    assert refused.value.detail.isascii()
    assert refused.value.detail.isprintable()
    assert len(refused.value.detail) <= 160


def test_every_file_is_in_the_index_and_every_reason_has_a_vector() -> None:
    """No vector is forgotten; only sizes, which the tests make, and directions have no file."""
    listed = {v.file for kind in ("valid", "invalid") for v in vectors(kind)}
    present = {str(p.relative_to(VECTORS)) for p in VECTORS.glob("*/*")}
    assert listed == present
    shown = {v.reason for v in vectors("invalid")}
    assert set(RefusalReason) - shown == {RefusalReason.TOO_LARGE, RefusalReason.WRONG_DIRECTION}
    assert {v.channel for v in vectors("valid")} == set(Channel)


@pytest.mark.parametrize("vector", vectors("valid"), ids=str)
def test_the_published_schema_accepts_what_the_codec_accepts(vector: Vector) -> None:
    """A firmware team that validates against the checked-in schema is never misled."""
    jsonschema.validate(json.loads(vector.body), published(vector.channel))


EXPRESSIBLE = {
    RefusalReason.UNKNOWN_KEY,
    RefusalReason.MISSING_KEY,
    RefusalReason.WRONG_TYPE,
    RefusalReason.OUT_OF_RANGE,
    RefusalReason.BAD_CLOCK,
    RefusalReason.BAD_FORMAT,
    RefusalReason.BAD_LENGTH,
}


@pytest.mark.parametrize(
    "vector",
    [
        v
        for v in vectors("invalid")
        if v.reason in EXPRESSIBLE
        and str(v) not in IN_NO_SCHEMA
        and b"NaN" not in v.body
        and "5000" not in v.file  # the standard library converts no such integer
    ],
    ids=str,
)
def test_the_published_schema_refuses_what_it_can_express(vector: Vector) -> None:
    """Types, bounds, formats and keys are in the schema, not only in our code."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(vector.body), published(vector.channel))


def published(channel: Channel) -> asyncapi.Json:
    """The checked-in schema of a channel."""
    text = (CONTRACT / "schemas" / f"{channel}.json").read_text(encoding="utf-8")
    schema: asyncapi.Json = json.loads(text)
    return schema
