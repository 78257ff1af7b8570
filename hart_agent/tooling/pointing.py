"""Where a policy's boxes lie on the original, and what it is shown when it writes them in another way."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

from hart_agent.errors import ToolArgumentsError
from hart_agent.tooling.box_shapes import Numbers
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.budget import CoordinateProfile
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, Rect, plain_box, resolve_box, swap_axes
from hart_agent.vision.source import View

_log = logging.getLogger(__name__)

_EXAMPLE: Rect = (0.12, 0.25, 0.48, 0.6)
"""In shares of a view's sides."""


class Pointing:
    """Places boxes, and notices when a policy writes them in another space than its profile says."""

    def __init__(self) -> None:
        self._offered: set[tuple[str, CoordinateSpace]] = set()

    def place(self, context: ToolContext, view: View, numbers: Numbers) -> tuple[Box, list[str]]:
        """Place a box on the original.

        A box that fits another space than the policy's goes back. At the second in a row within an episode that space
        is offered to the user; an adaptive policy's profile takes it, for the rest of the policy's life, and the box
        is read in it.

        Args:
            context: of the episode.
            view: on which the box was written.
            numbers: as the policy wrote them.

        Returns:
            The box in original pixels, and a sentence for the model about each change.

        Raises:
            ToolArgumentsError: the box can't be placed; says how to write it.
        """
        if view.id in context.unpointable:
            raise ToolArgumentsError(
                f"no box can be given on {view.id}: a place there is not the same place in the photo. Give the box on "
                "the overview, or on another image that shows the region, and name that image"
            )
        try:
            written, profile = _rect(numbers), context.policy.profile
            rect = swap_axes(written) if profile.y_first else written
            notes = self._check_space(context, view, rect)
            profile = context.policy.profile  # the check may have changed its space
            frame, original = view.frame, context.image.size
            box, changes = resolve_box(
                written, profile.space, frame, original, profile.budget.max_aspect,
                y_first=profile.y_first, region=profile.crop.region if profile.crop else None,
            )  # fmt: skip
        except ToolArgumentsError as error:
            raise ToolArgumentsError(f"{error}. {how_to_point(context, view)}") from error
        return box, notes + changes

    def _check_space(self, context: ToolContext, view: View, rect: Rect) -> list[str]:
        """Send back a box that can hardly have been written in the policy's space, or adopt the space that it fits."""
        policy, size = context.policy, view.frame.size
        profile = policy.profile
        likelier = profile.space.likelier(rect, size)
        if likelier is None:
            context.misfits.clear()
            return []
        fits = likelier.contains(rect, size)
        context.misfits.append(likelier)
        if context.misfits[-2:] == [likelier, likelier]:
            if profile.adaptive and fits:
                context.misfits.clear()
                policy.profile = replace(profile, space=likelier)
                _log.warning(
                    "%s writes boxes %s; they are read so from here on. To begin so: --coordinates %s",
                    policy.name, likelier.words, likelier.value,
                )  # fmt: skip
                return [f"Boxes are read {likelier.words} from here on."]
            self._offer(policy.name, profile, likelier, rect)
        meant = ""
        if fits:
            same = _written(rect, view.frame, likelier, profile)
            meant = f"; it looks as if it were written {likelier.words}. If so, it is {same} here"
        raise ToolArgumentsError(f"the box {_in_order(rect, profile)} does not fit{meant}")

    def _offer(self, name: str, profile: CoordinateProfile, likelier: CoordinateSpace, rect: Rect) -> None:
        """Advise the user, once for each policy and space."""
        if (name, likelier) not in self._offered:
            self._offered.add((name, likelier))
            _log.warning(
                "%s wrote two boxes in a row, the last %s, that hardly fit the coordinates %r. Try --coordinates %s.",
                name, _in_order(rect, profile), profile.space.value, likelier.value,
            )  # fmt: skip


def how_to_point(context: ToolContext, view: View) -> str:
    """How the policy should write a box on a view, with an example."""
    profile = context.policy.profile
    whole = Frame(view.frame.size.box, view.frame.size)
    example = _written(_EXAMPLE, whole, CoordinateSpace.UNIT, profile)
    return f"Write a box as {profile.box}, {profile.space.words}, such as {example}"


def _rect(numbers: Numbers) -> Rect:
    try:
        x0, y0, x1, y1 = map(float, numbers)
    except OverflowError as error:
        raise ToolArgumentsError("the box holds a number that is far too large") from error
    rect = (x0, y0, x1, y1)
    if not all(map(math.isfinite, rect)):
        raise ToolArgumentsError(f"the box {plain_box(rect)} holds a number that is not finite")
    return rect


def _written(rect: Rect, frame: Frame, space: CoordinateSpace, profile: CoordinateProfile) -> str:
    """A box in some space as a policy writes it, rounded as models write it.

    Args:
        rect: in `space` on the frame's view, x before y.
        frame: of the view.
        space: of the box.
        profile: of the policy.
    """
    digits = 3 if profile.space is CoordinateSpace.UNIT else 0
    x0, y0, x1, y1 = (round(n, digits) for n in frame.from_original(frame.to_original(rect, space), profile.space))
    return _in_order((x0, y0, x1, y1), profile)


def _in_order(rect: Rect, profile: CoordinateProfile) -> str:
    """A box, given with x before y, in the policy's order."""
    return plain_box(swap_axes(rect) if profile.y_first else rect)
