"""What the simulated provider does afterwards: limits, call-backs and their repetitions."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulators.sms.ledger import copies, read_log
from simulators.sms.model import (
    AcceptedSms,
    Behaviour,
    CallbackRequest,
    Flaw,
    Kind,
    Mode,
    Person,
    Refusal,
    Service,
    Submission,
)
from simulators.sms.phones import e164, national, parts
from simulators.sms.provider import SmsProvider

NOW_MS = 1_790_000_000_000
PHONE = "+8613812345678"
DAY_MS = 86_400_000


class Story:
    """A provider in virtual time."""

    def __init__(self, **settings: Any) -> None:
        """Deliveries take one second."""
        self.now_ms = NOW_MS
        given = {"seed": 1, "callbacks": "http://127.0.0.1:9/api/{service}/key", **settings}
        self.provider = SmsProvider(now_ms=lambda: self.now_ms, **given)
        for service in Service:
            self.provider.behave(service, Behaviour(delivery_s=(1, 1)))

    def send(self, service: Service, out_id: str = "m1", **changes: str) -> AcceptedSms | Refusal:
        """As if it had been asked by HTTP."""
        voice = service is Service.ALIYUN_VOICE
        plain = Submission(service, PHONE, out_id, "" if voice else "安充", "T1", {"n": out_id})
        submission = replace(plain, **changes)  # type: ignore[arg-type]  # names are checked by replace
        return self.provider.judge(submission) or self.provider.accept(submission, 1)

    def items(self, after_s: float) -> list[tuple[CallbackRequest, Any]]:
        """What is pushed ``after_s`` seconds after the beginning; all is acknowledged."""
        self.now_ms = NOW_MS + int(after_s * 1000)
        due = self.provider.due(self.now_ms)
        for request in due:
            assert self.provider.answered(request, 200, b'{"code":0,"result":0}', self.now_ms)
        return [(request, json.loads(request.body)) for request in due]


def test_reports_in_each_providers_format() -> None:
    """After the time of delivery, merged into one push per service; calls when they rang out."""
    story = Story()
    sms, call, other = (story.send(service) for service in Service)
    assert isinstance(sms, AcceptedSms)
    assert isinstance(call, AcceptedSms)
    assert isinstance(other, AcceptedSms)
    assert story.items(0.9) == []
    pushed = story.items(1)
    assert [(r.service, r.kind, r.url_path, r.attempt) for r, _ in pushed] == [
        (Service.ALIYUN_SMS, Kind.REPORT, "/api/aliyun_sms/key", 1),
        (Service.TENCENT_SMS, Kind.REPORT, "/api/tencent_sms/key", 1),
    ]
    assert [body for _, body in pushed] == [
        [
            {
                "phone_number": "13812345678",
                "send_time": "2026-09-21 22:13:20",
                "report_time": "2026-09-21 22:13:21",
                "success": True,
                "err_code": "DELIVERED",
                "err_msg": "用户接收成功",
                "sms_size": "1",
                "biz_id": sms.provider_id,
                "out_id": "m1",
            }
        ],
        [
            {
                "user_receive_time": "2026-09-21 22:13:21",
                "nationcode": "86",
                "mobile": "13812345678",
                "report_status": "SUCCESS",
                "errmsg": "DELIVRD",
                "description": "用户短信送达成功",
                "sid": other.provider_id,
                "ext": "m1",
            }
        ],
    ]
    assert story.items(30.9) == []
    [(request, [body])] = story.items(31)
    assert (request.service, request.kind) == (Service.ALIYUN_VOICE, Kind.CALL)
    assert (body["call_id"], body["out_id"], body["callee"]) == (
        call.provider_id,
        "m1",
        "13812345678",
    )
    assert (body["status_code"], body["start_time"], body["dtmf"]) == ("200003", "", "")
    assert story.provider.next_due_ms() is None


def test_tencent_reports_without_our_id_unless_asked_for() -> None:
    """An account that did not ask for it gets the serial number alone."""
    story = Story(session_context=False)
    story.send(Service.TENCENT_SMS)
    [(_, [body])] = story.items(1)
    assert "ext" not in body


def test_people_reply_and_press_keys() -> None:
    """So many seconds after delivery or ringing, in each provider's format."""
    story = Story()
    story.provider.people[PHONE] = Person(
        reply=lambda sms: None if sms.out_id == "m2" else f"１ {sms.params['n']}",
        reply_after_s=4,
        answers_after_s=5,
        presses="1",
        presses_after_s=2,
    )
    for service in Service:
        story.send(service, "m1")
        story.send(service, "m2")
    story.items(1)
    replies = story.items(5)
    assert [(r.service, r.kind) for r, _ in replies] == [
        (Service.ALIYUN_SMS, Kind.UP),
        (Service.TENCENT_SMS, Kind.UP),
    ]
    [aliyun], tencent = (body for _, body in replies)
    assert aliyun == {
        "phone_number": "13812345678",
        "content": "１ m1",
        "send_time": "2026-09-21 22:13:25",
        "sign_name": "安充",
        "dest_code": "8888",
        "sequence_id": aliyun["sequence_id"],
    }
    assert tencent == {
        "extend": "",
        "mobile": "13812345678",
        "nationcode": "86",
        "sign": "安充",
        "text": "１ m1",
        "time": NOW_MS // 1000 + 5,
    }
    [(_, calls)] = story.items(8)
    assert [(c["status_code"], c["dtmf"], c["start_time"], c["duration"]) for c in calls] == [
        ("200000", "1", "2026-09-21 22:13:26", "2")
    ] * 2


@pytest.mark.parametrize(
    ("mode", "codes"),
    [
        (Mode.SILENT, []),
        (Mode.UNDELIVERED, [False, "200007", "FAIL"]),
        (Mode.LOST_ANSWER, [True, "200003", "SUCCESS"]),
    ],
)
def test_what_accepted_means_for_delivery(mode: Mode, codes: list[object]) -> None:
    """Silent: nothing, ever. Undelivered: reported, no reply. A lost answer: delivered."""
    story = Story()
    story.provider.people[PHONE] = Person(reply="1", reply_after_s=DAY_MS)
    for service in Service:
        story.provider.behave(service, mode)
        assert isinstance(story.send(service), AcceptedSms)
    pushed = {r.service: body[0] for r, body in story.items(3600)}
    names = {
        Service.ALIYUN_SMS: "success",
        Service.ALIYUN_VOICE: "status_code",
        Service.TENCENT_SMS: "report_status",
    }
    assert [pushed[service][names[service]] for service in Service if service in pushed] == codes


@pytest.mark.parametrize("service", list(Service))
@pytest.mark.parametrize(
    ("status", "body"),
    [(None, b""), (500, b'{"code":0,"result":0}'), (200, b"OK"), (200, b"[]"), (200, b"{}")],
)
def test_what_is_not_acknowledged_comes_again(
    service: Service, status: int | None, body: bytes
) -> None:
    """After 1, 5 and 10 minutes (Tencent: 1 and 5), the same body; then it is given up."""
    story = Story()
    story.send(service)
    story.now_ms = NOW_MS + 31_000
    [first] = story.provider.due(story.now_ms)
    waits = [60_000, 300_000] + ([] if service is Service.TENCENT_SMS else [600_000])
    last = first
    for number, wait_ms in enumerate(waits, start=2):
        assert not story.provider.answered(last, status, body, story.now_ms)
        assert story.provider.due(story.now_ms + wait_ms - 1) == []
        story.now_ms += wait_ms
        [last] = story.provider.due(story.now_ms)
        assert last == replace(first, attempt=number)
    assert not story.provider.answered(last, status, body, story.now_ms)
    assert story.provider.next_due_ms() is None
    assert story.provider.given_up == [last]


def test_what_each_provider_takes_for_an_acknowledgement() -> None:
    """Aliyun: any number as ``code``. Tencent: ``result`` 0."""
    story = Story()
    told = []
    for service in Service:
        for body in (b'{"code":0}', b'{"code":9}', b'{"result":0}', b'{"result":1}'):
            story.send(service)
            story.now_ms += 31_000
            [request] = [r for r in story.provider.due(story.now_ms) if r.attempt == 1]
            told.append(story.provider.answered(request, 200, body, story.now_ms))
    assert told == [True, True, False, False] * 2 + [False, False, True, False]


def test_many_reports_are_merged_a_hundred_to_a_push() -> None:
    """250 at one instant are three pushes, in order."""
    story = Story()
    for number in range(250):
        story.send(Service.ALIYUN_SMS, f"m{number}")
    bodies = [body for _, body in story.items(1)]
    assert [len(body) for body in bodies] == [100, 100, 50]
    assert [item["out_id"] for body in bodies for item in body] == [f"m{n}" for n in range(250)]


def test_without_an_address_nothing_is_pushed() -> None:
    """A provider nobody gave a call-back address."""
    story = Story(callbacks=None)
    story.send(Service.ALIYUN_SMS)
    assert story.items(3600) == []


def _sends(story: Story, service: Service, gaps_s: list[int], **changes: str) -> Iterator[object]:
    """Send after each gap; True, or the limit that was hit."""
    for number, gap_s in enumerate(gaps_s):
        story.now_ms += gap_s * 1000
        result = story.send(service, f"m{number}", **changes)
        yield (result.level, result.permits) if isinstance(result, Refusal) else True


def test_aliyun_takes_50_notifications_a_day_per_signature_template_and_number() -> None:
    """Another template has 50 of its own; the window rolls; a listed number is exempt."""
    story = Story(limits=True)
    assert list(_sends(story, Service.ALIYUN_SMS, [1] * 51)) == [True] * 50 + [("day", 50)]
    assert list(_sends(story, Service.ALIYUN_SMS, [0], template="T2")) == [True]
    assert list(_sends(story, Service.ALIYUN_SMS, [0], phone="13912345678")) == [True]
    story.now_ms = NOW_MS + 1000 + DAY_MS
    assert list(_sends(story, Service.ALIYUN_SMS, [0, 0])) == [True, ("day", 50)]
    story.provider.exempt.add(PHONE)
    assert list(_sends(story, Service.ALIYUN_SMS, [0] * 60)) == [True] * 60


def test_calls_are_limited_per_minute_hour_and_day() -> None:
    """1 a minute, 5 an hour, 20 in 24 hours; a refused one does not count."""
    story = Story(limits=True)
    got = list(_sends(story, Service.ALIYUN_VOICE, [0, 59, 1, 60, 60, 60, 60]))
    assert got == [True, ("minute", 1), True, True, True, True, ("hour", 5)]
    got = list(_sends(story, Service.ALIYUN_VOICE, [3600] + [720] * 15))
    assert got == [True] * 15 + [("day", 20)]


def test_tencent_limits_repetitions_and_the_day() -> None:
    """The same content once in 30 s; 10 a day to one number."""
    story = Story(limits=True)
    submission = Submission(Service.TENCENT_SMS, PHONE, "m", "安充", "T1", {"1": "x"})
    assert story.provider.judge(submission) is None
    assert story.provider.judge(submission) == Refusal(Flaw.LIMIT, "thirty_seconds", 1)
    story.now_ms += 30_000
    assert story.provider.judge(submission) is None
    got = list(_sends(story, Service.TENCENT_SMS, [0] * 9))
    assert got == [True] * 8 + [("day", 10)]


def test_the_log_survives_a_line_cut_short(tmp_path: Path) -> None:
    """As after a kill in the middle of a write: what is whole is read."""
    log = tmp_path / "log.jsonl"
    assert read_log(log) == []
    story = Story(log=log)
    story.send(Service.ALIYUN_SMS, "m1")
    story.send(Service.TENCENT_SMS, "m1")
    whole = story.provider.accepted[:]
    with log.open("ab") as file:
        file.write(b'{"service": "aliyun_sms", "out')
    assert read_log(log) == whole
    assert copies(read_log(log)) == {"m1": 2}


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("13812345678", PHONE),
        ("+8613812345678", PHONE),
        ("8613812345678", PHONE),
        ("008613812345678", PHONE),
        ("+85291234567", "+85291234567"),
        ("0085291234567", "+85291234567"),
        ("12345678901", None),
        ("1381234567", None),
        ("１３８１２３４５６７８", None),
        ("138１２３４５６７８", None),
        ("+", None),
    ],
)
def test_numbers_are_read_as_the_providers_read_them(written: str, phone: str | None) -> None:
    """With or without the country code; what is no mobile number is refused."""
    assert e164(written) == phone


def test_numbers_as_call_backs_write_them() -> None:
    """Aliyun leaves 86 out, Tencent keeps it apart."""
    assert (national(PHONE), national("+85291234567")) == ("13812345678", "85291234567")
    assert parts(PHONE) == ("86", "13812345678")
