"""What Prometheus can ask about the product.

No series per socket or station: the number of series must not grow with the fleet.
One instance is made at start-up and passed to the stages; there is no global registry.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from api.health import Verdict
from api.watch_metrics import WatchMetrics

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_BATCH: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_TURN_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)
_REACTION_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 3, 10)
_TOLD_S: Final = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 90, 300, 1800)
_HTTP_S: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2)


class Metrics:
    """The product's counters; every method is O(1) and safe in the hot path."""

    def __init__(self) -> None:
        """All series start at zero in a registry of their own."""
        self._registry = registry = CollectorRegistry(auto_describe=True)
        self._accepted = Counter(
            "chargeward_frames_accepted", "Frames and facts accepted", ["lane"], registry=registry
        )
        self._refused = Counter(
            "chargeward_frames_refused",
            "Messages refused and put into quarantine",
            ["lane", "reason"],
            registry=registry,
        )
        self._duplicates = Counter(
            "chargeward_frames_duplicate",
            "Messages seen before, by (station, boot, seq)",
            ["lane"],
            registry=registry,
        )
        self._late = Counter(
            "chargeward_frames_late",
            "Frames older than one already judged: stored, but they raise and clear nothing",
            registry=registry,
        )
        self._batch = Histogram(
            "chargeward_batch_frames",
            "Messages in one natural batch",
            ["lane"],
            buckets=_BATCH,
            registry=registry,
        )
        self._turn = Histogram(
            "chargeward_turn_seconds",
            "One turn: admitted batch to published cuts",
            buckets=_TURN_S,
            registry=registry,
        )
        self._reaction = Histogram(
            "chargeward_cut_reaction_seconds",
            "Arrival of the hot frame to the published cut",
            buckets=_REACTION_S,
            registry=registry,
        )
        self._commands = Counter(
            "chargeward_commands",
            "Commands by what became of them",
            ["action", "outcome"],
            registry=registry,
        )
        self._findings = Counter(
            "chargeward_findings", "Transitions of findings", ["rule", "change"], registry=registry
        )
        self._tried = Counter(
            "chargeward_message_attempts",
            "Messages handed to providers",
            ["channel", "provider", "outcome"],
            registry=registry,
        )
        self._messages = Counter(
            "chargeward_messages",
            "Messages by what became of them",
            ["kind", "channel", "state"],
            registry=registry,
        )
        self._told = Histogram(
            "chargeward_message_accepted_seconds",
            "What it tells was recorded to the provider's acceptance",
            ["kind"],
            buckets=_TOLD_S,
            registry=registry,
        )
        self._part_failures = Gauge(
            "chargeward_part_failures",
            "What broke inside a part since the start and was done otherwise or again",
            ["part"],
            registry=registry,
        )
        self._missed = Counter(
            "chargeward_deadlines_missed",
            "Deadlines of incidents that passed, by which one",
            ["deadline"],
            registry=registry,
        )
        self._quarantined = Gauge(
            "chargeward_quarantine_messages", "Refused messages kept", registry=registry
        )
        self._sse_clients = Gauge(
            "chargeward_sse_clients", "Listeners of live events", registry=registry
        )
        self._sse_dropped = Counter(
            "chargeward_sse_clients_dropped",
            "Listeners dropped because they were too slow",
            registry=registry,
        )
        self._ready = Gauge("chargeward_ready", "1 when /readyz is green", registry=registry)
        self._lane_age = Gauge(
            "chargeward_lane_age_seconds",
            "Age of the last processed message",
            ["lane"],
            registry=registry,
        )
        self._drain_frames = Gauge(
            "chargeward_drain_lag_frames", "Frames that wait for the store", registry=registry
        )
        self._drain_age = Gauge(
            "chargeward_drain_lag_seconds", "Age of the oldest frame that waits", registry=registry
        )
        self._callbacks = Counter(
            "chargeward_callbacks",
            "Receipts, replies and call results by what became of them",
            ["service", "outcome"],
            registry=registry,
        )
        self._callbacks_refused = Counter(
            "chargeward_callbacks_refused",
            "Call-backs, or items of one, that were not taken",
            ["service", "reason"],
            registry=registry,
        )
        self._job_failures = Counter(
            "chargeward_job_failures", "Periodic jobs that raised", ["job"], registry=registry
        )
        self._job_age = Gauge(
            "chargeward_job_success_age_seconds",
            "Time since a periodic job last ended well",
            ["job"],
            registry=registry,
        )
        self._unrecordable = Gauge(
            "chargeward_records_unrecordable",
            "Records that SQL has refused for good since the start",
            registry=registry,
        )
        self._replay_skipped = Gauge(
            "chargeward_journal_records_skipped",
            "Journal records that the start could not take in",
            registry=registry,
        )
        self._jump = Gauge(
            "chargeward_clock_jump_seconds",
            "How far the wall clock is ahead of ours",
            registry=registry,
        )
        self._http = Counter(
            "chargeward_http_requests",
            "HTTP answers by route template",
            ["method", "route", "status"],
            registry=registry,
        )
        self._http_time = Histogram(
            "chargeward_http_request_seconds",
            "Time to the first byte of the answer",
            buckets=_HTTP_S,
            registry=registry,
        )

        self.watch = WatchMetrics(registry)

    def accepted(self, lane: str, messages: int) -> None:
        """``messages`` of one batch passed admission."""
        self._accepted.labels(lane).inc(messages)

    def refused(self, lane: str, reason: str) -> None:
        """One message was refused; ``reason`` is a member of an enum, never free text."""
        self._refused.labels(lane, reason).inc()

    def duplicates(self, lane: str, messages: int) -> None:
        """``messages`` had been seen before."""
        self._duplicates.labels(lane).inc(messages)

    def late(self, frames: int) -> None:
        """``frames`` came after newer ones of their station."""
        self._late.inc(frames)

    def batch(self, lane: str, messages: int) -> None:
        """One natural batch held ``messages``."""
        self._batch.labels(lane).observe(messages)

    def turn(self, seconds: float) -> None:
        """One turn of the rules took ``seconds``."""
        self._turn.observe(seconds)

    def cut_reaction(self, seconds: float) -> None:
        """From the arrival of the frame to the published cut."""
        self._reaction.observe(seconds)

    def part_failures(self, part: str, failures: int) -> None:
        """How often ``part`` (a member of a fixed set) broke since the start."""
        self._part_failures.labels(part).set(failures)

    def deadline_missed(self, deadline: str) -> None:
        """People did not acknowledge, arrive or report in time."""
        self._missed.labels(deadline).inc()

    def message_tried(self, channel: str, provider: str, outcome: str) -> None:
        """A provider was handed a message; ``outcome`` is a member of a fixed set."""
        self._tried.labels(channel, provider, outcome).inc()

    def message_ended(self, kind: str, channel: str, state: str, seconds: float) -> None:
        """A message was accepted or given up, ``seconds`` after what it tells was recorded."""
        self._messages.labels(kind, channel, state).inc()
        self._told.labels(kind).observe(seconds)

    def command(self, action: str, outcome: str) -> None:
        """A command reached ``outcome`` (a member of its state enum)."""
        self._commands.labels(action, outcome).inc()

    def finding(self, rule: str, change: str) -> None:
        """A finding of ``rule`` was raised, updated or cleared."""
        self._findings.labels(rule, change).inc()

    def quarantined(self, kept: int) -> None:
        """How many refused messages are kept now."""
        self._quarantined.set(kept)

    def sse_clients(self, listening: int) -> None:
        """How many listeners the live stream has now."""
        self._sse_clients.set(listening)

    def sse_dropped(self) -> None:
        """A listener was dropped because it did not read fast enough."""
        self._sse_dropped.inc()

    def callback(self, service: str, outcome: str) -> None:
        """One receipt, reply or call result reached ``outcome``, a member of a fixed set."""
        self._callbacks.labels(service, outcome).inc()

    def callback_refused(self, service: str, reason: str) -> None:
        """A call-back, or one item of it, was refused; ``reason`` is a member of an enum."""
        self._callbacks_refused.labels(service, reason).inc()

    def job_failed(self, job: str) -> None:
        """A periodic job raised."""
        self._job_failures.labels(job).inc()

    def http(self, method: str, route: str, status: int, seconds: float) -> None:
        """One HTTP answer; ``route`` is the template, never the path a client sent."""
        self._http.labels(method, route, str(status)).inc()
        self._http_time.observe(seconds)

    def render(self, verdict: Verdict) -> bytes:
        """The text exposition, with health as of ``verdict``."""
        self._ready.set(1 if verdict.ready else 0)
        for lane in verdict.lanes:
            self._lane_age.labels(lane.lane).set(lane.age_ms / 1000)
        self._drain_frames.set(verdict.drain_frames)
        self._drain_age.set(verdict.drain_age_ms / 1000)
        for job in verdict.jobs:
            self._job_age.labels(job.job).set(job.age_ms / 1000)
        self._unrecordable.set(verdict.unrecordable)
        self._replay_skipped.set(verdict.replay_skipped)
        self._jump.set(verdict.jump_ms / 1000)
        return generate_latest(self._registry)
