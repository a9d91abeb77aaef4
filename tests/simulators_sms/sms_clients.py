"""The providers' official SDKs, pointed at a simulated provider, and what the tests send."""

import asyncio
from dataclasses import dataclass
from typing import Any

from alibabacloud_dysmsapi20170525 import models as sms_models
from alibabacloud_dysmsapi20170525.client import Client as SmsClient
from alibabacloud_dyvmsapi20170525 import models as voice_models
from alibabacloud_dyvmsapi20170525.client import Client as VoiceClient
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.runtime import RuntimeOptions
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111 import models as tencent_models
from tencentcloud.sms.v20210111.sms_client import SmsClient as TencentClient

SECRETS = {"LTAI-test": "aliyun-secret", "AKID-test": "tencent-secret"}
PHONE = "+8613812345678"
SIGNATURE = "安充消防"
PARAMS = {"place": "翠苑3区东车棚A07桩5号座", "time": "14:03"}
JSON_PARAMS = '{"place": "翠苑3区东车棚A07桩5号座", "time": "14:03"}'


@dataclass
class Clients:
    """One of each, for one address."""

    address: str
    aliyun_secret: str = SECRETS["LTAI-test"]
    tencent_secret: str = SECRETS["AKID-test"]
    aliyun_key: str = "LTAI-test"
    tencent_key: str = "AKID-test"
    timeout_ms: int = 2_000

    def _config(self) -> Any:
        return Config(
            access_key_id=self.aliyun_key,
            access_key_secret=self.aliyun_secret,
            endpoint=self.address,
            protocol="http",
        )

    def _runtime(self) -> Any:
        return RuntimeOptions(connect_timeout=self.timeout_ms, read_timeout=self.timeout_ms)

    async def aliyun_sms(self, out_id: str = "m1", **changes: str) -> dict[str, Any]:
        """SendSms; the body of the answer."""
        asked = sms_models.SendSmsRequest(
            phone_numbers=changes.get("phone", "13812345678"),
            sign_name=changes.get("signature", SIGNATURE),
            template_code=changes.get("template", "SMS_1"),
            template_param=changes.get("params", JSON_PARAMS),
            out_id=out_id,
        )
        client = SmsClient(self._config())
        got = await client.send_sms_with_options_async(asked, self._runtime())
        body: dict[str, Any] = got.body.to_map()
        return body

    async def aliyun_batch(self, out_id: str = "m1") -> dict[str, Any]:
        """SendBatchSms to two numbers; the body of the answer."""
        asked = sms_models.SendBatchSmsRequest(
            phone_number_json='["13812345678", "13912345678"]',
            sign_name_json=f'["{SIGNATURE}", "{SIGNATURE}"]',
            template_code="SMS_1",
            template_param_json='[{"n": "一"}, {"n": "二"}]',
            out_id=out_id,
        )
        client = SmsClient(self._config())
        got = await client.send_batch_sms_with_options_async(asked, self._runtime())
        body: dict[str, Any] = got.body.to_map()
        return body

    async def aliyun_details(self, day: str, biz_id: str) -> dict[str, Any]:
        """QuerySendDetails; the body of the answer."""
        asked = sms_models.QuerySendDetailsRequest(
            phone_number="13812345678",
            send_date=day,
            page_size=10,
            current_page=1,
            biz_id=biz_id,
        )
        client = SmsClient(self._config())
        got = await client.query_send_details_with_options_async(asked, self._runtime())
        body: dict[str, Any] = got.body.to_map()
        return body

    async def aliyun_call(self, out_id: str = "m1") -> dict[str, Any]:
        """SingleCallByTts; the body of the answer."""
        asked = voice_models.SingleCallByTtsRequest(
            called_number="13812345678",
            tts_code="TTS_1",
            tts_param=JSON_PARAMS,
            play_times=2,
            out_id=out_id,
        )
        client = VoiceClient(self._config())
        got = await client.single_call_by_tts_with_options_async(asked, self._runtime())
        body: dict[str, Any] = got.body.to_map()
        return body

    async def tencent_sms(self, out_id: str = "m1", phone: str = PHONE) -> dict[str, Any]:
        """SendSms of Tencent; the status of the one number."""
        profile = ClientProfile(
            httpProfile=HttpProfile(
                protocol="http", endpoint=self.address, reqTimeout=self.timeout_ms / 1000
            )
        )
        asked = tencent_models.SendSmsRequest()
        asked.PhoneNumberSet = [phone]
        asked.SmsSdkAppId = "1400006666"
        asked.SignName = SIGNATURE
        asked.TemplateId = "1110"
        asked.TemplateParamSet = list(PARAMS.values())
        asked.SessionContext = out_id
        credential = Credential(self.tencent_key, self.tencent_secret)
        client = TencentClient(credential, "ap-guangzhou", profile)
        got = await asyncio.to_thread(client.SendSms, asked)
        status = got.SendStatusSet[0]
        names = ("SerialNo", "PhoneNumber", "Fee", "SessionContext", "Code", "Message", "IsoCode")
        return {name: getattr(status, name) for name in names}
