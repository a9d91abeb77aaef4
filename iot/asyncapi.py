"""The contract as documents: AsyncAPI 3 and one JSON Schema per body, from the pydantic models.

Generated, checked in, and compared by ``make check``: the models are the source, the documents
are what firmware teams read. The examples are files of their own, so the tests validate them.

    python -m iot.asyncapi --write docs/contract
    python -m iot.asyncapi --check docs/contract
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from devices.names import STATION_PATTERN
from iot import contract
from iot.topics import DELIVERY, Channel, topic

Json = dict[str, Any]
Examples = Mapping[Channel, Mapping[str, Json]]
"""Per channel: bodies by the name of the example."""

DOCUMENT: Final = "asyncapi.json"
SCHEMAS: Final = "schemas"
EXAMPLES: Final = "examples"

_ABOUT: Final = (
    "What stations and backend say to each other over MQTT 3.1.1 or 5. This document describes "
    "the backend: its `receive` operations are what a station publishes, its `send` operations "
    "are what a station subscribes to; `x-station` says it from the station's side. All bodies "
    "are JSON objects in UTF-8, at most {limit} bytes; numbers are finite; a key that is not "
    "listed, or listed twice, has the message refused. Telemetry is columnar: one array per "
    "channel, index 0 is socket 1, `null` means no valid sensor, and relay, current_a, power_w, "
    "temp_c and energy_wh have the same length. All times are UTC milliseconds. Identity comes "
    "from the topic and the credential, never from a body."
)
_RULES: Final[dict[Channel, str]] = {
    Channel.TELEMETRY: (
        "One frame of all channels at one instant, as often as `limits` asks, and at once after "
        "an order was obeyed or a relay changed: that frame is what proves a cut. `ts` must lie "
        "in 2024..2098: a frame with an implausible clock is refused and kept for inspection."
    ),
    Channel.ALARM: (
        "Sent at once and again, with jitter, until the receipt with the same `id` comes. An "
        "implausible `ts` never has an alarm refused: it counts from its receipt. A `kind` that "
        "is not known becomes a supervisory finding, it is never ignored."
    ),
    Channel.RECEIPT: (
        "The alarm `id` is committed. A broker's PUBACK is not a receipt; only this ends the "
        "re-sending."
    ),
    Channel.STATUS: (
        "Retained, sent after each connect and whenever a member changes; with `online` false "
        "it is also the last will."
    ),
    Channel.COMMAND: (
        "An order with an end: refuse it after `expires`, obey the same `id` once. Never "
        "retained. There is no order to switch on. `release` only lifts a lock."
    ),
    Channel.REPLY: (
        "The answer to the command `id`. `done` is a claim; only measured power below 5 W proves "
        "a cut."
    ),
    Channel.LIMITS: (
        "Retained: what the station enforces by itself, also offline and after a reboot, and the "
        "sockets it must keep off."
    ),
}
_ANSWERED_ON: Final = {Channel.ALARM: Channel.RECEIPT, Channel.COMMAND: Channel.REPLY}
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[Channel, Json]:
    """One stand-alone JSON Schema per channel."""
    return {
        channel: {
            "$schema": _DIALECT,
            "$id": f"urn:chargeward:v{contract.VERSION}:{channel}",
            **delivery.model.model_json_schema(mode="validation"),
        }
        for channel, delivery in DELIVERY.items()
    }


def document(examples: Examples) -> Json:
    """The AsyncAPI 3.0.0 document of the wire contract."""
    _, definitions = models_json_schema(
        [(delivery.model, "validation") for delivery in DELIVERY.values()],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Chargeward wire contract",
            "version": f"{contract.VERSION}.0.0",
            "description": _ABOUT.format(limit=contract.MAX_BODY_BYTES),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"production": _server()},
        "channels": {channel.value: _channel(channel) for channel in Channel},
        "operations": {_operation_id(channel): _operation(channel) for channel in Channel},
        "components": {
            "messages": {c.value: _message(c, examples.get(c, {})) for c in Channel},
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "station": {
                    "type": "userPassword",
                    "description": "The user name is the station id; the broker's access list "
                    "keeps a station to its own topics.",
                }
            },
        },
    }


def files(examples: Examples) -> dict[str, str]:
    """Every generated file, by its path below ``docs/contract``."""
    made = {f"{SCHEMAS}/{channel}.json": schema for channel, schema in schemas().items()}
    made[DOCUMENT] = document(examples)
    return {path: _text(body) for path, body in made.items()}


def _server() -> Json:
    return {
        "host": "{host}:8883",
        "variables": {"host": {"description": "Where the operator runs the broker"}},
        "protocol": "mqtts",
        "protocolVersion": "3.1.1",
        "security": [{"$ref": "#/components/securitySchemes/station"}],
        "bindings": {
            "mqtt": {
                "cleanSession": False,
                "keepAlive": 60,
                "lastWill": {
                    "topic": topic("{station}", Channel.STATUS),
                    "qos": DELIVERY[Channel.STATUS].qos,
                    "retain": DELIVERY[Channel.STATUS].retained,
                    "message": "the status body with online: false",
                },
                "bindingVersion": "0.2.0",
            }
        },
    }


def _channel(channel: Channel) -> Json:
    return {
        "address": topic("{station}", channel),
        "description": _RULES[channel],
        "parameters": {
            "station": {
                "description": f"The station's id, matching {STATION_PATTERN}",
                "examples": ["cmrj-a01"],
            }
        },
        "messages": {channel.value: {"$ref": f"#/components/messages/{channel}"}},
    }


def _operation_id(channel: Channel) -> str:
    verb = "receive" if DELIVERY[channel].direction == "up" else "send"
    return f"{verb}{channel.value.capitalize()}"


def _operation(channel: Channel) -> Json:
    delivery = DELIVERY[channel]
    up = delivery.direction == "up"
    operation: Json = {
        "action": "receive" if up else "send",
        "summary": f"The {'station' if up else 'backend'} publishes {channel}, "
        f"the {'backend' if up else 'station'} subscribes.",
        "x-station": "publishes" if up else "subscribes",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{channel}"}],
        "bindings": {
            "mqtt": {"qos": delivery.qos, "retain": delivery.retained, "bindingVersion": "0.2.0"}
        },
    }
    answer = _ANSWERED_ON.get(channel)
    if answer is not None:
        operation["reply"] = {
            "channel": {"$ref": f"#/channels/{answer}"},
            "messages": [{"$ref": f"#/channels/{answer}/messages/{answer}"}],
        }
    return operation


def _message(channel: Channel, examples: Mapping[str, Json]) -> Json:
    return {
        "name": channel.value,
        "title": channel.value.capitalize(),
        "summary": DELIVERY[channel].model.__doc__,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{DELIVERY[channel].model.__name__}"},
        "examples": [{"name": name, "payload": body} for name, body in sorted(examples.items())],
    }


def _text(body: Json) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def read_examples(folder: Path) -> dict[Channel, dict[str, Json]]:
    """The bodies in ``folder``, one file each, named ``{channel}-{name}.json``."""
    found: dict[Channel, dict[str, Json]] = {}
    for file in sorted(folder.glob("*.json")):
        channel, _, name = file.stem.partition("-")
        body = json.loads(file.read_text(encoding="utf-8"))
        found.setdefault(Channel(channel), {})[name] = body
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the generated files, or say which differ (exit code 1)."""
    parser = argparse.ArgumentParser(prog="python -m iot.asyncapi", description=__doc__)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--write", metavar="FOLDER", type=Path, help="write the generated files")
    task.add_argument("--check", metavar="FOLDER", type=Path, help="fail when a file differs")
    options = parser.parse_args(arguments)
    folder: Path = options.write or options.check
    wanted = files(read_examples(folder / EXAMPLES))
    present = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in [*folder.glob("*.json"), *(folder / SCHEMAS).glob("*.json")]
    }
    if options.check:
        wrong = sorted(
            path for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path)
        )
        for path in wrong:
            sys.stderr.write(f"{folder / path} is not what the models say\n")
        if wrong:
            sys.stderr.write(f"run: python -m iot.asyncapi --write {folder}\n")
        return 1 if wrong else 0
    for path in present.keys() - wanted.keys():
        (folder / path).unlink()
    for path, text in wanted.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
