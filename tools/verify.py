"""Check an answer against the evidence."""

from __future__ import annotations

from typing import Any

from hart_agent.tooling.protocol import ToolContext, ToolOutput
from hart_agent.tooling.records import Verdict
from hart_agent.tooling.verification import verify_answer

_ADVICE = {
    Verdict.SUPPORTED: "The evidence supports the answer.",
    Verdict.UNSUPPORTED: "The evidence leads to another answer. Look again, or commit better evidence with crop.",
    Verdict.INSUFFICIENT: "The evidence is not enough to answer. Commit the regions that show it with crop.",
}


class Verify:
    """Asks the question again with nothing but the evidence crops, the photo withheld, and compares the answers."""

    name = "verify"
    description = (
        "Check an answer before giving it: the question is asked again with only your evidence crops in sight. "
        "Returns supported, unsupported or insufficient, with the answer from the crops."
    )
    parameters = {
        "type": "object",
        "properties": {"answer": {"type": "string", "description": "the answer to check", "minLength": 1}},
        "required": ["answer"],
        "additionalProperties": False,
    }

    async def run(self, context: ToolContext, arguments: dict[str, Any]) -> ToolOutput:
        outcome = await verify_answer(context, arguments["answer"])
        crop_only = f" From the crops alone: {outcome.crop_only_answer!r}." if outcome.crop_only_answer else ""
        return ToolOutput(f"{outcome.verdict.value}.{crop_only} {_ADVICE[outcome.verdict]}")
