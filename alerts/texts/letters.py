"""Texts with room: e-mail and group robots. One fact per line, the title says the worst of it."""

from collections.abc import Iterator

from alerts.incidents.model import Kind
from alerts.outbox.model import Facts, Text
from alerts.texts.carriers import clean
from alerts.texts.places import places
from alerts.texts.words import form, local, outcome, step, value, words
from rules import texts
from rules.reasons import Reason
from rules.texts import Lang


def letter(facts: Facts, lang: Lang) -> Text:
    """A text with a title; no variables, because nobody files it."""
    head = words(lang)["titles"][facts.kind.value]
    place = next(places(facts, lang))
    seen = "" if facts.kind is Kind.STORM else value(facts, lang)
    title = " ".join(part for part in (head, place, seen, clean(facts.number)) if part)
    return Text("\n".join([title, *_lines(facts, lang, place)]), {}, title)


def _lines(facts: Facts, lang: Lang, place: str) -> Iterator[str]:
    at = local(facts.at_ms, facts.timezone)
    told = {
        "place": place,
        "time": f"{at:%Y-%m-%d %H:%M:%S} ({at.tzname()})",
        "step": step(facts, lang) if facts.kind is Kind.ESCALATION else "",
        "what": _seen(facts, lang),
        "outcome": _done(facts, lang),
        "do": words(lang)["do"][facts.kind.value],
        "others": " ".join(number for number in facts.others if number != facts.number),
        "number": facts.number,
        "link": f"https://{facts.link}" if facts.link else "",
    }
    labels = words(lang)["labels"]
    for name, said in told.items():
        if said:
            yield form(lang, "label", label=labels[name], value=said)


def _done(facts: Facts, lang: Lang) -> str:
    if facts.kind is Kind.STORM:
        return outcome(facts.kind, facts.outcome, lang)
    said: str = words(lang)["outcome"]["long"][facts.outcome.value]
    return said


def _seen(facts: Facts, lang: Lang) -> str:
    """The rule's sentence about its evidence; the short word where the reason is not known."""
    if facts.kind is Kind.STORM:
        return ""
    if facts.values.get("drill"):
        return form(lang, "drill")
    if facts.reason not in Reason.__members__.values():
        return value(facts, lang)
    return " ".join(texts.text(facts.reason, lang, facts.evidence).split())
