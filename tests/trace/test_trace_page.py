"""The page of a trace, in a real Chromium: right pixels, steps, hostile text, no network, light and dark, phones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from conftest import answer, tool_call
from page_checks import HOSTILE, LEAKS, server  # noqa: F401 (a fixture)
from PIL import Image

from hart_agent import Agent, Box, CoordinateProfile, CoordinateSpace, ScriptedPolicy, ViewBudget
from hart_agent.html.markup import element, escape
from hart_agent.trace import page, trace_json, write_page
from hart_agent.vision.source import SourceImage

SIZE = (3000, 2000)
PATCHES = {
    (240, 20, 240): (40, 30, 160, 90),
    (20, 240, 20): (1500, 1000, 1640, 1080),
    (240, 240, 20): (2900, 1930, 2990, 1995),
}
GREY = (90, 90, 90)
PROFILE = CoordinateProfile(CoordinateSpace.PIXEL, ViewBudget(max_pixels=6_000_000))  # the overview is the image

browser_test = pytest.mark.browser


def patched() -> Image.Image:
    image = Image.new("RGB", SIZE, GREY)
    for colour, box in PATCHES.items():
        image.paste(colour, box)
    return image


def script() -> list[str]:
    crops = "".join(tool_call("crop", bbox_2d=list(box), label=f"patch {box}") for box in PATCHES.values())
    return [tool_call("zoom", bbox_2d=[1000, 600, 2200, 1500]), crops, answer("three")]


def make_page(folder: Path, image: Path | Image.Image, replies: list[str], question: str = "how many?") -> Path:
    trajectory = Agent(ScriptedPolicy([*replies, "<answer>three</answer>"], PROFILE)).ask(image, question)
    write_page(trace_json(trajectory), SourceImage(image), folder / "page.html")
    return folder / "page.html"


@pytest.fixture(scope="module")
def patches_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_page(tmp_path_factory.mktemp("page"), patched(), script())


def view_box(browser: Browser) -> list[float]:
    return [
        float(part) for part in browser.js("return document.querySelector('#photo').getAttribute('viewBox')").split()
    ]


def current(browser: Browser) -> list[str]:
    return browser.js("return [...document.querySelectorAll('[aria-current]')].map(card => card.dataset.step)")


@browser_test
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_regions_lie_on_the_right_pixels(
    browser: Browser, tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = patched() if orientation == 1 else patched().transpose(Image.Transpose.ROTATE_90)
    stored.save(tmp_path / "image.jpg", quality=95, subsampling=0, exif=exif)
    browser.open(make_page(tmp_path, tmp_path / "image.jpg", script()), size=size)
    left, top, right, bottom = browser.rect("#photo > image")
    scale = (right - left) / SIZE[0]
    assert scale == pytest.approx((bottom - top) / SIZE[1], rel=1e-3)
    pixels = browser.screenshot()
    for number, (colour, box) in enumerate(PATCHES.items(), start=1):
        region = browser.rect(f'.evidence[aria-label^="Evidence {number}:"] .frame')
        found = [
            (region[0] - left) / scale,
            (region[1] - top) / scale,
            (region[2] - left) / scale,
            (region[3] - top) / scale,
        ]
        assert found == pytest.approx(box, abs=0.2)
        middle = (round((region[0] + region[2]) / 2), round((region[1] + region[3]) / 2))
        assert near(pixels.getpixel(middle), colour)
    for number, (colour, box) in enumerate(PATCHES.items(), start=1):  # and close to, where the frame is thin
        browser.js("document.querySelectorAll('.proof')[arguments[0]].click()", number - 1)
        x0, y0, x1, y1 = browser.rect(f'.evidence[aria-label^="Evidence {number}:"] .frame')
        zoomed = browser.screenshot()
        inside = [(x0 + 8, y1 - 8), (x1 - 8, y0 + 8), (x1 - 8, y1 - 8)]
        assert all(near(zoomed.getpixel((round(x), round(y))), colour) for x, y in inside)
        outside = [((x0 + x1) / 2, y0 - 20), (x0 - 20, (y0 + y1) / 2)]  # the photo itself is downscaled
        assert all(near(zoomed.getpixel((round(x), round(y))), GREY) for x, y in outside)
        assert (x1 - x0) / (box[2] - box[0]) > 4 * scale


def near(one: object, other: tuple[int, int, int]) -> bool:
    assert isinstance(one, tuple)
    return all(abs(a - b) <= 12 for a, b in zip(one, other, strict=True))


@browser_test
def test_keys_step_through_the_turns(browser: Browser, patches_page: Path) -> None:
    browser.open(patches_page)
    assert current(browser) == ["0"]
    seen = []
    for key in ("j", "ARROW_RIGHT", "j", "j", "k", "ARROW_LEFT", "END", "HOME", "ARROW_LEFT"):
        browser.press(key)
        (step,) = current(browser)
        seen.append(step)
        assert browser.js("return document.querySelector('#where').textContent") == (
            "Overview" if step == "0" else f"Turn {step} of 3"
        )
        shown = browser.js("return [...document.querySelectorAll('.view')].filter(v => v.style.display !== 'none')"
                           ".map(v => v.dataset.turn)")  # fmt: skip
        assert shown == (["1"] if step == "1" else [])
        top, bottom = browser.rect("h1" if step == "0" else "[aria-current] h3")[1::2]
        assert 0 <= top < bottom <= 800
    assert seen == ["1", "2", "3", "3", "2", "1", "3", "0", "0"]


@browser_test
def test_a_step_and_a_click_bring_the_region_into_view(browser: Browser, patches_page: Path) -> None:
    browser.open(patches_page)
    whole = view_box(browser)
    browser.press("j")
    x, y, w, h = view_box(browser)
    assert x <= 1000
    assert x + w >= 2200
    assert y <= 600
    assert y + h >= 1500
    assert browser.rect(".view .frame")[0] >= 0
    browser.js("document.querySelectorAll('.proof')[2].click()")
    assert current(browser) == ["2"]
    assert view_box(browser)[2] < 500
    browser.press("0")
    assert view_box(browser) == pytest.approx(whole)


@browser_test
def test_zoom_and_pan_by_keys_wheel_drag_and_pinch(browser: Browser, patches_page: Path) -> None:
    browser.open(patches_page, touch=True)
    whole = view_box(browser)
    browser.press("+", "+")
    assert view_box(browser)[2] == pytest.approx(whole[2] / 2.25, rel=1e-3)
    browser.press("-", "-", "-")
    assert view_box(browser) == pytest.approx(whole)
    left, top, right, bottom = browser.rect("#photo > image")
    x, y = left + (right - left) * 0.55, top + (bottom - top) * 0.55  # 1650, 1100 of the original
    browser.command("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-500)
    browser.js("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    zoomed = view_box(browser)
    assert zoomed[2] < whole[2] / 2
    left, _, right, _ = browser.rect("#photo > image")
    assert (x - left) / (right - left) == pytest.approx(0.55, abs=1e-3)  # what lay under the pointer still does
    for kind, at in (("mousePressed", 0), ("mouseMoved", 40), ("mouseMoved", 80), ("mouseReleased", 80)):
        browser.command("Input.dispatchMouseEvent", type=kind, x=x - at, y=y, button="left", buttons=1, clickCount=1)
    panned = view_box(browser)
    assert panned[2] == zoomed[2]
    assert panned[0] == pytest.approx(zoomed[0] + 80 * zoomed[2] / browser.js("return stage.clientWidth"), rel=1e-3)
    for kind, gap in (("touchStart", 30), ("touchMove", 45), ("touchMove", 60), ("touchEnd", None)):
        points = [] if gap is None else [{"x": 300 - gap, "y": 300, "id": 1}, {"x": 300 + gap, "y": 300, "id": 2}]
        browser.command("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    assert view_box(browser)[2] == pytest.approx(panned[2] / 2, rel=0.05)
    assert current(browser) == ["0"]


@browser_test
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(browser: Browser, tmp_path: Path, text: str) -> None:
    replies = [
        text + tool_call("crop", bbox_2d=[40, 30, 160, 90], label=text, text=text, **{text: text}),
        text + tool_call("crop", bbox_2d=[40, 30, 160, 90], label=text, text=text),
        tool_call(text, **{text: [text]}),
        answer(text),
    ]
    plain = [reply.replace(json.dumps(text)[1:-1], "x").replace(text, "x") for reply in replies]
    image = patched().resize((300, 200))
    counts = []
    for words, question in ((plain, "x"), (replies, text)):
        browser.open(make_page(tmp_path, image, words, question))
        counts.append(browser.js("return document.querySelectorAll('*').length"))
        assert browser.js("return document.querySelectorAll('script, style').length") == 2
    assert counts[0] == counts[1]
    assert browser.js("return document.querySelector('h1').textContent") == text
    assert browser.js("return document.querySelector('.answer').textContent") == text
    assert text in browser.js("return document.querySelector('.evidence').getAttribute('aria-label')")
    assert text in browser.js("return document.querySelector('#turn-1 .words').textContent")
    assert text in browser.js("return document.querySelector('#turn-3 .name').textContent")
    assert [entry["message"] for entry in browser.driver.get_log("browser")] == []
    with pytest.raises(Exception, match="no such alert"):
        browser.driver.switch_to.alert  # noqa: B018


@browser_test
def test_no_request_leaves_the_page_and_none_can(
    browser: Browser, patches_page: Path, tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    base, asked = server
    browser.open(patches_page)
    browser.press("j", "j", "END")
    assert browser.requests() == [patches_page.as_uri()]
    assert (
        browser.js("return performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length")
        == 0
    )
    assert browser.driver.execute_async_script(LEAKS, base) == "refused"
    assert browser.js("""
        const script = document.createElement('script');
        try { script.textContent = 'window.ran = true'; document.body.append(script); } catch {}
        try { document.body.insertAdjacentHTML('beforeend', '<b id=added>'); } catch {}
        return [window.ran ?? null, document.querySelector('#added')]""") == [None, None]
    assert asked == []
    (tmp_path / "free.html").write_text("<body>", encoding="utf-8")  # the same attempts without the page's policy
    browser.open(tmp_path / "free.html")
    assert browser.driver.execute_async_script(LEAKS, base) == "fetched"
    assert "/fetch" in asked


@browser_test
def test_light_and_dark(browser: Browser, patches_page: Path) -> None:
    def background() -> str:
        return browser.js("return getComputedStyle(document.body).backgroundColor")

    browser.open(patches_page)
    light = background()
    browser.open(patches_page, dark=True)
    dark = background()
    assert sum(map(int, dark[4:-1].split(","))) < 100
    assert sum(map(int, light[4:-1].split(","))) > 700
    browser.js("document.querySelector('#theme').click()")
    assert background() == light
    browser.js("document.querySelector('#theme').click()")
    assert background() == dark


@browser_test
@pytest.mark.parametrize("width", [320, 390, 820])
def test_small_screens_need_no_horizontal_scrolling(browser: Browser, tmp_path: Path, width: int) -> None:
    long = "w" * 3000
    replies = [long + tool_call("crop", bbox_2d=[40, 30, 160, 90], label=long[:200], text=long[:900]), tool_call(long)]
    path = make_page(tmp_path, patched().resize((300, 200)), [*replies, answer(long)], long)
    browser.open(path, size=(width, 844), touch=True)
    for key in ("HOME", "j", "j", "j"):
        browser.press(key)
        assert browser.js("return document.documentElement.scrollWidth") <= width
        assert browser.rect("#viewer")[1] == pytest.approx(0, abs=1)  # the image stays in sight
    sizes = browser.js("return [...document.querySelectorAll('#bar button')].map(b => [b.offsetWidth, b.offsetHeight])")
    assert min(min(size) for size in sizes) >= 36


@browser_test
def test_everything_has_a_name_and_can_be_reached_by_keys(browser: Browser, patches_page: Path) -> None:
    browser.open(patches_page)
    browser.command("Accessibility.enable")
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    wanted = {"button", "image", "article", "region", "main"}
    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    assert [role for role, name in named if role in wanted - {"main", "image"} and not name.strip()] == []
    names = {name for role, name in named if role == "button"}
    assert {"Previous turn", "Next turn", "Zoom in", "Zoom out", "Switch between light and dark"} <= names
    assert any(name.startswith("Evidence 1: patch") for name in names)
    browser.js("document.querySelector('.evidence').focus()")
    browser.press("ENTER")
    assert view_box(browser)[2] < 500
    assert browser.js("return document.activeElement.classList.contains('evidence')")


@pytest.mark.slow
def test_the_page_of_a_large_noisy_image_stays_below_3_mb() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (2000, 3000, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((6000, 4000), Image.Resampling.NEAREST)  # worse than any photo
    boxes = [(x, y, x + 900, y + 700) for x in range(0, 5000, 900) for y in range(0, 3000, 700)]
    boxes.append((0, 0, 6000, 4000))
    views = [tool_call("zoom", bbox_2d=box) + tool_call("crop", bbox_2d=box, label="noise") for box in boxes]
    profile = CoordinateProfile(CoordinateSpace.PIXEL, ViewBudget(max_pixels=24_000_000, max_magnification=1))
    replies = ["".join(views[start : start + 4]) for start in range(0, len(views), 4)]
    trajectory = Agent(ScriptedPolicy([*replies, answer("x"), answer("x")], profile)).ask(image, "what?")
    assert len(trajectory.evidence) == len(boxes)
    text = page(trace_json(trajectory), SourceImage(image))
    assert len(text.encode()) < 3_000_000
    assert text.count("data:image/jpeg") > len(boxes)


def test_evidence_is_shown_at_full_resolution(tmp_path: Path) -> None:
    text = make_page(tmp_path, patched(), script()).read_text(encoding="utf-8")
    for box in PATCHES.values():
        size = Box(*box).size
        assert f'width="{size.width}" height="{size.height}" data-crop=' in text


def test_a_page_says_that_its_image_has_changed() -> None:
    image = patched().resize((300, 200))
    trace = trace_json(Agent(ScriptedPolicy([answer("x")])).ask(image, "what?"))
    assert 'role="alert"' in page(trace, SourceImage(image), same=False)
    assert 'role="alert"' not in page(trace, SourceImage(image))


def test_markup_escapes_whatever_was_not_made_by_it() -> None:
    made = element("p", element("b", "<i>"), "&", title="\"'<", hidden=True, lang=None)
    assert made == '<p title="&quot;&#x27;&lt;" hidden><b>&lt;i&gt;</b>&amp;</p>'
    assert escape("a\x00\x1b\r\nb\ud800") == "a\u2400\u241b\nb\ufffd"
