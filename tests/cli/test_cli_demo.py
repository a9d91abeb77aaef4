"""``chargeward demo --json`` as a script uses it: one object on standard output."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest


def demo(*arguments: str) -> dict[str, Any]:
    """Run the command; its standard output must be one JSON object and nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "api.cli.main", "demo", "--json", *arguments],
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def places(entries: list[dict[str, Any]]) -> set[tuple[str, int | None]]:
    """Station and socket of each entry."""
    return {(entry["station"], entry["socket"]) for entry in entries}


def check_overheating(story: dict[str, Any]) -> None:
    """Exactly one socket is flagged, cut, proven and locked; what must be refused was."""
    (place,) = places(story["findings"])
    assert place[1] is not None
    assert [(c["station"], c["socket"], c["rule"], c["outcome"]) for c in story["cuts"]] == [
        (*place, "R02", "proven")
    ]
    assert story["cuts"][0]["reaction_ms"] >= 0
    assert places(story["lockouts"]) == {place}
    assert len(story["lockouts"]) == 1
    hot = next(f for f in story["findings"] if f["rule"] == "R02")
    assert (hot["family"], hot["severity"], hot["reason"]) == ("alarm", "critical", "socket_hot")
    assert hot["evidence"]["peak_c"] >= hot["evidence"]["limit_c"] == 80.0
    assert {(a["what"], a["refused"]) for a in story["attempts"]} == {
        ("release_without_reason", True),
        ("restart", True),
    }
    assert len(story["stations"]) == 16
    assert story["frames"] > 16


def test_an_overheating_contact_in_virtual_time() -> None:
    """The story of one bad contact, five minutes of it."""
    check_overheating(demo("--scenario", "overheating", "--seed", "7", "--virtual", "5m"))


def test_an_overheating_contact_in_real_time_over_a_broker() -> None:
    """The same over the embedded broker, as long as it takes."""
    check_overheating(demo("--scenario", "overheating", "--seed", "7", "--for", "50"))


def test_a_welded_relay_ends_in_a_station_cut() -> None:
    """The cut cannot be proven: R40, and the station is off within fifteen seconds."""
    story = demo("--scenario", "welded-relay", "--seed", "3", "--virtual", "10m")
    socket_cut, station_cut = story["cuts"]
    assert (socket_cut["outcome"], socket_cut["sends"]) == ("failed", 3)
    assert (station_cut["rule"], station_cut["socket"]) == ("R40", None)
    assert station_cut["outcome"] == "proven"
    assert station_cut["proven_s"] - socket_cut["ordered_s"] <= 15
    rules = {(f["rule"], f["station"], f["socket"]) for f in story["findings"]}
    assert ("R40", socket_cut["station"], socket_cut["socket"]) in rules
    assert {(lock["station"], lock["socket"]) for lock in story["lockouts"]} == {
        (socket_cut["station"], socket_cut["socket"]),
        (socket_cut["station"], None),
    }


def test_a_healthy_day_is_quiet() -> None:
    """Charges start, taper and end; nothing above info, every cut proven, nothing locked."""
    story = demo("--scenario", "healthy", "--seed", "1", "--virtual", "8h")
    assert {f["severity"] for f in story["findings"]} == {"info"}
    assert {f["rule"] for f in story["findings"]} == {"R20", "R21"}
    assert Counter(c["outcome"] for c in story["cuts"]) == {"proven": len(story["cuts"])}
    assert story["lockouts"] == []
    assert story["sessions"]["started"] > story["sessions"]["tapered"] > 50
    assert story["sessions"]["ended"] > 50


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "10", "--virtual", "10m"], "choose one"),
        (["--virtual", "soon"], "write 90s, 10m, 24h or 1h30m"),
        (["--broker", "carrier-pigeon"], "embedded or mosquitto"),
        (["--scenario", "volcano", "--virtual", "1m"], "volcano"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(arguments: list[str], said: str) -> None:
    """A usage error: exit code 2, a sentence that says what would be understood."""
    done = subprocess.run(
        [sys.executable, "-m", "api.cli.main", "demo", *arguments],
        capture_output=True,
        check=False,
        timeout=60,
        env=None,
    )
    assert done.returncode == 2
    assert said in " ".join(done.stderr.decode().replace("│", " ").split())
