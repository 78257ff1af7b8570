"""Kimi: `<|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>{...}<|tool_call_end|>`.

The calls stand in a section, whose markers may be missing.
"""

from __future__ import annotations

import re

from hart_agent.dialogue.dialects.base import Block, Dialect, always
from hart_agent.dialogue.json_calls import named_call
from hart_agent.dialogue.json_repair import Ending
from hart_agent.dialogue.results import RawCall, Schemas
from hart_agent.errors import ReplyFormatError

_BEGIN = re.compile(r"<\|tool_call_begin\|>", re.IGNORECASE | re.ASCII)
_ARGUMENTS = re.compile(r"<\|tool_call_argument_begin\|>", re.IGNORECASE | re.ASCII)
_END = re.compile(r"<\|tool_call_end\|>", re.IGNORECASE | re.ASCII)
_COUNTER = re.compile(r":\d{1,9}$", re.ASCII)


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    _, *calls = _BEGIN.split(block.opener + block.body)
    if not calls:
        raise ReplyFormatError("There is no <|tool_call_begin|> in it.")
    endings = [Ending.MARKER] * (len(calls) - 1) + [block.ending]
    return [_call(text, ending) for text, ending in zip(calls, endings, strict=True)]


def _call(text: str, ending: Ending) -> RawCall:
    body = _END.split(text, maxsplit=1)
    identifier, *arguments = _ARGUMENTS.split(body[0], maxsplit=1)
    name = _COUNTER.sub("", identifier.strip()).removeprefix("functions.")
    if not arguments or not name or name.isdigit():
        return RawCall("", {}, text, ReplyFormatError(f"It names no function: {text[:200]!r}."))
    return named_call(name, arguments[0], Ending.MARKER if len(body) > 1 else ending, text)


KIMI = Dialect(
    name="kimi",
    form="<|tool_calls_section_begin|><|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>"
    '{"KEY": VALUE}<|tool_call_end|><|tool_calls_section_end|>',
    markers=(
        ("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
        ("<|tool_call_begin|>", "<|tool_call_end|>"),
    ),
    fits=always,
    read=_read,
)
