"""The first view of an image: as large as the policy can take it, or smaller, to save tokens."""

from __future__ import annotations

from dataclasses import replace

from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.geometry import Size
from hart_agent.vision.source import View


def show_overview(context: ToolContext, pixels: int | None = None) -> View:
    """Show the whole image as the first view of a context.

    Args:
        context: without views.
        pixels: the view's largest area; None for all that the policy's budget allows. It has at least one cell of the
            policy's grid, and the shortest side that its budget asks for.

    Raises:
        ImageError: the pixel data is damaged.
    """
    whole, profile = context.image.size, context.policy.profile
    if pixels is None or pixels >= profile.budget.max_pixels:
        return context.render(whole.box, "overview")
    budget = replace(profile.budget, max_pixels=max(pixels, profile.budget.grid**2))
    return show_sized_overview(context, replace(profile, budget=budget).view_size(whole, whole=True))


def show_sized_overview(context: ToolContext, size: Size) -> View:
    """Show the whole image in a given size, on the policy's grid and within its budget.

    Raises:
        ImageError: the pixel data is damaged.
    """
    whole = context.image.size.box
    return context.add_view("overview", context.image.render(whole, size), whole)
