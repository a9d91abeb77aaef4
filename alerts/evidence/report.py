"""The printable report of an incident: a summary page, the timeline, curves, pictures, signatures.

In Chinese and English at once, because who signs and who reads later may not be the same.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from alerts.evidence import moments
from alerts.evidence.attachments import Attachment, Kind
from alerts.evidence.case import Case, Row
from alerts.evidence.charts import Charts
from alerts.evidence.errors import StillError
from alerts.evidence.frozen import Frozen
from alerts.evidence.images import check_still, printable
from alerts.evidence.proof import concerning
from alerts.evidence.texts import both, label, word
from alerts.incidents.plans import DeadlineName
from alerts.paper.fonts import Face
from alerts.paper.ink import Ink
from alerts.paper.pages import Block, Sheet, write

MOST_MOMENTS: Final = 400
"""Lines of the timeline that are printed; the pack has all."""
MOST_PICTURES: Final = 24


def render(case: Case, frozen: Frozen, face: Face, *, alone: bool = False) -> bytes:
    """The report as PDF; the same case gives the same bytes. Blocking: up to some seconds.

    ``alone``: it does not lie in a pack, and says so.
    """
    ink = Ink(face)
    writing = _Report(case, frozen, face, ink)
    sheet = Sheet(
        title=f"{both('report.product')} · {both('report.title')}",
        mark=case.number,
        foot=both("report.foot_alone" if alone else "report.foot"),
    )
    return write(sheet, list(writing.blocks()), face)


class _Report:
    def __init__(self, case: Case, frozen: Frozen, face: Face, ink: Ink) -> None:
        self._case = case
        self._frozen = frozen
        self._face = face
        self._ink = ink
        self._clock = moments.wall_clock(case)

    def blocks(self) -> Iterator[Block]:
        """All sections in their order."""
        yield from self._summary()
        yield from self._response()
        yield self._ink.page()
        yield self._ink.heading(both("section.curves"))
        yield from Charts(self._case, self._frozen, self._face, self._ink).blocks()
        yield from self._timeline()
        yield from self._pictures()
        yield from self._messages()
        yield from self._steps()
        yield from self._frozen_files()
        yield from self._audit()
        yield self._ink.heading(both("section.signatures"))
        yield self._ink.signatures([both(f"sign.{n}") for n in ("officer", "manager", "date")])

    def _summary(self) -> Iterator[Block]:
        case, ink = self._case, self._ink
        drill = f"{both('report.drill')} · " if case.incident["drill"] else ""
        yield ink.title(f"{drill}{both('report.title')} {case.number}")
        ended = moments.outcome(case)
        yield ink.banner(both(f"outcome.{ended}"), bad=ended != "proven")
        yield ink.gap()
        yield ink.facts(self._facts())
        yield ink.heading(both("section.found"))
        for row in case.findings:
            at = self._clock(row["raised_ms"])
            first = moments.sentence(row["transitions"][0]) if row["transitions"] else ""
            yield ink.text(f"{at}　{moments.heading(row)}: {first}")
        if not case.findings:
            yield ink.text(both("line.nothing"))

    def _facts(self) -> list[tuple[str, str]]:
        case, row, place = self._case, self._case.incident, self._case.place
        stations = "; ".join(f"{s} {place.station(s)}" for s in case.stations)
        cause = "" if row["cause"] is None else word("cause", row["cause"])
        said = {
            "site": place.written(place.site),
            "place": "" if place.area is None else place.written(place.area),
            "station": stations,
            "urgency": word("urgency", row["urgency"]),
            "state": word("state", row["state"]),
            "cause": cause,
            "opened": self._clock(row["first_ms"]),
        }
        for name in ("acknowledged", "on_site", "reported", "closed"):
            said[name] = self._since(row[f"{name}_ms"])
        said["round"] = str(row["round"])
        said["timezone"] = place.timezone
        said["rules"] = ", ".join(
            dict.fromkeys(
                version
                for a in case.attachments
                if a.kind is Kind.RULES
                for version in a.detail["versions"]
            )
        )
        anchor = case.audit.anchor
        pairs = [(label(f"fact.{name}"), text) for name, text in said.items()]
        return [*pairs, (label("fact.anchor"), "" if anchor is None else str(anchor))]

    def _since(self, at_ms: int | None) -> str:
        if at_ms is None:
            return both("fact.not_yet")
        seconds = (at_ms - self._case.incident["opened_ms"]) / 1000
        return f"{self._clock(at_ms)} ({both('line.after', seconds=f'{seconds:.0f}')})"

    def _deadlines(self) -> tuple[list[Row], list[Row]]:
        """What people had to do by when, and what the plan did when they had not."""
        ordered = sorted(self._case.deadlines, key=lambda d: (d["due_ms"], d["id"]))
        people = [d for d in ordered if d["step"] in set(DeadlineName)]
        steps = [d for d in ordered if d not in people]
        return people, steps

    def _response(self) -> Iterator[Block]:
        yield self._ink.heading(both("section.response"))
        yield from self._due(self._deadlines()[0], "settled")

    def _steps(self) -> Iterator[Block]:
        yield self._ink.heading(both("section.steps"))
        yield from self._due(self._deadlines()[1], "needed")

    def _due(self, rows: Sequence[Row], words: str) -> Iterator[Block]:
        lines = [
            [
                word("step", d["step"]),
                self._clock(d["due_ms"]),
                self._optional(d["settled_ms"]),
                word(words, d["state"]),
            ]
            for d in rows
        ]
        header = [label(f"column.{n}") for n in ("step", "due", "settled", "result")]
        yield from self._table(header, lines, (3, 2, 2, 1.5))

    def _timeline(self) -> Iterator[Block]:
        lines = moments.moments(self._case)
        rows = [[self._clock(m.at_ms)[5:], m.what, m.who] for m in lines[:MOST_MOMENTS]]
        yield self._ink.heading(both("section.timeline"))
        header = [label(f"column.{n}") for n in ("time", "what", "who")]
        yield from self._table(header, rows, (2, 8, 2))
        if len(lines) > MOST_MOMENTS:
            yield self._ink.small(both("line.more", count=len(lines) - MOST_MOMENTS))

    def _pictures(self) -> Iterator[Block]:
        kept = [a for a in self._case.attachments if a.kind in (Kind.STILL, Kind.PHOTO)]
        kept.sort(key=lambda a: (_taken_ms(a), a.name))
        yield self._ink.heading(both("section.stills"))
        shown = [picture for a in kept[:MOST_PICTURES] if (picture := self._picture(a))]
        if shown:
            yield self._ink.pictures(shown)
        else:
            yield self._ink.text(both("line.nothing"))
        if len(kept) > MOST_PICTURES:
            yield self._ink.small(both("line.more", count=len(kept) - MOST_PICTURES))

    def _picture(self, attachment: Attachment) -> tuple[bytes, str] | None:
        data = self._frozen.data(attachment)
        if data is None:
            return None
        try:
            check_still(data)
        except StillError:
            return None  # damaged on disk; the list of damaged files names it
        who = attachment.detail.get("camera") or self._person(attachment.by)
        at = self._clock(_taken_ms(attachment))
        return printable(data), f"{who} {at} {attachment.sha256[:16]}"

    def _messages(self) -> Iterator[Block]:
        rows = [
            [
                self._clock(row["first_sent_ms"] or row["created_ms"])[5:],
                f"{self._person(row['person_id'])} {row['address']}",
                f"{row['channel']} {row['provider'] or ''}",
                row["text"] or row["kind"],
                self._optional(row["accepted_ms"])[11:],
                f"{row['state']} {self._optional(row['delivered_ms'])[11:]}",
            ]
            for row in self._case.messages
        ]
        names = ("time", "to", "by_way", "text", "accepted", "delivered")
        yield self._ink.heading(both("section.messages"))
        yield from self._table([label(f"column.{n}") for n in names], rows, (3, 3, 2, 6, 2, 2.4))

    def _frozen_files(self) -> Iterator[Block]:
        rows = [[a.name, f"{a.bytes:,}", a.sha256] for a in self._case.attachments]
        header = [label(f"column.{n}") for n in ("file", "size", "digest")]
        yield self._ink.heading(both("section.files"))
        yield from self._table(header, rows, (6, 1.5, 8))
        for name in self._frozen.damaged:
            yield self._ink.text(both("line.damaged", name=name))
        missing = [s for s in self._case.tasks if s.state != "done"]
        if missing:
            yield self._ink.heading(both("section.missing"))
            lines = [[_wanted(s.what), word("freezing", s.state), s.error or ""] for s in missing]
            header = [label(f"column.{n}") for n in ("what", "result", "reason")]
            yield from self._table(header, lines, (4, 2, 5))

    def _audit(self) -> Iterator[Block]:
        links = self._case.audit.links
        mine = concerning(links)
        rows = [
            [
                str(link["seq"]),
                self._clock(link["at_ms"])[5:],
                self._person(link["actor"]),
                f"{link['action']} {link['subject']}",
            ]
            for link in mine[:MOST_MOMENTS]
        ]
        header = [label(f"column.{n}") for n in ("number", "time", "who", "action")]
        yield self._ink.heading(both("section.audit"))
        yield from self._table(header, rows, (1, 2, 2, 6))
        if len(mine) < len(links):
            yield self._ink.small(both("line.others", count=len(links) - len(mine)))

    def _table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]
    ) -> Iterator[Block]:
        yield (
            self._ink.table(header, rows, widths) if rows else self._ink.text(both("line.nothing"))
        )

    def _optional(self, at_ms: int | None) -> str:
        return "" if at_ms is None else self._clock(at_ms)

    def _person(self, name: Any) -> str:
        return self._case.people.get(name, str(name))


def _taken_ms(attachment: Attachment) -> int:
    return int(attachment.detail.get("fetched_ms", attachment.at_ms))


def _wanted(what: Any) -> str:
    camera = f" {what.camera} +{what.after_ms // 1000} s" if what.camera else ""
    return f"{what.part.value}{camera}"
