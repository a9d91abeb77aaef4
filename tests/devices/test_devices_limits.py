"""The limits document: a new version when, and only when, it says something new."""

from devices.limits import Desired, LimitsBook
from devices.orders import Intervals, Trips

STATION = "cmrj-01"
TRIPS, INTERVALS = Trips(), Intervals()


def test_a_change_makes_a_higher_version() -> None:
    """The same content again is no change; a lock and its end are."""
    book = LimitsBook()
    assert book.desire(STATION, TRIPS, INTERVALS, [], 1) == Desired(
        STATION, 1, TRIPS, INTERVALS, (), 1
    )
    assert book.desire(STATION, TRIPS, INTERVALS, [], 2) is None
    locked = book.desire(STATION, TRIPS, INTERVALS, [7, 3, 7], 3)
    assert locked is not None
    assert (locked.version, locked.locked) == (3, (3, 7))
    free = book.desire(STATION, TRIPS, INTERVALS, [], 4)
    assert free is not None
    assert (free.version, free.locked) == (4, ())
    hotter = book.desire(STATION, Trips(socket_c=85), INTERVALS, [], 5)
    assert hotter is not None
    assert hotter.version == 5


def test_the_version_goes_on_after_a_restart() -> None:
    """A document with an old number would not be heard."""
    book = LimitsBook()
    book.desire(STATION, TRIPS, INTERVALS, [1], 1)
    again = LimitsBook()
    again.restore(book.changed())
    assert again.desire(STATION, TRIPS, INTERVALS, [1], 2) is None
    next_one = again.desire(STATION, TRIPS, INTERVALS, [], 3)
    assert next_one is not None
    assert next_one.version == 3


def test_a_document_that_was_never_stored_keeps_its_number_to_itself() -> None:
    """A crash between publishing and storing: the next document is newer than the lost one."""
    before = LimitsBook()
    lost = before.desire(STATION, TRIPS, INTERVALS, [4], 1_000)
    after = LimitsBook()
    next_one = after.desire(STATION, TRIPS, INTERVALS, [5], 2_000)
    assert lost is not None
    assert next_one is not None
    assert next_one.version > lost.version


def test_a_station_ahead_of_us_lifts_our_version() -> None:
    """After a lost database the station has a higher number: ours must become higher still."""
    book = LimitsBook()
    book.desire(STATION, TRIPS, INTERVALS, [2], 1)
    lifted = book.on_reported(STATION, 40, 9)
    assert lifted == Desired(STATION, 41, TRIPS, INTERVALS, (2,), 9)
    assert book.current(STATION) == lifted
    assert book.on_reported(STATION, 41, 10) is None
    assert book.on_reported(STATION, 0, 10) is None
    assert book.on_reported("unknown-1", 5, 10) is None


def test_changes_are_handed_out_once_in_their_newest_form() -> None:
    """What is stored is the last document, not each one on the way."""
    book = LimitsBook()
    book.desire(STATION, TRIPS, INTERVALS, [1], 1)
    book.desire(STATION, TRIPS, INTERVALS, [1, 2], 2)
    assert [d.version for d in book.changed()] == [2]
    assert book.changed() == []
