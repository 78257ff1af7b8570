"""Episodes in which the policy says what it finds out on the way, from its first reply to the page of their trace."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from PIL import Image

from hart_agent import Agent, EpisodeConfig, Mode, ScriptedPolicy, Trajectory
from hart_agent.answers import AnswerType
from hart_agent.dialogue.policy import Reply, Usage
from hart_agent.evals.findings import first_finding, right_findings, steps_found
from hart_agent.evals.folder import evaluate_folder
from hart_agent.evals.items import Item
from hart_agent.evals.runner import EvalSettings
from hart_agent.trace import load_trace, page, trace_json, write_trace
from hart_agent.vision.opening import open_image

ZOOM = tool_call("zoom", bbox_2d=[0, 0, 100, 100])
SCRIPT = (f"<finding>a <b>red</b> door</finding>{ZOOM}", f"<finding>7</finding>{answer('STOP')}")


def ask(*script: str, mode: Mode = Mode.INTERLEAVED, **limits: Any) -> Trajectory:
    agent = Agent(ScriptedPolicy(script), config=EpisodeConfig(mode, **limits), verify=False)
    return agent.ask(Image.new("RGB", (400, 300), "grey"), "what?")


def test_findings_are_kept_by_turn_and_end_nothing() -> None:
    run = ask(*SCRIPT)
    assert [turn.findings for turn in run.turns] == [("a <b>red</b> door",), ("7",)]
    assert run.findings == ("a <b>red</b> door", "7")
    assert (run.answer, run.format_kept, len(run.turns)) == ("STOP", True, 2)


def test_a_finding_alone_is_no_reply_to_go_on_with() -> None:
    run = ask("<finding>STOP</finding>", answer("STOP"))
    assert run.format_errors == 1
    assert "neither a tool call nor an answer" in (run.turns[0].feedback or "")
    assert ask("<finding>STOP</finding>", max_turns=1).answer is None


def test_the_prompt_asks_for_findings_only_in_its_mode() -> None:
    class Listening(ScriptedPolicy):
        async def reply(self, messages: Any, tools: Any) -> Reply:
            heard.append(messages[0].text)
            return await super().reply(messages, tools)

    image = Image.new("RGB", (40, 30))
    heard: list[str] = []
    for mode in Mode.INTERLEAVED, Mode.AGENT:
        Agent(Listening([answer("x")]), mode=mode, verify=False).ask(image, "what?")
    assert ["<finding>" in text for text in heard] == [True, False]


def test_a_trace_and_its_page_show_the_findings_as_text(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    Image.new("RGB", (400, 300), "grey").save(image)
    run = Agent(ScriptedPolicy(SCRIPT), mode="interleaved", verify=False).ask(str(image), "what?")
    write_trace(run, tmp_path / "t.json")
    trace = load_trace(tmp_path / "t.json")
    assert [turn["findings"] for turn in trace["turns"]] == [["a <b>red</b> door"], ["7"]]
    html = page(trace, open_image(str(image)))
    assert ">Found: a &lt;b&gt;red&lt;/b&gt; door<" in html
    assert "&lt;finding&gt;" not in html
    assert "<b>red" not in html
    assert all("findings" not in turn for turn in trace_json(ask(answer("x")))["turns"])


@pytest.mark.parametrize(
    ("findings", "steps", "said", "right"),
    [
        (["3 doors", "The sign says STOP"], ["STOP", "3"], [2, 1], [True, True]),
        (["three", "3"], ["3"], [1], [True, True]),
        (["13"], ["3"], [None], [False]),
        (["red"], ["blue", "red"], [None, 1], [True]),
        ([], ["red"], [None], []),
        (["red"], [], [], [False]),
    ],
)
def test_findings_against_gold_steps(
    findings: list[str], steps: list[str], said: list[int | None], right: list[bool]
) -> None:
    assert steps_found(findings, steps) == said
    assert right_findings(findings, steps) == right


class Counting(ScriptedPolicy):
    """Counts a token for each two characters, and sends its thoughts apart."""

    async def reply(self, messages: Any, tools: Any) -> Reply:
        said = await super().reply(messages, tools)
        return Reply(said.text, usage=Usage(1, len(said.text) // 2, 1), reasoning="hm" if self.name == "apart" else "")


def first(*script: str, name: str = "counting") -> tuple[float, int | None]:
    policy = Counting(script)
    policy.name = name
    run = Agent(policy, mode="interleaved", verify=False).ask(Image.new("RGB", (40, 30)), "what?")
    found = first_finding(run)
    return found.share, found.tokens


def test_the_time_to_the_first_finding() -> None:
    call = tool_call("zoom", bbox_2d=[0, 0, 1000, 1000])
    late, end = "<think>hmmm</think>", answer("ab")
    assert first(f"<finding>a</finding>{call}", end) == (0.0, 0)
    total = len(call) + len(late) + len("<finding>a</finding>") + len(end)
    share, tokens = first(call, f"{late}<finding>a</finding>{end}")
    assert share == pytest.approx((len(call) + len(late)) / total)
    assert tokens == len(call) // 2 + round((total - len(call)) // 2 * len(late) / (total - len(call)))
    share, _ = first(call, f"{late}{end}")
    assert share == pytest.approx((len(call) + len(late)) / (len(call) + len(late) + len(end)))
    share, _ = first(f"<finding>a</finding>{end}", name="apart")
    assert share == pytest.approx(2 / (2 + 20 + len(end)))
    assert first("<think>x</think><abstain>dark</abstain>")[0] == 1.0
    assert first_finding(ask(*SCRIPT)).tokens is None  # a policy that doesn't count


def test_an_evaluation_counts_the_steps_that_were_found_out(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (400, 300), "grey").save(path)
    items = [
        Item("a", path, "what?", "STOP", AnswerType.TEXT, steps=("7", "a green door")),
        Item("b", path, "what?", "STOP", AnswerType.TEXT, steps=("7",)),
        Item("c", path, "what?", "STOP", AnswerType.TEXT),
    ]
    agent = Agent(Counting(SCRIPT * 3), mode="interleaved", verify=False)
    report = asyncio.run(evaluate_folder(agent, "jsonl", items, tmp_path / "run", EvalSettings(), {}))
    summary = report["summary"]
    assert (summary["steps_found"]["value"], summary["steps_found"]["count"]) == (0.75, 2)
    assert (summary["findings_right"]["value"], summary["findings_right"]["count"]) == (0.5, 2)
    assert report["per_question"]["tokens_to_first_finding"] == 0
    assert report["per_question"]["share_to_first_finding"] == 0
    records = [json.loads(line) for line in (tmp_path / "run" / "records.jsonl").read_text().splitlines()]
    assert records[0]["steps_found"] == [2, None]
    assert "Steps found out" in (tmp_path / "run" / "report.html").read_text()
