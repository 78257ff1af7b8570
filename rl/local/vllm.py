"""Rollouts by vLLM in the process that trains: it samples from the policy's weights, which it is handed in place.

After an update the trainer's weights, adapters merged into them, become those of vLLM's model, tensor by tensor, and
what was computed with the former ones (prefixes, features of images) is dropped. vLLM's kernels are others than the
trainer's, so that log-probabilities differ by their rounding: the ratio of AP-GRPO is taken to those that vLLM sampled
from, and is capped. Importing this loads torch, but not vLLM.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Sequence

import torch

from hart_agent.backends.local.checkpoint import Checkpoint
from hart_agent.backends.local.engine_reply import reply_steps
from hart_agent.backends.local.generation import Generated
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.backends.local.vllm import DEFAULT_MAX_IMAGES, engine_arguments, request_of, sampling_parameters
from hart_agent.commands import install_command
from hart_agent.dialogue.policy import Reply
from hart_agent.errors import ConfigError, InstallError, PolicyError


class VLLMSampler:
    """A model in vLLM, in this process.

    Args:
        checkpoint: the model; its weights are replaced before the first reply.
        prompter: of the model in training, whose temperature is followed.
        dtype: of the model in training.
        memory: the share of the GPU's memory that vLLM takes.
        seed: of sampling, on a CPU of all replies together.

    Raises:
        ConfigError: the engine doesn't start.
        InstallError: vLLM is missing.
    """

    def __init__(
        self, checkpoint: Checkpoint, prompter: Prompter, dtype: torch.dtype, memory: float, seed: int
    ) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise InstallError(f"--rollouts vllm needs the package vllm. Run: {install_command(extra='vllm')}")
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # another process would not see our weights
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # stdout is for answers
        from vllm import LLM
        from vllm.platforms import current_platform

        kind, images = str(dtype).removeprefix("torch."), prompter.max_images or DEFAULT_MAX_IMAGES
        engine = engine_arguments(checkpoint, prompter, dtype=kind, seed=seed, max_images=images)
        self._prompter = prompter
        try:
            eager = current_platform.is_cpu()  # where compiling takes minutes
            self._engine = LLM(**engine, gpu_memory_utilization=memory, enforce_eager=eager)
        except Exception as error:
            raise ConfigError(
                f"vLLM can't run this model ({type(error).__name__}: {error}). The lines above say more. If memory is "
                "short, change --vllm-memory, or lower --max-context-tokens and --max-images."
            ) from error

    def load(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Take over weights, under the names of transformers.

        Raises:
            PolicyError: vLLM can't take them.
        """
        try:
            self._engine.collective_rpc("reload_weights", kwargs={"weights_iterator": weights})
            self._engine.reset_prefix_cache()
            self._engine.llm_engine.reset_encoder_cache()
        except Exception as error:
            raise PolicyError(f"vLLM can't take the policy's weights ({type(error).__name__}: {error}).") from error

    def generate(self, prompts: Sequence[Prompt]) -> list[Generated]:
        """A reply to each prompt, all of them at once.

        Raises:
            PolicyError: the engine fails.
        """
        replies: dict[int, Reply] = {}
        steps = [reply_steps(self._prompter, prompt) for prompt in prompts]
        pending = {number: next(each) for number, each in enumerate(steps)}
        while pending:
            parameters = [sampling_parameters(self._prompter, each, log_probs=True) for each in pending.values()]
            try:
                requests = [request_of(each) for each in pending.values()]
                outputs = self._engine.generate(requests, parameters, use_tqdm=False)
            except Exception as error:
                raise PolicyError(f"vLLM failed ({type(error).__name__}: {error}).") from error
            going_on = {}
            for number, output in zip(pending, outputs, strict=True):
                try:
                    going_on[number] = steps[number].send(output)
                except StopIteration as done:
                    replies[number] = done.value
            pending = going_on
        return [_generated(replies[number]) for number in range(len(prompts))]


def _generated(reply: Reply) -> Generated:
    return Generated(reply.token_ids or (), reply.log_probs or (), reply.usage.input_tokens)
