"""The journal: what it returned for is there, whatever happens to the process or the disk."""

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iot.journal import Entry, EntryKind, Journal, JournalLocked, Loss, LossReason, Record

BIG = 1 << 30


def entry(number: int, size: int = 40) -> Entry:
    """An entry whose bytes say its number."""
    kind = EntryKind.FACTS if number % 3 == 0 else EntryKind.FRAMES
    return Entry(kind, f"{number:08d}".encode() + bytes(size - 8))


def numbers(records: list[Record]) -> list[int]:
    """The numbers in the payloads."""
    return [int(record.entry.payload[:8]) for record in records]


def everything(journal: Journal, start: int = 0) -> list[Record]:
    """All records from ``start`` on, read piece by piece."""
    found: list[Record] = []
    while some := journal.read(start, limit=7):
        found += some
        start = some[-1].next_lsn
    return found


def segments(directory: Path) -> list[Path]:
    """The journal's files, oldest first."""
    return sorted(directory.glob("*.journal"))


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    """Kind, bytes and numbers are what was appended, also from the middle, also after reopening."""
    with_all = [entry(n, 8 + n) for n in range(20)]
    journal = Journal.open(tmp_path, max_bytes=BIG)
    assert journal.append(with_all[:12]) == 12
    assert journal.append([]) == 12
    journal.close()
    journal = Journal.open(tmp_path, max_bytes=BIG)
    assert journal.append(with_all[12:]) == 20
    assert [record.entry for record in everything(journal)] == with_all
    assert [record.lsn for record in everything(journal, 17)] == [17, 18, 19]
    assert journal.read(20) == []
    journal.close()


def test_read_is_bounded_but_always_moves(tmp_path: Path) -> None:
    """``limit`` and ``max_bytes`` bound an answer; one record comes even when it is larger."""
    journal = Journal.open(tmp_path, max_bytes=BIG)
    journal.append([entry(n, 100) for n in range(10)])
    assert len(journal.read(0, limit=3)) == 3
    assert len(journal.read(0, max_bytes=250)) == 3
    assert len(journal.read(4, max_bytes=1)) == 1
    journal.close()


def test_only_one_process_may_write(tmp_path: Path) -> None:
    """A second opening fails clearly while the first holds the journal, and not afterwards."""
    first = Journal.open(tmp_path, max_bytes=BIG)
    with pytest.raises(JournalLocked, match="another process"):
        Journal.open(tmp_path, max_bytes=BIG)
    first.close()
    Journal.open(tmp_path, max_bytes=BIG).close()


def test_a_torn_tail_is_cut_at_every_byte(tmp_path: Path) -> None:
    """Wherever a crash cuts the last record, the ones before it stay and the next one is whole."""
    journal = Journal.open(tmp_path, max_bytes=BIG)
    journal.append([entry(0), entry(1)])
    journal.close()
    (path,) = segments(tmp_path)
    whole = path.read_bytes()
    for cut in range(len(whole) // 2, len(whole)):
        for other in segments(tmp_path):
            other.unlink()
        path.write_bytes(whole[:cut])
        journal = Journal.open(tmp_path, max_bytes=BIG)
        assert journal.end_lsn == 1
        assert journal.append([entry(7)]) == 2
        assert numbers(everything(journal)) == [0, 7]
        assert journal.lost == {LossReason.DROPPED: 0, LossReason.DAMAGED: 0}
        journal.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    damage=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 255)), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
)
def test_damaged_bytes_cost_only_their_own_records(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]], seed: int
) -> None:
    """Flipped bytes anywhere: no wrong record, whole ones stay, the others are counted."""
    directory = tmp_path_factory.mktemp("journal")
    rng = random.Random(seed)
    journal = Journal.open(directory, max_bytes=BIG, segment_bytes=600)
    owners: list[tuple[Path, int, int]] = []  # of every byte: its file, its place, its record
    for number in range(30):
        journal.append([entry(number, rng.randint(8, 90))])
        path = segments(directory)[-1]
        known = sum(owner[0] == path for owner in owners)
        owners += [(path, place, number) for place in range(known, path.stat().st_size)]
    journal.close()
    intact = set(range(30))
    for position, flip in damage:
        path, place, victim = owners[position % len(owners)]
        data = bytearray(path.read_bytes())
        data[place] ^= flip
        path.write_bytes(data)
        intact.discard(victim)
    losses: list[Loss] = []
    journal = Journal.open(directory, max_bytes=BIG, segment_bytes=600, on_loss=losses.append)
    found = numbers(everything(journal))
    assert everything(journal) == everything(journal)
    assert found == sorted(found)
    assert set(found) >= intact
    lost = set(range(journal.end_lsn)) - set(found)
    assert {n for loss in losses for n in range(loss.first_lsn, loss.next_lsn)} == lost
    assert journal.lost[LossReason.DAMAGED] == len(lost)
    journal.close()


def test_the_bound_on_disk_holds_and_losses_are_told(tmp_path: Path) -> None:
    """A consumer that does not read costs the oldest records, never the disk or the writer."""
    losses: list[Loss] = []
    journal = Journal.open(tmp_path, max_bytes=10_000, segment_bytes=2000, on_loss=losses.append)
    journal.cursor("slow")
    for number in range(1000):
        journal.append([entry(number, 100)])
        assert sum(path.stat().st_size for path in segments(tmp_path)) <= 10_000
    kept = everything(journal, journal.cursor("slow"))
    assert numbers(kept) == list(range(journal.oldest_lsn, 1000))
    assert journal.oldest_lsn > 900
    assert sum(loss.records for loss in losses) == journal.oldest_lsn
    assert journal.lost[LossReason.DROPPED] == journal.oldest_lsn
    assert {loss.reason for loss in losses} == {LossReason.DROPPED}
    journal.close()


def test_dropping_what_everybody_had_is_no_loss(tmp_path: Path) -> None:
    """Segments behind all cursors go silently when room is needed."""
    journal = Journal.open(tmp_path, max_bytes=10_000, segment_bytes=2000)
    for number in range(500):
        journal.move_cursor("quick", journal.append([entry(number, 100)]))
    assert journal.lost[LossReason.DROPPED] == 0
    assert journal.bytes_used <= 10_000
    journal.close()


def test_trim_waits_for_the_slowest_cursor(tmp_path: Path) -> None:
    """Segments are deleted once every cursor is past them, and not before."""
    journal = Journal.open(tmp_path, max_bytes=BIG, segment_bytes=500)
    journal.cursor("slow")
    journal.append([entry(n, 100) for n in range(3)])
    for number in range(3, 30):
        journal.append([entry(number, 100)])
    journal.move_cursor("quick", 30)
    assert journal.trim() == 0
    journal.move_cursor("slow", 15)
    assert journal.trim() > 0
    assert journal.oldest_lsn <= 15
    assert numbers(everything(journal, 15)) == list(range(15, 30))
    journal.close()


def test_cursors_survive_and_cannot_pass_the_end(tmp_path: Path) -> None:
    """A cursor is where it was put, after reopening as well; beyond the end is a mistake."""
    journal = Journal.open(tmp_path, max_bytes=BIG)
    journal.append([entry(n) for n in range(5)])
    journal.move_cursor("telemetry", 3)
    with pytest.raises(ValueError, match="ends at 5"):
        journal.move_cursor("telemetry", 6)
    with pytest.raises(ValueError, match="name"):
        journal.move_cursor("../escape", 1)
    journal.close()
    journal = Journal.open(tmp_path, max_bytes=BIG)
    assert journal.cursor("telemetry") == 3
    assert journal.cursor("new") == 0
    journal.close()


@pytest.mark.parametrize("rest", [b"", b"3", b"3 0000000", b"\xff\xfe", b"9 deadbeef\n"])
def test_an_unreadable_cursor_goes_back_to_the_oldest(tmp_path: Path, rest: bytes) -> None:
    """A spoiled cursor file means reading again from the oldest record, never skipping any."""
    journal = Journal.open(tmp_path, max_bytes=BIG)
    journal.append([entry(n) for n in range(5)])
    journal.move_cursor("telemetry", 3)
    journal.close()
    (tmp_path / "telemetry.cursor").write_bytes(rest)
    journal = Journal.open(tmp_path, max_bytes=BIG)
    assert journal.cursor("telemetry") == 0
    journal.close()


def test_a_crash_while_a_cursor_is_written_keeps_the_old_one(tmp_path: Path) -> None:
    """A half-written draft beside the cursor is ignored."""
    journal = Journal.open(tmp_path, max_bytes=BIG)
    journal.append([entry(n) for n in range(5)])
    journal.move_cursor("telemetry", 3)
    journal.close()
    (tmp_path / "telemetry.draft").write_bytes(b"4 12")
    journal = Journal.open(tmp_path, max_bytes=BIG)
    assert journal.cursor("telemetry") == 3
    journal.move_cursor("telemetry", 5)
    assert journal.cursor("telemetry") == 5
    journal.close()


def test_a_deleted_journal_does_not_number_anew(tmp_path: Path) -> None:
    """``at_least`` starts a fresh journal behind everything a store already took."""
    journal = Journal.open(tmp_path, max_bytes=BIG, at_least=500)
    assert (journal.oldest_lsn, journal.end_lsn) == (500, 500)
    assert journal.append([entry(1)]) == 501
    assert [record.lsn for record in journal.read(0)] == [500]
    assert journal.lost[LossReason.DAMAGED] == 0
    journal.close()


def failing(calls: list[str], name: str, after: int) -> Callable[..., int]:
    """``os.{name}`` that fails like a full disk on its call number ``after``."""
    real = getattr(os, name)

    def call(*arguments: object) -> int:
        calls.append(name)
        if len(calls) == after:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(real(*arguments) or 0)

    return call


@pytest.mark.parametrize("name", ["write", "fdatasync"])
def test_a_full_disk_loses_nothing_that_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A failed append raises, and trying again neither doubles, loses nor misnumbers records."""
    journal = Journal.open(tmp_path, max_bytes=BIG)
    journal.append([entry(0)])
    with monkeypatch.context() as patched:
        patched.setattr(os, name, failing([], name, 1))
        with pytest.raises(OSError, match="No space"):
            journal.append([entry(1), entry(2)])
    assert journal.end_lsn == 1
    assert numbers(everything(journal)) == [0]
    assert journal.append([entry(1), entry(2)]) == 3
    assert numbers(everything(journal)) == [0, 1, 2]
    assert len(segments(tmp_path)) == 2  # nobody knows what a file holds after a failed fsync
    journal.close()
    journal = Journal.open(tmp_path, max_bytes=BIG)
    assert numbers(everything(journal)) == [0, 1, 2]
    assert journal.lost[LossReason.DAMAGED] == 0
    journal.close()


def test_one_append_costs_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many entries: one write and one fdatasync."""
    journal = Journal.open(tmp_path, max_bytes=BIG)
    calls: list[str] = []
    for name in ("write", "fdatasync"):
        monkeypatch.setattr(os, name, failing(calls, name, 99))
    journal.append([entry(n) for n in range(50)])
    assert calls == ["write", "fdatasync"]
    journal.close()
