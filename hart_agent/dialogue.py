"""What a policy is told: how each mode opens, how it goes on with the crops, and the conversations that show less."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from types import ModuleType

from hart_agent.geometry import CoordinateSpace
from hart_agent.imaging import View
from hart_agent.installation import sibling
from hart_agent.tooling import ToolContext
from hart_agent.types import Message, Mode, Role, ToolSpec

_SPACE_WORDS = {
    CoordinateSpace.PIXEL: "in pixels",
    CoordinateSpace.THOUSAND: "from 0 to 1000 along each side",
    CoordinateSpace.UNIT: "from 0 to 1 along each side",
}
_AFTERWARDS = {
    Mode.CLOSED_LOOP: "Afterwards the overview is taken away, and you answer from these crops alone.",
    Mode.MGPO: "Afterwards you see these crops beside the overview, and answer.",
}


def opening(
    mode: Mode, context: ToolContext, overview: View, tools: Sequence[ToolSpec], *, max_calls: int, max_turns: int
) -> list[Message]:
    """The first messages of an episode: the mode's instructions, then the overview with the question.

    Args:
        mode: decides the instructions.
        context: the question and how the policy points.
        overview: the downsampled view of the whole image.
        tools: that may be called now.
        max_calls: in one turn.
        max_turns: in the episode.
    """
    listed = "\n".join(
        f"- {spec.name}: {spec.description}\n  {json.dumps(spec.parameters, ensure_ascii=False)}" for spec in tools
    )
    coordinates = _SPACE_WORDS[context.policy.profile.space]
    if mode is Mode.AGENT:
        values = {"max_calls": str(max_calls), "max_turns": str(max_turns)}
        instructions = _prompt("system", tools=listed, coordinates=coordinates, **values)
    elif mode is Mode.DIRECT:
        instructions = _prompt("direct_system")
    else:
        values = {"max_calls": str(max_calls), "afterwards": _AFTERWARDS[mode]}
        instructions = _prompt("localise_system", tools=listed, coordinates=coordinates, **values)
    shown, original = overview.frame.size, context.image.size
    question = _prompt(
        "question",
        view_width=str(shown.width),
        view_height=str(shown.height),
        width=str(original.width),
        height=str(original.height),
        question=context.question,
    )
    return [Message(Role.SYSTEM, (instructions,)), Message(Role.USER, (overview, question))]


def answer_from_crops(question: str, crops: Sequence[View]) -> list[Message]:
    """A fresh conversation that holds the crops and the question, the full image withheld.

    This is the second step of the closed loop (arXiv 2602.23615), and the check of an answer. The crops' labels are
    left out: they are the policy's own words and could give the answer away.
    """
    text = _prompt("verify_question", question=question)
    return [Message(Role.SYSTEM, (_prompt("verify_system"),)), Message(Role.USER, (*crops, text))]


def answer_with_crops(question: str, crops: Sequence[View]) -> Message:
    """What follows the boxes in the mode `mgpo` (arXiv 2507.05920): the crops, with the overview still in sight.

    Args:
        question: as asked.
        crops: already shown as results of the calls, or, where no box was valid, the overview once more.
    """
    return Message(Role.USER, (*crops, _prompt("answer_with_crops", question=question)))


def answer_blind(question: str) -> list[Message]:
    """A conversation with the question and no image at all: what the policy knows or guesses without looking."""
    text = _prompt("blind_question", question=question)
    return [Message(Role.SYSTEM, (_prompt("blind_system"),)), Message(Role.USER, (text,))]


def _prompt(name: str, **values: str) -> str:
    text: str = _prompts().load(name, **values)
    return text


@cache
def _prompts() -> ModuleType:
    return sibling("prompts")
