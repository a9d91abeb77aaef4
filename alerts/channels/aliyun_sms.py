"""SMS by Aliyun's official SDK."""

import json

from alibabacloud_dysmsapi20170525.client import Client
from alibabacloud_dysmsapi20170525.models import SendSmsRequest

from alerts.channels.aliyun import OK, Account
from alerts.channels.phones import dialled
from alerts.channels.port import Accepted, Channel, Outgoing, Permanent
from alerts.channels.settings import AliyunSettings, template_for
from alerts.incidents.model import Kind
from alerts.texts.segments import Route, count


class AliyunSms:
    """``aliyun``: SendSms, with our id as OutId."""

    name = "aliyun"
    channel = Channel.SMS

    def __init__(self, settings: AliyunSettings) -> None:
        """``settings`` name keys, signature and templates."""
        self.signature = settings.signature
        self._templates = settings.templates
        self._receipts = settings.receipts
        self._account = Account(settings, settings.sms_endpoint)
        self._client = Client(self._account.config)

    def template(self, kind: Kind, lang: str) -> str:
        """The TemplateCode; empty = none was filed."""
        return template_for(self._templates, kind, lang)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand it over; see ``Provider``."""
        template = self.template(outgoing.kind, outgoing.lang)
        if not template:
            code, detail = "no-template", f"none for {outgoing.kind.value}.{outgoing.lang}"
            raise Permanent(code, detail)
        request = SendSmsRequest(
            phone_numbers=dialled(outgoing.address),
            sign_name=self.signature,
            template_code=template,
            template_param=_json(outgoing),
            out_id=outgoing.id,
        )
        call = self._client.send_sms_with_options_async
        body = (await self._account.ask(lambda: call(request, self._account.runtime))).body
        if body is None or body.code != OK:
            raise self._account.verdict(body and body.code, body and body.message)
        billed = count(outgoing.text, self.signature, Route.CARRIER).segments
        return Accepted(body.biz_id, billed, receipts=self._receipts)

    async def close(self) -> None:
        """Let go of the threads."""
        self._account.close()


def _json(outgoing: Outgoing) -> str | None:
    return json.dumps(dict(outgoing.params), ensure_ascii=False) if outgoing.params else None
