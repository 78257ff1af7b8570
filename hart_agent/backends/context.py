"""Fitting a conversation to what a model takes: how many images, how many tokens.

An episode's messages are only ever appended to. These functions work on a copy, just before it is sent: they never
change a message in place, never cut through a turn, and tell the model what was left out and how to see it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from hart_agent.dialogue.messages import Message, Part, Role, ToolSpec
from hart_agent.errors import PolicyError
from hart_agent.vision.geometry import CoordinateSpace, Size
from hart_agent.vision.source import View

_MESSAGE_TOKENS = 8
"""What a chat template adds around a message, at most."""
_BYTES_PER_TOKEN = 3
"""Of UTF-8. English has about four, so that counts err on the safe side."""

ViewTokens = Callable[[Size], int]
"""Tokens of a view of a given size in pixels, such as `Family.view_tokens`."""


def limit_images(
    messages: Sequence[Message], max_images: int | None, space: CoordinateSpace, *, recall: bool = True
) -> list[Message]:
    """The messages with at most so many views; a line of text stands in the place of each that is left out.

    The oldest zooms and crops go first and the overview after them. The newest view always stays: the model has just
    asked for it.

    Args:
        messages: the conversation.
        max_images: the limit, at least 1; None for no limit.
        space: in which the model writes boxes, to tell it how to call a view up again.
        recall: whether it has the tools to do so.
    """
    views = [view for message in messages for view in message.views]
    if max_images is None or len(views) <= max_images:
        return list(messages)
    by_worth = sorted(views[:-1], key=lambda view: view.kind == "overview")  # stable: the oldest first
    dropped = {id(view) for view in by_worth[: len(views) - max(max_images, 1)]}

    def shown(part: Part) -> Part:
        return _stand_in(part, space, recall) if isinstance(part, View) and id(part) in dropped else part

    return [replace(message, parts=tuple(map(shown, message.parts))) for message in messages]


def split_turns(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """The head (instructions and question) and the turns: a reply with all that answers it."""
    starts = [index for index, message in enumerate(messages) if message.role is Role.ASSISTANT]
    bounds = [*starts, len(messages)]
    return list(messages[: bounds[0]]), [list(messages[start:end]) for start, end in pairwise(bounds)]


def keep_turns(messages: Sequence[Message], count: int) -> list[Message]:
    """The head and the newest turns; the last message of the head says how many older ones are missing.

    Args:
        messages: the conversation.
        count: how many turns to keep, at least 1.
    """
    head, turns = split_turns(messages)
    missing = max(0, len(turns) - max(count, 1))
    if missing and head:
        note = (
            f"[The oldest {missing} of your turns were left out to fit your context. Evidence that you committed "
            "there still counts, and the images can still be named in a call.]"
        )
        head[-1] = replace(head[-1], parts=(*head[-1].parts, note))
    return head + [message for turn in turns[missing:] for message in turn]


def fit_context(
    messages: Sequence[Message], max_tokens: int | None, view_tokens: ViewTokens, tools: Sequence[ToolSpec] = ()
) -> list[Message]:
    """The messages without the oldest turns, as many as it takes to stay within a number of tokens.

    Args:
        messages: the conversation.
        max_tokens: of the prompt, without the reply; None for no limit.
        view_tokens: the family's count for one view.
        tools: sent along, and counted, where the server takes them.

    Raises:
        PolicyError: the instructions, the question and the newest turn alone are too long.
    """
    if max_tokens is None or count_tokens(messages, view_tokens, tools) <= max_tokens:
        return list(messages)
    for count in range(len(split_turns(messages)[1]) - 1, 0, -1):
        kept = keep_turns(messages, count)
        if count_tokens(kept, view_tokens, tools) <= max_tokens:
            return kept
    needed = count_tokens(keep_turns(messages, 1), view_tokens, tools)
    raise PolicyError(
        f"the question and the newest turn need about {needed} tokens, but only {max_tokens} are left of the model's "
        "context. Lower --max-pixels or --max-images, or serve the model with a longer context (vLLM: --max-model-len; "
        "Ollama: num_ctx; llama.cpp: -c)."
    )


def count_tokens(messages: Sequence[Message], view_tokens: ViewTokens, tools: Sequence[ToolSpec] = ()) -> int:
    """About how many tokens a conversation takes, erring on the high side."""
    specs = sum(text_tokens(spec.name + spec.description + json.dumps(spec.parameters)) for spec in tools)
    return specs + sum(_message_tokens(message, view_tokens) for message in messages)


def text_tokens(text: str) -> int:
    """About how many tokens a text takes, erring on the high side."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


def _message_tokens(message: Message, view_tokens: ViewTokens) -> int:
    calls = sum(text_tokens(call.name + json.dumps(call.arguments)) for call in message.calls)
    views = sum(view_tokens(view.frame.size) for view in message.views)
    return _MESSAGE_TOKENS + text_tokens(message.text) + calls + views


def _stand_in(view: View, space: CoordinateSpace, recall: bool) -> str:
    width, height = space.extent(view.frame.size)
    again = f' To see it again, zoom with "image": "{view.id}", "bbox_2d": [0, 0, {width:g}, {height:g}].'
    return f"[{view.id} ({view.kind}) was left out: too many images.{again if recall else ''}]"
