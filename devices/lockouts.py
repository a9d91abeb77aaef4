"""Sockets that may not have power until a person has looked.

After the Wuhan fire of 2025-01-04 (warned and stopped, scanned again five minutes later,
burned) every safety cut latches: the lock stands in SQL and in the retained ``limits``
document, and the station obeys it even offline. Release needs a reason, and after a fire
alarm two different people. Nothing in here gives power back: a released socket may be
switched on again by the station's own business.

Pure: time and people are arguments, the caller stores what ``changed`` hands out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from devices.command_model import clean_reason


class Kind(StrEnum):
    """How a lockout ends."""

    LATCHED = "latched"  # only by a person
    TEMPORARY = "temporary"  # also when the finding that asked for it clears


class Outcome(StrEnum):
    """What became of a request to release."""

    RELEASED = "released"
    NEEDS_SECOND_PERSON = "needs_second_person"  # noted; another person must confirm
    SAME_PERSON = "same_person"  # the second approval came from the first person
    REASON_MISSING = "reason_missing"
    NOT_LOCKED = "not_locked"
    STILL_DANGEROUS = "still_dangerous"  # a danger stands on the subject

    @property
    def released(self) -> bool:
        """Whether the subject is free now."""
        return self is Outcome.RELEASED


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word that the subject may be used again."""

    by: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Lockout:
    """One rule's lock on one subject; a subject may carry several. Times are UTC ms."""

    station: str
    socket: int | None  # from 1; None = the whole station
    kind: Kind
    rule: str
    reason: str
    fire: bool
    since_ms: int
    approvals: tuple[Approval, ...] = ()
    released_ms: int | None = None

    @property
    def active(self) -> bool:
        """Whether it still forbids power."""
        return self.released_ms is None


_Key = tuple[int | None, str]  # socket, rule


class LockBook:
    """Every lockout that stands, by station."""

    def __init__(self) -> None:
        """An empty book; ``restore`` fills it after a restart."""
        self._active: dict[str, dict[_Key, Lockout]] = {}
        self._changed: dict[tuple[str, int | None, str, int], Lockout] = {}

    def add(  # noqa: PLR0913 - a lockout is this many facts, all by name
        self,
        station: str,
        socket: int | None,
        *,
        kind: Kind,
        rule: str,
        reason: str,
        fire: bool,
        now_ms: int,
    ) -> bool:
        """Lock the subject for ``rule``; whether anything changed.

        A rule that locks again what it holds already makes it stricter where it can (latched
        over temporary, fire over not). Any new lock voids the approvals that were given to
        its subject before this danger was known.
        """
        for other in self.active(station, socket):
            if other.approvals:
                self._put(replace(other, approvals=()))
        old = self._active.get(station, {}).get((socket, rule))
        if old is None:
            self._put(Lockout(station, socket, kind, rule, clean_reason(reason), fire, now_ms))
            return True
        latched = Kind.LATCHED in (old.kind, kind)
        new = replace(
            old,
            kind=Kind.LATCHED if latched else Kind.TEMPORARY,
            fire=old.fire or fire,
        )
        if new == old:
            return False
        self._put(new)
        return True

    def release(  # noqa: PLR0913 - who, what, why and when, all by name
        self,
        station: str,
        socket: int | None,
        *,
        by: str,
        reason: str,
        dangerous: bool,
        now_ms: int,
    ) -> Outcome:
        """Release every lock on exactly this subject, if ``by`` may.

        ``dangerous`` says whether an open finding of danger stands on it. The outcome is the
        metric label and the API field; a lock on the station stays when a socket is released.
        """
        locks = self.active(station, socket)
        if not locks:
            return Outcome.NOT_LOCKED
        if not reason.strip():
            return Outcome.REASON_MISSING
        if dangerous:
            return Outcome.STILL_DANGEROUS
        approval = Approval(by, clean_reason(reason.strip()), now_ms)
        if any(lock.fire for lock in locks):
            approvers = {a.by for lock in locks for a in lock.approvals}
            if not approvers:
                for lock in locks:
                    self._put(replace(lock, approvals=(approval,)))
                return Outcome.NEEDS_SECOND_PERSON
            if approvers == {by}:
                return Outcome.SAME_PERSON
        for lock in locks:
            self._end(replace(lock, approvals=(*lock.approvals, approval), released_ms=now_ms))
        return Outcome.RELEASED

    def lift(self, station: str, socket: int | None, rule: str, now_ms: int) -> bool:
        """End the temporary lock of a finding that cleared; a latched one stays."""
        lock = self._active.get(station, {}).get((socket, rule))
        if lock is None or lock.kind is Kind.LATCHED:
            return False
        self._end(replace(lock, released_ms=now_ms))
        return True

    def active(self, station: str, socket: int | None) -> tuple[Lockout, ...]:
        """The locks on exactly this subject."""
        return tuple(lock for (s, _), lock in self._active.get(station, {}).items() if s == socket)

    def of_station(self, station: str) -> tuple[Lockout, ...]:
        """All locks at the station, on itself and on its sockets, oldest first."""
        return tuple(self._active.get(station, {}).values())

    def __iter__(self) -> Iterator[Lockout]:
        """All locks that stand."""
        for locks in self._active.values():
            yield from locks.values()

    def locked_sockets(self, station: str, sockets: int) -> list[int]:
        """The sockets, from 1 and ascending, that may not have power; ``sockets`` exist."""
        locked = {s for s, _ in self._active.get(station, {})}
        if None in locked:
            return list(range(1, sockets + 1))
        return sorted(s for s in locked if s is not None and s <= sockets)

    def changed(self) -> list[Lockout]:
        """Lockouts to store, each in its newest form; handed out once, keep until committed."""
        out = list(self._changed.values())
        self._changed.clear()
        return out

    def restore(self, lockouts: Iterable[Lockout]) -> None:
        """Take over what was stored before a restart."""
        for lock in lockouts:
            if lock.active:
                self._active.setdefault(lock.station, {})[lock.socket, lock.rule] = lock

    def _put(self, lock: Lockout) -> None:
        self._active.setdefault(lock.station, {})[lock.socket, lock.rule] = lock
        self._changed[lock.station, lock.socket, lock.rule, lock.since_ms] = lock

    def _end(self, lock: Lockout) -> None:
        self._changed[lock.station, lock.socket, lock.rule, lock.since_ms] = lock
        locks = self._active[lock.station]
        del locks[lock.socket, lock.rule]
        if not locks:
            del self._active[lock.station]
