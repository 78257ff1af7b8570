"""DeepSeek: V3.1 writes `NAME<｜tool▁sep｜>{...}` in a call, V3 and R1 `function<｜tool▁sep｜>NAME` and fenced JSON."""

from __future__ import annotations

from hart_agent.dialogue.dialects.base import Block, Dialect, always
from hart_agent.dialogue.json_calls import named_call, unfenced
from hart_agent.dialogue.json_repair import Ending
from hart_agent.dialogue.results import RawCall, Schemas
from hart_agent.errors import ReplyFormatError

_SECTION, _BEGIN, _SEPARATOR, _END = (
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁call▁end｜>",
)


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    _, *calls = (block.opener + block.body).split(_BEGIN)
    if not calls:
        raise ReplyFormatError(f"There is no {_BEGIN} in it.")
    endings = [Ending.MARKER] * (len(calls) - 1) + [block.ending]
    return [_call(text, ending) for text, ending in zip(calls, endings, strict=True)]


def _call(text: str, ending: Ending) -> RawCall:
    body, closed, _ = text.partition(_END)
    left, separated, right = body.partition(_SEPARATOR)
    if not separated:
        return RawCall("", {}, text, ReplyFormatError(f"There is no {_SEPARATOR} in it: {text[:200]!r}."))
    name, arguments = left, right
    if not right.lstrip().startswith("{"):
        name, _, arguments = right.lstrip().partition("\n")
    fenced = unfenced(arguments)
    ending = Ending.MARKER if closed or (fenced is not arguments and arguments.rstrip().endswith("```")) else ending
    return named_call(name.strip(), fenced, ending, text)


DEEPSEEK = Dialect(
    name="deepseek",
    form=f'{_SECTION}{_BEGIN}NAME{_SEPARATOR}{{"KEY": VALUE}}{_END}<｜tool▁calls▁end｜>',
    markers=((_SECTION, "<｜tool▁calls▁end｜>"), (_BEGIN, _END)),
    fits=always,
    read=_read,
)
