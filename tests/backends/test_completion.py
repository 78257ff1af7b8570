"""What servers put into a chat completion, and what is read from it: each row is a kind that was met, in our words."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai_asks import ZOOM

from hart_agent.backends.openai.completion import read_completion
from hart_agent.backends.openai.failures import Problem, ServerError
from hart_agent.dialogue.policy import FinishReason, Reply, Usage

OPEN = "<answer>OPEN</answer>"
THOUGHT = "It reads OPEN."


def body(message: Any = None, *, usage: Any = None, finish: Any = "stop", **top: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage, **top}


def calls(*entries: Any) -> dict[str, Any]:
    return {"content": None, "tool_calls": list(entries)}


def call(arguments: Any, name: Any = "zoom") -> dict[str, Any]:
    return {"id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}


BOX = '{"bbox_2d": [1, 2, 3, 4]}'

READ: dict[str, tuple[Any, Reply]] = {
    # where the words are
    "text": (body({"content": OPEN}), Reply(OPEN)),
    "parts": (
        body({"content": [{"type": "text", "text": "<answer>OP"}, {"type": "text", "text": "EN</answer>"}]}),
        Reply(OPEN),
    ),
    "parts of another name": (body({"content": [{"type": "output_text", "text": OPEN}]}), Reply(OPEN)),
    "texts in a list": (body({"content": ["<answer>", "OPEN", "</answer>"]}), Reply(OPEN)),
    "one part without a list": (body({"content": {"type": "text", "text": OPEN}}), Reply(OPEN)),
    "part without a type": (body({"content": [{"text": OPEN}]}), Reply(OPEN)),
    "nested text": (body({"content": [{"type": "text", "text": {"text": OPEN}}]}), Reply(OPEN)),
    "a picture among the parts": (
        body({"content": [{"type": "image_url", "image_url": {}}, {"type": "text", "text": OPEN}]}),
        Reply(OPEN),
    ),
    "a text with notes": (
        body({"content": [{"type": "text", "text": {"value": OPEN, "annotations": []}}]}),
        Reply(OPEN),
    ),
    "null": (body({"content": None}), Reply("")),
    "no content at all": (body({"role": "assistant"}), Reply("")),
    "completions API": ({"choices": [{"text": OPEN, "finish_reason": "stop"}]}, Reply(OPEN)),
    "delta": ({"choices": [{"delta": {"content": OPEN}, "finish_reason": "stop"}]}, Reply(OPEN)),
    "message is a text": (body(OPEN), Reply(OPEN)),
    "choices is an object": ({"choices": {"message": {"content": OPEN}, "finish_reason": "stop"}}, Reply(OPEN)),
    "a null choice first": ({"choices": [None, {"message": {"content": OPEN}, "finish_reason": "stop"}]}, Reply(OPEN)),
    "two choices": (
        {"choices": [{"message": {"content": OPEN}, "finish_reason": "stop"}, {"message": {"content": "B"}}]},
        Reply(OPEN),
    ),
    # thoughts
    "reasoning_content": (body({"content": OPEN, "reasoning_content": THOUGHT}), Reply(OPEN, reasoning=THOUGHT)),
    "reasoning": (body({"content": OPEN, "reasoning": THOUGHT}), Reply(OPEN, reasoning=THOUGHT)),
    "both, which say the same": (
        body({"content": OPEN, "reasoning": THOUGHT, "reasoning_content": THOUGHT}),
        Reply(OPEN, reasoning=THOUGHT),
    ),
    "reasoning_details": (
        body({"content": OPEN, "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}]}),
        Reply(OPEN, reasoning=THOUGHT),
    ),
    "thinking parts": (
        body(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
                    {"type": "text", "text": OPEN},
                ]
            }
        ),
        Reply(OPEN, reasoning=THOUGHT),
    ),
    "reasoning that is none": (body({"content": OPEN, "reasoning": {"effort": 3}}), Reply(OPEN)),
    "the answer among the thoughts": (
        body({"content": None, "reasoning_content": f"I see. {OPEN}"}),
        Reply(OPEN, reasoning=f"I see. {OPEN}"),
    ),
    "the last of two": (
        body({"content": "", "reasoning": f"<answer>SHUT</answer>? No. {OPEN}"}),
        Reply(OPEN, reasoning=f"<answer>SHUT</answer>? No. {OPEN}"),
    ),
    "an answer among the thoughts, blank content": (
        body({"content": "\n", "reasoning": OPEN}),
        Reply(OPEN, reasoning=OPEN),
    ),
    "an abstention among the thoughts": (
        body({"content": None, "reasoning": "<abstain>dark</abstain>"}),
        Reply("<abstain>dark</abstain>", reasoning="<abstain>dark</abstain>"),
    ),
    "a draft when there is content": (
        body({"content": "hm", "reasoning": "<answer>SHUT</answer>"}),
        Reply("hm", reasoning="<answer>SHUT</answer>"),
    ),
    "thoughts without an answer": (body({"content": None, "reasoning": THOUGHT}), Reply("", reasoning=THOUGHT)),
    "a draft in thoughts that are cut off": (
        body({"content": None, "reasoning": OPEN}, finish="length"),
        Reply("", finish_reason=FinishReason.LENGTH, reasoning=OPEN),
    ),
    "half an answer among the thoughts": (
        body({"content": None, "reasoning": "<answer>OP"}),
        Reply("", reasoning="<answer>OP"),
    ),
    "a call rehearsed in thoughts": (body({"content": None, "reasoning": ZOOM}), Reply("", reasoning=ZOOM)),
    # why it ended
    "cut off": (
        body({"content": "<answer>OP"}, finish="length"),
        Reply("<answer>OP", finish_reason=FinishReason.LENGTH),
    ),
    "cut off, in other words": (
        body({"content": "<answer>OP"}, finish="MAX_TOKENS"),
        Reply("<answer>OP", finish_reason=FinishReason.LENGTH),
    ),
    "no reason": (body({"content": OPEN}, finish=None), Reply(OPEN, finish_reason=None)),
    "an unknown reason": (body({"content": OPEN}, finish="because"), Reply(OPEN, finish_reason=None)),
    "a reason of another kind": (body({"content": OPEN}, finish={"type": "stop"}), Reply(OPEN, finish_reason=None)),
    # calls
    "a call": (body(calls(call(BOX))), Reply("", (("zoom", BOX),))),
    "two calls": (body(calls(call(BOX), call("{}", "crop"))), Reply("", (("zoom", BOX), ("crop", "{}")))),
    "arguments as an object": (body(calls(call({"bbox_2d": [1, 2, 3, 4]}))), Reply("", (("zoom", BOX),))),
    "arguments encoded twice": (body(calls(call(json.dumps(BOX)))), Reply("", (("zoom", BOX),))),
    "arguments encoded thrice": (body(calls(call(json.dumps(json.dumps(BOX))))), Reply("", (("zoom", BOX),))),
    "arguments null": (body(calls(call(None))), Reply("", (("zoom", ""),))),
    "arguments empty": (body(calls(call(""))), Reply("", (("zoom", ""),))),
    "arguments 'null'": (body(calls(call("null"))), Reply("", (("zoom", ""),))),
    "arguments a list": (body(calls(call([1, 2]))), Reply("", (("zoom", "[1, 2]"),))),
    "arguments damaged": (body(calls(call('"{'))), Reply("", (("zoom", '"{'),))),
    "name null": (body(calls(call(BOX, None))), Reply("", (("", BOX),))),
    "name a number": (body(calls(call(BOX, 7))), Reply("", (("", BOX),))),
    "calls null": (body({"content": OPEN, "tool_calls": None}), Reply(OPEN)),
    "calls empty": (body({"content": OPEN, "tool_calls": []}), Reply(OPEN)),
    "null among calls": (body({"content": OPEN, "tool_calls": [None]}), Reply(OPEN)),
    "calls as one object": (body({"content": None, "tool_calls": call(BOX)}), Reply("", (("zoom", BOX),))),
    "calls as texts": (body(calls(json.dumps(call(BOX)))), Reply("", (("zoom", BOX),))),
    "calls as one text": (body({"content": None, "tool_calls": json.dumps([call(BOX)])}), Reply("", (("zoom", BOX),))),
    "a call that is only words": (body(calls("zoom in")), Reply("", (("", '"zoom in"'),))),
    "a call that is a number": (body(calls(7)), Reply("", (("", "7"),))),
    "without the wrapper": (body(calls({"name": "zoom", "arguments": BOX})), Reply("", (("zoom", BOX),))),
    "other names for arguments": (
        body(calls({"name": "zoom", "input": {"bbox_2d": [1, 2, 3, 4]}})),
        Reply("", (("zoom", BOX),)),
    ),
    "custom": (body(calls({"type": "custom", "custom": {"name": "zoom", "input": BOX}})), Reply("", (("zoom", BOX),))),
    "legacy": (
        body({"content": None, "function_call": {"name": "zoom", "arguments": BOX}}, finish="function_call"),
        Reply("", (("zoom", BOX),)),
    ),
    "calls by number": (body({"content": None, "tool_calls": {"0": call(BOX)}}), Reply("", (("zoom", BOX),))),
    "no calls, in words": (body({"content": OPEN, "tool_calls": "none", "function_call": "none"}), Reply(OPEN)),
    "legacy null": (body({"content": OPEN, "function_call": None}), Reply(OPEN)),
    # refusals and errors that are none
    "a refusal next to words": (body({"content": OPEN, "refusal": "no"}), Reply(OPEN)),
    "refusal null": (body({"content": OPEN, "refusal": None}), Reply(OPEN)),
    "error null": (body({"content": OPEN}, error=None), Reply(OPEN)),
    # usage
    "usage": (
        body({"content": OPEN}, usage={"prompt_tokens": 9, "completion_tokens": 2}),
        Reply(OPEN, usage=Usage(9, 2, 1)),
    ),
    "usage in texts": (
        body({"content": OPEN}, usage={"prompt_tokens": "9", "completion_tokens": "many"}),
        Reply(OPEN, usage=Usage(9, 0, 1)),
    ),
    "usage negative": (
        body({"content": OPEN}, usage={"prompt_tokens": -9, "completion_tokens": 2.0}),
        Reply(OPEN, usage=Usage(0, 2, 1)),
    ),
    "usage endless": (
        body({"content": OPEN}, usage={"prompt_tokens": float("inf"), "completion_tokens": float("nan")}),
        Reply(OPEN),
    ),
    "usage true": (body({"content": OPEN}, usage={"prompt_tokens": True, "completion_tokens": [2]}), Reply(OPEN)),
    "usage a list": (body({"content": OPEN}, usage=[9, 2]), Reply(OPEN)),
    "usage a text": (body({"content": OPEN}, usage="11"), Reply(OPEN)),
}


@pytest.mark.parametrize("kind", READ)
def test_what_is_read(kind: str) -> None:
    given_body, expected = READ[kind]
    reply = read_completion(given_body)
    assert (reply.text, reply.native_calls, reply.reasoning) == (
        expected.text,
        expected.native_calls,
        expected.reasoning,
    )
    assert reply.usage == expected.usage
    if "reason" not in kind and expected.finish_reason is None:
        assert reply.finish_reason is FinishReason.STOP
    elif "thought" not in kind and "reasoning" not in kind:
        assert reply.finish_reason is expected.finish_reason


REFUSED: dict[str, tuple[Any, Problem, str]] = {
    "a page": ("<html>hello</html>", Problem.PATH, "hello"),
    "a number": (7, Problem.PATH, "7"),
    "a list": ([body({"content": OPEN})], Problem.PATH, "chat completion"),
    "no choices": ({"id": "1"}, Problem.PATH, "chat completion"),
    "choices empty": ({"choices": []}, Problem.BUSY, "is empty"),
    "choices null": ({"choices": None}, Problem.BUSY, "is empty"),
    "a message that is a list": (body([OPEN]), Problem.BUSY, "is empty"),
    "content a number": (body({"content": 7}), Problem.BUSY, "neither text nor parts: '7'"),
    "content true": (body({"content": True}), Problem.BUSY, "neither text nor parts"),
    "content an object": (body({"content": {"x": 1}}), Problem.BUSY, "neither text nor parts"),
    "content numbers": (body({"content": [1, 2]}), Problem.BUSY, "neither text nor parts"),
    "content nested": (body({"content": json.loads("[" * 99 + "]" * 99)}), Problem.BUSY, "neither text nor parts"),
    "a refusal": (body({"content": None, "refusal": "I can't help."}), Problem.REFUSED, "I can't help."),
    "a refusal among parts": (body({"content": [{"type": "refusal", "refusal": "No."}]}), Problem.REFUSED, "No."),
    "filtered": (body({"content": ""}, finish="content_filter"), Problem.REFUSED, "content_filter"),
    "half a reply, then filtered": (
        body({"content": OPEN}, finish="content_filter"),
        Problem.REFUSED,
        "content_filter",
    ),
    "filtered elsewhere": (body({"content": None}, finish="SAFETY"), Problem.REFUSED, "SAFETY"),
    "filtered before a word": ({"choices": [{"finish_reason": "content_filter"}]}, Problem.REFUSED, "content_filter"),
    "broken while it spoke": (body({"content": "<answ"}, finish="error"), Problem.BUSY, "error"),
    "error": ({"error": {"message": "overloaded", "code": 503}}, Problem.BUSY, "HTTP 200 with error 503: overloaded"),
    "error without a number": ({"error": {"message": "no"}}, Problem.BUSY, "HTTP 200 with an error: no"),
    "error with a code in words": (
        {"error": {"message": "slow down", "code": "rate_limit_exceeded"}},
        Problem.BUSY,
        "slow down",
    ),
    "error with a status in words": ({"error": {"message": "slow down", "code": "429"}}, Problem.BUSY, "429"),
    "error of a type": ({"error": {"message": "bad key", "type": "authentication_error"}}, Problem.KEY, "bad key"),
    "error, no such model": (
        {"error": {"message": "The model x does not exist", "code": "model_not_found"}},
        Problem.MODEL,
        "model x",
    ),
    "error, too long": (
        {"error": {"message": "maximum context length is 900 tokens", "code": 400}},
        Problem.CONTEXT,
        "900",
    ),
    "error, out of money": ({"error": {"message": "pay", "code": "insufficient_quota"}}, Problem.OTHER, "pay"),
    "error, filtered": ({"error": {"message": "blocked by content filter", "code": 400}}, Problem.REFUSED, "blocked"),
    "error without words": ({"error": {"x": 1}}, Problem.BUSY, "x"),
    "error as a text": ({"error": "it broke"}, Problem.BUSY, "it broke"),
    "error true": ({"error": True}, Problem.BUSY, "true"),
    "error beside an answer": (body({"content": OPEN}, error={"message": "no", "code": 400}), Problem.OTHER, "no"),
    "error in a choice": ({"choices": [{"error": {"message": "gone", "code": 502}}]}, Problem.BUSY, "gone"),
    "error in a choice with half a reply": (
        {"choices": [{"error": {"message": "gone", "code": 502}, "message": {"content": "<ans"}}]},
        Problem.BUSY,
        "gone",
    ),
    "error object": (
        {"object": "error", "message": "no such model", "type": "NotFoundError", "code": 404},
        Problem.MODEL,
        "no such model",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_says_what_came(kind: str) -> None:
    given_body, problem, words = REFUSED[kind]
    with pytest.raises(ServerError) as caught:
        read_completion(given_body)
    assert caught.value.failure.problem is problem
    assert words in caught.value.failure.message


WORDS = st.sampled_from(
    "choices message content tool_calls function arguments name usage error code type text finish_reason reasoning "
    "length content_filter null 429 prompt_tokens <answer>x</answer> refusal delta {} \"{}\" [null]".split()
) | st.text(max_size=5)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=max(100, settings().max_examples))
@given(ANYTHING, ANYTHING, ANYTHING)
def test_anything_is_read_or_refused(message: Any, choice: Any, usage: Any) -> None:
    shapes = [choice, body(message, usage=usage), {"choices": choice, "usage": usage, "error": message}]
    shapes.append(body({"content": choice, "tool_calls": message, "reasoning": usage}, finish=choice))
    for shape in shapes:
        with suppress(ServerError):
            reply = read_completion(shape)
            assert isinstance(reply.text, str)
            assert all(isinstance(part, str) for native in reply.native_calls for part in native)
            assert min(reply.usage.input_tokens, reply.usage.output_tokens) >= 0
