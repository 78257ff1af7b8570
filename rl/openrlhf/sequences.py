"""Prompts and replies as one sequence, OpenRLHF's form of a rollout. Importing this loads torch.

Where a new conversation starts, as in the mode `closed-loop`, a rollout has several rows (see `rl.data.rows`); they are
concatenated, and the actor splits them again (see `actor`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from hart_agent.backends.local.checkpoint import find_checkpoint
from hart_agent.backends.local.encoding import Encoder
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.vision.budget import CoordinateProfile
from rl.config import RunSettings
from rl.data.rows import Row, Segment, join_replies

ROW_LENGTHS, ROW_COUNTS = "row_lengths", "row_counts"
"""Tensors of a rollout for the actor: the length of each row, shape (rows,), and the number of rows, shape (1,)."""


@dataclass(frozen=True)
class Sequence1D:
    """A rollout as one sequence of T tokens.

    Attributes:
        token_ids: of all rows, those of images repeated as the model has them, shape (T,).
        action_ranges: half-open ranges of the policy's own tokens.
        log_probs: of those tokens under the distribution that they were sampled from, 0 elsewhere, shape (T,).
        tensors: pixels, and `ROW_LENGTHS` and `ROW_COUNTS`; all are joined along their first axis in batches.
    """

    token_ids: list[int]
    action_ranges: list[tuple[int, int]]
    log_probs: list[float]
    tensors: dict[str, torch.Tensor]


class Sequencer:
    """Writes prompts, and makes sequences of replies, for the model of a run.

    Args:
        settings: of the run.

    Attributes:
        prompter: writes the prompts.
        profile: how the model sees and points.

    Raises:
        ConfigError: the model can't be used.
    """

    def __init__(self, settings: RunSettings) -> None:
        checkpoint = find_checkpoint(settings.model)
        self.prompter = Prompter(checkpoint, **settings.model_options())
        self.encoder = Encoder(checkpoint, self.prompter)
        self._dtype = getattr(torch, settings.dtype or "bfloat16")

    @property
    def profile(self) -> CoordinateProfile:
        return self.prompter.profile

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec], seed: int) -> Prompt:
        """The prompt for a conversation, as `rl.local.model.PolicyModel.prompt`."""
        return replace(self.prompter.prompt(messages, tools), seed=seed)

    def sequence(self, segments: Sequence[Segment]) -> Sequence1D:
        """The replies of an episode as OpenRLHF trains on them; tokens, masks, pixels as in `rl.local.model`."""
        token_ids: list[int] = []
        log_probs: list[float] = []
        ranges: list[tuple[int, int]] = []
        lengths: list[int] = []
        parts: list[dict[str, torch.Tensor]] = []
        for row in join_replies(segments, self.prompter.counts):
            inputs = self.encoder.encode([complete(row)], self._dtype)
            own = inputs["input_ids"][0].tolist()
            row_log_probs = iter(row.log_probs)
            values = [0.0] * len(own)
            for begin, end in row.spans:
                first, last = len(own) - begin, len(own) - end
                ranges.append((len(token_ids) + first, len(token_ids) + last))
                values[first:last] = [next(row_log_probs) for _ in range(first, last)]
            token_ids += own
            log_probs += values
            lengths.append(len(own))
            parts.append({name: inputs[name] for name in ("pixel_values", "image_grid_thw") if name in inputs})
        tensors = {name: torch.cat([part[name] for part in parts if name in part]) for name in _names(parts)}
        tensors |= {ROW_LENGTHS: torch.tensor(lengths), ROW_COUNTS: torch.tensor([len(lengths)])}
        return Sequence1D(token_ids, ranges, log_probs, tensors)

    def length(self, prompt: Prompt) -> int:
        """The tokens of a prompt as the model has them."""
        images = sum(self.prompter.family.view_tokens(view.frame.size) for view in prompt.views)
        return len(prompt.token_ids) - len(prompt.views) + images


def complete(row: Row) -> Prompt:
    """All of a row, replies included, as a prompt."""
    return replace(
        row.prompt, token_ids=row.prompt.token_ids + row.suffix.token_ids, views=row.prompt.views + row.suffix.views
    )


def _names(parts: Sequence[dict[str, torch.Tensor]]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part))
