"""`hart-agent tools`, `tools run` and `--tool`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import in_process
import numpy as np
import pytest
from conftest import answer, coded_pixels, tool_call
from in_process import Done
from loopback import say, serve
from PIL import Image

ONE_OFF = '''
import sys, time
from hart_agent import Box, ToolContext, ToolError, ToolOutput, View
from hart_agent import tool

@tool
def corners(context: ToolContext, bbox_2d: Box, side: int = 20, image: View | None = None) -> ToolOutput:
    """Show the first two corners of a region.

    Args:
        side: of each, in original pixels
    """
    x, y = bbox_2d.x0, bbox_2d.y0
    boxes = Box(x, y, x + side, y + side), Box(bbox_2d.x1 - side, y, bbox_2d.x1, y + side)
    return ToolOutput("two corners", tuple(context.render(box, "corners") for box in boxes))

@tool
def refuses() -> str:
    """Refuse."""
    raise ToolError("no corner is to be seen; look elsewhere")

@tool
def breaks() -> str:
    """Break."""
    return str(1 / 0)

class Mute(Exception):
    def __str__(self):
        raise LookupError

@tool
def mute() -> str:
    """Break."""
    raise Mute

@tool(timeout=0.1)
def hangs() -> str:
    """Hang."""
    time.sleep(3)
    return "late"
'''


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a picture of 1200 x 900 and a file of tools."""
    Image.fromarray(coded_pixels(0, 0, 1200, 900)).save(tmp_path / "photo.png", compress_level=1)
    (tmp_path / "own.py").write_text(ONE_OFF)
    return tmp_path


def hart_agent(*arguments: str, cwd: Path) -> Done:
    with contextlib.chdir(cwd):
        return in_process.hart_agent(*arguments)


def test_a_tool_is_tried_on_an_image_in_original_pixels(desk: Path) -> None:
    arguments = '{"bbox_2d": [300, 200, 380, 260], "label": "x"}'
    done = hart_agent("tools", "run", "crop", "photo.png", arguments, "--out", "view.png", cwd=desk)
    assert (done.returncode, done.stderr) == (0, "")
    assert "80x60 pixels" in done.stdout
    assert np.array_equal(Image.open(desk / "view.png"), coded_pixels(300, 200, 380, 260))


def test_a_tool_of_a_file_and_several_views(desk: Path) -> None:
    arguments = '{"bbox_2d": [300, 200, 380, 260]}'
    done = hart_agent("tools", "run", "own.py:corners", "photo.png", arguments, "--out", "c.png", "--json", cwd=desk)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["tool"], told["text"], told["error"]) == ("corners", "two corners", None)
    assert [view["box"] for view in told["views"]] == [[300, 200, 320, 220], [360, 200, 380, 220]]
    for view in told["views"]:
        assert np.array_equal(Image.open(desk / view["file"]), coded_pixels(*view["box"]))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("own.py:refuses", "photo.png"), 3, "look elsewhere"),
        (("own.py:corners", "photo.png", '{"bbox_2d": [9, 9, 1, 1]}'), 3, "inverted"),
        (("own.py:corners", "photo.png"), 3, "bbox_2d"),
        (("own.py:breaks", "photo.png"), 1, "ZeroDivisionError"),
        (("own.py:hangs", "photo.png"), 1, "within 0.1 seconds"),
        (("own.py:corners", "photo.png", "{bbox_2d}"), 2, "JSON"),
        (("own.py:corners", "photo.png", "[1]"), 2, "an object"),
        (("own.py:corners", "none.png", "{}"), 2, "none.png"),
        (("own.py:corners", "own.py", "{}"), 2, "not an image"),
        (("own.py:edges", "photo.png"), 2, "'edges'"),
        (("enhance", "photo.png"), 2, "'enhance'"),
        (("zoom", "photo.png", "{}", "--out", "photo.png"), 2, "overwrite"),
        (("zoom", "photo.png", "{}", "--out", "view"), 2, "image format"),
        (("zoom", "photo.png", "{}", "--out", "none/view.png"), 2, "no folder"),
    ],
)
def test_exit_codes_and_errors(desk: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = hart_agent("tools", "run", *arguments, cwd=desk)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_tool_that_breaks_down_is_told_with_its_place_and_with_a_traceback_on_demand(desk: Path) -> None:
    line = next(number for number, text in enumerate(ONE_OFF.splitlines(), 1) if "1 / 0" in text)
    short, long = (
        hart_agent("tools", "run", "own.py:breaks", "photo.png", *more, cwd=desk) for more in ((), ("--debug",))
    )
    assert (short.returncode, long.returncode) == (1, 1)
    assert f"own.py, line {line}; --debug shows the traceback" in short.stderr
    assert "Traceback" not in short.stderr
    assert len(short.stderr.splitlines()) == 3
    assert "Traceback (most recent call last)" in long.stderr
    assert "return str(1 / 0)" in long.stderr


def test_a_tool_whose_exception_has_no_words_is_its_own_bug(desk: Path) -> None:
    done = hart_agent("tools", "run", "own.py:mute", "photo.png", "--json", cwd=desk)
    assert (done.returncode, json.loads(done.stdout)["error"]) == (1, "tool_bug")
    assert "Mute: no words: its str() raised LookupError" in json.loads(done.stdout)["text"]


def test_a_refusal_as_json(desk: Path) -> None:
    done = hart_agent("tools", "run", "own.py:refuses", "photo.png", "--json", cwd=desk)
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"] == "tool_error"


def test_tools_are_listed_with_the_optional_ones_apart(desk: Path) -> None:
    done = hart_agent("tools", "--json", "--tool", "own.py:corners", "--tool", "ruler", cwd=desk)
    listed = {kind: [tool["name"] for tool in tools] for kind, tools in json.loads(done.stdout).items()}
    assert listed["tools"] == ["crop", "verify", "zoom", "corners", "ruler"]
    assert {"ocr", "rotate"} <= set(listed["optional"])
    assert "ruler" not in listed["optional"]
    text = hart_agent("tools", cwd=desk).stdout
    assert text.index("bbox_2d") < text.index("--tool NAME") < text.index("ruler")


def test_ask_offers_the_tools_of_files_and_the_optional_ones_to_the_model(desk: Path) -> None:
    script = [say(tool_call("corners", bbox_2d=[0, 0, 500, 500]) + tool_call("ruler", bbox_2d=[0, 0, 500, 500])),
              say(answer("x"))]  # fmt: skip
    with serve(script) as server:
        done = hart_agent(
            "ask", "photo.png", "what?", "--base-url", server.url, "--coordinates", "thousand",
            "--tool", "own.py:corners", "--tool", "ruler", "--trace", "trace.json", "--json", cwd=desk,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = json.dumps(server.bodies)
    assert "Show the first two corners" in told
    assert "width 600.0 pixels" in told
    calls = json.loads((desk / "trace.json").read_text())["turns"][0]["calls"]
    assert [(call["name"], call["error"], len(call["views"])) for call in calls] == [
        ("corners", None, 2),
        ("ruler", None, 0),
    ]
    replayed = hart_agent("replay", "trace.json", "--tool", "own.py:corners", cwd=desk)
    assert replayed.returncode == 0, replayed.stdout
    assert "3 of 3 views are the same" in replayed.stdout
    unknown = hart_agent("replay", "trace.json", cwd=desk)
    assert unknown.returncode == 1
    assert "no tool 'corners'" in unknown.stdout


def test_a_tool_that_can_not_be_used_is_told_before_anything_is_asked(desk: Path) -> None:
    for spec, words in (("own.py:edges", "'edges'"), ("enhance", "'enhance'"), ("none.py:x", "none.py")):
        done = hart_agent("ask", "photo.png", "what?", "--tool", spec, cwd=desk)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
