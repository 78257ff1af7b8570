"""A policy that runs a vision-language model with transformers, in this process.

Replies that are asked for at about the same time are generated together, as one batch. Each is the same as it would be
alone, but for rounding: with bfloat16, a greedy reply may turn at a near tie. The conversation is read anew each turn;
`hart_agent.backends.local.vllm` keeps what it has read, and is the faster choice for many long episodes.

Log-probabilities are those of the distribution that tokens were sampled from: the model's logits divided by the
temperature (by 1 if it is 0, that is, greedy), without the image placeholders, which a reply can't hold. There is no
top-k, top-p or repetition penalty, whatever the checkpoint's generation_config.json says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hart_agent.backends.local.batching import Batcher
from hart_agent.backends.local.checkpoint import find_checkpoint
from hart_agent.backends.local.prompting import Prompter
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import Reply, Usage
from hart_agent.errors import ConfigError, InstallError
from hart_agent.vision.budget import CoordinateProfile


class TransformersPolicy:
    """Runs a model of the families Qwen2.5-VL, Qwen3-VL and InternVL3. Safe to share between episodes and threads.

    Args:
        model: a folder, or an id on Hugging Face's hub, from which it is downloaded if it isn't here yet.
        device: such as "cuda:1"; None for the first of CUDA, Apple's MPS and the CPU that is there.
        dtype: such as "bfloat16"; None for that on accelerators, and "float32" on the CPU.
        coordinates: "pixel", "thousand" or "unit", instead of what the model's family writes; or "auto".
        max_pixels: area of one view, in pixels.
        max_images: in one prompt; the oldest are left out.
        max_tokens: of one reply.
        max_context_tokens: of prompt and reply together; the oldest turns are left out to stay within.
        temperature: of sampling; 0 is greedy.
        seed: of sampling. What a conversation is replied doesn't depend on what else is asked, or in which order.
        return_log_probs: whether replies carry `token_ids` (with the token that ended it) and `log_probs`.
        max_batch: replies generated together; each takes memory of its own.

    Raises:
        ConfigError: a setting is out of range, or the model can't be loaded.
        InstallError: torch or transformers is missing.
        PolicyError: the model has to be downloaded, and can't be.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        coordinates: str | None = None,
        max_pixels: int | None = None,
        max_images: int | None = None,
        max_tokens: int | None = None,
        max_context_tokens: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
        return_log_probs: bool = False,
        max_batch: int = 8,
    ) -> None:
        if max_batch <= 0:
            raise ConfigError(f"max_batch must be positive, got {max_batch}")
        try:
            from hart_agent.backends.local.generation import Generator
        except ImportError as error:
            raise InstallError(
                f"the backend 'transformers' needs torch and transformers ({error}). "
                "Run: pip install 'hart-agent[transformers]'"
            ) from error
        checkpoint = find_checkpoint(model)
        self._prompter = Prompter(
            checkpoint,
            coordinates=coordinates,
            max_pixels=max_pixels,
            max_images=max_images,
            max_tokens=max_tokens,
            max_context_tokens=max_context_tokens,
            temperature=temperature,
            seed=seed,
        )
        self._batcher = Batcher(Generator(checkpoint, self._prompter, device, dtype).generate, max_size=max_batch)
        self._return_log_probs = return_log_probs
        self.name = f"transformers ({model})"

    @property
    def profile(self) -> CoordinateProfile:
        """How the model sees and points; the prompts speak of boxes as it says."""
        return self._prompter.profile

    @profile.setter
    def profile(self, profile: CoordinateProfile) -> None:
        self._prompter.profile = profile

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        """The model's next reply.

        Raises:
            PolicyError: the conversation doesn't fit, memory runs out, or the model fails; says what to do next.
        """
        prompt = await asyncio.to_thread(self._prompter.prompt, messages, tools)
        generated = await self._batcher.submit(prompt)
        return Reply(
            self._prompter.text(generated.token_ids),
            usage=Usage(generated.prompt_tokens, len(generated.token_ids), 1),
            token_ids=generated.token_ids if self._return_log_probs else None,
            log_probs=generated.log_probs if self._return_log_probs else None,
        )
