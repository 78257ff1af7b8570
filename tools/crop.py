"""Commit a region as evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hart_agent.tooling.protocol import BOX_SCHEMA, VIEW_SCHEMA, ToolContext, ToolOutput
from hart_agent.tooling.records import Evidence


class Crop:
    """Keeps a region as evidence: exactly the original's pixels, which `verify` later shows without the photo."""

    name = "crop"
    description = (
        "Commit a region as evidence for the answer: the exact pixels of the original photo. Make it tight but "
        "complete; call it once for each region that the answer needs."
    )
    parameters = {
        "type": "object",
        "properties": {
            "bbox_2d": BOX_SCHEMA,
            "image": VIEW_SCHEMA,
            "label": {"type": "string", "description": "what the region shows", "maxLength": 200},
            "text": {"type": "string", "description": "the text that you read there, if any", "maxLength": 2000},
        },
        "required": ["bbox_2d", "label"],
        "additionalProperties": False,
    }

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> ToolOutput:
        view = context.render(arguments["bbox_2d"], self.name)
        item = Evidence(view.frame.box, arguments["label"], arguments.get("text"), view.id)
        same = [replace(known, view_id=view.id) == item for known in context.evidence]
        if any(same):  # the very same crop again, of which one is enough
            place = f"evidence {same.index(True) + 1}, as before"
        else:
            context.evidence.append(item)
            place = f"now evidence {len(context.evidence)}"
        return ToolOutput(
            f"{view.id} is {place}: {view.frame.size} pixels, {view.frame.scale:.2f} times the original's resolution.",
            (view,),
        )
