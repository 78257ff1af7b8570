"""Reads many random replies and checks that each has exactly one reading, in bounded time.

    python tests/hostile/random_replies.py [COUNT] [SEED]

A reply is a random sequence of markers, pieces of calls and words; or random calls in random dialects; or one or two
replies of the tests' table; the latter two with random cuts, repetitions and exchanges of pieces and characters. Of
one in ten the thoughts are divided once more, and it comes in a random envelope of a chat completion; what one in forty
answers is compared with an answer before it and read as a choice. Prints how many were read as what, also when it is
interrupted; stops with the text at the first that is read badly, or that takes too long.
"""

from __future__ import annotations

import json
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "dialogue"))

from reply_table import SCHEMAS
from test_replies import MARKS, ROWS
from watch import Watch

from hart_agent.answers import AnswerType, agree, chosen_letter, is_right
from hart_agent.backends.openai.completion import read_completion
from hart_agent.backends.openai.failures import ServerError
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.policy import Reply
from hart_agent.dialogue.results import HINT_ANSWER, HINT_TOOLS, ParsedReply
from hart_agent.dialogue.thoughts import split_thoughts

TEXTS = sorted({row.text for row in ROWS})
WORDS = [*MARKS, "OPEN", "B", "zoom", "12", "-1", "true", "\n", " ", "the answer is", *TEXTS]
CHARACTERS = "".join(sorted({char for text in TEXTS for char in text})) + "\x00\u200b\u0301\ud800½²\u2212،٣\U0001f600"
VALUES = [
    0,
    -1,
    7.5,
    10**400,
    True,
    None,
    "",
    "a",
    '"',
    "</tool_call>",
    "\n",
    "'",
    [],
    [1, 2, 3, 4],
    ["1"],
    {},
    {"a": 1},
]
FORMS = {
    "hermes": '<tool_call>{{"name": "{name}", "arguments": {json}}}</tool_call>',
    "flat": '<tool_call>{{"name": "{name}", "{key}": {value}}}</tool_call>',
    "fence": '```json\n{{"name": "{name}", "arguments": {json}}}\n```',
    "named_json": "<tool_call>{name}\n{json}</tool_call>",
    "qwen_xml": "<tool_call><function={name}><parameter={key}>\n{value}\n</parameter></function></tool_call>",
    "glm": "<tool_call>{name}\n<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value></tool_call>",
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.{name}:0<|tool_call_argument_begin|>{json}"
    "<|tool_call_end|><|tool_calls_section_end|>",
    "mistral": "[TOOL_CALLS]{name}[ARGS]{json}",
    "deepseek": "<|tool\u2581calls\u2581begin|><|tool\u2581call\u2581begin|>{name}<|tool\u2581sep|>{json}"
    "<|tool\u2581call\u2581end|>".replace("|", "\uff5c"),
    "harmony": "<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{json}<|call|>",
    "gemma": '<|tool_call>call:{name}{{{key}:<|"|>{value}<|"|>}}<tool_call|>',
    "pythonic": "[{name}({key}={literal})]",
}


def random_call(source: random.Random) -> str:
    key, value = source.choice(["bbox_2d", "label", "n", "a b"]), source.choice(VALUES)
    arguments = json.dumps({key: value, "image": "view1"} if source.random() < 0.3 else {key: value})
    names = {"name": source.choice(["zoom", "crop", "ocr", "other"]), "key": key, "json": arguments}
    return FORMS[source.choice(list(FORMS))].format(**names, value=json.dumps(value), literal=repr(value))


def changed(text: str, source: random.Random) -> str:
    """A text with one cut, repetition, exchange or inserted piece."""
    start, end = sorted((source.randrange(len(text) + 1), source.randrange(len(text) + 1)))
    at = source.randrange(len(text) + 1)
    ways = (
        lambda: text[:end],
        lambda: text[start:],
        lambda: text[:start] + text[end:],
        lambda: text + text[start:end],
        lambda: text[:at] + source.choice(CHARACTERS) + text[at + 1 :],
        lambda: text[:at] + text[at + 1 :],
        lambda: text[:at] + source.choice(WORDS) + text[at:],
        lambda: text[:start] + source.choice(TEXTS)[-(end - start) :] + text[end:],
        lambda: text[:start] + text[start:end].swapcase() + text[end:],
    )
    return source.choice(ways)()


def random_reply(source: random.Random) -> str:
    way = source.random()
    if way < 0.3:
        return "".join(source.choices(WORDS, k=source.randrange(12)))
    if way < 0.6:
        text = "".join(
            source.choice([random_call(source), source.choice(WORDS)]) for _ in range(source.randrange(1, 4))
        )
    else:
        text = "".join(source.choices(TEXTS, k=source.choice((1, 1, 1, 2))))
    for _ in range(source.randrange(4)):
        text = changed(text, source)
    return text


def outcome(found: ParsedReply) -> str:
    outcomes = {
        "calls": bool(found.calls),
        "answer": found.answer is not None,
        "abstention": found.abstention is not None,
        "error": found.error is not None,
    }
    named = [name for name, present in outcomes.items() if present]
    assert len(named) == 1, f"outcomes {named}"
    assert not found.cut_off or found.error, "cut off without an error"
    assert found.plain is None or found.error, "plain words without an error"
    assert found.set_aside is None or found.calls, "an answer was set aside without a call"
    assert not found.calls or any(call.error is None for call in found.calls), "only bad calls"
    if found.calls:
        json.dumps([call.arguments for call in found.calls], allow_nan=False)
    if named == ["error"]:
        return "cut off" if found.cut_off else "plain" if found.plain else "error"
    return named[0]


def check_reply(text: str, source: random.Random) -> tuple[str, str]:
    """What the reply was read as, and the answer that it gives."""
    truncated, hint = source.random() < 0.3, source.choice([HINT_TOOLS, HINT_ANSWER])
    found = parse_reply(text, truncated=truncated, schemas=source.choice([None, SCHEMAS]), hint=hint)
    read_as = outcome(found)
    assert found.plain is None or not truncated, "plain words of a cut-off reply"
    assert hint == HINT_TOOLS or "tool" not in str(found.error or ""), "an error that speaks of tools"
    return read_as, found.answer or found.plain or ""


def check_thoughts(text: str) -> None:
    _, rest = split_thoughts(text)
    assert split_thoughts(rest) == ("", rest), "thoughts are left"


def envelope(text: str, source: random.Random) -> Any:
    """A chat completion that holds the text in one of the places where servers put it, and other values beside it."""
    odd = source.choice([None, *VALUES, text, [text], {"text": text}])
    call = {"function": {"name": odd, "arguments": text}, "type": "function"}
    message: dict[str, Any] = {
        "content": source.choice([text, None, [{"type": "text", "text": text}], [odd, text], {"text": text}, odd]),
        source.choice(["reasoning", "reasoning_content", "refusal", "thinking", "x"]): source.choice([text, odd]),
        source.choice(["tool_calls", "function_call", "x"]): source.choice([[call], call, [odd], odd, [call, odd]]),
    }
    finish = source.choice(["stop", "length", "content_filter", "tool_calls", None, odd])
    choice = {"message": source.choice([message, message, message, odd]), "finish_reason": finish}
    return {"choices": source.choice([[choice], [choice], choice, [odd, choice], odd]), "usage": odd}


def check_envelope(answer: Any) -> str:
    try:
        reply = read_completion(answer)
    except ServerError as error:
        return f"refused: {error.failure.problem.name.lower()}"
    assert isinstance(reply, Reply), "not a reply"
    assert isinstance(reply.text + reply.reasoning, str), "words that are no text"
    assert all(isinstance(part, str) for call in reply.native_calls for part in call), "a call that is no text"
    assert outcome(parse_reply(reply.text, reply.native_calls, schemas=SCHEMAS)), "no outcome"
    return "read"


def check_answer(answer: str, before: str, source: random.Random) -> None:
    same = agree(answer, before)
    assert same == agree(before, answer), "agreement is not symmetric"
    assert not answer.strip() or agree(answer, answer), "an answer that disagrees with itself"
    strict = chosen_letter(answer, ("red", "12", "OPEN", "a man"), strict=True)
    assert strict in (None, chosen_letter(answer, ("red", "12", "OPEN", "a man"))), "strict reading chooses otherwise"
    kind = source.choice(list(AnswerType))
    assert not is_right(answer, before, kind, strict=True) or is_right(answer, before, kind), "strict, yet more lenient"


def read(text: str, before: str, source: random.Random, *, envelopes: bool, answers: bool) -> tuple[list[str], str]:
    """Check a reply, and if asked for its envelope and its answer. What it was read as, and the answer."""
    read_as, answer = check_reply(text, source)
    outcomes = [read_as]
    if envelopes:
        check_thoughts(text)
        outcomes.append(f"completions {check_envelope(envelope(text, source))}")
    if answers and answer:
        check_answer(answer, before, source)
        outcomes.append("compared")
    return outcomes, answer


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    watch, before = Watch(), "12"
    with suppress(KeyboardInterrupt):
        for number in range(count):
            text = random_reply(random.Random(f"{seed} {number}"))

            def case(text: str = text, number: int = number, before: str = before) -> tuple[list[str], str]:
                source = random.Random(number)
                return read(text, before, source, envelopes=number % 10 == 0, answers=number % 40 == 0)

            outcomes, answer = watch(case, f"reply {number} of seed {seed}, {text!r}, before it {before!r}")
            watch.outcomes.update(outcomes)
            before = answer or before
    print(watch)


if __name__ == "__main__":
    main()
