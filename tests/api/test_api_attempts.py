"""Throttling of wrong credentials: per address, bounded, and never against an officer."""

import pytest

from api.http.attempts import GOOD_MS, WINDOW_MS, Attempts


def guess(attempts: Attempts, address: str, times: int, now_ms: int = 0) -> None:
    """Send ``times`` wrong credentials."""
    for _ in range(times):
        attempts.wrong(address, now_ms)


def test_five_wrong_ones_are_free_then_the_address_waits() -> None:
    """The sixth is not looked at until the minute is over; then it is."""
    attempts = Attempts()
    guess(attempts, "192.0.2.1", 4)
    assert attempts.wait_s("192.0.2.1", "x", 0) == 0
    guess(attempts, "192.0.2.1", 1)
    assert attempts.wait_s("192.0.2.1", "x", 0) == 60
    assert attempts.wait_s("192.0.2.1", "x", 59_001) == 1
    assert attempts.wait_s("192.0.2.1", "x", WINDOW_MS) == 0


def test_another_address_does_not_wait() -> None:
    """One guesser does not shut the others out."""
    attempts = Attempts()
    guess(attempts, "192.0.2.1", 99)
    assert attempts.wait_s("192.0.2.2", "x", 0) == 0


def test_a_credential_that_was_right_is_looked_at_even_then() -> None:
    """Behind the same address as a guesser, an officer can still cut; for a day."""
    attempts = Attempts()
    attempts.right("good", 0)
    guess(attempts, "192.0.2.1", 99, GOOD_MS - 1)
    assert attempts.wait_s("192.0.2.1", "good", GOOD_MS - 1) == 0
    assert attempts.wait_s("192.0.2.1", "bad", GOOD_MS - 1) == 60
    assert attempts.wait_s("192.0.2.1", "good", GOOD_MS) == 60


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("unix", "unix", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, *, same: bool) -> None:
    """A whole /64 of IPv6 is one customer; a mapped IPv4 address is that IPv4 address."""
    attempts = Attempts()
    guess(attempts, one, 5)
    assert (attempts.wait_s(other, "x", 0) > 0) is same


def test_memory_is_bounded() -> None:
    """However many addresses and credentials come, only so many are remembered."""
    attempts = Attempts(remembered=10)
    for n in range(1_000):
        attempts.wrong(f"192.0.2.{n}", 0)
        attempts.right(f"token {n}", 0)
    assert (len(attempts._windows), len(attempts._good)) == (10, 10)


def test_no_credential_is_kept() -> None:
    """Only digests are remembered."""
    attempts = Attempts()
    attempts.right("cw_secret", 0)
    assert "cw_secret" not in repr(vars(attempts))
