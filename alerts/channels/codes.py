"""What the providers' codes mean for us: data, and one function that reads it.

Sources are the providers' published lists of error codes. The first line that fits counts; a
code that is in no line is taken as passing: another way now, this one again later.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from alerts.channels.port import Permanent, Retryable, SendError, Throttled, Unknown

_HOUR_S: Final = 3_600.0
"""Days are rolling: how long one has to wait is not told, so it is asked again each hour."""


class Meaning(NamedTuple):
    """One line: shell patterns of the code and of the sentence beside it."""

    code: str
    error: type[SendError]
    retry_after_s: float = 0.0  # of Throttled
    detail: str = "*"


ALIYUN: Final = (
    Meaning("isv.BUSINESS_LIMIT_CONTROL", Throttled, 60, "*分钟*"),
    Meaning("isv.BUSINESS_LIMIT_CONTROL", Throttled, _HOUR_S, "*小时*"),
    Meaning("isv.BUSINESS_LIMIT_CONTROL", Throttled, _HOUR_S, "*天*"),
    Meaning("*BUSINESS_LIMIT_CONTROL*", Throttled, 60),
    Meaning("isv.BUSINESS_LIMIT_*", Throttled, _HOUR_S),
    Meaning("isv.*DAY_LIMIT*", Throttled, _HOUR_S),
    Meaning("isv.MONTH_LIMIT_CONTROL", Throttled, _HOUR_S),
    Meaning("isv.*FLOW_LIMIT*", Throttled, 60),
    Meaning("isv.*LIMIT_CONTROL", Throttled, 60),
    Meaning("Throttling*", Throttled, 5),
    Meaning("isp.RAM_PERMISSION_DENY", Permanent),
    Meaning("isp.*", Retryable),
    Meaning("isv.*", Permanent),  # number, template, signature, parameters, account, arrears
    Meaning("InvalidTimeStamp*", Retryable),  # our clock is off: the number is not to blame
    Meaning("IllegalTimestamp*", Retryable),
    Meaning("SignatureNonceUsed", Retryable),
    Meaning("InvalidAccessKeyId*", Permanent),
    Meaning("IncompleteSignature", Permanent),
    Meaning("SignatureDoesNotMatch", Permanent),
    Meaning("Forbidden*", Permanent),
    Meaning("NoPermission*", Permanent),
    Meaning("Missing*", Permanent),
    Meaning("Invalid*", Permanent),
)
"""SMS and voice."""

TENCENT: Final = (
    Meaning("LimitExceeded.PhoneNumberThirtySecondLimit", Throttled, 30),
    Meaning("LimitExceeded.PhoneNumberOneHourLimit", Throttled, _HOUR_S),
    Meaning("LimitExceeded.PhoneNumberCountLimit", Permanent),
    Meaning("LimitExceeded.*InBlacklist", Permanent),
    Meaning("LimitExceeded.*DailyLimit", Throttled, _HOUR_S),
    Meaning("LimitExceeded*", Throttled, 60),
    Meaning("RequestLimitExceeded*", Throttled, 5),
    Meaning("InternalError.RequestTimeException", Unknown),
    Meaning("InternalError.SendAndRecvFail", Unknown),
    Meaning("InternalError.Timeout", Unknown),
    Meaning("InternalError*", Retryable),
    Meaning("ServerNetworkError", Retryable),  # the SDK's word for an HTTP status other than 200
    Meaning("FailedOperation.OtherError", Retryable),
    Meaning("FailedOperation*", Permanent),
    Meaning("AuthFailure.SignatureExpire", Retryable),
    Meaning("AuthFailure*", Permanent),
    Meaning("Invalid*", Permanent),
    Meaning("MissingParameter*", Permanent),
    Meaning("UnauthorizedOperation*", Permanent),
    Meaning("UnknownParameter", Permanent),
    Meaning("UnsupportedOperation*", Permanent),
    Meaning("UnsupportedRegion", Permanent),
)
"""Of a request as a whole, and of one number in it."""

GAMMU: Final = (
    Meaning("gammu-1", Retryable),  # out of memory
    Meaning("gammu-2", Permanent),  # its command line
    Meaning("gammu-3", Permanent),
    Meaning("gammu-98", Permanent),
    Meaning("gammu-99", Permanent),
    Meaning("gammu-114", Unknown),  # the modem fell silent
    Meaning("gammu-12[01]", Permanent),  # it cannot do this at all
    Meaning("gammu-125", Permanent),
    Meaning("gammu-119", Permanent),  # unknown model or connection: its configuration
    Meaning("gammu-118", Permanent),
    Meaning("gammu-131", Permanent),  # no SMS centre
    Meaning("gammu-1[56]4", Permanent),  # not configured; service not running
    Meaning("gammu-158", Permanent),  # no such section
)
"""Exit codes of the command ``gammu``; a device that is away may come back."""


def explain(
    table: Sequence[Meaning], code: str, detail: str = "", secrets: Iterable[str] = ()
) -> SendError:
    """The error to raise for a provider's ``code`` and sentence, without our ``secrets``."""
    said = redacted(detail, secrets)
    for meaning in table:
        if fnmatchcase(code, meaning.code) and fnmatchcase(detail, meaning.detail):
            if issubclass(meaning.error, Throttled):
                return meaning.error(code, said, meaning.retry_after_s)
            return meaning.error(code, said)
    return Retryable(code, said)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """``text`` with every one of ``secrets`` taken out: providers repeat what we sent them."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, "***")
    return text
