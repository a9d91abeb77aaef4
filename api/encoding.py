"""JSON as the API writes it, in answers and in live events alike."""

from typing import Any

import orjson
from pydantic import BaseModel


def encode(view: object) -> bytes:
    """JSON of dataclasses, models, NumPy arrays and plain values; NaN becomes null.

    TypeError for anything else.
    """
    return orjson.dumps(view, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError
