"""From a request to its answer: whose it is, whether it is signed, whether it is accepted."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Final, Protocol

from simulators.sms import aliyun, signatures, tencent
from simulators.sms.model import (
    AcceptedSms,
    Answer,
    Asked,
    Flaw,
    Mode,
    Refusal,
    Service,
    Submission,
)
from simulators.sms.signatures import Signed

_DAY: Final = 50
_LEVEL: Final = "day"
_PAGE: Final = 50
_READERS: Final[Mapping[str, Callable[[Mapping[str, str]], list[Submission] | Refusal]]] = {
    "SendSms": aliyun.send_sms,
    "SendBatchSms": aliyun.send_batch,
    "SingleCallByTts": aliyun.single_call,
}


class Desk(Protocol):
    """Who decides what is accepted, and remembers it."""

    def mode(self, service: Service) -> Mode:
        """How the service behaves now."""
        ...

    def judge(self, submission: Submission) -> Refusal | None:
        """Why it is not accepted, or None; a limit counts it."""
        ...

    def accept(self, submission: Submission, number: int) -> AcceptedSms:
        """Accept it; ``number`` is the same for what came in one request."""
        ...

    def sent_to(
        self, phone: str, day: str, biz_id: str
    ) -> list[tuple[AcceptedSms, int | None, str]]:
        """What Aliyun SMS accepted for a number on a Beijing day, newest first."""
        ...


def service_of(asked: Asked) -> Service | None:
    """Which service a request is for: both providers say the action in a header."""
    if "x-tc-action" in asked.headers:
        return Service.TENCENT_SMS
    return aliyun.ACTIONS.get(asked.headers.get("x-acs-action", ""))


class Exchange:
    """Answers requests in the formats of the providers."""

    def __init__(self, desk: Desk, secrets: Mapping[str, str] | None) -> None:
        """``secrets`` by access key id; None = signatures are not looked at."""
        self._desk = desk
        self._secrets = secrets
        self._numbers: Iterator[int] = count(1)

    def answer(self, asked: Asked) -> Answer:
        """The answer, as soon as it is decided; latency and lost answers are the server's."""
        number = next(self._numbers)
        if "x-tc-action" in asked.headers:
            return self._tencent(asked, number, f"tc-{number:012d}")
        return self._aliyun(asked, number, f"ALI-{number:012d}")

    def _aliyun(self, asked: Asked, number: int, request_id: str) -> Answer:
        action, host = asked.headers.get("x-acs-action", ""), asked.headers.get("host", "")
        service = aliyun.ACTIONS.get(action)
        if service is None:
            return aliyun.unknown_action(request_id, host)
        if self._desk.mode(service) is Mode.DOWN:
            return aliyun.down(request_id, host)
        if (signed := self._signed(signatures.aliyun, asked)) is not Signed.RIGHT:
            return aliyun.unsigned(signed, request_id, host)
        given = aliyun.parameters(asked)
        if action == "QuerySendDetails":
            return self._details(given, request_id)
        return self._submit(service, _READERS[action](given), number, request_id)

    def _submit(
        self, service: Service, wanted: list[Submission] | Refusal, number: int, request_id: str
    ) -> Answer:
        """Aliyun takes all of a request or nothing."""
        if isinstance(wanted, Refusal):
            return aliyun.refused(wanted, request_id)
        if (refusal := self._refusal(wanted)) is not None:
            return aliyun.refused(refusal, request_id)
        accepted = [self._desk.accept(each, number) for each in wanted]
        return aliyun.taken(service, accepted[0].provider_id, request_id)

    def _tencent(self, asked: Asked, number: int, request_id: str) -> Answer:
        if self._desk.mode(Service.TENCENT_SMS) is Mode.DOWN:
            return tencent.down(request_id)
        if (signed := self._signed(signatures.tencent, asked)) is not Signed.RIGHT:
            return tencent.unsigned(signed, request_id)
        if asked.headers["x-tc-action"] != "SendSms":
            return tencent.unknown_action(request_id)
        wanted = tencent.send_sms(asked)
        if isinstance(wanted, Refusal):
            return tencent.refused(wanted, request_id)
        results = [(each, self._one(each, number)) for each in wanted]
        return tencent.answer(results, request_id)

    def _one(self, submission: Submission, number: int) -> AcceptedSms | Refusal:
        return self._refusal([submission]) or self._desk.accept(submission, number)

    def _refusal(self, submissions: list[Submission]) -> Refusal | None:
        """Of the first that is refused."""
        mode = self._desk.mode(submissions[0].service)
        if mode is Mode.THROTTLED:
            return Refusal(Flaw.LIMIT, _LEVEL, _DAY)
        if mode is Mode.PERMANENT:
            return Refusal(Flaw.NUMBER)
        return next(filter(None, map(self._desk.judge, submissions)), None)

    def _signed(self, check: Callable[[Asked, Mapping[str, str]], Signed], asked: Asked) -> Signed:
        return Signed.RIGHT if self._secrets is None else check(asked, self._secrets)

    def _details(self, given: Mapping[str, str], request_id: str) -> Answer:
        try:
            size = max(1, min(int(given.get("PageSize", "10")), _PAGE))
            first = (max(1, int(given.get("CurrentPage", "1"))) - 1) * size
        except ValueError:
            return aliyun.refused(Refusal(Flaw.OUT_ID), request_id)
        wanted = (given.get(name, "") for name in ("PhoneNumber", "SendDate", "BizId"))
        rows = self._desk.sent_to(*wanted)
        return aliyun.details(rows[first : first + size], len(rows), request_id)
