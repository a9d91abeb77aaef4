"""What an HTTP answer of InfluxDB 2 means for us. Pure, and without anything secret."""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import orjson

from iot.store import StoreError, StoreRefused, StoreUnavailable

_CONTENT: Final = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
_EXPIRED: Final = re.compile(r"beyond retention policy(?:.*dropped=(\d+))?")


class LinesRefused(StoreError):  # noqa: N818 - the type is the sentence: a smaller request may pass
    """InfluxDB refused a request for what is in it."""

    def expired(self, sent: int) -> int | None:
        """How many of ``sent`` points were only too old for the bucket; None for other reasons."""
        found = _EXPIRED.search(str(self))
        return int(found[1] or sent) if found else None


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that is no success; ``retry_after`` and ``date`` are its headers."""

    status: int
    body: bytes
    retry_after: str = ""
    date: str = ""

    @property
    def message(self) -> str:
        """The ``message`` of InfluxDB's JSON error, else the beginning of whatever it said."""
        try:
            return str(orjson.loads(self.body)["message"])[:500]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return self.body[:200].decode("utf-8", "replace")

    @property
    def retry_after_s(self) -> float | None:
        """Seconds until it wants to be asked again: a number, or a date beside its own date."""
        try:
            return max(float(self.retry_after), 0.0)
        except ValueError:
            pass
        try:
            then, now = (parsedate_to_datetime(text) for text in (self.retry_after, self.date))
        except ValueError:
            return None
        return max((then - now).total_seconds(), 0.0)


def explain(answer: Answer, where: str) -> StoreError:
    """The error to raise; ``where`` names the server, organisation and bucket."""
    status, said = answer.status, answer.message
    if status in _CONTENT:
        return LinesRefused(f"{status}: {said}")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return StoreRefused(
            f"InfluxDB refuses the token ({status}): it must be allowed to read, write and"
            f" delete in {where}"
        )
    if status == HTTPStatus.NOT_FOUND:
        return StoreRefused(f"InfluxDB does not know {where} ({status}: {said})")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return StoreUnavailable(f"InfluxDB is busy ({status}: {said})", answer.retry_after_s)
    return StoreRefused(f"InfluxDB answers {status} for {where}: {said}")
