"""A model that has learnt to think before it calls and answers, asked in this process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch and transformers are not installed")
pytest.importorskip("transformers", reason="torch and transformers are not installed")
from taught_vlm import BOXES, MAX_PIXELS, make_thinking_vlm, open_thoughts, write_lessons

from hart_agent import Agent, Trajectory
from hart_agent.backends.chat import STOP
from hart_agent.backends.local.transformers import TransformersPolicy
from hart_agent.trace import trace_json

ANSWERS = ["red", "blue"]


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two questions, and a model that thinks."""
    folder = tmp_path_factory.mktemp("lessons")
    samples = write_lessons(folder, {f"what is {number}?": said for number, said in enumerate(ANSWERS)}, [0, 0, 9, 9])
    make_thinking_vlm(folder, samples).rename(folder / "thinking")
    shutil.copytree(folder / "thinking", folder / "opened")
    open_thoughts(folder / "opened")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["thinking", "opened"])
def test_it_answers_rightly_and_its_thoughts_stay_apart(lessons: Path, name: str) -> None:
    policy = TransformersPolicy(str(lessons / name), max_pixels=MAX_PIXELS, max_tokens=150)
    agent = Agent(policy, mode="closed-loop")
    for number, said in enumerate(ANSWERS):
        check(agent.ask(lessons / f"{number}.png", f"what is {number}?"), said, ANSWERS[1 - number])


def check(run: Trajectory, right: str, rehearsed: str) -> None:
    """One call, one answer, and the thoughts whole: no stop string has cut them."""
    assert (run.answer, run.stop_reason.value, run.format_kept, len(run.turns)) == (right, "answered", True, 2)
    assert [item.label for item in run.evidence] == ["it"]
    assert [result.call.arguments["bbox_2d"] for turn in run.turns for result in turn.results] == [BOXES[0]]
    call, answered = (turn["reasoning"] for turn in trace_json(run)["turns"])
    assert call.startswith("Try <tool_call>")
    assert call.endswith("</tool_call>? No.")
    assert answered == f"Is it <answer>{rehearsed}</answer>? No."
    assert any(stop in answered for stop in STOP)
    assert all(not turn.reply.truncated for turn in run.turns)
