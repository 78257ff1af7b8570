"""What a tool call leaves behind, without pixels: views, results, evidence and the check of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hart_agent.dialogue.messages import ToolCall
from hart_agent.dialogue.policy import Usage
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame
from hart_agent.vision.source import View


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
    """The result of a call.

    Attributes:
        call: the call.
        text: what the model is shown.
        views: the images that the model is shown.
        error: the kind of error, or None.
        seconds: how long the tool took.
        space: in which its boxes were read; None where that is the policy's only one.
    """

    call: ToolCall
    text: str
    views: tuple[ViewRecord, ...] = ()
    error: str | None = None
    seconds: float = 0.0
    space: CoordinateSpace | None = None


@dataclass(frozen=True)
class Evidence:
    """A region that the policy committed as evidence.

    Attributes:
        box: in original pixels.
        label: what the policy calls it.
        text: what the policy read there, if it says so.
        view_id: the crop as it was shown to the policy.
        inferred: whether the policy did not commit it: it is one of its last zooms, or a box in its thoughts.
    """

    box: Box
    label: str
    text: str | None
    view_id: str
    inferred: bool = False


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
