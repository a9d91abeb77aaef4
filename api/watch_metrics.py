"""Counters of the watch over the watcher, in the registry of ``api.metrics``."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from alerts.watch.auditor import Broken, Invariant
from alerts.watch.canary_runs import Standing
from alerts.watch.heartbeat import Beat


class WatchMetrics:
    """Series of the auditor, the canary, the heartbeat and the direct line."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """All series start at zero; availability and age exist once there is a run."""
        self._broken = Gauge(
            "chargeward_auditor_broken",
            "Things of which an invariant does not hold",
            ["invariant"],
            registry=registry,
        )
        for invariant in Invariant:
            self._broken.labels(invariant.value).set(0)
        self._beats = Counter(
            "chargeward_heartbeats",
            "Outward heartbeats: sent, withheld for a fault of ours, failed on the way",
            ["outcome"],
            registry=registry,
        )
        self._runs = Counter(
            "chargeward_canary_runs", "Ended runs of the canary", ["outcome"], registry=registry
        )
        self._availability = Gauge(
            "chargeward_alarm_path_availability",
            "Share of the canary's runs of 24 hours that reached their recipient in time",
            ["path"],
            registry=registry,
        )
        self._success_age = Gauge(
            "chargeward_canary_success_age_seconds",
            "Time since the canary last reached its recipient in time",
            ["path"],
            registry=registry,
        )
        self._direct = Counter(
            "chargeward_direct_messages",
            "Messages that went to people past SQL",
            registry=registry,
        )

    def audited(self, broken: Iterable[Broken]) -> None:
        """What the auditor found, all of it."""
        found = [one.name for one in broken]
        for invariant in Invariant:
            self._broken.labels(invariant.value).set(found.count(invariant))

    def beat(self, beat: Beat) -> None:
        """One heartbeat."""
        self._beats.labels(beat.value).inc()

    def canary_ended(self, outcome: str) -> None:
        """One run of the canary; ``outcome`` is a member of its enum."""
        self._runs.labels(outcome).inc()

    def canary(self, standing: Standing, now_ms: int) -> None:
        """How the alarm path has done."""
        if standing.availability is not None:
            self._availability.labels("canary").set(standing.availability)
        if standing.last_success_ms is not None:
            age_ms = now_ms - standing.last_success_ms
            self._success_age.labels("canary").set(max(0, age_ms) / 1000)

    def direct(self, messages: int) -> None:
        """Messages that were taken past SQL."""
        self._direct.inc(messages)
