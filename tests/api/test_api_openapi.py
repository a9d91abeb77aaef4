"""The OpenAPI document: complete, checked in, and its examples are true to its schemas."""

from pathlib import Path
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
import typer
from typer.testing import CliRunner

from api.cli.openapi import DEFAULT, DIFFERS, openapi
from api.http.reference import document, text
from tests.api.fake_backend import FakeBackend, client_of

DOCUMENT = document()
ROOT = Path(__file__).parents[2]


def operations() -> list[tuple[str, dict[str, Any]]]:
    """Name and description of every operation."""
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    ]


def examples() -> list[tuple[str, Any, Any]]:
    """Every example of an answer or a body, with the schema it must be true to."""
    found = []
    for name, operation in operations():
        contents = [
            (f"{name} {status} {media}", content)
            for status, response in operation["responses"].items()
            for media, content in response.get("content", {}).items()
        ]
        body = operation.get("requestBody", {}).get("content", {})
        contents += [(f"{name} body {media}", content) for media, content in body.items()]
        for label, content in contents:
            shown = [content["example"]] if "example" in content else []
            shown += [example["value"] for example in content.get("examples", {}).values()]
            found += [(label, content["schema"], example) for example in shown]
    return found


@pytest.mark.parametrize(
    ("schema", "example"), [pytest.param(s, e, id=label) for label, s, e in examples()]
)
def test_every_example_is_true_to_its_schema(schema: dict[str, Any], example: object) -> None:
    """What the document shows is what the routes answer and accept."""
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema.validate(example, whole, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("name", "operation"), operations())
def test_every_route_shows_an_example_and_its_problems(
    name: str, operation: dict[str, Any]
) -> None:
    """Each operation has a description, an example of success, and its refusals."""
    assert operation["description"]
    success = [r for status, r in operation["responses"].items() if status.startswith("2")]
    assert all("example" in c for r in success for c in r["content"].values()), name
    guarded = "security" in operation
    keyed = "{key}" in name
    assert guarded == ("/api/v1/" in name and not keyed)
    assert {"404", "429"} <= set(operation["responses"]) or not keyed
    assert {"401", "422", "429", "503"} <= set(operation["responses"]) or not guarded


def test_the_checked_in_document_is_what_the_routes_say() -> None:
    """``docs/openapi.json`` differs: run ``chargeward openapi --write docs/openapi.json``."""
    assert (ROOT / DEFAULT).read_text(encoding="utf-8") == text()


async def test_the_served_document_is_the_same(backend: FakeBackend) -> None:
    """Clients get what is checked in, without a credential."""
    async with client_of(backend) as client:
        served: httpx.Response = await client.get("/api/v1/openapi.json")
    assert (served.status_code, orjson.loads(served.content)) == (200, DOCUMENT)


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    """``--write`` makes the file, ``--check`` passes on it and fails on any other."""
    app = typer.Typer()
    app.command()(openapi)
    run = CliRunner().invoke
    file = tmp_path / "docs" / "openapi.json"
    assert run(app, ["--check", str(file)]).exit_code == DIFFERS
    assert run(app, ["--write", str(file)]).exit_code == 0
    assert run(app, ["--check", str(file)]).exit_code == 0
    file.write_text(text() + " ", encoding="utf-8")
    differs = run(app, ["--check", str(file)])
    assert (differs.exit_code, "run: chargeward openapi --write" in differs.stderr) == (1, True)
    assert run(app, []).stdout == text()
