"""What becomes of an accepted message: delivered or not, answered or not, and who says so when."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from simulators.sms import aliyun, tencent
from simulators.sms.model import SILENT, AcceptedSms, Behaviour, Kind, Mode, Person, Service
from simulators.sms.pushes import Pushes

DELIVERED: Final = "DELIVERED"
NOT_DELIVERED: Final = "MOBILE_NOT_ON_SERVICE"
LISTENED: Final = "200000"
RANG_OUT: Final = "200003"
UNREACHABLE: Final = "200007"
RINGS_S: Final = 30.0
_SECOND_MS: Final = 1000


class Fates:
    """Decides at acceptance; time only reveals it."""

    def __init__(
        self,
        pushes: Pushes,
        people: Mapping[str, Person],
        rng: np.random.Generator,
        *,
        session_context: bool,
    ) -> None:
        """``people`` by E.164 number; whoever is not in it does nothing.

        ``session_context``: Tencent's reports carry our id, which they do only for accounts that
        asked for it; otherwise they name the serial number alone.
        """
        self._pushes = pushes
        self._people = people
        self._rng = rng
        self._session_context = session_context
        self._reports: dict[tuple[str, str], tuple[int, str]] = {}
        self._replies = 0

    def decide(self, sms: AcceptedSms, behaviour: Behaviour) -> None:
        """Put what will happen into the queue of call-backs."""
        if behaviour.mode is Mode.SILENT:
            return
        delivered = behaviour.mode is not Mode.UNDELIVERED
        at_ms = sms.at_ms + int(self._rng.uniform(*behaviour.delivery_s) * _SECOND_MS)
        person = self._people.get(sms.phone, SILENT)
        if sms.service is Service.ALIYUN_VOICE:
            self._call(sms, person, at_ms, reached=delivered)
            return
        self._report(sms, at_ms, delivered=delivered)
        if delivered:
            self._reply(sms, person, at_ms + int(person.reply_after_s * _SECOND_MS))

    def report(self, sms: AcceptedSms, now_ms: int) -> tuple[int | None, str]:
        """When the carrier reported and what, as far as it is known now."""
        at_ms, code = self._reports.get((sms.provider_id, sms.phone), (None, ""))
        return (at_ms, code) if at_ms is not None and at_ms <= now_ms else (None, "")

    def _report(self, sms: AcceptedSms, at_ms: int, *, delivered: bool) -> None:
        code = DELIVERED if delivered else NOT_DELIVERED
        self._reports[sms.provider_id, sms.phone] = (at_ms, code)
        item = (
            tencent.report(sms, at_ms, delivered=delivered, session_context=self._session_context)
            if sms.service is Service.TENCENT_SMS
            else aliyun.report(sms, at_ms, code)
        )
        self._pushes.add(at_ms, sms.service, Kind.REPORT, item)

    def _reply(self, sms: AcceptedSms, person: Person, at_ms: int) -> None:
        text = person.reply(sms) if callable(person.reply) else person.reply
        if text is None:
            return
        self._replies += 1
        item = (
            tencent.reply(sms, text, at_ms)
            if sms.service is Service.TENCENT_SMS
            else aliyun.reply(sms, text, at_ms, sms.at_ms * 1000 + self._replies)
        )
        self._pushes.add(at_ms, sms.service, Kind.UP, item)

    def _call(self, sms: AcceptedSms, person: Person, at_ms: int, *, reached: bool) -> None:
        answered_ms, dtmf = None, ""
        if not reached:
            code, end_ms = UNREACHABLE, at_ms
        elif person.answers_after_s is None:
            code, end_ms = RANG_OUT, at_ms + int(RINGS_S * _SECOND_MS)
        else:
            code, dtmf = LISTENED, person.presses
            answered_ms = at_ms + int(person.answers_after_s * _SECOND_MS)
            end_ms = answered_ms + int(person.presses_after_s * _SECOND_MS)
        item = aliyun.call(sms, code=code, answered_ms=answered_ms, end_ms=end_ms, dtmf=dtmf)
        self._pushes.add(end_ms, sms.service, Kind.CALL, item)
