"""Dialects of tool calls: how each is written, what is still read, and what is refused with its form."""

from __future__ import annotations

import json
import keyword
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reply_table import BOX, SCHEMAS

from hart_agent.dialogue.dialects import DIALECTS
from hart_agent.dialogue.parsing import parse_reply

Calls = list[tuple[str, dict[str, Any] | None]]
BOXED: Calls = [("zoom", BOX)]
TWO: Calls = [("zoom", BOX), ("ocr", {})]
ARGUMENTS = json.dumps(BOX)


def xml(*parameters: tuple[str, str], name: str = "zoom") -> str:
    return (
        f"<function={name}>\n" + "".join(f"<parameter={k}>\n{v}\n</parameter>\n" for k, v in parameters) + "</function>"
    )


def kimi(identifier: str, arguments: str) -> str:
    return f"<|tool_call_begin|>{identifier}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>"


def kimi_section(*calls: str) -> str:
    return f"<|tool_calls_section_begin|>{''.join(calls)}<|tool_calls_section_end|>"


def deepseek(*calls: str) -> str:
    inside = "".join(f"<｜tool▁call▁begin｜>{call}<｜tool▁call▁end｜>" for call in calls)
    return f"<｜tool▁calls▁begin｜>{inside}<｜tool▁calls▁end｜>"


def harmony(name: str, arguments: str) -> str:
    return f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{arguments}<|call|>"


def gemma(call: str) -> str:
    return f"<|tool_call>{call}<tool_call|>"


CASES: list[tuple[str, str, Calls]] = [
    ("qwen_xml", f"<tool_call>\n{xml(('bbox_2d', '[12, 30, 48, 90]'))}\n</tool_call>", BOXED),
    ("qwen_xml", xml(("bbox_2d", "[12, 30, 48, 90]")), BOXED),
    ("qwen_xml", f"<tool_call>{xml(('bbox_2d', ARGUMENTS[12:-1]))}\n{xml(name='ocr')}</tool_call>", TWO),
    ("qwen_xml", f"I look.\n{xml(('bbox_2d', '[12, 30, 48, 90]'))}\n{xml(name='ocr')}", TWO),
    ("qwen_xml", xml(("factor", "3"), ("label", "3")), [("zoom", {"factor": 3, "label": "3"})]),
    ("qwen_xml", xml(("label", "line one\nline two <b>")), [("zoom", {"label": "line one\nline two <b>"})]),
    ("qwen_xml", xml(("label", "null"), name="crop"), [("crop", {"label": None})]),
    ("qwen_xml", xml(("bbox_2d", "[12, 30, 48, 90,]")), BOXED),
    ("qwen_xml", "<tool_call><function=zoom><parameter=factor>3<parameter=label>a</function></tool_call>",
     [("zoom", {"factor": 3, "label": "a"})]),
    ("qwen_xml", '<function="zoom"><parameter="factor">3</parameter></function>', [("zoom", {"factor": 3})]),
    ("qwen_xml", f"<function=zoom>{ARGUMENTS}</function>", BOXED),
    ("qwen_xml", "<function=other><parameter=n>5</parameter><parameter=s>five</parameter></function>",
     [("other", {"n": 5, "s": "five"})]),
    ("qwen_xml", xml(("factor", "three")), [("zoom", {"factor": "three"})]),
    ("glm", "<tool_call>zoom\n<arg_key>bbox_2d</arg_key>\n<arg_value>[12, 30, 48, 90]</arg_value>\n</tool_call>",
     BOXED),
    ("glm", "<tool_call>zoom<arg_key>bbox_2d</arg_key><arg_value>[12,30,48,90]</arg_value></tool_call>", BOXED),
    ("glm", "<tool_call>ocr</tool_call>", [("ocr", {})]),
    ("glm", "<tool_call>ocr\n</tool_call>", [("ocr", {})]),
    ("glm", "<tool_call>zoom<arg_key>label</arg_key><arg_value>7</arg_value><arg_key>factor</arg_key>"
     "<arg_value>7</arg_value></tool_call>", [("zoom", {"label": "7", "factor": 7})]),
    ("glm", "<tool_call>zoom<arg_key>label</arg_key>\n<arg_value>a {b} \"c\"</arg_value></tool_call>"
     "<tool_call>ocr</tool_call>",
     [("zoom", {"label": 'a {b} "c"'}), ("ocr", {})]),
    ("glm", "<tool_call>zoom<arg_key>label</arg_key><arg_value>a</arg_value>", [("zoom", {"label": "a"})]),
    ("named_json", f"<tool_call>zoom\n{ARGUMENTS}\n</tool_call>", BOXED),
    ("named_json", f"<tool_call>zoom{ARGUMENTS}</tool_call>", BOXED),
    ("named_json", f"<tool_call>\nzoom\n```json\n{ARGUMENTS}\n```</tool_call>", BOXED),
    ("named_json", f"<tool_call>zoom {ARGUMENTS}</tool_call><tool_call>ocr {{}}</tool_call>", TWO),
    ("named_json", f"<tool_call>zoom\n{ARGUMENTS[:-1]}</tool_call>", BOXED),
    ("named_json", f"<function_call>zoom\n{ARGUMENTS} done</function_call>", BOXED),
    ("kimi", kimi_section(kimi("functions.zoom:0", ARGUMENTS)), BOXED),
    ("kimi", kimi_section(kimi("functions.zoom:0", ARGUMENTS), kimi("functions.ocr:1", "{}")), TWO),
    ("kimi", kimi("zoom:12", f" {ARGUMENTS} "), BOXED),
    ("kimi", f"<|tool_calls_section_begin|>{kimi('functions.zoom:0', ARGUMENTS)}", BOXED),
    ("kimi", f"I look.{kimi_section(kimi(' functions.zoom:0 ', ARGUMENTS))} wait", BOXED),
    ("kimi", kimi_section(kimi("functions.zoom:0", "{"), kimi("functions.ocr:1", "{}")), [("zoom", None), ("ocr", {})]),
    ("kimi", kimi_section(kimi("0", ARGUMENTS), kimi("functions.ocr:1", "")), [("", None), ("ocr", {})]),
    ("mistral", f"[TOOL_CALLS]zoom[ARGS]{ARGUMENTS}", BOXED),
    ("mistral", f"[TOOL_CALLS]zoom{ARGUMENTS}[TOOL_CALLS]ocr{{}}", TWO),
    ("mistral", f'[TOOL_CALLS] [{{"name": "zoom", "arguments": {ARGUMENTS}}}, {{"name": "ocr", "arguments": {{}}}}]',
     TWO),
    ("mistral", f'[TOOL_CALLS][{{"arguments": {ARGUMENTS}, "name": "zoom"}}][/TOOL_CALLS]', BOXED),
    ("mistral", f"[TOOL_CALLS]zoom[CALL_ID]a1b2c3d4e[ARGS]{ARGUMENTS}", BOXED),
    ("mistral", f"I look. [TOOL_CALLS]zoom[ARGS]{ARGUMENTS} and wait.</s>", BOXED),
    ("mistral", f"[TOOL_CALLS]zoom[ARGS]{ARGUMENTS[:-2]}[TOOL_CALLS]ocr[ARGS]{{}}", TWO),
    ("deepseek", deepseek(f"zoom<｜tool▁sep｜>{ARGUMENTS}"), BOXED),
    ("deepseek", deepseek(f"zoom<｜tool▁sep｜>{ARGUMENTS}", "ocr<｜tool▁sep｜>{}"), TWO),
    ("deepseek", deepseek(f"function<｜tool▁sep｜>zoom\n```json\n{ARGUMENTS}\n```"), BOXED),
    ("deepseek", f"<｜tool▁call▁begin｜>zoom<｜tool▁sep｜>{ARGUMENTS}<｜tool▁call▁end｜>", BOXED),
    ("deepseek", f"I look.{deepseek(f'zoom<｜tool▁sep｜>{ARGUMENTS}')}<｜end▁of▁sentence｜>", BOXED),
    ("deepseek", deepseek("zoom", "ocr<｜tool▁sep｜>{}"), [("", None), ("ocr", {})]),
    ("deepseek", f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>zoom<｜tool▁sep｜>{ARGUMENTS}", BOXED),
    ("harmony", harmony("zoom", ARGUMENTS), BOXED),
    ("harmony", f"<|channel|>analysis<|message|>Look.<|end|><|start|>assistant{harmony('zoom', ARGUMENTS)}", BOXED),
    ("harmony", f"<|start|>assistant to=functions.zoom<|channel|>commentary json<|message|>{ARGUMENTS}<|call|>", BOXED),
    ("harmony", f"{harmony('zoom', ARGUMENTS)}<|start|>assistant{harmony('ocr', '{}')}", TWO),
    ("harmony", f"<|channel|>commentary<|message|>I look.<|end|><|start|>assistant{harmony('zoom', ARGUMENTS)}", BOXED),
    ("harmony", f"<|channel|>commentary to=functions.zoom<|message|>{ARGUMENTS}", BOXED),
    ("harmony", f"<|channel|>analysis to=functions.zoom <|constrain|>json<|message|>{ARGUMENTS}<|call|>", BOXED),
    ("gemma", gemma("call:zoom{bbox_2d:[12,30,48,90]}"), BOXED),
    ("gemma", gemma('call:zoom{label:<|"|>a "b", {c}<|"|>,factor:2}'),
     [("zoom", {"label": 'a "b", {c}', "factor": 2})]),
    ("gemma", gemma("call:zoom{bbox_2d:[12,30,48,90]}") + gemma("call:ocr{}"), TWO),
    ("gemma", gemma('call:x{a:{b:[<|"|>1<|"|>,true,null]},c:1.5}'),
     [("x", {"a": {"b": ["1", True, None]}, "c": 1.5})]),
    ("gemma", gemma('call:crop{label:"plain \\"q\\"",x:word}'), [("crop", {"label": 'plain "q"', "x": "word"})]),
    ("gemma", "<|channel>thought\nlook<channel|>" + gemma("call:zoom{bbox_2d:[12, 30, 48, 90]}"), BOXED),
    ("gemma", "<start_function_call>call:crop{label:<escape>a: b<escape>}<end_function_call>",
     [("crop", {"label": "a: b"})]),
    ("pythonic", "[zoom(bbox_2d=[12, 30, 48, 90])]", BOXED),
    ("pythonic", "[zoom(bbox_2d=(12, 30, 48, 90)), ocr()]", TWO),
    ("pythonic", "<|tool_call_start|>[zoom(bbox_2d=[12, 30, 48, 90])]<|tool_call_end|>Looking.", BOXED),
    ("pythonic", "<|python_start|>[zoom(bbox_2d=[12, 30, 48, 90])]<|python_end|>", BOXED),
    ("pythonic", "```tool_code\nzoom(bbox_2d=[12, 30, 48, 90])\n```", BOXED),
    ("pythonic", "<tool_call>zoom(bbox_2d=[12, 30, 48, 90])</tool_call>", BOXED),
    ("pythonic", "[crop(label='it\\'s \"x\"', a={'b': [None, True, -1.5]}, c=false)]",
     [("crop", {"label": 'it\'s "x"', "a": {"b": [None, True, -1.5]}, "c": False})]),
    ("pythonic", "[tools.zoom(factor=2), zoom(factor=1e999), zoom(factor=b'z'), zoom({})]",
     [("tools.zoom", {"factor": 2}), ("zoom", None), ("zoom", None), ("zoom", None)]),
    ("pythonic", "[ocr(), zoom(factor=__import__('os').system('true')), zoom(**{'factor': 2})]",
     [("ocr", {}), ("zoom", None), ("zoom", None)]),
    ("pythonic", "I look: [zoom(bbox_2d=[12, 30, 48, 90])] and [ocr()] next.", TWO),
    ("pythonic", "[other(label=']')] I look.", [("other", {"label": "]"})]),
    ("pythonic", "<function_calls>zoom(bbox_2d=[12, 30, 48, 90])\nocr()</function_calls>", TWO),
    ("pythonic", "<|python_tag|>zoom(factor=2)", [("zoom", {"factor": 2})]),
    ("json", f'<|tool_call|>[{{"name": "zoom", "arguments": {ARGUMENTS}}}]<|/tool_call|>', BOXED),
    ("json", f'<|tool_call_start|>[{{"name": "zoom", "arguments": {ARGUMENTS}}}]<|tool_call_end|>', BOXED),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "text", "calls"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_calls(dialect: str, text: str, calls: Calls) -> None:
    found = parse_reply(text, schemas=SCHEMAS)
    assert [(call.name, None if call.error else call.arguments) for call in found.calls] == calls
    assert (found.dialect, found.error, found.answer) == (dialect, None, None)


def test_every_dialect_has_cases() -> None:
    counts = {dialect.name: sum(case[0] == dialect.name for case in CASES) for dialect in DIALECTS}
    assert all(count >= 6 for name, count in counts.items() if name != "json"), counts


REFUSED = [
    ("qwen_xml", "<function=zoom><parameter=factor>2"),
    ("qwen_xml", "<function=zoom>2</function>"),
    ("glm", "<tool_call>zoom<arg_key>factor</arg_key></tool_call>"),
    ("glm", "<tool_call>zoom<arg_key>factor<arg_value>2</arg_value></tool_call>"),
    ("named_json", '<tool_call>zoom {"factor": two}</tool_call>'),
    ("kimi", "<|tool_calls_section_begin|>zoom<|tool_calls_section_end|>"),
    ("kimi", kimi_section(kimi("functions.zoom:0", "[1]"))),
    ("mistral", "[TOOL_CALLS] not a call"),
    ("mistral", '[TOOL_CALLS]zoom[ARGS]{"factor": 2'),
    ("deepseek", "<｜tool▁calls▁begin｜>function<｜tool▁sep｜>zoom<｜tool▁calls▁end｜>"),
    ("deepseek", deepseek("zoom<｜tool▁sep｜>")[:-50]),
    ("harmony", "<|channel|>commentary to=functions.zoom<|message|>factor=2<|call|>"),
    ("gemma", "<|tool_call>zoom(factor=2)<tool_call|>"),
    ("gemma", '<|tool_call>call:zoom{label:<|"|>half'),
    ("pythonic", "[zoom(factor=2"),
    ("pythonic", "I look: [zoom(factor=2"),
    ("pythonic", "<|tool_call_start|>zoom it<|tool_call_end|>"),
    ("pythonic", f"[zoom(a={'[' * 40}{']' * 40})]"),
    ("pythonic", f"[zoom(label='{'x' * 30_000}')]"),
]


@pytest.mark.parametrize(("dialect", "text"), REFUSED, ids=[f"{n}-{case[0]}" for n, case in enumerate(REFUSED)])
def test_what_leaves_doubt_is_refused_with_the_form(dialect: str, text: str) -> None:
    found = parse_reply(text, schemas=SCHEMAS)
    assert (found.calls, found.plain) == ((), None)
    form = next(known.form for known in DIALECTS if known.name == dialect)
    assert f"dialect {dialect}," in str(found.error)
    assert form in str(found.error)


def test_a_lone_word_is_a_call_only_if_a_tool_has_that_name() -> None:
    assert parse_reply("<tool_call>ocr</tool_call>", schemas=SCHEMAS).calls
    assert not parse_reply("<tool_call>open</tool_call>", schemas=SCHEMAS).calls
    assert not parse_reply("<tool_call>ocr</tool_call>").calls


VALUES = [
    ({"type": "string"}, "7", "7"),
    ({"type": "string"}, "[1]", "[1]"),
    ({"type": "integer"}, "7", 7),
    ({"type": "integer"}, "007", 7),
    ({"type": "integer"}, "7 apples", "7 apples"),
    ({"type": "integer"}, "true", "true"),
    ({"type": "number"}, "7.5", 7.5),
    ({"type": "number"}, "1e999", "1e999"),
    ({"type": "boolean"}, "true", True),
    ({"type": "boolean"}, "False", False),
    ({"type": "array"}, "[1, 2]", [1, 2]),
    ({"type": "array"}, "('a', 'b')", ["a", "b"]),
    ({"type": "object"}, '{"a": 1}', {"a": 1}),
    ({"type": ["integer", "null"]}, "null", None),
    ({"type": ["string", "null"]}, "7", "7"),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "5", 5),
    ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "five", "five"),
    ({"enum": ["1", "2"]}, "1", "1"),
    ({}, "7", 7),
    ({}, "seven", "seven"),
    ({}, "[1, 2", "[1, 2"),
]


@pytest.mark.parametrize(("schema", "text", "value"), VALUES)
def test_text_becomes_what_the_schema_asks_for(schema: dict[str, Any], text: str, value: Any) -> None:
    schemas = {"zoom": {"type": "object", "properties": {"value": schema}}}
    for reply in (
        f"<function=zoom><parameter=value>\n{text}\n</parameter></function>",
        f"<tool_call>zoom<arg_key>value</arg_key><arg_value>{text}</arg_value></tool_call>",
    ):
        (call,) = parse_reply(reply, schemas=schemas).calls
        assert call.arguments == {"value": value}
        assert type(call.arguments["value"]) is type(value)


NAMES = st.from_regex(r"[a-z][a-z_0-9]{0,10}", fullmatch=True).filter(
    lambda name: name not in {"true", "false", "null"} and not keyword.iskeyword(name)
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>[]◁▷|`\x00"))
DICTIONARIES = st.dictionaries(NAMES, SCALARS | WORDS | st.lists(SCALARS | WORDS, max_size=3), max_size=4)


def _gemma(value: Any) -> str:
    if isinstance(value, str):
        return f'<|"|>{value}<|"|>'
    if isinstance(value, list):
        return f"[{','.join(map(_gemma, value))}]"
    return json.dumps(value)


@given(NAMES, DICTIONARIES)
def test_arguments_survive_every_dialect(name: str, arguments: dict[str, Any]) -> None:
    body = json.dumps(arguments)
    keywords = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    texts = {
        "kimi": kimi(f"functions.{name}:0", body),
        "mistral": f"[TOOL_CALLS]{name}[ARGS]{body}",
        "deepseek": deepseek(f"{name}<｜tool▁sep｜>{body}"),
        "harmony": harmony(name, body),
        "named_json": f"<tool_call>{name}\n{body}</tool_call>",
        "gemma": gemma(f"call:{name}{{{','.join(f'{key}:{_gemma(value)}' for key, value in arguments.items())}}}"),
    }
    for dialect, text in texts.items():
        found = parse_reply(text)
        assert [(call.name, call.arguments) for call in found.calls] == [(name, arguments)], dialect
    found = parse_reply(f"<|python_start|>[{name}({keywords})]<|python_end|>")
    assert [(call.name, call.arguments) for call in found.calls] == [(name, arguments)]
