"""All that the study says of a checkpoint, measured through the product on scenes that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hart_agent.agent.modes import Mode
from hart_agent.dialogue.policy import Policy
from hart_agent.evals.controls import Control
from hart_agent.evals.metrics import IOGT_THRESHOLD, measure

from .probes import predict, probe_blind, probe_mode, summarise
from .scenes import Scene

FORMATS = (Mode.CLOSED_LOOP, Mode.MGPO)
"""Both are asked of every checkpoint, whichever it was trained in."""
_REMOVING = (Control.RANDOM_BOX, Control.MASKED)


async def examine(policy: Policy, scenes: Sequence[Scene]) -> dict[str, Any]:
    """Grounding and answers in both formats, and what is answered without a crop, or without any image.

    Args:
        policy: greedy.
        scenes: held out.

    Returns:
        By format its figures, see `probes.Grounding`, and its `marks`, question by question; and what is right without
        a crop (`overview_only`, also of hidden dots alone) or an image (`question_only`).
    """
    found: dict[str, Any] = {}
    for mode in FORMATS:
        predictions = await predict(policy, scenes, mode, _REMOVING)
        grounded = measure(predictions).best_iogt > IOGT_THRESHOLD
        marks = {"right": _marks([each.right for each in predictions]), "grounded": _marks(grounded.tolist())}
        found[mode.value] = {**asdict(summarise(predictions)), "marks": marks}
    overview = await probe_mode(policy, scenes, Mode.DIRECT)
    return {
        **found,
        "overview_only": overview.accuracy,
        "overview_only_hidden": overview.hidden_accuracy,
        "question_only": await probe_blind(policy, scenes),
    }


def _marks(values: Sequence[bool]) -> str:
    """1 or 0 for each question."""
    return "".join("1" if value else "0" for value in values)
