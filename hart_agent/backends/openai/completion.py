"""Reading a chat completion: the only place that knows what servers put into one.

Servers differ in where they put a reply's words, thoughts and calls, and gateways hide errors in answers of status 200.
What leaves no doubt is read; everything else is a `ServerError` that quotes what came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from hart_agent.backends.openai.failures import OVERLOAD, Failure, Problem, ServerError, diagnose
from hart_agent.dialogue.policy import FinishReason, Reply, Usage

_ENDED_BY_LIMIT: Final = frozenset(
    "length max_tokens max_output_tokens max_completion_tokens model_length model_context_window_exceeded".split()
)
_ENDED_BY_MODEL: Final = frozenset(
    "stop eos eos_token end_turn stop_sequence complete completed tool_calls tool_use function_call".split()
)
_FILTERED: Final = frozenset(
    "content_filter content_filtered sensitive safety refusal recitation blocklist prohibited_content".split()
)
_BROKEN: Final = frozenset("error network_error abort aborted".split())

_STATUS_OF_TYPE: Final = {
    "rate_limit": 429, "ratelimit": 429, "overloaded": 503, "unavailable": 503, "timeout": 408,
    "server_error": 500, "internal": 500,
    "authentication": 401, "invalid_api_key": 401, "permission": 403, "insufficient_quota": 429, "not_found": 404,
    "notfound": 404,
    "content_policy": 400, "content_filter": 400, "invalid_request": 400, "bad_request": 400, "badrequest": 400,
    "context_length": 400,
}  # fmt: skip
"""The HTTP status that an error means which names only its type or a code in words."""

_WORDS: Final = frozenset(("text", "output_text", "input_text"))
_THOUGHTS: Final = frozenset("thinking reasoning thought reasoning.text reasoning.summary reasoning_text".split())
_TEXT_FIELDS: Final = ("text", "value", "thinking", "reasoning", "summary", "content")
_REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_ARGUMENT_FIELDS: Final = ("arguments", "input", "parameters", "args")

_VERDICT_TAG = re.compile(r"<(/?)(answer|abstain)>", re.IGNORECASE)
_MAX_DEPTH: Final = 32
"""Levels of lists in a message's content."""
_MAX_COUNT: Final = 10**9
"""Tokens. A larger count is no count."""


def read_completion(answer: Any) -> Reply:
    """A server's answer as a reply, whose usage counts one request.

    Args:
        answer: its JSON, or its text where that is not JSON.

    Raises:
        ServerError: it is an error, a refusal, or not a chat completion.
    """
    if not isinstance(answer, dict):
        raise ServerError(Failure(Problem.PATH, f"it answers, but not with a chat completion: {_quoted(answer)}"))
    _raise_error(answer.get("error"))
    if "choices" not in answer:
        if answer.get("object") == "error":
            _raise_error(answer)
        raise ServerError(Failure(Problem.PATH, f"it answers, but not with a chat completion: {_quoted(answer)}"))
    choice, message = _choice(answer)
    finish = _finish(choice, message)
    words, thoughts = _texts(message.get("content"))
    thoughts += _reasoning(message)
    calls = tuple(_calls(message))
    text, reasoning = "".join(words), "\n".join(thoughts)
    if not text.strip() and not calls:
        _raise_refusal(message)
        # A server that takes all words for thoughts has put the answer there, too.
        text = "" if finish is FinishReason.LENGTH else _last_verdict(reasoning)
    state = answer.get("system_fingerprint")
    return Reply(
        text,
        calls,
        _usage(answer.get("usage")),
        finish_reason=finish,
        reasoning=reasoning,
        fingerprint=state if isinstance(state, str) else "",
    )


def error_words(body: Any) -> str | None:
    """The message of an error: servers put it in `error.message`, `error`, `message`, `detail`, or nowhere."""
    for _ in range(4):
        if isinstance(body, str):
            return body or None
        if not isinstance(body, dict):
            return None
        body = next((body[key] for key in ("error", "message", "detail", "msg") if body.get(key)), None)
    return None


def _choice(answer: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first choice that holds a message, and the message."""
    choices = answer["choices"]
    for choice in choices if isinstance(choices, list) else [choices]:
        if not isinstance(choice, dict):
            continue
        _raise_error(choice.get("error"))
        message = next((choice[key] for key in ("message", "delta", "text") if choice.get(key) is not None), None)
        if isinstance(message, str):
            message = {"content": message}
        if isinstance(message, dict):
            return choice, message
        _finish(choice, {})
    raise ServerError(Failure(Problem.BUSY, f"its chat completion is empty: {_quoted(answer)}"))


def _finish(choice: Mapping[str, Any], message: Mapping[str, Any]) -> FinishReason | None:
    given = choice.get("finish_reason") or choice.get("stop_reason")
    reason = given.strip().lower().replace("-", "_") if isinstance(given, str) else ""
    if reason in _FILTERED:
        raise ServerError(Failure(Problem.REFUSED, f"it ended the reply with {given!r}{_said(message)}"))
    if reason in _BROKEN:
        raise ServerError(Failure(Problem.BUSY, f"it ended the reply with {given!r}"))
    if reason in _ENDED_BY_LIMIT:
        return FinishReason.LENGTH
    return FinishReason.STOP if reason in _ENDED_BY_MODEL else None


def _raise_refusal(message: Mapping[str, Any]) -> None:
    if said := _said(message):
        raise ServerError(Failure(Problem.REFUSED, f"the model declines{said}"))


def _said(message: Mapping[str, Any]) -> str:
    """The words of a refusal, to be appended to a sentence."""
    refusals = [message.get("refusal")]
    if isinstance(message.get("content"), list):
        refusals += [part.get("refusal") for part in message["content"] if isinstance(part, dict)]
    return next((f": {words}" for words in refusals if isinstance(words, str) and words.strip()), "")


def _raise_error(error: Any) -> None:
    """An error that came with status 200 is treated as the one that it names; the message quotes what came."""
    if not error:
        return
    codes = [error.get(key) for key in ("code", "status", "type")] if isinstance(error, dict) else []
    status = next((status for code in codes if (status := _status(code))), 500)
    names = " ".join(code for code in codes if isinstance(code, str))
    named = f"error {status}" if any(str(code) == str(status) for code in codes) else "an error"
    message = f"HTTP 200 with {named}: {error_words(error) or _quoted(error)}" + (f" ({names})" if names else "")
    failure = diagnose(status, message)
    raise ServerError(failure, refused=failure.problem is Problem.BUSY and status in OVERLOAD)


def _status(code: Any) -> int | None:
    if isinstance(code, str):
        if re.fullmatch(r"[45]\d\d", code):
            return int(code)
        name = code.lower()
        return next((status for part, status in _STATUS_OF_TYPE.items() if part in name), None)
    return code if isinstance(code, int) and 400 <= code <= 599 else None


def _texts(content: Any, depth: int = 0) -> tuple[list[str], list[str]]:
    """The words and the thoughts in a message's content: text, a part, or a list of them.

    Raises:
        ServerError: it is something else.
    """
    if content is None:
        return [], []
    if isinstance(content, str):
        return [content] if content else [], []
    if isinstance(content, list) and depth < _MAX_DEPTH:
        pairs = [_texts(part, depth + 1) for part in content]
        return [text for words, _ in pairs for text in words], [text for _, thoughts in pairs for text in thoughts]
    if isinstance(content, dict) and depth < _MAX_DEPTH:
        kind = content["type"] if isinstance(content.get("type"), str) else None
        words, thoughts = _texts(next((content[key] for key in _TEXT_FIELDS if content.get(key)), None), depth + 1)
        if kind in _THOUGHTS:
            return [], words + thoughts
        if kind in _WORDS or (kind is None and (words or thoughts)):
            return words, thoughts
        if kind is not None:
            return [], []  # a picture, a sound, a refusal
    raise ServerError(
        Failure(Problem.BUSY, f"the content of its chat completion is neither text nor parts: {_quoted(content)}")
    )


def _reasoning(message: Mapping[str, Any]) -> list[str]:
    """The thoughts that came next to the content. A server that sends several such fields repeats itself."""
    for field in _REASONING_FIELDS:
        try:
            words, thoughts = _texts(message.get(field))
        except ServerError:  # settings, perhaps; no reason to lose the reply
            continue
        if words or thoughts:
            return words + thoughts
    return []


def _last_verdict(text: str) -> str:
    """The last complete answer or abstention in a text, with its tags; empty if there is none."""
    tags = list(_VERDICT_TAG.finditer(text))
    for opening, closing in reversed(list(pairwise(tags))):
        if not opening[1] and closing[1] and opening[2].lower() == closing[2].lower():
            return text[opening.start() : closing.end()]
    return ""


def _calls(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The calls that the server has parsed; one that can't be read has no name, and the model is shown an error."""
    # `function_call` is how calls were sent before there were tools.
    fields = (_decoded(message.get(field)) for field in ("tool_calls", "function_call"))
    given: Any = next((field for field in fields if field and not isinstance(field, str)), [])
    if isinstance(given, dict):
        numbered = all(isinstance(key, str) and key.isdigit() for key in given)
        given = list(given.values()) if numbered else [given]
    for entry in given if isinstance(given, list) else [given]:
        call = _decoded(entry)
        if call is None or call == "":
            continue
        if not isinstance(call, dict):
            yield "", _json(call)
            continue
        inner = next((call[key] for key in ("function", "custom") if isinstance(call.get(key), dict)), call)
        name = inner.get("name") or (inner.get("function") if isinstance(inner.get("function"), str) else "")
        arguments = next((inner[key] for key in _ARGUMENT_FIELDS if inner.get(key) is not None), "")
        yield name if isinstance(name, str) else "", _arguments(arguments)


def _arguments(arguments: Any) -> str:
    """A call's arguments as JSON: some servers send the object itself, others encode the text once more."""
    for _ in range(3):
        if not isinstance(arguments, str):
            return _json(arguments)
        if not arguments.lstrip().startswith('"'):
            break
        arguments = _decoded(arguments)
        if not isinstance(arguments, str):
            return _json(arguments)
    return "" if arguments.strip() == "null" else arguments


def _usage(usage: Any) -> Usage:
    usage = usage if isinstance(usage, dict) else {}
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), 1)


def _count(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT:
        return int(value)
    return 0


def _decoded(value: Any) -> Any:
    """What a text says as JSON; anything else, and text that is not JSON, as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply)"


def _quoted(value: Any) -> str:
    """What came, whole: the server that shows it removes secrets before it shortens."""
    return repr(value if isinstance(value, str) else _json(value))
