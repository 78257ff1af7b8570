"""Saved traces: told as a question under way is told, with the photo where it may be read, on the page and off it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser
from PIL import Image
from serving import agent, coded, eventually, request, serving
from test_page import browser, colour_at, drop, open_page, settle  # noqa: F401 (fixture)
from test_photos import events, png, upload

from hart_agent.trace import trace_json, write_trace

COLOUR = (240, 20, 240)
MARK = (600, 450, 720, 540)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace beside its photo, whose evidence is marked by a colour, and another photo of the same size."""
    home = tmp_path_factory.mktemp("saved")
    photo = coded()
    photo.save(home / "another.png", compress_level=1)
    photo.paste(COLOUR, MARK)
    photo.save(home / "street.png", compress_level=1)
    write_trace(agent().ask(home / "street.png", "what is on the sign?"), home / "trace.json")
    return home


def saved(url: str, trace: Path | dict[str, Any], photo: str | None = None) -> tuple[int, Any]:
    data = trace.read_bytes() if isinstance(trace, Path) else json.dumps(trace).encode()
    status, _, content = request(url, "POST", "/page/traces" + (f"?photo={photo}" if photo else ""), data)
    return status, json.loads(content)


def test_a_saved_trace_tells_what_its_question_told(folder: Path) -> None:
    with serving(agent()) as url:
        photo = upload(url, (folder / "street.png").read_bytes())
        asked = {"question": "what is on the sign?"}
        live = events(request(url, "POST", f"/page/photos/{photo['id']}/questions", asked)[2])
        name = live[-1][1]["trace"]
        trace = json.loads(request(url, "GET", f"/v1/traces/{name}")[2])
        status, found = saved(url, trace, photo["id"])
    assert status == 200
    told = [(kind, data) for kind, data in live if kind in ("call", "turn")]
    assert [(each["kind"], each["data"]) for each in found["events"][:-1]] == told
    end = found["events"][-1]
    assert (end["kind"], found["question"], found["warning"]) == ("end", "what is on the sign?", None)
    assert end["data"].items() <= live[-1][1].items()
    assert (found["image"], found["photo"]) == ({"width": 1200, "height": 900}, photo)


def test_its_photo_is_found_under_root_and_nowhere_else(folder: Path, tmp_path: Path) -> None:
    trace = json.loads((folder / "trace.json").read_text())
    moved = trace | {"image": trace["image"] | {"path": "/no/longer/here/street.png"}}
    with serving(agent(), root=[folder]) as url:
        for each in (trace, moved):
            status, found = saved(url, each)
            assert status == 200
            assert (found["photo"]["name"], found["warning"]) == ("street.png", None)
            region = "/".join(map(str, MARK))
            assert request(url, "GET", f"/page/photos/{found['photo']['id']}/regions/{region}")[0] == 200
        for path in (
            str(folder / "none.png"),
            "file://other.example/none.png",
            "a\x00b",
            "https://other.example/none.png",
        ):
            assert saved(url, trace | {"image": trace["image"] | {"path": path}})[1]["photo"] is None
        other = saved(url, trace | {"image": trace["image"] | {"path": "another.png"}})[1]
        assert (other["photo"]["name"], "not the very image" in other["warning"]) == ("another.png", True)
    for folders in (None, [tmp_path]):
        with serving(agent(), root=folders) as url:
            status, found = saved(url, trace)
            assert (status, found["photo"], found["warning"]) == (200, None, None)
            assert found["events"][-1]["data"]["answer"] == "Marwick Bakery"


def test_a_photo_that_is_given_is_compared_with_the_trace(folder: Path) -> None:
    with serving(agent()) as url:
        other = upload(url, (folder / "another.png").read_bytes())
        status, found = saved(url, folder / "trace.json", other["id"])
        assert (status, found["photo"]) == (200, other)
        assert "not the very image" in found["warning"]
        small = upload(url, png(Image.new("RGB", (20, 10))))
        status, found = saved(url, folder / "trace.json", small["id"])
        assert (status, "20x10" in found["error"]["message"]) == (400, True)
        assert saved(url, folder / "trace.json", "unknown")[0] == 404


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"schema": "hart-agent/trace", "version": 1}'])
def test_what_is_no_trace_is_refused(data: bytes) -> None:
    with serving(agent(), key="a key") as url:
        assert request(url, "POST", "/page/traces", data)[0] == 401
        status, _, content = request(url, "POST", "/page/traces", data, {"Authorization": "Bearer a key"})
    assert status == 400
    assert json.loads(content)["error"]["code"] == "invalid_request"


# ---- on the page ----


def opened(browser: Browser) -> None:
    eventually(lambda: not browser.js("return document.getElementById('result').hidden"))
    settle(browser)


@pytest.mark.browser
def test_a_trace_is_dropped_with_its_photo_in_a_folder_or_alone(browser: Browser, folder: Path) -> None:
    middle = ((MARK[0] + MARK[2]) / 2, (MARK[1] + MARK[3]) / 2)
    text = "return document.getElementById(arguments[0]).textContent"
    with serving(agent()) as url:
        for dropped in ([folder], [folder / "trace.json", folder / "street.png"]):
            open_page(browser, url)
            drop(browser, *dropped)
            opened(browser)
            assert browser.js(text, "answer") == "Marwick Bakery"
            assert browser.js("return [...document.querySelectorAll('#steps .name')].map(e => e.textContent)") == [
                "Zoomed into the upper left", "Kept the centre as evidence: the sign",
            ]  # fmt: skip
            assert np.abs(colour_at(browser, *middle).astype(int) - COLOUR).max() < 25
            assert not browser.js("return document.getElementById('ask').disabled")

        open_page(browser, url)
        drop(browser, folder / "trace.json")
        opened(browser)
        assert "isn't here" in browser.js(text, "invitation")
        assert browser.js("return document.getElementById('ask').disabled")
        assert browser.js("return document.querySelector('.evidence').dataset.box") == "600 450 720 540"
        whole = browser.js("return document.getElementById('stage').viewer.view.scale")
        browser.js("document.querySelector('.evidence').focus()")
        browser.press("ENTER")
        assert browser.js("return document.getElementById('stage').viewer.view.scale") > 4 * whole
        drop(browser, folder / "street.png")  # and now it is
        eventually(lambda: not browser.js("return document.getElementById('ask').disabled"))
        opened(browser)
        assert np.abs(colour_at(browser, *middle).astype(int) - COLOUR).max() < 25
        assert browser.js("return document.getElementById('warning').hidden")
        assert browser.driver.get_log("browser") == []


@pytest.mark.browser
def test_a_trace_that_is_none_is_told(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with serving(agent()) as url:
        open_page(browser, url)
        drop(browser, tmp_path / "x.json")
        eventually(
            lambda: "no trace of hart-agent" in browser.js("return document.getElementById('status').textContent")
        )


def test_a_trace_of_an_abstention_has_no_verdict(folder: Path) -> None:
    declined = agent(lambda messages, tools: "<abstain>it is hidden</abstain>")
    trace = trace_json(declined.ask(folder / "street.png", "what does it cost?"))
    with serving(agent()) as url:
        end = saved(url, trace)[1]["events"][-1]["data"]
    assert (end["abstained"], end["verdict_words"], end["remarks"]) == (True, None, [])
    assert end["answer"] == "No answer: it is hidden"
