"""One forward pass for rows with common prefixes: each prefix is computed once.

All rollouts of a question have the same first prompt, overview included. It goes through the model once, and its keys
and values are repeated for the rows that extend it. That is exact: a causal model's keys and values depend on
nothing that comes later. Importing this loads torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hart_agent.backends.local.generation import Choice, Ending, Generated, GenerationJob, Generator
from hart_agent.backends.local.prompting import Prompt

Tensors = dict[str, torch.Tensor]


def distinct(prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[int]]:
    """The distinct prompts, ignoring seeds.

    Returns:
        U distinct prompts, and the index of each of the B given ones among them.
    """
    numbers: dict[Any, int] = {}
    kept: list[Prompt] = []
    indices = []
    for prompt in prompts:
        key = (prompt.token_ids, tuple(view.sha256 for view in prompt.views))
        if key not in numbers:
            numbers[key] = len(kept)
            kept.append(prompt)
        indices.append(numbers[key])
    return kept, indices


def positions(model: Any, inputs: Tensors) -> torch.Tensor:
    """Position ids: consecutive, except for images in the families with multimodal RoPE.

    Args:
        model: of transformers.
        inputs: padded on the left: token ids and mask, each (B, T), and the model's inputs for images.

    Returns:
        Shape (B, T), or (3, B, T).
    """
    mask = inputs["attention_mask"]
    rope = getattr(model.model, "get_rope_index", None)
    if rope is not None and "mm_token_type_ids" in inputs:
        known = {name: inputs[name] for name in ("input_ids", "mm_token_type_ids", "image_grid_thw")}
        ids: torch.Tensor = rope(**known, attention_mask=mask)[0]
        return ids
    ids = (mask.cumsum(-1) - 1).clamp_min(0)
    return ids if rope is None else ids.expand(3, -1, -1)


class SharedPrefix:
    """The prefixes of B rows, of which U are distinct.

    Args:
        model: of transformers; without adapters around it. Gradients flow as where it is called.
        inputs: of the U prefixes, padded on the left.
        index: of each row's prefix, shape (B,).

    Attributes:
        logits: of the token after each row's prefix, shape (B, V).
    """

    def __init__(self, model: Any, inputs: Tensors, index: torch.Tensor) -> None:
        placed = positions(model, inputs)
        output = model(**inputs, position_ids=placed, use_cache=True, logits_to_keep=1)
        self.logits: torch.Tensor = output.logits[index, -1]
        self._model = model
        self._cache_name = "cache" if hasattr(output, "cache") else "past_key_values"  # as older transformers call it
        self._cache = output[self._cache_name]
        self._cache.batch_select_indices(index)
        self._mask = inputs["attention_mask"][index]  # (B, P)
        self._next = _next_position(placed)[..., index, :]

    def extend(self, inputs: Tensors, keep: torch.Tensor | int) -> torch.Tensor:
        """The logits of further tokens, which extend each row.

        Args:
            inputs: of the further tokens, padded on the left: (B, T).
            keep: the positions of the logits to return, shape (K,); or a number of last positions.

        Returns:
            Shape (B, K, V).
        """
        self._mask = torch.cat([self._mask, inputs["attention_mask"]], dim=1)
        placed = positions(self._model, inputs) + self._next
        self._next = _next_position(placed)
        given = {**inputs, "attention_mask": self._mask, "position_ids": placed, self._cache_name: self._cache}
        logits: torch.Tensor = self._model(**given, use_cache=True, logits_to_keep=keep).logits
        return logits


class GroupGenerator(Generator):
    """A model in memory for groups of equal prompts; the reply to each is as with `Generator`."""

    def _generate(self, jobs: Sequence[GenerationJob]) -> list[Generated]:
        prompts = [job.item for job in jobs]
        unique, indices = distinct(prompts)
        inputs = {name: tensor.to(self.device) for name, tensor in self.encoder.encode(unique, self.dtype).items()}
        prompter = self._prompter
        choice = Choice(prompter.banned_ids, prompter.temperature, [prompt.seed for prompt in prompts], self.device)
        choice.measured = True
        ending = Ending(prompter, jobs, 0)
        written = torch.empty(len(jobs), 0, dtype=torch.long, device=self.device)
        with torch.inference_mode():
            rows = SharedPrefix(self.model, inputs, torch.tensor(indices, device=self.device))
            logits = rows.logits
            while True:
                chosen = choice(written, logits).argmax(dim=-1, keepdim=True)  # (B, 1)
                written = torch.cat([written, chosen], dim=1)
                if ending(written, None).all():
                    break
                logits = rows.extend({"input_ids": chosen, "attention_mask": torch.ones_like(chosen)}, 1)[:, -1]
        log_probs = torch.stack(choice.log_probs, dim=1).tolist()  # (B, T)
        entropies = torch.stack(choice.entropies, dim=1).tolist()  # (B, T)
        counts = inputs["attention_mask"].sum(-1).tolist()
        each = zip(written.tolist(), log_probs, entropies, ending.lengths, indices, strict=True)
        return [
            Generated(tuple(ids[:length]), tuple(values[:length]), counts[index], tuple(spread[:length]))
            for ids, values, spread, length, index in each
        ]


def _next_position(placed: torch.Tensor) -> torch.Tensor:
    """The position after the last token: (B, 1), or (1, B, 1)."""
    last = placed[..., -1:]
    return (last if last.ndim == 2 else last.amax(dim=0, keepdim=True)) + 1
