"""The backlog is bounded, ordered, and never drops what matters."""

from hypothesis import given
from hypothesis import strategies as st

from iot.topics import Channel
from simulators.backlog import Backlog
from simulators.model import Outgoing


def message(channel: Channel, number: int) -> Outgoing:
    """A message that can be told from others."""
    return Outgoing("sim-001", channel, str(number).encode(), retain=False)


@given(
    st.lists(
        st.sampled_from([Channel.TELEMETRY, Channel.ALARM, Channel.REPLY, Channel.STATUS]),
        max_size=60,
    )
)
def test_keeps_all_alarms_and_the_newest_frames_in_order(channels: list[Channel]) -> None:
    """Whatever arrives: alarms and replies all stay, five newest frames, one status, in order."""
    backlog = Backlog(frames=5)
    sent = [message(channel, number) for number, channel in enumerate(channels)]
    for one in sent:
        backlog.put(one)
    frames = [m for m in sent if m.channel is Channel.TELEMETRY]
    states = [m for m in sent if m.channel is Channel.STATUS]
    kept = {*frames[-5:], *states[-1:]}
    expected = [m for m in sent if m in kept or m.channel in {Channel.ALARM, Channel.REPLY}]
    assert backlog.dropped == len(frames) - len(frames[-5:])
    assert backlog.drain() == expected
    assert len(backlog) == 0


def test_a_message_stays_until_it_is_safe() -> None:
    """``first`` shows, ``done`` removes; one that was dropped meanwhile takes no other with it."""
    backlog = Backlog(frames=1)
    oldest, newer = message(Channel.TELEMETRY, 1), message(Channel.TELEMETRY, 2)
    backlog.put(oldest)
    assert backlog.first() is oldest
    assert backlog.first() is oldest
    backlog.put(newer)
    backlog.done(oldest)
    assert backlog.first() is newer
    backlog.done(newer)
    assert backlog.first() is None
