"""The phones of a demo: a simulated SMS and voice provider, and the people who carry them.

The backend reaches them through the official SDKs' endpoint settings, as it would the real
ones; receipts and replies come back as HTTP call-backs, as they would.
"""

import secrets
from enum import StrEnum
from typing import Final

import httpx
from fastapi import FastAPI

from alerts.callbacks.keys import CallbackSettings
from alerts.channels.settings import AliyunSettings, ChannelsSettings, TencentSettings
from alerts.incidents.model import Kind
from alerts.oncall.book import Book
from simulators.sms.model import Mode, Person, Service
from simulators.sms.provider import SmsProvider

SIGNATURE: Final = "安充"
ANSWERS_AFTER_S: Final = 25.0
CALLBACKS: Final = "/api/v1/callbacks/{service}/"


class Crew(StrEnum):
    """What the people of a demo do when their phones ring."""

    SILENT = "silent"
    PROMPT = "prompt"  # everybody answers "1" after 25 s


class Phones:
    """One provider on loopback for all services, with the keys of this run."""

    def __init__(self, provider: SmsProvider, address: str, key: str) -> None:
        """``address`` is where the provider listens."""
        self.provider = provider
        self._address = address
        self._key = key
        self._secrets = {"demo": secrets.token_hex(16)}

    def channels(self) -> ChannelsSettings:
        """Settings that lead to the simulated provider: Aliyun first, Tencent behind it."""
        templates = {kind.value: f"SMS_{kind.value.upper()}" for kind in Kind}
        secret = self._secrets["demo"]
        return ChannelsSettings.model_validate(
            {
                "aliyun": AliyunSettings.model_validate(
                    {
                        "access_key_id": "demo",
                        "access_key_secret": secret,
                        "scheme": "http",
                        "sms_endpoint": self._address,
                        "voice_endpoint": self._address,
                        "signature": SIGNATURE,
                        "templates": templates,
                        "tts_codes": {k: v.replace("SMS", "TTS") for k, v in templates.items()},
                    }
                ),
                "tencent": TencentSettings.model_validate(
                    {
                        "secret_id": "demo",
                        "secret_key": secret,
                        "sdk_app_id": "1400000000",
                        "scheme": "http",
                        "endpoint": self._address,
                        "signature": SIGNATURE,
                        "templates": {
                            kind: str(number) for number, kind in enumerate(templates, 1_000_001)
                        },
                    }
                ),
            }
        )

    def callbacks(self) -> CallbackSettings:
        """The key that call-backs must carry."""
        return CallbackSettings.model_validate({"aliyun_key": self._key, "tencent_key": self._key})

    def call_back(self, url: str) -> None:
        """In real time: the backend's address, once it is known."""
        self.provider.call_back(f"{url}{CALLBACKS}{self._key}")

    def give_out(self, book: Book, crew: Crew) -> None:
        """Everybody of the book gets a phone."""
        if crew is Crew.PROMPT:
            for person in book.people.values():
                if person.phone is not None:
                    self.provider.people[person.phone] = Person("1", ANSWERS_AFTER_S)

    async def deliver(self, app: FastAPI, now_ms: int) -> None:
        """In virtual time: what the provider would call back by now."""
        requests = self.provider.due(now_ms)
        if not requests:
            return
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
            for request in requests:
                answer = await client.post(
                    request.url_path, content=request.body, headers=dict(request.headers)
                )
                self.provider.answered(request, answer.status_code, answer.content, now_ms)


def new_key() -> str:
    """A call-back key for one run."""
    return secrets.token_hex(24)


def primary(provider: SmsProvider, mode: Mode) -> None:
    """Let the first SMS provider behave so; its voice service and the second go on working."""
    provider.behave(Service.ALIYUN_SMS, mode)
