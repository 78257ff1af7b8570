"""What a policy is shown when a stage of an episode begins."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hart_agent.agent.modes import Stage
from hart_agent.dialogue.conversations import prompt
from hart_agent.dialogue.messages import Message, Role, ToolSpec
from hart_agent.dialogue.templates import said
from hart_agent.tooling.protocol import ToolContext, specs_for
from hart_agent.vision.drawing import draw_frames
from hart_agent.vision.geometry import CoordinateSpace, Rect
from hart_agent.vision.source import View


def stage_messages(
    stage: Stage,
    context: ToolContext,
    tools: Sequence[ToolSpec],
    *,
    max_calls: int,
    max_turns: int,
    drawn: Sequence[Rect] = (),
) -> list[Message]:
    """The messages with which a stage begins: a new conversation, or what is appended to the one before.

    The labels of the crops are left out: they are the policy's own words and could give the answer away.

    Args:
        stage: decides the words and what is in sight.
        context: the question, the overview, the evidence so far, and how the policy points.
        tools: that may be called now.
        max_calls: in one turn.
        max_turns: in the episode.
        drawn: boxes in original pixels, for a stage that shows them on the overview.

    Raises:
        ConfigError: a prompt has a placeholder that doesn't exist.
    """
    overview, original = context.views["overview"], context.image.size
    profile = context.policy.profile
    values = {
        "question": context.question,
        "tools": "\n".join(map(_listed, specs_for(tools, profile))),
        "coordinates": profile.space.words,
        "box": profile.box,
        "max_calls": str(max_calls),
        "max_turns": str(max_turns),
        "afterwards": stage.afterwards,
        "width": str(original.width),
        "height": str(original.height),
        "view_width": str(overview.frame.size.width),
        "view_height": str(overview.frame.size.height),
    }
    if stage.spoken:
        return _spoken_messages(stage, context, values, drawn if stage.drawn else ())
    words = prompt(stage.prompt, **values)
    if stage.system is None:
        return [Message(Role.USER, (*_shown_again(stage, context, overview), words))]
    shown = ([overview] if stage.overview else []) + (context.evidence_views if stage.crops else [])
    request = [Message(Role.USER, (*shown, words))]
    return [Message(Role.SYSTEM, (prompt(stage.system, **values),)), *request] if stage.system else request


def _spoken_messages(
    stage: Stage, context: ToolContext, values: dict[str, str], drawn: Sequence[Rect]
) -> list[Message]:
    """A new conversation in the words of the policy's vocabulary, which may have no instructions."""
    values["picture"] = "1"
    shown = {"image": [_drawn_on_overview(context, drawn) if drawn else context.views["overview"]]}
    if stage.crops:
        shown["crops"] = context.evidence_views
    question = Message(Role.USER, said(stage.prompt, values, shown))
    instructions = said(stage.system or "", values)
    return [Message(Role.SYSTEM, instructions), question] if instructions else [question]


def _drawn_on_overview(context: ToolContext, boxes: Sequence[Rect]) -> View:
    overview = context.views["overview"]
    canvas = overview.image.copy()
    draw_frames(canvas, [overview.frame.from_original(box, CoordinateSpace.PIXEL) for box in boxes])
    return context.add_view("drawn", canvas, context.image.size.box)


def _shown_again(stage: Stage, context: ToolContext, overview: View) -> list[View]:
    """In a conversation that continues, the crops stand there already; without any, the overview takes their place."""
    return [overview] if stage.crops and not context.evidence else []


def _listed(spec: ToolSpec) -> str:
    return f"- {spec.name}: {spec.description}\n  {json.dumps(spec.parameters, ensure_ascii=False)}"
