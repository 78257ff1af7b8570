"""Model text to calls, answers or format errors: never an exception, strict JSON, bounded repair."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hart_agent.dialogue.dialects import DIALECTS
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.results import ParsedReply

MARKS = "<tool_call> </tool_call> <answer> </answer> <abstain> </abstain> <TOOL_CALL> ```json ``` { } [ ] \" ' \\ , :"
VALUES = ['"name"', '"arguments"', "NaN", "1e999", "-", "9" * 40, "null", "\ud800", "\x00", "é", "\n", " "]
FRAGMENTS = [*MARKS.split(), *VALUES, '{"name": "zoom", "arguments": {"a": 1}}']
HOSTILE = st.text() | st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
OPENERS = [opener for dialect in DIALECTS for opener, _ in dialect.markers]
ARGUMENTS = st.dictionaries(
    st.text(),
    st.recursive(SCALARS | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8),
    max_size=4,
)


def call(body: str) -> str:
    return f"<tool_call>{body}</tool_call>"


def wanted(parsed: ParsedReply) -> tuple[int, str | None, str | None, bool]:
    return len(parsed.calls), parsed.answer, parsed.abstention, parsed.error is not None


@given(HOSTILE, st.lists(st.tuples(st.text(), HOSTILE), max_size=2).map(tuple))
def test_any_text_gives_exactly_one_outcome(text: str, native: tuple[tuple[str, str], ...]) -> None:
    for parsed in (parse_reply(text), parse_reply(text, native)):
        outcomes = [
            bool(parsed.calls),
            parsed.answer is not None,
            parsed.abstention is not None,
            parsed.error is not None,
        ]
        assert sum(outcomes) == 1
        assert parsed.set_aside is None or parsed.calls
        json.dumps([call.arguments for call in parsed.calls], allow_nan=False)


@pytest.mark.long
@pytest.mark.parametrize(
    "text",
    [
        call("[" * 10_000),
        call('{"name": "zoom", "arguments": {"a": ' + "[" * 10_000 + "]" * 10_000 + "}}"),
        call('{"a":' * 10_000),
        call('{"name": "zoom", "arguments": ' + "{" * 90_000),
        call('{"name": "zoom", "arguments": {"a": "' + "\\" * 99_000),
        call('{"name": "zoom", "arguments": {"a": ' + '"' * 99_000),
        call('{"name": "zoom"' + ", " * 49_000),
        call("9" * 5000),
        "<tool_call>" * 100_000,
        "<answer" * 100_000,
        "```" * 100_000,
        "```json\n" + " " * 1_000_000 + "{",
        "{" * 1_000_000,
    ],
    ids=range(13),
)
def test_hostile_text_is_refused_in_little_time(text: str) -> None:
    started = time.perf_counter()
    assert parse_reply(text).error is not None
    assert time.perf_counter() - started < 5


@example("[TOOL_CALLS]", {})
@given(st.text(), ARGUMENTS)
def test_a_call_survives_the_round_trip(name: str, arguments: dict[str, object]) -> None:
    body = json.dumps({"name": name, "arguments": arguments})  # ASCII only: a tag inside a string would end the block
    body = body.replace("<", "\\u003c")
    written = [f"thinking\n{call(body)}"]
    if not any(opener in body.lower() for opener in OPENERS):  # in a call that isn't closed it would open the next one
        written.append(f"thinking\n<tool_call>{body}")
    for parsed in map(parse_reply, written):
        assert [(found.name, found.arguments, found.raw) for found in parsed.calls] == [(name, arguments, body)]


@given(st.text(), ARGUMENTS)
def test_a_native_call_survives_the_round_trip(name: str, arguments: dict[str, object]) -> None:
    body = json.dumps(arguments)
    (found,) = parse_reply("", ((name, body),)).calls
    assert (found.name, found.arguments, found.raw) == (name, arguments, body)


ZOOM = '{"name": "zoom", "arguments": {"a": 1}}'


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (call(ZOOM), (1, None, None, False)),
        (call(ZOOM) * 3, (3, None, None, False)),
        (f"<tool_call>{ZOOM}<tool_call>{ZOOM}", (2, None, None, False)),
        (f"<Tool_Call>\n{ZOOM}\n</Tool_Call>", (1, None, None, False)),
        (call(f"```json\n{ZOOM}\n```"), (1, None, None, False)),
        ("<answer>STOP</answer>", (0, "STOP", None, False)),
        ("The sign.\n<answer> two\nlines </answer> done", (0, "two\nlines", None, False)),
        ("<answer>cut off", (0, "cut off", None, False)),
        (f"<answer>STOP</answer>{call(ZOOM)}", (0, "STOP", None, False)),
        ("<answer>one</answer><answer>two</answer>", (0, "one", None, False)),
        ("<abstain>too dark</abstain>", (0, None, "too dark", False)),
        (f"<abstain>too dark</abstain>{call(ZOOM)}<answer>x</answer>", (0, None, "too dark", False)),
        ("<abstain></abstain>", (0, None, "no reason given", False)),
        (f"```json\n{ZOOM}\n```", (1, None, None, False)),
        (f"I look.\n```\n{ZOOM}\n```\nand\n```tool_call\n{ZOOM}\n```", (2, None, None, False)),
        (f"  {ZOOM}\n", (1, None, None, False)),
        (f"```json\n{ZOOM}\n```\n<answer>x</answer>", (0, "x", None, False)),
        (f"{ZOOM}<answer>x</answer>", (0, "x", None, False)),
        ("<answer> </answer>", (0, None, None, True)),
        ("", (0, None, None, True)),
        ("The sign says STOP.", (0, None, None, True)),
        (f"I call {ZOOM}", (0, None, None, True)),
        ('```json\n{"a": 1}\n```', (0, None, None, True)),
    ],
)
def test_precedence(text: str, outcome: tuple[int, str | None, str | None, bool]) -> None:
    assert wanted(parse_reply(text)) == outcome


def test_an_answer_behind_a_call_is_set_aside() -> None:
    parsed = parse_reply(f"{call(ZOOM)}<answer>STOP</answer>")
    assert wanted(parsed) == (1, None, None, False)
    assert parsed.set_aside == "STOP"


def test_native_calls_come_first() -> None:
    parsed = parse_reply(f"<answer>STOP</answer>{call(ZOOM)}", (("crop", '{"b": 2}'), ("verify", "")))
    assert [(found.name, found.arguments) for found in parsed.calls] == [("crop", {"b": 2}), ("verify", {})]


@given(st.lists(st.tuples(st.text(), HOSTILE), min_size=1, max_size=2).map(tuple), st.booleans())
def test_native_calls_are_read_alike_with_and_without_words(
    native: tuple[tuple[str, str], ...], truncated: bool
) -> None:
    alone, beside_words = (parse_reply(text, native, truncated=truncated) for text in ("", "I look closer."))
    assert (repr(alone.calls), alone.cut_off) == (repr(beside_words.calls), beside_words.cut_off)
    assert (str(alone.error), alone.answer, alone.plain) == (str(beside_words.error), None, None)


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "zoom", "arguments": {"a": [1, 2]}} and then',
        '{"name": "zoom", "arguments": {"a": [1, 2,],},}',
        '{"name": "zoom", "arguments": {"a": [1, 2',
        '{"name": "zoom", "arguments": {"a": [1, 2]',
        '{"name": "zoom", "arguments": {"a": [1, 2]}',
        '{"name": "zoom", "arguments": {"a": [1, 2], ',
        '{"name": "zoom", "arguments": {"a": [1, 2]}}}',
        '{"name": "zoom", "parameters": {"a": [1, 2]}}',
        '{"name": "zoom", "arguments": "{\\"a\\": [1, 2]}"}',
    ],
)
def test_slips_without_doubt_are_repaired(body: str) -> None:
    (found,) = parse_reply(call(body)).calls
    assert (found.name, found.arguments, found.raw) == ("zoom", {"a": [1, 2]}, body)


def test_repair_leaves_strings_alone() -> None:
    body = '{"name": "crop", "arguments": {"label": "a,] } \\" ,}", "b": [1,]}'
    assert parse_reply(call(body)).calls[0].arguments == {"label": 'a,] } " ,}', "b": [1]}


@pytest.mark.parametrize(
    "body",
    [
        "{'name': 'zoom', 'arguments': {}}",
        '{"name": "zoom", "arguments": {"a": None}}',
        '{"name": "zoom", "arguments": {"a": True}}',
        '{"name": "zoom", "arguments": {"a": NaN}}',
        '{"name": "zoom", "arguments": {"a": -Infinity}}',
        '{"name": "zoom", "arguments": {"a": 1e999}}',
        '{"name": "zoom", "arguments": {"a": -1e999}}',
        '{"name": "zoom", "arguments": {"a": 1' + "0" * 400 + "}}",
        '{"name": "zoom", "arguments": {"a": (1, 2)}}',
        '{"name": "zoom", "arguments": {"a": 0x10}}',
        '{"name": "zoom", "arguments": {"a": __import__("os")}}',
        '{"name": "zoom", "arguments": [1, 2]}',
        '{"name": "zoom", "arguments": null}',
        '{"name": "zoom", "arguments": "[1]"}',
        '{"name": "zoom", "arguments": "later"}',
        '{"name": "zoom", "arguments": {"a": [1}}}',
        '{"name": "zoom", "arguments": {"a": "open',
        '{"name": "zoom", "arguments": {"a": 1,, "b": 2}}',
        '{"name": "zoom", "arguments": {"a": ' + "[" * 40 + "]" * 40 + "}}",
        '{"name": 5, "arguments": {}}',
        '{"arguments": {}}',
        '["zoom"]',
        '"zoom"',
        "zoom",
        "",
    ],
)
def test_what_leaves_doubt_is_refused(body: str) -> None:
    parsed = parse_reply(call(body))
    assert parsed.error is not None
    assert parsed.error.kind == "reply_format"
    assert len(str(parsed.error)) < 1000


def test_good_calls_run_next_to_a_bad_one() -> None:
    for parsed in (parse_reply(call(ZOOM) + call("{")), parse_reply("", (("zoom", '{"a": 1}'), ("zoom", "[]")))):
        assert [(found.arguments, found.error is None) for found in parsed.calls] == [({"a": 1}, True), ({}, False)]
        assert parsed.error is None
    assert parse_reply(call("[") + call("{")).error is not None


def test_nesting_that_a_trace_can_hold_is_accepted() -> None:
    nested = '{"name": "zoom", "arguments": {"a": ' + "[" * 20 + "]" * 20 + "}}"
    assert len(parse_reply(call(nested)).calls) == 1
