"""A desk for each test, on both databases."""

import pytest

from devices.database import Database
from tests.desk.desk_scene import Scene


@pytest.fixture
def scene(database: Database) -> Scene:
    """A desk at noon on which nothing has happened."""
    return Scene(database)
