"""Replies of every kind, read as they are meant; what can't be read is refused with a hint."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reply_table import CALL, SCHEMAS, Row
from reply_table import ROWS as FIRST_ROWS
from reply_table_held_out import HELD_OUT
from reply_table_more import MORE

from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.results import HINT_ANSWER, HINT_TOOLS, ParsedReply
from hart_agent.dialogue.thoughts import split_thoughts

ROWS = [*FIRST_ROWS, *MORE, *HELD_OUT]


def read(row: Row) -> ParsedReply:
    return parse_reply(row.text, row.native, truncated=row.truncated, schemas=SCHEMAS)


@pytest.mark.parametrize("row", ROWS, ids=[f"{index}-{row.kind}" for index, row in enumerate(ROWS)])
def test_the_table(row: Row) -> None:
    found = read(row)
    calls = tuple((call.name, None if call.error else call.arguments) for call in found.calls)
    expected = (
        row.calls,
        row.answer,
        row.abstention,
        row.set_aside,
        row.plain,
        row.cut_off,
        row.dialect,
        row.reasoning,
    )
    assert (
        calls,
        found.answer,
        found.abstention,
        found.set_aside,
        found.plain,
        found.cut_off,
        found.dialect,
        found.reasoning,
    ) == expected
    assert (found.error is not None) == (row.error is not None)
    assert row.error is None or row.error in str(found.error)


def test_the_table_is_broad() -> None:
    assert len(ROWS) >= 120
    assert len({row.kind for row in ROWS}) >= 40
    assert len({row.text for row in ROWS}) >= 115  # some texts are read twice, cut off and not


# The seven replies that went wrong without a word.


def test_a_draft_in_a_thought_is_not_the_answer() -> None:
    text = "<think>I must end with <answer>the answer</answer>. It reads OPEN.</think><answer>OPEN</answer>"
    found = parse_reply(text)
    assert (found.answer, found.reasoning) == ("OPEN", "I must end with <answer>the answer</answer>. It reads OPEN.")


def test_a_call_rehearsed_in_a_thought_is_not_run() -> None:
    found = parse_reply(f"<think>I could write {CALL}</think><answer>OPEN</answer>")
    assert (found.calls, found.answer) == ((), "OPEN")


def test_a_thought_that_the_prompt_opened_is_a_thought() -> None:
    found = parse_reply("so <answer>A</answer>? no.</think><answer>B</answer>")
    assert (found.answer, found.reasoning) == ("B", "so <answer>A</answer>? no.")


def test_a_thought_that_a_stop_string_cut_gives_no_answer() -> None:
    found = parse_reply("<think>I must end with <answer>the answer")
    assert found.answer is None
    assert "never ends" in str(found.error)


def test_a_cut_off_answer_is_not_given() -> None:
    found = parse_reply("<answer>14 Alder", truncated=True)
    assert (found.answer, found.plain, found.cut_off) == (None, None, True)
    assert parse_reply("<answer>14 Alder").answer == "14 Alder"


@pytest.mark.parametrize("truncated", [False, True])
def test_a_number_that_may_be_half_is_not_completed(truncated: bool) -> None:
    text = '{"name":"crop","arguments":{"bbox_2d":[400,40,610,60'
    for reply in (text, f"<tool_call>{text}"):
        found = parse_reply(reply, truncated=truncated)
        assert (found.calls, found.cut_off) == ((), truncated)
        assert found.error is not None


def test_the_second_call_of_a_tag_is_read() -> None:
    text = '<tool_call>{"name": "zoom", "arguments": {"n": 1}}\n{"name": "zoom", "arguments": {"n": 2}}</tool_call>'
    assert [call.arguments for call in parse_reply(text).calls] == [{"n": 1}, {"n": 2}]


# Errors.


@pytest.mark.parametrize("row", [row for row in ROWS if row.error], ids=lambda row: row.kind)
def test_errors_end_with_what_to_write_and_fit_the_stage(row: Row) -> None:
    for hint in (HINT_TOOLS, HINT_ANSWER):
        error = parse_reply(row.text, row.native, truncated=row.truncated, schemas=SCHEMAS, hint=hint).error
        assert error is not None
        assert str(error).endswith(hint)
        assert ("tool" in str(error)) == (hint == HINT_TOOLS)
        assert len(str(error)) < 1000


def test_an_error_names_the_dialect_and_its_form() -> None:
    error = str(parse_reply("<tool_call><function=zoom><parameter=n>1", schemas=SCHEMAS).error)
    assert "qwen_xml" in error
    assert "<function=NAME><parameter=KEY>VALUE</parameter></function>" in error


def test_a_bad_call_keeps_its_name_and_its_place() -> None:
    good, bad = parse_reply(f'{CALL}<tool_call>{{"name": "crop", "arguments": [1]}}</tool_call>').calls
    assert good.error is None
    assert (bad.name, bad.arguments, bad.error and bad.error.kind) == ("crop", {}, "reply_format")


# Thoughts alone.


def test_thoughts_that_the_caller_knows_to_be_open() -> None:
    assert split_thoughts("hm</think>OPEN", opened=True) == ("hm", "OPEN")
    assert split_thoughts("hm", opened=True) == ("hm", "")
    assert split_thoughts("hm") == ("", "hm")


MARKS = (
    "<think> </think> <thinking> </thinking> ◁think▷ ◁/think▷ [THINK] [/THINK] <answer> </answer> <abstain> </abstain> "
    "<tool_call> </tool_call> <function= > <parameter= </parameter> </function> <arg_key> </arg_key> <arg_value> "
    "</arg_value> <|tool_calls_section_begin|> <|tool_call_begin|> <|tool_call_argument_begin|> <|tool_call_end|> "
    "[TOOL_CALLS] [ARGS] [/TOOL_CALLS] <｜tool▁call▁begin｜> <｜tool▁sep｜> <｜tool▁call▁end｜> <|channel|> "
    "<|message|> <|end|> <|call|> <|start|> analysis final to=functions.zoom <|tool_call> <tool_call|> call:zoom{ "
    "<|tool_call_start|> <|tool_call_end|> <|python_tag|> [zoom(n=1)] zoom( ) { } [ ] ' \\ , : ``` ```json "
    "<tool_response> <|im_end|> <|begin_of_box|> \\boxed{ ** answer: . \n 0 1e9 NaN null ſ İ \ud800 \x00"
).split(" ")
MARKS += ['"', '<|"|>']
TEXTS = st.lists(st.sampled_from([*MARKS, CALL, "OPEN", '{"name": "zoom"}']), max_size=25).map("".join) | st.text()


@given(TEXTS, st.booleans(), st.sampled_from([None, SCHEMAS]), st.sampled_from([HINT_TOOLS, HINT_ANSWER]))
def test_any_text_has_one_reading(text: str, truncated: bool, schemas: dict[str, dict[str, object]], hint: str) -> None:
    found = parse_reply(text, truncated=truncated, schemas=schemas, hint=hint)
    outcomes = [bool(found.calls), found.answer is not None, found.abstention is not None, found.error is not None]
    assert sum(outcomes) == 1
    assert found.error is not None or not found.cut_off
    assert found.plain is None or (found.error is not None and not truncated)
    assert found.answer is None or found.answer.strip() == found.answer != ""
    assert found.set_aside is None or found.calls
    assert any(call.error is None for call in found.calls) == bool(found.calls)
    assert all(not call.arguments for call in found.calls if call.error)
    json.dumps([call.arguments for call in found.calls], allow_nan=False)


@given(TEXTS, st.booleans())
def test_thoughts_are_set_aside_once_and_for_all(text: str, opened: bool) -> None:
    _, rest = split_thoughts(text, opened=opened)
    assert split_thoughts(rest) == ("", rest)


ENDS = ("</think", "◁/", "[/THINK]", "channel", "<thinking>")


@given(TEXTS.filter(lambda text: not any(end in text for end in ENDS)))
def test_nothing_in_a_thought_changes_what_follows(thought: str) -> None:
    found = parse_reply(f"<think>{thought}</think><answer>OPEN</answer>")
    assert (found.answer, found.reasoning) == ("OPEN", thought.strip())
    assert parse_reply(f"<think>{thought}</think>{CALL}", truncated=True).calls == parse_reply(CALL).calls
