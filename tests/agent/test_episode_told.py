"""What an episode tells the policy word for word, what it counts and times, and where exactly its limits lie."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import answer, tool_call
from test_episode import BROKEN, CROP, IMAGE, ZOOM, ask, episode

from hart_agent import Agent, Episode, EpisodeConfig, Reply, ScriptedPolicy, SourceImage
from hart_agent.agent import episode as module
from hart_agent.agent.modes import Mode
from hart_agent.agent.observer import Observer
from hart_agent.agent.trajectory import Turn
from hart_agent.dialogue.policy import Usage
from hart_agent.dialogue.results import HINT_ANSWER
from hart_agent.dialogue.vocabularies.files import find_vocabulary
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.records import ToolResult
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.vision.source import View

LAST, LAST_WITHOUT_TOOLS = (
    f"This is your last turn: answer now, {tools}{HINT_ANSWER}" for tools in ("without tools. ", "")
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which episodes go; its one number is to be changed."""
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


def step(run: Episode, text: str, **fields: Any) -> None:
    asyncio.run(run.step(Reply(text, **fields)))


def test_a_turn_takes_from_the_end_of_the_one_before_to_its_own(clock: list[float]) -> None:
    run = episode(ScriptedPolicy([]))
    for seconds, reply in ((2.0, ZOOM), (3.0, BROKEN), (0.5, answer("STOP"))):
        clock[0] += seconds
        step(run, reply)
    clock[0] += 7
    assert [turn.seconds for turn in run.turns] == [2, 3, 0.5]
    assert run.trajectory().seconds == 12.5


def test_the_time_may_have_begun_before_the_episode_and_is_never_negative(clock: list[float]) -> None:
    config = EpisodeConfig(max_seconds=10)
    runtime = ToolRuntime(discover_tools())
    run = Episode(SourceImage(IMAGE), "what?", ScriptedPolicy([]), runtime, config, started=96.0)
    assert run.seconds_left == 6
    clock[0] += 1
    step(run, ZOOM)
    assert (run.turns[0].seconds, run.done) == (1, False)
    clock[0] += 5
    step(run, ZOOM)  # the time is up just now
    assert (run.seconds_left, run.outcome.reason) == (0, "no answer within 10 seconds")
    clock[0] += 5
    assert run.seconds_left == 0


def test_thoughts_that_were_sent_apart_stand_before_those_in_the_text() -> None:
    run = episode(ScriptedPolicy([]))
    step(run, f"<think>second</think>{ZOOM}", reasoning="first")
    step(run, f"<think>alone</think>{ZOOM}")
    step(run, answer("STOP"), reasoning="apart")
    assert [turn.reasoning for turn in run.turns] == ["first\nsecond", "alone", "apart"]


def test_the_last_turn_is_announced_with_what_may_still_be_done() -> None:
    told = [turn.feedback for turn in ask(ZOOM, ZOOM, ZOOM, ZOOM, max_turns=4).turns]
    assert told[:3] == [None, None, LAST]
    broken = ask(ZOOM, BROKEN, answer("STOP"), max_turns=3).turns[1].feedback
    assert broken is not None
    assert broken.endswith(f" {LAST}")
    direct = ask("", answer("STOP"), mode=Mode.DIRECT, max_turns=2).turns[0].feedback
    assert direct is not None
    assert direct.endswith(f" {LAST_WITHOUT_TOOLS}")


def test_what_else_is_told() -> None:
    many = ask(ZOOM * 3, answer("STOP"), max_calls_per_turn=2).turns[0]
    assert many.feedback == "Only the first 2 calls of a turn are run."
    assert ask(ZOOM * 2, answer("STOP"), max_calls_per_turn=2).turns[0].feedback is None
    last = ask(ZOOM * 3, answer("STOP"), max_calls_per_turn=2, max_turns=2).turns[0]
    assert last.feedback == f"Only the first 2 calls of a turn are run. {LAST}"
    aside = ask(ZOOM + answer("GUESS"), answer("STOP")).turns[0].feedback
    assert aside == "Your answer was set aside: it stood in the same turn as a tool call. Give it again."
    assert [turn.feedback for turn in ask(ZOOM, answer("STOP")).turns] == [None, None]


def test_why_there_is_no_answer_is_said() -> None:
    assert ask(ZOOM, ZOOM, max_turns=2).reason == "no answer within 2 turns"
    assert ask(*[BROKEN] * 2, max_format_errors=2).reason == (
        "the model's last 2 replies could not be read as a tool call or an answer"
    )


REGION_FIRST = "No valid region was named. Don't answer yet: name the regions that show it, each with a call of crop."


def test_without_a_region_the_closed_loop_says_what_is_missing_and_what_was_wrong() -> None:
    first = {text: ask(text, CROP, answer("x"), mode=Mode.CLOSED_LOOP).turns[0].feedback for text in
             (answer("early"), ZOOM, BROKEN)}  # fmt: skip
    assert (first[answer("early")], first[ZOOM]) == (REGION_FIRST, REGION_FIRST)
    wrong = first[BROKEN]
    assert wrong is not None
    assert wrong.endswith(f" {REGION_FIRST}")
    assert len(wrong) > len(REGION_FIRST) + 20


def test_the_closed_loop_needs_a_turn_for_its_answer() -> None:
    assert ask(ZOOM, ZOOM, CROP, answer("x"), mode=Mode.CLOSED_LOOP, max_turns=3).reason == "no answer within 3 turns"
    assert ask(ZOOM, CROP, answer("x"), mode=Mode.CLOSED_LOOP, max_turns=3).answer == "x"


def test_in_the_next_stage_replies_that_can_not_be_read_are_counted_anew() -> None:
    run = ask(BROKEN, CROP, BROKEN, answer("x"), mode=Mode.CLOSED_LOOP, max_format_errors=2)
    assert (run.answer, run.format_errors) == ("x", 2)


def test_another_agent_is_told_in_its_own_words() -> None:
    policy = ScriptedPolicy([])
    policy.vocabulary = find_vocabulary("mini-o3")  # type: ignore[attr-defined]
    run = episode(policy)
    step(run, "The sign is on the left.")
    told = run.turns[0].feedback
    assert told
    (words,) = run.messages[-1].parts
    assert isinstance(words, str)
    assert words.startswith(f"An error occurred while grounding: {told}\nLook at what went wrong")
    assert run.outcome.stop_reason is None


class Watching(Observer):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_tool_call(self, result: ToolResult, views: tuple[View, ...]) -> None:
        self.seen.append(f"{result.call.name} {len(views)}")

    def on_turn(self, turn: Turn) -> None:
        self.seen.append(f"turn of {len(turn.results)}")


def test_an_observer_sees_each_call_and_then_its_turn() -> None:
    watching = Watching()
    Agent(ScriptedPolicy([ZOOM + tool_call("?"), answer("x")]), observer=watching, verify=False).ask(IMAGE, "what?")
    assert watching.seen == ["zoom 1", "? 0", "turn of 2", "turn of 0"]


def reopened(**limits: Any) -> tuple[bool, Any]:
    run = episode(ScriptedPolicy([]), **limits)
    step(run, ZOOM, usage=Usage(90, 10, 1))
    step(run, answer("STOP"), usage=Usage(90, 10, 1))
    again = run.reopen("Look again.")
    return again, run.messages[-1].parts if again else run.done


def test_after_an_answer_the_policy_may_look_again_while_turns_time_and_tokens_are_left(clock: list[float]) -> None:
    assert reopened() == (True, ("Look again.",))
    assert reopened(max_turns=3) == (True, (f"Look again. {LAST}",))
    assert reopened(max_turns=2) == (False, True)
    assert reopened(token_budget=201) == (True, ("Look again.",))
    assert reopened(token_budget=200) == (False, True)
    run = episode(ScriptedPolicy([]), max_seconds=5)
    step(run, answer("STOP"))
    clock[0] += 5
    assert not run.reopen("Look again.")
    running = episode(ScriptedPolicy([]))
    step(running, ZOOM)
    assert not running.reopen("Look again.")  # it isn't over


def test_an_episode_that_never_began_ends_without_turns() -> None:
    run = episode(ScriptedPolicy([]))
    trajectory = run.trajectory()
    assert (trajectory.stop_reason, trajectory.turns, trajectory.answer) == ("max_turns", (), None)
    run.interrupt()
    assert run.trajectory().reason == "no answer within 600 seconds"


def test_calls_are_numbered_through_the_episode() -> None:
    run = Agent(ScriptedPolicy([ZOOM, tool_call("?") + CROP, answer("x")]), verify=False).ask(IMAGE, "  what?  ")
    assert [result.call.id for turn in run.turns for result in turn.results] == ["call1", "call2", "call3"]
    assert run.question == "what?"
