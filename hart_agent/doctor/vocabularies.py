"""Which published agent's words does a model speak? It is asked about a drawn target in each, and its reply is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hart_agent.backends.families import plain_name
from hart_agent.dialogue.messages import Part
from hart_agent.dialogue.templates import said
from hart_agent.dialogue.vocabularies.files import find_vocabulary, matching, vocabulary_names
from hart_agent.dialogue.vocabularies.replies import read_foreign
from hart_agent.dialogue.vocabularies.translating import canonical
from hart_agent.dialogue.vocabularies.vocabulary import Reader, Vocabulary
from hart_agent.doctor.drawings import Scene, scenes
from hart_agent.doctor.report import Check, Status
from hart_agent.doctor.session import OutOfTime, Session, Unanswered
from hart_agent.tooling.box_shapes import read_box
from hart_agent.vision.geometry import Box

NAME = "vocabulary"
_QUESTION = "What colour is the small rectangle? Look at it more closely first."
_REPLY_TOKENS = 512
"""Agents think before they call."""
_HIT = 0.5
"""Intersection over union with the target."""


def worth_asking(model: str, points: bool, tool_checks: Sequence[Check]) -> bool:
    """Whether a model may be a published agent: its name says so, or it points but calls no tool as we ask it to."""
    calls = any(check.status in (Status.OK, Status.SKIP) for check in tool_checks)
    return not matching(plain_name(model)).own or (points and not calls)


async def check_vocabularies(session: Session, model: str, *, calls: bool) -> Check:
    """In which vocabulary the model points at the target. One request for each.

    Args:
        session: asks the model.
        model: its name, which decides between several.
        calls: whether it calls tools as we ask for: if so, and its name tells nothing, it needs no vocabulary.
    """
    scene = scenes(session.profile.budget)[0]
    hits: dict[str, float] = {}
    requests = 0
    for name in vocabulary_names()[1:]:
        vocabulary = find_vocabulary(name)
        if vocabulary.calls.reader is Reader.NONE:
            continue
        try:
            hits[name] = await _overlap(session, vocabulary, scene)
        except OutOfTime as error:
            return Check(NAME, Status.SKIP, error.failure.message, error.advice, data={"asked": requests})
        except Unanswered as error:
            return Check(NAME, Status.WARN, f"refused: {error.failure.message}", error.advice, data={"asked": requests})
        requests += 1
    return _described(model, hits, calls=calls)


def spoken_instead(checks: Sequence[Check], found: Check) -> list[Check]:
    """The checks of tools and coordinates once a vocabulary is known: it decides both, so that none of them fails."""
    if not found.flags:
        return list(checks)
    decided = {"coordinates", "native calls", "text calls"}
    return [
        replace(check, flags=(), status=Status.WARN if check.status is Status.FAIL else check.status)
        if check.name in decided
        else check
        for check in checks
    ]


def _described(model: str, overlaps: dict[str, float], *, calls: bool) -> Check:
    hits = sorted((name for name, overlap in overlaps.items() if overlap >= _HIT), key=lambda name: -overlaps[name])
    named = matching(plain_name(model)).name
    data = {"spoken": hits, "asked": len(overlaps)}
    if not hits:
        advice = "If it is an agent of somebody's, write its words into a file: see the documentation on vocabularies."
        finding = f"it points at the target in none of {len(overlaps)} published agents' words"
        return Check(NAME, Status.WARN, finding, advice, data=data)
    if calls and named not in hits:
        finding = f"it speaks ours, and follows {len(hits)} of {len(overlaps)} published agents' words"
        return Check(NAME, Status.OK, finding, data=data)
    best = named if named in hits else hits[0]
    others = [name for name in hits if name != best]
    finding = f"it speaks {best}" + (f", and follows {', '.join(others)}" if others else "")
    return Check(NAME, Status.OK, finding, flags=("--vocabulary", best), data=data)


async def _overlap(session: Session, vocabulary: Vocabulary, scene: Scene) -> float:
    """How well the first box that the model writes in a vocabulary meets the target: intersection over union."""
    view, size = scene.view, scene.view.frame.size
    values = {
        "question": _QUESTION, "picture": "1", "view_width": str(size.width), "view_height": str(size.height),
    }  # fmt: skip
    instructions = said(vocabulary.wording.system, values)
    question: tuple[Part, ...] = said(vocabulary.wording.question, values, {"image": [view]})
    system = "".join(part for part in instructions if isinstance(part, str))
    reply = await session.ask(*question, system=system, max_tokens=_REPLY_TOKENS)
    parsed = read_foreign(reply.text, reply.native_calls, vocabulary, truncated=reply.truncated, calling=True)
    for raw in parsed.calls:
        name, arguments = canonical(raw, vocabulary, {view.id: view}, size)
        box = read_box(arguments.get("bbox_2d"))
        if name == "zoom" and box is not None:
            return _iou(box, vocabulary, session, scene)
    return 0.0


def _iou(numbers: Sequence[float], vocabulary: Vocabulary, session: Session, scene: Scene) -> float:
    a, b, c, d = map(float, numbers)
    space = vocabulary.space or session.profile.space
    x0, y0, x1, y1 = scene.view.frame.to_original((a, b, c, d), space, y_first=bool(vocabulary.y_first))
    if not (x0 < x1 and y0 < y1):
        return 0.0
    size = scene.view.frame.size
    return Box.covering((x0, y0, x1, y1), size).iou(Box.covering(scene.target, size))
