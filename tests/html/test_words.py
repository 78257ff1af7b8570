"""What the pages say of a trace, in words."""

from __future__ import annotations

from typing import Any

import pytest

from hart_agent.dialogue.blocks import outside_blocks
from hart_agent.html.words import call_words, place_words, tell_result, tell_turn

SIZE = (900, 600)


def call(name: str, *boxes: list[int], error: str | None = None, raw: str = "", **arguments: Any) -> dict[str, Any]:
    views = [{"box": box} for box in boxes]
    return {"name": name, "arguments": arguments, "raw": raw, "result": "done", "error": error, "views": views}


def turn(text: str, *calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"text": text, "calls": list(calls), "feedback": None, "seconds": 0.5, **more}


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ([0, 0, 900, 600], "the whole image"),
        ([0, 0, 100, 100], "the upper left"),
        ([400, 10, 500, 90], "the upper middle"),
        ([800, 500, 900, 600], "the lower right"),
        ([0, 250, 90, 350], "the left side"),
        ([400, 250, 500, 350], "the centre"),
        ([899, 599, 900, 600], "the lower right"),
    ],
)
def test_where_a_region_lies(box: list[int], words: str) -> None:
    assert place_words(box, SIZE) == words


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (call("zoom", [0, 0, 100, 100]), "Zoomed into the upper left"),
        (call("crop", [400, 250, 500, 350], label="a {sign}"), "Kept the centre as evidence: a {sign}"),
        (call("verify"), "Asked again with nothing but the evidence in sight"),
        (call("ruler", [0, 250, 90, 350]), "Used ruler on the left side"),
        (call("zoom", error="arguments"), "Tried zoom, which failed"),
    ],
)
def test_what_a_call_did(made: dict[str, Any], words: str) -> None:
    assert call_words(made, SIZE) == words


JSON = '{"name": "zoom", "arguments": {"bbox_2d": [0, 0, 9, 9]}}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"I look there.\n<tool_call>{JSON}</tool_call>", "I look there."),
        (f"First.<tool_call>{JSON}</tool_call> Then.<tool_call>{JSON}", "First. Then."),
        (f"I look.\n```json\n{JSON}\n```", "I look."),
        ("<think>hm</think>So.<function=zoom><parameter=bbox_2d>[0, 0, 9, 9]</parameter></function>", "So."),
        ("", ""),
    ],
)
def test_a_call_is_told_once_and_apart_from_the_words(text: str, said: str) -> None:
    told = tell_turn(turn(text, call("zoom", [0, 0, 100, 100], raw=JSON, bbox_2d=[0, 0, 9, 9])), SIZE)
    assert told["said"] == said
    (made,) = told["calls"]
    assert made["words"] == "Zoomed into the upper left"
    assert '"bbox_2d"' in made["written"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It is plain.\n<answer>a bakery</answer>", "It is plain.\n\nAnswered: a bakery"),
        ("<abstain>it is hidden</abstain>", "Declined to answer: it is hidden"),
        ("neither a call nor an answer", "neither a call nor an answer"),
        ("<tool_call>{broken", "<tool_call>{broken"),
    ],
)
def test_a_turn_without_a_call_says_what_it_ends_with(text: str, said: str) -> None:
    assert tell_turn(turn(text), SIZE)["said"].split() == said.split()


def test_thoughts_are_told_apart_wherever_they_came_from() -> None:
    inside = tell_turn(turn("<think>I wonder.</think>Yes. <answer>x</answer>"), SIZE)
    sent = tell_turn(turn("<answer>x</answer>", reasoning="I wonder.\n"), SIZE)
    assert inside["reasoning"] == sent["reasoning"] == "I wonder."
    assert "wonder" not in inside["said"]


def test_what_was_found() -> None:
    result = {
        "answer": "a bakery", "reason": None, "stop_reason": "answered", "verdict": "unsupported",
        "crop_only_answer": "a fish shop", "image": {"width": 900, "height": 600},
        "evidence": [{"box": [0, 0, 90, 60], "label": "sign", "text": "BAKERY"}],
    }  # fmt: skip
    told = tell_result(result)
    assert told["evidence"] == [
        {
            "box": [0, 0, 90, 60],
            "label": "sign",
            "text": "BAKERY",
            "name": "Evidence 1: sign",
            "place": "the upper left",
        }
    ]
    assert told["verdict_words"].startswith("Unsupported. The evidence alone leads to another answer")
    assert told["remarks"] == ["From the evidence alone: a fish shop"]
    ended = tell_result(result | {"answer": None, "stop_reason": "max_turns"})
    assert (ended["answer"], ended["verdict_words"]) == ("No answer: max turns", None)


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("a<answer>b</answer>c", "ac"),
        ("a<answer>b", "a"),
        ("no block", "no block"),
        ('{"name": "zoom"}</tool_call>after', "after"),  # the opening marker stood in the prompt
        ("a<tool_call><tool_call>x</tool_call>b", "ab"),
    ],
)
def test_what_stands_outside_blocks(text: str, outside: str) -> None:
    assert outside_blocks(text) == outside
