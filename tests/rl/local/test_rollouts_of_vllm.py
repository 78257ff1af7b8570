"""The option that lets vLLM sample, as far as it needs no vLLM: defaults, errors, plan, many replies at once."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_backend import Folders, folders, one_thread  # noqa: F401 (fixtures)

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[transformers]'")
from hart_agent import ConfigError, InstallError  # noqa: E402
from hart_agent.backends.local.checkpoint import find_checkpoint  # noqa: E402
from hart_agent.backends.local.prompting import Prompt, Prompter  # noqa: E402
from rl.config import AlgorithmConfig, TrainSettings  # noqa: E402
from rl.local import vllm  # noqa: E402
from rl.local.vllm import VLLMSampler  # noqa: E402
from rl.training.planning import H100, estimate  # noqa: E402
from rl.training.sizes import model_shape  # noqa: E402


def test_the_ratio_is_capped_unless_a_run_says_otherwise() -> None:
    assert TrainSettings(model="m").algorithm.ratio_cap is None
    chosen = TrainSettings(model="m", rollouts="vllm")
    assert (chosen.algorithm.ratio_cap, chosen.max_images) == (2.0, 16)
    given = TrainSettings(model="m", rollouts="vllm", algorithm=AlgorithmConfig(ratio_cap=5.0), max_images=3)
    assert (given.algorithm.ratio_cap, given.max_images) == (5.0, 3)
    assert TrainSettings.from_record(chosen.record() | {"betas": [0.9, 0.95]}) == chosen


def test_what_it_can_t_do_is_refused(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="tells no entropies"):
        TrainSettings(model="m", rollouts="vllm", branching=True)
    checkpoint = find_checkpoint(str(folders("qwen2.5-vl")))
    monkeypatch.setattr(vllm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InstallError, match=r"--rollouts vllm needs the package vllm\. Run: "):
        VLLMSampler(checkpoint, Prompter(checkpoint), torch.float32, 0.4, 0)


def test_its_memory_is_part_of_the_plan(folders: Folders) -> None:
    shape = model_shape(str(folders("qwen2.5-vl")))
    changes: tuple[dict[str, Any], ...] = ({"rollouts": "vllm", "vllm_memory": 0.25}, {})
    plans = [estimate(shape, TrainSettings(model="m", **each), gpu=H100) for each in changes]
    assert plans[0].training["vLLM"] == 20e9
    assert "vLLM" not in plans[1].training
    assert 0 < plans[0].at_once < plans[1].at_once / 3


def test_replies_come_in_the_order_of_their_prompts(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a stop string ended one inside a thought, that one alone goes on, from what it said."""
    prompter = Prompter(find_checkpoint(str(folders("qwen2.5-vl"))))
    monkeypatch.setattr(prompter, "thinking", lambda token_ids, opened: token_ids[-1] == 7)
    monkeypatch.setattr(vllm, "sampling_parameters", lambda prompter, prompt, log_probs: prompt.max_tokens)
    calls: list[tuple[list[list[int]], list[int]]] = []

    def generate(requests: Sequence[Any], parameters: list[int], use_tqdm: bool) -> list[Any]:
        calls.append(([each["prompt_token_ids"] for each in requests], parameters))
        outputs = []
        for each in requests:
            said = {1: [9], 2: [6, 7], 7: [8]}[each["prompt_token_ids"][-1]]
            told = [{token: SimpleNamespace(logprob=-token / 10)} for token in said]
            ended = SimpleNamespace(token_ids=said, logprobs=told, stop_reason="x", finish_reason="stop")
            outputs.append(SimpleNamespace(prompt_token_ids=each["prompt_token_ids"], outputs=[ended]))
        return outputs

    sampler = VLLMSampler.__new__(VLLMSampler)
    sampler._prompter, sampler._engine = prompter, SimpleNamespace(generate=generate)
    prompts = [Prompt((5, last), (), max_tokens=10, seed=0) for last in (2, 1)]
    first, second = sampler.generate(prompts)
    assert (first.token_ids, first.log_probs, first.prompt_tokens) == ((6, 7, 8), (-0.6, -0.7, -0.8), 2)
    assert (second.token_ids, second.log_probs) == ((9,), (-0.9,))
    assert calls == [([[5, 2], [5, 1]], [10, 10]), ([[5, 2, 6, 7]], [8])]
