"""The providers' limits per number, as they publish them. Windows roll; nothing resets at night."""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from simulators.sms.model import Flaw, Refusal, Service, Submission

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``permits`` in any ``window_ms`` of what has the same ``key``."""

    level: str
    permits: int
    window_ms: int
    key: Callable[[Submission, str], Hashable]


def _template(submission: Submission, phone: str) -> Hashable:
    return submission.signature, submission.template, phone


def _phone(submission: Submission, phone: str) -> Hashable:
    del submission
    return phone


def _content(submission: Submission, phone: str) -> Hashable:
    return submission.template, tuple(sorted(submission.params.items())), phone


LIMITS: Final = {
    Service.ALIYUN_SMS: (Limit("day", 50, _DAY_MS, _template),),
    Service.ALIYUN_VOICE: (
        Limit("minute", 1, _MINUTE_MS, _phone),
        Limit("hour", 5, _HOUR_MS, _phone),
        Limit("day", 20, _DAY_MS, _phone),
    ),
    Service.TENCENT_SMS: (
        Limit("thirty_seconds", 1, 30_000, _content),
        Limit("day", 10, _DAY_MS, _phone),
    ),
}


class LimitBook:
    """What was submitted lately. Counted when it is accepted, delivered or not."""

    def __init__(self) -> None:
        """Nothing was."""
        self._times: dict[tuple[Service, str, Hashable], deque[int]] = {}

    def check(self, submission: Submission, phone: str, now_ms: int) -> Refusal | None:
        """The limit that forbids it, or None; then it counts."""
        limits = LIMITS[submission.service]
        windows = [self._window(submission, phone, limit, now_ms) for limit in limits]
        for limit, window in zip(limits, windows, strict=True):
            if len(window) >= limit.permits:
                return Refusal(Flaw.LIMIT, limit.level, limit.permits)
        for window in windows:
            window.append(now_ms)
        return None

    def _window(self, submission: Submission, phone: str, limit: Limit, now_ms: int) -> deque[int]:
        key = (submission.service, limit.level, limit.key(submission, phone))
        window = self._times.setdefault(key, deque())
        while window and window[0] <= now_ms - limit.window_ms:
            window.popleft()
        return window
