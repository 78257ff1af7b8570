"""What a reply asks for.

Thoughts are set aside first, and whatever follows an invented tool result is dropped. What is left may hold, in order
of precedence, besides what it has found out on the way (`<finding>...</finding>`, which ends nothing):

1. native calls, parsed by the server;
2. the first block in the text. If it is a call, in whatever dialect, every call of the reply counts and an answer
   after it is set aside, for it was written before the results were seen. If it is `<answer>...</answer>` or
   `<abstain>...</abstain>`, the episode ends there and what follows is ignored;
3. calls without a marker: JSON in code fences, a reply that is nothing but JSON, or pythonic calls in brackets;
4. plain words.

Of a reply that was cut off at its token limit only complete blocks count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from hart_agent.dialogue.blocks import corrected_answer, find_blocks, is_call, without_findings
from hart_agent.dialogue.dialects import DIALECTS, GLM, HERMES, NAMED_JSON, PYTHONIC, Block, Dialect
from hart_agent.dialogue.dialects.pythonic import bare_calls
from hart_agent.dialogue.json_calls import named_call
from hart_agent.dialogue.json_repair import MAX_CALLS, Ending
from hart_agent.dialogue.markers import before_invented_turn
from hart_agent.dialogue.plain import plain_answer, tagged_answer
from hart_agent.dialogue.results import HINT_TOOLS, ParsedReply, RawCall, Schemas
from hart_agent.dialogue.thoughts import Thoughts, conclusion, divide
from hart_agent.errors import ReplyFormatError

_FENCE = re.compile(r"```(?:json|tool_call|tool_code|python)?(?P<body>.*?)(?P<end>```|\Z)", re.DOTALL | re.IGNORECASE)
_JSON_CALL = re.compile(r"\{|\[\s*\{")
_FIRST_WORD = re.compile(r"([A-Za-z_][\w.-]{0,99})\s*[{<`]")
_CALL_AMONG_WORDS = re.compile(
    r'"name"\s{0,9}:\s{0,9}"[^"]{1,100}"\s{0,9},\s{0,9}"(?:arguments|parameters)"'
    r"|<arg_key>|<parameter=|functions\.\w{1,99}:\d|^Action Input:",
    re.MULTILINE,
)
_TOOL_CODE = re.compile(r"```tool_code", re.IGNORECASE)


def parse_reply(
    text: str,
    native_calls: Sequence[tuple[str, str]] = (),
    *,
    truncated: bool = False,
    schemas: Schemas | None = None,
    hint: str = HINT_TOOLS,
) -> ParsedReply:
    """Read a reply. Never raises, whatever the text.

    Args:
        text: the model's words.
        native_calls: calls that the server parsed itself, as (name, JSON text of the arguments).
        truncated: whether the reply ended because it reached its token limit.
        schemas: the tools, to convert arguments that a dialect writes as bare text.
        hint: what the model is asked to write at this stage, `HINT_TOOLS` or `HINT_ANSWER`. Errors end with it, and
            speak of tools only if it does.
    """
    if native_calls and not text:
        ending = Ending.LIMIT if truncated else Ending.STOP
        reply, unfinished = _with_native(native_calls, [], ending, hint), False
    else:
        reply, unfinished = _read_text(text, native_calls, truncated, schemas or {}, hint)
    if reply.error is None:
        return reply
    if truncated:
        problem = f"The reply was cut off at its token limit before it was complete; write less. {hint}"
        return replace(reply, plain=None, cut_off=True, error=ReplyFormatError(problem))
    if unfinished:
        problem = f"Your thought never ends, so that nothing after it counts; close it with </think>. {hint}"
        return replace(reply, plain=None, error=ReplyFormatError(problem))
    return reply


def _read_text(
    text: str, native: Sequence[tuple[str, str]], truncated: bool, schemas: Schemas, hint: str
) -> tuple[ParsedReply, bool]:
    """What a reply with words asks for, and whether its last thought never ends."""
    thoughts = divide(text)
    ended = conclusion(thoughts.unfinished) if thoughts.unfinished and not truncated else None
    if ended:
        thoughts = Thoughts(f"{thoughts.reasoning}\n\n{ended[0]}".strip(), f"{thoughts.rest}\n{ended[1]}")
    rest, dropped = before_invented_turn(thoughts.rest)
    ending = Ending.MARKER if dropped else Ending.LIMIT if truncated else Ending.STOP
    findings, rest = without_findings(rest, ending)
    found = [words for block in findings[:MAX_CALLS] if _counts(block) and (words := tagged_answer(block.body))]
    reply = _read(rest, native, ending, schemas, hint)
    return replace(reply, reasoning=thoughts.all, findings=tuple(found)), thoughts.unfinished is not None


def _read(text: str, native: Sequence[tuple[str, str]], ending: Ending, schemas: Schemas, hint: str) -> ParsedReply:
    blocks = find_blocks(text, ending)
    found = [(block, *block_calls(block, schemas, hint)) for block in blocks[:MAX_CALLS]]
    found = [(block, dialect, calls) for block, dialect, calls in found if calls or not is_call(block)]
    if native:
        return _with_native(native, blocks, ending, hint)
    if found and is_call(found[0][0]):
        calls = [call for _, _, calls in found for call in calls]
        return _with_calls(calls, found[0][1], blocks, hint)
    if found:
        return _with_words((corrected_answer(text) if len(found) > 1 else None) or found[0][0], hint)
    dialect, calls = _unmarked_calls(text, ending, schemas, hint)
    if calls:
        return _with_calls(calls, dialect, blocks, hint)
    if _CALL_AMONG_WORDS.search(text):
        return ParsedReply(error=_error(f"The reply holds a call among words, without its tags. {hint}", hint))
    nothing = f"The reply holds neither a tool call nor an answer. {hint}"
    return ParsedReply(plain=plain_answer(text), error=_error(nothing, hint))


def _with_native(native: Sequence[tuple[str, str]], blocks: list[Block], ending: Ending, hint: str) -> ParsedReply:
    return _with_calls([_native(name, body, ending, hint) for name, body in native], None, blocks, hint)


def _with_calls(calls: list[RawCall], dialect: Dialect | None, blocks: list[Block], hint: str) -> ParsedReply:
    if all(call.error for call in calls):
        return ParsedReply(error=_error(str(calls[0].error), hint))
    answers = (tagged_answer(block.body) for block in blocks if block.opener == "<answer>" and _counts(block))
    set_aside = next(filter(None, answers), None)
    return ParsedReply(tuple(calls), set_aside=set_aside, dialect=dialect.name if dialect else None)


def _with_words(block: Block, hint: str) -> ParsedReply:
    words = tagged_answer(block.body)
    if not _counts(block):
        return ParsedReply(error=_error(f"The reply is not complete. {hint}", hint))
    if block.opener == "<abstain>":
        return ParsedReply(abstention=words or "no reason given")
    if not words:
        return ParsedReply(error=_error(f"The answer is empty. {hint}", hint))
    return ParsedReply(answer=words)


def _counts(block: Block) -> bool:
    return block.ending is not Ending.LIMIT


def block_calls(block: Block, schemas: Schemas, hint: str) -> tuple[Dialect | None, list[RawCall]]:
    """The calls of a block, bad ones with their error, and the dialect in which they were read.

    Args:
        block: as `find_blocks` gives it.
        schemas: the tools, to convert arguments that a dialect writes as bare text.
        hint: with which errors end.
    """
    if not is_call(block):
        return None, []
    dialect = next((dialect for dialect in DIALECTS if dialect.reads(block, schemas)), HERMES)
    return dialect, _dialect_calls(dialect, block, schemas, hint)


def _dialect_calls(dialect: Dialect, block: Block, schemas: Schemas, hint: str) -> list[RawCall]:
    try:
        calls = dialect.read(block, schemas)
    except ReplyFormatError as error:
        calls = [RawCall("", {}, block.body, error)]
    return [replace(call, error=_call_error(call.error, dialect, hint)) if call.error else call for call in calls]


def _call_error(error: ReplyFormatError, dialect: Dialect | None, hint: str) -> ReplyFormatError:
    if dialect is None or dialect is HERMES:
        return ReplyFormatError(f"The call can't be read. {error} {hint}")
    return ReplyFormatError(
        f"The call, in the dialect {dialect.name}, can't be read. {error} Its form is {dialect.form}. {hint}"
    )


def _unmarked_calls(text: str, ending: Ending, schemas: Schemas, hint: str) -> tuple[Dialect, list[RawCall]]:
    """Calls in code fences, or in a text that is nothing but calls."""
    fences = [
        (fence[0], Block("", fence["body"].strip(), Ending.MARKER if fence["end"] else ending))
        for fence in _FENCE.finditer(text)
    ]
    bodies = [block for _, block in fences[:MAX_CALLS]] or [Block("", text.strip(), ending)]
    written = [block for block in bodies if _JSON_CALL.match(block.body) and '"name"' in block.body]
    if written:
        return HERMES, [call for block in written for call in _dialect_calls(HERMES, block, schemas, hint)]
    named = [block for block in bodies if (word := _FIRST_WORD.match(block.body)) and word[1] in schemas]
    for dialect in (GLM, NAMED_JSON):
        if named and all(dialect.fits(block, schemas) for block in named):
            return dialect, [call for block in named for call in _dialect_calls(dialect, block, schemas, hint)]
    bare = [
        Block("", calls, Ending.MARKER if closed else ending)
        for block in bodies
        for calls, closed in islice(bare_calls(block.body, schemas), MAX_CALLS)
    ]
    bare += [block for fence, block in fences if _TOOL_CODE.match(fence) and not block.body.startswith("[")]
    return PYTHONIC, [call for block in bare for call in _dialect_calls(PYTHONIC, block, schemas, hint)]


def _native(name: str, body: str, ending: Ending, hint: str) -> RawCall:
    ending = Ending.MARKER if ending is Ending.STOP and not body.strip() else ending
    call = named_call(name, body, ending, body)
    return replace(call, error=_call_error(call.error, None, hint)) if call.error else call


def _error(problem: str, hint: str) -> ReplyFormatError:
    """An error that speaks of tools only if the hint does."""
    speaks_of_tools = "tool" in hint.lower()
    return ReplyFormatError(problem if speaks_of_tools else f"The reply holds no answer that can be read. {hint}")
