"""What the providers send, read: whole values, odd values, and rubbish."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.callbacks import aliyun, tencent
from alerts.callbacks.errors import BodyError, Reason
from alerts.callbacks.events import CallResult, Event, Receipt, Reply
from alerts.callbacks.reading import MAX_BYTES, MAX_ITEMS, Batch, beijing_ms, phone_of

SENT_MS = 1_790_000_000_000
REPORT = {
    "phone_number": "13812345678",
    "send_time": "2026-09-21 22:13:20",
    "report_time": "2026-09-21 22:13:25",
    "success": True,
    "err_code": "DELIVERED",
    "err_msg": "用户接收成功",
    "sms_size": "1",
    "biz_id": "932702304080415357^0",
    "out_id": "m0k3v9x2a7",
}
UP = {
    "phone_number": "13812345678",
    "content": "1",
    "send_time": "2026-09-21 22:13:25",
    "sign_name": "安充消防",
    "dest_code": "8888",
    "sequence_id": 1234567890,
}
CALL = {
    "call_id": "116012854210^102814279000",
    "out_id": "v0k3v9x2a7",
    "callee": "13812345678",
    "start_time": "2026-09-21 22:13:25",
    "end_time": "2026-09-21 22:13:40",
    "duration": "15",
    "status_code": "200000",
    "hangup_direction": "用户",
    "dtmf": "1",
}
PRESSED = {
    "status_code": "300000",
    "smart_status_code": "ANSWERED",
    "dtmf": "1",
    "status_time": "2026-09-21 22:13:31",
    "out_id": "v0k3v9x2a7",
    "call_id": "116012854210^102814279000",
}
STATUS = {
    "user_receive_time": "2026-09-21 22:13:25",
    "nationcode": "86",
    "mobile": "13812345678",
    "report_status": "SUCCESS",
    "errmsg": "DELIVRD",
    "description": "用户短信送达成功",
    "sid": "2645:154237865616280219999811",
    "ext": "m0k3v9x2a7",
}
REPLY = {
    "extend": "",
    "mobile": "13812345678",
    "nationcode": "86",
    "sign": "安充消防",
    "text": "1",
    "time": 1_790_000_005,
}
Reader = Callable[[bytes], Batch]
READERS: list[Reader] = [aliyun.read_sms, aliyun.read_voice, tencent.read_sms]


def body(value: object) -> bytes:
    """As it stands on the wire."""
    return json.dumps(value, ensure_ascii=False).encode()


def one(read: Reader, value: object) -> Event:
    """The only event of a body."""
    batch = read(body(value))
    assert (batch.refused, batch.passing) == ((), 0)
    [event] = batch.events
    return event


CASES: list[tuple[Reader, object, Event]] = [
    (
        aliyun.read_sms,
        [REPORT],
        Receipt(
            provider="aliyun",
            key="",
            ref="932702304080415357^0",
            message_id="m0k3v9x2a7",
            phone="+8613812345678",
            delivered=True,
            code="DELIVERED",
            at_ms=SENT_MS + 5_000,
        ),
    ),
    (
        aliyun.read_sms,
        [UP],
        Reply(
            provider="aliyun",
            key="",
            phone="+8613812345678",
            text="1",
            at_ms=SENT_MS + 5_000,
            signature="安充消防",
        ),
    ),
    (
        aliyun.read_voice,
        [CALL],
        CallResult(
            provider="aliyun-voice",
            key="",
            ref="116012854210^102814279000",
            message_id="v0k3v9x2a7",
            phone="+8613812345678",
            answered=True,
            dtmf="1",
            code="200000",
            at_ms=SENT_MS + 20_000,
        ),
    ),
    (
        aliyun.read_voice,
        [PRESSED],
        CallResult(
            provider="aliyun-voice",
            key="",
            ref="116012854210^102814279000",
            message_id="v0k3v9x2a7",
            phone=None,
            answered=True,
            dtmf="1",
            code="300000",
            at_ms=SENT_MS + 11_000,
        ),
    ),
    (
        tencent.read_sms,
        [STATUS],
        Receipt(
            provider="tencent",
            key="",
            ref="2645:154237865616280219999811",
            message_id="m0k3v9x2a7",
            phone="+8613812345678",
            delivered=True,
            code="DELIVRD",
            at_ms=SENT_MS + 5_000,
        ),
    ),
    (
        tencent.read_sms,
        REPLY,
        Reply(
            provider="tencent",
            key="",
            phone="+8613812345678",
            text="1",
            at_ms=SENT_MS + 5_000,
            signature="安充消防",
        ),
    ),
]


@pytest.mark.parametrize(("read", "value", "event"), CASES)
def test_the_providers_own_formats(read: Reader, value: object, event: Event) -> None:
    """Each kind of call-back, as the providers document it, whole."""
    assert replace(one(read, value), key="") == event


@pytest.mark.parametrize(("read", "value", "event"), CASES)
def test_what_may_be_left_out_or_added(read: Reader, value: object, event: Event) -> None:
    """Unknown fields pass; without our id the provider's has to do; an unreadable time is none."""
    given = value[0] if isinstance(value, list) else value
    assert isinstance(given, dict)
    changed = {**given, "new_field": {"nested": [None, 1.5]}}
    for name in ("out_id", "ext"):
        changed.pop(name, None)
    for name in ("report_time", "send_time", "end_time", "status_time", "user_receive_time"):
        if name in changed:
            changed[name] = "yesterday"
    if "time" in changed:
        changed["time"] = 10**30
    wanted = replace(event, at_ms=None)
    if not isinstance(wanted, Reply):
        wanted = replace(wanted, message_id=None)
    sent = [changed] if isinstance(value, list) else changed
    assert replace(one(read, sent), key="") == replace(wanted, key="")


@pytest.mark.parametrize(
    ("changes", "answered", "dtmf"),
    [
        ({"status_code": "200001", "dtmf": None}, True, ""),
        ({"status_code": "200003", "start_time": "", "end_time": "", "dtmf": ""}, False, ""),
        ({"status_code": 200010, "start_time": None, "end_time": None, "dtmf": None}, False, ""),
        ({"status_code": "200007", "start_time": "", "dtmf": ""}, False, ""),
        ({"status_code": "200005", "start_time": "2026-09-21 22:13:25", "dtmf": ""}, True, ""),
        ({"dtmf": "１1 2#*x"}, True, "12#*"),
        ({"dtmf": "1" * 99}, True, "1" * 32),
    ],
)
def test_how_a_call_went(changes: dict[str, Any], answered: bool, dtmf: str) -> None:  # noqa: FBT001 - a table's column
    """Answered by its code, or because it says when; of the keys only those of a phone."""
    event = one(aliyun.read_voice, [{**CALL, **changes}])
    assert isinstance(event, CallResult)
    assert (event.answered, event.dtmf) == (answered, dtmf)


def test_news_of_a_call_that_is_no_outcome_passes() -> None:
    """Dialling, ringing and picked up are counted, not kept."""
    ringing = [{**PRESSED, "status_code": code} for code in ("200101", "200201", "200102")]
    assert aliyun.read_voice(body(ringing)) == Batch((), (), 3)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("１", "１"),
        ("1 😀", "1 😀"),
        (" 1\r\n", "1"),
        ("1\u0000", "1"),
        ("1\u2028F0012", "1 F0012"),
        ("", ""),
        ("火" * 600, "火" * 500),
    ],
)
def test_odd_replies_are_kept_readable(given: str, read: str) -> None:
    """Full-width digits and emoji stay; what no store can keep is taken out; the rest is cut."""
    for event in (
        one(aliyun.read_sms, [{**UP, "content": given}]),
        one(tencent.read_sms, {**REPLY, "text": given}),
    ):
        assert isinstance(event, Reply)
        assert event.text == read


def test_half_an_emoji_does_not_spoil_the_reply() -> None:
    """A carrier that cuts a text in the middle of a pair: the "1" still counts."""
    raw = body([{**UP, "content": "1@"}]).replace(b"1@", b"1\\ud83d")
    [event] = aliyun.read_sms(raw).events
    assert isinstance(event, Reply)
    assert event.text == "1"


@pytest.mark.parametrize(
    ("read", "value", "reason"),
    [
        (aliyun.read_sms, {**REPORT, "success": "true"}, Reason.WRONG_TYPE),
        (aliyun.read_sms, {**REPORT, "success": 1}, Reason.WRONG_TYPE),
        (aliyun.read_sms, {**REPORT, "phone_number": 13812345678}, Reason.WRONG_TYPE),
        (aliyun.read_sms, {**REPORT, "biz_id": ""}, Reason.BAD_VALUE),
        (aliyun.read_sms, {**REPORT, "biz_id": "9" * 81}, Reason.BAD_VALUE),
        (aliyun.read_sms, {**REPORT, "biz_id": "单号"}, Reason.BAD_VALUE),
        (aliyun.read_sms, {"success": True, "phone_number": "1"}, Reason.MISSING),
        (aliyun.read_sms, {**UP, "phone_number": "138****5678"}, Reason.BAD_VALUE),
        (aliyun.read_sms, {**UP, "phone_number": "１３８１２３４５６７８"}, Reason.BAD_VALUE),
        (aliyun.read_sms, {**UP, "content": 1}, Reason.WRONG_TYPE),
        (aliyun.read_sms, {**UP, "content": "1" * 10_001}, Reason.BAD_VALUE),
        (aliyun.read_sms, CALL, Reason.UNKNOWN_KIND),
        (aliyun.read_sms, "1", Reason.WRONG_TYPE),
        (aliyun.read_sms, None, Reason.WRONG_TYPE),
        (aliyun.read_sms, [REPORT], Reason.WRONG_TYPE),
        (aliyun.read_voice, {**CALL, "status_code": None}, Reason.WRONG_TYPE),
        (aliyun.read_voice, {**CALL, "status_code": True}, Reason.WRONG_TYPE),
        (aliyun.read_voice, REPORT, Reason.UNKNOWN_KIND),
        (tencent.read_sms, {**STATUS, "report_status": "success"}, Reason.BAD_VALUE),
        (tencent.read_sms, {**STATUS, "sid": None}, Reason.WRONG_TYPE),
        (tencent.read_sms, {**REPLY, "time": "1790000005"}, Reason.WRONG_TYPE),
        (tencent.read_sms, {**REPLY, "time": 1.5}, Reason.WRONG_TYPE),
        (tencent.read_sms, {**REPLY, "mobile": ""}, Reason.BAD_VALUE),
        (tencent.read_sms, REPORT | {"extend": ""}, Reason.UNKNOWN_KIND),
    ],
)
def test_a_bad_item_is_told_apart_and_the_others_are_taken(
    read: Reader, value: object, reason: Reason
) -> None:
    """Its place and what is wrong with it; the good item behind it is an event."""
    goods: dict[Reader, object] = dict(zip(READERS, (UP, CALL, STATUS), strict=True))
    good = goods[read]
    batch = read(body([value, good]))
    assert [(bad.place, bad.reason) for bad in batch.refused] == [(0, reason)]
    assert batch.events == (one(read, [good]),)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.EMPTY),
        (b" \n", Reason.EMPTY),
        (b"[{", Reason.NOT_JSON),
        (b"\xff\xfe[]", Reason.NOT_JSON),
        (b"[" * 100_000, Reason.NOT_JSON),
        (b'[{"time": ' + b"9" * 5_000 + b"}]", Reason.NOT_JSON),
        (b"<xml/>", Reason.NOT_JSON),
        (b"1", Reason.WRONG_SHAPE),
        (b'"[]"', Reason.WRONG_SHAPE),
        (b"null", Reason.WRONG_SHAPE),
        (b"NaN", Reason.WRONG_SHAPE),
        (body([{}] * (MAX_ITEMS + 1)), Reason.TOO_MANY),
        (b" " * MAX_BYTES + b"[]", Reason.TOO_LARGE),
        (b"[" + b" " * 10 * 1024 * 1024 + b"]", Reason.TOO_LARGE),
    ],
)
def test_rubbish_is_refused_with_its_reason(read: Reader, raw: bytes, reason: Reason) -> None:
    """Whatever it is, the error says in plain ASCII what."""
    with pytest.raises(BodyError) as error:
        read(raw)
    assert error.value.reason is reason
    assert error.value.detail.isascii()
    assert error.value.detail.isprintable()
    assert len(error.value.detail) <= 160


def test_aliyun_sends_lists_only() -> None:
    """A lone object is no call-back of Aliyun's."""
    for read in (aliyun.read_sms, aliyun.read_voice):
        with pytest.raises(BodyError) as error:
            read(body(REPORT))
        assert error.value.reason is Reason.WRONG_SHAPE


def test_a_thousand_items_are_read() -> None:
    """As many as a push can hold, and each has a key of its own."""
    many = [{**REPORT, "biz_id": f"{number}^0"} for number in range(MAX_ITEMS)]
    events = aliyun.read_sms(body(many)).events
    assert [event.ref for event in events if isinstance(event, Receipt)] == [
        item["biz_id"] for item in many
    ]
    assert len({event.key for event in events}) == MAX_ITEMS


@pytest.mark.parametrize(
    ("read", "value", "same", "other"),
    [
        (aliyun.read_sms, REPORT, {"err_msg": "x", "sms_size": "2"}, {"success": False}),
        (aliyun.read_sms, REPORT, {"out_id": None}, {"biz_id": "1^0"}),
        (aliyun.read_sms, REPORT, {}, {"phone_number": "13912345678"}),
        (aliyun.read_sms, UP, {"dest_code": "1"}, {"sequence_id": 1234567891}),
        (aliyun.read_sms, UP, {"sign_name": None}, {"content": "2"}),
        (aliyun.read_voice, CALL, {"hangup_direction": "机器"}, {"status_code": "200001"}),
        (aliyun.read_voice, CALL, {"duration": "1"}, {"dtmf": "2"}),
        (aliyun.read_voice, PRESSED, {}, {"status_time": "2026-09-21 22:13:32"}),
        (tencent.read_sms, STATUS, {"description": ""}, {"report_status": "FAIL"}),
        (tencent.read_sms, REPLY, {"sign": "x"}, {"time": 1_790_000_006}),
    ],
)
def test_the_key_tells_a_repeat_from_something_new(
    read: Reader, value: dict[str, Any], same: dict[str, Any], other: dict[str, Any]
) -> None:
    """The same event has the same key, another one another; it fits the column."""
    first = one(read, [value])
    assert one(read, [{**value, **same}]).key == first.key
    assert one(read, [{**value, **other}]).key != first.key
    assert len(first.key) <= 120


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["13812345678", "+8613812345678", "200000", "SUCCESS", "1", "１", "😀"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(sorted({*REPORT, *UP, *CALL, *STATUS, *REPLY})), inner)
    ),
    max_leaves=20,
)
FIELDS = [REPORT, UP, CALL, PRESSED, STATUS, REPLY]


def check(read: Reader, raw: bytes) -> None:
    """Nothing but a batch or a typed error comes out, and a batch can be stored."""
    try:
        batch = read(raw)
    except BodyError:
        return
    for event in batch.events:
        assert one_again(read, raw, event)
        assert len(event.key) <= 120
        assert event.phone is None or event.phone.startswith("+")
        texts = (event.text, event.signature) if isinstance(event, Reply) else (event.code,)
        for text in texts:
            text.encode()
            assert "\x00" not in text


def one_again(read: Reader, raw: bytes, event: Event) -> bool:
    """Reading is a function: the same bytes give the same event."""
    return event in read(raw).events


@given(value=JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    """Whatever shape it has."""
    for read in READERS:
        check(read, json.dumps(value).encode())


@given(base=st.sampled_from(FIELDS), changes=st.dictionaries(st.text(max_size=12), JSON), at=JSON)
def test_any_change_to_a_real_one_is_read_or_refused(
    base: dict[str, Any], changes: dict[str, Any], at: object
) -> None:
    """One field replaced, others added."""
    for name in base:
        value = {**changes, **base, name: at}
        for read in READERS:
            check(read, json.dumps([value]).encode())


@given(raw=st.binary(max_size=200))
@example(raw=b'[{"content":"\\ud800","phone_number":"13812345678"}]')
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing else comes out."""
    for read in READERS:
        check(read, raw)


@pytest.mark.parametrize(
    ("number", "country", "phone"),
    [
        ("13812345678", "", "+8613812345678"),
        ("8613812345678", "", "+8613812345678"),
        ("+8613812345678", "", "+8613812345678"),
        ("008613812345678", "", "+8613812345678"),
        (" 13812345678 ", "", "+8613812345678"),
        ("85291234567", "", "+85291234567"),
        ("91234567", "852", "+85291234567"),
        ("13812345678", "+86", "+8613812345678"),
        ("138****5678", "", None),
        ("12345", "", None),
        ("", "86", None),
        ("1" * 20, "", None),
        ("138１２３４５６７８", "", None),
    ],
)
def test_numbers_become_e164(number: str, country: str, phone: str | None) -> None:
    """However a provider writes them; what is masked or too short is none."""
    assert phone_of(number, country) == phone


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-09-21 22:13:20", SENT_MS),
        ("1970-01-01 08:00:00", 0),
        (" 2026-09-21 22:13:20 ", SENT_MS),
        ("2026-02-30 00:00:00", None),
        ("20260921221320", None),
        ("0001-01-01 00:00:00", -62_135_625_600_000),
        ("", None),
        (None, None),
    ],
)
def test_times_are_beijing_time(text: str | None, at_ms: int | None) -> None:
    """Eight hours ahead of UTC, all year; anything else says no time."""
    assert beijing_ms(text) == at_ms
