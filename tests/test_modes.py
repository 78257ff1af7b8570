"""The modes of the episode, and what becomes of answers that their evidence does not support."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from conftest import answer, tool_call
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hart_agent import Agent, ConfigError, EpisodeConfig, Mode, ScriptedPolicy, Trajectory, Verdict
from hart_agent.agent.modes import MODES
from hart_agent.dialogue.messages import Message, ToolSpec
from tools.zoom import Zoom

IMAGE = Image.effect_noise((400, 300), 80).convert("RGB")
CROP = tool_call("crop", bbox_2d=[10, 20, 110, 80], label="sign")
OTHER_CROP = tool_call("crop", bbox_2d=[200, 20, 300, 80], label="sign")
VOID = tool_call("crop", bbox_2d=[110, 80, 10, 20], label="sign")
ZOOM = tool_call("zoom", bbox_2d=[0, 0, 100, 100])
TWO_TURNS = [Mode.CLOSED_LOOP, Mode.MGPO]


class Recorder(ScriptedPolicy):
    """Keeps what it was asked."""

    def __init__(self, script: Sequence[str]) -> None:
        super().__init__(script)
        self.asked: list[tuple[tuple[Message, ...], tuple[ToolSpec, ...]]] = []

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Any:
        self.asked.append((tuple(messages), tuple(tools)))
        return await super().reply(messages, tools)

    def views(self, request: int) -> list[str]:
        """The kinds of the views that it saw in a request."""
        return [view.kind for message in self.asked[request][0] for view in message.views]

    def tools(self, request: int) -> list[str]:
        return [spec.name for spec in self.asked[request][1]]

    def words(self, request: int) -> str:
        return "\n".join(message.text for message in self.asked[request][0])


def ask(mode: Mode, *replies: str, on_unsupported: str = "keep", **limits: Any) -> tuple[Trajectory, Recorder]:
    policy = Recorder(replies)
    agent = Agent(policy, config=EpisodeConfig(mode, **limits), on_unsupported=on_unsupported)
    return agent.ask(IMAGE, "what?"), policy


def test_closed_loop_withholds_the_full_image() -> None:
    run, policy = ask(Mode.CLOSED_LOOP, CROP + OTHER_CROP, answer("STOP"))
    assert [policy.views(n) for n in range(2)] == [["overview"], ["crop", "crop"]]
    assert [policy.tools(n) for n in range(2)] == [["crop"], []]
    assert "alone" in policy.words(0)
    assert "withheld" in policy.words(1)
    assert "sign" not in policy.words(1)  # the crops' labels are its own words
    shown = [view.image.tobytes() for message in policy.asked[1][0] for view in message.views]
    assert shown == [IMAGE.crop((10, 20, 110, 80)).tobytes(), IMAGE.crop((200, 20, 300, 80)).tobytes()]
    assert (run.mode, run.answer, run.verdict, len(run.turns)) == ("closed-loop", "STOP", "unchecked", 2)
    assert run.verification is None
    assert len(policy.asked) == 2  # no check: the answer came from the crops alone


def test_a_check_of_the_closed_loop_is_asked_for_and_sees_more_than_the_crops() -> None:
    policy = Recorder([CROP, answer("STOP"), answer("GO")])
    run = Agent(policy, mode="closed-loop", verify=True).ask(IMAGE, "what?")
    assert (run.answer, run.verdict, len(policy.asked)) == ("STOP", "unsupported", 3)
    (view,) = (view for message in policy.asked[2][0] for view in message.views)
    assert view.frame.box.as_tuple() == (0, 5, 125, 95)  # 100 x 60 pixels at (10, 20), grown by 15 on each side
    assert run.verification
    assert run.verification.crop_only_answer == "GO"
    withheld = Agent(Recorder([CROP, answer("STOP"), answer("GO")]), mode="closed-loop", on_unsupported="abstain")
    assert withheld.ask(IMAGE, "what?").withheld == "STOP"


def test_mgpo_shows_crops_and_overview_and_is_checked_afterwards() -> None:
    run, policy = ask(Mode.MGPO, CROP, answer("STOP"), answer("GO"))
    assert [policy.views(n) for n in range(3)] == [["overview"], ["overview", "crop"], ["crop"]]
    assert [policy.tools(n) for n in range(3)] == [["crop"], [], []]
    assert (run.answer, run.verdict) == ("STOP", "unsupported")


@pytest.mark.parametrize("words", [VOID, "hm", answer("GUESS"), ZOOM])
def test_mgpo_takes_the_overview_for_a_box_that_is_not_valid(words: str) -> None:
    run, policy = ask(Mode.MGPO, words, answer("STOP"))
    assert policy.views(1) == ["overview", "overview"]
    assert (run.answer, run.verdict, run.evidence) == ("STOP", "insufficient", ())


@pytest.mark.parametrize("words", [VOID, "hm", answer("GUESS"), ZOOM])
def test_closed_loop_demands_a_region_before_an_answer(words: str) -> None:
    run, policy = ask(Mode.CLOSED_LOOP, words, CROP, answer("STOP"))
    assert [policy.views(n) for n in range(3)] == [["overview"], ["overview"], ["crop"]]
    assert "No valid region" in policy.words(1)
    assert (run.answer, run.verdict) == ("STOP", "unchecked")


def test_closed_loop_without_a_region_ends() -> None:
    run, _ = ask(Mode.CLOSED_LOOP, *[VOID] * 9)
    assert (run.stop_reason, len(run.turns), run.answer) == ("format_errors", 3, None)
    run, _ = ask(Mode.CLOSED_LOOP, *[VOID] * 9, max_turns=2)
    assert (run.stop_reason, len(run.turns)) == ("max_turns", 1)  # a second attempt would leave no turn for the answer
    run, _ = ask(Mode.CLOSED_LOOP, VOID, CROP, answer("x"), max_turns=3)
    assert run.answer == "x"


@pytest.mark.parametrize("mode", TWO_TURNS)
def test_two_turns_are_enough(mode: Mode) -> None:
    run, _ = ask(mode, CROP, answer("STOP"), answer("STOP"), max_turns=2)
    checked = mode != Mode.CLOSED_LOOP  # there the answer comes from the crops alone
    assert (run.answer, run.verdict) == ("STOP", "supported" if checked else "unchecked")


@pytest.mark.parametrize("mode", [*TWO_TURNS, Mode.DIRECT])
def test_no_tool_is_called_once_it_is_to_answer(mode: Mode) -> None:
    first = [] if mode == Mode.DIRECT else [CROP]
    run, _ = ask(mode, *first, OTHER_CROP, answer("STOP"), answer("STOP"))
    assert [result.error for result in run.turns[-2].results] == ["unknown_tool"]
    assert "no tool may be called now" in run.turns[-2].results[0].text
    assert run.answer == "STOP"
    assert len(run.evidence) == len(first)


def test_direct_sees_the_overview_alone() -> None:
    run, policy = ask(Mode.DIRECT, answer("STOP"))
    assert (policy.views(0), policy.tools(0)) == (["overview"], [])
    assert "tool" not in policy.words(0)
    assert (run.answer, run.verdict, len(policy.asked)) == ("STOP", "insufficient", 1)


@pytest.mark.parametrize("mode", list(MODES.values()))
def test_every_mode_can_abstain(mode: Mode) -> None:
    run, _ = ask(mode, "<abstain>too dark</abstain>")
    assert (run.stop_reason, run.reason, run.verdict) == ("abstained", "too dark", Verdict.UNCHECKED)


def test_an_unsupported_answer_is_kept_by_default() -> None:
    run, _ = ask(Mode.AGENT, CROP, answer("STOP"), answer("GO"))
    assert (run.answer, run.verdict, run.withheld) == ("STOP", "unsupported", None)


def test_an_unsupported_answer_is_withheld_on_demand() -> None:
    run, _ = ask(Mode.AGENT, CROP, answer("STOP"), answer("GO"), on_unsupported="abstain")
    assert (run.answer, run.withheld, run.verdict, run.stop_reason) == (None, "STOP", "unsupported", "abstained")
    assert "'STOP'" in (run.reason or "")
    assert "'GO'" in (run.reason or "")
    assert run.verification
    assert run.verification.crop_only_answer == "GO"


@pytest.mark.parametrize(
    "replies", [[answer("STOP")], [CROP, answer("STOP"), "<abstain>?</abstain>"], [CROP, answer("STOP")]]
)
def test_an_answer_without_a_good_check_is_withheld_too(replies: list[str]) -> None:
    """No evidence; evidence that isn't enough; a check that fails."""
    run, _ = ask(Mode.AGENT, *replies, on_unsupported="abstain")
    assert (run.answer, run.withheld) == (None, "STOP")


def test_a_supported_answer_is_given_whatever_is_done_with_others() -> None:
    for choice in ("keep", "retry", "abstain"):
        run, policy = ask(Mode.AGENT, CROP, answer("STOP"), answer("STOP"), on_unsupported=choice)
        assert (run.answer, run.verdict, len(policy.asked)) == ("STOP", "supported", 3)


def test_the_policy_may_look_again_once() -> None:
    looked = [CROP, answer("STOP"), answer("GO"), OTHER_CROP, answer("GO"), answer("GO")]
    run, policy = ask(Mode.AGENT, *looked, on_unsupported="retry")
    assert "does not stand" in policy.words(3)
    assert (run.answer, run.verdict, len(run.turns)) == ("GO", "supported", 4)
    stubborn = [CROP, answer("STOP"), answer("GO"), answer("STOP")]
    run, policy = ask(Mode.AGENT, *stubborn, on_unsupported="retry")
    assert (run.answer, run.verdict, len(policy.asked)) == ("STOP", "unsupported", 4)


def test_no_turn_is_left_to_look_again() -> None:
    run, _ = ask(Mode.AGENT, CROP, answer("STOP"), answer("GO"), on_unsupported="retry", max_turns=2)
    assert (run.answer, run.verdict) == ("STOP", "unsupported")
    run, policy = ask(Mode.AGENT, CROP, answer("STOP"), answer("GO"), answer("GO"), answer("GO"),
                      on_unsupported="retry", max_turns=3)  # fmt: skip
    assert "last turn" in policy.words(3)
    assert run.answer == "GO"


def test_settings_that_make_no_sense_are_refused() -> None:
    policy = ScriptedPolicy([])
    with pytest.raises(ConfigError, match="verify=True"):
        Agent(policy, on_unsupported="abstain", verify=False)
    with pytest.raises(ConfigError, match="keep, retry, abstain"):
        Agent(policy, on_unsupported="ignore")
    with pytest.raises(ConfigError, match="max_turns"):
        EpisodeConfig(Mode.CLOSED_LOOP, max_turns=1)
    with pytest.raises(ConfigError, match="'crop'"):
        Agent(policy, tools=[Zoom()], config=EpisodeConfig(Mode.CLOSED_LOOP)).ask(IMAGE, "what?")


FRAGMENTS = [CROP, VOID, ZOOM, answer("x"), "<abstain>x</abstain>", "hm", "{", tool_call("verify", answer="x")]
REPLIES = st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=3).map("".join), max_size=6)


@settings(max_examples=60)
@given(REPLIES, st.sampled_from(list(MODES.values())), st.integers(2, 5), st.sampled_from(["keep", "retry", "abstain"]))
def test_every_mode_ends_within_its_limits(replies: list[str], mode: Mode, max_turns: int, choice: str) -> None:
    run, policy = ask(mode, *replies, max_turns=max_turns, on_unsupported=choice)
    assert len(run.turns) <= max_turns
    assert (run.answer is not None) == (run.stop_reason == "answered")
    assert run.withheld is None or (run.answer is None and choice == "abstain" and run.stop_reason == "abstained")
    if mode == Mode.CLOSED_LOOP and run.answer is not None:
        assert run.verdict is (Verdict.SUPPORTED if choice == "abstain" else Verdict.UNCHECKED)
        assert "overview" not in policy.views(-1)
