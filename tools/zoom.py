"""Look closer at a region."""

from __future__ import annotations

from typing import Any

from hart_agent.tooling.protocol import BOX_SCHEMA, VIEW_SCHEMA, ToolContext, ToolOutput


class Zoom:
    """Re-renders a region from the original at the best magnification that the policy's pixel budget allows."""

    name = "zoom"
    description = (
        "Look closer: shows a region of the original photo, magnified as far as possible. "
        "Use it to find and read details."
    )
    parameters = {
        "type": "object",
        "properties": {"bbox_2d": BOX_SCHEMA, "image": VIEW_SCHEMA},
        "required": ["bbox_2d"],
        "additionalProperties": False,
    }

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> ToolOutput:
        box = arguments["bbox_2d"]
        view = context.render(box, self.name, magnify=True)
        size = view.frame.size
        return ToolOutput(f"{view.id}: {size} pixels, {view.frame.scale:.2f} times the original's resolution.", (view,))
