"""The officer's pages on a real phone browser: 360 x 740, scripts off, one hand, at night."""

from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Locator, Page

from alerts.incidents.model import Act, Cause, State
from tests.api.fake_backend import FakeBackend
from tests.api.fake_cases import NUMBER, TOKEN
from tests.api.phone import HEIGHT, WIDTH, phone

THUMB_PX: Final = 48
"""Less high a button is hard to hit."""
PHOTO: Final = b"\xff\xd8\xff\xe0 a photo"


async def fits(page: Page) -> bool:
    """Whether nothing stands out to the right, so that nobody must push the page sideways."""
    boxes = [
        await element.bounding_box()
        for element in await page.query_selector_all("main *, .top *")
        if await element.is_visible()
    ]
    return all(box is None or box["x"] + box["width"] <= WIDTH for box in boxes)


async def lowest(page: Page) -> float:
    """The height of the lowest thing that can be pressed."""
    found = await page.query_selector_all("button, a.b, label.c")
    boxes = [await element.bounding_box() for element in found]
    return min(box["height"] for box in boxes if box is not None)


async def press(page: Page, what: Locator) -> None:
    """Press it, and wait until the page it leads to is there: whoever goes on sees that one."""
    async with page.expect_navigation(wait_until="load"):
        await what.click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_fits_and_can_be_pressed(
    backend: FakeBackend, scheme: str, language: str
) -> None:
    """No sideways scrolling, large buttons; the one that matters is seen without scrolling."""
    async with phone(backend, scheme="dark" if scheme == "dark" else "light") as (page, url):
        await page.goto(f"{url}/a/{TOKEN}?lang={language}")
        box = await page.locator("button").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= HEIGHT
        for path in ("", "/zone", "/report"):
            if path == "":
                assert await fits(page)
                await press(page, page.locator("button"))
            await page.goto(f"{url}/incident/{NUMBER}{path}")
            assert await fits(page), path
            assert await lowest(page) >= THUMB_PX, path


async def test_the_whole_flow(backend: FakeBackend, tmp_path: Path) -> None:
    """From the message to the report, as an officer does it."""
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(PHOTO)
    async with phone(backend) as (page, url):
        await page.goto(f"{url}/a/{TOKEN}")
        assert await page.title() == f"安充 {NUMBER}"
        await press(page, page.get_by_role("button", name="收到"))
        assert page.url == f"{url}/incident/{NUMBER}?done=acknowledged"
        assert await page.get_by_role("status").inner_text() == "已确认。大家已知道您正在处理。"

        await press(page, page.get_by_role("button", name="我已到场"))
        assert page.url.endswith("?done=arrived")
        await press(page, page.get_by_role("button", name="本站全部断电"))
        assert page.url.endswith("?done=cut_station")
        await press(page, page.get_by_role("link", name="整个区域断电"))
        assert await page.locator("li").count() == 6
        await press(page, page.get_by_role("button", name="确认：6 个站全部断电"))
        assert page.url.endswith("?done=cut_zone")

        await press(page, page.get_by_role("link", name="填写上报"))
        await page.get_by_label("过热").check()
        await page.get_by_label("说明").fill("插座发烫，已移走车辆")
        await press(page, page.get_by_role("button", name="提交上报"))
        assert page.url.endswith("?done=reported")
        await press(page, page.get_by_role("link", name="拍照上传"))
        await page.locator("input[type=file]").set_input_files(picture)
        await press(page, page.get_by_role("button", name="上传照片"))
        assert page.url.endswith("?done=photo")
        call = page.get_by_role("link", name="拨打 119")
        assert await call.get_attribute("href") == "tel:119"

    acts = [(d.act, d.cause, d.note) for d, _ in backend.cases.done if d.act is not Act.COMMENT]
    assert acts == [
        (Act.ACKNOWLEDGE, None, ""),
        (Act.ARRIVE, None, ""),
        (Act.REPORT, Cause.OVERHEATING, "插座发烫，已移走车辆"),
    ]
    assert sorted({order.station for order in backend.stored_commands.values()}) == [
        f"cmrj-0{n}" for n in range(1, 7)
    ]
    assert backend.cases.photos == [PHOTO]


async def test_the_back_button_is_harmless(backend: FakeBackend) -> None:
    """Back to the link's page leads on instead of failing; back over a form sends nothing."""
    async with phone(backend) as (page, url):
        await page.goto(f"{url}/a/{TOKEN}")
        await press(page, page.get_by_role("button", name="收到"))
        await press(page, page.get_by_role("button", name="我已到场"))
        await page.go_back()
        await page.go_back()
        assert page.url == f"{url}/incident/{NUMBER}"
        await page.goto(f"{url}/a/{TOKEN}")
        assert page.url == f"{url}/incident/{NUMBER}"
    assert [doing.act for doing, _ in backend.cases.done] == [Act.ACKNOWLEDGE, Act.ARRIVE]


async def test_a_photo_that_is_too_large(backend: FakeBackend, tmp_path: Path) -> None:
    """The officer is told, and the report beside it is not lost."""
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(PHOTO + bytes(10 * 1024 * 1024))
    async with phone(backend) as (page, url):
        await page.goto(f"{url}/a/{TOKEN}")
        await press(page, page.get_by_role("button", name="收到"))
        await page.goto(f"{url}/incident/{NUMBER}/report")
        await page.locator("input[type=file]").set_input_files(picture)
        await press(page, page.get_by_role("button", name="上传照片"))
        assert "超过 10 MB" in await page.get_by_role("status").inner_text()


async def test_nothing_but_the_page_is_loaded(backend: FakeBackend) -> None:
    """One request a page, and the browser finds nothing to refuse by the policy."""
    async with phone(backend) as (page, url):
        asked: list[str] = []
        refused: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: refused.append(message.text))
        await page.goto(f"{url}/a/{TOKEN}")
        await press(page, page.get_by_role("button", name="收到"))
    incident = f"{url}/incident/{NUMBER}?done=acknowledged"
    assert asked == [f"{url}/a/{TOKEN}", f"{url}/a/{TOKEN}", incident]
    assert refused == []


async def test_an_incident_that_was_closed_meanwhile(backend: FakeBackend) -> None:
    """Pressing a button of the old page ends on a clear page."""
    async with phone(backend) as (page, url):
        await page.goto(f"{url}/a/{TOKEN}")
        await press(page, page.get_by_role("button", name="收到"))
        backend.cases.change(state=State.CLOSED)
        await press(page, page.get_by_role("button", name="我已到场"))
        assert await page.get_by_role("status").inner_text() == f"{NUMBER} 已关闭"
