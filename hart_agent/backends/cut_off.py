"""Replies that a limit on tokens has cut off."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from hart_agent.dialogue.policy import Reply, Usage
from hart_agent.dialogue.reading import read_reply
from hart_agent.dialogue.vocabularies.vocabulary import OURS, Vocabulary
from hart_agent.errors import PolicyError

MORE = 4
"""How many times as many tokens the second attempt may take."""

_log = logging.getLogger(__name__)


async def ask_longer_if_cut_off(
    ask: Callable[[int], Awaitable[Reply]],
    max_tokens: int,
    room: Callable[[Reply], int] | None = None,
    vocabulary: Vocabulary = OURS,
) -> Reply:
    """Ask for a reply; if it is cut off before anything in it is complete, ask once more with a higher limit.

    Args:
        ask: gives a reply of at most so many tokens.
        max_tokens: the limit of the first attempt.
        room: how many tokens a reply to the same prompt may have at most; None where `ask` sees to that.
        vocabulary: that the policy speaks.

    Returns:
        The last reply, with the usage of both. It may be cut off again: `Reply.truncated` says so.

    Raises:
        PolicyError: there is no reply.
    """
    first = await ask(max_tokens)
    longer = MORE * max_tokens if room is None else min(MORE * max_tokens, room(first))
    if not _cut_off(first, vocabulary) or longer <= max_tokens:
        return first
    _log.info("the reply was cut off at %d tokens; it is asked for again with %d", max_tokens, longer)
    try:
        second = await ask(longer)
    except PolicyError as error:
        if error.outage:
            error.requests += first.usage.requests
            raise
        # What doesn't take the higher limit has at least replied within the lower one.
        return replace(first, usage=first.usage + Usage(requests=error.requests))
    return replace(second, usage=first.usage + second.usage)


def _cut_off(reply: Reply, vocabulary: Vocabulary) -> bool:
    if vocabulary.own:
        return read_reply(reply).cut_off
    from hart_agent.dialogue.vocabularies.replies import read_foreign

    read = read_foreign(reply.text, reply.native_calls, vocabulary, truncated=reply.truncated, calling=True)
    return read.cut_off
