"""Templates as the providers file them: fixed words around ``${variables}``.

A provider's rules are checked at the first use: a variable has 1 to 35 characters, two never
stand beside each other. What a provider makes of template and variables is exactly the text
that we froze, so both can be compared.
"""

from collections.abc import Mapping
from functools import cache
from string import Template
from typing import Final

from alerts.channels.port import Channel
from alerts.incidents.model import Kind
from alerts.texts.words import words
from rules.texts import Lang

FILED: Final = (Channel.SMS, Channel.VOICE)
"""The channels whose templates must be filed."""


@cache
def templates(lang: Lang | str, channel: Channel = Channel.SMS) -> Mapping[Kind, str]:
    """The template of every kind, with ``${variables}``; KeyError where none are filed."""
    table: Mapping[str, str] = words(Lang(lang))[channel.value]
    return {kind: table[kind.value] for kind in Kind}


def fill(template: str, params: Mapping[str, str]) -> str:
    """The text a provider makes of them; KeyError where a variable is missing."""
    return Template(template).substitute(params)


def variables(template: str) -> tuple[str, ...]:
    """The template's variables in their order."""
    return tuple(m["braced"] for m in Template.pattern.finditer(template) if m["braced"])
