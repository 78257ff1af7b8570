"""The state machine, driven by an agent with a scripted policy: whatever the policy says, the episode ends well."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from conftest import answer, tool_call
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hart_agent import Agent, Episode, EpisodeConfig, Reply, ScriptedPolicy, SourceImage, Trajectory, Verdict
from hart_agent.agent.modes import Mode
from hart_agent.dialogue.messages import Message, Role, ToolSpec
from hart_agent.dialogue.policy import FinishReason, Usage
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime

BROKEN = "<tool_call>{</tool_call>"
ZOOM = tool_call("zoom", bbox_2d=[0, 0, 100, 100])
CROP = tool_call("crop", bbox_2d=[0, 0, 100, 100], label="sign")
IMAGE = Image.new("RGB", (400, 300), "green")


def ask(*replies: str, verify: bool = False, **limits: Any) -> Trajectory:
    return Agent(ScriptedPolicy(replies), config=EpisodeConfig(**limits), verify=verify).ask(IMAGE, "what?")


def errors(trajectory: Trajectory) -> list[list[str | None]]:
    return [[result.error for result in turn.results] for turn in trajectory.turns]


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (tool_call("zoom", bbox_2d=[90, 90, 10, 10]), "tool_arguments"),
        (tool_call("zoom", bbox_2d=[900, 900, 990, 990]), "tool_arguments"),
        (tool_call("zoom", bbox_2d="0,0,9"), "tool_arguments"),
        (tool_call("zoom"), "tool_arguments"),
        (tool_call("zoom", bbox_2d=[0, 0, 9, 9], image="view9"), "tool_arguments"),
        (tool_call("enhance", bbox_2d=[0, 0, 9, 9]), "unknown_tool"),
    ],
)
def test_a_wrong_call_is_told_and_the_episode_goes_on(mistake: str, error: str) -> None:
    trajectory = ask(mistake, ZOOM, answer("STOP"))
    assert errors(trajectory) == [[error], [None], []]
    assert (trajectory.answer, trajectory.stop_reason) == ("STOP", "answered")


@pytest.mark.parametrize("reply", ['<tool_call>{"name": "zoom", "arg', "The sign says STOP.", "", "<answer></answer>"])
def test_a_malformed_reply_is_told_and_the_episode_goes_on(reply: str) -> None:
    trajectory = ask(reply, answer("STOP"))
    assert trajectory.answer == "STOP"
    assert trajectory.turns[0].results == ()
    assert "<answer>" in (trajectory.turns[0].feedback or "")


def test_several_calls_in_a_turn_are_carried_out_in_order() -> None:
    trajectory = ask(CROP + ZOOM, answer("STOP"))
    assert [result.call.name for result in trajectory.turns[0].results] == ["crop", "zoom"]
    assert [result.call.id for result in trajectory.turns[0].results] == ["call1", "call2"]
    assert [view.id for result in trajectory.turns[0].results for view in result.views] == ["view1", "view2"]


def test_calls_beyond_the_limit_are_not_carried_out_and_the_model_is_told() -> None:
    trajectory = ask(ZOOM * 5, answer("STOP"), max_calls_per_turn=2)
    assert errors(trajectory) == [[None, None], []]
    assert "first 2 calls" in (trajectory.turns[0].feedback or "")


def test_an_answer_behind_a_call_does_not_count() -> None:
    trajectory = ask(ZOOM + answer("GUESS"), answer("STOP"))
    assert trajectory.answer == "STOP"
    assert "set aside" in (trajectory.turns[0].feedback or "")


def test_a_call_behind_an_answer_is_not_carried_out() -> None:
    trajectory = ask(answer("STOP") + ZOOM)
    assert (trajectory.answer, errors(trajectory)) == ("STOP", [[]])


def test_native_calls_are_carried_out() -> None:
    class Native(ScriptedPolicy):
        async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
            first = len(messages) == 2
            return Reply("" if first else answer("STOP"), (("zoom", '{"bbox_2d": [0, 0, 9, 9]}'),) if first else ())

    trajectory = Agent(Native([]), verify=False).ask(IMAGE, "what?")
    assert (trajectory.answer, errors(trajectory)) == ("STOP", [[None], []])


def test_replies_without_call_or_answer_end_in_format_errors() -> None:
    trajectory = ask(*[BROKEN] * 9, max_format_errors=3)
    assert (trajectory.stop_reason, len(trajectory.turns), trajectory.answer) == ("format_errors", 3, None)
    assert trajectory.reason == "the model's last 3 replies could not be read as a tool call or an answer"
    assert (trajectory.format_errors, trajectory.format_kept) == (3, False)


def test_only_format_errors_in_a_row_count() -> None:
    trajectory = ask(BROKEN, BROKEN, ZOOM, BROKEN, BROKEN, answer("STOP"), max_format_errors=3)
    assert trajectory.answer == "STOP"


def test_plain_words_are_the_answer_once_the_model_was_told_to_use_tags() -> None:
    trajectory = ask("I look at the sign.", ZOOM, "It says STOP.", "The answer is STOP.", "never asked")
    assert (trajectory.answer, trajectory.untagged, len(trajectory.turns)) == ("STOP", True, 4)
    assert [turn.feedback is None for turn in trajectory.turns] == [False, True, False, True]
    assert "<answer>" in (trajectory.turns[0].feedback or "")
    assert not trajectory.format_kept
    tagged = ask("I look at the sign.", answer("STOP"))
    assert (tagged.answer, tagged.untagged, tagged.format_errors, tagged.format_kept) == ("STOP", False, 1, False)


def test_plain_words_are_the_answer_on_the_last_turn() -> None:
    trajectory = ask(ZOOM, "**STOP**", max_turns=2)
    assert (trajectory.answer, trajectory.untagged) == ("STOP", True)


def test_a_reply_that_was_cut_off_is_never_used() -> None:
    class CutOff(ScriptedPolicy):
        async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
            reply = await super().reply(messages, tools)
            return replace(reply, finish_reason=FinishReason.LENGTH)

    half_call = '<tool_call>{"name": "crop", "arguments": {"bbox_2d": [400, 40, 610, 60'
    for text in ("<answer>14 Alder", half_call, "It says 1"):
        trajectory = Agent(CutOff([text])).ask(IMAGE, "what?")
        assert (trajectory.answer, trajectory.stop_reason, trajectory.evidence) == (None, "cut_off", ())
        assert "--max-tokens" in (trajectory.reason or "")
    whole = Agent(CutOff([answer("STOP") + " and then it rambles on"]), verify=False).ask(IMAGE, "what?")
    assert whole.answer == "STOP"


def test_good_calls_run_next_to_a_bad_one() -> None:
    trajectory = ask(ZOOM + BROKEN + ZOOM, answer("STOP"))
    assert errors(trajectory) == [[None, "reply_format", None], []]
    assert (trajectory.answer, trajectory.format_errors) == ("STOP", 0)


def test_thoughts_are_kept_apart_and_never_parsed() -> None:
    thought = "<think>I must end with <answer>the answer</answer>. It reads OPEN.</think>"
    trajectory = ask(thought + answer("OPEN"))
    assert trajectory.answer == "OPEN"
    assert "It reads OPEN." in trajectory.turns[0].reasoning


def test_a_policy_that_looks_again_in_vain_keeps_its_first_answer() -> None:
    agent = Agent(ScriptedPolicy([CROP, answer("STOP"), answer("GO"), *[BROKEN] * 3]), on_unsupported="retry")
    trajectory = agent.ask(IMAGE, "what?")
    assert (trajectory.answer, trajectory.verdict, trajectory.stop_reason) == ("STOP", "unsupported", "answered")
    assert "looked again" in (trajectory.reason or "")


def test_endless_zooming_ends_and_the_last_turn_is_announced() -> None:
    trajectory = ask(*[ZOOM] * 99, max_turns=4)
    assert (trajectory.stop_reason, len(trajectory.turns), trajectory.answer) == ("max_turns", 4, None)
    told = ["last turn" in (turn.feedback or "") for turn in trajectory.turns]
    assert told == [False, False, True, False]
    assert "4 turns" in (trajectory.reason or "")


def test_an_abstention_keeps_its_reason() -> None:
    trajectory = ask("<abstain>too dark</abstain>", verify=True)
    assert (trajectory.stop_reason, trajectory.answer, trajectory.reason) == ("abstained", None, "too dark")
    assert trajectory.verdict is Verdict.UNCHECKED


def test_a_failing_policy_ends_the_episode_and_keeps_what_was_found() -> None:
    trajectory = ask(CROP)
    assert (trajectory.stop_reason, trajectory.answer) == ("policy_error", None)
    assert trajectory.reason == "the script has no more replies"
    assert [item.label for item in trajectory.evidence] == ["sign"]
    assert len(trajectory.turns) == 1


def test_a_policy_that_fails_in_verify_ends_the_episode_and_keeps_what_was_found() -> None:
    trajectory = ask(CROP + tool_call("verify", answer="STOP"))
    assert trajectory.stop_reason == "policy_error"
    assert (len(trajectory.evidence), len(trajectory.turns)) == (1, 1)


class Hanging(ScriptedPolicy):
    """Hangs once its script is over."""

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        try:
            return await super().reply(messages, tools)
        except PolicyError:
            await asyncio.sleep(60)
            raise


def test_a_policy_that_hangs_is_given_up() -> None:
    started = time.perf_counter()
    trajectory = Agent(Hanging([CROP]), config=EpisodeConfig(max_seconds=1)).ask(IMAGE, "what?")
    assert (trajectory.stop_reason, len(trajectory.evidence)) == ("max_seconds", 1)
    assert "1 seconds" in (trajectory.reason or "")
    assert time.perf_counter() - started < 20


def test_a_policy_that_hangs_in_the_final_check_leaves_the_answer_unchecked() -> None:
    trajectory = Agent(Hanging([CROP, answer("STOP")]), config=EpisodeConfig(max_seconds=1)).ask(IMAGE, "what?")
    assert (trajectory.answer, trajectory.stop_reason, trajectory.verdict) == ("STOP", "answered", "unchecked")
    assert "no time was left" in (trajectory.reason or "")


class Counting(ScriptedPolicy):
    """Takes 100 tokens for each reply."""

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        return replace(await super().reply(messages, tools), usage=Usage(90, 10, 1))


@pytest.mark.parametrize(
    ("budget", "replies", "outcome"),
    [
        (250, [ZOOM, CROP, ZOOM, ZOOM], (None, "token_budget", 300, 1)),
        (200, [ZOOM, answer("STOP")], ("STOP", "answered", 200, 0)),  # the answer was there when it was spent
        (250, [CROP, tool_call("verify", answer="STOP"), answer("STOP"), ZOOM], (None, "token_budget", 300, 1)),
        (1000, [ZOOM, CROP, answer("STOP")], ("STOP", "answered", 300, 1)),
    ],
)
def test_a_question_stops_when_its_tokens_are_spent(
    budget: int, replies: list[str], outcome: tuple[str | None, str, int, int]
) -> None:
    config = EpisodeConfig(token_budget=budget)
    trajectory = Agent(Counting(replies), config=config, verify=False).ask(IMAGE, "what?")
    used = trajectory.usage.input_tokens + trajectory.usage.output_tokens
    assert (trajectory.answer, trajectory.stop_reason, used, len(trajectory.evidence)) == outcome
    assert trajectory.stop_reason == "answered" or f"{budget} tokens" in (trajectory.reason or "")


def test_the_closed_loop_asks_for_no_answer_when_its_tokens_are_spent() -> None:
    config = EpisodeConfig(mode=Mode.CLOSED_LOOP, token_budget=100)
    trajectory = Agent(Counting([CROP, answer("STOP")]), config=config).ask(IMAGE, "what?")
    assert (trajectory.stop_reason, len(trajectory.turns), len(trajectory.evidence)) == ("token_budget", 1, 1)


def test_a_policys_own_time_out_is_not_taken_for_the_episodes() -> None:
    class Impatient(ScriptedPolicy):
        async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
            raise TimeoutError("the server is slow")

    trajectory = Agent(Impatient([])).ask(IMAGE, "what?")
    assert trajectory.stop_reason == "policy_error"
    assert "the server is slow" in (trajectory.reason or "")


def episode(policy: ScriptedPolicy, **limits: Any) -> Episode:
    return Episode(SourceImage(IMAGE), "what?", policy, ToolRuntime(discover_tools()), EpisodeConfig(**limits))


async def test_a_step_after_the_end_is_a_mistake_of_the_caller() -> None:
    over = episode(ScriptedPolicy([]))
    await over.step(Reply(answer("STOP")))
    assert over.done
    with pytest.raises(RuntimeError, match="over"):
        await over.step(Reply(answer("STOP")))


CALLS = [ZOOM, CROP, tool_call("verify", answer="x"), tool_call("zoom", bbox_2d=[9, 9, 1, 1]), tool_call("?")]
FRAGMENTS = [*CALLS, answer("x"), "<abstain>x</abstain>", "hm", "{", "<tool_call>", "```"]
REPLIES = st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=4).map("".join) | st.text(max_size=30), max_size=8)


@settings(max_examples=60)
@given(REPLIES, st.integers(1, 6), st.booleans())
def test_any_replies_end_within_the_limits(replies: list[str], max_turns: int, verify: bool) -> None:
    trajectory = ask(*replies, verify=verify, max_turns=max_turns)
    assert len(trajectory.turns) <= max_turns
    assert (trajectory.answer is not None) == (trajectory.stop_reason == "answered")
    assert all(len(turn.results) <= 8 for turn in trajectory.turns)


@settings(max_examples=40)
@given(REPLIES)
def test_messages_are_only_ever_appended(replies: list[str]) -> None:
    seen: list[tuple[Message, ...]] = []

    async def run() -> None:
        running = episode(ScriptedPolicy([answer("x")] * 99), max_turns=9)
        for reply in replies:
            seen.append(tuple(running.messages))
            if running.done:
                break
            turn = await running.step(Reply(reply))
            added = running.messages[len(seen[-1]) :]
            assert (added[0].role, added[0].text) == (Role.ASSISTANT, reply)
            assert [message.call_id for message in added if message.role is Role.TOOL] == [
                result.call.id for result in turn.results
            ]
        seen.append(tuple(running.messages))

    asyncio.run(run())
    for earlier, later in itertools.pairwise(seen):
        assert all(before is after for before, after in zip(earlier, later, strict=False))
        assert len(later) >= len(earlier)


def test_an_empty_question_and_impossible_limits_are_refused() -> None:
    with pytest.raises(ConfigError, match="empty"):
        Agent(ScriptedPolicy([])).ask(IMAGE, " \n")
    for name in ("max_turns", "max_calls_per_turn", "max_format_errors", "max_seconds", "token_budget"):
        with pytest.raises(ConfigError, match=name):
            EpisodeConfig(**{name: 0})


def test_infinite_seconds_are_no_limit_and_nan_is_refused() -> None:
    """`--max-seconds inf` means no limit; threads can't be waited for so long."""
    config = EpisodeConfig(max_seconds=float("inf"))
    assert Agent(ScriptedPolicy([answer("x")]), config=config).ask(IMAGE, "what?").answer == "x"
    with pytest.raises(ConfigError, match="max_seconds must be positive"):
        EpisodeConfig(max_seconds=float("nan"))
