"""The simulated provider as a backend in another process reaches it: through its settings."""

import json

from alerts.channels.settings import LIMITS
from alerts.incidents.model import Kind

KEY = "0123456789abcdef" * 3
CALLBACKS = f"/api/v1/callbacks/{{service}}/{KEY}"


def channels(address: str) -> dict[str, str]:
    """Settings, without their prefix: Aliyun first, Tencent behind it, no limits of ours."""
    kinds = [kind.value for kind in Kind]
    aliyun = {
        "access_key_id": "key",
        "access_key_secret": "secret",
        "scheme": "http",
        "sms_endpoint": address,
        "voice_endpoint": address,
        "signature": "安充",
        "templates": {kind: f"SMS_{kind}" for kind in kinds},
        "tts_codes": {kind: f"TTS_{kind}" for kind in kinds},
    }
    tencent = {
        "secret_id": "key",
        "secret_key": "secret",
        "sdk_app_id": "1400000000",
        "scheme": "http",
        "endpoint": address,
        "signature": "安充",
        "templates": {kind: str(number) for number, kind in enumerate(kinds, 1_000_001)},
    }
    return {
        "CHANNELS__ALIYUN": json.dumps(aliyun),
        "CHANNELS__TENCENT": json.dumps(tencent),
        "CHANNELS__LIMITS": json.dumps({name: [] for name in LIMITS}),
        "CALLBACKS__ALIYUN_KEY": KEY,
        "CALLBACKS__TENCENT_KEY": KEY,
    }
