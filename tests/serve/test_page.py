"""The page in a real Chromium: a photo is chosen, a question asked, its evidence shown at the right pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, start_browser
from conftest import answer, tool_call
from PIL import Image
from serving import agent, eventually, serving

pytestmark = pytest.mark.browser

LARGE = (12000, 8400)
"""100.8 megapixels."""
MARK = (6000, 4200, 7200, 5040)
"""A tenth of each side, from the middle: what `KEEP` keeps."""
INSIDE, OUTSIDE = (6600, 4620), (5800, 4620)
COLOUR = (240, 20, 240)
HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script>"\'</p><b id="owned">'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    started = start_browser()
    yield started
    started.driver.quit()


def marked(path: Path, shrunk: int) -> Path:
    """A grey photo with the mark in it, so many times smaller than `LARGE` on each side."""
    image = Image.new("RGB", (LARGE[0] // shrunk, LARGE[1] // shrunk), (90, 90, 90))
    image.paste(COLOUR, tuple(side // shrunk for side in MARK))
    image.save(path, quality=90)
    return path


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return marked(tmp_path_factory.mktemp("photo") / "street.jpg", 4)


def hostile(messages: Any, tools: Any) -> str:
    if not tools:
        return answer(HOSTILE)
    turns = [
        tool_call("zoom", bbox_2d=[0, 0, 500, 500]),
        tool_call("crop", bbox_2d=[500, 500, 600, 600], label=HOSTILE),
    ]
    turn = sum(message.role == "assistant" for message in messages)
    return turns[turn] if turn < 2 else answer(HOSTILE)


def open_page(browser: Browser, url: str, **options: Any) -> None:
    browser.visit(f"{url}/", **options)


def choose(browser: Browser, path: Path) -> None:
    browser.driver.find_element("id", "file").send_keys(str(path))
    eventually(lambda: browser.js("return !document.getElementById('ask').disabled"))
    settle(browser)


def drop(browser: Browser, *paths: Path) -> None:
    """Drop files or folders on the photo, as a hand would."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.command("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)


def settle(browser: Browser) -> None:
    eventually(lambda: browser.js("const v = document.getElementById('stage').viewer; return v.complete && !v.frame"))


def ask(browser: Browser, question: str) -> None:
    browser.driver.find_element("id", "question").clear()
    browser.driver.find_element("id", "question").send_keys(question)
    browser.press("ENTER")


def colour_at(browser: Browser, x: float, y: float) -> np.ndarray:
    """The colour of the screen where an original pixel is shown."""
    place = browser.js(
        "const v = document.getElementById('stage').viewer, r = v.stage.getBoundingClientRect();"
        "return [(arguments[0] - v.view.x) * v.view.scale + r.left, (arguments[1] - v.view.y) * v.view.scale + r.top]",
        x, y,
    )  # fmt: skip
    return np.asarray(browser.screenshot())[round(place[1]), round(place[0])]


def test_drop_ask_watch_and_see_the_evidence(browser: Browser, tmp_path: Path) -> None:
    with serving(agent(hostile)) as url:
        open_page(browser, url)
        drop(browser, marked(tmp_path / "large.jpg", 1))
        eventually(lambda: browser.js("return !document.getElementById('ask').disabled"))
        settle(browser)
        assert np.abs(colour_at(browser, *INSIDE).astype(int) - COLOUR).max() < 25  # the whole photo
        assert np.abs(colour_at(browser, *OUTSIDE).astype(int) - 90).max() < 25
        ask(browser, "what is on the sign?")
        eventually(lambda: not browser.js("return document.getElementById('result').hidden"))
        eventually(lambda: browser.js("return document.getElementById('stop').hidden"))
        settle(browser)
        text = browser.js("return document.getElementById('answer').textContent")
        assert text == HOSTILE
        assert browser.js("return document.getElementById('owned')") is None
        assert browser.js("return document.querySelectorAll('main img, main script').length") == 0
        assert "evidence alone leads to the same" in browser.js("return document.getElementById('verdict').textContent")
        words = browser.js("return [...document.querySelectorAll('#steps .name')].map(b => b.textContent)")
        assert words[0] == "Zoomed into the upper left"

        # It has flown to the evidence: each of its corners has its colour inside and the ground outside.
        scale = browser.js("return document.getElementById('stage').viewer.view.scale")
        assert 0.5 < scale * (MARK[2] - MARK[0]) / browser.js("return document.getElementById('stage').clientWidth") < 1
        reach = 8 / scale  # beyond the frame's line
        for x, inward in ((MARK[0], 1), (MARK[2], -1)):
            for y, down in ((MARK[1], 1), (MARK[3], -1)):
                inside = colour_at(browser, x + inward * reach, y + down * reach).astype(int)
                assert np.abs(inside - COLOUR).max() < 25
        assert np.abs(colour_at(browser, MARK[2] + reach, INSIDE[1]).astype(int) - 90).max() < 25
        crop = "const c = document.querySelector('#evidence canvas');"
        eventually(lambda: browser.js(f"{crop} return c.width") == 640)
        pixel = browser.js(f"{crop} return [...c.getContext('2d').getImageData(300, 200, 1, 1).data]")
        assert np.abs(np.array(pixel[:3]) - COLOUR).max() < 25

        # Again about the same photo, and back to the first question.
        ask(browser, "and again?")
        eventually(lambda: len(browser.driver.find_elements("css selector", "#history button")) == 2)
        browser.driver.find_elements("css selector", "#history button")[0].click()
        assert browser.js("return document.getElementById('question').value") == "what is on the sign?"

        requests = browser.requests()
        assert requests
        assert all(sent.startswith((url, f"blob:{url}")) for sent in requests), requests
        assert browser.driver.get_log("browser") == []


def test_keys_zoom_and_a_question_is_stopped(browser: Browser, photo: Path) -> None:
    from serving import Held

    from hart_agent import Agent

    policy = Held()
    with serving(Agent(policy)) as url:
        open_page(browser, url)
        choose(browser, photo)
        scale = "return document.getElementById('stage').viewer.view.scale"
        whole = browser.js(scale)
        browser.js("document.getElementById('stage').focus()")
        browser.press("+", "+")
        assert browser.js(scale) == pytest.approx(whole * 2.25)
        browser.press("0")
        assert browser.js(scale) == pytest.approx(whole)
        ask(browser, "what?")
        eventually(lambda: policy.asked == 1)
        browser.press("ESCAPE")
        eventually(lambda: policy.cancelled == 1)
        assert browser.js("return document.getElementById('status').textContent") == "Stopped."


def test_the_server_s_key_is_asked_for(browser: Browser, photo: Path) -> None:
    with serving(agent(), key="a key") as url:
        open_page(browser, url)
        browser.driver.find_element("id", "file").send_keys(str(photo))
        eventually(lambda: not browser.js("return document.getElementById('access').hidden"))
        browser.driver.find_element("id", "key").send_keys("a key")
        browser.driver.find_element("id", "file").send_keys(str(photo))
        eventually(lambda: browser.js("return !document.getElementById('ask').disabled"))
        settle(browser)
        assert np.abs(colour_at(browser, INSIDE[0] / 4, INSIDE[1] / 4).astype(int) - COLOUR).max() < 25


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1280, True)])
def test_it_fits_a_phone_and_the_dark(browser: Browser, photo: Path, width: int, dark: bool) -> None:
    with serving(agent(hostile)) as url:
        open_page(browser, url, size=(width, 800), dark=dark, touch=width < 500)
        choose(browser, photo)
        ask(browser, "what?")
        eventually(lambda: not browser.js("return document.getElementById('result').hidden"))
        assert browser.js("return document.documentElement.scrollWidth") <= width
        left, top, right, bottom = browser.rect("#stage")
        assert right - left >= 300
        assert bottom - top >= 300
        ground = browser.js("return getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(22, 22, 21)") is dark
        unnamed = browser.js(
            "return [...document.querySelectorAll('button, textarea, input, canvas')].filter(e => "
            "!e.textContent.trim() && !e.getAttribute('aria-label') && !(e.labels && e.labels.length))"
            ".map(e => e.id || e.tagName)"
        )
        assert unnamed == []
