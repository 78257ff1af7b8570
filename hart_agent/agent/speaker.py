"""An episode in the words of its policy: how its calls are read, and how results are worded.

In our own vocabulary nothing is changed. In that of a published agent, calls become ours before they are run and are
recorded so, with the agent's own text with them; what it is shown comes from its templates; and as such agents commit
no evidence, it is the last zooms before the answer, or the boxes in the thoughts before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hart_agent.agent.modes import Mode
from hart_agent.dialogue.conversations import prompt_text
from hart_agent.dialogue.messages import Part, ToolCall
from hart_agent.dialogue.results import RawCall
from hart_agent.dialogue.templates import placeholders, said
from hart_agent.dialogue.vocabularies.translating import canonical, in_their_words, label_of
from hart_agent.dialogue.vocabularies.vocabulary import OURS, EvidenceSource, Vocabulary
from hart_agent.tooling.box_shapes import read_box
from hart_agent.tooling.protocol import ToolContext
from hart_agent.tooling.records import Evidence, ToolResult
from hart_agent.vision.geometry import Rect
from hart_agent.vision.source import View

MOST_EVIDENCE = 3
"""Zooms that become evidence: what led to an answer is rarely in more, and a check of too many crops is none."""
_ZOOM = "zoom"


class Speaker:
    """Stands between an episode and its policy.

    Args:
        vocabulary: of the policy, or ours in a mode in which all is in our words.
        context: of the episode.
    """

    def __init__(self, vocabulary: Vocabulary, context: ToolContext) -> None:
        self.vocabulary = vocabulary
        self._context = context
        self._labels: dict[str, str] = {}
        self._pictures = 1

    def limits(self, max_turns: int, max_calls: int) -> tuple[int, int]:
        """The turns and the calls in one, as the episode and the vocabulary allow."""
        if self.vocabulary.own:
            return max_turns, max_calls
        return min(max_turns, self.vocabulary.max_turns or max_turns), min(max_calls, self.vocabulary.calls.most)

    def call(self, name: str, raw: RawCall) -> ToolCall:
        """A call as it is run and recorded.

        Args:
            name: its id in the episode.
            raw: as it was read.
        """
        if self.vocabulary.own:
            return ToolCall(name, raw.name, raw.arguments, raw.raw)
        context = self._context
        tool, arguments = canonical(raw, self.vocabulary, context.views, context.image.size)
        self._labels[name] = label_of(raw)
        return ToolCall(name, tool, arguments, raw.raw)

    def result(self, result: ToolResult, views: tuple[View, ...], replies: int) -> tuple[ToolResult, tuple[Part, ...]]:
        """The result with the words that the policy is shown, and the parts of its message.

        Args:
            result: in our words.
            views: to show.
            replies: of the policy before this one.
        """
        if self.vocabulary.own:
            return result, (*views, result.text)
        wording = self.vocabulary.wording
        if result.error is not None or not views:
            error = in_their_words(result.text.removeprefix("Error: "), self.vocabulary, self._context.views)
            parts = self._with_overview(wording.failure, error.removesuffix("."), replies)
        else:
            self._pictures += len(views)
            size = views[-1].frame.size
            crops = sum(view.kind == _ZOOM for view in self._context.views.values())
            of_crop = {"width": str(size.width), "height": str(size.height), "number": str(crops)}
            parts = said(wording.result, {**self._values(replies), **of_crop}, {"image": views})
        return replace(result, text=_words(parts)), parts

    def unread(self, error: str, replies: int) -> tuple[Part, ...]:
        """What the policy is shown after a reply that holds neither call nor answer; the words end the turn."""
        return self._with_overview(self.vocabulary.wording.unread, error, replies)

    @property
    def after(self) -> str:
        """What the policy is shown after the results of a turn."""
        return "" if self.vocabulary.own else self.vocabulary.wording.after

    def pointed_in_thoughts(self, text: str) -> list[RawCall]:
        """The boxes in the thoughts of a reply that answers, for agents whose evidence they are; calls of `zoom`."""
        if self.vocabulary.own or self.vocabulary.evidence is not EvidenceSource.THOUGHTS:
            return []
        from hart_agent.dialogue.vocabularies.replies import thought_boxes

        return [replace(raw, name=_ZOOM) for raw in thought_boxes(text, MOST_EVIDENCE)]

    def pointed(self, results: Iterable[ToolResult]) -> list[Rect]:
        """The boxes of calls that showed something, as they were written, in original pixels."""
        profile, overview = self._context.policy.profile, self._context.views["overview"]
        boxes = (read_box(result.call.arguments.get("bbox_2d")) for result in results if result.views)
        rects = ((a, b, c, d) for a, b, c, d in filter(None, boxes))
        return [overview.frame.to_original(rect, profile.space, y_first=profile.y_first) for rect in rects]

    def conclude(self, results: Iterable[ToolResult], *, most: int | None = MOST_EVIDENCE) -> None:
        """Make the last zooms the evidence, before the answer is given.

        Args:
            results: of all calls so far.
            most: how many regions.
        """
        if self.vocabulary.own:
            return
        shown = [(view.id, self._labels.get(result.call.id, "")) for result in results for view in result.views]
        views = [(self._context.views[name], label) for name, label in shown]
        self._context.evidence[:] = last_zooms(views)[-most if most else None :]

    def _with_overview(self, template: str, error: str, replies: int) -> tuple[Part, ...]:
        """What the policy is shown about an error; some agents see the overview again."""
        shown = [self._context.views["overview"]] if "image" in placeholders(prompt_text(template)) else []
        self._pictures += len(shown)
        return said(template, {**self._values(replies), "error": error}, {"image": shown})

    def _values(self, replies: int) -> dict[str, str]:
        size = self._context.views["overview"].frame.size
        return {
            "question": self._context.question,
            "view_width": str(size.width),
            "view_height": str(size.height),
            "picture": str(self._pictures),
            "turn": str(replies + 1),
            "earlier": str(replies),
        }


def speaker_of(vocabulary: Vocabulary, mode: Mode, context: ToolContext) -> Speaker:
    """The speaker of an episode: in its policy's words where its stages are."""
    return Speaker(vocabulary if mode.stages[0].spoken else OURS, context)


def last_zooms(views: Sequence[tuple[View, str]]) -> list[Evidence]:
    """The regions that were not looked at more closely afterwards: in which no later one lies.

    Args:
        views: the zooms, in order, each with its label.
    """
    return [
        Evidence(view.frame.box, label, None, view.id, inferred=True)
        for index, (view, label) in enumerate(views)
        if not any(later.frame.box.overlap(view.frame.box) == later.frame.box.area for later, _ in views[index + 1 :])
    ]


def _words(parts: Sequence[Part]) -> str:
    """The words of a message, with a mark where an image stands."""
    return "".join(part if isinstance(part, str) else f"[{part.id}]" for part in parts)
