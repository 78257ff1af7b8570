"""The verdict: is the answer the same when the question is asked again with nothing but the evidence in sight?

This is the one place that decides it. A verdict always comes from a second asking; where none was made, an answer is
`unchecked`.

Source: arXiv 2602.23615, the closed loop (localise, crop from the original, withhold the full image, answer again).
"""

from __future__ import annotations

import asyncio

from hart_agent.dialogue.conversations import answer_from_crops
from hart_agent.dialogue.policy import Usage
from hart_agent.dialogue.reading import answer_of
from hart_agent.dialogue.vocabularies.vocabulary import vocabulary_of
from hart_agent.tooling.protocol import ToolContext
from hart_agent.tooling.records import Verdict, Verification
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import View

MARGIN = 0.25
"""By which a crop is grown on each side, as a share of its shorter side, where the answer came from the very crops:
asked again of the same pixels, a policy would only repeat itself."""


async def verify_answer(context: ToolContext, answer: str, *, margin: float = 0.0) -> Verification:
    """Ask the episode's question again in a fresh conversation that holds only the evidence crops.

    The outcome is also appended to `context.verifications`.

    Args:
        context: the question, the evidence and the policy.
        answer: that is checked.
        margin: the crops are grown by this share of their shorter side, on each side.

    Raises:
        PolicyError: the policy could not reply.
        ImageError: the image is damaged.
    """
    from hart_agent.answers import agree  # their patterns take a while to compile

    if not context.evidence:
        verification = Verification(answer, None, Verdict.INSUFFICIENT, Usage())
    else:
        crops = await asyncio.to_thread(_grown_crops, context, margin) if margin else context.evidence_views
        reply = await context.policy.reply(answer_from_crops(context.question, crops), ())
        crop_only = answer_of(reply, vocabulary_of(context.policy))
        if crop_only is None:
            verdict = Verdict.INSUFFICIENT
        else:
            verdict = Verdict.SUPPORTED if agree(answer, crop_only) else Verdict.UNSUPPORTED
        verification = Verification(answer, crop_only, verdict, reply.usage)
    context.verifications.append(verification)
    return verification


def made_check(context: ToolContext, answer: str) -> Verification | None:
    """The check that the policy itself had made last, if it was of this very answer."""
    last = context.verifications[-1] if context.verifications else None
    return last if last is not None and last.answer == answer else None


def _grown_crops(context: ToolContext, margin: float) -> list[View]:
    draft, image = context.draft(), context.image.size
    crops = []
    for item in context.evidence:
        rim = margin * min(item.box.width, item.box.height)
        x0, y0, x1, y1 = item.box.as_tuple()
        crops.append(draft.render(Box.covering((x0 - rim, y0 - rim, x1 + rim, y1 + rim), image), "crop"))
    return crops
