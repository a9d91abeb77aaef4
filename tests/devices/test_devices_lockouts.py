"""Lockouts: what forbids power, who may release it, and what a station is told."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from devices.lockouts import Approval, Kind, LockBook, Lockout, Outcome

STATION = "cmrj-01"


def _lock(  # noqa: PLR0913 - short words for a lock with all its facts
    book: LockBook,
    socket: int | None = 3,
    *,
    kind: Kind = Kind.LATCHED,
    rule_id: str = "R02",
    fire: bool = False,
    at: int = 1,
) -> bool:
    return book.add(STATION, socket, kind=kind, rule=rule_id, reason="hot", fire=fire, now_ms=at)


def _release(  # noqa: PLR0913 - short words for a request with all its facts
    book: LockBook,
    by: str = "li",
    reason: str = "looked at it",
    socket: int | None = 3,
    *,
    dangerous: bool = False,
    at: int = 9,
) -> Outcome:
    return book.release(STATION, socket, by=by, reason=reason, dangerous=dangerous, now_ms=at)


def test_a_person_with_a_reason_releases() -> None:
    """One person is enough when it was no fire; the release is on record."""
    book = LockBook()
    assert _lock(book)
    assert _release(book) is Outcome.RELEASED
    assert book.locked_sockets(STATION, 12) == []
    assert book.changed() == [
        Lockout(
            STATION,
            3,
            Kind.LATCHED,
            "R02",
            "hot",
            fire=False,
            since_ms=1,
            approvals=(Approval("li", "looked at it", 9),),
            released_ms=9,
        )
    ]
    assert _release(book) is Outcome.NOT_LOCKED


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_no_release_without_a_reason(reason: str) -> None:
    """An empty reason is none, and the socket stays locked."""
    book = LockBook()
    _lock(book)
    assert _release(book, reason=reason) is Outcome.REASON_MISSING
    assert book.locked_sockets(STATION, 12) == [3]


def test_no_release_while_the_danger_stands() -> None:
    """Nobody, with whatever reason, gives power back to a socket that is still hot."""
    book = LockBook()
    _lock(book)
    assert _release(book, dangerous=True) is Outcome.STILL_DANGEROUS
    assert book.locked_sockets(STATION, 12) == [3]


def test_after_fire_two_different_people() -> None:
    """The first is noted, the same one again does not count, the second releases."""
    book = LockBook()
    _lock(book, fire=True)
    assert _release(book, "li") is Outcome.NEEDS_SECOND_PERSON
    assert book.locked_sockets(STATION, 12) == [3]
    assert _release(book, "li") is Outcome.SAME_PERSON
    assert _release(book, "wang") is Outcome.RELEASED
    [record] = book.changed()
    assert [approval.by for approval in record.approvals] == ["li", "wang"]


@pytest.mark.parametrize("rule_id", ["R07", "R04"])
def test_a_new_danger_voids_the_first_approval(rule_id: str) -> None:
    """Who approved before it burned again has not seen what there is now."""
    book = LockBook()
    _lock(book, rule_id="R07", fire=True)
    _release(book, "li")
    _lock(book, rule_id=rule_id, fire=True, at=5)
    assert _release(book, "wang") is Outcome.NEEDS_SECOND_PERSON


def test_an_approval_survives_a_restart() -> None:
    """The second person may come after the backend was restarted."""
    book = LockBook()
    _lock(book, fire=True)
    _release(book, "li")
    again = LockBook()
    again.restore(book.changed())
    assert _release(again, "li") is Outcome.SAME_PERSON
    assert _release(again, "wang") is Outcome.RELEASED


def test_a_station_lock_holds_every_socket() -> None:
    """Releasing one socket does not open it while the station is locked."""
    book = LockBook()
    _lock(book, 3)
    _lock(book, None, rule_id="R07", fire=True)
    assert book.locked_sockets(STATION, 4) == [1, 2, 3, 4]
    assert _release(book, socket=3) is Outcome.RELEASED
    assert book.locked_sockets(STATION, 4) == [1, 2, 3, 4]


def test_locked_sockets_are_ascending_and_exist() -> None:
    """As the limits document wants them."""
    book = LockBook()
    for socket in (9, 2, 40):
        _lock(book, socket)
    assert book.locked_sockets(STATION, 12) == [2, 9]
    assert book.locked_sockets("cmrj-02", 12) == []


def test_a_temporary_lock_ends_with_its_finding() -> None:
    """Only its own rule lifts it, and a latched one is not lifted."""
    book = LockBook()
    _lock(book, kind=Kind.TEMPORARY, rule_id="R01")
    _lock(book, rule_id="R02")
    assert not book.lift(STATION, 3, "R12", 5)
    assert not book.lift(STATION, 3, "R02", 5)
    assert book.lift(STATION, 3, "R01", 5)
    assert [lock.rule for lock in book] == ["R02"]


def test_locking_again_only_makes_it_stricter() -> None:
    """Temporary becomes latched and fire, never the other way."""
    book = LockBook()
    _lock(book, kind=Kind.TEMPORARY)
    assert _lock(book, kind=Kind.LATCHED, fire=True, at=5)
    assert not _lock(book, kind=Kind.TEMPORARY, fire=False, at=6)
    [lock] = book.of_station(STATION)
    assert (lock.kind, lock.fire, lock.since_ms) == (Kind.LATCHED, True, 1)


class Locks(RuleBasedStateMachine):
    """People and rules at one station, in any order, with restarts."""

    people = st.sampled_from(["li", "wang", "zhao"])
    subjects = st.sampled_from([None, 1, 2])
    rule_ids = st.sampled_from(["R02", "R07"])

    def __init__(self) -> None:
        """Nothing is locked."""
        super().__init__()
        self.book = LockBook()
        self.now = 0
        self.locked: dict[int | None, set[str]] = {}
        self.fire: set[int | None] = set()
        self.approved: dict[int | None, set[str]] = {}
        self.stored: dict[tuple[int | None, str, int], Lockout] = {}

    def _store(self) -> None:
        for lock in self.book.changed():
            self.stored[lock.socket, lock.rule, lock.since_ms] = lock

    @rule(socket=subjects, rule_id=rule_ids, fire=st.booleans())
    def lock(self, socket: int | None, rule_id: str, *, fire: bool) -> None:
        """A finding locks the subject."""
        self.now += 1
        _lock(self.book, socket, rule_id=rule_id, fire=fire, at=self.now)
        self.locked.setdefault(socket, set()).add(rule_id)
        self.approved.pop(socket, None)
        if fire:
            self.fire.add(socket)
        self._store()

    @rule(socket=subjects, by=people, reason=st.sampled_from(["", "seen"]), dangerous=st.booleans())
    def release(self, socket: int | None, by: str, reason: str, *, dangerous: bool) -> None:
        """A person asks to release the subject; compare with what a plain reading expects."""
        self.now += 1
        outcome = _release(self.book, by, reason, socket, dangerous=dangerous, at=self.now)
        self._store()
        approvers = self.approved.get(socket, set())
        if socket not in self.locked:
            expected = Outcome.NOT_LOCKED
        elif not reason:
            expected = Outcome.REASON_MISSING
        elif dangerous:
            expected = Outcome.STILL_DANGEROUS
        elif socket in self.fire and not approvers:
            expected = Outcome.NEEDS_SECOND_PERSON
            self.approved[socket] = {by}
        elif socket in self.fire and approvers == {by}:
            expected = Outcome.SAME_PERSON
        else:
            expected = Outcome.RELEASED
            del self.locked[socket]
            self.fire.discard(socket)
            self.approved.pop(socket, None)
        assert outcome is expected

    @rule()
    def restart(self) -> None:
        """The backend dies and comes back with what was stored."""
        self.book = LockBook()
        self.book.restore(self.stored.values())

    @invariant()
    def locked_is_what_nobody_released(self) -> None:
        """Exactly the subjects that were locked and not rightly released."""
        expected = [1, 2] if None in self.locked else sorted(s for s in self.locked if s)
        assert self.book.locked_sockets(STATION, 2) == expected


Locks.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestLocks = Locks.TestCase
TestLocks.__doc__ = (
    "Nothing is released without a reason, without danger gone, or by one after fire."
)
