"""PDF documents: what stands in them can be read back, on a machine with and without fonts."""

from collections.abc import Sequence
from io import BytesIO
from math import isfinite, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from alerts.paper import curves, fonts
from alerts.paper.curves import Plot, Series
from alerts.paper.fonts import Face, Font, FontError, find_face
from alerts.paper.ink import Ink
from alerts.paper.pages import Sheet, write

SHEET = Sheet("安充取证报告 Evidence report", "F0012", "head 0123abc")
FACES = {
    "all that is installed": fonts.KNOWN,
    "a font without Latin letters": fonts.KNOWN[1:],
    "no font at all": (),
}


@pytest.fixture(params=list(FACES))
def face(request: pytest.FixtureRequest) -> Face:
    """The faces of differently equipped machines."""
    return find_face(known=FACES[request.param])


def _pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]


def _jpeg(width: int, height: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), "#446688").save(out, "JPEG")
    return out.getvalue()


def _blocks(face: Face) -> list[Any]:
    ink = Ink(face)
    rows = [[f"14:03:{n:02}", f"第{n}行 row {n}", "系统 system"] for n in range(80)]
    return [
        ink.title("火警 Fire F0012"),
        ink.banner("断电失败 CUT FAILED", bad=True),
        ink.facts(
            [("地点 Place", "蔡马人家 5号座"), ("原因 Cause", "过热"), ("值 Value", "82 °C")]
        ),
        ink.heading("时间线 Timeline"),
        ink.table(["时间 Time", "什么 What", "谁 Who"], rows, (1, 3, 1)),
        ink.text("说明 <b>text</b> & more"),
        ink.pictures([(_jpeg(64, 36), "相机 cam-01"), (_jpeg(36, 64), "cam-02")] * 2),
        ink.page(),
        ink.small("小字"),
        ink.gap(),
        ink.signatures(["安全员 Officer", "物业 Manager"]),
    ]


def test_everything_said_can_be_read_back(face: Face) -> None:
    """Chinese and English, mark-up as it was typed, every row, page x of y."""
    pages = _pages(write(SHEET, _blocks(face), face))
    text = "\n".join(pages)
    for said in (
        "火警 Fire F0012",
        "断电失败 CUT FAILED",
        "蔡马人家 5号座",
        "82 °C",
        "说明 <b>text</b> & more",
        "相机 cam-01",
        "安全员 Officer",
        *(f"第{n}行 row {n}" for n in range(80)),
    ):
        assert said in text, said
    for number, page in enumerate(pages, 1):
        assert f"第 {number} 页" in page
        assert f"Page {number} of {len(pages)}" in page
        assert "F0012" in page
        assert "head 0123abc" in page
        if "行 row" in page:
            assert "什么 What" in page  # the table's header, again


def test_the_same_blocks_give_the_same_bytes(face: Face) -> None:
    """No clock, no random id: a report can be made again and compared."""
    assert write(SHEET, _blocks(face), face) == write(SHEET, _blocks(face), face)


def test_a_font_of_the_machine_is_embedded() -> None:
    """What is printed elsewhere looks as it does here."""
    face = find_face()
    if not any(path.is_file() for path in fonts.KNOWN[:2]):
        assert not face.embedded
        return
    page = PdfReader(BytesIO(write(SHEET, _blocks(face), face))).pages[0]
    resources: Any = page["/Resources"]
    used = [font.get_object() for font in resources["/Font"].values()]
    embedded = [f for f in used if "/FontFile2" in f.get("/FontDescriptor", {})]
    assert face.embedded
    assert embedded


def test_a_character_that_the_font_lists_but_does_not_draw_comes_from_another() -> None:
    """WenQuanYi Micro Hei has an empty glyph for the very sign that matters here."""
    face = Face(
        (
            Font("one", frozenset(map(ord, "插座8A°C")), embedded=True),
            Font("two", frozenset(map(ord, "℃")), embedded=True),
        )
    )
    assert face.marked("插座8℃") == '插座8<font name="two">℃</font>'
    assert Face(face.fonts[:1]).marked("8℃") == "8°C"
    for path in fonts.KNOWN[:1]:
        if path.is_file():
            assert not fonts.find_face(known=[path]).fonts[0].has("℃")


def test_what_no_font_has_is_a_question_mark() -> None:
    """And what is no character at all is a space; nothing breaks."""
    face = find_face(known=())
    assert face.marked("好🔥\x00\n<&>") == "好? <br/>&lt;&amp;&gt;"


def test_the_font_of_the_settings_comes_first_or_is_refused(tmp_path: Path) -> None:
    """A file that is no font is an error with its name; a broken one of the machine is not."""
    wrong = tmp_path / "wrong.ttf"
    wrong.write_bytes(b"no font")
    with pytest.raises(FontError, match=r"wrong\.ttf"):
        find_face(wrong)
    assert find_face(known=[wrong, tmp_path / "nothing.ttf"]).name == "STSong-Light"
    for path in fonts.KNOWN[1:2]:
        if path.is_file():
            assert find_face(path).name.startswith(path.stem)


@given(st.text())
def test_any_text_of_people_is_a_paragraph(text: str) -> None:
    """Mark-up, control characters, emoji: the document is made."""
    face = find_face(known=())
    ink = Ink(face)
    assert write(SHEET, [ink.text(text), ink.table([text], [[text]], [1])], face)[:5] == b"%PDF-"


def _clock(at_ms: int) -> str:
    return f"{at_ms // 3_600_000 % 24:02}:{at_ms // 60_000 % 60:02}"


def test_a_plot_says_its_unit_limit_marks_and_strong_series(face: Face) -> None:
    """And the wall clock under it."""
    at = [n * 60_000 for n in range(61)]
    plot = Plot(
        unit="°C",
        start_ms=0,
        end_ms=3_600_000,
        series=[
            Series("#3", at, [20.0 + n for n in range(61)], strong=True),
            Series("#4", at, [20.0] * 61),
        ],
        limit=80,
        marks=[(600_000, "A"), (9_999_999, "Z")],
    )
    [page] = _pages(write(SHEET, [curves.draw(plot, face, _clock)], face))
    for said in ("°C", "#3", "80", "A", "00:10", "01:00"):
        assert said in page, said
    for unsaid in ("#4", "Z"):
        assert unsaid not in page


def test_a_plot_of_nothing_is_drawn_too(face: Face) -> None:
    """A station that was silent: axes, and no curve."""
    for series in ([], [Series("#1", [0, 1], [nan, nan], strong=True)]):
        plot = Plot("W", 0, 60_000, series)
        assert len(_pages(write(SHEET, [curves.draw(plot, face, _clock)], face))) == 1


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([1.0, 2.0, 3.0], [[1, 2, 3]]),
        ([1.0, nan, 3.0], [[1], [3]]),
        ([nan, 2.0, nan], [[2]]),
        ([nan], []),
        ([], []),
    ],
)
def test_what_was_not_measured_is_a_gap(values: Sequence[float], parts: list[list[int]]) -> None:
    """Never a line through nothing."""
    series = Series("", [n * 1000 for n in range(len(values))], values)
    assert [[v for _, v in part] for part in curves._parts(series, 120_000)] == parts


def test_a_long_pause_is_a_gap() -> None:
    """Silence is not a straight line."""
    series = Series("", [0, 1_000, 200_000], [1.0, 2.0, 3.0])
    assert [len(part) for part in curves._parts(series, 120_000)] == [2, 1]


@given(st.lists(st.floats(-40, 200), min_size=1, max_size=5_000))
def test_thinning_keeps_every_extreme(values: list[float]) -> None:
    """However many points: ascending in time, the highest and the lowest are drawn."""
    series = Series("", list(range(len(values))), values)
    [part] = curves._parts(series, 120_000)
    assert part == sorted(set(part))
    assert {max(values), min(values)} <= {v for _, v in part}
    assert len(part) <= curves.POINTS + 2
    assert all(isfinite(v) for _, v in part)
