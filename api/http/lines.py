"""The lists on an officer's page: orders, deadlines, who was told, what happened, what is now."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from alerts.incidents.model import Incident
from alerts.incidents.plans import DeadlineName
from alerts.incidents.store import Deadline, Event
from alerts.outbox.model import MessageState
from api.http.cases import Sent
from api.http.moments import Line, Mark, Reader
from devices.command_model import CUTS, CommandRecord, State
from devices.orders import Action
from rules.views import Reading, SocketView, StationView

_STALE: Final = "stale"
_VALID: Final = "valid"
_DASH: Final = "–"
_MOST_EVENTS: Final = 15
_MOST_TOLD: Final = 8
_MOST_CUTS: Final = 6
_DONE: Final[Mapping[str, Callable[[Incident], int | None]]] = {
    DeadlineName.ACKNOWLEDGE: lambda incident: incident.acknowledged_ms,
    DeadlineName.ON_SITE: lambda incident: incident.on_site_ms,
    DeadlineName.REPORT: lambda incident: incident.reported_ms,
}
_MESSAGE_MARKS: Final = {
    MessageState.DELIVERED: Mark.GOOD,
    MessageState.ACCEPTED: Mark.INFO,
    MessageState.SENDING: Mark.INFO,
    MessageState.BUNDLED: Mark.INFO,
    MessageState.QUEUED: Mark.WARN,
    MessageState.UNDELIVERED: Mark.ALARM,
    MessageState.FAILED: Mark.ALARM,
}
_EVENT_MARKS: Final = {
    "opened": Mark.ALARM,
    "joined": Mark.ALARM,
    "raised": Mark.ALARM,
    "again": Mark.ALARM,
    "cut_failed": Mark.ALARM,
    "deadline_missed": Mark.WARN,
    "undelivered": Mark.WARN,
    "call_unanswered": Mark.WARN,
    "no_receipt": Mark.WARN,
    "delivered": Mark.GOOD,
    "nobody_to_tell": Mark.WARN,
    "cut_proven": Mark.GOOD,
    "finding_cleared": Mark.GOOD,
    "cleared": Mark.GOOD,
}


def cuts(reader: Reader, orders: Sequence[CommandRecord], here: frozenset[str]) -> list[Line]:
    """What was cut ``here`` and whether it worked, newest first; elsewhere only the counts."""
    newest: dict[tuple[str, int | None], CommandRecord] = {}
    for order in orders:
        if order.action in CUTS:
            newest.setdefault((order.station, order.socket), order)
    near = [order for (station, _), order in newest.items() if station in here]
    far = [order for (station, _), order in newest.items() if station not in here]
    lines = [_cut(reader, order) for order in near[:_MOST_CUTS]]
    if far:
        lines.append(_elsewhere(reader, far))
    return lines or [Line(Mark.WARN, reader.say("cut.none"))]


def _cut(reader: Reader, order: CommandRecord) -> Line:
    whole = order.action is Action.CUT_STATION
    what = reader.say(
        "cut.what_station" if whole else "cut.what_socket",
        station=order.station,
        socket=order.socket,
    )
    word, mark = _outcome(order)
    watts = _DASH if order.proof_w is None else f"{order.proof_w:.1f}"
    text = reader.say(f"cut.{word}", what=what, watts=watts)
    if order.by is not None:
        text += reader.say("cut.by_person", name=reader.who(order.by))
    return Line(mark, text, reader.clock(order.proven_ms or order.ended_ms or order.issued_ms))


def _outcome(order: CommandRecord) -> tuple[str, Mark]:
    """Only a measurement is a success; an order that ended any other way has failed."""
    if order.state is State.PROVEN:
        return "proven", Mark.GOOD
    return ("failed", Mark.ALARM) if order.state.ended else ("waiting", Mark.WARN)


def _elsewhere(reader: Reader, orders: Sequence[CommandRecord]) -> Line:
    worst: dict[str, str] = {}
    for order in orders:
        word = _outcome(order)[0]
        worst[order.station] = max(worst.get(order.station, word), word, key=_BADNESS.index)
    counts = Counter(worst.values())
    mark = Mark.ALARM if counts["failed"] else Mark.WARN if counts["waiting"] else Mark.GOOD
    said = {word: counts[word] for word in _BADNESS}
    return Line(mark, reader.say("cut.others", count=len(worst), **said))


_BADNESS: Final = ("proven", "waiting", "failed")


def deadlines(reader: Reader, incident: Incident, rows: Iterable[Deadline]) -> list[Line]:
    """The deadlines of this round; the steps of the response plan are not people's."""
    return [
        _deadline(reader, row, _DONE[row.step](incident))
        for row in rows
        if row.round == incident.round and row.step in _DONE
    ]


def _deadline(reader: Reader, row: Deadline, done_ms: int | None) -> Line:
    label = reader.say(f"deadline.{row.step}")
    if done_ms is not None:
        late = done_ms > row.due_ms
        word, mark = ("late", Mark.WARN) if late else ("met", Mark.GOOD)
        return _due(reader, label, mark, word, time=reader.clock(done_ms))
    time = reader.clock(row.due_ms)
    left_ms = row.due_ms - reader.now_ms
    if row.state == "missed":
        return _due(reader, label, Mark.ALARM, "missed", time=time)
    if row.state != "due":
        return _due(reader, label, Mark.QUIET, "off")
    if left_ms < 0:
        return _due(reader, label, Mark.ALARM, "overdue", time=time, span=reader.span(-left_ms))
    return _due(reader, label, Mark.WARN, "due", time=time, span=reader.span(left_ms))


def _due(reader: Reader, label: str, mark: Mark, word: str, **values: str) -> Line:
    return Line(mark, reader.say(f"deadline.{word}", **values), label)


def told(reader: Reader, incident: Incident, messages: Sequence[Sent]) -> list[Line]:
    """Who was told in this round, by which way, and whether it arrived; newest word each."""
    newest: dict[tuple[str, str], Sent] = {}
    for sent in messages:
        if sent.message.round == incident.round and sent.message.state in _MESSAGE_MARKS:
            newest[sent.message.person, sent.message.channel] = sent
    return [
        Line(
            _MESSAGE_MARKS[sent.message.state],
            f"{reader.who(person)} · {reader.say(f'channel.{channel}')} "
            f"{reader.say(f'message.{sent.message.state}')}",
        )
        for (person, channel), sent in list(newest.items())[:_MOST_TOLD]
    ]


def events(reader: Reader, happened: Sequence[Event]) -> list[Line]:
    """What happened, newest first; presses of a button that had been pressed are left out."""
    shown = [event for event in reversed(happened) if not event.detail.get("again")]
    return [_event(reader, event) for event in shown[:_MOST_EVENTS]]


def _event(reader: Reader, event: Event) -> Line:
    detail = event.detail
    key = "opened_drill" if event.kind == "opened" and detail.get("drill") else event.kind
    known = reader.say.has(f"event.{key}")
    text = reader.say(f"event.{key}", **_values(reader, detail)) if known else event.kind
    if note := detail.get("note"):
        text = reader.say("page.pair", a=text, b=note)
    if event.actor != "system":
        text = f"{reader.who(event.actor)} · {text}"
    return Line(_EVENT_MARKS.get(event.kind, Mark.INFO), text, reader.clock(event.at_ms))


def _values(reader: Reader, detail: Mapping[str, Any]) -> dict[str, str]:
    """Everything any of the sentences names; what this event does not have is a dash."""
    watts = detail.get("proof_w")
    title = reader.rule(str(detail.get("rule", _DASH)))
    if detail.get("socket"):
        title = reader.say("page.inside", a=title, b=reader.socket(detail["socket"]))
    return {
        "title": title,
        "urgency": _word(reader, "urgency", detail.get("urgency")),
        "number": str(detail.get("into") or detail.get("incident") or _DASH),
        "what": reader.socket(detail.get("socket")),
        "watts": _DASH if watts is None else f"{watts:.1f}",
        "people": ", ".join(reader.who(person) for person in detail.get("people", ())) or _DASH,
        "reason": str(detail.get("reason", _DASH)),
        "deadline": _word(reader, "deadline", detail.get("deadline")),
        "cause": _word(reader, "cause", detail.get("cause")),
        "person": reader.who(str(detail.get("person", _DASH))),
        "channel": _word(reader, "channel", detail.get("channel")),
        "refusal": _word(reader, "refused", detail.get("refusal")),
    }


def _word(reader: Reader, group: str, word: object) -> str:
    key = f"{group}.{word}"
    return reader.say(key) if reader.say.has(key) else _DASH


def now(reader: Reader, box: StationView, socket: SocketView | None) -> list[Line]:
    """What the station measures now. A silent station's values are its last, and marked so."""
    silent = box.stale or box.offline
    lines = [Line(Mark.WARN, reader.say("now.silent"))] if silent else []
    if socket is not None:
        label = partial(reader.say, number=socket.socket)
        lines.append(_reading(reader, label("now.temp"), socket.temp_c, "℃", silent=silent))
        lines.append(_reading(reader, label("now.power"), socket.power_w, "W", silent=silent))
    lines.append(_reading(reader, reader.say("now.box"), box.enclosure_c, "℃", silent=silent))
    word = "unknown" if box.smoke is None else "smoke_yes" if box.smoke else "smoke_no"
    mark = Mark.ALARM if box.smoke else Mark.WARN if silent or box.smoke is None else Mark.INFO
    return [*lines, Line(mark, reader.say(f"now.{word}"), reader.say("now.smoke"))]


def _reading(reader: Reader, name: str, reading: Reading, unit: str, *, silent: bool) -> Line:
    """A value only where it is believed; no sensor is a warning, never a cool socket."""
    if reading.value is None or reading.truth not in {_VALID, _STALE}:
        return Line(Mark.WARN, reader.say("now.unknown"), name)
    mark = Mark.INFO if reading.truth == _VALID and not silent else Mark.WARN
    return Line(mark, f"{reading.value:.1f} {unit}", name)
