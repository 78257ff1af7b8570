"""Reading a reply in the vocabulary of a published agent: where its calls and its answer stand, thoughts set aside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hart_agent.dialogue.blocks import find_blocks, is_call
from hart_agent.dialogue.dialects import Block
from hart_agent.dialogue.json_calls import json_calls, named_call, unfenced
from hart_agent.dialogue.json_repair import MAX_CALLS, Ending, whole_json
from hart_agent.dialogue.literals import literal_text
from hart_agent.dialogue.markers import before_invented_turn, without_markers
from hart_agent.dialogue.parsing import block_calls
from hart_agent.dialogue.plain import latex_box, plain_answer, tagged_answer
from hart_agent.dialogue.refusals import is_refusal
from hart_agent.dialogue.results import ParsedReply, RawCall
from hart_agent.dialogue.thoughts import conclusion, divide
from hart_agent.dialogue.vocabularies.vocabulary import CallForm, Form, Reader, Vocabulary, Which
from hart_agent.errors import ReplyFormatError

_MAX_SEARCHED = 100_000
"""Characters at the end of a reply that are read."""
_OBJECT = re.compile(r"\{[^{}]{0,2000}\}")
_ABSTENTION = re.compile(r"<abstain>", re.IGNORECASE)
_ABSTENTION_END = re.compile(r"</abstain>", re.IGNORECASE)
_ANSWER = re.compile(r"<answer>", re.IGNORECASE)
_ANSWER_END = re.compile(r"</answer>|<tool_call>", re.IGNORECASE)
_THOUGHT_BOX = re.compile(
    r"<box>([^<>]{1,200})</box>|<\|box_start\|>([^<>]{1,200})<\|box_end\|>"
    r'|[\'"]?bbox(?:_2d)?[\'"]?\s{0,9}:\s{0,9}(\[[^\[\]]{1,200}\])'
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_FORMAT = "It must be a JSON object with the arguments of a call, or a box."


def read_foreign(
    text: str, native: Sequence[tuple[str, str]], vocabulary: Vocabulary, *, truncated: bool, calling: bool
) -> ParsedReply:
    """Read a reply. Never raises.

    Calls have the agent's own names and arguments. Those that can't be read have their error; all of them may.

    Args:
        text: the model's words.
        native: calls that the server parsed itself, as (name, JSON text of the arguments).
        vocabulary: of the agent.
        truncated: whether the reply ended because it reached its token limit.
        calling: whether it may call tools; otherwise nothing is read as a call.
    """
    thoughts, rest = _divided(text[-_MAX_SEARCHED:], vocabulary, truncated=truncated)
    rest, dropped = before_invented_turn(rest)
    ending = Ending.MARKER if dropped else Ending.LIMIT if truncated else Ending.STOP
    calls: list[RawCall] = []
    if calling:
        calls = [named_call(name, body, Ending.MARKER, body) for name, body in native]
        calls = calls or list(_calls(rest, vocabulary.calls, ending))
        chosen = {Which.ALL: slice(None), Which.FIRST: slice(1), Which.LAST: slice(-1, None)}[vocabulary.calls.which]
        calls = calls[chosen][: vocabulary.calls.most]
    answer = _answer(rest, vocabulary.answers, whole=ending is not Ending.LIMIT)
    if calls and not (answer and vocabulary.answer_first):
        return ParsedReply(tuple(calls), reasoning=thoughts, set_aside=answer)
    if answer:
        return ParsedReply(answer=answer, reasoning=thoughts)
    return replace(_words(rest, vocabulary, truncated=truncated), reasoning=thoughts)


def _words(text: str, vocabulary: Vocabulary, *, truncated: bool) -> ParsedReply:
    """A reply without a call and without a marked answer."""
    start = _ABSTENTION.search(text)
    if start and (end := _ABSTENTION_END.search(text, start.end())):
        return ParsedReply(abstention=text[start.end() : end.start()].strip() or "no reason given")
    if truncated:
        problem = "The reply was cut off at its token limit before it was complete; write less."
        return ParsedReply(cut_off=True, error=ReplyFormatError(problem))
    plain = plain_answer(text)
    if plain and is_refusal(plain):
        return ParsedReply(abstention=plain)
    if plain and Form.TEXT in vocabulary.answers:
        return ParsedReply(answer=plain)
    return ParsedReply(plain=plain, error=ReplyFormatError("The reply holds neither a call nor an answer."))


def thought_boxes(text: str, most: int = 3) -> list[RawCall]:
    """The last boxes that a reply writes in its thoughts, each once: as calls without a name.

    Args:
        text: the reply, thoughts included.
        most: as many.
    """
    found: dict[tuple[float, ...], RawCall] = {}
    for match in _THOUGHT_BOX.finditer(text[-_MAX_SEARCHED:]):
        numbers = [float(number) for number in _NUMBER.findall(next(filter(None, match.groups())))]
        if len(numbers) == 4:
            found.pop(tuple(numbers), None)
            found[tuple(numbers)] = RawCall("", {"bbox_2d": numbers}, match[0])
    return list(found.values())[-most:]


def _divided(text: str, vocabulary: Vocabulary, *, truncated: bool) -> tuple[str, str]:
    """The thoughts of a reply, and the rest."""
    kept = []
    for opening, closing in vocabulary.thoughts:
        pattern = re.compile(f"{re.escape(opening)}(.*?)(?:{re.escape(closing)}|\\Z)", re.DOTALL | re.IGNORECASE)
        kept += [found.strip() for found in pattern.findall(text)]
        text = pattern.sub("\n", text)
    divided = divide(text)
    thoughts, rest = divided.all, divided.rest
    ended = conclusion(divided.unfinished) if divided.unfinished and not truncated else None
    if ended:
        thoughts, rest = f"{divided.reasoning}\n\n{ended[0]}".strip(), f"{rest}\n{ended[1]}"
    return "\n\n".join(filter(None, [thoughts, *kept])), rest


def _answer(text: str, forms: Sequence[Form], *, whole: bool) -> str | None:
    """The marked answer; words without a mark are for the caller."""
    body: str | None = None
    for form in forms:
        inside = text if body is None else body
        if form is Form.TAG and body is None:
            body = _tagged(text, whole=whole)
        elif form is Form.BOXED:
            body = latex_box(inside).strip() or body
    return tagged_answer(body) or None if body is not None else None


def _tagged(text: str, *, whole: bool) -> str | None:
    starts = [found.end() for found in _ANSWER.finditer(text)]
    if not starts:
        return None
    end = _ANSWER_END.search(text, starts[-1])
    if end is None and not whole:
        return None
    return text[starts[-1] : end.start() if end else len(text)].strip() or None


def _calls(text: str, form: CallForm, ending: Ending) -> Iterator[RawCall]:
    if form.at_end and not _without_end_token(text).endswith("</tool_call>"):
        return
    if form.reader is Reader.TOOL_CALL:
        blocks = [block for block in find_blocks(text, ending)[:MAX_CALLS] if is_call(block)]
        for block in blocks:
            yield from _block(block)
    elif form.reader is Reader.TAG:
        pattern = re.compile(f"<{form.tag}>(.*?)(</{form.tag}>|\\Z)", re.DOTALL | re.IGNORECASE)
        for found in pattern.finditer(text):
            if found[2] or ending is not Ending.LIMIT:
                yield _tag_call(found[1].strip(), form.default_tool)
    elif form.reader is Reader.LIST and ending is not Ending.LIMIT:
        yield from _list_calls(without_markers(unfenced(text)), form.default_tool)


def _without_end_token(text: str) -> str:
    """A text without the special token that may end it."""
    return re.sub(r"<\|[^<>|\s]{1,40}\|>\s*\Z", "", text.rstrip()).rstrip()


def _block(block: Block) -> list[RawCall]:
    _, calls = block_calls(block, {}, "")
    if calls and all(call.error for call in calls):
        try:
            as_json = json.dumps(literal_text(block.body))
            calls = [replace(call, raw=block.body) for call in json_calls(as_json, Ending.MARKER)]
        except (ReplyFormatError, TypeError, ValueError, RecursionError):
            pass  # neither JSON nor a literal: the first error stands
    return calls


def _tag_call(body: str, tool: str) -> RawCall:
    value = _value(body)
    if isinstance(value, dict):
        return RawCall(tool, value, body)
    if isinstance(value, list) or len(_NUMBER.findall(body)) == 4:
        return RawCall(tool, {"bbox_2d": value if isinstance(value, list) else body}, body)
    return RawCall(tool, {}, body, ReplyFormatError(f"The call {body[:200]!r} can't be read. {_FORMAT}"))


def _list_calls(text: str, tool: str) -> Iterator[RawCall]:
    value = _value(text)
    if value is None:
        value = [_value(found[0]) for found in _OBJECT.finditer(text)]
    if isinstance(value, list) and value and not any(isinstance(item, dict | list) for item in value):
        value = [{"bbox_2d": value}]
    for item in ([value] if isinstance(value, dict) else value if isinstance(value, list) else [])[:MAX_CALLS]:
        arguments = {"bbox_2d": item} if isinstance(item, list) else item
        if isinstance(arguments, dict):
            yield RawCall(tool, arguments, text)


def _value(text: str) -> Any:
    """What a text says as JSON or as a Python literal; None if it is neither."""
    for read in (whole_json, literal_text):
        try:
            return read(text)
        except ReplyFormatError:
            continue
    return None
