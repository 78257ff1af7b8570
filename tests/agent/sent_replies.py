"""What models and servers send, as bodies of chat completions, and what `hart-agent ask` makes of it.

The image has 700 x 560 pixels, on which a model named qwen2.5-vl writes its boxes. The sign there reads "14 Alder Lane".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from loopback import Behaviour, completion, refuse, send

RIGHT = "14 Alder Lane"
TAGGED = f"<answer>{RIGHT}</answer>"
BOX = [400, 40, 610, 160]
SECOND = [20, 300, 180, 420]
OTHER = [1, 2, 3, 4]


def call_json(box: Any = BOX, key: str = "arguments", **more: Any) -> str:
    return json.dumps({"name": "crop", key: {"bbox_2d": box, "label": "sign", **more}})


CALL = f"<tool_call>{call_json()}</tool_call>"
REHEARSED = f"<tool_call>{call_json(OTHER)}</tool_call>"
TEXT = json.dumps(json.dumps({"bbox_2d": BOX, "label": "sign"}))


def sends(text: Any, finish: str = "stop", **fields: Any) -> Behaviour:
    """A chat completion; `fields` belong to its message."""
    body = completion(None)
    body["choices"][0]["finish_reason"] = finish
    body["choices"][0]["message"] |= {"content": text, **fields}
    return lambda handler: send(handler, 200, body)


def sends_body(**fields: Any) -> Behaviour:
    """A chat completion with a right answer, other than usual in fields of its body."""
    return lambda handler: send(handler, 200, completion(TAGGED) | fields)


def sends_plain(text: str) -> Behaviour:
    """A chat completion that its server calls plain text."""
    return lambda handler: send(handler, 200, completion(text), content_type="text/plain")


def native(arguments: Any, name: Any = "crop") -> Behaviour:
    entry = {"id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}
    return sends(None, "tool_calls", tool_calls=[entry])


def error(**fields: Any) -> Behaviour:
    """An error with status 200."""
    return lambda handler: send(handler, 200, {"error": fields})


@dataclass(frozen=True)
class Sent:
    """One reply, or one and what the server sends when it is asked again.

    Attributes:
        kind: what is special about it.
        behaviours: in order.
        untagged: whether its answer stands without tags.
        thought: whether it holds a thought that a trace shows apart.
        boxes: of its calls to crop.
    """

    kind: str
    behaviours: tuple[Behaviour, ...]
    untagged: bool = False
    thought: bool = False
    boxes: tuple[list[int], ...] = (BOX,)


def says(kind: str, *texts: Any, **more: Any) -> Sent:
    behaviours = (text if callable(text) else sends(text) for text in texts)
    return Sent(kind, tuple(behaviours), **more)


def thinks(kind: str, *texts: Any) -> Sent:
    return says(kind, *texts, thought=True)


def plain(kind: str, *texts: Any) -> Sent:
    return says(kind, *texts, untagged=True)


ANSWERS = [
    thinks("draft in a thought", f"<think>I have to end with <answer>my answer</answer>. Alder, then.</think>{TAGGED}"),
    thinks("draft in a thought", f"<thinking>\n<answer>14 Elder Lane</answer>? No.\n</thinking>\n\n{TAGGED}"),
    thinks("draft in a thought", f"<reasoning><abstain>too small</abstain>? No.</reasoning>{TAGGED}"),
    thinks("call rehearsed in a thought", f"<think>Next could come {REHEARSED} but I see it.</think>{TAGGED}"),
    thinks("thought opened in the prompt", f"Is it <answer>14 Elder Lane</answer>? No.\n</think>\n\n{TAGGED}"),
    thinks("thought opened in the prompt", f"First {REHEARSED}? No need.</think>{TAGGED}"),
    thinks("two thoughts", f"<think>Elder?</think><think><answer>Elder</answer>? Alder.</think>{TAGGED}"),
    thinks("thought of Kimi", f"◁think▷<answer>14 Elder Lane</answer> perhaps◁/think▷{TAGGED}"),
    thinks("thought of Mistral", f"[THINK]<answer>14 Elder Lane</answer> perhaps[/THINK]{TAGGED}"),
    thinks("thought of Gemma", f"<|channel>thought\n<answer>Elder</answer>?<channel|>{TAGGED}"),
    thinks("harmony", "<|channel|>analysis<|message|><answer>Elder</answer>?<|end|>"
                      f"<|start|>assistant<|channel|>final<|message|>{TAGGED}<|return|>"),
    thinks("thought in a field", sends(TAGGED, reasoning_content="Is it <answer>Elder</answer>?")),
    thinks("thought in a field", sends(TAGGED, reasoning="Is it <answer>Elder</answer>?")),
    thinks("answer in the thoughts' field", sends(None, reasoning_content=f"It reads Alder. {TAGGED}")),
    thinks("thought as a part", sends([{"type": "thinking", "thinking": "<answer>Elder</answer>?"},
                                       {"type": "text", "text": TAGGED}])),
    thinks("thought without end, then an answer", f"<think>It must be Alder. {TAGGED}"),
    thinks("cut-off thought", sends("<think>Is it <answer>Elder</answer>, or", "length"),
           f"<think>Alder.</think>{TAGGED}"),
    says("cut-off answer", sends("<answer>14 Alder", "length"), TAGGED),
    says("cut-off answer", sends("I see <answer>14 Ald", "max_tokens"), TAGGED),
    says("cut off after the answer", sends(f"{TAGGED} I am sure bec", "length")),
    says("closing tag taken by a stop string", "<answer>14 Alder Lane"),
    says("special tokens", f"<answer><|begin_of_box|>{RIGHT}<|end_of_box|></answer>"),
    says("special tokens", f"<|begin_of_box|>{TAGGED}<|end_of_box|>"),
    says("special tokens", f"<answer>{RIGHT}<|im_end|></answer>"),
    says("special tokens", f"{TAGGED}<|im_end|>\n<|endoftext|>"),
    says("markup in an answer", f"<answer>**{RIGHT}**</answer>"),
    says("tags in other letters", f"<ANSWER>{RIGHT}</Answer>"),
    says("invented result", f"{TAGGED}<tool_response>no</tool_response><answer>Elder</answer>"),
    says("content as parts", sends([{"type": "text", "text": "<answer>14 Alder"}, {"type": "text", "text": " Lane</answer>"}])),
    says("content as parts", sends({"type": "text", "text": TAGGED})),
    says("JSON sent as text/plain", sends_plain(TAGGED)),
    says("usage that is none", sends_body(usage=None)),
    says("usage that is none", sends_body(usage=[{"prompt_tokens": 3}])),
    says("usage that is none", sends_body(usage={"prompt_tokens": -5, "completion_tokens": "many"})),
    says("empty calls", sends(TAGGED, tool_calls=None)),
    says("empty calls", sends(TAGGED, tool_calls=[None])),
    says("error with status 200", error(code=429, message="slow down", type="rate_limit"), TAGGED),
    says("error in a choice", lambda handler: send(handler, 200, completion(None) | {
        "choices": [{"index": 0, "error": {"code": 503, "message": "overloaded"}, "finish_reason": "error"}]}), TAGGED),
    plain("plain words", RIGHT),
    plain("plain words", f"  {RIGHT}.\n"),
    plain("boxed", rf"It is $\boxed{{\text{{{RIGHT}}}}}$."),
    plain("boxed", rf"\boxed{{{RIGHT}}}"),
    plain("lead-in", f"The sign hangs over a door. Final answer: {RIGHT}"),
    plain("lead-in", f"**Final Answer:** {RIGHT}"),
    plain("lead-in", f"The answer is **{RIGHT}**."),
    plain("bold", f"**{RIGHT}**"),
    plain("box tokens", f"The sign says <|begin_of_box|>{RIGHT}<|end_of_box|>"),
    plain("JSON answer", json.dumps({"answer": RIGHT})),
    plain("special tokens around words", f"<|im_start|>assistant\n{RIGHT}<|im_end|>"),
    Sent("words after a thought", (sends(f"<think><answer>Elder</answer>?</think>\n\n{RIGHT}"),), True, True),
    Sent("harmony words", (sends("<|channel|>analysis<|message|>Elder?<|end|><|start|>assistant<|channel|>final"
                                 f"<|message|>{RIGHT}<|return|>"),), True, True),
]  # fmt: skip
"""Replies whose answer is `RIGHT`."""

KIMI = "<|tool_calls_section_begin|>{}<|tool_calls_section_end|>"
KIMI_CALL = (
    "<|tool_call_begin|>functions.crop:0<|tool_call_argument_begin|>"
    f'{{"bbox_2d": {BOX}, "label": "sign"}}<|tool_call_end|>'
)
GEMMA = f'<|tool_call>call:crop{{bbox_2d:{BOX},label:<|"|>sign<|"|>}}<tool_call|>'
PYTHONIC = f"[crop(bbox_2d={BOX}, label='sign')]"
XML = f"<function=crop>\n<parameter=bbox_2d>\n{BOX}\n</parameter>\n<parameter=label>\nsign\n</parameter>\n</function>"
GLM = f"crop\n<arg_key>bbox_2d</arg_key>\n<arg_value>{BOX}</arg_value>\n<arg_key>label</arg_key>\n<arg_value>sign</arg_value>\n"
DEEPSEEK = f"<｜tool▁call▁begin｜>crop<｜tool▁sep｜>{json.dumps({'bbox_2d': BOX, 'label': 'sign'})}<｜tool▁call▁end｜>"
X0, Y0, X1, Y1 = BOX


def boxed(kind: str, box: Any, key: str = "bbox_2d") -> Sent:
    call = {"name": "crop", "arguments": {key: box, "label": "sign"}}
    return says(kind, f"<tool_call>{json.dumps(call)}</tool_call>")


CALLS = [
    says("call in tags", CALL),
    says("call without tags", call_json()),
    says("call in a fence", f"```json\n{call_json()}\n```"),
    thinks("call after a rehearsed one", f"<think>Try {REHEARSED}? Better the sign.</think>{CALL}"),
    thinks("call after an opened thought", f"Try {REHEARSED}? No.</think>\n{CALL}"),
    says("call, then an answer", f"{CALL}<answer>Elder</answer>"),
    says("call, then an invented result", f"{CALL}<tool_response>Elder</tool_response><answer>Elder</answer>"),
    says("two calls in one tag", f"<tool_call>{call_json()}\n{call_json(SECOND)}</tool_call>", boxes=(BOX, SECOND)),
    says("two calls in a list", f"[{call_json()}, {call_json(SECOND)}]", boxes=(BOX, SECOND)),
    says("a bad call among good ones", f"{CALL}<tool_call>crop it</tool_call><tool_call>{call_json(SECOND)}</tool_call>",
         boxes=(BOX, SECOND)),
    *(says("other names for the arguments", f"<tool_call>{call_json(key=key)}</tool_call>")
      for key in ("args", "input", "parameters")),
    says("flat arguments", f'<tool_call>{{"name": "crop", "bbox_2d": {BOX}, "label": "sign"}}</tool_call>'),
    says("arguments encoded twice", f'<tool_call>{{"name": "crop", "arguments": {TEXT}}}</tool_call>'),
    says("null for an optional argument", f"<tool_call>{call_json(image=None)}</tool_call>"),
    says("extra arguments", f"<tool_call>{call_json(img_idx=0, target_image=1)}</tool_call>"),
    boxed("nested box", [BOX]),
    boxed("box of texts", [str(number) for number in BOX]),
    boxed("box as text", str(BOX)),
    boxed("box of corners", [[X0, Y0], [X1, Y1]]),
    boxed("box under another key", BOX, "bbox"),
    boxed("box in special tokens", f"<|box_start|>({X0},{Y0}),({X1},{Y1})<|box_end|>"),
    says("native call", native(json.dumps({"bbox_2d": BOX, "label": "sign"}))),
    says("native call, arguments as an object", native({"bbox_2d": BOX, "label": "sign"})),
    says("native call, arguments encoded twice", native(TEXT)),
    says("legacy function_call", sends(None, "function_call", function_call={
        "name": "crop", "arguments": json.dumps({"bbox_2d": BOX, "label": "sign"})})),
    says("native call with an unread thought", sends(None, "tool_calls", reasoning_content=REHEARSED, tool_calls=[
        {"function": {"name": "crop", "arguments": {"bbox_2d": BOX, "label": "sign"}}}]), thought=True),
    says("Qwen's XML", f"<tool_call>\n{XML}\n</tool_call>"),
    says("Qwen's XML without the outer tag", XML),
    says("GLM", f"<tool_call>{GLM}</tool_call>"),
    says("GLM on one line", f"<tool_call>{GLM}</tool_call>".replace("\n", "")),
    says("name before JSON", f'<tool_call>crop\n{{"bbox_2d": {BOX}, "label": "sign"}}</tool_call>'),
    says("Kimi", KIMI.format(KIMI_CALL)),
    says("Mistral", f'[TOOL_CALLS]crop[ARGS]{{"bbox_2d": {BOX}, "label": "sign"}}'),
    says("Mistral's list", f"[TOOL_CALLS] [{call_json()}, {call_json(SECOND)}][/TOOL_CALLS]", boxes=(BOX, SECOND)),
    says("DeepSeek", f"<｜tool▁calls▁begin｜>{DEEPSEEK}<｜tool▁calls▁end｜>"),
    thinks("harmony call", "<|channel|>analysis<|message|>I look closer.<|end|><|start|>assistant<|channel|>commentary "
           f'to=functions.crop <|constrain|>json<|message|>{{"bbox_2d": {BOX}, "label": "sign"}}<|call|>'),
    says("Gemma", GEMMA),
    says("pythonic", PYTHONIC),
    says("pythonic in tokens", f"<|tool_call_start|>{PYTHONIC}<|tool_call_end|>"),
    says("pythonic in Llama's tokens", f"<|python_start|>{PYTHONIC}<|python_end|>"),
    says("cut-off call", sends(f'<tool_call>{{"name": "crop", "arguments": {{"bbox_2d": [{X0}, {Y0}, {X1}, 16', "length"), CALL),
    says("cut-off native call", sends(None, "length", tool_calls=[
        {"function": {"name": "crop", "arguments": f'{{"bbox_2d": [{X0}, {Y0}, {X1}, 16'}}]), CALL),
]  # fmt: skip
"""Replies that crop `boxes` and nothing else."""


@dataclass(frozen=True)
class Hinted:
    """A reply that the model is told to write otherwise.

    Attributes:
        kind: what is special about it.
        behaviour: sends it.
        hint: a part of what the model is told.
        repeated: whether a model that repeats it is never understood.
    """

    kind: str
    behaviour: Behaviour
    hint: str
    repeated: bool = True


def hinted(kind: str, text: Any, hint: str, *, repeated: bool = True) -> Hinted:
    return Hinted(kind, text if callable(text) else sends(text), hint, repeated)


HINTED = [
    hinted("thought without end", f"<think>I may say {TAGGED} or Elder", "close it with </think>"),
    hinted("rehearsed call and nothing else", f"<think>{CALL}</think>", "neither a tool call nor an answer"),
    hinted("call that ends inside a number", f'<tool_call>{{"name": "crop", "arguments": {{"bbox_2d": [{X0}, {Y0}',
           '<tool_call>{"name"'),
    hinted("call among words", f"I now call {call_json()} and see.", "among words, without its tags"),
    hinted("empty answer", "<answer><|im_end|></answer>", "answer is empty"),
    hinted("nothing", sends(""), "neither a tool call nor an answer"),
    hinted("unknown tool", '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 30, 40]}}</tool_call>',
           "crop", repeated=False),
    hinted("box of another space", f"<tool_call>{call_json([0.28, 0.1, 0.6, 0.4])}</tool_call>", "pixel", repeated=False),
    hinted("box that is none", f'<tool_call>{call_json("the sign")}</tool_call>', "bbox_2d", repeated=False),
    hinted("native call without JSON", native("{bbox_2d: here"), "can't be read"),
    hinted("dialect that is broken", "<tool_call>crop<arg_key>bbox_2d</arg_key><arg_value>here", "<arg_key>"),
]  # fmt: skip
"""Replies that are refused, with what to do instead."""


@dataclass(frozen=True)
class Failed:
    """What ends an episode at once: the behaviours in order, a part of what the person reads, and the requests."""

    kind: str
    behaviours: tuple[Behaviour, ...]
    reason: str
    requests: int


HALF = sends("<answer>14 Alder", "length")
FAILED = [
    Failed("answer cut off twice", (HALF,), "--max-tokens", 2),
    Failed("thought cut off twice", (sends("<think>Is it <answer>Elder</answer>", "length"),), "--max-tokens", 2),
    Failed("empty and cut off", (sends("", "length"),), "--max-tokens", 2),
    Failed("call cut off twice", (sends(CALL[:60], "length"),), "--max-tokens", 2),
    Failed("cut off, and no more is allowed", (HALF, refuse(400, "max_tokens must not exceed 4096")), "--max-tokens", 2),
    Failed("content filter", (sends("It is", "content_filter"),), "content_filter", 1),
    Failed("refusal", (sends(None, refusal="I must not read addresses."),), "I must not read addresses.", 1),
    Failed("error with status 200", (error(code=401, message="no such key"),), "no such key", 1),
]  # fmt: skip
"""What ends in an error that the person reads."""
