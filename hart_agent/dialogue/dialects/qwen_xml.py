"""Qwen3-Coder and Qwen3.5: `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`.

Values are text. The outer tag may be missing.
"""

from __future__ import annotations

import re

from hart_agent.dialogue.dialects.base import Block, Dialect
from hart_agent.dialogue.json_calls import named_call
from hart_agent.dialogue.json_repair import Ending
from hart_agent.dialogue.results import RawCall, Schemas
from hart_agent.dialogue.text_values import typed_arguments
from hart_agent.errors import ReplyFormatError

_FUNCTION = re.compile(r"<function\s?=", re.IGNORECASE | re.ASCII)
_FUNCTION_END = re.compile(r"</function>", re.IGNORECASE | re.ASCII)
_PARAMETER = re.compile(r"<parameter\s?=", re.IGNORECASE | re.ASCII)
_PARAMETER_END = re.compile(r"</parameter>", re.IGNORECASE | re.ASCII)


def _fits(block: Block, schemas: Schemas) -> bool:
    return block.opener == "<function=" or _FUNCTION.match(block.body.lstrip()) is not None


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    functions = _FUNCTION.split(block.opener + block.body)[1:]
    endings = [Ending.MARKER] * (len(functions) - 1) + [block.ending]
    return [_call(text, ending, schemas) for text, ending in zip(functions, endings, strict=True)]


def _call(text: str, ending: Ending, schemas: Schemas) -> RawCall:
    raw = f"<function={text}"
    head, _, rest = text.partition(">")
    name = head.strip().strip("\"'")
    body = _FUNCTION_END.split(rest, maxsplit=1)
    ending = Ending.MARKER if len(body) > 1 else ending
    before, *parameters = _PARAMETER.split(body[0])
    if not parameters:
        return named_call(name, before, ending, raw)
    try:
        texts = dict(_parameter(parameter) for parameter in parameters[:-1])
        texts.update([_parameter(parameters[-1], ending)])
    except ReplyFormatError as error:
        return RawCall(name, {}, raw, error)
    return RawCall(name, typed_arguments(name, texts, schemas), raw)


def _parameter(text: str, ending: Ending = Ending.MARKER) -> tuple[str, str]:
    head, found, rest = text.partition(">")
    value = _PARAMETER_END.split(rest, maxsplit=1)
    if not found or (len(value) == 1 and ending is not Ending.MARKER):
        raise ReplyFormatError(f"The parameter {head.strip()[:80]!r} never ends.")
    return head.strip().strip("\"'"), value[0].removeprefix("\n").removesuffix("\n")


QWEN_XML = Dialect(
    name="qwen_xml",
    form="<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>",
    markers=(("<tool_call>", "</tool_call>"), ("<function=", "</function>")),
    fits=_fits,
    read=_read,
)
