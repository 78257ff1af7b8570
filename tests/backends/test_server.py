"""Real servers and engines on tiny models with random weights: random words must end every episode cleanly, with data.

Not part of the default run. Its one command is `tests/server/run`, which says what it needs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import answer, tool_call
from PIL import Image
from server_process import VLLM_CONTEXT, serving_vllm
from test_thinking_model import ANSWERS, MAX_PIXELS, lessons  # noqa: F401 (a fixture)
from test_thinking_model import check as check_thoughts

from hart_agent import Agent, EpisodeConfig, ScriptedPolicy, StopReason, Trajectory
from hart_agent.backends import cut_off
from hart_agent.backends.openai import OpenAIPolicy
from hart_agent.doctor import Status, examine_server
from hart_agent.trace import trace_json

pytestmark = pytest.mark.server

FAMILIES = ["qwen2.5-vl", "qwen3-vl"]
BOX = {"qwen2.5-vl": [20, 20, 120, 100], "qwen3-vl": [100, 100, 400, 300]}
"""A region, as each family writes it."""
CLEAN = {
    StopReason.MAX_TURNS, StopReason.ANSWERED, StopReason.ABSTAINED, StopReason.FORMAT_ERRORS, StopReason.CUT_OFF,
}  # fmt: skip


@pytest.fixture(autouse=True)
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random words don't end by themselves: each reply would be asked for twice."""
    monkeypatch.setattr(cut_off, "MORE", 1)


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model."""
    from tiny_vlm import make_tiny_vlm

    return make_tiny_vlm(tmp_path_factory.mktemp("model") / request.param, request.param)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.effect_noise((1600, 1200), 80).convert("RGB")


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_vllm(folder, folder.name, tmp_path_factory.mktemp("log") / "server.txt") as url:
        yield url


def hashes(run: Trajectory) -> list[str]:
    return [view.sha256 for turn in run.turns for result in turn.results for view in result.views]


def agent(policy: Any, turns: int = 3) -> Agent:
    return Agent(policy, config=EpisodeConfig(max_turns=turns, max_format_errors=turns))


def check(run: Trajectory) -> None:
    """An episode of random words: no exception, and all its data."""
    assert run.stop_reason in CLEAN, run.reason
    assert run.turns
    assert run.usage.output_tokens > 0
    assert run.usage.input_tokens > 500
    json.dumps(trace_json(run))


@pytest.mark.parametrize("tool_format", ["auto", "text"])
def test_ask(server: str, photo: Image.Image, tool_format: str) -> None:
    policy = OpenAIPolicy(base_url=server, max_tokens=16, max_pixels=100_000, temperature=1.0, tool_format=tool_format)
    run = agent(policy).ask(photo, "what is there?")
    check(run)
    assert run.policy in {f"openai ({family})" for family in FAMILIES}  # the only one that it serves


def test_32_asks_at_once(server: str, photo: Image.Image) -> None:
    """Each with a seed of its own: with one seed, a model of random weights says the same to every question."""

    def asker(seed: int) -> Agent:
        settings: dict[str, Any] = {"max_tokens": 16, "max_pixels": 100_000, "temperature": 1.0, "seed": seed}
        return agent(OpenAIPolicy(base_url=server, **settings))

    async def ask_all() -> list[Trajectory]:
        return await asyncio.gather(*(asker(number).aask(photo, f"question {number}") for number in range(32)))

    runs = asyncio.run(ask_all())
    for run in runs:
        check(run)
    assert len({run.turns[0].reply.text for run in runs}) > 16


def test_more_images_than_the_server_takes(server: str, photo: Image.Image) -> None:
    """The real server's "at most 2 images" is understood, and the oldest are left out."""
    from hart_agent import Message
    from hart_agent.dialogue.messages import Role
    from hart_agent.tooling.protocol import ToolContext
    from hart_agent.vision.geometry import Box
    from hart_agent.vision.source import SourceImage

    policy = OpenAIPolicy(base_url=server, max_tokens=8, max_pixels=50_000)
    context = ToolContext(SourceImage(photo), "?", policy)
    views = [context.render(Box(0, 0, 300 * n, 300), "zoom") for n in range(1, 6)]
    reply = asyncio.run(policy.reply([Message(Role.USER, (*views, "?"))], ()))
    assert reply.usage.output_tokens > 0
    assert reply.usage.requests == 2


def test_vllm_in_process(folder: Path, photo: Image.Image) -> None:
    """Whole episodes, 8 at once; greedy replies and their log-probabilities are those of the transformers backend."""
    from hart_agent.backends.local.transformers import TransformersPolicy
    from hart_agent.backends.local.vllm import VLLMPolicy

    options: dict[str, Any] = {
        "max_tokens": 16, "max_pixels": 100_000, "max_context_tokens": VLLM_CONTEXT, "dtype": "float32",
        "return_log_probs": True,
    }  # fmt: skip
    sampling = VLLMPolicy(str(folder), temperature=1.0, max_images=3, engine_options={"enforce_eager": True}, **options)
    try:

        async def ask_all() -> list[Trajectory]:
            return await asyncio.gather(*(agent(sampling).aask(photo, f"question {n}") for n in range(8)))

        runs = [agent(sampling).ask(photo, "what is there?"), *asyncio.run(ask_all())]
        for run in runs:
            check(run)
            assert all(len(turn.reply.log_probs or ()) == len(turn.reply.token_ids or ()) for turn in run.turns)
        sampling._prompter.temperature = 0.0
        there = agent(TransformersPolicy(str(folder), **options)).ask(photo, "what?")
        here = agent(sampling).ask(photo, "what?")
        for ours, theirs in zip(here.turns, there.turns, strict=True):
            assert ours.reply.token_ids == theirs.reply.token_ids
            assert ours.reply.log_probs == pytest.approx(theirs.reply.log_probs, abs=1e-3)
            assert ours.reply.usage == theirs.reply.usage
    finally:
        sampling.close()


def test_the_same_words_execute_byte_identical_crops_in_vllm(folder: Path) -> None:
    """The script of the other backends' tests, forced onto the model token by token."""
    from hart_agent.backends.local.vllm import VLLMPolicy

    photo = Image.effect_noise((2400, 2000), 80).convert("RGB")
    zoom = tool_call("zoom", bbox_2d=BOX[folder.name])
    crops = tool_call("crop", bbox_2d=BOX[folder.name], label="a") + tool_call(
        "crop", bbox_2d=[5, 5, 50, 50], label="b", image="view1"
    )
    script = [zoom, crops, answer("yes"), answer("yes")]
    policy = VLLMPolicy(
        str(folder), max_pixels=40_000, max_tokens=256, max_context_tokens=VLLM_CONTEXT, dtype="float32",
        engine_options={"enforce_eager": True, "logits_processors": ["scripted_logits:ScriptedLogits"]},
    )  # fmt: skip
    parameters, tokenizer, words = policy._parameters, policy._prompter.tokenizer, iter(script)

    def speak(prompt: Any) -> Any:
        made = parameters(prompt)
        made.extra_args = {"script": [*tokenizer(next(words))["input_ids"], tokenizer.eos_token_id]}
        return made

    policy._parameters = speak  # type: ignore[method-assign]
    try:
        there = Agent(policy).ask(photo, "what is there?")
    finally:
        policy.close()
    here = Agent(ScriptedPolicy(script, policy.profile)).ask(photo, "what is there?")
    assert [turn.reply.text for turn in there.turns] == script[:3]
    assert there.answer == here.answer == "yes"
    assert there.verdict == here.verdict == "supported"
    assert hashes(there) == hashes(here)
    assert len(hashes(there)) == 3


def test_the_doctor_examines_a_real_server(server: str) -> None:
    """Random words point nowhere and call no tool: the report says so, and nothing is raised."""
    report = asyncio.run(examine_server(server, None, None))
    found = {check.name: check for check in report.checks}
    assert found["endpoint"].status is Status.OK
    assert found["coordinates"].status is Status.FAIL
    assert found["coordinates"].advice
    assert not report.usable
    assert report.seconds < 65
    if "images" in found:  # the server was started with at most 2
        assert found["images"].data["images"] == 2, found["images"]


@pytest.mark.parametrize("name", ["thinking", "opened"])
def test_a_model_that_thinks_behind_a_server(lessons: Path, tmp_path: Path, name: str) -> None:
    """Its thoughts, whose opening tag its template may have written, hold a call and an answer that don't count."""
    with serving_vllm(lessons / name, "qwen2.5-vl", tmp_path / "server.txt") as url:
        policy = OpenAIPolicy("qwen2.5-vl", base_url=url, max_pixels=MAX_PIXELS, max_tokens=150)
        for number, said in enumerate(ANSWERS):
            run = Agent(policy, mode="closed-loop").ask(lessons / f"{number}.png", f"what is {number}?")
            check_thoughts(run, said, ANSWERS[1 - number])
