"""Commit a region as evidence."""

from __future__ import annotations

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
        context.evidence.append(Evidence(view.frame.box, arguments["label"], arguments.get("text"), view.id))
        return ToolOutput(
            f"{view.id} is now evidence {len(context.evidence)}: {view.frame.size} pixels, "
            f"{view.frame.scale:.2f} times the original's resolution.",
            (view,),
        )
