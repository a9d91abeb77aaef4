"""The curves of a report: frozen readings around the incident, with limits and moments."""

from collections.abc import Iterator, Mapping
from typing import Final

from alerts.evidence import moments
from alerts.evidence.attachments import Attachment, Kind
from alerts.evidence.case import Case
from alerts.evidence.frozen import Frozen
from alerts.evidence.readings import Readings, Window, plots, read
from alerts.evidence.tasks import AROUND_MS, Part
from alerts.evidence.texts import both
from alerts.paper.curves import draw
from alerts.paper.fonts import Face
from alerts.paper.ink import Ink
from alerts.paper.pages import Block

_LETTERS: Final = "ABCDE"


class Charts:
    """Draws the readings of one case. Blocking."""

    def __init__(self, case: Case, frozen: Frozen, face: Face, ink: Ink) -> None:
        """In the face and with the ink of the report."""
        self._case = case
        self._frozen = frozen
        self._face = face
        self._ink = ink
        self._clock = moments.wall_clock(case)

    def blocks(self) -> Iterator[Block]:
        """Temperature, box and power of each station; a sentence where there is nothing to draw."""
        found = self._newest_frames()
        if found is None:
            yield self._ink.text(both("line.no_frames"))
            return
        attachment, by_station = found
        if not attachment.detail.get("complete", True):
            yield self._ink.text(both("line.incomplete"))
        for station, readings in by_station.items():
            yield from self._station_curves(station, readings, attachment)

    def _station_curves(
        self, station: str, readings: Readings, attachment: Attachment
    ) -> Iterator[Block]:
        opened_ms = int(attachment.detail["opened_ms"])
        marked = self._marks(station)
        letters = [(at, letter) for (at, _), letter in zip(marked, _LETTERS, strict=False)]
        window = Window(opened_ms - AROUND_MS, opened_ms + AROUND_MS, letters)
        said = ", ".join(
            f"{letter} {both(f'mark.{name}')}"
            for (_, name), letter in zip(marked, _LETTERS, strict=False)
        )
        concerned = {r["socket"] for r in self._case.findings if r["station_id"] == station}
        limit = self._limit(station)
        drawings = plots(readings, window, concerned, limit)
        yield self._ink.text(f"{station} {self._case.place.station(station)}")
        for name, plot in drawings.items():
            plain = "_plain" if name == "temperature" and limit is None else ""
            yield draw(plot, self._face, lambda at_ms: self._clock(at_ms)[11:16])
            yield self._ink.small(both(f"line.curve_{name}{plain}", limit=limit, marks=said))

    def _newest_frames(self) -> tuple[Attachment, Mapping[str, Readings]] | None:
        """The frames of the whole window, else the first ones; None when there are none to read."""
        kept = [a for a in self._case.attachments if a.kind is Kind.FRAMES]
        whole = [a for a in kept if a.name.startswith(f"{Part.FRAMES.value}-")]
        for attachment in (*reversed(whole), *reversed(kept)):
            if attachment.name in self._frozen.damaged:
                continue
            path = self._frozen.files.path(self._case.number, attachment.name)
            by_station = {s: read(path, s) for s in self._case.stations}
            if any(by_station.values()):
                return attachment, {s: r for s, r in by_station.items() if r}
        return None

    def _marks(self, station: str) -> list[tuple[int, str]]:
        row = self._case.incident
        marks = [(row["first_ms"], "opened")]
        cuts = [c for c in self._case.commands if c["station_id"] == station]
        cuts = [c for c in cuts if c["action"].startswith("cut")]
        if cuts:
            marks.append((cuts[0]["issued_ms"], "ordered"))
        marks += [(c["proven_ms"], "proven") for c in cuts if c["proven_ms"] is not None][:1]
        marks += [(row[f"{n}_ms"], n) for n in ("acknowledged", "on_site") if row[f"{n}_ms"]]
        return sorted(marks)

    def _limit(self, station: str) -> float | None:
        """The temperature limit that the finding names."""
        for row in self._case.findings:
            limit = row["evidence"].get("limit_c")
            if row["station_id"] == station and limit is not None:
                return float(limit)
        return None
