"""Details of reading replies, each from its own table: marks around an answer, literals, limits, corrections."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from hart_agent.dialogue.blocks import corrected_answer, outside_blocks
from hart_agent.dialogue.json_calls import json_calls
from hart_agent.dialogue.json_repair import MAX_DEPTH, MAX_JSON, Ending, json_value, whole_json
from hart_agent.dialogue.literals import MAX_SOURCE, literal_text, parse_expressions
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.plain import latex_box, plain_answer, tagged_answer
from hart_agent.dialogue.text_values import typed_value
from hart_agent.dialogue.thoughts import conclusion, divide
from hart_agent.errors import ReplyFormatError


@pytest.mark.parametrize(
    "marked",
    ["**exit**", "__exit__", "*exit*", "`exit`", "$exit$", "\\(exit\\)", '"exit"', "“exit”", "'exit'", "\\boxed{exit}",
     "\\text{exit}", "\\textbf{exit}", "\\mathrm{exit}", "\\mathbf{exit}", '"`exit`"', "exit"],
)  # fmt: skip
def test_marks_around_an_answer_in_words_are_taken_off(marked: str) -> None:
    assert plain_answer(f"The answer is {marked}.") == "exit"


@pytest.mark.parametrize(
    ("written", "kept"),
    [("**exit**", "exit"), ("\\boxed{exit}", "exit"), ("\\text{exit}", "exit"), ("`exit`", "`exit`"),
     ('"exit"', '"exit"'), ("\\mathbf{exit}", "\\mathbf{exit}")],
)  # fmt: skip
def test_between_tags_fewer_marks_are_taken_off(written: str, kept: str) -> None:
    assert tagged_answer(written) == kept


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("出口。", "出口"),
        ('The answer is "a" or "b".', '"a" or "b"'),
        ('{"answer": "exit"}', "exit"),
        ('{"final_answer": "exit"}', "exit"),
        ('{"final_answer": 7}', "7"),
        ("The answer is 9 a.m.", "9 a.m."),
        ("The answer is 9.", "9"),
        ("**The exit** is near", "The exit is near"),
        ("2 ** 3 is near", "2 ** 3 is near"),
    ],
)
def test_answers_in_words(reply: str, answer: str) -> None:
    assert plain_answer(reply) == answer


def test_a_box_is_found_from_the_first_character_on_and_within_the_last_20000() -> None:
    assert latex_box("\\boxed{7}") == "7"
    assert latex_box("7") == ""
    box = "<|begin_of_box|>7<|end_of_box|>"
    for more, found in ((0, True), (1, False)):
        assert (plain_answer(box + "x" * (20_000 - len(box) + more)) == "7") == found


def test_names_of_json_are_literals_too() -> None:
    assert literal_text("[true, false, null, True, None]") == [True, False, None, True, None]


def test_the_limits_of_literals() -> None:
    assert literal_text(json.dumps("x" * (MAX_SOURCE - 4))) == "x" * (MAX_SOURCE - 4)  # in quotes and brackets
    with pytest.raises(ReplyFormatError, match="characters long"):
        literal_text(json.dumps("x" * (MAX_SOURCE - 3)))
    for levels in (MAX_DEPTH + 2, MAX_DEPTH + 3):
        text = "[0, " * levels + "]" * levels
        if levels > MAX_DEPTH + 2:
            with pytest.raises(ReplyFormatError, match="nested more than 32 levels deep"):
                parse_expressions(text)
        else:
            assert len(parse_expressions(text)) == 2


def test_what_python_would_warn_of_is_read_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(parse_expressions("1 is 1")) == 1


def test_the_limits_of_json() -> None:
    assert whole_json(json.dumps("x" * (MAX_JSON - 2))) == "x" * (MAX_JSON - 2)
    assert whole_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for text in (json.dumps("x" * (MAX_JSON - 1)), "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)):
        with pytest.raises(ReplyFormatError, match="too long, or nested too deeply"):
            whole_json(text)


@pytest.mark.parametrize("last", ['{"a": {"b": 1}', '{"a": [1]', '{"a": "b"'])
def test_a_value_that_ended_by_itself_may_lack_its_last_closer(last: str) -> None:
    assert json_value(last, Ending.STOP) == json.loads(last + "}")
    assert json_value(last, Ending.MARKER) == json.loads(last + "}")
    with pytest.raises(ReplyFormatError):
        json_value(last, Ending.LIMIT)


def test_half_a_number_is_completed_only_before_a_mark() -> None:
    assert json_value('{"a": 60', Ending.MARKER) == {"a": 60}
    for ending in (Ending.STOP, Ending.LIMIT):
        with pytest.raises(ReplyFormatError):
            json_value('{"a": 60', ending)


def test_what_keeps_the_books_is_no_argument() -> None:
    flat = {"id": "1", "type": "function", "index": 0, "call_id": "2", "tool_call_id": "3", "name": "zoom", "x": 1}
    (call,) = json_calls(json.dumps(flat), Ending.STOP)
    assert (call.name, call.arguments, call.error) == ("zoom", {"x": 1}, None)


def test_arguments_may_be_wrapped_in_a_string_twice() -> None:
    text: Any = {"x": 1}
    for times in range(4):
        (call,) = json_calls(json.dumps({"name": "zoom", "arguments": text}), Ending.STOP)
        assert (call.arguments, call.error is None) == (({"x": 1}, True) if times <= 2 else ({}, False))
        text = json.dumps(text)


def test_each_of_several_calls_keeps_its_own_text_and_a_single_one_all_of_it() -> None:
    one, other = '{"name": "zoom", "arguments": {}}', '{"name": "crop", "arguments": {}}'
    assert [call.raw for call in json_calls(f"{one}\n{other}", Ending.STOP)] == [one, other]
    assert [call.raw for call in json_calls(f" {one} thus", Ending.STOP)] == [f" {one} thus"]


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("[1]", {"type": "array"}, [1]),
        ("(1, 2)", {"type": "array"}, [1, 2]),
        ("{'a': True}", {"type": "object"}, {"a": True}),
        ("True", {"type": "boolean"}, True),
        ("None", {"type": "null"}, None),
        ("7", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, 7),
        ("7", {"oneOf": [{"type": "integer"}, {"type": "null"}]}, 7),
        ("7", {"anyOf": [{"type": "string"}]}, "7"),
        ("7", {"oneOf": [{"type": "string"}]}, "7"),
        ("007", {"type": "integer"}, 7),
        ("true", {"type": "integer"}, "true"),
    ],
)
def test_bare_text_is_of_the_type_that_is_asked_for(text: str, schema: dict[str, Any], value: Any) -> None:
    found = typed_value(text, schema)
    assert (found, type(found)) == (value, type(value))


def test_what_stands_outside_blocks_is_kept_whole() -> None:
    assert outside_blocks("one <answer>x</answer> two <finding>y</finding> three") == "one  two  three"
    assert outside_blocks("no block") == "no block"


@pytest.mark.parametrize(
    ("reply", "last"),
    [
        ("<answer>a</answer> Wait, that is wrong. <answer>b</answer>", "b"),
        ("<answer>a</answer> <answer>b</answer>", None),
        ("<answer>a</answer> Wait, that is wrong. <abstain>b</abstain>", None),
        ("<finding>a</finding> Wait, that is wrong. <answer>b</answer>", None),
        ("<answer>a</answer>", None),
    ],
)
def test_a_later_answer_counts_where_the_first_is_taken_back(reply: str, last: str | None) -> None:
    block = corrected_answer(reply)
    assert (block and block.body) == last


@pytest.mark.parametrize(("written", "calls"), [("[zoom(count=60)]", 1), ("[zoom(count=60)", 0), ("[zoom(count=60", 0)])
def test_of_a_reply_that_was_cut_off_only_calls_that_are_closed_count(written: str, calls: int) -> None:
    schemas = {"zoom": {"properties": {"count": {"type": "integer"}}}}
    parsed = parse_reply(written, truncated=True, schemas=schemas)
    assert [call.arguments for call in parsed.calls] == [{"count": 60}] * calls


def test_of_several_bad_calls_the_first_is_told() -> None:
    parsed = parse_reply('<tool_call>{"name": 7}</tool_call><tool_call>{"name": "zoom", "arguments": 1}</tool_call>')
    assert parsed.calls == ()
    assert 'It must be a JSON object with "name" and "arguments".' in str(parsed.error)


def test_a_thought_may_end_in_a_block_in_any_letters() -> None:
    assert conclusion("I see. <ANSWER>x</Answer>") == ("I see.", "<ANSWER>x</Answer>")
    assert conclusion("I see. <answer>x</abstain>") is None
    assert conclusion("<answer>x</answer> I see.") is None


def test_a_call_in_a_channel_without_its_end_has_none() -> None:
    start = "<|channel|>commentary to=functions.zoom <|message|>{}"
    assert divide(start).rest.endswith("{}")
    assert divide(f"{start}<|call|>").rest.endswith("{}<|call|>")
