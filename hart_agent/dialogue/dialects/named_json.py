"""The tool's name on a line of its own, then its arguments: `<tool_call>NAME\\n{...}</tool_call>`."""

from __future__ import annotations

import re

from hart_agent.dialogue.dialects.base import Block, Dialect
from hart_agent.dialogue.json_calls import named_call, unfenced
from hart_agent.dialogue.results import RawCall, Schemas

_NAME = re.compile(r"\s*([A-Za-z_][\w.-]{0,99})\s*(?=\{|```)")


def _fits(block: Block, schemas: Schemas) -> bool:
    return _NAME.match(block.body) is not None


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    found = _NAME.match(block.body)
    name, arguments = (found[1], block.body[found.end() :]) if found else ("", block.body)
    return [named_call(name, unfenced(arguments), block.ending, block.body)]


NAMED_JSON = Dialect(
    name="named_json",
    form='<tool_call>NAME\n{"KEY": VALUE}\n</tool_call>',
    markers=(("<tool_call>", "</tool_call>"), ("<function_call>", "</function_call>")),
    fits=_fits,
    read=_read,
)
