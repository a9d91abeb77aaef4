"""A phone for tests: real Chromium, 360 x 740, scripts off, over the application on loopback."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

from playwright.async_api import Page, async_playwright

from api.http.app import create_app
from api.server import serving
from tests.api.fake_backend import FakeBackend
from tests.conftest import missing

WIDTH: Final = 360
HEIGHT: Final = 740


@asynccontextmanager
async def phone(
    backend: FakeBackend,
    *,
    scheme: Literal["light", "dark"] = "light",
    locale: str = "zh-CN",
) -> AsyncIterator[tuple[Page, str]]:
    """A page of a fresh browser, and the address of the application."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("chromium")
    async with serving(create_app(backend), "127.0.0.1", 0) as url, async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = await browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT},
            device_scale_factor=2,
            is_mobile=True,
            has_touch=True,
            java_script_enabled=False,
            color_scheme=scheme,
            locale=locale,
        )
        try:
            yield await context.new_page(), url
        finally:
            await browser.close()
