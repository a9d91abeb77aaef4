"""The call-backs a provider owes: when each is due, and again when it was not acknowledged.

Aliyun pushes again after 1, 5 and 10 minutes; Tencent twice more. What is due at one instant
goes out in one push, as the providers merge results; a Tencent reply is a push of its own.
"""

import heapq
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from simulators.sms.model import CallbackRequest, Kind, Service

AGAIN_AFTER_MS: Final = {
    Service.ALIYUN_SMS: (60_000, 300_000, 600_000),
    Service.ALIYUN_VOICE: (60_000, 300_000, 600_000),
    Service.TENCENT_SMS: (60_000, 300_000),
}
MOST_IN_ONE: Final = 100
_HEADERS: Final = {"Content-Type": "application/json;charset=UTF-8"}
_OK: Final = 200
Item = Mapping[str, object]


class Pushes:
    """Call-backs that are to come. Time is told; nothing is sent here."""

    def __init__(self, address: str | None) -> None:
        """``address``: a URL or path in which ``{service}`` is replaced; None = push nothing."""
        self.address = address
        self._items: list[tuple[int, int, Service, Kind, Item]] = []
        self._again: list[tuple[int, int, CallbackRequest]] = []
        self._number = 0
        self.given_up: list[CallbackRequest] = []

    def add(self, due_ms: int, service: Service, kind: Kind, item: Item) -> None:
        """Let ``item`` be pushed from ``due_ms`` on."""
        if self.address is not None:
            heapq.heappush(self._items, (due_ms, self._next(), service, kind, item))

    def next_ms(self) -> int | None:
        """When the next one is due, or None."""
        return min((queue[0][0] for queue in (self._items, self._again) if queue), default=None)

    def due(self, now_ms: int) -> list[CallbackRequest]:
        """What must be posted now; each is out of the queue until ``answered`` is told."""
        due: list[CallbackRequest] = []
        while self._again and self._again[0][0] <= now_ms:
            due.append(heapq.heappop(self._again)[2])
        groups: dict[tuple[Service, Kind], list[Item]] = {}
        while self._items and self._items[0][0] <= now_ms:
            _, _, service, kind, item = heapq.heappop(self._items)
            groups.setdefault((service, kind), []).append(item)
        for (service, kind), items in groups.items():
            due.extend(self._requests(service, kind, items))
        return due

    def answered(
        self, request: CallbackRequest, status: int | None, body: bytes, now_ms: int
    ) -> bool:
        """Whether the answer acknowledges it; otherwise it is due again, or given up.

        ``status`` None: there was no answer.
        """
        if status == _OK and _acknowledges(request.service, body):
            return True
        waits = AGAIN_AFTER_MS[request.service]
        if request.attempt > len(waits):
            self.given_up.append(request)
        else:
            later = replace(request, attempt=request.attempt + 1)
            due_ms = now_ms + waits[request.attempt - 1]
            heapq.heappush(self._again, (due_ms, self._next(), later))
        return False

    def _requests(self, service: Service, kind: Kind, items: list[Item]) -> list[CallbackRequest]:
        if service is Service.TENCENT_SMS and kind is Kind.UP:
            return [self._request(service, kind, item) for item in items]
        chunks = range(0, len(items), MOST_IN_ONE)
        return [self._request(service, kind, items[at : at + MOST_IN_ONE]) for at in chunks]

    def _request(self, service: Service, kind: Kind, body: Item | list[Item]) -> CallbackRequest:
        url = (self.address or "").replace("{service}", service.value)
        text = json.dumps(body, ensure_ascii=False).encode()
        return CallbackRequest(self._next(), service, kind, url, urlsplit(url).path, _HEADERS, text)

    def _next(self) -> int:
        self._number += 1
        return self._number


def _acknowledges(service: Service, body: bytes) -> bool:
    """Aliyun looks whether ``code`` is a number, Tencent whether ``result`` is 0."""
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    if not isinstance(answer, dict):
        return False
    if service is Service.TENCENT_SMS:
        return type(answer.get("result")) is int and answer["result"] == 0
    return type(answer.get("code")) is int
