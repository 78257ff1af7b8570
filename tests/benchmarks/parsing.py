"""How long reading takes as a text grows: python tests/benchmarks/parsing.py [replies] [completions] [answers]

Each row is a text that repeats one piece, at three lengths that grow tenfold, in milliseconds of processor time. The
last column is the larger of the two ratios: about 10 means linear. A reply is read alone, cut off, and behind each of a
few beginnings; its row is the slowest of these, at the greatest length that which was slowest before. Answers of more
than 10,000 characters are not read.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

from hart_agent.answers import AnswerType, agree, chosen_letter, is_right
from hart_agent.backends.openai.completion import read_completion
from hart_agent.backends.openai.failures import ServerError
from hart_agent.dialogue.parsing import parse_reply

LENGTHS = (10_000, 100_000, 1_000_000)
ANSWER_LENGTHS = (100, 1_000, 10_000)
CALL = '{"name": "zoom", "arguments": {"n": 1}}'
PIECES = {
    "words": "the sign reads OPEN. ",
    "spaces": " ",
    "new lines": "\n",
    "digits": "7",
    "combining marks": "e\u0301\u0301",
    "opening thoughts": "<think>",
    "closing thoughts": "</think>",
    "thoughts": "<think>a</think>",
    "thoughts of other kinds": "◁think▷[THINK]<|channel>",
    "answers": "<answer>a</answer>",
    "opening answers": "<answer>",
    "half tags": "<answer",
    "calls": f"<tool_call>{CALL}</tool_call>",
    "opening calls": "<tool_call>",
    "mixed opening tags": "<tool_call><answer><|tool_call_begin|>[TOOL_CALLS]",
    "broken calls": "<tool_call>{</tool_call>",
    "broken values in one call": "{x}",
    "calls one after the other": CALL,
    "a list of calls": f"[{CALL}, ",
    "objects, never closed": '{"a": ',
    "braces": "{",
    "brackets": "[",
    "quotation marks": '"',
    "escaped quotation marks": '\\"',
    "commas": ", ",
    "numbers": "12,",
    "fences": "```",
    "fenced calls": f"```json\n{CALL}\n```\n",
    "named_json": f"<tool_call>zoom\n{CALL}",
    "qwen_xml": "<function=f><parameter=a>1</parameter></function>",
    "qwen_xml, never closed": "<function=f><parameter=a>",
    "qwen_xml, one call": "<parameter=a>[1,</parameter>",
    "glm": "<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>",
    "glm, one call": "<arg_key>a</arg_key><arg_value>[1",
    "kimi": "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>",
    "kimi, never closed": "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{",
    "mistral": "[TOOL_CALLS]f[ARGS]{}",
    "mistral, names": "[TOOL_CALLS]f[CALL_ID]",
    "deepseek": "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜>",
    "deepseek, never closed": "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{",
    "harmony": "<|channel|>analysis<|message|>a<|end|>",
    "harmony calls": "<|channel|>commentary to=functions.f<|message|>{}<|call|>",
    "harmony headers": "<|start|>assistant<|channel|>",
    "gemma": '<|tool_call>call:f{a:<|"|>b<|"|>}<tool_call|>',
    "gemma strings": '<|tool_call>call:f{a:<|"|>',
    "gemma, one call": '{a:<|"|>',
    "pythonic": "[f(a=1)] ",
    "pythonic, no tool of that name": "see [g(a=1)] ",
    "pythonic, never closed": "[f(a=",
    "ReAct": "Action: f\nAction Input: {}\n",
    "boxes": "\\boxed{",
    "lead-ins": "The answer is ",
    "lead-ins with clauses": "So, based on a, ",
    "bold": "**",
    "box tokens": "<|begin_of_box|>",
    "special tokens": "<|im_end|>",
    "half special tokens": "<|",
    "invented results": "<tool_response>",
}
PREFIXES = (
    "",
    "<tool_call>",
    '<tool_call>{"name": "zoom", "arguments": {"a": "',
    "<answer>",
    "[TOOL_CALLS]f[ARGS]{",
    "<tool_call>f<arg_key>a</arg_key><arg_value>",
    "<|tool_call>call:f{a:",
)
ENVELOPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "content": lambda length: {"content": "<answer>a</answer>" * (length // 18)},
    "content in parts": lambda length: {"content": [{"type": "text", "text": "a"}] * (length // 29)},
    "thoughts, no content": lambda length: {"content": None, "reasoning": "<answer>a" * (length // 9)},
    "calls": lambda length: {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}] * (length // 48)},
    "arguments": lambda length: {"function_call": {"name": "f", "arguments": "[" * length}},
    "arguments, encoded twice": lambda length: {"function_call": {"name": "f", "arguments": json.dumps('"' * length)}},
    "content, nested": lambda length: {"content": [[[["a"]]]] * (length // 9)},
}
ANSWERS = {
    "words": "the sign reads OPEN. ",
    "spaces": " ",
    "letters": "a",
    "letters of options": "B or C, ",
    "denials": "not A but B ",
    "reasons": "B because A is wrong. ",
    "questions": "B? ",
    "options' texts": "red ",
    "options gone through": "A: no.\n",
    "digits": "7",
    "numbers": "7 ",
    "numbers in words": "two hundred ",
    "thousands": "1,000,",
    "fractions": "1/2 ",
    "slashes": "1/",
    "signs": "-",
    "ranges": "1-",
    "times": "10:30 ",
    "colons": "1:",
    "dates": "3 May 2024 ",
    "telephone numbers": "555-",
    "money": "$",
    "units": "km ",
    "list": "a, ",
    "bullets": "- a\n",
    "combining marks": "e\u0301\u0301",
    "other scripts": "答案是B",
    "boxes": "\\boxed{",
    "box tokens": "<|begin_of_box|>",
    "LaTeX": "$\\text{",
    "lead-ins": "the answer is ",
    "brackets": " (",
    "quotation marks": '"',
    "punctuation": ".",
}
OPTIONS = ("red", "red car", "the red car on the left", "12")


def timed(read: Callable[[], object]) -> float:
    started = time.process_time()
    read()
    return (time.process_time() - started) * 1000


def reply_times(piece: str) -> list[float]:
    """At each length the slowest way in which the reply comes; at the last one that which was slowest before."""
    ways = [("", True), *((prefix, False) for prefix in PREFIXES)]
    found = []
    for length in LENGTHS:
        times = {way: _reply_time(way[0] + piece * (length // len(piece)), cut=way[1]) for way in ways}
        slowest = max(ways, key=lambda way: times[way])
        found.append(times[slowest])
        if length == LENGTHS[-2]:
            ways = [slowest]
    return found


def _reply_time(text: str, *, cut: bool) -> float:
    return timed(lambda: parse_reply(text, truncated=cut, schemas={"f": {}}))


def envelope_times(message: Callable[[int], dict[str, Any]]) -> list[float]:
    def read(answer: object) -> None:
        with suppress(ServerError):
            read_completion(answer)

    answers = [{"choices": [{"message": message(length)}]} for length in LENGTHS]
    return [timed(lambda answer=answer: read(answer)) for answer in answers]


def judge(answer: str, way: str) -> object:
    if way == "agree":
        return agree(answer, "x" + answer[1:])
    if way == "option":
        return chosen_letter(answer, OPTIONS, strict=True)
    return is_right(answer, "12", AnswerType(way), strict=True)


def answer_times(piece: str, way: str) -> list[float]:
    texts = [piece * ((length - 1) // len(piece)) + " " for length in ANSWER_LENGTHS]
    return [timed(lambda text=text: judge(text, way)) for text in texts]


def ratio(times: list[float]) -> float:
    """The largest growth, of times that are long enough to tell."""
    return max((after / max(before, 0.2) for before, after in pairwise(times)), default=0.0)


def heading(title: str, lengths: tuple[int, ...]) -> None:
    print(f"{title:32} " + " ".join(f"{length:>9,}" for length in lengths) + "   ratio", flush=True)


def row(name: str, runs: list[list[float]]) -> None:
    """The slowest run, and the largest ratio of any."""
    slowest = max(runs, key=lambda times: times[-1])
    print(f"{name:32} " + " ".join(f"{t:9.2f}" for t in slowest) + f"   {max(map(ratio, runs)):5.1f}", flush=True)


def main() -> None:
    chosen = sys.argv[1:] or ["replies", "completions", "answers"]
    if "replies" in chosen:
        heading("reply", LENGTHS)
        for name, piece in PIECES.items():
            row(name, [reply_times(piece)])
    if "completions" in chosen:
        heading("chat completion", LENGTHS)
        for name, message in ENVELOPES.items():
            row(name, [envelope_times(message)])
    if "answers" in chosen:
        heading("answer, slowest comparison", ANSWER_LENGTHS)
        for name, piece in ANSWERS.items():
            row(name, [answer_times(piece, way) for way in ("agree", "option", "number", "text", "list")])


if __name__ == "__main__":
    main()
