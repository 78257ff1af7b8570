"""A conversation of each published agent's own form, asked through the product of a scripted server.

The files in `conversations/` are written by hand: what the model says, where that is on the photo and in which size its
runner shows it, and what the model must be told.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tomllib
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, say, serve
from PIL import Image
from variations import slow_but

from hart_agent import Agent, Trajectory
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.dialogue.vocabularies.files import vocabulary_names
from hart_agent.trace import load_trace, replay, write_trace
from hart_agent.vision.source import SourceImage

FOLDER = Path(__file__).parent / "conversations"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
QUESTION = "What does the sign say?"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise: no two regions look alike. Both sides are multiples of 28 and of 32."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.effect_noise((896, 672), 80).convert("RGB").save(path, compress_level=1)
    return path


def test_each_vocabulary_that_ships_has_its_conversation() -> None:
    assert sorted(vocabulary_names()[1:]) == NAMES
    assert len(NAMES) == 13


def decoded(part: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2])))


def shape(message: dict[str, Any]) -> list[str]:
    """The role and the parts of a message; images as their size."""
    content = message["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    shown = ["IMAGE {}x{}".format(*decoded(p).size) if p["type"] == "image_url" else p["text"] for p in parts]
    return [message["role"], *shown]


def asked(photo: Path, name: str, case: dict[str, Any]) -> tuple[Trajectory, Loopback]:
    with serve([say(text) for text in (*case["replies"], "<answer>open</answer>")]) as server:
        policy = OpenAIPolicy("served", base_url=server.url, vocabulary=name)
        return Agent(policy).ask(photo, QUESTION), server


@pytest.mark.parametrize("name", slow_but(("deepeyes", "mini-o3", "p2r", "treevgr"), NAMES))
def test_the_conversation_goes_as_the_agents_runner_has_it(name: str, photo: Path, tmp_path: Path) -> None:
    case = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    run, server = asked(photo, name, case)
    check_answer(run, case, len(server.bodies))
    check_crops(run, case, photo)
    check_requests([body["messages"] for body in server.bodies], case)
    assert not any("tools" in body for body in server.bodies)
    check_trace(run, photo, tmp_path / "trace.json")


def check_answer(run: Trajectory, case: dict[str, Any], requests: int) -> None:
    assert (run.answer, run.verdict, run.stop_reason, run.untagged) == ("OPEN", "supported", "answered", False), run
    assert requests == len(case["replies"]) + 1  # the check
    found = [{"box": list(item.box.as_tuple()), "label": item.label} for item in run.evidence]
    assert found == case["evidence"]
    assert all(item.inferred for item in run.evidence)
    begun = case.get("begun", "")
    assert [turn.reply.text for turn in run.turns] == [begun + text for text in case["replies"]]


def check_crops(run: Trajectory, case: dict[str, Any], photo: Path) -> None:
    """Each crop is what Pillow makes of the photo, pixel for pixel."""
    views = [view for turn in run.turns for result in turn.results for view in result.views]
    assert len(views) == len(case["crops"])
    with Image.open(photo) as image:
        for view, crop in zip(views, case["crops"], strict=True):
            assert list(view.frame.box.as_tuple()) == crop["box"]
            expected = image.crop(crop["box"])
            if "filter" in crop:
                expected = expected.resize(crop["size"], Image.Resampling[crop["filter"]])
            assert expected.size == tuple(crop["size"])
            assert view.sha256 == hashlib.sha256(expected.tobytes()).hexdigest()
    calls = [result.call for turn in run.turns for result in turn.results if result.views]
    assert {call.name for call in calls} == {"zoom"}
    assert all(call.raw in turn.reply.text for turn in run.turns for call in (r.call for r in turn.results))


def check_requests(conversations: list[list[dict[str, Any]]], case: dict[str, Any]) -> None:
    asking = conversations[:-1]
    first, last = asking[0], asking[-1]
    if case["system"]:
        assert first[0]["role"] == "system"
        assert all(words in first[0]["content"] for words in case["system"])
        assert "hart" not in first[0]["content"]
        first, last = first[1:], last[1:]
    begun = [["assistant", case["begun"]]] if "begun" in case else []
    assert [shape(message) for message in first] == [["user", *case["question"]], *begun]
    if "second" in case:  # a conversation of its own
        assert [shape(message) for message in last] == [["user", *case["second"]]]
        if "frame" in case:
            check_frame(decoded(last[0]["content"][0]), decoded(first[0]["content"][0]), case["frame"])
        return
    told = [[case["question"][-1] if part == "SAME" else part for part in message] for message in case["told"]]
    turns = [shape(message) for message in last[1:]] if not begun else []
    assert turns[1::2] == told
    remembered = case.get("remembered", case["replies"][:-1])
    assert turns[::2] == [["assistant", text] for text in remembered]
    for index, conversation in enumerate(asking[1:], start=1):  # only ever appended to
        assert conversation == asking[-1][: len(conversation)]
        assert len(conversation) > len(asking[index - 1])


def check_frame(drawn: Image.Image, plain: Image.Image, box: list[int]) -> None:
    """The region stands in a red frame, and nothing else has changed, as far as JPEG can keep that."""
    x0, y0, x1, y1 = box
    red, green, blue = drawn.convert("RGB").crop((x0 + 10, y0, x1 - 10, y0 + 2)).resize((1, 1)).getpixel((0, 0))
    assert red > 200
    assert max(green, blue) < 60
    inside = (x0 + 16, y0 + 16, x1 - 16, y1 - 16)
    assert drawn.crop(inside).tobytes() == plain.crop(inside).tobytes()


def check_trace(run: Trajectory, photo: Path, path: Path) -> None:
    write_trace(run, path)
    trace = load_trace(path)
    assert (trace["mode"], trace["vocabulary"]) == ("agent", run.vocabulary)
    again = replay(trace, SourceImage(photo))
    assert again.same, str(again)
    assert sum(len(call.views) for call in again.calls) > 1
    assert all(item["inferred"] for item in trace["evidence"])
