"""What a server's refusal means: the words differ between servers, the remedies don't."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum


class Problem(StrEnum):
    """Why a request failed, by its remedy."""

    BUSY = "busy"
    """Overloaded, broken down, out of reach or too slow: the same request may succeed later."""
    IMAGES = "images"
    """Too many images in one request."""
    BYTES = "bytes"
    """The request is too long in bytes."""
    CONTEXT = "context"
    """The conversation is too long in tokens."""
    SIGHT = "sight"
    """Its model takes no images at all."""
    TOOLS = "tools"
    """The server doesn't take `tools`."""
    PARAMETER = "parameter"
    """It doesn't take some other optional parameter."""
    MODEL = "model"
    """It has no such model."""
    KEY = "key"
    """It refuses the API key."""
    PATH = "path"
    """It has no such address: the base URL is wrong."""
    REFUSED = "refused"
    """It, or the model, declines this one request: a content filter, a refusal."""
    OTHER = "other"


_OUTAGES = frozenset({Problem.BUSY, Problem.KEY, Problem.MODEL, Problem.PATH, Problem.SIGHT})
"""What other requests would meet as well."""
ADVICE = {
    Problem.KEY: "Set HART_AGENT_API_KEY or OPENAI_API_KEY, or give --api-key, to a key that this server knows.",
    Problem.PATH: "Check --base-url: for most servers it ends in /v1.",
    Problem.BYTES: "Its images are compressed as far as they can be. Lower --max-images or --max-pixels, or raise the "
    "server's limit (nginx: client_max_body_size).",
    Problem.IMAGES: "Raise the server's limit (vLLM: --limit-mm-per-prompt '{\"image\": 16}'), or lower --max-images; "
    "if it takes none at all, serve a vision-language model.",
    Problem.SIGHT: "Its model takes no images: serve a vision-language model (llama.cpp: with its --mmproj file).",
    Problem.TOOLS: "Start it with its own parser of tool calls (vLLM: --enable-auto-tool-choice --tool-call-parser "
    "hermes), or choose --tool-format text.",
    Problem.CONTEXT: "Lower --max-pixels, --max-images or --max-tokens, or serve the model with a longer context "
    "(vLLM: --max-model-len; Ollama: num_ctx; llama.cpp: -c).",
    Problem.REFUSED: "This question was declined; others may be answered. Rephrase it, or ask another model.",
    Problem.BUSY: "See whether the server is up, its log is quiet and your quota lasts, then try again; if it is only "
    "slow, lower --max-tokens or --max-pixels.",
}
"""What the user can do next."""

OPTIONAL_PARAMETERS = ("max_tokens", "temperature", "seed")
"""What a request can do without."""


OVERLOAD = frozenset({429, 503, 529})
"""The statuses by which a server says that it has too much to do."""
_MAX_READ = 20_000
"""Characters of a server's words that are searched."""


@dataclass(frozen=True)
class Failure:
    """A request that failed.

    Attributes:
        problem: what is to be done about it.
        message: the server's words, or the connection's.
        limit: how many images or tokens the server takes, if it said so.
        parameter: which one it doesn't take.
        wait: seconds after which it wants to be asked again, if it said so.
        quota: whether the account has used up what it paid for.
    """

    problem: Problem
    message: str
    limit: int | None = None
    parameter: str | None = None
    wait: float | None = None
    quota: bool = False

    @property
    def outage(self) -> bool:
        """Whether other requests would fail as well."""
        return self.quota or self.problem in _OUTAGES

    @property
    def advice(self) -> str:
        """What the user can do next."""
        if self.quota:
            return "The account has used up what it paid for: see its plan and limits at the service."
        return ADVICE.get(self.problem, "The request can't be changed to suit; see the server's log.")


class ServerError(Exception):
    """A request failed. Internal to the backend, which finds a remedy or turns it into a PolicyError.

    Attributes:
        failure: what happened.
        refused: whether the server said that it has too much to do.
        late: whether it took too long.
        served: how many requests it had answered by then.
    """

    def __init__(self, failure: Failure, *, refused: bool = False, late: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.refused = refused
        self.late = late
        self.served = 0


_IMAGES = re.compile(r"at most (\d+) images?|too many images|(?:maximum|limit|only|up to)\D{0,40}?(\d+) images?", re.I)
_SIGHT = re.compile(
    r"n[o']t support (?:image|vision|multimodal)|support(?:s|ing)? (?:for )?(?:image|vision) inputs?|"
    r"image_url[`'\"]? is only|image input is not|required for image input|not? (?:a )?multimodal|"
    r"unknown variant [`'\"]?image_url",
    re.I,
)
"""Of llama.cpp, Ollama, LM Studio, vLLM, SGLang and services."""
_CONTEXT = re.compile(
    r"context[ _](?:length|size|window)|context_length_exceeded|maximum model length|max_model_len|prompt is too long",
    re.I,
)
_CONTEXT_LIMIT = re.compile(r"(?:(?:context|model)'?s?[ _](?:length|size|window)|max_model_len)\D{0,30}?(\d{3,})", re.I)
_BYTES = re.compile(r"(?:payload|request|entity|body).{0,20}too large|exceeds.{0,30}(?:bytes|\bmb\b)", re.I)
_TOOLS = re.compile(
    r"tool[ _-]?(?:choice|call)|support(?:ed)? tools|tools (?:param|is|are|not)|['\"`]tools['\"`]|function call", re.I
)
_BY_WORDS = (
    (_SIGHT, Problem.SIGHT), (_BYTES, Problem.BYTES), (_CONTEXT, Problem.CONTEXT), (_TOOLS, Problem.TOOLS),
)  # fmt: skip
_FILTERED = re.compile(
    r"content[ _-]?(?:filter|policy|management)|moderation|\bflagged\b|safety (?:system|filter)", re.I
)
_QUOTA = re.compile("insufficient_quota|exceeded your current quota", re.I)
_UNSUPPORTED = re.compile(r"unsupported|not support|unrecognized|unknown|not permitted|not allowed|extra", re.I)


def diagnose(status: int, message: str, wait: float | None = None) -> Failure:
    """What an HTTP error means.

    Args:
        status: the HTTP status, 400 or more.
        message: the server's words.
        wait: seconds, from `Retry-After`.
    """
    head = message[:_MAX_READ]
    if status == 402 or (status == 429 and _QUOTA.search(head)):
        return Failure(Problem.OTHER, message, quota=True)
    if status < 500 and status != 429 and _FILTERED.search(head):
        return Failure(Problem.REFUSED, message)
    known = _BY_STATUS.get(status)
    if known is None:
        failure = _read(head)
        if failure is not None:
            return replace(failure, message=message)
        if status == 404:
            known = Problem.MODEL if "model" in head.lower() else Problem.PATH
    return Failure(known or (Problem.BUSY if status >= 500 else Problem.OTHER), message, wait=wait)


def _read(message: str) -> Failure | None:
    """What the words alone say, whatever the status."""
    if images := _IMAGES.search(message):
        return Failure(Problem.IMAGES, message, limit=_number(images[1] or images[2]))
    problem = next((problem for words, problem in _BY_WORDS if words.search(message)), None)
    if problem is not None:
        limit = _CONTEXT_LIMIT.search(message) if problem is Problem.CONTEXT else None
        return Failure(problem, message, limit=_number(limit[1] if limit else None))
    named = [name for name in OPTIONAL_PARAMETERS if re.search(rf"\b{name}\b", message)]
    if named and _UNSUPPORTED.search(message):
        return Failure(Problem.PARAMETER, message, parameter=named[0])
    return None


def _number(digits: str | None) -> int | None:
    return int(digits) if digits and len(digits) < 10 else None


_BY_STATUS = {
    401: Problem.KEY,
    403: Problem.KEY,
    408: Problem.BUSY,
    409: Problem.BUSY,
    413: Problem.BYTES,
    425: Problem.BUSY,
    429: Problem.BUSY,
}
