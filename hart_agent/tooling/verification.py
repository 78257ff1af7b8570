"""HART's self-check: is the answer the same when nothing but the evidence is shown?

Source: arXiv 2602.23615, the closed loop (localise, crop from the original, withhold the full image, answer again).
"""

from __future__ import annotations

from hart_agent.answers import agree
from hart_agent.dialogue.conversations import answer_from_crops
from hart_agent.dialogue.parsing import parse_reply
from hart_agent.dialogue.policy import Usage
from hart_agent.tooling.protocol import ToolContext
from hart_agent.tooling.records import Verdict, Verification


async def verify_answer(context: ToolContext, answer: str) -> Verification:
    """Ask the episode's question again in a fresh conversation that holds only the evidence crops.

    The outcome is also appended to `context.verifications`.

    Raises:
        PolicyError: the policy could not reply.
    """
    if not context.evidence:
        verification = Verification(answer, None, Verdict.INSUFFICIENT, Usage())
    else:
        reply = await context.policy.reply(answer_from_crops(context.question, context.evidence_views), ())
        crop_only = parse_reply(reply.text).answer
        if crop_only is None:
            verdict = Verdict.INSUFFICIENT
        else:
            verdict = Verdict.SUPPORTED if agree(answer, crop_only) else Verdict.UNSUPPORTED
        verification = Verification(answer, crop_only, verdict, reply.usage)
    context.verifications.append(verification)
    return verification
