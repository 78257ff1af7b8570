"""Vocabularies: in which words a published agent was trained to call, point, be shown crops, and answer. Data, no code.

Each is a TOML file under `hart_agent/dialogue/vocabularies/`, or a user's own. Whatever a file leaves out is as in the
dataclasses here. `docs/vocabularies.md` has an example.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from hart_agent.vision.crop_rule import CropRule
from hart_agent.vision.geometry import CoordinateSpace

OWN: Final = "hart-agent"
"""The name of our own vocabulary, in which tools are described in words and every dialect of calls is read."""

STOP: Final = ("</answer>", "</abstain>", "<tool_response>")
"""Where generation in this process ends: after an answer or an abstention, and where a model begins to invent a tool's
result; never inside a thought."""


class Reader(StrEnum):
    """Where the calls of a reply stand."""

    TOOL_CALL = "tool-call"
    """Between `<tool_call>` tags, as JSON, a Python literal, or in any of the dialects that are written there."""
    TAG = "tag"
    """Between tags of the agent's own: arguments as an object, or a box alone."""
    LIST = "list"
    """The whole reply is a list: of four numbers, or of objects that hold a box each."""
    NONE = "none"
    """It calls nothing."""


class Which(StrEnum):
    """Which calls of a reply are run."""

    ALL = "all"
    FIRST = "first"
    LAST = "last"


class Form(StrEnum):
    """A way to write the answer."""

    TAG = "tag"
    """`<answer>...</answer>`, the last one; it may lack its end."""
    BOXED = "boxed"
    r"""`\boxed{...}`, the last one."""
    TEXT = "text"
    """The words of a reply that calls nothing."""


class EvidenceSource(StrEnum):
    """What shows where the answer comes from, for agents that commit no evidence."""

    ZOOMS = "zooms"
    """The last zooms before the answer."""
    THOUGHTS = "thoughts"
    """The boxes in the thoughts before the answer."""


@dataclass(frozen=True)
class CallForm:
    """How tools are called.

    Attributes:
        reader: where calls stand.
        tag: the name of the tag, for `Reader.TAG`.
        tools: our tool for each name of theirs.
        default_tool: the name of theirs where a call bears none.
        arguments: our argument for each name of theirs; others are dropped.
        which: calls of a reply that are run.
        most: as many of them.
        at_end: whether a reply must end with a call, or the call doesn't count.
    """

    reader: Reader = Reader.TOOL_CALL
    tag: str = ""
    tools: dict[str, str] = field(default_factory=lambda: {"zoom": "zoom"})
    default_tool: str = ""
    arguments: dict[str, str] = field(default_factory=lambda: {"bbox_2d": "bbox_2d"})
    which: Which = Which.ALL
    most: int = 8
    at_end: bool = False


@dataclass(frozen=True)
class ImageNames:
    """How a call names the image on which its box was written.

    Attributes:
        original: the overview's name; where there is none, all boxes are on the overview.
        crop: the name of a crop, with $number in it.
        first: the number of the first crop.
    """

    original: str = ""
    crop: str = "$number"
    first: int = 1


@dataclass(frozen=True)
class Wording:
    """What the agent is shown. Each is a text, or the name of a file in `prompts/`; empty for none.

    All may hold the placeholders of a mode's prompts. $image is the image's place: of the overview in `question`, of
    the crop in `result`, of the overview in `unread`. In `second`, $crops are all the crops.

    Attributes:
        system: the instructions.
        question: what the user asks, with $question.
        result: of a call; further placeholders: $width and $height of the crop as it is shown, $number of the crop
            from 1, $turn of the reply from 1, $earlier, the number of replies before it, and $picture, the number of
            this image among all that were shown, from 1.
        failure: of a call that failed; with $error.
        unread: after a reply without a call and without an answer; with $error.
        after: after the results of a turn.
        second: what the user asks in a fresh conversation after the regions were named, which ends in the answer; empty
            for agents that answer where they call.
        drawn: whether the overview of `second` has the regions drawn on it.
        as_tool: whether results are messages of the role `tool` instead of `user`.
    """

    system: str = ""
    question: str = "$image$question"
    result: str = "$image"
    failure: str = "Error: $error"
    unread: str = "Error: $error"
    after: str = ""
    second: str = ""
    drawn: bool = False
    as_tool: bool = False


@dataclass(frozen=True)
class Vocabulary:
    """How an agent speaks.

    Attributes:
        name: for `--vocabulary`.
        about: whose it is, and the source of what stands here.
        match: a regular expression for the names of its checkpoints, as `families.plain_name` simplifies them.
        family: a name by which the family of its base model is recognised, where the checkpoint's own tells none.
        space: in which boxes are written; None for the family's.
        y_first: whether they are written y before x; None for the family's order.
        max_pixels: of one view; None for the family's default.
        original_pixels: whether a box with a number of 1 or more is in pixels of the image's full size, whatever
            `space` says.
        calls: how tools are called.
        images: how images are named.
        answers: the ways to write the answer; the first that a reply holds counts, and is read again by those after it.
        answer_first: whether an answer ends the episode even with a call in the same reply.
        thoughts: the tags of thoughts, beyond those that are always read, as pairs.
        keeps_thoughts: whether thoughts stay in the conversation.
        prefill: how each of its replies begins: the text that its runner writes for it.
        stop: where generation in this process ends.
        wording: what it is shown.
        crop: how crops are cut.
        evidence: what shows where the answer comes from.
        max_turns: replies that its runner allows; None for no limit.
    """

    name: str
    about: str = ""
    match: str = ""
    family: str = ""
    space: CoordinateSpace | None = None
    y_first: bool | None = None
    max_pixels: int | None = None
    original_pixels: bool = False
    calls: CallForm = CallForm()
    images: ImageNames = ImageNames()
    answers: tuple[Form, ...] = (Form.TAG, Form.TEXT)
    answer_first: bool = False
    thoughts: tuple[tuple[str, str], ...] = ()
    keeps_thoughts: bool = True
    prefill: str = ""
    stop: tuple[str, ...] = STOP
    wording: Wording = Wording()
    crop: CropRule = field(default_factory=CropRule)
    evidence: EvidenceSource = EvidenceSource.ZOOMS
    max_turns: int | None = None

    @property
    def own(self) -> bool:
        """Whether it is ours, which is described by code, and to which nothing above but the name applies."""
        return self.name == OWN


OURS: Final = Vocabulary(OWN)
"""Our own."""


def vocabulary_of(policy: object) -> Vocabulary:
    """The vocabulary that a policy speaks: its attribute `vocabulary`, or ours if it has none."""
    found = getattr(policy, "vocabulary", OURS)
    return found if isinstance(found, Vocabulary) else OURS
