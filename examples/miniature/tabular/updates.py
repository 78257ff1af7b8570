"""Updates of many seeds at once, each as if it were alone."""

from __future__ import annotations

import torch


class Updates:
    """AdamW as the trainers of `rl` have it; each seed's gradient is scaled down to a norm of 1.

    Args:
        table: the parameters, (S, ...), one row for each seed; is changed.
        rate: the learning rate.
    """

    def __init__(self, table: torch.Tensor, rate: float) -> None:
        self._table = table
        self._optimiser = torch.optim.AdamW([table], lr=rate, betas=(0.9, 0.95), weight_decay=0.0)

    def step(self, loss: torch.Tensor) -> None:
        """One update.

        Args:
            loss: the sum of the seeds' losses, a scalar.
        """
        self._optimiser.zero_grad()
        loss.backward()
        gradient = self._table.grad
        assert gradient is not None
        norms = gradient.flatten(1).norm(dim=1)
        gradient.mul_(norms.clamp_min(1).reciprocal().view(-1, *[1] * (gradient.dim() - 1)))
        self._optimiser.step()
