"""Fixtures of the API's tests."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.fake_backend import BEARER, FakeBackend, client_of


@pytest.fixture
def backend() -> FakeBackend:
    """16 stations online, one socket hot and locked."""
    return FakeBackend()


@pytest.fixture
async def client(backend: FakeBackend) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a valid credential, texts in English."""
    async with client_of(backend) as client:
        client.headers.update({**BEARER, "Accept-Language": "en"})
        yield client


@pytest.fixture
async def stranger(backend: FakeBackend) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a credential, texts in English."""
    async with client_of(backend) as client:
        client.headers["Accept-Language"] = "en"
        yield client
