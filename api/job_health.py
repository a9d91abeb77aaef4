"""Whether periodic jobs do their work: each must end well, again and again.

Pure: jobs report, and whoever asks gives the time (milliseconds of a clock that never jumps).
"""

from dataclasses import dataclass
from typing import Final

LATE_PERIODS: Final = 3
LATE_MS: Final = 30_000
"""A job is late when its last good end is older than three periods, and than this."""


@dataclass(frozen=True, slots=True)
class JobAge:
    """One job at one instant; ``age_ms`` counts from its last good end, or from the start."""

    job: str
    age_ms: int
    failed: bool  # its last run raised
    late: bool  # it has not ended well for too long
    vital: bool  # the alarm path needs it


@dataclass(slots=True)
class _Job:
    period_ms: int
    vital: bool
    good_ms: int
    failed: bool = False


class JobHealth:
    """Collects how jobs ended."""

    def __init__(self) -> None:
        """No job is planned."""
        self._jobs: dict[str, _Job] = {}

    def planned(self, job: str, period_s: float, now_ms: int, *, vital: bool) -> None:
        """``job`` is to run each ``period_s`` seconds from now on."""
        self._jobs[job] = _Job(round(period_s * 1000), vital, now_ms)

    def ended(self, job: str, now_ms: int) -> None:
        """It ended well."""
        known = self._jobs[job]
        known.good_ms, known.failed = now_ms, False

    def failed(self, job: str) -> None:
        """It raised."""
        self._jobs[job].failed = True

    def ages(self, now_ms: int) -> tuple[JobAge, ...]:
        """All jobs, in the order in which they were planned."""
        return tuple(_age(name, job, now_ms) for name, job in self._jobs.items())


def _age(name: str, job: _Job, now_ms: int) -> JobAge:
    age_ms = max(0, now_ms - job.good_ms)
    late = age_ms > max(LATE_PERIODS * job.period_ms, LATE_MS)
    return JobAge(name, age_ms, job.failed, late, job.vital)
