"""Access to the golden vectors."""

import json
from dataclasses import dataclass
from pathlib import Path

from iot.topics import Channel

VECTORS = Path(__file__).parent / "vectors"


@dataclass(frozen=True)
class Vector:
    """One file of the index."""

    file: str
    channel: Channel
    reason: str | None

    @property
    def body(self) -> bytes:
        """The bytes on the wire."""
        return (VECTORS / self.file).read_bytes()

    def __str__(self) -> str:
        """The name in a test's id."""
        return Path(self.file).stem


def vectors(kind: str) -> list[Vector]:
    """All ``valid`` or all ``invalid`` ones."""
    index = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))
    return [Vector(v["file"], Channel(v["channel"]), v.get("reason")) for v in index[kind]]
