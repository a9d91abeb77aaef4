"""A fire in virtual time, from the first smoky frame to the person who answers."""

from pathlib import Path
from typing import Any

import pytest

from alerts.texts.segments import Route, count
from api.cli.phones import SIGNATURE, Crew
from api.cli.playing import Play, play_virtual
from simulators.sms.model import Mode

CHAIN = [
    ("officer", "fire", "sms", 0),
    ("call", "fire", "voice", 60),
    ("second", "escalation", "sms", 120),
    ("second", "escalation", "sms", 120),
    ("supervisor", "escalation", "sms", 300),
]
"""Step, kind, way and second of every message of a fire that nobody answers."""


async def fire(
    directory: Path, minutes: int, mode: Mode = Mode.OK, crew: Crew = Crew.SILENT
) -> dict[str, Any]:
    """The story as ``demo --json`` prints it."""
    play = Play(
        scenario="fire",
        seed=1,
        real_s=None,
        virtual_s=minutes * 60,
        as_json=True,
        site=None,
        broker="embedded",
        host="127.0.0.1",
        port=0,
        provider=mode,
        crew=crew,
    )
    return await play_virtual(play, directory)


def told(story: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    """Step, kind, way and whole second of every message, in order."""
    ordered = sorted(story["messages"], key=lambda m: (m["at_s"], m["step"]))
    return [(m["step"], m["kind"], m["channel"], round(m["at_s"])) for m in ordered]


async def test_a_fire_that_nobody_answers_goes_up_the_chain(tmp_path: Path) -> None:
    """Cut and proven; one incident; each step once, at its second; nothing else for 40 minutes."""
    story = await fire(tmp_path, 40)
    assert {c["outcome"] for c in story["cuts"]} == {"proven"}
    [incident] = story["incidents"]
    station = story["cuts"][0]["station"]
    assert (incident["station"], incident["urgency"], incident["state"]) == (
        station,
        "fire",
        "open",
    )
    assert round(incident["opened_s"]) == 0
    assert [(d["name"], round(d["due_s"]), d["state"]) for d in incident["deadlines"]] == [
        ("acknowledge", 60, "missed"),
        ("on_site", 300, "missed"),
        ("report", 1800, "missed"),
    ]
    assert told(story) == CHAIN
    sms = [m for m in story["messages"] if m["channel"] == "sms"]
    assert {m["state"] for m in sms} == {"delivered"}
    assert len({m["recipient"] for m in sms}) == len(sms)
    assert "实测已断电" in sms[0]["text"]


async def test_no_text_is_longer_than_a_segment_nor_said_twice(tmp_path: Path) -> None:
    """As the carriers count, with the signature; nobody reads the same words twice."""
    story = await fire(tmp_path, 6)
    sms = [m for m in story["messages"] if m["channel"] == "sms"]
    assert {count(m["text"], SIGNATURE, Route.CARRIER).segments for m in sms} == {1}
    assert len({(m["recipient"], m["text"]) for m in sms}) == len(sms)
    assert {i["id"] in m["text"] for i in story["incidents"] for m in sms} == {True}


@pytest.mark.parametrize(
    ("mode", "ledger"),
    [
        (Mode.DOWN, [("aliyun", "retryable"), ("tencent", "accepted")]),
        (Mode.THROTTLED, [("aliyun", "throttled"), ("tencent", "accepted")]),
        (Mode.SILENT, [("aliyun", "accepted"), ("tencent", "accepted")]),
        (Mode.UNDELIVERED, [("aliyun", "accepted"), ("tencent", "accepted")]),
        (Mode.LOST_ANSWER, [("aliyun", "unknown"), ("tencent", "accepted")]),
    ],
)
async def test_a_person_is_reached_by_the_other_way(
    mode: Mode, ledger: list[tuple[str, str]], tmp_path: Path
) -> None:
    """Within 90 s whatever the first provider does, and the ledger shows both."""
    story = await fire(tmp_path, 2, mode)
    [first] = [m for m in story["messages"] if m["step"] == "officer"]
    assert [(a["provider"], a["outcome"]) for a in first["ledger"]] == ledger
    assert (first["state"], first["provider"]) == ("delivered", "tencent")
    assert first["delivered_s"] <= 90
    assert first["ledger"][-1]["receipt"] == "delivered"


async def test_who_answers_stops_the_chain(tmp_path: Path) -> None:
    """The officer replies "1" half a minute later: no call, nobody else is woken."""
    story = await fire(tmp_path, 4, crew=Crew.PROMPT)
    [incident] = story["incidents"]
    assert (incident["state"], round(incident["acknowledged_s"])) == ("acknowledged", 28)
    assert told(story) == CHAIN[:1]
