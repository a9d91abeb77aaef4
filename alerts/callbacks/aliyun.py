"""Aliyun's call-backs over HTTP: SmsReport, SmsUp, VoiceReport, VoiceCallReport. Pure.

Each is a JSON array. Sources: the pages "SmsReport" (help.aliyun.com/document_detail/101867),
"SmsUp" (101847, and 60127 with a number as ``sequence_id``), "VoiceReport" and "VoiceCallReport"
(help.aliyun.com/zh/vms/developer-reference), "call status codes" (55085, 112804).
"""

import re
from typing import Any, Final

from alerts.callbacks.errors import Reason
from alerts.callbacks.events import MAX_TEXT, CallResult, Receipt, Reply, key_of
from alerts.callbacks.reading import (
    Batch,
    Item,
    Ref,
    Taken,
    Text,
    beijing_ms,
    code_of,
    each,
    items,
    load,
    message_id,
    phone_of,
)

SMS: Final = "aliyun"
VOICE: Final = "aliyun-voice"
_DTMF: Final = "300000"
_ANSWERED: Final = frozenset({"200000", "200001", "200008", _DTMF})
"""Heard to the end, hung up early, no key in time, a key."""
_PASSING: Final = frozenset({"200100", "200101", "200102", "200103", "200201"})
"""Dialling, ringing, picked up, talking, over: the result comes with VoiceReport."""
_NO_KEY: Final = re.compile(r"[^0-9*#]")
_MAX_DTMF: Final = 32


class _SmsReport(Item):
    phone_number: Text
    success: bool
    biz_id: Ref
    out_id: Text | None = None
    err_code: Text | None = None
    report_time: Text | None = None


class _SmsUp(Item):
    phone_number: Text
    content: Text
    sequence_id: int | Text | None = None
    send_time: Text | None = None
    sign_name: Text | None = None


class _Voice(Item):
    call_id: Ref
    status_code: int | Text
    out_id: Text | None = None
    callee: Text | None = None
    start_time: Text | None = None
    end_time: Text | None = None
    status_time: Text | None = None
    dtmf: Text | None = None


def read_sms(body: bytes) -> Batch:
    """Receipts and replies of the SMS service.

    Raises:
        BodyError: the body is no list of objects at all.

    """
    return each(items(load(body)), _sms)


def read_voice(body: bytes) -> Batch:
    """Results of calls, and keys pressed during them.

    Raises:
        BodyError: the body is no list of objects at all.

    """
    return each(items(load(body)), _call)


def _sms(given: dict[str, Any]) -> Taken:
    if "success" in given or "biz_id" in given:
        return _receipt(_SmsReport.model_validate(given))
    if "content" in given:
        return _reply(_SmsUp.model_validate(given))
    return Reason.UNKNOWN_KIND


def _receipt(item: _SmsReport) -> Receipt:
    return Receipt(
        provider=SMS,
        # A second report with another result is news: carriers do correct themselves.
        key=key_of("receipt", item.biz_id, item.phone_number, item.success, item.err_code),
        ref=item.biz_id,
        message_id=message_id(item.out_id),
        phone=phone_of(item.phone_number),
        delivered=item.success,
        code=code_of(item.err_code),
        at_ms=beijing_ms(item.report_time),
    )


def _reply(item: _SmsUp) -> Taken:
    phone = phone_of(item.phone_number)
    if phone is None:
        return Reason.BAD_VALUE
    said = (item.sequence_id, item.phone_number, item.send_time, item.content)
    return Reply(
        provider=SMS,
        key=key_of("reply", *said),
        phone=phone,
        text=item.content[:MAX_TEXT],
        at_ms=beijing_ms(item.send_time),
        signature=(item.sign_name or "")[:64],
    )


def _call(given: dict[str, Any]) -> Taken:
    if "call_id" not in given:
        return Reason.UNKNOWN_KIND
    item = _Voice.model_validate(given)
    code = code_of(item.status_code)
    if code in _PASSING:
        return None
    keys = _NO_KEY.sub("", item.dtmf or "")[:_MAX_DTMF]
    pressed_at = item.status_time if code == _DTMF else None
    return CallResult(
        provider=VOICE,
        key=key_of("call", item.call_id, code, keys, pressed_at),
        ref=item.call_id,
        message_id=message_id(item.out_id),
        phone=phone_of(item.callee or ""),
        answered=code in _ANSWERED or bool(item.start_time) or bool(keys),
        dtmf=keys,
        code=code,
        at_ms=beijing_ms(item.status_time or item.end_time),
    )
