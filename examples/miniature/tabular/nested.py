"""A policy that searches a nested scene: the evidence shows only in a zoom within a zoom. Trained by `rl.ap_grpo`.

An overview has C regions, each has C parts, and one part of one region holds the evidence: mostly the region and the
part that the scene's type prefers. A zoom into the right region shows that there is a sign, a zoom into its right part
the evidence. A turn is a zoom into what was not looked at yet, a step back, or the answer, which ends the episode:
right with probability `READ` if the evidence is in view, otherwise with that of the `leak`. Who has not answered in
`TURNS` turns is cut off: wrong (reward 0), or masked (`rl.training.cut_off`). k is 0.

S seeds, Z types, V views, A = C + 2 actions (a region or part, `back`, `answer`), G rollouts, N = S * Z * G, T turns.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import torch

from rl.ap_grpo import RolloutWeights, ap_grpo_loss, rollout_weights
from rl.config import AlgorithmConfig
from rl.training.cut_off import without_cut_off

from .pointing import BETA, GROUP, READ, TYPES, bisect, sample
from .updates import Updates

CHILDREN = 9
"""C in the second study."""
VIEWS = OVERVIEW, REGION, SIGN, PART, EVIDENCE = range(5)
"""REGION and PART show nothing of use."""
TURNS, LATER = 6, 18
"""That are allowed in training, and on held-out scenes."""
REGION_HOME, PART_HOME = 0.5, 0.7
HELD_OUT = 100


def impossible(children: int) -> torch.Tensor:
    """Which actions a view doesn't have, (V, A)."""
    found = torch.zeros(len(VIEWS), children + 2, dtype=torch.bool)
    found[OVERVIEW, children] = True
    found[PART:, :children] = True
    return found


def train(mask: bool, leak: float, seeds: range, steps: int, rate: float) -> dict[str, list[float]]:
    """Train from the start of each seed; see `pointing.train`.

    Args:
        mask: whether rollouts that are cut off teach nothing.

    Returns:
        For each seed, of sampled episodes on held-out scenes: `inside`, those that end within `LATER` turns with the
        evidence in view, `start`, the same of the start, `inside_as_trained`, within `TURNS`, and `answered`, all that
        end within `LATER` turns.
    """
    start, table, held_out = train_table(mask, leak, seeds, steps, rate)
    grounded, ended = outcomes(table, held_out)
    return {
        "start": outcomes(start, held_out)[0][:, -1].tolist(),
        "inside": grounded[:, -1].tolist(),
        "inside_as_trained": grounded[:, TURNS - 1].tolist(),
        "answered": ended[:, -1].tolist(),
    }


def train_table(
    mask: bool, leak: float, seeds: range, steps: int, rate: float, children: int = CHILDREN
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As `train`, with C regions and parts.

    Returns:
        The logits of the start and at the end, each (S, Z, V, A), and the places of the held-out scenes.
    """
    start, evidence, held_out = make_world(seeds, children)
    table = start.clone().requires_grad_()
    updates = Updates(table, rate)
    config = AlgorithmConfig(k=0.0, beta=BETA, group_size=GROUP)
    chance = torch.Generator().manual_seed(seeds.start)
    shape = (len(seeds), TYPES)
    for _ in range(steps):
        where = sample(evidence, torch.rand(*shape, 1, generator=chance)).expand(*shape, GROUP).flatten()  # (N,)
        views, actions, closed = search(_each(table.detach(), GROUP), where, TURNS, chance)
        coins = torch.rand(len(where), generator=chance)
        written = (views >= 0).float()
        answered = actions == children + 1
        lengths, ended = written.sum(-1), answered.any(-1)
        grounded = (answered & (views == EVIDENCE)).any(-1)
        rewards = (ended & (coins < torch.where(grounded, READ, leak))).float()
        weights = rollout_weights(rewards, lengths, config)
        weights = replace(weights, share=weights.share * len(seeds))
        if mask:
            weights = _masked(weights, lengths, ended, len(seeds))
        own, before = (_said(_each(each, GROUP), views, actions, closed) for each in (table, start))  # (N, T)
        updates.step(ap_grpo_loss(own, own.detach(), before, written, weights, config).value)
    return start, table.detach(), held_out


def make_world(seeds: range, children: int = CHILDREN) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The starts, which like each type's region and part, and at the evidence the answer, so much that about
    `GROUNDED` of their episodes are grounded.

    Returns:
        Start logits, (S, Z, V, A); the probability of each part of each region in training, (S, Z, C * C), and
        the places of the held-out scenes, (S, Z, `HELD_OUT`).
    """
    drawn = [_draw(np.random.default_rng([25, seed]), children) for seed in seeds]
    noise, liked, evidence, held_out = (torch.from_numpy(np.stack(each)) for each in zip(*drawn, strict=True))

    def liking(strength: torch.Tensor) -> torch.Tensor:
        return (noise + strength[:, None, None, None] * liked).masked_fill(impossible(children), -torch.inf).float()

    strength = bisect(lambda tried: outcomes(liking(tried), held_out[..., :20])[0][:, -1], len(seeds), tries=12)
    return liking(strength), evidence.float(), held_out


def outcomes(table: torch.Tensor, held_out: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One sampled episode on each held-out scene: the shares that have ended with the evidence in view, and that have
    ended at all, after each turn, each (S, `LATER`)."""
    seeds, _, scenes = held_out.shape
    chance = torch.Generator().manual_seed(0)
    views, actions, _ = search(_each(table, scenes), held_out.flatten(), LATER, chance)
    answered = actions == table.shape[-1] - 1
    after_turns = [(answered & good).cummax(-1).values for good in (views == EVIDENCE, views >= 0)]
    grounded, ended = (each.view(seeds, -1, LATER).float().mean(1) for each in after_turns)
    return grounded, ended


def search(
    logits: torch.Tensor, where: torch.Tensor, turns: int, chance: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Episodes, turn by turn.

    Args:
        logits: of the actions at each view, (N, V, A).
        where: the evidence, 0 to C * C - 1, (N,).
        turns: that are allowed.
        chance: of the sampling.

    Returns:
        The view at each turn, -1 after the end, and the action, each (N, T); and what was looked at before each turn,
        (N, T, A).
    """
    count, view = torch.arange(len(where)), torch.full_like(where, OVERVIEW)
    children = logits.shape[-1] - 2
    back, answer = children, children + 1
    regions = torch.zeros(len(where), children + 2, dtype=torch.bool)
    parts, none = torch.zeros_like(regions), torch.zeros_like(regions)
    inside = torch.full_like(where, REGION)  # of what the last region showed
    views, actions, closed = [], [], []
    for _ in range(turns):
        live = view >= 0
        at_overview, in_region = view == OVERVIEW, (view == REGION) | (view == SIGN)
        looked_at = torch.where(at_overview[:, None], regions, torch.where(in_region[:, None], parts, none))
        chosen = logits[count, view.clamp_min(0)].masked_fill(looked_at, -torch.inf).softmax(-1)
        uniform = 1 - torch.rand(len(where), 1, generator=chance)  # more than 0, which would draw what is impossible
        action = torch.where(live, sample(chosen, uniform)[:, 0], 0)
        views.append(view)
        actions.append(action)
        closed.append(looked_at)
        zoomed = live & (action < children)
        hit = torch.nn.functional.one_hot(action, children + 2).bool()
        regions = regions | (hit & (zoomed & at_overview)[:, None])
        parts = torch.where((zoomed & at_overview)[:, None], none, parts | (hit & (zoomed & in_region)[:, None]))
        region = torch.where(action == where // children, SIGN, REGION)
        part = torch.where((view == SIGN) & (action == where % children), EVIDENCE, PART)
        inside = torch.where(zoomed & at_overview, region, inside)
        after = torch.where(at_overview, region, part)
        after = torch.where(action == back, torch.where(view >= PART, inside, OVERVIEW), after)
        view = torch.where(live & (action != answer), after, -1)
    return torch.stack(views, 1), torch.stack(actions, 1), torch.stack(closed, 1)


def _said(logits: torch.Tensor, views: torch.Tensor, actions: torch.Tensor, closed: torch.Tensor) -> torch.Tensor:
    """The log-probabilities of the actions, (N, T); those after the end are of no use."""
    at = logits.gather(1, views.clamp_min(0)[..., None].expand(-1, -1, logits.shape[-1]))  # (N, T, A)
    said = at.masked_fill(closed, -torch.inf).log_softmax(-1).gather(-1, actions[..., None])[..., 0]
    return torch.where(views >= 0, said, 0.0)


def _each(table: torch.Tensor, count: int) -> torch.Tensor:
    """The logits of each seed and type, (S, Z, V, A), for some episodes of it in a row, (N, V, A)."""
    return table[:, :, None].expand(-1, -1, count, -1, -1).flatten(0, 2)


def _masked(weights: RolloutWeights, lengths: torch.Tensor, ended: torch.Tensor, seeds: int) -> RolloutWeights:
    """`rl.training.cut_off.without_cut_off`, seed by seed: what a seed loses, others must not make up for."""
    names = [each.name for each in fields(RolloutWeights)]
    parts = [
        without_cut_off(RolloutWeights(*(getattr(weights, name)[one] for name in names)), lengths[one], ended[one])
        for one in torch.arange(len(ended)).view(seeds, -1)
    ]
    return RolloutWeights(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _draw(rng: np.random.Generator, children: int) -> tuple[np.ndarray, ...]:
    """One seed's noise and what its start likes, (Z, V, A); evidence, (Z, C * C); held-out scenes, (Z, `HELD_OUT`)."""
    liked = np.zeros((TYPES, len(VIEWS), children + 2))
    evidence = np.zeros((TYPES, children * children))
    for kind in range(TYPES):
        region, part = rng.integers(children, size=2)
        regions = np.full(children, (1 - REGION_HOME) / (children - 1))
        parts = np.full(children, (1 - PART_HOME) / (children - 1))
        regions[region], parts[part] = REGION_HOME, PART_HOME
        evidence[kind] = np.outer(regions, parts).flatten()
        liked[kind, OVERVIEW, region] = liked[kind, SIGN, part] = liked[kind, EVIDENCE, children + 1] = 1
    noise = rng.normal(scale=0.5, size=liked.shape)
    held_out = np.stack([rng.choice(children * children, size=HELD_OUT, p=each) for each in evidence])
    return noise, liked, evidence, held_out
