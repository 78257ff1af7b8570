"""MedVR (arXiv 2604.08203): the reward, and the uncertainty by which its rollouts branch.

R = R_acc + R_format + 1(R_acc > 0) R_tool, in the mode `agent`, with k = 0. R_acc is 1 for a right answer, R_tool the
credit of consensus (see `rl.rewards.consensus`). The size of R_format was not to be found; -.1 is ours. R is brought
into 0 to 1, which changes no advantage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rl.data.rows import Rollout
from rl.rewards.consensus import consensus_credits, looked_at
from rl.rewards.rules import answer_reward
from rl.rewards.scores import Group, Score

MALFORMED = -0.1
"""R_format of an episode in which a reply could not be read, or that gave its answer without tags."""
FIRST = 8
"""Tokens at a reply's beginning whose mean entropy is the base. Not to be found in the text: ours."""

FORKED, GAMMA = 0.5, 0.5
"""P_base, which was not to be found in the text, and the paper's gamma; see `fork_probability`."""

_NUMBERS = re.compile(r"\[[^\[\]{}]*\d[^\[\]{}]*\]")
_DIGIT = re.compile(r"\d")


def reward(group: Group) -> list[Score]:
    """The reward of each rollout of a question, 0 to 1; name it as `--reward rl.rewards.medvr:reward`."""
    right = [answer_reward(each.trajectory, each.sample) for each in group]
    tool = consensus_credits([looked_at(each.trajectory) for each in group], [value > 0 for value in right])
    scores = []
    for each, accurate, credit in zip(group, right, tool, strict=True):
        form = 0.0 if each.trajectory.format_kept else MALFORMED
        total = (accurate + form + credit - MALFORMED) / (2 - MALFORMED)
        scores.append(Score(total, parts={"medvr/answer": accurate, "medvr/format": form, "medvr/tool": credit}))
    return scores


def coordinate_tokens(pieces: Sequence[str], calls: Sequence[str]) -> list[int]:
    """Which tokens of a reply hold digits of boxes.

    Args:
        pieces: the text of each token.
        calls: the text of each call in the reply.
    """
    text = "".join(pieces)
    spans = []
    for call in calls:
        begin = text.find(call)
        if begin >= 0:
            spans += [(begin + match.start(), begin + match.end()) for match in _NUMBERS.finditer(call)]
    found, place = [], 0
    for index, piece in enumerate(pieces):
        digits = [place + match.start() for match in _DIGIT.finditer(piece)]
        if any(begin <= digit < end for digit in digits for begin, end in spans):
            found.append(index)
        place += len(piece)
    return found


def entropy_gain(entropies: Sequence[float], coordinates: Sequence[int]) -> float | None:
    """dH = H_tool - H_base of a reply: how much less sure its policy is of the box than of its first words, in nats.

    Args:
        entropies: of the distributions that the reply's tokens were sampled from, shape (T,).
        coordinates: which of them hold a box; see `coordinate_tokens`.

    Returns:
        None for a reply without a box.
    """
    if not coordinates:
        return None
    base = entropies[:FIRST]
    return sum(entropies[index] for index in coordinates) / len(coordinates) - sum(base) / len(base)


def entropy_gains(rollout: Rollout, words: Callable[[Sequence[int]], str]) -> list[float | None]:
    """dH of each reply of the policy; None for those without a box, or without entropies.

    Args:
        rollout: the rollout.
        words: gives the text of tokens.
    """
    gains = []
    for segment, turn in zip(rollout.segments, rollout.trajectory.turns, strict=False):
        pieces = [words([token]) for token in segment.token_ids] if segment.entropies else []
        boxes = coordinate_tokens(pieces, [result.call.raw for result in turn.results])
        gains.append(entropy_gain(segment.entropies, boxes))
    return gains


def fork_probability(gain: float) -> float:
    """P_base + gamma dH where dH is positive, at most 1; otherwise 0."""
    return min(1.0, FORKED + GAMMA * gain) if gain > 0 else 0.0


def entropy_metrics(rollouts: Sequence[Rollout], words: Callable[[Sequence[int]], str]) -> dict[str, float]:
    """The mean entropy of the tokens that hold boxes in a step's replies, in nats; none without entropies or boxes."""
    boxed: list[float] = []
    for rollout in rollouts:
        for segment, turn in zip(rollout.segments, rollout.trajectory.turns, strict=False):
            calls = [result.call.raw for result in turn.results]
            if calls and segment.entropies:
                pieces = [words([token]) for token in segment.token_ids]
                boxed += [segment.entropies[index] for index in coordinate_tokens(pieces, calls)]
    return {"coordinate_entropy": sum(boxed) / len(boxed)} if boxed else {}
