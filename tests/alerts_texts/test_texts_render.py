"""Texts: what they say, that one segment holds them, that no two are the same."""

import re
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.port import Channel
from alerts.incidents.model import Kind
from alerts.outbox.model import Facts, Outcome
from alerts.texts.carriers import violations
from alerts.texts.places import LIMIT, SHORTEST
from alerts.texts.render import SIGNATURE as LONGEST_SIGNATURE
from alerts.texts.render import render
from alerts.texts.segments import Route, count, units
from alerts.texts.templates import FILED, fill, templates, variables
from alerts.texts.words import VALUE_LIMIT, words
from rules.model import Evidence
from rules.reasons import Reason
from rules.texts import Lang
from tests.alerts_texts.texts_facts import SIGNATURE, WHOLE, facts

LANGS = st.sampled_from(Lang)
SIGNATURES = st.integers(2, LONGEST_SIGNATURE).map(lambda n: "安" * n)


@pytest.mark.parametrize(
    ("kind", "outcome", "text"),
    [
        (
            Kind.FIRE,
            Outcome.PROVEN,
            (
                "火警!蔡马人家东区1幢北侧车棚5号座,16:03:22,82℃,实测已断电。"
                "立即到场并视情拨119,回1确认。单号F3021"
            ),
        ),
        (
            Kind.FIRE,
            Outcome.FAILED,
            (
                "火警!东区1幢北侧车棚5号座,16:03:22,82℃,断电失败快拉总闸。"
                "立即到场并视情拨119,回1确认。单号F3021"
            ),
        ),
        (
            Kind.CUT,
            Outcome.ORDERED,
            (
                "断电告警:蔡马人家东区1幢北侧车棚5号座,16:03:22,82℃,已令断电待实测。"
                "请5分钟内到场,回1确认。单号F3021"
            ),
        ),
        (
            Kind.CUT_FAILED,
            Outcome.FAILED,
            (
                "断电失败!蔡马人家东区1幢北侧车棚5号座,16:03:22,82℃。"
                "立即拉总闸并到场,拨119,回1确认。单号F3021"
            ),
        ),
        (
            Kind.TROUBLE,
            Outcome.NONE,
            (
                "充电桩异常:蔡马人家东区1幢北侧车棚5号座,16:03:22,82℃,未断电。"
                "请当日查修,回1确认。单号F3021"
            ),
        ),
        (
            Kind.CLEARED,
            Outcome.PROVEN,
            (
                "报警解除:蔡马人家东区1幢北侧车棚5号座,16:03:22,原报82℃,实测已断电。"
                "请复核并上报。单号F3021"
            ),
        ),
        (
            Kind.ESCALATION,
            Outcome.PROVEN,
            (
                "升级:无人确认,蔡马人家东区1幢北侧车棚5号座,16:03:22,82℃,实测已断电。"
                "请立即处置,回1确认。单号F3021"
            ),
        ),
        (
            Kind.DRILL,
            Outcome.NONE,
            (
                "演练,非真火!蔡马人家东区1幢北侧车棚5号座,16:03:22,82℃,未断电。"
                "请按实战到场,回1确认。单号F3021"
            ),
        ),
        (
            Kind.LINK,
            Outcome.NONE,
            "处置链接cw.example.cn/l/abcdefghijklmnopqrstuv 10分钟内限用1次,单号F3021",
        ),
        (
            Kind.STORM,
            Outcome.FAILED,
            (
                "报警汇总:蔡马人家东区另有3起:F0012 F0013等,16:03:22,有断电失败快拉总闸。"
                "请逐一处置。单号F3021"
            ),
        ),
    ],
)
def test_the_chinese_sms_of_each_kind(kind: Kind, outcome: Outcome, text: str) -> None:
    """Place, reading, time, what was done and whether it worked, what to do, the number."""
    told = replace(WHOLE, kind=kind, outcome=outcome)
    assert render(told, "zh", Channel.SMS, signature=SIGNATURE).body == text


@pytest.mark.parametrize(
    ("kind", "outcome", "text"),
    [
        (
            Kind.FIRE,
            Outcome.PROVEN,
            "FIRE cmrj-01#5,16:03:22,82C,power off.Go,call 119.1=ack F3021",
        ),
        (
            Kind.FIRE,
            Outcome.FAILED,
            "FIRE cmrj-01#5,16:03:22,82C,NOT CUT!Pull main,119.1=ack F3021",
        ),
        (
            Kind.CUT_FAILED,
            Outcome.FAILED,
            "CUT FAILED cmrj-01#5,16:03:22,82C.Pull main,go,119.1=ack F3021",
        ),
        (Kind.ESCALATION, Outcome.NONE, "NO ACK cmrj-01#5,16:03:22,82C,not cut.Go.1=ack F3021"),
        (
            Kind.STORM,
            Outcome.FAILED,
            "3 more at Caimarenjia:F0012..,16:03:22,CUT FAILED.See each.F3021",
        ),
    ],
)
def test_the_english_sms_has_the_same_seventy_characters(
    kind: Kind, outcome: Outcome, text: str
) -> None:
    """Through a Chinese carrier a Latin letter costs as much as a Chinese one."""
    body = render(
        replace(WHOLE, kind=kind, outcome=outcome), "en", Channel.SMS, signature=SIGNATURE
    ).body
    assert body == text
    assert count(body, SIGNATURE, Route.CARRIER).segments == 1


@given(told=facts, lang=LANGS, signature=SIGNATURES)
def test_every_text_is_one_segment_of_accepted_characters(
    told: Facts, lang: Lang, signature: str
) -> None:
    """Whatever the names, the evidence and the outcome: 70 with the signature, nothing refused."""
    body = render(told, lang, Channel.SMS, signature=signature).body
    assert count(body, signature, Route.CARRIER).segments == 1
    assert violations(body) == ()


@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("kind", set(Kind) - {Kind.LINK})
def test_the_longest_of_every_kind_is_one_segment(kind: Kind, lang: Lang) -> None:
    """Every reason in its longest form with every outcome, longest number and signature."""
    longest = dict.fromkeys(("temp_c", "rise_k_120s", "rise_k_60s", "current_a", "value"), 99.0)
    longest |= {"elapsed_h": 99.0, "power_w": 9999.0, "silent": 999}
    signature = "安" * LONGEST_SIGNATURE
    for reason, outcome, step, evidence in product(
        Reason, Outcome, ("acknowledge", "on_site", "report"), ({}, longest)
    ):
        told = replace(
            WHOLE,
            kind=kind,
            number="F99999",
            station="a" * 32,
            reason=reason.value,
            outcome=outcome,
            step=step,
            evidence=dict(evidence),
            values={"minutes": 10**6},
        )
        text = render(told, lang, Channel.SMS, signature=signature)
        assert count(text.body, signature, Route.CARRIER).segments == 1, text.body
        assert len(text.params["place"]) >= SHORTEST


@given(told=facts, lang=LANGS, channel=st.sampled_from(FILED), signature=SIGNATURES)
def test_template_and_variables_make_exactly_the_text(
    told: Facts, lang: Lang, channel: Channel, signature: str
) -> None:
    """All variables are there, none is empty or longer than 35 characters."""
    text = render(told, lang, channel, signature=signature)
    template = templates(lang, channel)[told.kind]
    assert set(text.params) == set(variables(template))
    assert fill(template, text.params) == text.body
    assert [p for p in text.params.values() if not 1 <= units(p) <= LIMIT] == []


@given(one=facts, other=facts, lang=LANGS, signature=SIGNATURES)
def test_number_time_and_kind_make_every_text_its_own(
    one: Facts, other: Facts, lang: Lang, signature: str
) -> None:
    """Two messages that differ in one of them are never the same text."""
    one, other = replace(one, timezone="Asia/Shanghai"), replace(other, timezone="Asia/Shanghai")
    for changed in (
        replace(one, number=other.number),
        replace(one, kind=other.kind),
        replace(one, at_ms=one.at_ms + 1000),
    ):
        texts = [render(f, lang, Channel.SMS, signature=signature).body for f in (one, changed)]
        told_of_time = Kind.LINK not in (one.kind, changed.kind)  # its token is new each time
        if changed != one and (told_of_time or changed.at_ms == one.at_ms):
            assert texts[0] != texts[1]


@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("channel", FILED)
def test_templates_can_be_filed(lang: Lang, channel: Channel) -> None:
    """No variables beside each other, no character that is refused, one name once."""
    for template in templates(lang, channel).values():
        assert "}${" not in template
        assert violations(template) == ()
        assert len(set(variables(template))) == len(variables(template))


@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_value_word(lang: Lang, reason: Reason) -> None:
    """With its reading and without; the last phrase needs none and fits."""
    phrases = words(lang)["values"][reason.value]
    assert "{" not in phrases[-1]
    assert 1 <= len(phrases[-1]) <= VALUE_LIMIT


def test_both_languages_have_the_same_keys() -> None:
    """But for words that one language does not need: spoken units, digits, short outcomes."""
    free = {"spoken", "digits"}
    zh, en = words(Lang.ZH), words(Lang.EN)
    assert list(zh) == list(en)
    for section in set(zh) - free - {"outcome"}:
        assert list(zh[section]) == list(en[section])
    for kind in ("any", "spoken", "long"):
        assert list(zh["outcome"][kind]) == list(en["outcome"][kind]) == [*Outcome]


@pytest.mark.parametrize(
    ("reason", "evidence", "zh", "en"),
    [
        ("socket_hot", {"temp_c": 82.4}, "82℃", "82C"),
        ("socket_hot", {"temp_c": None}, "插座过热", "hot"),
        ("socket_hot", {"temp_c": float("nan")}, "插座过热", "hot"),
        ("socket_hot", {"temp_c": True}, "插座过热", "hot"),
        ("socket_hot", {"temp_c": 1e300}, "插座过热", "hot"),
        ("socket_hot", {}, "插座过热", "hot"),
        ("rising_fire", {"rise_k_120s": 9.2}, "2分钟升9℃", "+9C/2m"),
        ("smoke", {}, "烟雾", "smoke"),
        ("cut_failed", {"power_w": 352.0}, "仍有352W", "352W on"),
        ("cut_failed", {"power_w": None}, "或仍带电", "live?"),
        ("outage", {"silent": 7}, "7台失联", "7 out"),
        ("of_tomorrow", {}, "报警", "alarm"),
    ],
)
def test_a_reading_is_said_with_its_unit_or_in_words(
    reason: str, evidence: Evidence, zh: str, en: str
) -> None:
    """A reading that is missing, no number or absurd is never shown as one."""
    told = replace(WHOLE, reason=reason, evidence=evidence)
    for lang, word in (("zh", zh), ("en", en)):
        assert render(told, lang, Channel.SMS, signature="").params["value"] == word


@pytest.mark.parametrize(
    ("signature", "place"),
    [
        (2, "蔡马人家东区1幢北侧车棚5号座"),
        (5, "东区1幢北侧车棚5号座"),
        (10, "1幢北侧车棚5号座"),
        (11, "cmrj-01"),
        (13, "mrj-01"),
        (15, "j-01"),
    ],
)
def test_the_place_gives_way_in_order(signature: int, place: str) -> None:
    """Site, area, shed (its id stands in), socket, and at last a part of the id."""
    told = replace(WHOLE, outcome=Outcome.ORDERED)
    text = render(told, "zh", Channel.SMS, signature="安" * signature)
    assert text.params["place"] == place
    assert count(text.body, "安" * signature, Route.CARRIER).segments == 1


@pytest.mark.parametrize(
    ("shed", "place"),
    [
        ("第一幢住宅楼北侧第二个非机动车充电车棚", "cmrj-01#5"),
        ("A07", "蔡马人家东区A07 5号座"),
        ("", "蔡马人家东区cmrj-01 5号座"),
    ],
)
def test_the_socket_is_told_apart_from_the_name_before_it(shed: str, place: str) -> None:
    """With a long name the id on the box stands in, because the socket's number must stay."""
    told = replace(WHOLE, station_zh=shed)
    assert render(told, "zh", Channel.SMS, signature=SIGNATURE).params["place"] == place


def test_a_signature_beyond_all_measure_costs_a_second_segment_and_no_word() -> None:
    """An alarm is rather too long than unsaid."""
    body = render(WHOLE, "zh", Channel.SMS, signature="安" * 40).body
    assert body == "火警!-01,16:03:22,82℃,实测已断电。立即到场并视情拨119,回1确认。单号F3021"


def test_a_link_is_in_where_it_fits() -> None:
    """It follows the number; where it does not fit the text is as without it."""
    short = replace(WHOLE, kind=Kind.CLEARED, site_zh="蔡马", area_zh="", link="a.cn/x9")
    text = render(short, "zh", Channel.SMS, signature=SIGNATURE)
    assert text.body.endswith("单号F3021 a.cn/x9")
    assert render(WHOLE, "zh", Channel.SMS, signature=SIGNATURE) == render(
        replace(WHOLE, link=""), "zh", Channel.SMS, signature=SIGNATURE
    )


def test_a_short_link_leaves_room_to_say_where_and_when() -> None:
    """The place, then the time, give way to the link."""
    told = replace(WHOLE, kind=Kind.LINK, link="a.cn/l/x9")
    assert render(told, "zh", Channel.SMS, signature=SIGNATURE).body == (
        "处置链接a.cn/l/x9 10分钟内限用1次,单号F3021,蔡马人家东区1幢北侧车棚5号座,16:03:22"
    )


@pytest.mark.parametrize("link", ["", "nowhere", "/token", "host/"])
def test_a_link_text_without_a_link_is_an_error(link: str) -> None:
    """It would say nothing."""
    with pytest.raises(ValueError, match="host/token"):
        render(replace(WHOLE, kind=Kind.LINK, link=link), "zh", Channel.SMS, signature="安充")


def test_a_drill_never_reads_like_a_fire() -> None:
    """An escalation of a drill says so where the reading would stand."""
    told = replace(WHOLE, kind=Kind.ESCALATION, reason="", values={"drill": True})
    for lang, word in (("zh", "演练"), ("en", "drill")):
        assert render(told, lang, Channel.SMS, signature=SIGNATURE).params["value"] == word


@given(told=facts, lang=LANGS)
def test_a_voice_text_is_one_sentence_that_a_call_can_carry(told: Facts, lang: Lang) -> None:
    """Below 250 characters, also the variables together; every digit of the number alone."""
    text = render(told, lang, Channel.VOICE, signature="")
    assert len(text.body) < 250
    assert sum(map(len, text.params.values())) < 250
    assert re.search(r"\d\d", text.params["number"]) is None
    assert len(re.findall(r"[。]|\.(?!\d)", text.body)) <= 1 + text.params.get("place", "").count(
        "."
    )


def test_the_voice_text() -> None:
    """Units, the time and the number in words."""
    assert render(WHOLE, "zh", Channel.VOICE, signature="").body == (
        "充电站火警：蔡马人家东区1幢北侧车棚5号座，16点03分，82摄氏度，已断电，并实测确认，"
        "请立即到场，并视情拨打119，单号F 三 零 二 幺，收到请按1。"
    )
    rising = replace(WHOLE, reason="rising_fast", evidence={"rise_k_60s": 9.0})
    assert render(rising, "en", Channel.VOICE, signature="").body == (
        "Charging station fire: Shed north of Building 1 #5, 16:03, +9 degrees in 1 minute, "
        "power is off, measured, call 119 if needed, number F 3 0 2 1, press 1 to acknowledge."
    )


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.ROBOT])
def test_a_letter_has_room_for_everything(channel: Channel) -> None:
    """One fact per line, the day and the link too; no variables."""
    text = render(WHOLE, "zh", channel, signature="")
    assert text.title == "火警 蔡马人家东区1幢北侧车棚5号座 82℃ F3021"
    assert text.params == {}
    assert text.body.splitlines() == [
        text.title,
        "地点：蔡马人家东区1幢北侧车棚5号座",
        "时间：2027-01-15 16:03:22 (CST)",
        "情况：插座温度 82.4 ℃，持续超过断电值 80 ℃",
        "系统处置：已断电，并已实测确认电源断开",
        "请您：立即到场，视情拨打 119；1 分钟内确认，5 分钟内到场，30 分钟内上报。",
        "另有：F0012 F0013 F0014",
        "单号：F3021",
        "链接：https://cw.example.cn/l/abcdefghijklmnopqrstuv",
    ]


@given(told=facts, lang=LANGS)
def test_a_letter_is_made_of_any_facts(told: Facts, lang: Lang) -> None:
    """It always has a title, on one line, that ends with the number."""
    text = render(told, lang, Channel.EMAIL, signature="")
    assert text.title.splitlines() == [text.title]
    assert text.title.endswith(told.number)
