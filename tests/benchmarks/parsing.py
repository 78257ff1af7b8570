"""How long reading a reply takes as it grows: python tests/benchmarks/parsing.py

Each row is a text that repeats one piece, at four lengths. The last column is the largest ratio of times between a
length and half of it: about 2 means linear.
"""

from __future__ import annotations

import time
from itertools import pairwise

from hart_agent.dialogue.parsing import parse_reply

LENGTHS = (125_000, 250_000, 500_000, 1_000_000)
CALL = '{"name": "zoom", "arguments": {"n": 1}}'
PIECES = {
    "words": "the sign reads OPEN. ",
    "spaces": " ",
    "opening thoughts": "<think>",
    "closing thoughts": "</think>",
    "thoughts": "<think>a</think>",
    "answers": "<answer>a</answer>",
    "opening answers": "<answer>",
    "half tags": "<answer",
    "calls": f"<tool_call>{CALL}</tool_call>",
    "opening calls": "<tool_call>",
    "mixed opening tags": "<tool_call><answer><|tool_call_begin|>[TOOL_CALLS]",
    "broken calls": "<tool_call>{</tool_call>",
    "broken values in one call": "{x}",
    "braces": "{",
    "brackets": "[",
    "quotation marks": '"',
    "escaped quotation marks": '\\"',
    "commas": ", ",
    "fences": "```",
    "fenced calls": f"```json\n{CALL}\n```\n",
    "qwen_xml": "<function=f><parameter=a>1</parameter></function>",
    "qwen_xml, never closed": "<function=f><parameter=a>",
    "glm": "<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>",
    "kimi": "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>",
    "deepseek": "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜>",
    "harmony": "<|channel|>analysis<|message|>a<|end|>",
    "harmony calls": "<|channel|>commentary to=functions.f<|message|>{}<|call|>",
    "harmony headers": "<|start|>assistant<|channel|>",
    "gemma": '<|tool_call>call:f{a:<|"|>b<|"|>}<tool_call|>',
    "gemma strings": '<|tool_call>call:f{a:<|"|>',
    "pythonic": "[f(a=1)] ",
    "pythonic, never closed": "[f(a=",
    "boxes": "\\boxed{",
    "lead-ins": "The answer is ",
    "bold": "**",
    "box tokens": "<|begin_of_box|>",
    "special tokens": "<|im_end|>",
    "half special tokens": "<|",
}
PREFIXES = ("", "<tool_call>", '<tool_call>{"name": "zoom", "arguments": {"a": "', "<answer>", "[TOOL_CALLS]f[ARGS]{")


def seconds(text: str) -> float:
    started = time.perf_counter()
    parse_reply(text, schemas={"f": {}})
    return time.perf_counter() - started


def main() -> None:
    print(f"{'piece':40} {'prefix':12} " + " ".join(f"{length:>9,}" for length in LENGTHS) + "   ratio")
    for prefix in PREFIXES:
        for name, piece in PIECES.items():
            times = [seconds(prefix + piece * (length // len(piece))) for length in LENGTHS]
            ratio = max(after / max(before, 1e-3) for before, after in pairwise(times))
            print(f"{name:40} {prefix[:12]:12} " + " ".join(f"{t:9.4f}" for t in times) + f"   {ratio:.1f}")


if __name__ == "__main__":
    main()
