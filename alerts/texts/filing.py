"""What one files with the providers: every template, an example, and how long it is."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from alerts.channels.port import Channel
from alerts.incidents.model import Kind
from alerts.outbox.model import Facts, Outcome
from alerts.texts.render import render
from alerts.texts.segments import Route, count
from alerts.texts.templates import FILED, templates, variables
from rules.texts import Lang

EXAMPLE: Final = Facts(
    kind=Kind.FIRE,
    number="F3021",
    at_ms=1_764_050_602_000,  # 2025-11-25 14:03:22 in Hangzhou
    timezone="Asia/Shanghai",
    site_zh="蔡马人家",
    site_en="Caimarenjia",
    area_zh="东区",
    area_en="East quarter",
    station="cmrj-01",
    station_zh="1幢北侧车棚",
    station_en="Shed north of Building 1",
    socket=5,
    rule="R02",
    reason="socket_hot",
    evidence={"temp_c": 82.4},
    outcome=Outcome.PROVEN,
    step="acknowledge",
    others=("F3022", "F3023", "F3024"),
    link="a.example.cn/l/Xk3v9QmT2bLs",
)


@dataclass(frozen=True, slots=True)
class Filing:
    """One template to file. ``characters``: of the example with its signature."""

    kind: Kind
    lang: Lang
    channel: Channel
    template: str
    variables: tuple[str, ...]
    example: str
    characters: int


def filings(signature: str) -> Iterator[Filing]:
    """Every template of every kind, language and channel that has any."""
    for channel in FILED:
        for lang in Lang:
            for kind, template in templates(lang, channel).items():
                text = render(replace(EXAMPLE, kind=kind), lang, channel, signature=signature)
                sign = signature if channel is Channel.SMS else ""
                yield Filing(
                    kind=kind,
                    lang=lang,
                    channel=channel,
                    template=template,
                    variables=variables(template),
                    example=text.body,
                    characters=count(text.body, sign, Route.CARRIER).characters,
                )


def page(signature: str) -> str:
    """The filings as a Markdown page."""
    lines = [_HEAD.format(signature=signature)]
    for channel in FILED:
        for lang in Lang:
            lines.append(f"## {_TITLES[channel]}, {_TITLES[lang]}\n")
            lines += [
                _section(filing)
                for filing in filings(signature)
                if (filing.channel, filing.lang) == (channel, lang)
            ]
    return "\n".join(lines)


def _section(filing: Filing) -> str:
    return (
        f"### `{filing.kind.value}`\n\n```\n{filing.template}\n```\n\n"
        f"Example ({filing.characters} characters): {filing.example}\n"
    )


_TITLES: Final = {
    Channel.SMS: "SMS 短信",
    Channel.VOICE: "Voice 语音",
    Lang.ZH: "Chinese 中文",
    Lang.EN: "English 英文",
}
_HEAD: Final = """\
# Message templates to file 短信与语音模板报备

This page is made by `chargeward texts --markdown`; a test compares it with the texts in force.

File each template with each provider exactly as it stands, as a *notification*, weeks before it
is needed: review takes days. The names in `${{...}}` are the variables we send; each has 1 to 35
characters and none stand beside each other. What the provider makes of template and variables is
exactly the text that is kept with the incident. The examples are counted with the signature
【{signature}】 as Chinese carriers count: every character is one, 70 are one message.

Each kind has its own template, because providers limit how often one template may go to one
number. Whether a reviewer accepts "119" and "℃" is for the provider to say; if not, change the
text in `alerts/texts/zh.toml` and file it again, never only at the provider. A signature of up to
6 characters leaves every text in one message.
"""
