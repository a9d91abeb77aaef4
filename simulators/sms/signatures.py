"""Checks of the request signatures ACS3-HMAC-SHA256 (Aliyun) and TC3-HMAC-SHA256 (Tencent).

The clocks are not compared: a story may be played in virtual time, while the clients sign with
the machine's. Pure.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from simulators.sms.model import Asked

ACS3: Final = "ACS3-HMAC-SHA256"
TC3: Final = "TC3-HMAC-SHA256"
_ACS3_HEADER: Final = re.compile(
    rf"{ACS3} Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]+)"
)
_TC3_HEADER: Final = re.compile(
    rf"{TC3} Credential=([^/,]+)/([^/,]+)/([^/,]+)/tc3_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)"
)


class Signed(StrEnum):
    """What a signature is worth."""

    RIGHT = "right"
    MISSING = "missing"
    UNKNOWN_KEY = "unknown_key"
    WRONG = "wrong"


def aliyun(asked: Asked, secrets: Mapping[str, str]) -> Signed:
    """Check ACS3-HMAC-SHA256; ``secrets`` by access key id."""
    found = _ACS3_HEADER.fullmatch(asked.headers.get("authorization", ""))
    if found is None:
        return Signed.MISSING
    key, names, given = found.groups()
    if key not in secrets:
        return Signed.UNKNOWN_KEY
    digest = hashlib.sha256(asked.body).hexdigest()
    if asked.headers.get("x-acs-content-sha256") != digest:
        return Signed.WRONG
    query = "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in sorted(asked.query.items()))
    canonical = "\n".join((asked.method, asked.path, query, _headers(asked, names), names, digest))
    text = f"{ACS3}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    right = hmac.new(secrets[key].encode(), text.encode(), hashlib.sha256).hexdigest()
    return Signed.RIGHT if hmac.compare_digest(right, given) else Signed.WRONG


def tencent(asked: Asked, secrets: Mapping[str, str]) -> Signed:
    """Check TC3-HMAC-SHA256 of a POST; ``secrets`` by secret id."""
    found = _TC3_HEADER.fullmatch(asked.headers.get("authorization", ""))
    if found is None:
        return Signed.MISSING
    key, date, service, names, given = found.groups()
    if key not in secrets:
        return Signed.UNKNOWN_KEY
    digest = hashlib.sha256(asked.body).hexdigest()
    canonical = "\n".join((asked.method, asked.path, "", _headers(asked, names), names, digest))
    scope = f"{date}/{service}/tc3_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((TC3, asked.headers.get("x-tc-timestamp", ""), scope, hashed))
    signing = f"TC3{secrets[key]}".encode()
    for part in (date, service, "tc3_request"):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    right = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
    return Signed.RIGHT if hmac.compare_digest(right, given) else Signed.WRONG


def _headers(asked: Asked, names: str) -> str:
    return "".join(f"{n}:{asked.headers.get(n, '').strip()}\n" for n in names.split(";"))


def _quoted(text: str) -> str:
    return quote(text, safe="~")
