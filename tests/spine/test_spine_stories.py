"""Every scenario of the simulators against the whole backend, in virtual time: what comes of it.

The seed decides where a story plays, so the tests name the subjects by their part in it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.cli.playing import Play, play_virtual
from devices.sitefile import packaged_site
from simulators.scenarios import SCENARIOS

MINUTE = 60
STATION, SOCKET = "the station", "the socket"

Raised = tuple[str, str, str, bool]
"""Rule, tier, subject, and whether it still stands at the end."""


@dataclass(frozen=True)
class Ending:
    """How a story ends: findings in the order in which they were raised, cuts, lockouts."""

    seconds: int
    findings: tuple[Raised, ...] = ()
    cuts: tuple[tuple[str, str, str], ...] = ()  # subject, rule, outcome
    lockouts: tuple[tuple[str, tuple[str, ...]], ...] = ()  # subject, rules


ENDINGS = {
    "smoke": Ending(
        2 * MINUTE,
        (("R07", "main", STATION, True),),
        ((STATION, "R07", "proven"),),
        ((STATION, ("R07",)),),
    ),
    "sensor-absent": Ending(3 * MINUTE, (("R42", "blind", SOCKET, True),)),
    # What is refused is not heard: a station that sends nothing else counts as offline too.
    "sensor-nan": Ending(
        11 * MINUTE,
        (("R42", "refused", STATION, True), ("R41", "main", STATION, False)),
    ),
    "reboot": Ending(6 * MINUTE),
    "clock-skew": Ending(12 * MINUTE),
    # A sensor counts as stuck after six hours.
    "sensor-stuck": Ending(5 * MINUTE),
    # The rules that end these two (R26, R25) are not built yet; until then they look healthy.
    "never-ends": Ending(10 * MINUTE),
    "power-rerise": Ending(10 * MINUTE),
}
"""Of the stories that play at one place and need no closer look."""


async def played(name: str, seconds: int, seed: int, directory: Path) -> dict[str, Any]:
    """The story as ``demo --json`` prints it."""
    play = Play(name, seed, None, seconds, True, None, "embedded", "127.0.0.1", 0)  # noqa: FBT003 - a record of options
    return await play_virtual(play, directory)


def subject(told: dict[str, Any]) -> str:
    """The part of a subject in its story."""
    return STATION if told["socket"] is None else SOCKET


def findings(story: dict[str, Any]) -> tuple[Raised, ...]:
    """The findings of a story in the order in which they were raised."""
    ordered = sorted(story["findings"], key=lambda f: float(f["raised_s"]))
    return tuple((f["rule"], f["tier"], subject(f), f["cleared_s"] is None) for f in ordered)


def ending(story: dict[str, Any], seconds: int) -> Ending:
    """How it ended; everything at one station and at most one of its sockets."""
    told = [*story["findings"], *story["cuts"], *story["lockouts"]]
    assert len({t["station"] for t in told}) <= 1
    assert len({t["socket"] for t in told} - {None}) <= 1
    return Ending(
        seconds,
        findings(story),
        tuple((subject(c), c["rule"], c["outcome"]) for c in story["cuts"]),
        tuple((subject(lock), tuple(lock["rules"])) for lock in story["lockouts"]),
    )


@pytest.mark.parametrize("name", ENDINGS)
async def test_a_story_ends_as_it_should(name: str, tmp_path: Path) -> None:
    """Exactly these findings, cuts and lockouts, and all frames in the store."""
    expected = ENDINGS[name]
    story = await played(name, expected.seconds, 7, tmp_path)
    assert ending(story, expected.seconds) == expected
    assert story["stations"] == [station.id for station in packaged_site().stations]
    assert story["frames"] > expected.seconds  # 16 stations, at least every 30 s


def test_every_story_has_its_test() -> None:
    """A new scenario must say here how it ends."""
    elsewhere = {"fire"}  # test_spine_fire.py
    here = {*ENDINGS, "healthy", "link-loss", "overheating", "welded-relay"}
    assert set(SCENARIOS) == here | elsewhere


async def test_the_overheating_socket_stays_off(tmp_path: Path) -> None:
    """One cut, measured; a release without a reason is refused, and so is every new scan."""
    story = await played("overheating", 6 * MINUTE, 7, tmp_path)
    assert ending(story, 6 * MINUTE) == Ending(
        6 * MINUTE,
        (("R02", "sustained", SOCKET, True), ("R01", "main", SOCKET, True)),
        ((SOCKET, "R02", "proven"),),
        ((SOCKET, ("R02", "R01")),),
    )
    (cut,) = story["cuts"]
    assert cut["proof_w"] < 5
    assert (cut["sends"], cut["others_unaffected"]) == (1, True)
    assert cut["reaction_ms"] is not None
    found = story["findings"][0]
    assert (found["family"], found["severity"]) == ("alarm", "critical")
    assert found["evidence"]["temp_c"] >= found["evidence"]["limit_c"] == 80.0
    assert {text for text in found["text"].values() if not text} == set()
    attempts = [(a["what"], a["by"], a["refused"], a["answer"][:3]) for a in story["attempts"]]
    assert attempts == [
        ("release_without_reason", "manager", True, "422"),
        ("restart", "user", True, "loc"),
        ("restart", "user", True, "loc"),
    ]
    where = {(a["station"], a["socket"]) for a in story["attempts"]}
    assert where == {(cut["station"], cut["socket"])}
    assert [(i["station"], i["urgency"]) for i in story["incidents"]] == [
        (cut["station"], "danger")
    ]
    first = story["messages"][0]
    assert (first["kind"], first["channel"], first["state"]) == ("cut", "sms", "delivered")


async def test_a_welded_relay_is_escalated_in_time(tmp_path: Path) -> None:
    """The station is ordered off, and measured off, within fifteen seconds of the first order."""
    story = await played("welded-relay", 2 * MINUTE, 3, tmp_path)
    assert ending(story, 2 * MINUTE) == Ending(
        2 * MINUTE,
        (
            ("R02", "sustained", SOCKET, True),
            ("R40", "main", SOCKET, True),
            ("R01", "main", SOCKET, True),
        ),
        ((SOCKET, "R02", "failed"), (STATION, "R40", "proven")),
        ((SOCKET, ("R02", "R01")), (STATION, ("R40",))),
    )
    first, second = story["cuts"]
    assert (first["outcome"], first["proven_s"], first["sends"]) == ("failed", None, 3)
    assert (second["socket"], second["outcome"]) == (None, "proven")
    assert second["ordered_s"] - first["ordered_s"] == 10
    assert second["proven_s"] - first["ordered_s"] < 15
    failed = next(f for f in story["findings"] if f["rule"] == "R40")
    assert failed["raised_s"] == second["ordered_s"]
    assert failed["evidence"]["power_w"] > 5
    assert failed["evidence"]["reply"] == "done"


async def test_lost_links_are_told_and_end(tmp_path: Path) -> None:
    """Both stations are offline a minute after their last will; the one that returns is not."""
    story = await played("link-loss", 6 * MINUTE, 7, tmp_path)
    assert findings(story) == (
        ("R41", "main", STATION, False),
        ("R41", "main", STATION, True),
    )
    first, second = sorted(story["findings"], key=lambda f: float(f["raised_s"]))
    assert first["station"] != second["station"]
    assert [(f["raised_s"], f["reason"]) for f in (first, second)] == [
        (80, "last_will"),
        (120, "last_will"),
    ]
    assert first["cleared_s"] == 260
    assert (story["cuts"], story["lockouts"]) == ([], [])


async def test_healthy_hours_raise_nothing_above_info(tmp_path: Path) -> None:
    """Charges start and end; what ends them is cut with proof, and locks nothing."""
    story = await played("healthy", 2 * 60 * MINUTE, 1, tmp_path)
    assert {f["severity"] for f in story["findings"]} <= {"info"}
    ended = {(f["rule"], f["station"], f["socket"]) for f in story["findings"]}
    assert {rule for rule, _, _ in ended} <= {"R20", "R21"}
    assert ended  # two hours end at least one charge
    assert (story["incidents"], story["messages"]) == ([], [])
    cuts = {(c["rule"], c["station"], c["socket"]): c["outcome"] for c in story["cuts"]}
    assert cuts == dict.fromkeys(ended, "proven")
    assert (story["lockouts"], story["attempts"]) == ([], [])


async def test_the_same_seed_gives_the_same_story(tmp_path: Path) -> None:
    """But for what the machine's own speed decides."""
    stories = [
        await played("overheating", 60, 11, tmp_path / directory) for directory in ("one", "two")
    ]
    for story in stories:
        for cut in story["cuts"]:
            del cut["reaction_ms"]
    assert stories[0]["cuts"]
    assert stories[0] == stories[1]
