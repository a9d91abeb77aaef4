"""Where SMS and voice providers send receipts, replies and results of calls.

They present no credential: the key in the path is it. A right key always passes, whatever
somebody else guesses from the same address, and the body is read only after it.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import StringConstraints
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.errors import TooManyAttemptsError
from api.http.answers import answer
from api.http.attempts import Attempts
from api.http.documented import keyed
from api.http.ports import Backend, Callbacks

_TENCENT: Final = "tencent_sms"
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class AliyunTaken:
    """What Aliyun takes for an acknowledgement."""

    code: int
    msg: str


@dataclass(frozen=True, slots=True)
class TencentTaken:
    """What Tencent takes for one."""

    result: int
    errmsg: str


_ALIYUN_TAKEN: Final = AliyunTaken(0, "OK")
_TENCENT_TAKEN: Final = TencentTaken(0, "OK")
_TIME: Final = "2026-09-21 22:13:25"
_PHONE: Final = "13800000000"
_EXAMPLES: Final[dict[str, Any]] = {
    "aliyun_receipt": {
        "summary": "Aliyun SmsReport",
        "value": [
            {
                "phone_number": _PHONE,
                "send_time": "2026-09-21 22:13:20",
                "report_time": _TIME,
                "success": True,
                "err_code": "DELIVERED",
                "err_msg": "用户接收成功",
                "sms_size": "1",
                "biz_id": "932702304080415357^0",
                "out_id": "m0k3v9x2a7",
            }
        ],
    },
    "aliyun_reply": {
        "summary": "Aliyun SmsUp",
        "value": [
            {
                "phone_number": _PHONE,
                "content": "1",
                "send_time": _TIME,
                "dest_code": "8888",
                "sequence_id": "1234567890",
            }
        ],
    },
    "aliyun_call": {
        "summary": "Aliyun VoiceReport",
        "value": [
            {
                "call_id": "116012854210^102814279000",
                "out_id": "v0k3v9x2a7",
                "callee": _PHONE,
                "start_time": _TIME,
                "end_time": "2026-09-21 22:13:40",
                "duration": "15",
                "status_code": "200000",
                "dtmf": "1",
            }
        ],
    },
    "tencent_receipt": {
        "summary": "Tencent status report",
        "value": [
            {
                "user_receive_time": _TIME,
                "nationcode": "86",
                "mobile": _PHONE,
                "report_status": "SUCCESS",
                "errmsg": "DELIVRD",
                "description": "用户短信送达成功",
                "sid": "2645:154237865616280219999811",
            }
        ],
    },
    "tencent_reply": {
        "summary": "Tencent reply",
        "value": {
            "extend": "",
            "mobile": _PHONE,
            "nationcode": "86",
            "sign": "安充消防",
            "text": "1",
            "time": 1_790_000_005,
        },
    },
}
_ITEM: Final = {"type": "object"}
_SCHEMA: Final = {"oneOf": [{"type": "array", "maxItems": 1000, "items": _ITEM}, _ITEM]}
_CONTENT: Final = {"application/json": {"schema": _SCHEMA, "examples": _EXAMPLES}}
_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": _CONTENT}}
Service = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z_]{1,32}$"),
    Path(description="aliyun_sms, aliyun_voice or tencent_sms"),
]
Key = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$"),
    Path(description="the account's key, from the settings"),
]


def routes(
    backend: Backend, callbacks: Callbacks | None, attempts: Attempts | None = None
) -> APIRouter:
    """The route under ``/callbacks``."""
    router = APIRouter(prefix="/api/v1", tags=["callbacks"])
    wrong = attempts or Attempts()

    def refuse(request: Request, key: str) -> HTTPException | TooManyAttemptsError:
        address = request.client.host if request.client is not None else ""
        now_ms = backend.monotonic_ms()
        if retry_s := wrong.wait_s(address, key, now_ms):
            return TooManyAttemptsError(retry_s)
        wrong.wrong(address, now_ms)
        return HTTPException(_NOT_FOUND)

    @router.post(
        "/callbacks/{service}/{key}",
        openapi_extra=_BODY,
        **keyed(AliyunTaken | TencentTaken, _ALIYUN_TAKEN, 413, 503),
    )
    async def post_callback(request: Request, service: Service, key: Key) -> Response:
        """Take what a provider sends back, in the provider's own format, and answer in it.

        Every receipt, reply or result counts once, however often it is sent. 200 means that it
        is kept; an item that makes no sense is counted and left out. Anything else lets the
        provider send all of it again later.
        """
        if callbacks is None or not callbacks.right(service, key):
            raise refuse(request, key)
        await callbacks.take(service, await request.body())
        return answer(_TENCENT_TAKEN if service == _TENCENT else _ALIYUN_TAKEN)

    return router
