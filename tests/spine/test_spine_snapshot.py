"""State from snapshot and journal: the same to the last bit, and whatever of it is spoilt."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.running import SNAPSHOT_CURSOR
from api.snapshot import load_snapshot, save_snapshot
from iot.segments import Entry, EntryKind
from iot.topics import Channel
from rules.facts import load_facts
from rules.model import LockFact
from tests.spine.conftest import START_MS, STATION, Stage
from tests.spine.scenes import (
    active,
    after_crash,
    all_off,
    connect,
    crashed,
    cut_hot_socket,
    heat,
    locked,
    off,
    opened,
    play,
    row,
    stored,
)


def state(stage: Stage) -> dict[str, bytes]:
    """Everything the engine remembers, by name."""
    with np.load(io.BytesIO(stage.backend.engine.state.snapshot()), allow_pickle=False) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


async def test_a_replay_gives_the_state_to_the_last_bit(stage: Stage, tmp_path: Path) -> None:
    """After heat, a cut and its proof, a warm socket, smoke, rubbish, silence and a lost link."""
    hot: dict[str, Any] = {"temp_c": row(31.0, {3: 97.0, 7: 66.0})}
    play(stage, 2, 1, **hot)
    await stage.backend.snapshot(flush=True)
    idle: dict[str, Any] = {"power_w": row(118.0, {3: 0.0, 7: 0.0})}
    play(stage, 15, 5, **hot, **idle)
    assert locked(stage) == [3, 7]
    play(stage, 122, 5, **idle)
    assert locked(stage) == [3]
    for _ in range(3):
        stage.telemetry(temp_c=[999.0] * 12)
    stage.send(stage.alarm("cmrj-02", id="door", kind="door"), Channel.ALARM, "cmrj-02")
    stage.pass_s(200)
    stage.telemetry("cmrj-02")
    stage.send(stage.alarm(id="smoke-1"), Channel.ALARM)
    play(stage, 2, 1, **all_off(smoke=1))
    await stage.backend.committer.flush()
    now_ms = stage.clock.utc_ms() + 1_000
    async with opened(crashed(stage, tmp_path / "copy"), now_ms) as second:
        assert state(second) == state(stage)


async def test_the_journal_has_the_steps_in_their_order(stage: Stage) -> None:
    """The frame that cooled a socket stands before the lock that was lifted because of it."""
    play(stage, 14, 5, **off(3, 66.0))
    assert locked(stage) == [3]
    play(stage, 121, 5, **off(3, 55.0))
    assert locked(stage) == []
    await stage.backend.committer.flush()
    *_, frame, fact = stage.backend.journal.read(0)
    assert (frame.entry.kind, fact.entry.kind) == (EntryKind.FRAMES, EntryKind.FACTS)
    assert load_facts(fact.entry.payload).facts == (LockFact(STATION, (), stage.clock.utc_ms()),)


def cut_short(path: Path) -> None:
    """Half of it is there."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """One bit is wrong."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def other_format(path: Path) -> None:
    """Whole, but its engine state is not of this version."""
    saved = load_snapshot(path)
    assert saved is not None
    save_snapshot(path, type(saved)(saved.lsn, saved.at_ms, b"of another version", saved.sequences))


def other_sequences(path: Path) -> None:
    """Whole, but its sequence memory is not of this version."""
    saved = load_snapshot(path)
    assert saved is not None
    other: Any = {STATION: {"boots": []}}
    save_snapshot(path, type(saved)(saved.lsn, saved.at_ms, saved.engine, other))


SPOILT: dict[str, Callable[[Path], object]] = {
    "cut short": cut_short,
    "a flipped bit": flip,
    "empty": lambda path: path.write_bytes(b""),
    "only its first word": lambda path: path.write_bytes(b"CWS1"),
    "zeros after its first word": lambda path: path.write_bytes(b"CWS1" + bytes(100)),
    "an engine of another version": other_format,
    "a sequence memory of another version": other_sequences,
}


@pytest.mark.parametrize("how", SPOILT)
async def test_without_a_usable_snapshot_the_journal_gives_the_same_state(
    stage: Stage, tmp_path: Path, how: str
) -> None:
    """It costs a longer replay and nothing else: findings, holds, duplicates are as they were."""
    cut_hot_socket(stage)
    play(stage, 1, 1, **off(3))
    await stage.backend.snapshot(flush=True)
    assert stage.backend.journal.cursor(SNAPSHOT_CURSOR) > 0
    repeated = stage.frame()
    stage.send(repeated, Channel.TELEMETRY)
    await stage.backend.committer.flush()
    copy = crashed(stage, tmp_path / "copy")
    SPOILT[how](copy / "state.snapshot")
    async with opened(copy, stage.clock.utc_ms() + 1_000, stage.seq) as second:
        connect(second)
        second.send(repeated, Channel.TELEMETRY)
        assert (active(second), second.orders()) == (active(stage), [])
        assert locked(second) == [3]
        assert await stored(second) == 4
        await second.backend.snapshot(flush=True)
        assert load_snapshot(copy / "state.snapshot") is not None


@pytest.mark.parametrize(
    "entry",
    [
        Entry(EntryKind.FACTS, b"no JSON"),
        Entry(EntryKind.FACTS, b'{"now_ms": 1, "facts": [["FactOfTomorrow", {}]]}'),
        Entry(EntryKind.FRAMES, b"no block"),
    ],
    ids=["no JSON", "a fact of another version", "no block"],
)
async def test_a_journal_record_that_cannot_be_read_stops_no_start(
    stage: Stage, tmp_path: Path, entry: Entry
) -> None:
    """The watch begins without it: what stands before and after it is replayed."""
    play(stage, 1, 1, **heat(3))
    await stage.backend.committer.flush()
    stage.backend.journal.append([entry])
    play(stage, 1, 1, **heat(3))
    await stage.backend.committer.write_journal()
    async with after_crash(stage, tmp_path / "copy") as second:
        assert second.orders() == [("cut", 3)]


async def test_a_clean_end_leaves_nothing_to_replay(tmp_path: Path) -> None:
    """The snapshot at the end holds everything; the next start reads it and goes on."""
    async with opened(tmp_path / "data", START_MS) as first:
        connect(first)
        cut_hot_socket(first)
        play(first, 1, 1, **off(3))
        keys, seq = active(first), first.seq
        end = first.backend.journal.end_lsn
        now_ms = first.clock.utc_ms()
    saved = load_snapshot(tmp_path / "data" / "state.snapshot")
    assert saved is not None
    shutil.rmtree(tmp_path / "data" / "journal")
    async with opened(tmp_path / "data", now_ms + 1_000, seq) as second:
        assert saved.lsn > end
        assert (active(second), second.backend.journal.end_lsn) == (keys, saved.lsn)
        connect(second)
        assert (second.orders(), locked(second)) == ([], [3])
