"""Mistral: `[TOOL_CALLS]NAME[ARGS]{...}`, and before version 11 of its tokenizer `[TOOL_CALLS] [{...}, ...]`."""

from __future__ import annotations

import re

from hart_agent.dialogue.dialects.base import Block, Dialect, always
from hart_agent.dialogue.json_calls import json_calls, named_call
from hart_agent.dialogue.results import RawCall, Schemas
from hart_agent.errors import ReplyFormatError

_NAME = re.compile(r"\s*([A-Za-z_][\w.-]{0,99})\s*(?:\[CALL_ID\][^\[{]{0,99})?(?:\[ARGS\]\s*)?(?=\{)")


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    named = _NAME.match(block.body)
    if named:
        return [named_call(named[1], block.body[named.end() :], block.ending, block.body)]
    if not block.body.lstrip().startswith(("[", "{")):
        raise ReplyFormatError(f"There is neither a name nor a list of calls in it: {block.body[:200]!r}.")
    return json_calls(block.body, block.ending)


MISTRAL = Dialect(
    name="mistral",
    form='[TOOL_CALLS]NAME[ARGS]{"KEY": VALUE}',
    markers=(("[tool_calls]", "[/tool_calls]"),),
    fits=always,
    read=_read,
)
