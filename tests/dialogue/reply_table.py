"""Replies of the kinds that models and servers send, and how each is to be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SCHEMAS: dict[str, dict[str, Any]] = {
    "zoom": {
        "type": "object",
        "properties": {
            "bbox_2d": {"type": "array", "items": {"type": "number"}},
            "label": {"type": "string"},
            "factor": {"type": "integer"},
        },
    },
    "crop": {"type": "object", "properties": {"bbox_2d": {"type": "array"}, "label": {"type": ["string", "null"]}}},
    "verify": {"type": "object", "properties": {"answer": {"type": "string"}}},
    "ocr": {"type": "object", "properties": {}},
}


@dataclass(frozen=True)
class Row:
    """One reply.

    Attributes:
        kind: what is special about it.
        text: the reply.
        calls: (name, arguments) of each call; arguments are None where the call has an error.
        answer, abstention, set_aside, plain, cut_off, dialect: as in `ParsedReply`.
        error: a part of the error's text.
        reasoning: the thoughts.
        truncated, native: how the server sent it.
    """

    kind: str
    text: str
    calls: tuple[tuple[str, dict[str, Any] | None], ...] = ()
    answer: str | None = None
    abstention: str | None = None
    set_aside: str | None = None
    plain: str | None = None
    cut_off: bool = False
    dialect: str | None = None
    error: str | None = None
    reasoning: str = ""
    truncated: bool = False
    native: tuple[tuple[str, str], ...] = field(default=())


NEITHER = "neither a tool call nor an answer"
LIMIT = "token limit"
INVALID = "not valid JSON"
BOX: dict[str, Any] = {"bbox_2d": [12, 30, 48, 90]}
ZOOM = '{"name": "zoom", "arguments": {"bbox_2d": [12, 30, 48, 90]}}'
CALL = f"<tool_call>{ZOOM}</tool_call>"
ONE = (("zoom", BOX),)
TWO = (("zoom", BOX), ("ocr", {}))


def answer(kind: str, text: str, words: str, **more: Any) -> Row:
    return Row(kind, text, answer=words, **more)


def plain(kind: str, text: str, words: str, **more: Any) -> Row:
    return Row(kind, text, plain=words, error=NEITHER, **more)


def call(kind: str, text: str, *, calls: Any = ONE, dialect: str | None = "json", **more: Any) -> Row:
    return Row(kind, text, calls=calls, dialect=dialect, **more)


def refused(kind: str, text: str, error: str, **more: Any) -> Row:
    return Row(kind, text, error=error, **more)


def cut(kind: str, text: str, **more: Any) -> Row:
    return Row(kind, text, cut_off=True, error=LIMIT, truncated=True, **more)


THOUGHTS = [
    answer("draft in a thought", "<think>Maybe <answer>CLOSED</answer>?</think><answer>OPEN</answer>", "OPEN",
           reasoning="Maybe <answer>CLOSED</answer>?"),
    answer("draft in a thought", "<thinking>I end with <answer>...</answer></thinking>\n<answer>7</answer>", "7",
           reasoning="I end with <answer>...</answer>"),
    answer("draft in a thought", "<thought><answer>a</answer></thought><answer>b</answer>", "b",
           reasoning="<answer>a</answer>"),
    answer("draft in a thought", "<reasoning>red or <answer>blue</answer></reasoning><answer>red</answer>", "red",
           reasoning="red or <answer>blue</answer>"),
    answer("call in a thought", f"<think>I could write {CALL}</think><answer>OPEN</answer>", "OPEN",
           reasoning=f"I could write {CALL}"),
    call("call in a thought", f"<think>First {CALL.replace('zoom', 'crop')}.</think>{CALL}",
         reasoning=f"First {CALL.replace('zoom', 'crop')}."),
    refused("call in a thought", f"<think>{CALL}</think>", NEITHER, reasoning=CALL),
    answer("thought opened in the prompt", "so <answer>A</answer>? no.</think><answer>B</answer>", "B",
           reasoning="so <answer>A</answer>? no."),
    call("thought opened in the prompt",
         f"I need a closer look.\n</think>\n\n{CALL}", reasoning="I need a closer look."),
    plain("thought opened in the prompt", "It is a bakery.</think>Bakery", "Bakery", reasoning="It is a bakery."),
    answer("repeated thoughts", "<think>one</think><think>two</think><answer>2</answer>", "2", reasoning="one\n\ntwo"),
    answer("nested thoughts", "<think>a<think>b</think>c</think><answer>2</answer>", "2", reasoning="a<think>b\n\nc"),
    answer("nested thoughts", "<think>a<think>b</think><answer>2</answer>", "2", reasoning="a<think>b"),
    answer("thought in other letters", "<THINK>x</Think><answer>2</answer>", "2", reasoning="x"),
    answer("thought of Kimi", "◁think▷<answer>no</answer>◁/think▷<answer>yes</answer>", "yes",
           reasoning="<answer>no</answer>"),
    answer("thought of Mistral", "[THINK]<answer>no</answer>[/THINK]<answer>yes</answer>", "yes",
           reasoning="<answer>no</answer>"),
    answer("thought of Gemma", "<|channel>thought\nhm<channel|><answer>yes</answer>", "yes", reasoning="hm"),
    plain("harmony channels", "<|channel|>analysis<|message|>Is it 4?<|end|><|start|>assistant<|channel|>final"
          "<|message|>5<|return|>", "5", reasoning="Is it 4?"),
    answer("harmony channels", "<|channel|>analysis<|message|><answer>4</answer><|end|><|start|>assistant<|channel|>"
           "final<|message|><answer>5</answer>", "5", reasoning="<answer>4</answer>"),
    refused("harmony channels", "<|channel|>analysis<|message|>Is it <answer>4</answer> or", "never ends",
            reasoning="Is it <answer>4</answer> or"),
    refused("harmony channels", "<think>a</think>b<|channel|>analysis<|message|>c", "never ends", reasoning="a\n\nc"),
    call("harmony channels", f"I look.\n<|channel|>commentary to=functions.ocr<|message|>{{}}<|call|>\n{CALL}",
         calls=(("ocr", {}), ("zoom", BOX)), dialect="harmony"),
    refused("thought without end", "<think>It might be OPEN", "never ends", reasoning="It might be OPEN"),
    refused("thought without end", "<think>I must end with <answer>the answer", "never ends",
            reasoning="I must end with <answer>the answer"),
    refused("thought without end", f"<think>{CALL} could help", "never ends", reasoning=f"{CALL} could help"),
    refused("thought without end", "OPEN <think>or not", "never ends", reasoning="or not"),
    answer("thought without end, but a last answer", "<think>It reads OPEN. <answer>OPEN</answer>", "OPEN",
           reasoning="It reads OPEN."),
    Row("thought without end, but a last answer", "<think>Too dark. <abstain>too dark</abstain>\n",
        abstention="too dark", reasoning="Too dark."),
    refused("thought without end, but a last answer", "<think><answer>A</answer> or <answer>B</answer>?", "never ends",
            reasoning="<answer>A</answer> or <answer>B</answer>?"),
    answer("answer before a thought", "<answer>OPEN</answer><think>or", "OPEN", reasoning="or"),
    answer("thought inside an answer", "<answer>14 <think>hm</think>Alder</answer>", "14 \nAlder", reasoning="hm"),
    cut("cut-off thought", "<think>It might be"  , reasoning="It might be"),
    cut("cut-off thought", "<think>so <answer>OPEN</answer>", reasoning="so <answer>OPEN</answer>"),
    cut("cut-off thought", "<|channel|>analysis<|message|>We", reasoning="We"),
]  # fmt: skip

CUT_OFF = [
    cut("cut-off answer", "<answer>14 Alder"),
    cut("cut-off answer", "The sign: <answer>"),
    cut("cut-off answer", "<abstain>too"),
    answer("stop string removed the closing tag", "<answer>14 Alder Street", "14 Alder Street"),
    cut("cut-off call", '<tool_call>{"name": "crop", "arguments": {"bbox_2d": [400, 40, 610, 60'),
    cut("cut-off call", '{"name": "crop", "arguments": {"bbox_2d": [400, 40, 610, 60'),
    cut("cut-off call", '<tool_call>{"name": "crop", "arguments": {"label": "red"'),
    cut("cut-off call", '<tool_call>{"name": "crop", "arguments": {"bbox_2d": [1, 2, 3, 4]'),
    cut("cut-off call", "<tool_call><function=zoom><parameter=factor>2"),
    cut("cut-off call", "<tool_call>zoom<arg_key>factor</arg_key><arg_value>2"),
    cut("cut-off call", "<tool_call>zoom<arg_key>factor</arg_key><arg_value>2</arg_value>"),
    cut("cut-off call", "<|tool_call_begin|>functions.zoom:0<|tool_call_argument_begin|>"),
    cut("cut-off call", '[TOOL_CALLS]zoom[ARGS]{"factor": 2'),
    cut("cut-off call", '<|tool_call>call:zoom{label:<|"|>re'),
    cut("cut-off call", "<|tool_call_start|>[zoom(factor=2"),
    cut("cut-off call", "[zoom(factor=2), zoom(factor=3"),
    refused("text that ends inside a value", '<tool_call>{"name": "crop", "arguments": {"bbox_2d": [400, 40', INVALID),
    refused("text that ends inside a value", '<tool_call>{"name": "crop", "arguments": {"open": tru', INVALID),
    refused("text that ends inside a value", '{"name": "crop", "arguments": {"label": "re', INVALID),
    refused("text that ends inside a value", '[TOOL_CALLS]crop[ARGS]{"bbox_2d": [1, 2, 3, 4', INVALID),
    call("missing closers after a whole value",
         '<tool_call>{"name": "zoom", "arguments": {"bbox_2d": [12, 30, 48, 90]'),
    call("missing closers after a whole value", f"<tool_call>{ZOOM[:-3]}</tool_call>"),
    answer("complete block in a cut-off reply", "<answer>OPEN</answer> I am sure, bec", "OPEN", truncated=True),
    call("complete block in a cut-off reply", f"{CALL} and then", truncated=True),
    call("complete block in a cut-off reply", ZOOM, truncated=True),
    call("complete block in a cut-off reply", f'{CALL}<tool_call>{{"name": "zoom", "arguments": {{"factor": 1',
         calls=(("zoom", BOX), ("", None)), truncated=True),
    call("complete block in a cut-off reply", f"{CALL}<answer>OP", truncated=True),
    cut("cut-off words", "The man holds a red"),
    cut("cut-off native call", "", native=(("crop", '{"bbox_2d": [1, 2, 3'),)),
    call("cut-off native call", "", calls=(("ocr", {}), ("crop", None)), dialect=None, truncated=True,
         native=(("ocr", "{}"), ("crop", '{"bbox_2d": [1, 2, 3'))),
]  # fmt: skip

WORDS = [
    plain("plain words", "The man holds a red umbrella.", "The man holds a red umbrella."),
    plain("plain words", "  Two boats\n", "Two boats"),
    plain("bare letter", "B", "B"),
    plain("bare letter", "(C)", "(C)"),
    plain("bare letter", "B.", "B"),
    plain("full stop", "7.5.", "7.5"),
    plain("full stop", "a.m.", "a.m."),
    plain("full stop", "Answer: U.S.A.", "U.S.A."),
    plain("boxed", r"\boxed{B}", "B"),
    plain("boxed", r"The sign is red, so $\boxed{\text{red}}$.", "red"),
    plain("boxed", r"First \boxed{1}, no: \boxed{2}", "2"),
    plain("boxed", r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    plain("lead-in", "Final answer: B", "B"),
    plain("lead-in", "**Final Answer:** B", "B"),
    plain("lead-in", "The answer is OPEN.", "OPEN"),
    plain("lead-in", "There is a door. The correct answer is **D**.", "D"),
    plain("lead-in", "Answer: 14 Alder Street\n\nIt stands over the door.", "14 Alder Street"),
    plain("lead-in", "So the answer is: 'red'", "red"),
    plain("lead-in", "### Answer\n\n42", "42"),
    plain("lead-in", "I don't think the answer is A", "I don't think the answer is A"),
    plain("lead-in", "Based on the image, the answer is **14**.", "14"),
    refused("lead-in", "Answer:", NEITHER),
    plain("bold", "**B**", "B"),
    plain("bold", "It says **OPEN**", "It says OPEN"),
    plain("quoted", '"OPEN"', "OPEN"),
    plain("quoted", "`OPEN`", "OPEN"),
    plain("JSON answer", '{"answer": "OPEN"}', "OPEN"),
    plain("JSON answer", '```json\n{"final_answer": 4}\n```', "4"),
    plain("box tokens", "The word is <|begin_of_box|>OPEN<|end_of_box|>.", "OPEN"),
    plain("special tokens", "OPEN<|im_end|>", "OPEN"),
    plain("special tokens", "<|im_start|>assistant\nOPEN<|endoftext|>", "OPEN"),
    plain("special tokens", "OPEN</s>", "OPEN"),
    plain("stray tags", "OPEN</answer>", "OPEN"),
    plain("foreign letters", "<anſwer>x</anſwer>", "<anſwer>x</anſwer>"),
    plain("foreign letters", "<tool_caℓl>x</tool_caℓl>", "<tool_caℓl>x</tool_caℓl>"),
    refused("nothing", " \n", NEITHER),
    refused("nothing", "<|im_end|>", NEITHER),
    answer("special tokens in an answer", "<answer><|begin_of_box|>OPEN<|end_of_box|></answer>", "OPEN"),
    answer("special tokens in an answer", "<answer>OPEN<|im_end|></answer>", "OPEN"),
    answer("special tokens in an answer", "<answer>OPEN<|im_end|>", "OPEN"),
    answer("special tokens in an answer", "<|begin_of_box|><answer>OPEN</answer><|end_of_box|>", "OPEN"),
    answer("special tokens in an answer", "<answer>OPEN<｜end▁of▁sentence｜></answer>", "OPEN"),
    answer("markup in an answer", r"<answer>\boxed{B}</answer>", "B"),
    answer("markup in an answer", "<answer>**14 Alder**</answer>", "14 Alder"),
    answer("markup in an answer", "<answer>C++ *</answer>", "C++ *"),
    answer("markup in an answer", "<answer>The answer is here</answer>", "The answer is here"),
    refused("empty answer", "<answer><|im_end|></answer>", "empty"),
    Row("abstention", "<abstain>The sign is cut.</abstain>", abstention="The sign is cut."),
]  # fmt: skip

CALLS = [
    call("several calls in one tag", f'<tool_call>{ZOOM}\n{{"name": "ocr", "arguments": {{}}}}</tool_call>', calls=TWO),
    call("several calls in one tag",
         f'<tool_call>[{ZOOM}, {{"name": "ocr", "arguments": {{}}}}]</tool_call>', calls=TWO),
    call("several calls in one tag", f'<tool_call>{ZOOM},{{"name": "ocr"}}</tool_call>', calls=TWO),
    call("several calls in one fence", f'```json\n{ZOOM}\n{{"name": "ocr"}}\n```', calls=TWO),
    call("several calls in one fence", f'```json\n[{ZOOM},\n{{"name": "ocr"}}]\n```', calls=TWO),
    call("several calls as a list", f'[{ZOOM}, {{"name": "ocr"}}]', calls=TWO),
    call("several calls as a list", f'{{"tool_calls": [{ZOOM}, {{"name": "ocr"}}]}}', calls=TWO),
    call("one bad call among good ones", f"{CALL}<tool_call>zoom it</tool_call>{CALL}",
         calls=(("zoom", BOX), ("", None), ("zoom", BOX))),
    call("one bad call among good ones",
         f'<tool_call>[{ZOOM}, {{"name": 3}}]</tool_call>', calls=(("zoom", BOX), ("", None))),
    call("one bad call among good ones", f'<tool_call>{{"name": "zoom", "arguments": [1]}}</tool_call>{CALL}',
         calls=(("zoom", None), ("zoom", BOX))),
    call("one bad call among good ones", "[zoom(factor=1), zoom(factor=size())]", dialect="pythonic",
         calls=(("zoom", {"factor": 1}), ("zoom", None))),
    call("one bad call among good ones", "", dialect=None, native=(("ocr", ""), ("zoom", "{")),
         calls=(("ocr", {}), ("zoom", None))),
    call("other names for the arguments", '<tool_call>{"name": "zoom", "args": {"factor": 2}}</tool_call>',
         calls=(("zoom", {"factor": 2}),)),
    call("other names for the arguments", '<tool_call>{"name": "zoom", "input": {"factor": 2}}</tool_call>',
         calls=(("zoom", {"factor": 2}),)),
    call("other names for the arguments", '<tool_call>{"name": "zoom", "parameters": {"factor": 2}}</tool_call>',
         calls=(("zoom", {"factor": 2}),)),
    call("flat arguments", '<tool_call>{"name": "zoom", "factor": 2, "label": "a"}</tool_call>',
         calls=(("zoom", {"factor": 2, "label": "a"}),)),
    call("other names for the name", '<tool_call>{"function": "zoom", "arguments": {"factor": 2}}</tool_call>',
         calls=(("zoom", {"factor": 2}),)),
    call("as the API writes it", f'<tool_call>{{"type": "function", "function": {ZOOM}}}</tool_call>'),
    call("arguments encoded twice", r'<tool_call>{"name": "zoom", "arguments": "{\"factor\": 2}"}</tool_call>',
         calls=(("zoom", {"factor": 2}),)),
    call("arguments encoded twice", "", dialect=None, native=(("zoom", r'"{\"factor\": 2}"'),),
         calls=(("zoom", {"factor": 2}),)),
    call("null arguments are handed over", '<tool_call>{"name": "crop", "arguments": {"label": null}}</tool_call>',
         calls=(("crop", {"label": None}),)),
    call("native call without arguments", "", dialect=None, native=(("ocr", "null"),), calls=(("ocr", {}),)),
    call("line break in a string", '<tool_call>{"name": "verify", "arguments": {"answer": "two\nlines"}}</tool_call>',
         calls=(("verify", {"answer": "two\nlines"}),)),
    call("tag in a string", '<tool_call>{"name": "verify", "arguments": {"answer": "<answer>x</answer>"}}</tool_call>',
         calls=(("verify", {"answer": "<answer>x</answer>"}),)),
    call("call, then an answer", f"{CALL}<answer>OPEN</answer>", set_aside="OPEN"),
    call("call, then an answer", "<answer>OPEN</answer>", dialect=None, set_aside="OPEN", calls=(("ocr", {}),),
         native=(("ocr", "{}"),)),
    answer("answer, then a call", f"<answer>OPEN</answer>{CALL}", "OPEN"),
    call("invented tool result", f"{CALL}\n<tool_response>It reads OPEN.</tool_response><answer>OPEN</answer>"),
    call("invented tool result", f"{CALL}<|im_end|>\n<|im_start|>user\nSo?<|im_end|><answer>OPEN</answer>"),
    plain("invented user turn", "OPEN<|im_end|>\n<|im_start|>user\n<answer>SHUT</answer>", "OPEN"),
    call("opening tag in the prompt", f"{ZOOM}\n</tool_call>"),
    call("no tag at all", ZOOM),
    call("trailing words", f"<tool_call>{ZOOM} I look closer.</tool_call>"),
    call("trailing comma", f"<tool_call>{ZOOM[:-2]},}}}}</tool_call>"),
    call("function_call tag", f"<function_call>{ZOOM}</function_call>"),
    call("python tag", f"<|python_tag|>{ZOOM}<|eom_id|>"),
    refused("call among words", f"I call {ZOOM}", "a call among words"),
    refused("call among words", f"I call {ZOOM} now. The answer is OPEN.", "a call among words"),
    refused("call among words", "I zoom: <arg_key>factor</arg_key><arg_value>2</arg_value>", "a call among words"),
    refused("call among words", "functions.zoom:0", "a call among words"),
    refused("call among words", 'Thought: closer.\nAction: zoom\nAction Input: {"factor": 2}', "a call among words"),
    plain("no call", "The sign reads: Action Input: none", "The sign reads: Action Input: none"),
    call("markers dropped by the server", "zoom<arg_key>factor</arg_key><arg_value>2</arg_value>", dialect="glm",
         calls=(("zoom", {"factor": 2}),)),
    call("markers dropped by the server", 'zoom\n{"factor": 2}', dialect="named_json",
         calls=(("zoom", {"factor": 2}),)),
    plain("no call, but a tool's name", "zoom", "zoom"),
    plain("no call, but a tool's name", "ocr <b>", "ocr <b>"),
    plain("no call, but brackets", "It says [see(page=2)] there.", "It says [see(page=2)] there."),
    refused("not a call", "<tool_call>zoom please</tool_call>", "can't be read"),
    refused("not a call", '<tool_call>{"name": "zoom", "arguments": null}</tool_call>', '"arguments" must be'),
    plain("no call", "<tool_call>[]</tool_call>", "[]"),
    refused("Python's words in JSON", '<tool_call>{"name": "zoom", "arguments": {"a": None}}</tool_call>', INVALID),
]  # fmt: skip

ROWS = [*THOUGHTS, *CUT_OFF, *WORDS, *CALLS]
