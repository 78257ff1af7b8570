"""A reply by an engine of vLLM, which knows nothing of thoughts: a stop string in one must not end the reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from typing import Any

from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.dialogue.policy import FinishReason, Reply, Usage


def reply_steps(prompter: Prompter, prompt: Prompt) -> Generator[Prompt, Any, Reply]:
    """The reply to a prompt; where a stop string ended it inside a thought, the engine goes on from there.

    Args:
        prompter: wrote the prompt.
        prompt: with the tokens and views that the engine is given.

    Yields:
        What the engine is to be given; it is sent the engine's `RequestOutput`.

    Raises:
        PolicyError: the engine resized a view.
    """
    output = yield prompt
    read = output.prompt_token_ids or []
    prompter.check_counts(prompt.views, read.count(prompter.image_id))
    token_ids: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    requests = 1
    while True:
        completion = output.outputs[0]
        new_ids = tuple(completion.token_ids)
        token_ids += new_ids
        if completion.logprobs is not None:
            log_probs += tuple(entry[token].logprob for entry, token in zip(completion.logprobs, new_ids, strict=True))
        at_stop_string = isinstance(completion.stop_reason, str)
        left = prompt.max_tokens - len(token_ids)
        if not (at_stop_string and left > 0 and prompter.thinking(token_ids, prompt.opened)):
            break
        so_far = (*prompt.token_ids, *token_ids)
        output = yield replace(prompt, token_ids=so_far, max_tokens=left, seed=prompt.seed + requests)
        requests += 1
    return Reply(
        prompter.text(token_ids, prompt.opened),
        usage=Usage(len(read), len(token_ids), requests),
        token_ids=token_ids,
        log_probs=log_probs or None,
        finish_reason=FinishReason.LENGTH if completion.finish_reason == "length" else FinishReason.STOP,
    )


async def engine_reply(prompter: Prompter, prompt: Prompt, generate: Callable[[Prompt], Awaitable[Any]]) -> Reply:
    """The reply to a prompt by an engine that is awaited: `generate` gives its `RequestOutput`; see `reply_steps`."""
    steps = reply_steps(prompter, prompt)
    given = next(steps)
    while True:
        output = await generate(given)
        try:
            given = steps.send(output)
        except StopIteration as done:
            reply: Reply = done.value
            return reply
