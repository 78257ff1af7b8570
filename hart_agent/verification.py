"""HART's self-check: is the answer the same when nothing but the evidence is shown?

Source: arXiv 2602.23615, the closed loop (localise, crop from the original, withhold the full image, answer again).
"""

from __future__ import annotations

from hart_agent.answers import agree
from hart_agent.installation import sibling
from hart_agent.parsing import parse_reply
from hart_agent.tooling import ToolContext
from hart_agent.types import Message, Role, Usage, Verdict, Verification


async def verify_answer(context: ToolContext, answer: str) -> Verification:
    """Ask the episode's question again in a fresh conversation that holds only the evidence crops.

    The outcome is also appended to `context.verifications`.

    Raises:
        PolicyError: the policy could not reply.
    """
    if not context.evidence:
        verification = Verification(answer, None, Verdict.INSUFFICIENT, Usage())
    else:
        reply = await context.policy.reply(crop_only_messages(context), ())
        crop_only = parse_reply(reply.text).answer
        if crop_only is None:
            verdict = Verdict.INSUFFICIENT
        else:
            verdict = Verdict.SUPPORTED if agree(answer, crop_only) else Verdict.UNSUPPORTED
        verification = Verification(answer, crop_only, verdict, reply.usage)
    context.verifications.append(verification)
    return verification


def crop_only_messages(context: ToolContext) -> tuple[Message, Message]:
    """The conversation of the check: instructions, then the crops and the question, without the full image.

    The crops' labels are left out: they are the policy's own words and could give the answer away.
    """
    prompts = sibling("prompts")
    text = prompts.load("verify_question", question=context.question)
    return (
        Message(Role.SYSTEM, (prompts.load("verify_system"),)),
        Message(Role.USER, (*context.evidence_views, text)),
    )
