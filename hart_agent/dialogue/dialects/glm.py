"""GLM-4.5V and later: `<tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>`.

Values are text. Without arguments only the name is left; it is taken for a call only if a tool has that name.
"""

from __future__ import annotations

import re

from hart_agent.dialogue.dialects.base import Block, Dialect
from hart_agent.dialogue.json_repair import Ending
from hart_agent.dialogue.results import RawCall, Schemas
from hart_agent.dialogue.text_values import typed_arguments
from hart_agent.errors import ReplyFormatError

_KEY = re.compile(r"<arg_key>", re.IGNORECASE | re.ASCII)
_KEY_END = re.compile(r"</arg_key>\s*<arg_value>", re.IGNORECASE | re.ASCII)
_VALUE_END = re.compile(r"</arg_value>", re.IGNORECASE | re.ASCII)


def _fits(block: Block, schemas: Schemas) -> bool:
    return _KEY.search(block.body) is not None or block.body.strip() in schemas


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    head, *pairs = _KEY.split(block.body)
    name = head.strip()
    if block.ending is Ending.LIMIT:
        return [RawCall(name, {}, block.body, ReplyFormatError("It was cut off."))]
    texts = {}
    for pair in pairs:
        parts = _KEY_END.split(pair, maxsplit=1)
        value = _VALUE_END.split(parts[-1], maxsplit=1)
        if len(parts) == 1 or len(value) == 1:
            problem = f"The argument {parts[0].strip()[:80]!r} has no <arg_value>...</arg_value>."
            return [RawCall(name, {}, block.body, ReplyFormatError(problem))]
        texts[parts[0].strip()] = value[0].removeprefix("\n").removesuffix("\n")
    return [RawCall(name, typed_arguments(name, texts, schemas), block.body)]


GLM = Dialect(
    name="glm",
    form="<tool_call>NAME\n<arg_key>KEY</arg_key>\n<arg_value>VALUE</arg_value>\n</tool_call>",
    markers=(("<tool_call>", "</tool_call>"),),
    fits=_fits,
    read=_read,
)
