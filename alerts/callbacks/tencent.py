"""Tencent Cloud's call-backs over HTTP: status reports (a list) and replies (one object). Pure.

Sources: cloud.tencent.com/document/api/382/59178 and /5809. Our id comes back as ``ext`` only for
accounts that asked Tencent for it; otherwise the serial number has to do.
"""

from typing import Any, Final, Literal

from alerts.callbacks.errors import Reason
from alerts.callbacks.events import MAX_TEXT, Receipt, Reply, key_of
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

SMS: Final = "tencent"
_LATEST_S: Final = 4_102_444_800  # 2100


class _Status(Item):
    sid: Ref
    report_status: Literal["SUCCESS", "FAIL"]
    mobile: Text
    nationcode: Text = "86"
    errmsg: Text | None = None
    user_receive_time: Text | None = None
    ext: Text | None = None


class _Reply(Item):
    mobile: Text
    text: Text
    nationcode: Text = "86"
    time: int | None = None
    sign: Text | None = None


def read_sms(body: bytes) -> Batch:
    """Receipts or a reply of the SMS service.

    Raises:
        BodyError: the body is neither a list of objects nor an object.

    """
    value = load(body)
    if isinstance(value, dict):
        return each([value], _one)
    return each(items(value), _one)


def _one(given: dict[str, Any]) -> Taken:
    if "sid" in given or "report_status" in given:
        return _receipt(_Status.model_validate(given))
    if "text" in given:
        return _reply(_Reply.model_validate(given))
    return Reason.UNKNOWN_KIND


def _receipt(item: _Status) -> Receipt:
    return Receipt(
        provider=SMS,
        key=key_of("receipt", item.sid, item.mobile, item.report_status, item.errmsg),
        ref=item.sid,
        message_id=message_id(item.ext),
        phone=phone_of(item.mobile, item.nationcode),
        delivered=item.report_status == "SUCCESS",
        code=code_of(item.errmsg),
        at_ms=beijing_ms(item.user_receive_time),
    )


def _reply(item: _Reply) -> Taken:
    phone = phone_of(item.mobile, item.nationcode)
    if phone is None:
        return Reason.BAD_VALUE
    said_at = item.time if item.time is not None and 0 < item.time < _LATEST_S else None
    return Reply(
        provider=SMS,
        key=key_of("reply", item.nationcode, item.mobile, item.time, item.text),
        phone=phone,
        text=item.text[:MAX_TEXT],
        at_ms=None if said_at is None else said_at * 1000,
        signature=(item.sign or "")[:64],
    )
