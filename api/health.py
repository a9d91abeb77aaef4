"""Whether the backend does its work: the age of the last processed message per lane.

A connection that says it is up proves nothing, so nothing here asks a connection. A lane is
healthy when a message (at least its own loop-back probe, every 5 s) went all the way through
it lately. All times are milliseconds of one clock that never jumps (monotonic); the caller
passes them in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from alerts.watch.marks import JUMP_MS
from api.job_health import JobAge, JobHealth

SILENCE_MS: Final = 10_000
"""A lane with no processed message for longer than this is red, and SQL with no answer too."""
DRAIN_LATE_MS: Final = 60_000
"""Frames that wait longer than this for the telemetry store are reported; the alarm path is not
touched by them, so readiness stays."""
JOURNAL_FULL: Final = 0.9
"""Share of the journal's bound above which the backend is red: beyond it frames would be lost."""


class Trouble(StrEnum):
    """Why a verdict is not clean; also the label in texts and metrics."""

    LANE_SILENT = "lane_silent"
    SQL_DOWN = "sql_down"
    SQL_UNKNOWN = "sql_unknown"
    DRAIN_LATE = "drain_late"
    JOURNAL_FULL = "journal_full"
    JOB_FAILED = "job_failed"
    JOB_LATE = "job_late"
    UNRECORDABLE = "unrecordable"  # SQL refuses for good what people should act on
    REPLAY_SKIPPED = "replay_skipped"  # the state was restored without some journal records
    CLOCK_JUMP = "clock_jump"  # the wall clock was set; we do not follow it while running


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is wrong: ``subject`` is a lane, store or job, ``age_ms`` how long already."""

    trouble: Trouble
    subject: str
    red: bool
    age_ms: int | None


@dataclass(frozen=True, slots=True)
class Lane:
    """Age of the last message a lane processed, in milliseconds; of the start if there was none."""

    lane: str
    age_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Ready unless a red reason stands; reasons that are not red are for people to read."""

    reasons: tuple[Reason, ...]
    lanes: tuple[Lane, ...]
    drain_frames: int
    drain_age_ms: int
    jobs: tuple[JobAge, ...] = ()
    unrecordable: int = 0  # records that SQL has refused for good since the start
    replay_skipped: int = 0  # journal records that the start could not take in
    jump_ms: int = 0  # how far the wall clock is ahead of ours

    @property
    def ready(self) -> bool:
        """Derived from the reasons, never set."""
        return not any(reason.red for reason in self.reasons)


class Health:
    """Collects reports of progress and judges them when asked; never reads a clock."""

    def __init__(
        self, lanes: Iterable[str], started_ms: int, *, silence_ms: int = SILENCE_MS
    ) -> None:
        """Every lane counts as processed at ``started_ms``, so the first 10 s are not red."""
        self._silence_ms = silence_ms
        self._last = dict.fromkeys(lanes, started_ms)
        self._sql_asked_ms = started_ms
        self._sql_down_since_ms: int | None = None
        self._drain_frames = 0
        self._drain_oldest_ms: int | None = None
        self._journal_share = 0.0
        self._unrecordable = 0
        self._replay_skipped = 0
        self._jump_ms = 0
        self.jobs = JobHealth()

    def processed(self, lane: str, now_ms: int) -> None:
        """A message of ``lane`` went all the way: decoded, judged, committed. O(1)."""
        if lane not in self._last:
            msg = f"unknown lane {lane!r}"
            raise KeyError(msg)
        self._last[lane] = now_ms

    def sql(self, *, reachable: bool, now_ms: int) -> None:
        """The database answered, or did not, to a question asked at ``now_ms``."""
        self._sql_asked_ms = now_ms
        if reachable:
            self._sql_down_since_ms = None
        elif self._sql_down_since_ms is None:
            self._sql_down_since_ms = now_ms

    def drain(self, *, frames: int, oldest_ms: int | None, journal_share: float) -> None:
        """What waits for the telemetry store.

        ``frames`` wait, the oldest since ``oldest_ms`` (None when nothing waits), and the journal
        has used ``journal_share`` (0 to 1) of its bound on disk.
        """
        self._drain_frames = frames
        self._drain_oldest_ms = oldest_ms
        self._journal_share = journal_share

    def unrecordable(self, records: int) -> None:
        """``records`` have been refused by SQL for good since the start."""
        self._unrecordable = records

    def replay_skipped(self, records: int) -> None:
        """The start could not take in ``records`` of the journal."""
        self._replay_skipped = records

    def clock(self, jump_ms: int) -> None:
        """The wall clock is ``jump_ms`` ahead of ours (negative: behind)."""
        self._jump_ms = jump_ms

    def verdict(self, now_ms: int) -> Verdict:
        """What is wrong at ``now_ms``; reasons come in the order lanes, SQL, drain, the rest."""
        lanes = tuple(Lane(lane, max(0, now_ms - last)) for lane, last in self._last.items())
        waiting = self._drain_oldest_ms
        drain_age_ms = 0 if waiting is None else max(0, now_ms - waiting)
        reasons = [
            Reason(Trouble.LANE_SILENT, lane.lane, red=True, age_ms=lane.age_ms)
            for lane in lanes
            if lane.age_ms > self._silence_ms
        ]
        reasons += self._sql_reasons(now_ms)
        if drain_age_ms > DRAIN_LATE_MS:
            reasons.append(Reason(Trouble.DRAIN_LATE, "telemetry", red=False, age_ms=drain_age_ms))
        if self._journal_share > JOURNAL_FULL:
            reasons.append(Reason(Trouble.JOURNAL_FULL, "journal", red=True, age_ms=None))
        jobs = self.jobs.ages(now_ms)
        reasons += _job_reasons(jobs)
        reasons += self._lasting_reasons()
        return Verdict(
            tuple(reasons),
            lanes,
            self._drain_frames,
            drain_age_ms,
            jobs,
            self._unrecordable,
            self._replay_skipped,
            self._jump_ms,
        )

    def _sql_reasons(self, now_ms: int) -> list[Reason]:
        if self._sql_down_since_ms is not None:
            down_ms = max(0, now_ms - self._sql_down_since_ms)
            return [Reason(Trouble.SQL_DOWN, "sql", red=True, age_ms=down_ms)]
        asked_ms = max(0, now_ms - self._sql_asked_ms)
        if asked_ms > self._silence_ms:
            return [Reason(Trouble.SQL_UNKNOWN, "sql", red=True, age_ms=asked_ms)]
        return []

    def _lasting_reasons(self) -> list[Reason]:
        """What no later success makes good: it stands until the next start.

        A clock that was set is no reason to be red: deadlines are kept without it.
        """
        found = (
            (self._unrecordable > 0, Reason(Trouble.UNRECORDABLE, "sql", red=True, age_ms=None)),
            (
                self._replay_skipped > 0,
                Reason(Trouble.REPLAY_SKIPPED, "journal", red=False, age_ms=None),
            ),
            (
                abs(self._jump_ms) > JUMP_MS,
                Reason(Trouble.CLOCK_JUMP, "clock", red=False, age_ms=None),
            ),
        )
        return [reason for stands, reason in found if stands]


def _job_reasons(jobs: Iterable[JobAge]) -> list[Reason]:
    return [
        Reason(
            Trouble.JOB_FAILED if job.failed else Trouble.JOB_LATE,
            job.job,
            red=job.vital,
            age_ms=job.age_ms,
        )
        for job in jobs
        if job.failed or job.late
    ]
