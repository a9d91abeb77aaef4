"""Calls by Aliyun's official SDK: a text is read out, a key press comes back by call-back."""

import json

from alibabacloud_dyvmsapi20170525.client import Client
from alibabacloud_dyvmsapi20170525.models import SingleCallByTtsRequest

from alerts.channels.aliyun import OK, Account
from alerts.channels.phones import dialled
from alerts.channels.port import Accepted, Channel, Outgoing, Permanent
from alerts.channels.settings import AliyunSettings, template_for
from alerts.incidents.model import Kind


class AliyunVoice:
    """``aliyun-voice``: SingleCallByTts, with our id as OutId."""

    name = "aliyun-voice"
    channel = Channel.VOICE
    signature = ""

    def __init__(self, settings: AliyunSettings) -> None:
        """``settings`` name keys and TTS codes."""
        self._codes = settings.tts_codes
        self._shown = settings.called_show_number
        self._times = settings.play_times
        self._receipts = settings.receipts
        self._account = Account(settings, settings.voice_endpoint)
        self._client = Client(self._account.config)

    def template(self, kind: Kind, lang: str) -> str:
        """The TtsCode; empty = none was filed."""
        return template_for(self._codes, kind, lang)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Let it ring; see ``Provider``. Accepted means dialled, not answered."""
        code = self.template(outgoing.kind, outgoing.lang)
        if not code:
            word, detail = "no-template", f"none for {outgoing.kind.value}.{outgoing.lang}"
            raise Permanent(word, detail)
        request = SingleCallByTtsRequest(
            called_number=dialled(outgoing.address),
            called_show_number=self._shown,
            tts_code=code,
            tts_param=json.dumps(dict(outgoing.params), ensure_ascii=False),
            play_times=self._times,
            out_id=outgoing.id,
        )
        call = self._client.single_call_by_tts_with_options_async
        body = (await self._account.ask(lambda: call(request, self._account.runtime))).body
        if body is None or body.code != OK:
            raise self._account.verdict(body and body.code, body and body.message)
        return Accepted(body.call_id, receipts=self._receipts)

    async def close(self) -> None:
        """Let go of the threads."""
        self._account.close()
