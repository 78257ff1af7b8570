"""Our messages in the words of the chat completions API, with native tool calls or without."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from hart_agent.backends.context import split_turns
from hart_agent.dialogue.messages import Message, Role, ToolCall, ToolSpec
from hart_agent.dialogue.vocabularies.vocabulary import OURS, STOP, Vocabulary
from hart_agent.tooling.protocol import BOX_FORMAT, VIEW_FORMAT
from hart_agent.vision.source import View

__all__ = ["DEFAULT_MAX_TOKENS", "STOP", "THOUGHT_ONLY", "UNREADABLE", "chat_messages", "tool_schemas"]

ChatMessage = dict[str, Any]
DataUrl = Callable[[View], str]
_OUR_FORMATS = (("format", BOX_FORMAT), ("format", VIEW_FORMAT))

DEFAULT_MAX_TOKENS = 4096
"""Of one reply."""
UNREADABLE = "(a tool call that could not be read)"
"""Stands for a reply without words whose native call was malformed: servers refuse empty messages."""
THOUGHT_ONLY = "(only thoughts)"
"""Stands for a reply that was nothing else."""


def chat_messages(
    messages: Sequence[Message], url: DataUrl, *, native: bool, vocabulary: Vocabulary = OURS
) -> list[ChatMessage]:
    """The conversation as the API takes it.

    With `native`, calls that came natively are sent back so, with the arguments as they were read. Every other turn is
    words: the reply's own text, and its results in a user's message. Tool messages can't hold images on most servers,
    so the images follow in a user's message. Neighbouring user messages are joined: many templates want alternation.
    Thoughts of earlier turns are not sent again: reasoning models are trained without them, and they fill the context.

    Args:
        messages: the conversation.
        url: gives a view's data URL.
        native: whether the server takes `tools`.
        vocabulary: that the policy speaks. In another than ours replies are sent back as they are, with their thoughts
            if its agents keep them, and results in the role that it says.
    """
    head, turns = split_turns(messages)
    chat: list[ChatMessage] = []
    for message in head:
        if message.role is Role.SYSTEM:
            chat.append({"role": "system", "content": message.text})
        else:
            _say(chat, _content(message, url))
    if turns:
        from hart_agent.dialogue.parsing import parse_reply  # not for the first request: its patterns take a while
        from hart_agent.dialogue.thoughts import split_thoughts
    for reply, *answers in turns:
        if not vocabulary.own:
            _converse(chat, reply, answers, url, vocabulary)
            continue
        _, spoken = split_thoughts(reply.text)
        written = bool(parse_reply(spoken).calls)
        if native and reply.calls and not written:
            chat.append({"role": "assistant", "content": _clean(spoken), "tool_calls": [*map(_call, reply.calls)]})
            _answer_natively(chat, answers, url)
        else:
            calls = "" if written else "\n".join(map(_write_out, reply.calls))
            text = "\n".join(filter(None, (spoken, calls)))
            stand_in = THOUGHT_ONLY if reply.text else UNREADABLE
            chat.append({"role": "assistant", "content": _clean(text) or stand_in})
            for answer in answers:
                _say(chat, _content(answer, url))
    return chat


def tool_schemas(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """The tools as the API takes them, without the formats that only our runtime knows."""
    return [
        {
            "type": "function",
            "function": {"name": spec.name, "description": spec.description, "parameters": _public(spec.parameters)},
        }
        for spec in tools
    ]


def _converse(
    chat: list[ChatMessage], reply: Message, answers: Sequence[Message], url: DataUrl, vocabulary: Vocabulary
) -> None:
    """A turn in a vocabulary of somebody else's."""
    from hart_agent.dialogue.thoughts import split_thoughts

    text = reply.text if vocabulary.keeps_thoughts else split_thoughts(reply.text)[1]
    calls = "" if text else "\n".join(map(_write_out, reply.calls))
    chat.append({"role": "assistant", "content": _clean(text or calls) or THOUGHT_ONLY})
    for answer in answers:
        if vocabulary.wording.as_tool and answer.role is Role.TOOL:
            chat.append({"role": "tool", "tool_call_id": answer.call_id, "content": _content(answer, url)})
        else:
            _say(chat, _content(answer, url))


def _answer_natively(chat: list[ChatMessage], answers: Sequence[Message], url: DataUrl) -> None:
    results = [answer for answer in answers if answer.role is Role.TOOL]
    for result in results:
        chat.append({"role": "tool", "tool_call_id": result.call_id, "content": _clean(result.text)})
    images = [part for result in results for view in result.views for part in (_text(f"{view.id}:"), _image(view, url))]
    words = [part for answer in answers if answer.role is not Role.TOOL for part in _content(answer, url)]
    _say(chat, images + words)


def _say(chat: list[ChatMessage], parts: list[dict[str, Any]]) -> None:
    """Add to the user's message at the end, or begin one."""
    if chat and chat[-1]["role"] == "user":
        chat[-1]["content"] += parts
    elif parts:
        chat.append({"role": "user", "content": parts})


def _content(message: Message, url: DataUrl) -> list[dict[str, Any]]:
    return [_image(part, url) if isinstance(part, View) else _text(part) for part in message.parts]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": _clean(text)}


def _image(view: View, url: DataUrl) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url(view)}}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _json(call.arguments)}}


def _write_out(call: ToolCall) -> str:
    return f"<tool_call>{_json({'name': call.name, 'arguments': call.arguments})}</tool_call>"


def _json(value: dict[str, Any]) -> str:
    return _clean(json.dumps(value, ensure_ascii=False))


def _clean(text: str) -> str:
    """Half surrogate pairs, which a server can smuggle in, can't be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _public(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {
        name: {key: value for key, value in entry.items() if (key, value) not in _OUR_FORMATS}
        for name, entry in schema.get("properties", {}).items()
        if isinstance(entry, dict)
    }
    return {**schema, "properties": {**schema.get("properties", {}), **properties}}
