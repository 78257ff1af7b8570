"""Running a vision-language model of transformers on a batch of prompts. Importing this loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, GenerationConfig

from hart_agent.backends.local.adapters import read_terms, take_apart
from hart_agent.backends.local.batching import Job
from hart_agent.backends.local.checkpoint import Checkpoint
from hart_agent.backends.local.encoding import Encoder
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.backends.thoughts import StopWatch, opens_thought
from hart_agent.errors import ConfigError, PolicyError

_TAIL = 32
"""Tokens at the end of a reply in which a stop string or a tag is looked for; none is longer."""


@dataclass(frozen=True)
class Generated:
    """A reply as tokens.

    Attributes:
        token_ids: with the token that ended it, shape (T,).
        log_probs: natural logarithms, of each token under the distribution it was sampled from, shape (T,).
        prompt_tokens: how many the prompt had, those of images included.
        entropies: of those distributions, in nats, shape (T,); empty where nobody asked for them.
    """

    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    prompt_tokens: int
    entropies: tuple[float, ...] = ()


GenerationJob = Job[Prompt, Generated]


class Generator:
    """A model in memory.

    Args:
        checkpoint: the model.
        prompter: knows its tokens.
        device: such as "cuda:1"; None for the first of CUDA, Apple's MPS and the CPU that is there.
        dtype: such as "bfloat16"; None for that on accelerators that have it, and "float32" on the CPU.
        attention: how it is computed, as transformers names it; None for its choice.
        model: of transformers, in memory already, as it is; None for the checkpoint's.

    Raises:
        ConfigError: the device or dtype is not available, or the checkpoint can't be loaded.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        prompter: Prompter,
        device: str | None,
        dtype: str | None,
        attention: str | None = None,
        model: Any = None,
    ) -> None:
        self._prompter = prompter
        if model is None:
            self.device, self.dtype = _choose(device, dtype)
            self.encoder, self.model = self._load(checkpoint, attention)
        else:
            self.device, self.dtype = model.device, model.dtype
            self.encoder, self.model = Encoder(checkpoint, prompter), model
        # The checkpoint's sampling settings (such as a repetition penalty) would falsify log-probabilities.
        self.model.generation_config = GenerationConfig(
            do_sample=False, eos_token_id=sorted(prompter.end_ids), pad_token_id=min(prompter.end_ids)
        )

    def _load(self, checkpoint: Checkpoint, attention: str | None) -> tuple[Encoder, Any]:
        try:
            encoder = Encoder(checkpoint, self._prompter)
            terms = read_terms(checkpoint.path) if torch.finfo(self.dtype).bits < 32 else {}
            model, found = AutoModelForImageTextToText.from_pretrained(
                checkpoint.path,
                dtype=torch.float32 if terms else self.dtype,
                attn_implementation=attention,
                output_loading_info=True,
            )
            if terms:
                take_apart(model, terms, self.dtype)
            model = model.to(self.device).eval()
        except ConfigError:
            raise
        except Exception as error:  # damaged files, unknown architectures, no memory: each library has its own errors
            raise ConfigError(
                f"{checkpoint.path} can't be loaded on {self.device} ({error}). Get the model again, choose a smaller "
                "one or another device, or update transformers."
            ) from error
        if found["missing_keys"]:
            raise ConfigError(
                f"{checkpoint.path} lacks {len(found['missing_keys'])} weights, such as {min(found['missing_keys'])}. "
                "Get the model again, or update transformers."
            )
        return encoder, model

    def generate(self, jobs: Sequence[GenerationJob]) -> list[Generated]:
        """Reply to a batch of prompts; if memory runs out, to one half after the other.

        Raises:
            PolicyError: the memory doesn't suffice for one prompt, or the model fails.
        """
        try:
            return self._generate(jobs)
        except PolicyError:
            raise
        except Exception as error:
            if not out_of_memory(error):
                raise PolicyError(f"the model failed ({type(error).__name__}: {error}).") from error
            if len(jobs) == 1:
                prompt = jobs[0].item
                raise PolicyError(
                    f"out of memory on {self.device} with {len(prompt.views)} images and up to {prompt.max_tokens} "
                    "new tokens. Lower --max-pixels, --max-images or --max-tokens, or use a smaller model."
                ) from error
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(jobs) // 2
        return [*self.generate(jobs[:half]), *self.generate(jobs[half:])]

    def _generate(self, jobs: Sequence[GenerationJob]) -> list[Generated]:
        prompts = [job.item for job in jobs]
        inputs = {name: tensor.to(self.device) for name, tensor in self.encoder.encode(prompts, self.dtype).items()}
        start = inputs["input_ids"].shape[1]
        prompter = self._prompter
        choice = Choice(prompter.banned_ids, prompter.temperature, [prompt.seed for prompt in prompts], self.device)
        ending = Ending(prompter, jobs, start)
        with torch.inference_mode():
            output = self.model.generate(
                **inputs,
                max_new_tokens=max(prompt.max_tokens for prompt in prompts),
                logits_processor=[choice],
                stopping_criteria=[ending],
            )
        replies = output[:, start:].tolist()
        log_probs = torch.stack(choice.log_probs, dim=1).tolist()  # (B, T)
        prompt_tokens = inputs["attention_mask"].sum(-1).tolist()
        return [
            Generated(tuple(ids[:length]), tuple(values[:length]), count)
            for ids, values, length, count in zip(replies, log_probs, ending.lengths, prompt_tokens, strict=True)
        ]


class Choice:
    """Chooses the next token of each row, and leaves `generate` no choice but the same.

    Sampling adds Gumbel noise to the log-probabilities and takes the largest, which draws from the distribution. Each
    row's noise has its own seed, so that a reply doesn't depend on what else is in its batch.
    """

    def __init__(self, banned: list[int], temperature: float, seeds: list[int], device: torch.device) -> None:
        self.log_probs: list[torch.Tensor] = []
        """Of the chosen tokens, one tensor of shape (B,) for each step."""
        self.entropies: list[torch.Tensor] = []
        """Of the distributions, likewise; in `measured` steps alone."""
        self.measured = False
        self._banned = banned
        self._temperature = temperature
        self._noise = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        logits = scores.float()  # (B, V)
        logits[:, self._banned] = -torch.inf
        weighed = log_probs = torch.log_softmax(logits / (self._temperature or 1.0), dim=-1)
        if self._temperature > 0:
            rows = zip(logits, self._noise, strict=True)
            draws = torch.stack([torch.empty_like(row).exponential_(generator=noise) for row, noise in rows])
            weighed = log_probs - draws.clamp_min(1e-30).log()
        chosen = weighed.argmax(dim=-1, keepdim=True)
        self.log_probs.append(log_probs.gather(-1, chosen)[:, 0])
        if self.measured:
            self.entropies.append(-(log_probs.exp() * log_probs.clamp_min(-1e9)).sum(dim=-1))
        return weighed


class Ending:
    """Ends each row of a batch by itself, but not at stop strings in thoughts, and keeps how long each reply became."""

    def __init__(self, prompter: Prompter, jobs: Sequence[GenerationJob], start: int) -> None:
        self.lengths = [0] * len(jobs)
        self._prompter = prompter
        self._jobs = jobs
        self._start = start
        self._watches = [StopWatch(prompter.stop, thinking=opens_thought(job.item.opened)) for job in jobs]
        self._done = [False] * len(jobs)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        length = input_ids.shape[1] - self._start
        tails = input_ids[:, -min(length, _TAIL) :].tolist()
        for row, (job, tail) in enumerate(zip(self._jobs, tails, strict=True)):
            if not self._done[row]:
                self.lengths[row] = length
                over = length >= job.item.max_tokens or job.abandoned
                self._done[row] = over or self._ended(self._watches[row], tail, length)
        return torch.tensor(self._done, device=input_ids.device)

    def _ended(self, watch: StopWatch, tail: list[int], length: int) -> bool:
        if tail[-1] in self._prompter.end_ids:
            return True
        fresh = min(len(tail), length - watch.start)
        return watch.stopped(self._prompter.words(tail[-fresh:]), length)


def _choose(device: str | None, dtype: str | None) -> tuple[torch.device, torch.dtype]:
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"the device {device!r} can't be used ({error}). Choose cuda, mps or cpu.") from error
    if dtype is not None:
        named = getattr(torch, dtype, None)
        if not isinstance(named, torch.dtype) or not named.is_floating_point:
            raise ConfigError(f"there is no dtype {dtype!r}; choose float32, bfloat16 or float16.")
        return chosen, named
    if chosen.type == "cpu":
        return chosen, torch.float32
    return chosen, torch.bfloat16 if chosen.type != "cuda" or torch.cuda.is_bf16_supported() else torch.float16


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
