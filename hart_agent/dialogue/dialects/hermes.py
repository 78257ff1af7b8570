"""JSON objects between tags: the form that hart-agent asks for, and that of Hermes, Qwen2.5-VL and Qwen3-VL."""

from __future__ import annotations

from hart_agent.dialogue.dialects.base import Block, Dialect, always
from hart_agent.dialogue.json_calls import json_calls
from hart_agent.dialogue.results import RawCall, Schemas


def _read(block: Block, schemas: Schemas) -> list[RawCall]:
    return json_calls(block.body, block.ending)


HERMES = Dialect(
    name="json",
    form='<tool_call>{"name": "NAME", "arguments": {"KEY": VALUE}}</tool_call>',
    markers=(
        ("<tool_call>", "</tool_call>"),
        ("<function_call>", "</function_call>"),
        ("<|tool_call|>", "<|/tool_call|>"),
        ("<|python_tag|>", ""),
        ("<|tool_call_start|>", "<|tool_call_end|>"),
        ("<|python_start|>", "<|python_end|>"),
    ),
    fits=always,
    read=_read,
)
