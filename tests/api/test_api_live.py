"""The live hub: encoded once, fanned out, bounded for each listener."""

import pytest

from api.live import CLOSED, DROPPED, RESYNC, LiveHub, Subscription, TooManyListenersError

FIRST = b'id: r-1\nevent: finding\ndata: {"rule":"R02"}\n\n'
SECOND = b'id: r-2\nevent: command\ndata: {"id":"c1"}\n\n'


async def taken(listener: Subscription) -> bytes:
    """What waits for the listener now."""
    return await listener.take(0)


async def test_every_listener_gets_the_very_same_bytes() -> None:
    """One event is encoded once: listeners share one object, not copies of it."""
    hub = LiveHub("r")
    listeners = [hub.subscribe() for _ in range(3)]
    hub.publish("finding", {"rule": "R02"})
    chunks = [listener._waiting[0] for listener in listeners]
    assert chunks == [FIRST] * 3
    assert all(chunk is chunks[0] for chunk in chunks)


async def test_events_keep_their_order_and_come_in_one_piece() -> None:
    """What queued while a listener was away arrives together and in order."""
    hub = LiveHub("r")
    listener = hub.subscribe()
    hub.publish("finding", {"rule": "R02"})
    hub.publish("command", {"id": "c1"})
    assert await taken(listener) == FIRST + SECOND
    assert await taken(listener) == b""


async def test_a_slow_listener_is_dropped_and_told_so() -> None:
    """One event too many: its memory is freed, the others do not notice."""
    drops: list[int] = []
    hub = LiveHub("r", queued=1, on_drop=lambda: drops.append(1))
    slow, quick = hub.subscribe(), hub.subscribe()
    hub.publish("finding", {"rule": "R02"})
    assert await taken(quick) == FIRST
    hub.publish("command", {"id": "c1"})
    assert await taken(quick) == SECOND
    assert await taken(slow) == DROPPED
    assert (slow.finished, slow.dropped, quick.finished) == (True, True, False)
    assert (drops, hub.listeners) == ([1], 1)


async def test_station_status_is_merged_between_flushes() -> None:
    """However often a station was touched, one flush sends its newest status once."""
    hub = LiveHub("r")
    listener = hub.subscribe()
    for _ in range(50):
        hub.touch("cm-01")
    hub.touch("gone")
    sent = hub.flush(lambda station: None if station == "gone" else {"id": station})
    assert sent == 1
    assert await taken(listener) == b'id: r-1\nevent: station\ndata: {"id":"cm-01"}\n\n'
    assert hub.flush(lambda station: {"id": station}) == 0


async def test_nobody_listening_costs_no_status() -> None:
    """Without a listener the status is not even built."""
    hub = LiveHub("r")
    hub.touch("cm-01")
    asked: list[str] = []
    assert hub.flush(asked.append) == 0
    assert asked == []


async def test_nan_becomes_null() -> None:
    """No listener ever sees a NaN, which is no JSON."""
    hub = LiveHub("r")
    listener = hub.subscribe()
    hub.publish("finding", {"temp_c": float("nan")})
    assert await taken(listener) == b'id: r-1\nevent: finding\ndata: {"temp_c":null}\n\n'


@pytest.mark.parametrize(
    ("last_event_id", "expected"),
    [
        pytest.param("r-1", SECOND, id="what came after it"),
        pytest.param("r-2", b"", id="nothing was missed"),
        pytest.param("r-0", FIRST + SECOND, id="from the beginning"),
        pytest.param("r-3", RESYNC, id="a number we have not reached"),
        pytest.param("old-2", RESYNC, id="of an earlier run of the process"),
        pytest.param("r-x", RESYNC, id="no number"),
        pytest.param("r-٢", RESYNC, id="no ASCII digit"),
        pytest.param("", RESYNC, id="empty"),
        pytest.param("r-" + "9" * 5_000, RESYNC, id="far too long"),
    ],
)
async def test_a_returning_listener_gets_what_it_missed(
    last_event_id: str, expected: bytes
) -> None:
    """From memory where it reaches back far enough, else it is told to read the state again."""
    hub = LiveHub("r")
    hub.publish("finding", {"rule": "R02"})
    hub.publish("command", {"id": "c1"})
    assert await taken(hub.subscribe(last_event_id)) == expected


async def test_forgotten_events_mean_resync() -> None:
    """A gap is never passed over in silence."""
    hub = LiveHub("r", remembered=1)
    for _ in range(3):
        hub.publish("finding", {})
    assert await taken(hub.subscribe("r-1")) == RESYNC
    assert await taken(hub.subscribe("r-2")) == b"id: r-3\nevent: finding\ndata: {}\n\n"


async def test_the_number_of_listeners_is_bounded() -> None:
    """One more is refused, and a place is free again when one leaves."""
    hub = LiveHub("r", max_listeners=1)
    first = hub.subscribe()
    with pytest.raises(TooManyListenersError):
        hub.subscribe()
    hub.unsubscribe(first)
    hub.unsubscribe(first)
    hub.subscribe()
    assert hub.listeners == 1


async def test_closing_ends_every_stream_after_what_was_queued() -> None:
    """At shutdown nothing that was published is cut off, and nothing more is taken."""
    hub = LiveHub("r")
    listener = hub.subscribe()
    hub.publish("finding", {"rule": "R02"})
    hub.close()
    assert await taken(listener) == FIRST + CLOSED
    assert (listener.finished, listener.dropped, hub.listeners) == (True, False, 0)
