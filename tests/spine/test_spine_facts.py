"""Facts as bytes: what was decided on is what a replay decides on."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.facts import FactsAt, dump_facts, load_facts
from rules.model import (
    AlarmFact,
    CutFailedFact,
    Fact,
    LinkFact,
    LockFact,
    RefusedFact,
    ReleaseFact,
)

TIMES = st.integers(0, 2**53)
TEXTS = st.text(max_size=80)
STATIONS = st.from_regex(r"[a-z0-9][a-z0-9-]{1,30}[a-z0-9]", fullmatch=True)
SOCKETS = st.none() | st.integers(1, 255)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
EVIDENCE = st.dictionaries(
    TEXTS, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | TEXTS, max_size=6
)

FACTS: st.SearchStrategy[Fact] = st.one_of(
    st.builds(
        AlarmFact,
        station=STATIONS,
        socket=SOCKETS,
        kind=TEXTS,
        active=st.booleans(),
        alarm_id=TEXTS,
        value=st.none() | NUMBERS,
        event_ms=TIMES,
        received_ms=TIMES,
    ),
    st.builds(
        CutFailedFact,
        station=STATIONS,
        socket=SOCKETS,
        ordered_ms=TIMES,
        at_ms=TIMES,
        evidence=EVIDENCE,
    ),
    st.builds(LinkFact, station=STATIONS, online=st.booleans(), received_ms=TIMES),
    st.builds(
        RefusedFact, station=STATIONS, in_row=st.integers(0, 2**31), reason=TEXTS, received_ms=TIMES
    ),
    st.builds(
        LockFact,
        station=STATIONS,
        locked=st.lists(st.integers(1, 255), max_size=12).map(tuple),
        at_ms=TIMES,
    ),
    st.builds(ReleaseFact, station=STATIONS, socket=SOCKETS, at_ms=TIMES),
)


@given(
    st.builds(
        FactsAt,
        now_ms=TIMES,
        facts=st.lists(FACTS, max_size=6).map(tuple),
        began_ms=st.none() | TIMES,
    )
)
def test_facts_come_back_as_they_were(facts: FactsAt) -> None:
    """Every kind, in order, with its types; and the bytes are one JSON document."""
    data = dump_facts(facts)
    assert load_facts(data) == facts
    assert orjson.dumps(orjson.loads(data)) == data


def test_a_tick_of_an_older_version_is_a_tick() -> None:
    """Journals written before ``began_ms`` was kept are replayed."""
    assert load_facts(b'{"now_ms":7,"facts":[]}') == FactsAt(7, ())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"now_ms":1}',
        b'{"facts":[]}',
        b'{"now_ms":1,"facts":[["FactOfTomorrow",{}]]}',
        b'{"now_ms":1,"facts":[["LinkFact",{"station":"a"}]]}',
        b'{"now_ms":1,"facts":[["LinkFact",{"station":"a","online":1,"received_ms":1,"x":1}]]}',
        b'{"now_ms":1,"facts":[7]}',
    ],
)
def test_other_bytes_are_an_error(data: bytes) -> None:
    """Never half a fact: the replay's edge logs it and goes on."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        load_facts(data)


def test_every_kind_of_fact_has_its_bytes() -> None:
    """A kind that the journal does not know would be lost in a crash."""
    kinds: tuple[type[Any], ...] = Fact.__args__
    builders = {AlarmFact, CutFailedFact, LinkFact, RefusedFact, LockFact, ReleaseFact}
    assert set(kinds) == builders
