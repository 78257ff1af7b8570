"""Gemma 4: `<|tool_call>call:NAME{KEY:<|"|>VALUE<|"|>}<tool_call|>`; FunctionGemma has other markers."""

from __future__ import annotations

import json
import re

from hart_agent.dialogue.dialects.base import Block, Dialect, always
from hart_agent.dialogue.json_calls import named_call
from hart_agent.dialogue.results import RawCall, Schemas
from hart_agent.errors import ReplyFormatError

_CALL = re.compile(r"\s*call:\s*([^\s{]{1,100})\s*(?=\{)")
_TOKEN = re.compile(
    r'<\|"\|>(?P<text>.*?)(?P<end><\|"\|>|\Z)|<escape>(?P<escaped>.*?)(?P<end2><escape>|\Z)'
    r'|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|-?\d[\w.+-]*|(?P<word>[A-Za-z_][\w.-]*)',
    re.DOTALL,
)
_LITERALS = frozenset(("true", "false", "null"))


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    found = _CALL.match(block.body)
    if not found:
        raise ReplyFormatError(f"There is no call:NAME{{...}} in it: {block.body[:200]!r}.")
    return [named_call(found[1], _TOKEN.sub(_as_json, block.body[found.end() :]), block.ending, block.body)]


def _as_json(token: re.Match[str]) -> str:
    if token["text"] is not None:
        return json.dumps(token["text"]) if token["end"] else '"'  # half a text: an open string isn't repaired
    if token["escaped"] is not None:
        return json.dumps(token["escaped"]) if token["end2"] else '"'
    if token["word"]:
        return token[0] if token["word"] in _LITERALS else json.dumps(token["word"])
    return token[0].removesuffix(".")  # JSON has no numbers such as "108."


GEMMA = Dialect(
    name="gemma",
    form='<|tool_call>call:NAME{KEY:<|"|>VALUE<|"|>}<tool_call|>',
    markers=(("<|tool_call>", "<tool_call|>"), ("<start_function_call>", "<end_function_call>")),
    fits=always,
    read=_read,
)
