"""Tencent Cloud's formats: SendSms (version 2021-01-11) and its call-backs.

Every answer is HTTP 200 with one object ``Response``; a refused request has an ``Error`` in it,
a refused number a ``Code`` other than ``Ok`` of its own. Times in call-backs are Beijing time.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from simulators.sms.aliyun import local
from simulators.sms.model import (
    AcceptedSms,
    Answer,
    Asked,
    Flaw,
    Refusal,
    Service,
    Submission,
)
from simulators.sms.phones import e164, parts
from simulators.sms.signatures import Signed

MOST_NUMBERS: Final = 200
_LEVELS: Final = {
    "thirty_seconds": (
        "LimitExceeded.PhoneNumberThirtySecondLimit",
        "the number of SMS messages within 30 seconds exceeds the upper limit",
    ),
    "day": (
        "LimitExceeded.PhoneNumberDailyLimit",
        "the number of SMS messages every day exceeds the upper limit",
    ),
}
_CODES: Final = {
    Flaw.NUMBER: ("InvalidParameterValue.IncorrectPhoneNumber", "incorrect phone number"),
    Flaw.SIGNATURE: (
        "FailedOperation.SignatureIncorrectOrUnapproved",
        "signature is incorrect or unapproved",
    ),
    Flaw.TEMPLATE: (
        "FailedOperation.TemplateIncorrectOrUnapproved",
        "template is incorrect or unapproved",
    ),
    Flaw.PARAMS: (
        "InvalidParameterValue.TemplateParameterFormatError",
        "template parameter format error",
    ),
    Flaw.OUT_ID: ("InvalidParameter", "the parameter is invalid"),
}
_UNSIGNED: Final = {
    Signed.MISSING: ("AuthFailure.InvalidAuthorization", "The authorization header is invalid."),
    Signed.UNKNOWN_KEY: ("AuthFailure.SecretIdNotFound", "The SecretId is not found."),
    Signed.WRONG: (
        "AuthFailure.SignatureFailure",
        "The provided credentials could not be validated. Please check your signature is correct.",
    ),
}


def send_sms(asked: Asked) -> list[Submission] | Refusal:
    """What SendSms asks for: the same for up to 200 numbers."""
    try:
        given = json.loads(asked.body)
    except ValueError:
        return Refusal(Flaw.PARAMS)
    if not isinstance(given, dict) or not given.get("SmsSdkAppId"):
        return Refusal(Flaw.OUT_ID)
    phones = given.get("PhoneNumberSet")
    if not isinstance(phones, list) or not 0 < len(phones) <= MOST_NUMBERS:
        return Refusal(Flaw.NUMBER)
    values = given.get("TemplateParamSet") or []
    if not all(isinstance(value, str) for value in values):
        return Refusal(Flaw.PARAMS)
    params = {str(number): value for number, value in enumerate(values, start=1)}
    return [_submission(given, str(phone), params) for phone in phones]


def _submission(given: Mapping[str, Any], phone: str, params: Mapping[str, str]) -> Submission:
    return Submission(
        service=Service.TENCENT_SMS,
        phone=phone,
        out_id=str(given.get("SessionContext") or ""),
        signature=str(given.get("SignName") or ""),
        template=str(given.get("TemplateId") or ""),
        params=params,
    )


def answer(results: list[tuple[Submission, AcceptedSms | Refusal]], request_id: str) -> Answer:
    """What became of each number."""
    rows = [_status(submission, result) for submission, result in results]
    return Answer({"Response": {"SendStatusSet": rows, "RequestId": request_id}})


def _status(submission: Submission, result: AcceptedSms | Refusal) -> dict[str, object]:
    if isinstance(result, Refusal):
        (code, message), serial, fee, country = _code(result), "", 0, ""
    else:
        code, message = "Ok", "send success"
        serial, fee, country = result.provider_id, 1, "CN"
    return {
        "SerialNo": serial,
        "PhoneNumber": e164(submission.phone) or submission.phone,
        "Fee": fee,
        "SessionContext": submission.out_id,
        "Code": code,
        "Message": message,
        "IsoCode": country,
    }


def _code(refusal: Refusal) -> tuple[str, str]:
    if refusal.flaw is Flaw.LIMIT:
        return _LEVELS.get(refusal.level, _LEVELS["day"])
    return _CODES[refusal.flaw]


def refused(refusal: Refusal, request_id: str) -> Answer:
    """The whole request is not accepted."""
    return _error(*_code(refusal), request_id)


def unsigned(signed: Signed, request_id: str) -> Answer:
    """Not accepted, because of its signature."""
    return _error(*_UNSIGNED[signed], request_id)


def unknown_action(request_id: str) -> Answer:
    """There is no such action here."""
    return _error("InvalidAction", "The requested action does not exist.", request_id)


def down(request_id: str) -> Answer:
    """The service fails."""
    broken = _error("InternalError", "An internal error has occurred.", request_id)
    return Answer(broken.body, 500)


def _error(code: str, message: str, request_id: str) -> Answer:
    body = {"Error": {"Code": code, "Message": message}, "RequestId": request_id}
    return Answer({"Response": body})


def report(
    sms: AcceptedSms, at_ms: int, *, delivered: bool, session_context: bool
) -> dict[str, object]:
    """An item of a status report."""
    code, mobile = parts(sms.phone)
    return {
        "user_receive_time": local(at_ms),
        "nationcode": code,
        "mobile": mobile,
        "report_status": "SUCCESS" if delivered else "FAIL",
        "errmsg": "DELIVRD" if delivered else "MK:0001",
        "description": "用户短信送达成功" if delivered else "用户关机或不在服务区",
        "sid": sms.provider_id,
        **({"ext": sms.out_id} if session_context else {}),
    }


def reply(sms: AcceptedSms, text: str, at_ms: int) -> dict[str, object]:
    """The body of a reply."""
    code, mobile = parts(sms.phone)
    return {
        "extend": "",
        "mobile": mobile,
        "nationcode": code,
        "sign": sms.signature,
        "text": text,
        "time": at_ms // 1000,
    }
