"""The quarantine: refused bytes are kept exactly, within bounds, over crashes."""

from pathlib import Path

from iot.quarantine import MAX_PAYLOAD_BYTES, Quarantine, Refused


def message(number: int, payload: bytes = b"\x00\xff{") -> Refused:
    """A refused message with its number as time."""
    return Refused(
        number, "chargeward/v1/st-01/telemetry", "not_json", "line 1", payload, retained=False
    )


def test_what_was_refused_is_kept_exactly(tmp_path: Path) -> None:
    """Raw bytes, odd topics and flags come back, newest first, also after reopening."""
    odd = Refused(3, 'to"p\nic\ud800\u2028', "topic", "", bytes(range(256)), retained=True)
    Quarantine(tmp_path).put([message(1), message(2)])
    quarantine = Quarantine(tmp_path)
    quarantine.put([odd])
    quarantine.put([])
    assert quarantine.recent() == [odd, message(2), message(1)]
    assert quarantine.recent(1) == [odd]
    assert quarantine.refused == 1


def test_a_large_payload_is_cut_and_its_size_noted(tmp_path: Path) -> None:
    """Of a payload at most 64 KiB are kept, and how large it really was."""
    quarantine = Quarantine(tmp_path)
    quarantine.put([message(1, b"x" * (MAX_PAYLOAD_BYTES + 5)), message(2, b"x")])
    small, large = quarantine.recent()
    assert (len(large.payload), large.payload_size) == (MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 5)
    assert small.payload_size is None


def test_the_disk_it_takes_is_bounded(tmp_path: Path) -> None:
    """A flood pushes the oldest out; the newest are there, the bound holds after every put."""
    quarantine = Quarantine(tmp_path, max_bytes=20_000)
    for number in range(500):
        quarantine.put([message(number, b"y" * 100)] * 2)
        assert quarantine.bytes_used() <= 20_000
    newest = quarantine.recent(10)
    assert [item.received_ms for item in newest] == [
        499,
        499,
        498,
        498,
        497,
        497,
        496,
        496,
        495,
        495,
    ]


def test_a_line_torn_by_a_crash_spoils_only_itself(tmp_path: Path) -> None:
    """Bytes cut anywhere in the last line: the lines before and after it stay readable."""
    Quarantine(tmp_path).put([message(1), message(2)])
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        quarantine = Quarantine(tmp_path)
        quarantine.put([message(3)])
        assert quarantine.recent() == [message(3), message(1)]
