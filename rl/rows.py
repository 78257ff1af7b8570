"""What the policy wrote, as rows for training: a reply that goes on from an earlier one shares its row.

A turn's prompt mostly repeats all of the turn before it, reply and all. Then both are one row, and one pass through the
model sees to both; so an episode of many turns costs what its last prompt costs, and not the sum over all of them. In
the mode `closed-loop` the second turn starts a new conversation, and so a new row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hart_agent.backends.prompting import Prompt
from hart_agent.imaging import View
from hart_agent.types import Trajectory
from rl.data import Sample

TokenCounter = Callable[[Sequence[View]], "list[int] | None"]
"""Gives the image tokens of each view, or None where a model doesn't say."""


@dataclass(frozen=True)
class Segment:
    """One reply of the policy, as training sees it. Only its own tokens carry loss: all else is prompt.

    Attributes:
        prompt: what the policy was given: instructions, question, tools' results, and the views.
        token_ids: what it replied, with the token that ended it, shape (T,).
        log_probs: of those tokens under the distribution that they were sampled from, shape (T,).
    """

    prompt: Prompt
    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]


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
    """One or several replies that go on from one another.

    Attributes:
        first: the prompt of the first reply.
        rest: all that came after it: replies, and what the policy was told and shown between them.
        spans: where the replies lie in `rest`, its image tokens multiplied as the model has them, counted from its end:
            pairs of how many tokens there are from the first of a reply, and from behind its last.
        log_probs: of the replies' tokens under the distribution that they were sampled from, in order.
    """

    first: Prompt
    rest: Prompt
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
            rest = replace(segment.prompt, token_ids=segment.token_ids, views=())
            rows.append(Row(segment.prompt, rest, ((len(segment.token_ids), 0),), segment.log_probs))
    return rows


def _joined(row: Row, segment: Segment, count: TokenCounter) -> Row | None:
    """The row with one more reply, if that one's prompt begins with all of the row."""
    prompt = segment.prompt
    tokens, views = row.first.token_ids + row.rest.token_ids, row.first.views + row.rest.views
    if prompt.token_ids[: len(tokens)] != tokens or not _same(prompt.views[: len(views)], views):
        return None
    told, shown = prompt.token_ids[len(tokens) :], prompt.views[len(views) :]
    counts = count(shown)
    if counts is None:
        return None
    behind = len(told) + sum(counts) - len(shown) + len(segment.token_ids)
    spans = tuple((begin + behind, end + behind) for begin, end in row.spans)
    rest = replace(row.rest, token_ids=row.rest.token_ids + told + segment.token_ids, views=row.rest.views + shown)
    return Row(row.first, rest, (*spans, (len(segment.token_ids), 0)), row.log_probs + segment.log_probs)


def _same(some: Sequence[View], others: Sequence[View]) -> bool:
    """Whether they show the same pixels."""
    return [view.sha256 for view in some] == [view.sha256 for view in others]
