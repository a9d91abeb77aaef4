"""Facts as bytes: what the journal keeps beside the frames, so that a replay decides the same."""

from dataclasses import asdict, dataclass
from typing import Final

import orjson

from rules.model import (
    AlarmFact,
    CutFailedFact,
    Fact,
    LinkFact,
    LockFact,
    RefusedFact,
    ReleaseFact,
)

_KINDS: Final = {
    kind.__name__: kind
    for kind in (AlarmFact, CutFailedFact, LinkFact, RefusedFact, LockFact, ReleaseFact)
}


@dataclass(frozen=True, slots=True)
class FactsAt:
    """Facts that were stepped together at ``now_ms``; none at all means a tick of the clock.

    ``began_ms``: since when silence counted at that tick.
    """

    now_ms: int
    facts: tuple[Fact, ...]
    began_ms: int | None = None


def dump_facts(facts: FactsAt) -> bytes:
    """JSON bytes of ``facts``."""
    rows = [[type(fact).__name__, asdict(fact)] for fact in facts.facts]
    return orjson.dumps({"now_ms": facts.now_ms, "facts": rows, "began_ms": facts.began_ms})


def load_facts(data: bytes) -> FactsAt:
    """The inverse of ``dump_facts``; ValueError, KeyError or TypeError for other bytes."""
    document = orjson.loads(data)
    facts: list[Fact] = []
    for kind, values in document["facts"]:
        if kind == LockFact.__name__:
            values["locked"] = tuple(values["locked"])
        facts.append(_KINDS[kind](**values))
    return FactsAt(document["now_ms"], tuple(facts), document.get("began_ms"))
