"""Asking: the final check, event loops, threads, observers, and tools that can't be loaded."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from conftest import answer, tool_call
from PIL import Image

from hart_agent import Agent, PluginError, ScriptedPolicy, Turn, Verdict
from hart_agent.agent.observer import Observer
from hart_agent.backends import create_policy
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.errors import ConfigError
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.protocol import Tool
from hart_agent.trace import result_json
from tools.zoom import Zoom

CROP = tool_call("crop", bbox_2d=[0, 0, 100, 100], label="sign")
IMAGE = Image.new("RGB", (400, 300), "green")


@pytest.mark.parametrize(
    ("replies", "verdict", "requests"),
    [
        ([CROP, answer("STOP"), answer("stop")], Verdict.SUPPORTED, 3),
        ([CROP, answer("STOP"), answer("GO")], Verdict.UNSUPPORTED, 3),
        ([CROP, answer("STOP"), "<abstain>dark</abstain>"], Verdict.INSUFFICIENT, 3),
        ([answer("STOP")], Verdict.INSUFFICIENT, 1),
        ([CROP, tool_call("verify", answer="STOP"), answer("STOP"), answer("STOP")], Verdict.SUPPORTED, 4),
        ([CROP, tool_call("verify", answer="GO"), answer("GO"), answer("STOP"), answer("GO")], Verdict.UNSUPPORTED, 5),
    ],
)
def test_every_answer_is_checked_once(replies: list[str], verdict: Verdict, requests: int) -> None:
    trajectory = Agent(ScriptedPolicy(replies)).ask(IMAGE, "what?")
    assert (trajectory.answer, trajectory.verdict, trajectory.usage.requests) == ("STOP", verdict, requests)
    assert trajectory.stop_reason == "answered"


def test_a_check_that_fails_leaves_the_answer_unchecked_and_says_so() -> None:
    trajectory = Agent(ScriptedPolicy([CROP, answer("STOP")])).ask(IMAGE, "what?")
    assert (trajectory.answer, trajectory.verdict, trajectory.stop_reason) == ("STOP", "unchecked", "answered")
    assert "no more replies" in (trajectory.reason or "")


def test_without_the_check_the_verdict_is_unchecked() -> None:
    trajectory = Agent(ScriptedPolicy([CROP, answer("STOP")]), verify=False).ask(IMAGE, "what?")
    assert trajectory.verdict is Verdict.UNCHECKED


async def test_asking_inside_a_running_event_loop() -> None:
    agent = Agent(ScriptedPolicy([CROP, answer("one"), answer("one"), answer("two")]))
    assert agent.ask(IMAGE, "what?").answer == "one"
    assert (await agent.aask(IMAGE, "what?")).answer == "two"


def test_asking_from_many_threads_and_tasks() -> None:
    def speak(messages: Any, tools: Any) -> str:
        return answer(messages[-1].text.split("<question>")[1].split("</question>")[0])

    agent = Agent(ScriptedPolicy(speak), verify=False)
    questions = [f"q{number}" for number in range(12)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        trajectories = list(pool.map(lambda question: agent.ask(IMAGE, question), questions))
    assert [trajectory.answer for trajectory in trajectories] == questions

    async def gather() -> list[str | None]:
        return [found.answer for found in await asyncio.gather(*(agent.aask(IMAGE, text) for text in questions))]

    assert asyncio.run(gather()) == questions


def test_the_observer_sees_each_turn_as_it_ends() -> None:
    seen: list[Turn] = []
    trajectory = Agent(ScriptedPolicy([CROP, answer("STOP")]), verify=False).ask(IMAGE, "what?", observer=seen.append)
    assert tuple(seen) == trajectory.turns


class Log(Observer):
    """Writes down what it sees."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_start(self, question: str, image: Any, overview: Any) -> None:
        self.seen.append(f"start {question} {image.size.width}x{image.size.height}")

    def on_tool_call(self, result: Any, views: Any) -> None:
        self.seen.append(f"tool {result.call.name} {len(views)}")

    def on_turn(self, turn: Turn) -> None:
        self.seen.append("turn")

    def on_verdict(self, verification: Any) -> None:
        self.seen.append(f"verdict {verification.verdict}")

    def on_end(self, trajectory: Any) -> None:
        self.seen.append(f"end {trajectory.answer}")


def test_an_agents_observer_sees_start_calls_turns_verdict_and_end() -> None:
    always, once = Log(), Log()
    agent = Agent(ScriptedPolicy([CROP, answer("STOP"), answer("stop")]), observer=always)
    agent.ask(IMAGE, "what?", observer=once)
    assert once.seen == ["start what? 400x300", "tool crop 1", "turn", "turn", "verdict supported", "end STOP"]
    assert always.seen == once.seen


def test_a_trajectory_reads_as_answer_verdict_and_evidence() -> None:
    trajectory = Agent(ScriptedPolicy([CROP, answer("STOP"), answer("STOP")])).ask(IMAGE, "what?")
    assert str(trajectory).splitlines() == ["STOP", "verdict: supported", "evidence: [0, 0, 100, 100] sign"]
    assert str(Agent(ScriptedPolicy([])).ask(IMAGE, "what?")) == "No answer: the script has no more replies"


def test_backends_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match="no backend 'psychic'"):
        create_policy("psychic")


class Incomplete:
    name = "incomplete"


class Twin(Zoom):
    """Claims the name of a built-in tool."""


class Explosive(Zoom):
    def __init__(self) -> None:
        raise RuntimeError("no licence")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("test_agent:Incomplete", "lacks one of"),
        ("test_agent:Explosive", "no licence"),
        ("test_agent:Missing", "can't be loaded"),
        ("no_such_package:Tool", "can't be loaded"),
        ("test_agent:Twin", "'zoom' is claimed by"),
    ],
)
def test_a_broken_tool_package_is_named(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    points = [
        EntryPoint(name, target, "hart_agent.tools") for name, target in (("x", value), ("zoom", "tools.zoom:Zoom"))
    ]
    monkeypatch.setattr("hart_agent.extensions._entry_points", lambda where: {"hart_agent.tools": points})
    with pytest.raises(PluginError, match=words) as caught:
        discover_tools()
    assert value in str(caught.value)


def test_a_tool_of_another_package_is_found_after_the_built_in_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(Zoom):
        name = "another"

    monkeypatch.setattr("test_agent.Twin", Other)
    points = [
        EntryPoint(name, target, "hart_agent.tools")
        for name, target in (("a", "test_agent:Twin"), ("zoom", "tools.zoom:Zoom"))
    ]
    monkeypatch.setattr("hart_agent.extensions._entry_points", lambda where: {"hart_agent.tools": points})
    found: list[Tool] = discover_tools()
    assert [tool.name for tool in found] == ["zoom", "another"]


def test_a_crop_that_is_asked_for_again_and_again_is_kept_once_and_traced_each_time() -> None:
    crop = tool_call("crop", bbox_2d=[4, 4, 40, 40], label="sign")
    heard: list[Sequence[Message]] = []

    def speak(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
        heard.append(messages)
        return answer("STOP") if not tools or len(heard) > 3 else crop

    run = Agent(ScriptedPolicy(speak)).ask(Image.new("RGB", (96, 64)), "what does it say?")
    assert [item.box.as_tuple() for item in run.evidence] == [(4, 4, 40, 40)]
    assert [call["name"] for turn in result_json(run)["turns"] for call in turn["calls"]] == ["crop"] * 3
    assert len([view for message in heard[-1] for view in message.views]) == 1  # the check sees it once
