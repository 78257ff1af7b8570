"""Sending what a server takes: its limits as they were set, narrowed by what it has refused so far."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hart_agent.backends.chat import chat_messages, tool_schemas
from hart_agent.backends.context import count_tokens, fit_context, keep_turns, limit_images, split_turns
from hart_agent.backends.families import Family
from hart_agent.backends.openai.failures import Failure, Problem
from hart_agent.backends.openai.images import DEFAULT_MAX_BYTES, QUALITIES, choose_level, data_url, total_bytes
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.vocabularies.vocabulary import OURS, Vocabulary
from hart_agent.vision.geometry import CoordinateSpace

_CONTINUE = {"add_generation_prompt": False, "continue_final_message": True}
"""Lets vLLM and SGLang go on with a reply that has been begun for the model."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """A request's body with what it takes to send less next time.

    Attributes:
        body: the JSON object.
        images: how many it holds.
        bytes: length of their data URLs.
        level: of their compression.
        turns: how many turns of the conversation it holds.
        context: tokens that were known to be the limit when it was made, or None.
    """

    body: dict[str, Any]
    images: int
    bytes: int
    level: int
    turns: int
    context: int | None


@dataclass
class Limits:
    """What a server takes. Shared by all episodes of a policy, so that each limit is run into once.

    Attributes:
        family: counts the tokens of views.
        max_tokens: of a reply.
        tools: whether it takes `tools`.
        warn_of_tools: whether their refusal is worth a warning.
        max_images: in one request; None if not known.
        max_context_tokens: of prompt and reply together; None if not known.
        max_bytes: of all images in one request, as data URLs.
        refused: optional parameters that it doesn't take.
        vocabulary: that the model speaks.
    """

    family: Family
    max_tokens: int
    tools: bool = True
    warn_of_tools: bool = False
    max_images: int | None = None
    max_context_tokens: int | None = None
    max_bytes: int = DEFAULT_MAX_BYTES
    refused: set[str] = field(default_factory=set)
    vocabulary: Vocabulary = OURS

    def request(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        space: CoordinateSpace,
        parameters: dict[str, Any],
        *,
        max_tokens: int | None = None,
        max_turns: int | None = None,
    ) -> Request:
        """The request for a conversation, within the limits.

        Args:
            messages: the conversation, which is not changed.
            tools: that may be called.
            space: in which the model writes boxes.
            parameters: further ones; those that the server refuses are left out.
            max_tokens: of the reply, if it may be longer than usual; as much of it as the context leaves next to the
                conversation, which is fitted as for a usual reply.
            max_turns: at most so many turns are sent; None for all that fit.

        Raises:
            PolicyError: not even the newest turn fits into the context.
        """
        native = self.tools and bool(tools)
        context, reply = self.max_context_tokens, self.max_tokens
        reply = reply if context is None else min(reply, max(context // 4, 1))
        kept = messages if max_turns is None else keep_turns(messages, max_turns)
        kept = limit_images(kept, self.max_images, space, recall=bool(tools) and self.vocabulary.own)
        prompt = None if context is None else context - reply
        kept = fit_context(kept, prompt, self.family.view_tokens, tools if native else ())
        if max_tokens is not None and max_tokens > self.max_tokens:
            used = count_tokens(kept, self.family.view_tokens, tools if native else ())
            reply = max_tokens if context is None else max(reply, min(max_tokens, context - used))
        views = [view for message in kept for view in message.views]
        level = choose_level(views, self.max_bytes)
        chat = chat_messages(kept, lambda view: data_url(view, level), native=native, vocabulary=self.vocabulary)
        length = "max_completion_tokens" if "max_tokens" in self.refused else "max_tokens"
        body = {"messages": chat, length: reply}
        body |= {name: value for name, value in parameters.items() if name not in self.refused}
        if begun := self.prefill(tools):
            chat.append({"role": "assistant", "content": begun})
            body |= {name: value for name, value in _CONTINUE.items() if name not in self.refused}
        if native:
            body["tools"] = tool_schemas(tools)
        return Request(body, len(views), total_bytes(views, level), level, len(split_turns(kept)[1]), context)

    def prefill(self, tools: Sequence[ToolSpec]) -> str:
        """What is written for the model at the beginning of a reply in which it may call tools; usually nothing."""
        return self.vocabulary.prefill if tools else ""

    def learn(self, failure: Failure, sent: Request) -> bool:
        """Narrow the limits by a refusal. Returns whether there is something else to try."""
        remedies = {
            Problem.IMAGES: self._fewer_images,
            Problem.BYTES: self._fewer_bytes,
            Problem.CONTEXT: self._shorter,
            Problem.TOOLS: self._without_tools,
            Problem.PARAMETER: self._without_parameter,
        }
        remedy = remedies.get(failure.problem)
        return remedy is not None and remedy(failure, sent)

    def _fewer_images(self, failure: Failure, sent: Request) -> bool:
        fewer = sent.images // 2 if failure.limit is None else failure.limit
        if not 1 <= fewer < sent.images:
            return False
        if self.max_images is None or fewer < self.max_images:
            self.max_images = fewer
            _log.warning(
                "the server takes only %d image(s) in a request; the oldest are left out. Raise its limit (vLLM: "
                "--limit-mm-per-prompt '{\"image\": 16}'), or say --max-images %d.", fewer, fewer,
            )  # fmt: skip
        return True

    def _fewer_bytes(self, failure: Failure, sent: Request) -> bool:
        self.max_bytes = min(self.max_bytes, sent.bytes // 2)
        return sent.images > 0 and sent.level < len(QUALITIES) - 1

    def _shorter(self, failure: Failure, sent: Request) -> bool:
        known = self.max_context_tokens
        if failure.limit is not None and (known is None or failure.limit < known):
            self.max_context_tokens = failure.limit
            return True
        return sent.turns > 1

    def _without_tools(self, failure: Failure, sent: Request) -> bool:
        if self.tools:
            self.tools = False
            _log.log(
                logging.WARNING if self.warn_of_tools else logging.INFO,
                "the server takes no tools, so calls are written as text. vLLM takes them with "
                "--enable-auto-tool-choice --tool-call-parser, llama.cpp with --jinja.",
            )
        return "tools" in sent.body

    def _without_parameter(self, failure: Failure, sent: Request) -> bool:
        assert failure.parameter is not None
        self.refused.add(failure.parameter)
        return failure.parameter in sent.body
