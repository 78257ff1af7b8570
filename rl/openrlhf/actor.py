"""OpenRLHF's actor for rollouts of several rows, which are concatenated (see `sequences`)."""

from __future__ import annotations

from typing import Any

import torch
from openrlhf.models import Actor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from rl.openrlhf.sequences import ROW_COUNTS, ROW_LENGTHS

_BIAS = -100.0
"""Added to the logits of placeholders, as the engine does when it samples."""


class RowActor(Actor):  # type: ignore[misc]
    """Treats each row of a rollout as a separate sequence. `adopt` converts an Actor."""

    @classmethod
    def adopt(cls, actor: Actor) -> None:
        """Convert an actor: it reads rows, and its log-probabilities are those of the policy that is sampled from."""
        actor.__class__ = cls
        config = actor._vlm_config
        banned = [config.image_token_id, getattr(config, "video_token_id", None)]
        banned = [token for token in banned if token is not None]

        def ban(module: torch.nn.Module, args: Any, output: Any) -> None:
            output.logits[..., banned] += _BIAS

        getattr(actor.model, "module", actor.model).register_forward_hook(ban)

    def forward(
        self,
        sequences: torch.Tensor,
        action_mask: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        return_output: bool = False,
        **options: Any,
    ) -> Any:
        """As OpenRLHF's.

        Args:
            sequences: B rollouts, padded on the right, shape (B, T).
            action_mask: shape (B, T - 1): whether the next token is the policy's.
            attention_mask: 1 for tokens, shape (B, T).
            return_output: whether to give the model's output, too; its `entropy` then has the shape of the mask.
            options: OpenRLHF's, and tensors of images, `ROW_LENGTHS` and `ROW_COUNTS`.

        Returns:
            Log-probabilities of the policy's tokens, 0 elsewhere, shape (B, T - 1).
        """
        lengths, counts = options.pop(ROW_LENGTHS, None), options.pop(ROW_COUNTS, None)
        if lengths is None or counts is None or action_mask is None:
            return super().forward(sequences, action_mask, attention_mask, return_output, **options)
        owned = lengths.split(counts.tolist())
        rows = [
            row
            for rollout, own in zip(sequences, owned, strict=True)
            for row in rollout[: int(own.sum())].split(own.tolist())
        ]
        end = int(rows[0][-1])  # a reply ends each row, and no reply has a placeholder
        tokens = pad_sequence(rows, batch_first=True, padding_value=end)  # (rows, L)
        mask = torch.arange(tokens.shape[1], device=tokens.device) < lengths.to(tokens.device)[:, None]
        log_probs, output = super().forward(
            tokens, torch.ones_like(tokens[:, 1:]), mask.long(), return_output=True, **options
        )
        log_probs = _concatenated(log_probs, owned, action_mask.shape[1]) * action_mask
        if getattr(output, "entropy", None) is not None:
            output.entropy = _concatenated(output.entropy, owned, action_mask.shape[1])
        return (log_probs, output) if return_output else log_probs


def _concatenated(values: torch.Tensor, owned: tuple[torch.Tensor, ...], width: int) -> torch.Tensor:
    """Values of each row's tokens after the first, concatenated to those of rollouts, shape (B, width)."""
    remaining = iter(values)
    rollouts = []
    for own in owned:
        # A row's first token has no value: nothing precedes it.
        pieces = [pad(next(remaining)[: length - 1], (0, 1)) for length in own.tolist()]
        joined = torch.cat(pieces)[:width]
        rollouts.append(pad(joined, (0, width - len(joined))))
    return torch.stack(rollouts)
