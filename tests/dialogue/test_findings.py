"""What a model says it has found out on the way: it ends nothing, and hides nothing of the reply."""

from __future__ import annotations

import pytest
from conftest import answer, tool_call

from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.results import ParsedReply

ZOOM = tool_call("zoom", bbox_2d=[0, 0, 100, 100])


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (f"<finding>a red door</finding>{ZOOM}", ("a red door",)),
        (f"{ZOOM}<finding>a red door</finding>", ("a red door",)),
        (f"<FINDING> a red door </Finding>\n{ZOOM}", ("a red door",)),
        (f"<finding>a red door{ZOOM}", ("a red door",)),
        (f"<finding>one</finding><finding>two</finding>{ZOOM}", ("one", "two")),
        (f"<finding>  </finding>{ZOOM}", ()),
        (f"<finding>{ZOOM}", ()),
        (f"<think><finding>rehearsed</finding></think><finding>said</finding>{ZOOM}", ("said",)),
        ('<finding>one</finding>{"name": "zoom", "arguments": {"bbox_2d": [0, 0, 100, 100]}}', ("one",)),
        (tool_call("zoom", bbox_2d=[0, 0, 100, 100], label="<finding>no</finding>"), ()),
    ],
)
def test_a_finding_stands_beside_a_call(text: str, findings: tuple[str, ...]) -> None:
    read = parse_reply(text)
    (call,) = read.calls
    assert (call.name, call.arguments["bbox_2d"], read.findings) == ("zoom", [0, 0, 100, 100], findings)
    assert read.answer is None
    assert read.error is None


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (f"<finding>a red door</finding>{answer('STOP')}", ("a red door",)),
        (f"{answer('STOP')}<finding>too late</finding>", ()),
        (f"<finding>one</finding>{answer('STOP')}<finding>too late</finding>", ("one",)),
        ("<finding>one</finding><answer>STOP<finding>too late</finding></answer>", ("one",)),
    ],
)
def test_what_is_found_out_before_an_answer_counts(text: str, findings: tuple[str, ...]) -> None:
    read = parse_reply(text)
    assert (read.answer, read.findings, read.error) == ("STOP", findings, None)


def test_a_finding_before_an_abstention() -> None:
    read = parse_reply("<finding>the sign is hidden</finding><abstain>a tree stands before it</abstain>")
    assert (read.abstention, read.findings) == ("a tree stands before it", ("the sign is hidden",))


def test_a_finding_alone_asks_for_nothing() -> None:
    read = parse_reply("<finding>STOP</finding>")
    assert read.error is not None
    assert (read.answer, read.plain, read.calls, read.findings) == (None, None, (), ("STOP",))


def test_a_finding_is_no_part_of_an_answer_in_plain_words() -> None:
    assert parse_reply("<finding>it is red</finding>\nSTOP").plain == parse_reply("STOP").plain == "STOP"


def test_half_a_finding_does_not_count() -> None:
    cut = parse_reply("<finding>one</finding><finding>the number is 1", truncated=True)
    assert (cut.findings, cut.cut_off) == (("one",), True)
    whole = parse_reply(f"<finding>the number is 12</finding>{ZOOM}", truncated=True)
    assert (whole.findings, len(whole.calls), whole.cut_off) == (("the number is 12",), 1, False)


def test_nothing_changes_without_a_finding() -> None:
    for text in (ZOOM, answer("STOP"), "STOP", "", "finding: STOP", "</finding>"):
        assert parse_reply(text).findings == ()
    assert parse_reply(ZOOM) == ParsedReply(parse_reply(ZOOM).calls, dialect="json")


def test_no_more_findings_are_kept_than_calls() -> None:
    read = parse_reply("<finding>x</finding>" * 2_000 + ZOOM)
    assert (len(read.calls), len(read.findings)) == (1, 128)
