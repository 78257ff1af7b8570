"""What training's metrics tell of findings: how many, how soon, and which gold steps they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from PIL import Image

from hart_agent import Agent, EpisodeConfig, Mode, ScriptedPolicy
from hart_agent.answers import AnswerType
from hart_agent.dialogue.policy import Reply, Usage
from hart_agent.evals.items import Item
from rl.data.rows import Rollout
from rl.openrlhf.scoring import logged
from rl.training.monitor import OF_FINDINGS, rollout_metrics

ZOOM = tool_call("zoom", bbox_2d=[0, 0, 20, 20])


class Counting(ScriptedPolicy):
    """Counts a token for each character."""

    async def reply(self, messages: Any, tools: Any) -> Reply:
        said = await super().reply(messages, tools)
        return replace(said, usage=Usage(1, len(said.text), 1))


def rolled(*script: str, steps: Sequence[str] = (), mode: Mode = Mode.INTERLEAVED) -> Rollout:
    agent = Agent(Counting(script), config=EpisodeConfig(mode), verify=False)
    gold = Item("a", Path("a.png"), "how many?", "4", AnswerType.NUMBER, steps=tuple(steps))
    return Rollout(gold, agent.ask(Image.new("RGB", (40, 40)), "how many?"), ())


def test_findings_are_counted_and_compared_with_the_steps() -> None:
    early = rolled(f"<finding>7</finding><finding>red</finding>{ZOOM}", answer("4"), steps=("7", "3"))
    late = rolled(ZOOM, f"<finding>3</finding>{answer('4')}", steps=("3",))
    found = rollout_metrics([early, late])
    assert found["findings"] == 1.5
    assert found["steps_found"] == pytest.approx(2 / 3)  # of three gold steps
    assert found["tokens_to_first_finding"] == len(ZOOM) / 2  # 0 and the whole first reply
    whole = len(ZOOM) + len("<finding>3</finding>") + len(answer("4"))
    assert found["share_to_first_finding"] == pytest.approx(len(ZOOM) / whole / 2)


def test_a_policy_that_says_nothing_has_its_answers_place() -> None:
    found = rollout_metrics([rolled(ZOOM, answer("4"))])
    assert (found["findings"], found["tokens_to_first_finding"]) == (0, len(ZOOM))
    assert math.isnan(found["steps_found"])  # the question has none


def test_other_modes_have_no_such_metrics_and_openrlhf_the_same_names_in_all() -> None:
    plain, finding = rolled(ZOOM, answer("4"), mode=Mode.AGENT), rolled(f"<finding>7</finding>{answer('4')}")
    assert not set(OF_FINDINGS) & rollout_metrics([plain]).keys()
    names = [logged(each, truncated=False).keys() for each in (plain, finding)]
    assert names[0] == names[1]
    assert logged(finding, truncated=False)["hart/findings"] == 1
