"""From facts to the text a person reads or hears.

An SMS is one segment: the place is shortened until it fits, never the number, the reading, the
outcome or what is to be done. A text of two segments comes only when even the shortest place does
not fit, which takes a signature longer than ``SIGNATURE``: an alarm is rather too long than
unsaid.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from alerts.channels.port import Channel
from alerts.incidents.model import Kind
from alerts.outbox.model import Facts, Text
from alerts.texts.carriers import clean
from alerts.texts.letters import letter
from alerts.texts.places import LIMIT, places
from alerts.texts.segments import ONE, signed, units
from alerts.texts.templates import fill, templates, variables
from alerts.texts.words import form, local, outcome, spelled, spoken, spoken_outcome, step, value
from rules.texts import Lang

SIGNATURE: Final = 6
"""Characters of a signature with which every text fits one segment, numbers up to F99999."""
LINK: Final = 39
"""Characters of a link, without its scheme, with which the kind LINK fits one segment too."""

Params = dict[str, str]


def render(facts: Facts, lang: Lang | str, channel: Channel, *, signature: str) -> Text:
    """The text of ``facts``, without the signature, and the variables of its template.

    Two texts whose kind, number, step or local time to the second differ, differ. Variables are
    empty for e-mail and robots, which have no template.

    Raises:
        ValueError: kind LINK without a link of the form ``host/token``.

    """
    lang = Lang(lang)
    if channel not in (Channel.SMS, Channel.VOICE):
        return letter(facts, lang)
    template = templates(lang, channel)[facts.kind]
    names = variables(template)
    if channel is Channel.VOICE:
        params = _only(names, _said(facts, lang) | {"place": next(places(facts, lang))})
        return Text(fill(template, params), params)
    return _fitted(template, _written(facts, lang), facts, lang, signature)


def _fitted(template: str, base: Params, facts: Facts, lang: Lang, signature: str) -> Text:
    """The fullest text of one segment, with the link where it still fits."""
    names = variables(template)
    text = Text("", {})
    for attempt in _attempts(base, facts, lang):
        params = _only(names, attempt)
        text = Text(fill(template, params), params)
        if _fits(text.body, signature):
            break
    number = f"{text.params['number']} {facts.link}"
    if facts.kind is Kind.LINK or not facts.link or units(number) > LIMIT:
        return text
    params = {**text.params, "number": number}
    linked = Text(fill(template, params), params)
    return linked if _fits(linked.body, signature) else text


def _attempts(base: Params, facts: Facts, lang: Lang) -> Iterator[Params]:
    """Variables, the fullest first; the last is the shortest there is."""
    if facts.kind is Kind.LINK:
        yield from _links(base, facts, lang)
        return
    for place in places(facts, lang):
        if facts.kind is Kind.STORM:
            yield from (base | {"place": place, "numbers": n} for n in _numbers(facts, lang))
        else:
            yield base | {"place": place}


def _written(facts: Facts, lang: Lang) -> Params:
    at = local(facts.at_ms, facts.timezone)
    return _common(facts, lang) | {
        "number": clean(facts.number),
        "time": form(lang, "time", t=at),
        "value": value(facts, lang),
    }


def _said(facts: Facts, lang: Lang) -> Params:
    at = local(facts.at_ms, facts.timezone)
    return _common(facts, lang) | {
        "outcome": spoken_outcome(facts.outcome, lang),
        "number": spelled(clean(facts.number), lang),
        "time": form(lang, "spoken_time", t=at),
        "value": spoken(value(facts, lang), lang),
    }


def _common(facts: Facts, lang: Lang) -> Params:
    return {
        "outcome": outcome(facts.kind, facts.outcome, lang),
        "step": step(facts, lang),
        "count": str(len(_others(facts))),
    }


def _links(base: Params, facts: Facts, lang: Lang) -> Iterator[Params]:
    """A link is never shortened; where it is and since when are said as far as there is room."""
    host, slash, token = facts.link.rpartition("/")
    if not (host and slash and token):
        msg = "a LINK text needs a link of the form host/token"
        raise ValueError(msg)
    link = base | {"host": host, "token": token}
    joined = form(lang, "comma").join
    told = [joined((base["number"], place, base["time"])) for place in places(facts, lang)]
    for number in (*told, joined((base["number"], base["time"])), base["number"]):
        if units(number) <= LIMIT:
            yield link | {"number": number}


def _numbers(facts: Facts, lang: Lang) -> Iterator[str]:
    """The numbers of the other incidents, as many as a variable holds, then fewer."""
    others = _others(facts) or (clean(facts.number),)
    more = partial(form, lang, "more")
    for shown in range(len(others), 0, -1):
        numbers = " ".join(others[:shown])
        said = numbers if shown == len(others) else more(shown=numbers)
        if units(said) <= LIMIT:
            yield said


def _others(facts: Facts) -> tuple[str, ...]:
    return tuple(clean(number) for number in facts.others if number != facts.number)


def _only(names: tuple[str, ...], params: Mapping[str, str]) -> Params:
    return {name: params[name] for name in names}


def _fits(body: str, signature: str) -> bool:
    return units(signed(body, signature)) <= ONE
