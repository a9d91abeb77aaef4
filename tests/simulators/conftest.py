"""Fixtures of the simulators' tests."""

import os
from pathlib import Path

import pytest

from iot.broker import find_mosquitto


def _absent(what: str) -> None:
    """A missing means of testing is a failure where everything must be tested, else a skip."""
    if os.environ.get("CI") == "true":  # noqa: TID251 - the test run's own environment
        pytest.fail(f"{what} is required in CI")
    pytest.skip(what)


@pytest.fixture(scope="session")
def traces() -> Path:
    """The folder with the real traces, from ``CHARGEWARD_TRACES``."""
    folder = os.environ.get("CHARGEWARD_TRACES")  # noqa: TID251 - the test run's own environment
    if not folder:
        _absent("CHARGEWARD_TRACES is not set")
    return Path(str(folder))


@pytest.fixture(scope="session")
def mosquitto() -> Path:
    """An installed Mosquitto."""
    found = find_mosquitto()
    if found is None:
        _absent("mosquitto is not installed")
    return Path(str(found))
