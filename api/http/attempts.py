"""Wrong credentials are counted per client address, in bounded memory and without a clock.

Someone who guesses from behind the same address must not keep an officer from cutting power,
so a credential that was right a short while ago is still looked at while its address waits.
"""

import hashlib
import ipaddress
from collections import OrderedDict
from typing import Final

WRONG_PER_WINDOW: Final = 5
WINDOW_MS: Final = 60_000
REMEMBERED: Final = 4_096
"""Addresses, and known-good credentials, that are remembered; the oldest is forgotten first."""
GOOD_MS: Final = 24 * 3_600_000
_IPV6_PREFIX: Final = 64
"""One IPv6 customer has at least a /64 to choose addresses from."""


class Attempts:
    """Decides who must wait. ``now_ms`` is of a clock that never jumps."""

    def __init__(self, *, wrong: int = WRONG_PER_WINDOW, remembered: int = REMEMBERED) -> None:
        """``wrong`` guesses are free per minute and address."""
        self._wrong = wrong
        self._remembered = remembered
        self._windows: OrderedDict[str, tuple[int, int]] = OrderedDict()  # address: start, count
        self._good: OrderedDict[bytes, int] = OrderedDict()  # digest: until

    def wait_s(self, address: str, token: str, now_ms: int) -> int:
        """Whole seconds this caller must wait before ``token`` is looked at; 0 = now."""
        start_ms, count = self._windows.get(_key(address), (now_ms, 0))
        left_ms = start_ms + WINDOW_MS - now_ms
        if count < self._wrong or left_ms <= 0 or self._good.get(_digest(token), 0) > now_ms:
            return 0
        return -(-left_ms // 1000)

    def wrong(self, address: str, now_ms: int) -> None:
        """A credential from ``address`` was none of ours."""
        key = _key(address)
        start_ms, count = self._windows.pop(key, (now_ms, 0))
        if now_ms - start_ms >= WINDOW_MS:
            start_ms, count = now_ms, 0
        self._windows[key] = (start_ms, count + 1)
        while len(self._windows) > self._remembered:
            self._windows.popitem(last=False)

    def right(self, token: str, now_ms: int) -> None:
        """``token`` is one of ours; only its digest is remembered."""
        digest = _digest(token)
        self._good.pop(digest, None)
        self._good[digest] = now_ms + GOOD_MS
        while len(self._good) > self._remembered:
            self._good.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _key(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False).network_address)
    return str(parsed)
