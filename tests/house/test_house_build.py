"""The house: pins, targets, decisions."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(name: str) -> dict[str, str]:
    """Version by package in a requirements file."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;]+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("requirements.txt", PROJECT["dependencies"] + EXTRAS["build"]),
        (
            "requirements-dev.txt",
            PROJECT["dependencies"] + EXTRAS["build"] + EXTRAS["dev"],
        ),
    ],
)
def test_every_dependency_is_pinned_within_its_bounds(file: str, wanted: list[str]) -> None:
    """What pyproject asks for is in the pins, in a version that it allows."""
    pinned = pins(file)
    for text in wanted:
        requirement = Requirement(text)
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{text}: {version}"


def test_the_demo_and_the_tests_run_with_the_same_versions() -> None:
    """What the tests prove holds for what is shipped."""
    run, dev = pins("requirements.txt"), pins("requirements-dev.txt")
    assert {name: dev.get(name) for name in run} == run


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_pin_has_hashes(file: str) -> None:
    """Nothing is installed that is not known to the byte."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[a-z0-9])", text):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]


def test_make_has_exactly_four_targets() -> None:
    """Demo, test, check, bench; the rest are files."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert targets == set(phony[1].split()) == {"demo", "test", "check", "bench"}


DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_of_four_parts(path: Path) -> None:
    """Context, one quotable line, consequences, what was rejected."""
    text = path.read_text(encoding="utf-8")
    number = re.match(r"(\d{4})-[a-z0-9-]+$", path.stem)
    assert number is not None
    assert text.startswith(f"# {number[1]} ")
    parts = ["Context", "Decision", "Consequences", "Rejected"]
    assert [h for h in re.findall(r"^## (.*)$", text, re.MULTILINE) if h in parts] == parts
    decision = text.split("## Decision")[1].split("## Consequences")[0]
    assert len(re.findall(r"^> ", decision, re.MULTILINE)) >= 1
    assert len(text.splitlines()) <= 90


def test_decisions_are_numbered_once() -> None:
    """A number names one decision."""
    numbers = [path.stem[:4] for path in DECISIONS]
    assert len(numbers) == len(set(numbers))


def test_every_dependency_has_its_reason() -> None:
    """ADR 0002 has a line for each, the optional ones included."""
    text = next(p for p in DECISIONS if p.stem.startswith("0002")).read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))
    wanted = PROJECT["dependencies"] + EXTRAS["build"] + EXTRAS["dev"]
    assert listed == {Requirement(text).name for text in wanted}
