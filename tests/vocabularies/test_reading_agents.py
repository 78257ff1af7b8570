"""Replies in the vocabularies of published agents: which calls and which answer a reply holds, and its evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.dialogue.messages import ToolSpec
from hart_agent.dialogue.policy import FinishReason, Reply
from hart_agent.dialogue.reading import answer_of, read_reply
from hart_agent.dialogue.vocabularies.files import find_vocabulary
from hart_agent.vision.crop_rule import CropRule, Rounding
from hart_agent.vision.geometry import Box, Size

TOOLS = [ToolSpec("zoom", "", {})]
CALL = '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [%d, 0, 40, 40]}}</tool_call>'
GROUND = '<grounding>{"bbox_2d": [0, 0, 0.5, 0.5], "source": "original_image"}</grounding>'


@pytest.mark.parametrize(
    ("vocabulary", "text", "calls", "answer"),
    [
        ("deepeyes", CALL % 1 + CALL % 2, [2], None),
        ("deepeyes", "<answer>a</answer>" + CALL % 1 + "<answer>b</answer>", [], "b"),
        ("deepeyes", "<think>" + CALL % 1 + "<answer>a</answer></think><answer>b</answer>", [], "b"),
        ("chain-of-focus", CALL % 1 + CALL % 2, [1], None),
        ("chain-of-focus", CALL % 1 + "<answer>a</answer>", [1], None),
        ("chain-of-focus", "It is red.", [], "It is red."),
        ("verl", CALL % 1 + CALL % 2, [1, 2], None),
        ("verl", r"So \boxed{4}", [], "4"),
        ("mini-o3", "It is red.", [], None),
        ("mini-o3", f"<think>{GROUND}</think><answer>a</answer>", [], "a"),
        ("mini-o3", f"{GROUND}<answer>a</answer>", [0], None),
        ("ground-r1", "<box>[1, 2, 3, 4]</box><answer>a</answer>", [], "a"),
        ("ground-r1", "<box>(1, 2), (3, 4)</box>", [None], None),
        ("pixel-reasoner", CALL.replace("image_zoom_in_tool", "crop_image_normalized") % 1 + "<|im_end|>", [1], None),
        ("pixel-reasoner", CALL % 1 + r" but \boxed{\text{a}}", [], "a"),
        ("p2r", "[]", [], None),
        ("p2r", 'Here: {"bbox_2d": [1, 2, 3, 4], "label": "x"}, {"bbox_2d": [5, 6, 7, 8]}', [1, 5], None),
        ("p2r", '```json\n[{"bbox_2d": [1, 2, 3, 4]}]\n```', [1], None),
        ("visrl", "[1, 2, 3, 4]", [1], None),
        ("revpt", "<tool_call>[{'name': 'zoom_in', 'arguments': {'bbox': [9, 2, 3, 4]}}]</tool_call>", [9], None),
        ("grit", "<think>a</think><rethink><answer>b</answer></rethink><answer>c", [], "c"),
        ("treevgr", "<think>a</think><answer>b</answer>", [], "b"),
    ],
)
def test_calls_and_answers(vocabulary: str, text: str, calls: list[int | None], answer: str | None) -> None:
    spoken = find_vocabulary(vocabulary)
    parsed = read_reply(Reply(text), TOOLS, spoken)
    boxes = [raw.arguments.get("bbox_2d", raw.arguments.get("bbox")) for raw in parsed.calls]
    assert [box[0] if isinstance(box, list) else None for box in boxes] == calls
    assert parsed.answer == answer
    if answer is not None:
        assert answer_of(Reply(text), spoken) == answer  # where nothing can be called


@pytest.mark.parametrize("text", ["<grounding>nonsense</grounding>", "<grounding>{</grounding>"])
def test_a_call_that_cannot_be_read_keeps_its_error(text: str) -> None:
    (call,) = read_reply(Reply(text), TOOLS, find_vocabulary("mini-o3")).calls
    assert call.error is not None


@pytest.mark.parametrize("text", ["<answer>14 Ald", "<think>and so", GROUND[:-20], "It is"])
def test_what_a_limit_cut_off_is_never_used(text: str) -> None:
    reply = Reply(text, finish_reason=FinishReason.LENGTH)
    for name in ("mini-o3", "verl", "ground-r1"):
        parsed = read_reply(reply, TOOLS, find_vocabulary(name))
        assert parsed.cut_off
        assert parsed.answer is None


def test_words_that_decline_are_no_answer() -> None:
    spoken = find_vocabulary("qwen3-vl")
    assert read_reply(Reply("I cannot tell."), TOOLS, spoken).abstention == "I cannot tell."
    assert answer_of(Reply("<abstain>dark</abstain>"), spoken) is None


@pytest.mark.parametrize(
    ("rule", "rect", "region", "size"),
    [
        (CropRule(), (10.2, 10.2, 50.7, 60.7), (10, 10, 51, 61), (28, 56)),
        (CropRule(rounding=Rounding.DOWN), (10.2, 10.2, 50.7, 60.7), (10, 10, 50, 60), (28, 56)),
        (CropRule(rounding=Rounding.NEAREST), (10.2, 10.2, 50.7, 60.7), (10, 10, 51, 61), (28, 56)),
        (CropRule(grow=2), (40, 40, 80, 60), (20, 30, 100, 70), (84, 28)),
        (CropRule(grow=2), (0, 0, 40, 40), (0, 0, 60, 60), (56, 56)),  # as far as the image goes
        (CropRule(pad=0.1), (40, 40, 80, 60), (0, 10, 120, 90), (112, 84)),
        (CropRule(pad=0.1, pad_limit=5), (40, 40, 80, 60), (35, 35, 85, 65), (56, 28)),
        (CropRule(min_side=30), (40, 40, 80, 60), (40, 35, 80, 65), (28, 28)),
        (CropRule(min_side=30, keeps_shape=True), (40, 40, 80, 60), (30, 35, 90, 65), (56, 28)),
        (CropRule(max_aspect=2), (40, 40, 120, 60), (40, 30, 120, 70), (84, 28)),
        (CropRule(enlarge=3), (40, 40, 80, 60), (40, 40, 80, 60), (112, 56)),
        (CropRule(min_pixels=10_000), (40, 40, 80, 60), (40, 40, 80, 60), (168, 84)),
        (CropRule(stretch=56), (40, 40, 140, 50), (40, 40, 140, 50), (112, 56)),
        (CropRule(fill=True), (40, 40, 80, 60), (40, 40, 80, 60), (168, 84)),
    ],
)
def test_the_rule_of_a_crop(
    rule: CropRule, rect: tuple[float, float, float, float], region: tuple[int, ...], size: tuple[int, int]
) -> None:
    """In an image of 400 x 300 pixels, with a grid of 28 and views of at most 14,500 pixels."""
    box = rule.region(rect, Box(0, 0, 400, 300))
    assert box.as_tuple() == region
    assert rule.size(box.size, grid=28, max_pixels=14_500) == Size(*size)
    assert CropRule.from_json(rule.to_json()) == rule


@given(
    sides=st.tuples(st.integers(1, 6000), st.integers(1, 6000)),
    grid=st.sampled_from([28, 32]),
    least=st.integers(1, 300_000),
    most=st.integers(1024, 2_000_000),
    enlarge=st.sampled_from([1.0, 2.0, 5.0]),
)
def test_no_crop_is_larger_than_the_model_may_see(
    sides: tuple[int, int], grid: int, least: int, most: int, enlarge: float
) -> None:
    """Even where the rule wants more: the engine would make it smaller, and the model's boxes would miss."""
    size = CropRule(min_pixels=least, enlarge=enlarge).size(Size(*sides), grid=grid, max_pixels=most)
    assert (size.width % grid, size.height % grid) == (0, 0)
    assert size.area <= most or grid in (size.width, size.height)
