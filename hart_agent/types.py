"""The data that travels between policies, episodes and their users: immutable, and free of model or tool code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from hart_agent.budget import CoordinateProfile
from hart_agent.geometry import Box, Frame, Size
from hart_agent.imaging import View

Part: TypeAlias = "str | View"
"""A piece of a message: text, or an image."""


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True)
class Message:
    """One message of the conversation. Messages are only ever appended.

    Attributes:
        role: who speaks.
        parts: text and images, in order.
        calls: on an assistant's message, the tool calls that were read from it.
        call_id: on a tool's message, the call that it answers.
    """

    role: Role
    parts: tuple[Part, ...]
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None

    @property
    def text(self) -> str:
        """The text parts, joined by new lines."""
        return "\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def views(self) -> tuple[View, ...]:
        return tuple(part for part in self.parts if isinstance(part, View))


@dataclass(frozen=True)
class ToolSpec:
    """What a model needs to know of a tool: its name, what it does, and the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A call as the model wrote it.

    Attributes:
        id: unique in an episode.
        name: the tool's name.
        arguments: the parsed JSON object; coordinates are still in the model's space.
        raw: the text from which it was read, unchanged.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    raw: str


@dataclass(frozen=True)
class ViewRecord:
    """A view without its pixels, from which they can be rendered again.

    Attributes:
        id: the view's name in the episode.
        kind: what made it: "overview", or the name of the tool.
        frame: where it lies in the original.
        sha256: hash of its RGB pixels.
    """

    id: str
    kind: str
    frame: Frame
    sha256: str

    @classmethod
    def of(cls, view: View) -> ViewRecord:
        return cls(view.id, view.kind, view.frame, view.sha256)


@dataclass(frozen=True)
class ToolResult:
    """What came of a call.

    Attributes:
        call: the call.
        text: what the model is told.
        views: the images that the model is shown.
        error: the kind of error, or None.
        seconds: how long the tool took.
    """

    call: ToolCall
    text: str
    views: tuple[ViewRecord, ...] = ()
    error: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Usage:
    """What a policy consumed: tokens where the policy counts them, and requests."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.requests + other.requests,
        )


@dataclass(frozen=True)
class ReadLine:
    """A line of text that a policy read in the image.

    Attributes:
        text: its words.
        box: where it stands, in original pixels.
        confidence: 0 to 1.
    """

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True)
class Reply:
    """A policy's reply to a conversation.

    Attributes:
        text: the model's words, unchanged.
        native_calls: calls that a server parsed itself, as (name, JSON text of the arguments).
        usage: what the reply cost.
        token_ids: the generated tokens, shape (T,), where training asks for them.
        log_probs: natural-log probability of each of those tokens under the sampling policy, shape (T,).
        read: lines of text that the policy read so far, the likeliest to answer the question first; None if it doesn't
            report any.
    """

    text: str
    native_calls: tuple[tuple[str, str], ...] = ()
    usage: Usage = field(default_factory=lambda: Usage(requests=1))
    token_ids: tuple[int, ...] | None = None
    log_probs: tuple[float, ...] | None = None
    read: tuple[ReadLine, ...] | None = None


class Mode(StrEnum):
    """What a policy sees and may do on its way to the answer."""

    AGENT = "agent"
    """Free use of all tools, the overview always in sight."""
    CLOSED_LOOP = "closed-loop"
    """HART: it names regions on the overview, then answers from their crops alone (arXiv 2602.23615)."""
    MGPO = "mgpo"
    """It names regions on the overview, then answers with crops and overview in sight (arXiv 2507.05920)."""
    DIRECT = "direct"
    """It answers from the overview alone, without tools."""


class Verdict(StrEnum):
    """Whether the evidence supports the answer: HART's question to itself (arXiv 2602.23615, closed loop)."""

    SUPPORTED = "supported"
    """Asked again with nothing but the evidence crops, the policy gave the same answer."""
    UNSUPPORTED = "unsupported"
    """It gave another answer."""
    INSUFFICIENT = "insufficient"
    """There was no evidence, or it could not answer from it."""
    UNCHECKED = "unchecked"
    """The check was not made."""


@dataclass(frozen=True)
class Verification:
    """The outcome of asking the question again from the crops alone.

    Attributes:
        answer: the answer that was checked.
        crop_only_answer: the answer from the crops, or None if they did not suffice.
        verdict: whether the two agree.
        usage: what the check cost.
    """

    answer: str
    crop_only_answer: str | None
    verdict: Verdict
    usage: Usage


class StopReason(StrEnum):
    """Why an episode ended."""

    ANSWERED = "answered"
    ABSTAINED = "abstained"
    MAX_TURNS = "max_turns"
    MAX_SECONDS = "max_seconds"
    TOKEN_BUDGET = "token_budget"
    FORMAT_ERRORS = "format_errors"
    """Too many replies in a row held neither a call nor an answer."""
    POLICY_ERROR = "policy_error"


@dataclass(frozen=True)
class Evidence:
    """A region that the policy committed as evidence.

    Attributes:
        box: in original pixels.
        label: what the policy calls it.
        text: what the policy read there, if it says so.
        view_id: the crop as it was shown to the policy.
    """

    box: Box
    label: str
    text: str | None
    view_id: str


@dataclass(frozen=True)
class Turn:
    """One reply and what it led to.

    Attributes:
        reply: the policy's reply.
        results: what came of each call, in the order of the reply.
        feedback: what the model was told beside the results (a format error, a limit), or None.
        seconds: from asking the policy to the last result.
    """

    reply: Reply
    results: tuple[ToolResult, ...] = ()
    feedback: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class ImageInfo:
    """Which image a trajectory is about; its size is in original pixels, after EXIF."""

    path: str
    size: Size
    sha256: str


@dataclass(frozen=True)
class Trajectory:
    """All that happened in an episode, without pixels.

    Attributes:
        question: as asked.
        image: which image.
        policy: the policy's name.
        mode: of the episode.
        profile: how the policy sees and points; a replay needs it.
        overview: the downsampled view that the policy saw first.
        turns: in order.
        answer: the answer, or None.
        withheld: an answer that was not given, for its evidence doesn't support it; or None.
        reason: why there is no answer, or no check of it: the policy's words, or the error.
        verification: the last check of the answer against the evidence, if one was made.
        evidence: the regions that the policy committed.
        stop_reason: why the episode ended.
        usage: the sum over all replies, the check included.
        seconds: wall-clock time.
    """

    question: str
    image: ImageInfo
    policy: str
    mode: Mode
    profile: CoordinateProfile
    overview: ViewRecord
    turns: tuple[Turn, ...]
    answer: str | None
    withheld: str | None
    reason: str | None
    verification: Verification | None
    evidence: tuple[Evidence, ...]
    stop_reason: StopReason
    usage: Usage
    seconds: float

    @property
    def read(self) -> tuple[ReadLine, ...] | None:
        """The lines of text that the policy last reported, the likeliest to answer the question first; None if it
        reports none.
        """
        return next((turn.reply.read for turn in reversed(self.turns) if turn.reply.read is not None), None)

    @property
    def verdict(self) -> Verdict:
        """Whether the evidence supports the answer, or the one that was withheld."""
        answer = self.withheld if self.answer is None else self.answer
        if answer is None or self.verification is None or self.verification.answer != answer:
            return Verdict.UNCHECKED
        return self.verification.verdict

    def __str__(self) -> str:
        """The answer on the first line, then the verdict and the evidence."""
        lines = [self.answer if self.answer is not None else f"No answer: {self.reason or self.stop_reason.value}"]
        if self.answer is not None:
            lines.append(f"verdict: {self.verdict.value}")
        lines += [f"evidence: {item.box} {item.label}" for item in self.evidence]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """What a notebook shows: the answer, and the evidence on the image."""
        from hart_agent.notebook import result_html

        return result_html(self)
