"""The generated documents: in step with the models, and true in what they show."""

import json
import shutil
from pathlib import Path

import pytest

from iot import asyncapi
from iot.codec import decode, decode_downlink
from iot.topics import DELIVERY, Channel

CONTRACT = Path(__file__).parents[2] / "docs" / "contract"
EXAMPLES = asyncapi.read_examples(CONTRACT / asyncapi.EXAMPLES)


def test_the_checked_in_documents_are_what_the_models_say() -> None:
    """The same check that ``make check`` runs."""
    assert asyncapi.main(["--check", str(CONTRACT)]) == 0


@pytest.mark.parametrize("damage", ["changed", "missing", "left over"])
def test_a_document_that_differs_is_found_and_written_again(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--check`` names the file and the remedy, ``--write`` heals it."""
    folder = tmp_path / "contract"
    shutil.copytree(CONTRACT, folder)
    wrong = folder / "schemas" / ("old.json" if damage == "left over" else "alarm.json")
    if damage == "missing":
        wrong.unlink()
    else:
        wrong.write_text("{}", encoding="utf-8")
    assert asyncapi.main(["--check", str(folder)]) == 1
    printed = capsys.readouterr().err
    assert str(wrong) in printed
    assert "--write" in printed
    assert asyncapi.main(["--write", str(folder)]) == 0
    assert asyncapi.main(["--check", str(folder)]) == 0


@pytest.mark.parametrize("channel", Channel)
def test_every_channel_has_examples_that_decode(channel: Channel) -> None:
    """What the documents show is accepted by the codec."""
    receive = decode if DELIVERY[channel].direction == "up" else decode_downlink
    assert EXAMPLES[channel]
    for body in EXAMPLES[channel].values():
        message = receive(channel, json.dumps(body).encode())
        assert message.model_dump(mode="json") == body


def test_the_document_says_who_speaks_how_and_what_answers() -> None:
    """Direction, QoS, retention and answers of every channel, as in the wire contract."""
    document = asyncapi.document(EXAMPLES)
    said = {
        operation["channel"]["$ref"].rpartition("/")[2]: (
            operation["action"],
            operation["x-station"],
            operation["bindings"]["mqtt"]["qos"],
            operation["bindings"]["mqtt"]["retain"],
            operation.get("reply", {}).get("channel", {}).get("$ref"),
        )
        for operation in document["operations"].values()
    }
    assert said == {
        "telemetry": ("receive", "publishes", 1, False, None),
        "alarm": ("receive", "publishes", 1, False, "#/channels/receipt"),
        "receipt": ("send", "subscribes", 1, False, None),
        "status": ("receive", "publishes", 1, True, None),
        "command": ("send", "subscribes", 1, False, "#/channels/reply"),
        "reply": ("receive", "publishes", 1, False, None),
        "limits": ("send", "subscribes", 1, True, None),
    }
    assert document["channels"]["alarm"]["address"] == "chargeward/v1/{station}/alarm"


def test_every_reference_in_the_document_leads_somewhere() -> None:
    """No ``$ref`` is broken."""
    document = asyncapi.document(EXAMPLES)
    for reference in references(document):
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def references(node: object) -> list[str]:
    """All ``$ref`` values below ``node``."""
    match node:
        case dict():
            here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return here + [r for child in node.values() for r in references(child)]
        case list():
            return [r for child in node for r in references(child)]
        case _:
            return []
