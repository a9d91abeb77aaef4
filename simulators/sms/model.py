"""The words of the simulated provider: its services, how they misbehave, whom they reach."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Service(StrEnum):
    """What can be asked for; the name stands in call-back addresses too."""

    ALIYUN_SMS = "aliyun_sms"
    ALIYUN_VOICE = "aliyun_voice"
    TENCENT_SMS = "tencent_sms"


class Mode(StrEnum):
    """How a service behaves."""

    OK = "ok"
    DOWN = "down"  # every request is answered with HTTP 500
    REFUSED = "refused"  # the connection is torn before any answer
    THROTTLED = "throttled"  # answered with the provider's code for a limit
    SILENT = "silent"  # accepted, never delivered, never reported
    UNDELIVERED = "undelivered"  # accepted, and reported as not delivered
    LOST_ANSWER = "lost_answer"  # accepted and delivered, but the answer does not come in time
    PERMANENT = "permanent"  # every number is refused as illegal


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one service behaves until it is told otherwise. Ranges are (shortest, longest)."""

    mode: Mode = Mode.OK
    latency_s: tuple[float, float] = (0.0, 0.0)
    """Real seconds from taking a message to the answer; a longer one loses no message."""
    delivery_s: tuple[float, float] = (1.0, 3.0)
    """Seconds from acceptance to the phone; the report leaves at the same instant."""
    answer_after_s: float | None = 30.0
    """``LOST_ANSWER``: real seconds until the answer comes all the same; None = never."""


@dataclass(frozen=True, slots=True)
class AcceptedSms:
    """A message or call the provider took: from now on it costs money and may reach somebody."""

    service: Service
    out_id: str  # ours: OutId, SessionContext
    provider_id: str  # theirs: BizId, CallId, SerialNo
    phone: str  # E.164
    signature: str  # empty for a call
    template: str
    params: Mapping[str, str]  # Tencent's, which have no names, are "1", "2", ...
    at_ms: int


@dataclass(frozen=True, slots=True)
class Person:
    """What somebody does when a message or a call reaches the phone. The default: nothing."""

    reply: str | Callable[[AcceptedSms], str | None] | None = None
    """The text of the reply to an SMS; a callable may look at the message and say None."""
    reply_after_s: float = 20.0
    """Seconds from delivery to the reply."""
    answers_after_s: float | None = None
    """Seconds of ringing until the call is answered; None = it rings out."""
    presses: str = ""
    """Keys pressed during the call."""
    presses_after_s: float = 6.0
    """Seconds from answering to the last key, and then to the end of the call."""


SILENT = Person()


@dataclass(frozen=True, slots=True)
class Submission:
    """One message to one number, as a request asked for it."""

    service: Service
    phone: str  # as it was written in the request
    out_id: str
    signature: str
    template: str
    params: Mapping[str, str]


class Flaw(StrEnum):
    """Why a submission is not accepted; each provider has its own code for each."""

    NUMBER = "number"
    SIGNATURE = "signature"
    TEMPLATE = "template"
    PARAMS = "params"
    OUT_ID = "out_id"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A submission that is not accepted; ``level`` and ``permits`` say which limit was hit."""

    flaw: Flaw
    level: str = ""
    permits: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """An HTTP request as it arrived; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: a JSON body and its status."""

    body: Mapping[str, object]
    status: int = 200


class Kind(StrEnum):
    """What a call-back is about."""

    REPORT = "report"  # Aliyun SmsReport, Tencent status report
    UP = "up"  # Aliyun SmsUp, Tencent reply
    CALL = "call"  # Aliyun VoiceReport


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """One HTTP POST the provider makes; ``attempt`` counts from 1."""

    number: int  # the same for every attempt
    service: Service
    kind: Kind
    url: str
    url_path: str
    headers: Mapping[str, str]
    body: bytes
    attempt: int = 1
