"""The simulated provider: one HTTP server for all services, and what it does afterwards.

Point the official SDKs at ``serving()``'s address with ``http``. In real time ``run()`` makes the
call-backs; in virtual time the caller takes what is ``due`` and tells what was ``answered``.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from simulators.sms import aliyun, server
from simulators.sms.exchange import Exchange
from simulators.sms.fates import Fates
from simulators.sms.ledger import Ledger
from simulators.sms.limits import LimitBook
from simulators.sms.model import (
    AcceptedSms,
    Answer,
    Asked,
    Behaviour,
    CallbackRequest,
    Flaw,
    Mode,
    Person,
    Refusal,
    Service,
    Submission,
)
from simulators.sms.phones import e164
from simulators.sms.pushes import Pushes


class SmsProvider:
    """Aliyun SMS, Aliyun voice and Tencent SMS on one address."""

    def __init__(  # noqa: PLR0913 - one keyword per thing a caller may choose
        self,
        *,
        now_ms: Callable[[], int],
        seed: int,
        callbacks: str | None = None,
        secrets: Mapping[str, str] | None = None,
        limits: bool = False,
        session_context: bool = True,
        log: Path | None = None,
    ) -> None:
        """All services work, nobody answers.

        ``now_ms`` gives UTC ms. ``callbacks`` is where call-backs go: a URL (or, in virtual
        time, a path) in which ``{service}`` is replaced; None = none are made. ``secrets`` by
        access key id: signatures are checked; None = they are not looked at. ``limits``: the
        providers' limits per number hold. ``session_context``: Tencent's reports carry our id,
        as for accounts that asked for it. ``log``: a JSON-lines file of what is accepted.
        """
        self.limits = limits
        self.exempt: set[str] = set()
        """E.164 numbers on the provider's white list: no limit holds for them."""
        self.people: dict[str, Person] = {}
        """By E.164 number."""
        self._now_ms = now_ms
        self._rng = np.random.default_rng(seed)
        self._behaviours = dict.fromkeys(Service, Behaviour())
        self._ledger = Ledger(log)
        self._book = LimitBook()
        self._pushes = Pushes(callbacks)
        self._fates = Fates(self._pushes, self.people, self._rng, session_context=session_context)
        self._exchange = Exchange(self, secrets)

    def call_back(self, address: str) -> None:
        """From now on make call-backs to this address (see ``callbacks``)."""
        self._pushes.address = address

    @property
    def accepted(self) -> list[AcceptedSms]:
        """Everything that was accepted, in order; one entry per number."""
        return self._ledger.accepted

    @property
    def given_up(self) -> list[CallbackRequest]:
        """Call-backs nobody acknowledged, after their last attempt."""
        return self._pushes.given_up

    def copies(self, service: Service | None = None) -> Counter[str]:
        """How often each of our ids was accepted: 0 = lost, more than 1 = duplicates."""
        return self._ledger.copies(service)

    def listen(self, listener: Callable[[AcceptedSms], None]) -> None:
        """Tell ``listener`` of everything that is accepted from now on."""
        self._ledger.listeners.append(listener)

    def behaviour(self, service: Service) -> Behaviour:
        """How the service behaves now."""
        return self._behaviours[service]

    def behave(self, service: Service, behaviour: Behaviour | Mode) -> None:
        """Let the service behave so from now on; a ``Mode`` keeps latency and delivery times."""
        if isinstance(behaviour, Mode):
            behaviour = replace(self._behaviours[service], mode=behaviour)
        self._behaviours[service] = behaviour

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Listen on loopback; the address is ``127.0.0.1:port``, as the SDKs want an endpoint."""
        async with server.serving(self, port) as address:
            yield address

    async def run(self) -> None:
        """Make the call-backs in real time, with their repetitions, until cancelled."""
        await server.push(self, self._now_ms)

    def due(self, now_ms: int) -> list[CallbackRequest]:
        """The call-backs to make now; each waits for ``answered`` before it can be due again."""
        return self._pushes.due(now_ms)

    def next_due_ms(self) -> int | None:
        """When the next call-back is due, or None."""
        return self._pushes.next_ms()

    def answered(
        self, request: CallbackRequest, status: int | None, body: bytes, now_ms: int
    ) -> bool:
        """Tell how a call-back was answered (None = not at all); whether that acknowledges it."""
        return self._pushes.answered(request, status, body, now_ms)

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request, without latency."""
        return self._exchange.answer(asked)

    def latency_s(self, service: Service) -> float:
        """Real seconds until the answer to the next request leaves."""
        return float(self._rng.uniform(*self._behaviours[service].latency_s))

    def mode(self, service: Service) -> Mode:
        """How the service behaves now, in one word."""
        return self._behaviours[service].mode

    def judge(self, submission: Submission) -> Refusal | None:
        """Why it is not accepted, or None; a limit counts it."""
        phone = e164(submission.phone)
        if phone is None:
            return Refusal(Flaw.NUMBER)
        if not submission.signature and submission.service is not Service.ALIYUN_VOICE:
            return Refusal(Flaw.SIGNATURE)
        if not submission.template:
            return Refusal(Flaw.TEMPLATE)
        if self.limits and phone not in self.exempt:
            return self._book.check(submission, phone, self._now_ms())
        return None

    def accept(self, submission: Submission, number: int) -> AcceptedSms:
        """Accept what ``judge`` let pass, and decide what becomes of it."""
        at_ms = self._now_ms()
        sms = AcceptedSms(
            service=submission.service,
            out_id=submission.out_id,
            provider_id=self._provider_id(submission.service, at_ms, number),
            phone=e164(submission.phone) or submission.phone,
            signature=submission.signature,
            template=submission.template,
            params=submission.params,
            at_ms=at_ms,
        )
        self._fates.decide(sms, self._behaviours[sms.service])
        self._ledger.add(sms)
        return sms

    def sent_to(
        self, phone: str, day: str, biz_id: str
    ) -> list[tuple[AcceptedSms, int | None, str]]:
        """What Aliyun SMS accepted for a number on a Beijing day, newest first."""
        now_ms = self._now_ms()
        return [
            (sms, *self._fates.report(sms, now_ms))
            for sms in reversed(self.accepted)
            if sms.service is Service.ALIYUN_SMS
            and sms.phone == e164(phone)
            and aliyun.day(sms.at_ms) == day
            and biz_id in {"", sms.provider_id}
        ]

    def _provider_id(self, service: Service, at_ms: int, number: int) -> str:
        if service is Service.ALIYUN_SMS:
            return f"{at_ms}{number:05d}^0"
        if service is Service.ALIYUN_VOICE:
            return f"{at_ms}^{number:012d}"
        return f"2645:{at_ms}{number:05d}{len(self.accepted):09d}"
