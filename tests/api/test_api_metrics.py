"""Metrics: what stages report is what Prometheus reads."""

from prometheus_client.parser import text_string_to_metric_families

from alerts.watch.auditor import Broken, Invariant
from alerts.watch.canary_runs import Standing
from alerts.watch.heartbeat import Beat
from api.health import Health
from api.metrics import Metrics


def samples(metrics: Metrics, health: Health, now_ms: int = 0) -> dict[str, float]:
    """Every sample that is not a bucket or a time stamp, by name and labels."""
    text = metrics.render(health.verdict(now_ms)).decode()
    return {
        sample.name + "".join(f"|{k}={v}" for k, v in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }


def test_reports_are_rendered_whole() -> None:
    """Each report of a stage shows up under its name and labels, and nothing else is labelled."""
    metrics = Metrics()
    metrics.accepted("telemetry", 12)
    metrics.refused("telemetry", "invalid")
    metrics.duplicates("safety", 2)
    metrics.late(3)
    metrics.batch("telemetry", 15)
    metrics.turn(0.5)
    metrics.cut_reaction(0.25)
    metrics.command("cut", "proven")
    metrics.finding("R02", "raised")
    metrics.quarantined(1)
    metrics.sse_clients(4)
    metrics.sse_dropped()
    metrics.job_failed("tick")
    metrics.http("GET", "/api/v1/stations", 200, 0.002)
    stuck = [Broken(Invariant.MESSAGE_STUCK, f"m{n}", 0) for n in range(2)]
    metrics.watch.audited(stuck)
    metrics.watch.beat(Beat.WITHHELD)
    metrics.watch.canary_ended("late")
    metrics.watch.canary(Standing(0.75, 40_000, 1), 100_000)
    metrics.watch.direct(2)
    health = Health(("safety", "telemetry"), 0)
    health.processed("telemetry", 6_000)
    health.jobs.planned("tick", 0.5, 5_000, vital=True)
    health.unrecordable(2)
    health.replay_skipped(1)
    health.clock(-3_500)
    health.drain(frames=7, oldest_ms=4_000, journal_share=0.0)
    assert samples(metrics, health, 8_000) == {
        "chargeward_frames_accepted_total|lane=telemetry": 12,
        "chargeward_frames_refused_total|lane=telemetry|reason=invalid": 1,
        "chargeward_frames_duplicate_total|lane=safety": 2,
        "chargeward_frames_late_total": 3,
        "chargeward_batch_frames_count|lane=telemetry": 1,
        "chargeward_batch_frames_sum|lane=telemetry": 15,
        "chargeward_turn_seconds_count": 1,
        "chargeward_turn_seconds_sum": 0.5,
        "chargeward_cut_reaction_seconds_count": 1,
        "chargeward_cut_reaction_seconds_sum": 0.25,
        "chargeward_commands_total|action=cut|outcome=proven": 1,
        "chargeward_findings_total|change=raised|rule=R02": 1,
        "chargeward_quarantine_messages": 1,
        "chargeward_sse_clients": 4,
        "chargeward_sse_clients_dropped_total": 1,
        "chargeward_ready": 0,
        "chargeward_lane_age_seconds|lane=safety": 8,
        "chargeward_lane_age_seconds|lane=telemetry": 2,
        "chargeward_drain_lag_frames": 7,
        "chargeward_drain_lag_seconds": 4,
        "chargeward_job_failures_total|job=tick": 1,
        "chargeward_job_success_age_seconds|job=tick": 3,
        "chargeward_records_unrecordable": 2,
        "chargeward_journal_records_skipped": 1,
        "chargeward_clock_jump_seconds": -3.5,
        "chargeward_auditor_broken|invariant=no_incident": 0,
        "chargeward_auditor_broken|invariant=step_overdue": 0,
        "chargeward_auditor_broken|invariant=message_stuck": 2,
        "chargeward_auditor_broken|invariant=order_stuck": 0,
        "chargeward_auditor_broken|invariant=nobody_told": 0,
        "chargeward_auditor_broken|invariant=audit_broken": 0,
        "chargeward_heartbeats_total|outcome=withheld": 1,
        "chargeward_canary_runs_total|outcome=late": 1,
        "chargeward_alarm_path_availability|path=canary": 0.75,
        "chargeward_canary_success_age_seconds|path=canary": 60,
        "chargeward_direct_messages_total": 2,
        "chargeward_http_requests_total|method=GET|route=/api/v1/stations|status=200": 1,
        "chargeward_http_request_seconds_count": 1,
        "chargeward_http_request_seconds_sum": 0.002,
    }


def test_two_instances_share_nothing() -> None:
    """There is no global registry: a second backend in one process starts at zero."""
    first, second = Metrics(), Metrics()
    first.late(5)
    assert samples(second, Health((), 0))["chargeward_frames_late_total"] == 0


def test_not_ready_is_a_zero() -> None:
    """The verdict that /readyz gives is also a series to alert on."""
    assert samples(Metrics(), Health(("safety",), 0), 10_001)["chargeward_ready"] == 0
