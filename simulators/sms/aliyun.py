"""Aliyun's formats: SendSms, SendBatchSms, QuerySendDetails, SingleCallByTts, and call-backs.

RPC style: the action is a header, parameters stand in the query or in a form, answers are JSON.
A refusal by the business is HTTP 200 with a ``Code`` other than ``OK``; one by the gateway (the
signature, an unknown action) is a 4xx. Times are Beijing time.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import parse_qsl

from simulators.sms.model import (
    AcceptedSms,
    Answer,
    Asked,
    Flaw,
    Refusal,
    Service,
    Submission,
)
from simulators.sms.phones import national
from simulators.sms.signatures import Signed

MOST_NUMBERS: Final = 1000
MOST_BATCH: Final = 100
MOST_OUT_ID_VOICE: Final = 15
_BEIJING: Final = timezone(timedelta(hours=8))
_LEVELS: Final = {"minute": "触发分钟级流控", "hour": "触发小时级流控", "day": "触发天级流控"}
_CODES: Final = {
    Flaw.NUMBER: ("isv.MOBILE_NUMBER_ILLEGAL", "号码不合法"),
    Flaw.SIGNATURE: ("isv.SMS_SIGNATURE_ILLEGAL", "短信签名不合法"),
    Flaw.TEMPLATE: ("isv.SMS_TEMPLATE_ILLEGAL", "短信模板不合法"),
    Flaw.PARAMS: ("isv.INVALID_JSON_PARAM", "JSON参数不合法"),
    Flaw.OUT_ID: ("isv.INVALID_PARAMETERS", "参数异常"),
}
_UNSIGNED: Final = {
    Signed.MISSING: (400, "IncompleteSignature", "The request signature is incomplete."),
    Signed.UNKNOWN_KEY: (
        404,
        "InvalidAccessKeyId.NotFound",
        "Specified access key is not found.",
    ),
    Signed.WRONG: (
        400,
        "SignatureDoesNotMatch",
        "Specified signature is not matched with our calculation.",
    ),
}
ACTIONS: Final = {
    "SendSms": Service.ALIYUN_SMS,
    "SendBatchSms": Service.ALIYUN_SMS,
    "QuerySendDetails": Service.ALIYUN_SMS,
    "SingleCallByTts": Service.ALIYUN_VOICE,
}


def parameters(asked: Asked) -> dict[str, str]:
    """Those of the query and those of the form."""
    form = parse_qsl(asked.body.decode("utf-8", "replace"), keep_blank_values=True)
    return {**asked.query, **dict(form)}


def send_sms(given: Mapping[str, str]) -> list[Submission] | Refusal:
    """What SendSms asks for: the same for up to 1,000 numbers."""
    params = _params(given.get("TemplateParam", ""))
    if params is None:
        return Refusal(Flaw.PARAMS)
    phones = [phone for phone in given.get("PhoneNumbers", "").split(",") if phone]
    if not 0 < len(phones) <= MOST_NUMBERS:
        return Refusal(Flaw.NUMBER)
    return [_sms(given, phone, given.get("SignName", ""), params) for phone in phones]


def send_batch(given: Mapping[str, str]) -> list[Submission] | Refusal:
    """What SendBatchSms asks for: to each number its own signature and parameters."""
    phones = _texts(given.get("PhoneNumberJson", ""))
    signatures = _texts(given.get("SignNameJson", ""))
    written = _json(given.get("TemplateParamJson", "") or json.dumps([{}] * len(phones)))
    params = [_named(each) for each in written] if isinstance(written, list) else []
    if not 0 < len(phones) <= MOST_BATCH:
        return Refusal(Flaw.NUMBER)
    if None in params or not len(phones) == len(signatures) == len(params):
        return Refusal(Flaw.PARAMS)
    rows = zip(phones, signatures, params, strict=True)
    return [_sms(given, phone, signature, each or {}) for phone, signature, each in rows]


def single_call(given: Mapping[str, str]) -> list[Submission] | Refusal:
    """What SingleCallByTts asks for."""
    params = _params(given.get("TtsParam", ""))
    if params is None:
        return Refusal(Flaw.PARAMS)
    out_id = given.get("OutId", "")
    if len(out_id.encode()) > MOST_OUT_ID_VOICE:
        return Refusal(Flaw.OUT_ID)
    template = given.get("TtsCode", "")
    phone = given.get("CalledNumber", "")
    return [Submission(Service.ALIYUN_VOICE, phone, out_id, "", template, params)]


def _sms(
    given: Mapping[str, str], phone: str, signature: str, params: Mapping[str, str]
) -> Submission:
    template, out_id = given.get("TemplateCode", ""), given.get("OutId", "")
    return Submission(Service.ALIYUN_SMS, phone, out_id, signature, template, params)


def taken(service: Service, provider_id: str, request_id: str) -> Answer:
    """Accepted."""
    name = "CallId" if service is Service.ALIYUN_VOICE else "BizId"
    body = {"Code": "OK", "Message": "OK", "RequestId": request_id, name: provider_id}
    return Answer(body)


def refused(refusal: Refusal, request_id: str) -> Answer:
    """Not accepted, for a reason of the business."""
    if refusal.flaw is Flaw.LIMIT:
        level = _LEVELS.get(refusal.level, _LEVELS["day"])
        code, message = "isv.BUSINESS_LIMIT_CONTROL", f"{level}Permits:{refusal.permits}"
    else:
        code, message = _CODES[refusal.flaw]
    return Answer({"Code": code, "Message": message, "RequestId": request_id})


def unsigned(signed: Signed, request_id: str, host: str) -> Answer:
    """Not accepted, because of its signature."""
    status, code, message = _UNSIGNED[signed]
    return _gateway(status, code, message, request_id, host)


def down(request_id: str, host: str) -> Answer:
    """The service fails."""
    message = "The request processing has failed due to some unknown error."
    return _gateway(500, "InternalError", message, request_id, host)


def unknown_action(request_id: str, host: str) -> Answer:
    """There is no such action here."""
    message = "Specified api is not found, please check your url and method."
    return _gateway(404, "InvalidAction.NotFound", message, request_id, host)


def _gateway(status: int, code: str, message: str, request_id: str, host: str) -> Answer:
    body = {"RequestId": request_id, "Message": message, "HostId": host, "Code": code}
    return Answer(body, status)


def details(page: list[tuple[AcceptedSms, int | None, str]], total: int, request_id: str) -> Answer:
    """QuerySendDetails: each with when it was reported (None = not yet) and the carrier's code."""
    rows = [_detail(*row) for row in page]
    body = {"Code": "OK", "Message": "OK", "RequestId": request_id, "TotalCount": str(total)}
    return Answer({**body, "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}})


def _detail(sms: AcceptedSms, report_ms: int | None, code: str) -> dict[str, object]:
    waiting, failed, delivered = 1, 2, 3
    status = waiting if report_ms is None else delivered if code == "DELIVERED" else failed
    row: dict[str, object] = {
        "PhoneNum": national(sms.phone),
        "OutId": sms.out_id,
        "TemplateCode": sms.template,
        "SendDate": local(sms.at_ms),
        "SendStatus": status,
        "Content": f"【{sms.signature}】",
    }
    if report_ms is not None:
        row |= {"ReceiveDate": local(report_ms), "ErrCode": code}
    return row


def report(sms: AcceptedSms, at_ms: int, code: str) -> dict[str, object]:
    """An item of SmsReport."""
    delivered = code == "DELIVERED"
    return {
        "phone_number": national(sms.phone),
        "send_time": local(sms.at_ms),
        "report_time": local(at_ms),
        "success": delivered,
        "err_code": code,
        "err_msg": "用户接收成功" if delivered else "用户手机关机或不在服务区",
        "sms_size": "1",
        "biz_id": sms.provider_id,
        "out_id": sms.out_id,
    }


def reply(sms: AcceptedSms, text: str, at_ms: int, number: int) -> dict[str, object]:
    """An item of SmsUp."""
    return {
        "phone_number": national(sms.phone),
        "content": text,
        "send_time": local(at_ms),
        "sign_name": sms.signature,
        "dest_code": "8888",
        "sequence_id": number,
    }


def call(
    sms: AcceptedSms, *, code: str, answered_ms: int | None, end_ms: int, dtmf: str
) -> dict[str, object]:
    """An item of VoiceReport; an unanswered call has no start and no end."""
    seconds = 0 if answered_ms is None else max(1, (end_ms - answered_ms) // 1000)
    return {
        "call_id": sms.provider_id,
        "out_id": sms.out_id,
        "callee": national(sms.phone),
        "caller": "",
        "originate_time": local(sms.at_ms),
        "ring_time": local(sms.at_ms + 2000),
        "start_time": "" if answered_ms is None else local(answered_ms),
        "end_time": "" if answered_ms is None else local(end_ms),
        "duration": str(seconds),
        "status_code": code,
        "status_msg": "用户听完语音" if code == "200000" else "用户未接听",
        "hangup_direction": "机器" if dtmf else "用户",
        "toll_type": "UNKNOWN",
        "voice_type": "voice",
        "dtmf": dtmf,
    }


def local(at_ms: int) -> str:
    """Beijing time, as the provider writes it."""
    return f"{_at(at_ms):%Y-%m-%d %H:%M:%S}"


def day(at_ms: int) -> str:
    """The Beijing day, as QuerySendDetails asks for it."""
    return f"{_at(at_ms):%Y%m%d}"


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(_BEIJING)


def _params(text: str) -> dict[str, str] | None:
    return {} if not text else _named(_json(text))


def _named(value: object) -> dict[str, str] | None:
    return {k: str(v) for k, v in value.items()} if isinstance(value, dict) else None


def _texts(text: str) -> list[str]:
    value = _json(text)
    return [str(each) for each in value] if isinstance(value, list) else []


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
