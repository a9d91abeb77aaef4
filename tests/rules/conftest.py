"""Fixtures of the rules tests."""

import os
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.rules.timeline import Timeline


@pytest.fixture
def line() -> Timeline:
    """A station of two sockets with the default catalogue."""
    return Timeline()


@pytest.fixture
def traces() -> Path:
    """The folder of real traces, named by the environment; they are not ours to copy."""
    folder = os.environ.get("CHARGEWARD_TRACES")  # noqa: TID251 - the test run's own switch
    if not folder or not Path(folder).is_dir():
        missing("CHARGEWARD_TRACES, the folder of real traces,")
    return Path(folder or "")
