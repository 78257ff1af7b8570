"""A policy that points: for each type of scene a softmax over the boxes of a small grid, trained by `rl.ap_grpo`.

A scene has a type, which the policy sees, and evidence in one cell, which it doesn't: mostly the type's home, else next
to it. The reader of the closed loop is right with probability `READ` where the box holds the evidence, and with that of
the `leak` where it doesn't. With the image in sight (`mgpo`, `medvr`), half of the scenes are read right whatever the
box. `grpo` has no box to learn: its pointing is the start's.

Seeds have parameters of their own and share tensors: S seeds, Z types, B boxes, C cells, G rollouts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from rl.ap_grpo import RolloutWeights, ap_grpo_loss, rollout_weights
from rl.config import AlgorithmConfig
from rl.rewards.consensus import AGREEING, AGREEMENT, OTHERS
from rl.rewards.medvr import MALFORMED

from .updates import Updates

SIDE = 6
TYPES = 16
"""A step asks a question of each: as many as in the first study."""
GROUP, BETA = 8, 0.02
"""As in the first study."""
READ, LEGIBLE = 0.9, 0.5
HOME = 0.6
"""Scenes of a type whose evidence is in its home cell; in the others it is in one of the cells around."""
GROUNDED = 0.3
"""Of the start's boxes, those with the evidence inside."""
HELD_OUT = 100
"""Scenes of each type."""
BOXES = tuple(
    (x, y, x + width, y + height)
    for width, height in itertools.product((1, 2), repeat=2)
    for x, y in itertools.product(range(SIDE + 1 - width), range(SIDE + 1 - height))
)
"""In cells. Larger ones are over the area guard of the first study (.15 of the image), and left out."""
COVER = torch.tensor(
    [[x0 <= x < x1 and y0 <= y < y1 for y in range(SIDE) for x in range(SIDE)] for x0, y0, x1, y1 in BOXES]
)
"""Which cells each box covers, (B, C)."""


@dataclass(frozen=True)
class Arm:
    """How the policy is trained.

    Attributes:
        k: of AP-GRPO.
        drift: whether the sum of mu1 * A over a group is kept.
        in_sight: whether the image is in sight when the answer is given.
        consensus: whether MedVR's reward is given in place of the answer's.
    """

    k: float = 0.0
    drift: bool = True
    in_sight: bool = False
    consensus: bool = False


ARMS = {
    "k0": Arm(),
    "k0.3": Arm(k=0.3),
    "k0.6": Arm(k=0.6),
    "k0.6-undrifted": Arm(k=0.6, drift=False),
    "mgpo": Arm(in_sight=True),
    "medvr": Arm(in_sight=True, consensus=True),
}


@dataclass(frozen=True)
class World:
    """What some seeds have for themselves.

    Attributes:
        start: logits, (S, Z, B).
        evidence: probability of each cell in training, (S, Z, C).
        held_out: share of each cell in the held-out scenes, (S, Z, C).
    """

    start: torch.Tensor
    evidence: torch.Tensor
    held_out: torch.Tensor

    def inside(self, logits: torch.Tensor) -> torch.Tensor:
        """Of boxes that are sampled on held-out scenes, those with the evidence inside; exact, (S,)."""
        holding = self.held_out @ COVER.to(logits.dtype).T  # (S, Z, B)
        return (logits.softmax(-1) * holding).sum(-1).mean(-1)


def make_world(seeds: range) -> World:
    """Homes, held-out scenes and starts. A start prefers boxes around the home, and around a decoy."""
    drawn = [_draw(np.random.default_rng([24, seed])) for seed in seeds]
    evidence, held_out, homes, decoys, noise = (
        torch.from_numpy(np.stack(each)).float() for each in zip(*drawn, strict=True)
    )
    cover = COVER.float()
    liked = homes @ cover.T + decoys @ cover.T  # (S, Z, B)

    def world(strength: torch.Tensor) -> World:
        return World(noise + strength[:, None, None] * liked, evidence, held_out)

    def inside(strength: torch.Tensor) -> torch.Tensor:
        tried = world(strength)
        return tried.inside(tried.start)

    return world(bisect(inside, len(seeds)))


def bisect(grounded: Callable[[torch.Tensor], torch.Tensor], seeds: int, tries: int = 40) -> torch.Tensor:
    """Of each seed, the strength from -5 to 20 at which `GROUNDED` is reached, (S,)."""
    low, high = torch.full((seeds,), -5.0), torch.full((seeds,), 20.0)
    for _ in range(tries):
        middle = (low + high) / 2
        enough = grounded(middle) > GROUNDED
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return high


def train(arm: Arm, leak: float, seeds: range, steps: int, rate: float) -> dict[str, list[float]]:
    """Train an arm from the start of each seed.

    Args:
        arm: how.
        leak: probability that the reader is right with a wrong box.
        seeds: which share tensors; the result of one depends on which these are.
        steps: of a question of each type.
        rate: the learning rate.

    Returns:
        Evidence inside at the start and at the end, for each seed.
    """
    world = make_world(seeds)
    start = world.start.log_softmax(-1)
    logits = world.start.clone().requires_grad_()
    updates = Updates(logits, rate)
    config = AlgorithmConfig(k=arm.k, beta=BETA, group_size=GROUP)
    # the scenes and coins of a seed are those of every arm
    chance = torch.Generator().manual_seed(seeds.start)
    shape = (len(seeds), TYPES)
    ones = torch.ones(len(seeds) * TYPES * GROUP)
    for _ in range(steps):
        scenes, coins, boxes = (torch.rand(*shape, count, generator=chance) for count in (2, GROUP, GROUP))
        where = sample(world.evidence, scenes[..., :1])  # (S, Z, 1)
        said = logits.log_softmax(-1)  # (S, Z, B)
        chosen = sample(said.detach().exp(), boxes)  # (S, Z, G)
        right = coins < torch.where(COVER[chosen, where], READ, leak)
        if arm.in_sight:
            right |= scenes[..., 1:] < LEGIBLE
        rewards = consensus_rewards(chosen, right) if arm.consensus else right.float()
        weights = rollout_weights(rewards.flatten(), ones, config)
        if not arm.drift:
            weights = without_drift(weights)
        own, first = (each.gather(-1, chosen).reshape(-1, 1) for each in (said, start))  # a rollout is one token
        loss = ap_grpo_loss(own, own.detach(), first, ones[:, None], weights, config)
        updates.step(loss.value * len(seeds))
    end = logits.detach()
    return {"start": world.inside(world.start).tolist(), "inside": world.inside(end).tolist()}


def sample(probabilities: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Indices that are drawn by uniform numbers.

    Args:
        probabilities: shape (..., B).
        uniform: 0 to 1, shape (..., G).
    """
    reached = probabilities.cumsum(-1)
    return torch.searchsorted(reached, uniform * reached[..., -1:]).clamp_max(probabilities.shape[-1] - 1)


def without_drift(weights: RolloutWeights) -> RolloutWeights:
    """Weights whose mu1 * A sum to 0 over each group."""
    gains = (weights.mu1 * weights.advantages).view(-1, GROUP)
    gains = (gains - gains.mean(dim=1, keepdim=True)).flatten()
    return replace(weights, advantages=gains / weights.mu1)


def consensus_rewards(chosen: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """`rl.rewards.medvr.reward` of rollouts with one box each, counted in cells.

    Args:
        chosen: the boxes, (..., G).
        right: the answers, (..., G).
    """
    masks = COVER[chosen] & right[..., None]  # (..., G, C)
    agreed = (2 * masks.sum(-2) > right.sum(-1, keepdim=True))[..., None, :]
    overlap = (masks & agreed).sum(-1) / (masks | agreed).sum(-1).clamp_min(1)
    credit = torch.where(overlap > AGREEMENT, AGREEING, OTHERS) * right
    return (right.float() + credit - MALFORMED) / (2 - MALFORMED)


def _draw(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """One seed's evidence and held-out scenes, (Z, C); homes and decoys, (Z, C); noise, (Z, B)."""
    homes, decoys = np.zeros((2, TYPES, SIDE * SIDE))
    evidence = np.zeros((TYPES, SIDE, SIDE))
    for kind in range(TYPES):
        home, decoy = rng.choice(SIDE * SIDE, size=2, replace=False)
        homes[kind, home] = 1
        decoys[kind, decoy] = rng.uniform(0, 1.5)  # in a third of the types it is liked more than the home
        y, x = divmod(int(home), SIDE)
        around = evidence[kind, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        around[:] = (1 - HOME) / (around.size - 1)
        evidence[kind, y, x] = HOME
    flat = evidence.reshape(TYPES, -1)
    held_out = rng.multinomial(HELD_OUT, flat) / HELD_OUT
    return flat, held_out, homes, decoys, rng.normal(size=(TYPES, len(BOXES)))
