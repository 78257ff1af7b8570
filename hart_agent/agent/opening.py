"""How an episode opens: the mode's instructions, then the overview with the question."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hart_agent.agent.modes import Mode
from hart_agent.dialogue.conversations import prompt
from hart_agent.dialogue.messages import Message, Role, ToolSpec
from hart_agent.tooling.protocol import ToolContext, specs_for
from hart_agent.vision.geometry import CoordinateSpace
from hart_agent.vision.source import View

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
        f"- {spec.name}: {spec.description}\n  {json.dumps(spec.parameters, ensure_ascii=False)}"
        for spec in specs_for(tools, context.policy.profile)
    )
    profile = context.policy.profile
    pointing = {"coordinates": _SPACE_WORDS[profile.space], "box": profile.box}
    if mode is Mode.AGENT:
        values = {"max_calls": str(max_calls), "max_turns": str(max_turns)}
        instructions = prompt("system", tools=listed, **pointing, **values)
    elif mode is Mode.DIRECT:
        instructions = prompt("direct_system")
    else:
        values = {"max_calls": str(max_calls), "afterwards": _AFTERWARDS[mode]}
        instructions = prompt("localise_system", tools=listed, **pointing, **values)
    shown, original = overview.frame.size, context.image.size
    question = prompt(
        "question",
        view_width=str(shown.width),
        view_height=str(shown.height),
        width=str(original.width),
        height=str(original.height),
        question=context.question,
    )
    return [Message(Role.SYSTEM, (instructions,)), Message(Role.USER, (overview, question))]
