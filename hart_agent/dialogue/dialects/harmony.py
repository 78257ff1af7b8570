"""Harmony: `<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{...}<|call|>`."""

from __future__ import annotations

from hart_agent.dialogue.dialects.base import Block, Dialect, always
from hart_agent.dialogue.harmony import CALL_CLOSER, CALL_OPENER, harmony_messages
from hart_agent.dialogue.json_calls import named_call
from hart_agent.dialogue.results import RawCall, Schemas
from hart_agent.errors import ReplyFormatError


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    text = block.opener + block.body
    message = next(harmony_messages(text))
    if message.recipient is None:
        raise ReplyFormatError(f"It is addressed to no function: {text[:200]!r}.")
    return [named_call(message.recipient.removeprefix("functions."), message.body, block.ending, text)]


HARMONY = Dialect(
    name="harmony",
    form='<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{"KEY": VALUE}<|call|>',
    markers=((CALL_OPENER, CALL_CLOSER),),
    fits=always,
    read=_read,
)
