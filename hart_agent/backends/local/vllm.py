"""A policy that runs a vision-language model with vLLM's asynchronous engine, in this process.

The engine batches what all episodes ask, and keeps what it has read (prefix caching), so that a turn costs only what is
new in it. What stops a reply, and what log-probabilities mean, is as with `hart_agent.backends.local.transformers`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import logging
import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hart_agent.backends.local.checkpoint import Checkpoint, find_checkpoint
from hart_agent.backends.local.engine_reply import engine_reply
from hart_agent.backends.local.policy import LocalPolicy
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.backends.options import ModelOptions
from hart_agent.commands import install_command
from hart_agent.dialogue.policy import Reply
from hart_agent.errors import ConfigError, InstallError, PolicyError

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams

_log = logging.getLogger(__name__)

DEFAULT_MAX_IMAGES = 16
"""In one prompt; vLLM reserves memory for as many."""


class VLLMPolicy(LocalPolicy):
    """Runs a model in vLLM. Safe to share between episodes, threads and event loops.

    Args:
        model: a folder, or an id on Hugging Face's hub, from which it is downloaded if it isn't here yet.
        dtype: such as "bfloat16"; None for the checkpoint's own.
        return_log_probs: whether replies carry `token_ids` (with the token that ended it) and `log_probs`.
        engine_options: further arguments of vLLM's `AsyncEngineArgs`, such as {"tensor_parallel_size": 2}.
        options: of `ModelOptions`; `max_images` defaults to `DEFAULT_MAX_IMAGES`. On a CPU, `seed` is of all sampling
            together, so that replies depend on their order.

    Raises:
        ConfigError: an option is out of range, or the engine doesn't start.
        InstallError: vLLM is missing.
        PolicyError: the model has to be downloaded, and can't be.
        TypeError: there is no such option.
    """

    def __init__(
        self,
        model: str,
        *,
        dtype: str | None = None,
        return_log_probs: bool = False,
        engine_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # stdout is for answers
        if importlib.util.find_spec("vllm") is None:
            raise InstallError(f"the backend 'vllm' needs the package vllm. Run: {install_command(extra='vllm')}")
        checkpoint = find_checkpoint(model)
        if (checkpoint.path / "adapters").is_dir() and dtype != "float32":
            _log.warning(
                "vLLM rounds the merged weights of %s, and with them most of what its adapters learnt; choose float32, "
                "or serve the model they were trained on with %s as an adapter", model, checkpoint.path / "adapters",
            )  # fmt: skip
        settings = ModelOptions.from_keywords(**options)
        max_images = DEFAULT_MAX_IMAGES if settings.max_images is None else settings.max_images
        self._prompter = Prompter(checkpoint, **{**options, "max_images": max_images})
        engine = engine_arguments(checkpoint, self._prompter, dtype=dtype, seed=settings.seed, max_images=max_images)
        self._engine = _Engine({**engine, **(engine_options or {})})
        self._return_log_probs = return_log_probs
        self.name = f"vllm ({model})"

    async def _ask(self, prompt: Prompt) -> Reply:
        async def generate(given: Prompt) -> RequestOutput:
            return await self._engine.generate(given, self._parameters(given))

        reply = await engine_reply(self._prompter, prompt, generate)
        return reply if self._return_log_probs else replace(reply, token_ids=None, log_probs=None)

    def close(self) -> None:
        """Stop the engine and free its memory. It also stops with the program."""
        self._engine.close()

    def _parameters(self, prompt: Prompt) -> SamplingParams:
        return sampling_parameters(self._prompter, prompt, log_probs=self._return_log_probs)


def engine_arguments(
    checkpoint: Checkpoint, prompter: Prompter, *, dtype: str | None, seed: int, max_images: int
) -> dict[str, Any]:
    """The arguments of vLLM's engine: it resizes no views, and log-probabilities are those that it samples from."""
    engine: dict[str, Any] = {
        "model": str(checkpoint.path),
        "dtype": dtype or "auto",
        "seed": seed,
        "max_model_len": prompter.max_context_tokens,
        "limit_mm_per_prompt": {"image": max_images, "video": 0},
        "enable_prefix_caching": True,
        "logprobs_mode": "processed_logprobs",
    }
    if prompter.counts(()) is not None:  # views are on the grid: nothing may be resized
        budget = prompter.profile.budget
        size = {"shortest_edge": budget.grid**2, "longest_edge": budget.max_pixels}
        engine["mm_processor_kwargs"] = {"size": size}
    return engine


def sampling_parameters(prompter: Prompter, prompt: Prompt, *, log_probs: bool) -> SamplingParams:
    """How vLLM replies to a prompt, and whether it tells the log-probabilities of what it chose."""
    from vllm import SamplingParams
    from vllm.platforms import current_platform
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        max_tokens=prompt.max_tokens,
        temperature=prompter.temperature,
        # vLLM 0.29 on a CPU dies of a seeded request whose prompt it reads in parts.
        seed=None if current_platform.is_cpu() else prompt.seed,
        stop=list(prompter.stops(prompt)),
        stop_token_ids=sorted(prompter.end_ids),
        include_stop_str_in_output=True,
        logit_bias=dict.fromkeys(prompter.banned_ids, -100.0),
        logprobs=0 if log_probs else None,  # of the chosen tokens alone
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def request_of(prompt: Prompt) -> dict[str, Any]:
    """A prompt as vLLM takes it."""
    request: dict[str, Any] = {"prompt_token_ids": list(prompt.token_ids)}
    if prompt.views:
        request["multi_modal_data"] = {"image": [view.image for view in prompt.views]}
    return request


class _Engine:
    """vLLM's engine in an event loop of its own: it belongs to one loop, a policy does not."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="hart-agent vllm", daemon=True).start()
        try:
            self._engine = asyncio.run_coroutine_threadsafe(_start(options), self._loop).result()
        except Exception as error:
            self._loop.call_soon_threadsafe(self._loop.stop)
            raise ConfigError(
                f"vLLM can't run this model ({type(error).__name__}: {error}). The lines above say more. If memory is "
                "short, lower --max-context-tokens and --max-images, or choose a smaller model."
            ) from error
        self.close = weakref.finalize(self, _stop, self._engine, self._loop)
        self._numbers = itertools.count()

    async def generate(self, prompt: Prompt, parameters: SamplingParams) -> RequestOutput:
        """Reply to a prompt. Cancelling aborts it in the engine.

        Raises:
            PolicyError: the engine fails.
        """
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self._generate(prompt, parameters), self._loop)
        )

    async def _generate(self, prompt: Prompt, parameters: SamplingParams) -> RequestOutput:
        number = str(next(self._numbers))
        try:
            outputs = [output async for output in self._engine.generate(request_of(prompt), parameters, number)]
        except Exception as error:
            cause = error.__cause__ or error
            raise PolicyError(
                f"vLLM failed ({type(cause).__name__}: {cause}). The lines above may say more."
            ) from error
        final: RequestOutput = outputs[-1]
        return final


async def _start(options: Mapping[str, Any]) -> Any:
    from vllm import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    return AsyncLLM.from_engine_args(AsyncEngineArgs(**options))


def _stop(engine: Any, loop: asyncio.AbstractEventLoop) -> None:
    async def shut_down() -> None:
        engine.shutdown()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(shut_down(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
