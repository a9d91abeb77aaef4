"""SMS by Tencent Cloud's official SDK."""

from collections.abc import Sequence
from typing import Final

import httpx
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111.models import SendSmsRequest, SendSmsResponse
from tencentcloud.sms.v20210111.sms_client_async import SmsClient

from alerts.channels.codes import TENCENT, explain
from alerts.channels.deadline import answered_within
from alerts.channels.port import Accepted, Channel, Outgoing, Permanent, Retryable, Unknown
from alerts.channels.settings import TencentSettings, template_for
from alerts.incidents.model import Kind
from alerts.texts.segments import Route, count
from alerts.texts.templates import templates, variables

OK: Final = "Ok"


class TencentSms:
    """``tencent``: SendSms, with our id as SessionContext."""

    name = "tencent"
    channel = Channel.SMS

    def __init__(self, settings: TencentSettings) -> None:
        """``settings`` name keys, application, signature and templates."""
        if settings.secret_id is None or settings.secret_key is None:
            msg = "tencent needs secret_id and secret_key"
            raise ValueError(msg)
        self.signature = settings.signature
        self._settings = settings
        keys = settings.secret_id.get_secret_value(), settings.secret_key.get_secret_value()
        self._secrets = keys
        # The profile's default repeats nothing: sending is not idempotent.
        profile = ClientProfile(
            httpProfile=HttpProfile(
                protocol=settings.scheme,
                endpoint=settings.endpoint,
                reqTimeout=settings.timeout_s,
            )
        )
        self._client = SmsClient(Credential(*keys), settings.region, profile)

    def template(self, kind: Kind, lang: str) -> str:
        """The TemplateId; empty = none was filed."""
        return template_for(self._settings.templates, kind, lang)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand it over; see ``Provider``."""
        request = self._request(outgoing)
        async with answered_within(self._settings.timeout_s):
            answer = await self._asked(request)
        statuses = answer.SendStatusSet or []
        if len(statuses) != 1 or not statuses[0].Code:
            code, detail = "unreadable", "the answer has no status of the number"
            raise Unknown(code, detail)
        [status] = statuses
        if status.Code != OK:
            raise explain(TENCENT, status.Code, status.Message or "", self._secrets)
        billed = status.Fee or count(outgoing.text, self.signature, Route.CARRIER).segments
        return Accepted(status.SerialNo, billed, receipts=self._settings.receipts)

    async def close(self) -> None:
        """Close the SDK's connections."""
        await self._client.close()

    async def _asked(self, request: SendSmsRequest) -> SendSmsResponse:
        try:
            return await self._client.SendSms(request)
        except TencentCloudSDKException as error:
            code, said = str(error.code), error.message
            text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            raise explain(TENCENT, code, text, self._secrets) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            code, detail = "unreachable", type(error).__name__
            raise Retryable(code, detail) from None
        except httpx.HTTPError as error:
            code, detail = "no-answer", type(error).__name__
            raise Unknown(code, detail) from None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            code, detail = "unreadable", type(error).__name__  # no answer of Tencent's
            raise Unknown(code, detail) from None

    def _request(self, outgoing: Outgoing) -> SendSmsRequest:
        template = self.template(outgoing.kind, outgoing.lang)
        if not template:
            code, detail = "no-template", f"none for {outgoing.kind.value}.{outgoing.lang}"
            raise Permanent(code, detail)
        request = SendSmsRequest()
        request.PhoneNumberSet = [outgoing.address]
        request.SmsSdkAppId = self._settings.sdk_app_id
        request.SignName = self.signature
        request.TemplateId = template
        request.TemplateParamSet = self._values(outgoing)
        request.SessionContext = outgoing.id
        return request

    def _values(self, outgoing: Outgoing) -> list[str]:
        """The variables in the order of the template's {1}, {2} ..."""
        named = template_for(self._settings.variables, outgoing.kind, outgoing.lang)
        names: Sequence[str] = [name.strip() for name in named.split(",")]
        if not named:
            names = variables(templates(outgoing.lang)[outgoing.kind])
        try:
            return [outgoing.params[name] for name in names]
        except KeyError as error:
            code, detail = "no-variable", f"the text has no variable {error}"
            raise Permanent(code, detail) from None
