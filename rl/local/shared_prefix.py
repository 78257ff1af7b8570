"""One pass through a model for rows that begin alike: what they share is worked out once.

All rollouts of a question are given the same first prompt, overview and all. It goes through the model once, and its
keys and values are repeated for the rows that go on from it. That is exact: a causal model's keys and values depend on
nothing that comes later. Importing this loads torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hart_agent.backends.generation import Choice, Ending, Generated, GenerationJob, Generator
from hart_agent.backends.prompting import Prompt

Tensors = dict[str, torch.Tensor]


def distinct(prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[int]]:
    """The different ones of some prompts, seeds aside.

    Returns:
        U prompts, and for each of the B given ones which of them it is.
    """
    numbers: dict[Any, int] = {}
    kept: list[Prompt] = []
    which = []
    for prompt in prompts:
        key = (prompt.token_ids, tuple(view.sha256 for view in prompt.views))
        if key not in numbers:
            numbers[key] = len(kept)
            kept.append(prompt)
        which.append(numbers[key])
    return kept, which


def positions(model: Any, inputs: Tensors) -> torch.Tensor:
    """Where a model's tokens stand: one after the other, but for images of the families with multimodal RoPE.

    Args:
        model: of transformers.
        inputs: padded on the left: token ids and mask, each (B, T), and what it needs to know of images.

    Returns:
        What the model takes as position ids: (B, T), or (3, B, T).
    """
    mask = inputs["attention_mask"]
    rope = getattr(model.model, "get_rope_index", None)
    if rope is not None and "mm_token_type_ids" in inputs:
        known = {name: inputs[name] for name in ("input_ids", "mm_token_type_ids", "image_grid_thw")}
        placed: torch.Tensor = rope(**known, attention_mask=mask)[0]
        return placed
    ids = (mask.cumsum(-1) - 1).clamp_min(0)
    return ids if rope is None else ids.expand(3, -1, -1)


class SharedPrefix:
    """The beginnings of B rows, of which U are different.

    Args:
        model: of transformers; without adapters around it. Gradients flow as where it is called.
        inputs: of the U beginnings, padded on the left.
        which: of them each row begins with, shape (B,).

    Attributes:
        logits: of the token after each row's beginning, shape (B, V).
    """

    def __init__(self, model: Any, inputs: Tensors, which: torch.Tensor) -> None:
        placed = positions(model, inputs)
        output = model(**inputs, position_ids=placed, use_cache=True, logits_to_keep=1)
        self.logits: torch.Tensor = output.logits[which, -1]
        self._model = model
        self._cache_name = "cache" if hasattr(output, "cache") else "past_key_values"  # as older transformers call it
        self._cache = output[self._cache_name]
        self._cache.batch_select_indices(which)
        self._mask = inputs["attention_mask"][which]  # (B, P)
        self._following = _following(placed)[..., which, :]

    def go_on(self, inputs: Tensors, keep: torch.Tensor | int) -> torch.Tensor:
        """The logits of tokens that follow what each row has so far.

        Args:
            inputs: of the further tokens, padded on the left: (B, T).
            keep: the positions whose logits are wanted, shape (K,); or how many of the last.

        Returns:
            Shape (B, K, V).
        """
        self._mask = torch.cat([self._mask, inputs["attention_mask"]], dim=1)
        placed = positions(self._model, inputs) + self._following
        self._following = _following(placed)
        given = {**inputs, "attention_mask": self._mask, "position_ids": placed, self._cache_name: self._cache}
        logits: torch.Tensor = self._model(**given, use_cache=True, logits_to_keep=keep).logits
        return logits


class GroupGenerator(Generator):
    """A model in memory that is asked the same several times; what it says to one prompt is as with `Generator`."""

    def _generate(self, jobs: Sequence[GenerationJob]) -> list[Generated]:
        prompts = [job.item for job in jobs]
        begins, which = distinct(prompts)
        inputs = {name: tensor.to(self.device) for name, tensor in self.encoder.encode(begins, self.dtype).items()}
        prompter = self._prompter
        choice = Choice(prompter.banned_ids, prompter.temperature, [prompt.seed for prompt in prompts], self.device)
        ending = Ending(prompter, jobs, 0)
        said = torch.empty(len(jobs), 0, dtype=torch.long, device=self.device)
        with torch.inference_mode():
            rows = SharedPrefix(self.model, inputs, torch.tensor(which, device=self.device))
            logits = rows.logits
            while True:
                chosen = choice(said, logits).argmax(dim=-1, keepdim=True)  # (B, 1)
                said = torch.cat([said, chosen], dim=1)
                if ending(said, None).all():
                    break
                logits = rows.go_on({"input_ids": chosen, "attention_mask": torch.ones_like(chosen)}, 1)[:, -1]
        log_probs = torch.stack(choice.log_probs, dim=1).tolist()  # (B, T)
        counts = inputs["attention_mask"].sum(-1).tolist()
        return [
            Generated(tuple(ids[:length]), tuple(values[:length]), counts[begin])
            for ids, values, length, begin in zip(said.tolist(), log_probs, ending.lengths, which, strict=True)
        ]


def _following(placed: torch.Tensor) -> torch.Tensor:
    """The position after the last token: (B, 1), or (1, B, 1)."""
    last = placed[..., -1:]
    return (last if last.ndim == 2 else last.amax(dim=0, keepdim=True)) + 1
