"""What SMS and voice of Aliyun have in common: calling the official SDK, reading its errors.

The SDK reads its certificates anew for every request, 40 ms in which an event loop stands
still. So its coroutines run on loops of their own in a few threads, and the loop that cuts
power never waits for one.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import aiohttp
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException, ThrottlingException
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.exceptions import RetryError, UnretryableException
from darabonba.runtime import RuntimeOptions

from alerts.channels.codes import ALIYUN, explain, redacted
from alerts.channels.deadline import answered_within
from alerts.channels.port import Retryable, SendError, Throttled, Unknown
from alerts.channels.settings import AliyunSettings

OK: Final = "OK"
_THREADS: Final = 32
_ANSWERED = TypeVar("_ANSWERED")


class Account:
    """The settings as the SDK wants them, and its calls with our time-out and our errors."""

    def __init__(self, settings: AliyunSettings, endpoint: str) -> None:
        """``endpoint`` is the service's host, with its port where it is not the usual one."""
        key_id, secret = settings.access_key_id, settings.access_key_secret
        if key_id is None or secret is None:
            msg = "aliyun needs access_key_id and access_key_secret"
            raise ValueError(msg)
        self._secrets = (key_id.get_secret_value(), secret.get_secret_value())
        self._timeout_s = settings.timeout_s
        self._threads = ThreadPoolExecutor(_THREADS, "aliyun")
        self.config = Config(
            access_key_id=self._secrets[0],
            access_key_secret=self._secrets[1],
            region_id=settings.region,
            endpoint=endpoint,
            protocol=settings.scheme.upper(),
        )
        # A repeat by the SDK would be a second message: sending is not idempotent.
        self.runtime = RuntimeOptions(
            autoretry=False,
            connect_timeout=round(settings.timeout_s * 500),  # ms; half, so that it tells itself
            read_timeout=round(settings.timeout_s * 1_000),
        )

    async def ask(self, call: Callable[[], Coroutine[Any, Any, _ANSWERED]]) -> _ANSWERED:
        """The answer to ``call``, which has left once and was not repeated.

        Raises:
            SendError: there was none, or it was a refusal.

        """
        loop = asyncio.get_running_loop()
        async with answered_within(self._timeout_s):
            return await loop.run_in_executor(self._threads, self._asked, call)

    def verdict(self, code: str | None, message: str | None) -> SendError:
        """The error for a ``Code`` that is not ``OK``."""
        if not code:
            return Unknown("unreadable", "the answer has no Code")
        return explain(ALIYUN, code, message or "", self._secrets)

    def close(self) -> None:
        """Let the threads end; each does within its time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _asked(self, call: Callable[[], Coroutine[Any, Any, _ANSWERED]]) -> _ANSWERED:
        try:
            return asyncio.run(self._bounded(call))
        except (
            AlibabaCloudException,
            AttributeError,
            LookupError,
            TypeError,
            UnretryableException,
            ValueError,
        ) as error:
            raise self._translated(error) from None

    async def _bounded(self, call: Callable[[], Coroutine[Any, Any, _ANSWERED]]) -> _ANSWERED:
        async with answered_within(self._timeout_s):  # the thread must end, too
            return await call()

    def _translated(self, error: Exception) -> SendError:
        if isinstance(error, ThrottlingException):
            said = redacted(str(error.message), self._secrets)
            return Throttled(str(error.code), said, max(1.0, (error.retry_after or 0) / 1_000))
        if isinstance(error, AlibabaCloudException):
            code = str(error.code)
            return self.verdict("" if code == "None" else code, str(error.message))
        return _no_answer(getattr(error, "inner_exception", error))


def _no_answer(error: BaseException) -> SendError:
    cause = error.__context__ if isinstance(error, RetryError) else error
    kind = type(cause).__name__
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Retryable("unreachable", kind)
    if isinstance(cause, aiohttp.ClientError | OSError):
        return Unknown("no-answer", kind)
    return Unknown("unreadable", kind)  # something came back that is no answer of Aliyun's
