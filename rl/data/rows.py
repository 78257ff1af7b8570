"""Rollouts as rows for training: a reply whose prompt extends an earlier turn shares that turn's row.

A turn's prompt mostly begins with all of the previous turn, reply included. Then both are one row, and one forward pass
serves both: an episode of many turns costs as much as its last prompt, not the sum over all of them. In the mode
`closed-loop` the second turn starts a new conversation, and so a new row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hart_agent.agent.trajectory import Trajectory
from hart_agent.backends.local.prompting import Prompt
from hart_agent.vision.source import View
from rl.data.questions import Sample

TokenCounter = Callable[[Sequence[View]], "list[int] | None"]
"""Gives the image tokens of each view, or None where a model doesn't say."""


@dataclass(frozen=True)
class Segment:
    """One reply of the policy. Only its tokens carry loss.

    Attributes:
        prompt: instructions, question, results of tools, and views.
        token_ids: of the reply, with the end token, shape (T,).
        log_probs: of those tokens under the distribution that they were sampled from, shape (T,).
        entropies: of those distributions, in nats, shape (T,); empty where the engine doesn't give them.
    """

    prompt: Prompt
    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    entropies: tuple[float, ...] = ()


@dataclass(frozen=True)
class Rollout:
    """One episode of the policy in training.

    Attributes:
        sample: the question.
        trajectory: the episode.
        segments: the policy's replies, in order; each is a training sequence of its own, because its prompt may have
            changed (in the mode `closed-loop` the full image is withheld from the second on).
    """

    sample: Sample
    trajectory: Trajectory
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Row:
    """One or several replies of one conversation.

    Attributes:
        prompt: of the first reply.
        suffix: all that follows it: replies, and messages and views between them.
        spans: the replies in `suffix`, with image tokens repeated as the model has them, as offsets from its end: for
            each reply (start, stop), the distances of its first token and of the token after its last.
        log_probs: of the replies' tokens under the distribution that they were sampled from, in order.
    """

    prompt: Prompt
    suffix: Prompt
    spans: tuple[tuple[int, int], ...]
    log_probs: tuple[float, ...]

    @property
    def written(self) -> int:
        """Tokens of the replies."""
        return len(self.log_probs)


def join_replies(segments: Sequence[Segment], count: TokenCounter) -> list[Row]:
    """The rows of one episode.

    Args:
        segments: its replies, in order.
        count: gives the image tokens of views; where it doesn't, each reply has a row of its own.
    """
    rows: list[Row] = []
    for segment in segments:
        joined = _joined(rows[-1], segment, count) if rows else None
        if joined is not None:
            rows[-1] = joined
        else:
            suffix = replace(segment.prompt, token_ids=segment.token_ids, views=())
            rows.append(Row(segment.prompt, suffix, ((len(segment.token_ids), 0),), segment.log_probs))
    return rows


def _joined(row: Row, segment: Segment, count: TokenCounter) -> Row | None:
    """The row extended by a reply, if the reply's prompt begins with all of the row; else None."""
    prompt = segment.prompt
    tokens, views = row.prompt.token_ids + row.suffix.token_ids, row.prompt.views + row.suffix.views
    if prompt.token_ids[: len(tokens)] != tokens or not _same(prompt.views[: len(views)], views):
        return None
    new_tokens, new_views = prompt.token_ids[len(tokens) :], prompt.views[len(views) :]
    counts = count(new_views)
    if counts is None:
        return None
    added = len(new_tokens) + sum(counts) - len(new_views) + len(segment.token_ids)
    spans = tuple((start + added, stop + added) for start, stop in row.spans)
    token_ids = row.suffix.token_ids + new_tokens + segment.token_ids
    suffix = replace(row.suffix, token_ids=token_ids, views=row.suffix.views + new_views)
    return Row(row.prompt, suffix, (*spans, (len(segment.token_ids), 0)), row.log_probs + segment.log_probs)


def _same(some: Sequence[View], others: Sequence[View]) -> bool:
    """Whether they show the same pixels."""
    return [view.sha256 for view in some] == [view.sha256 for view in others]
