"""A policy that runs a vision-language model with transformers, in this process.

Replies that are asked for at about the same time are generated together, as one batch. Each is the same as it would be
alone, but for rounding: with bfloat16, a greedy reply may turn at a near tie. The conversation is read anew each turn;
`hart_agent.backends.local.vllm` keeps what it has read, and is the faster choice for many long episodes.

Log-probabilities are those of the distribution that tokens were sampled from: the model's logits divided by the
temperature (by 1 if it is 0, that is, greedy), without the image placeholders, which a reply can't hold. There is no
top-k, top-p or repetition penalty, whatever the checkpoint's generation_config.json says.
"""

from __future__ import annotations

from typing import Any

from hart_agent.backends.local.batching import Batcher
from hart_agent.backends.local.checkpoint import find_checkpoint
from hart_agent.backends.local.policy import LocalPolicy
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.commands import install_command
from hart_agent.dialogue.policy import Reply, Usage
from hart_agent.errors import ConfigError, InstallError


class TransformersPolicy(LocalPolicy):
    """Runs a model of the families Qwen2.5-VL, Qwen3-VL and InternVL3. Safe to share between episodes and threads.

    Args:
        model: a folder, or an id on Hugging Face's hub, from which it is downloaded if it isn't here yet.
        device: such as "cuda:1"; None for the first of CUDA, Apple's MPS and the CPU that is there.
        dtype: such as "bfloat16"; None for that on accelerators, and "float32" on the CPU.
        return_log_probs: whether replies carry `token_ids` (with the token that ended it) and `log_probs`.
        max_batch: replies generated together; each takes memory of its own.
        options: of `ModelOptions`. The reply to a conversation doesn't depend on what else is asked, or in which order.

    Raises:
        ConfigError: an option is out of range, or the model can't be loaded.
        InstallError: torch or transformers is missing.
        PolicyError: the model has to be downloaded, and can't be.
        TypeError: there is no such option.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        return_log_probs: bool = False,
        max_batch: int = 8,
        **options: Any,
    ) -> None:
        if max_batch <= 0:
            raise ConfigError(f"max_batch must be positive, got {max_batch}")
        try:
            from hart_agent.backends.local.generation import Generator
        except ImportError as error:
            raise InstallError(
                f"the backend 'transformers' needs torch and transformers ({error}). "
                f"Run: {install_command(extra='transformers')}"
            ) from error
        checkpoint = find_checkpoint(model)
        self._prompter = Prompter(checkpoint, **options)
        self._batcher = Batcher(Generator(checkpoint, self._prompter, device, dtype).generate, max_size=max_batch)
        self._return_log_probs = return_log_probs
        self.name = f"transformers ({model})"

    async def _ask(self, prompt: Prompt) -> Reply:
        generated = await self._batcher.submit(prompt)
        token_ids = generated.token_ids
        return Reply(
            self._prompter.text(token_ids, prompt.opened),
            usage=Usage(generated.prompt_tokens, len(token_ids), 1),
            token_ids=token_ids if self._return_log_probs else None,
            log_probs=generated.log_probs if self._return_log_probs else None,
            finish_reason=self._prompter.finish_reason(token_ids, prompt.opened),
        )
