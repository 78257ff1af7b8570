"""A saved trace on the page: what happened, shown like a question under way, and its photo if it can be found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hart_agent.errors import ImageError, ToolError
from hart_agent.html.words import tell_call, tell_result, tell_turn
from hart_agent.serve.settings import ServeSettings
from hart_agent.trace.load import check_size, is_same
from hart_agent.vision.cache import SharedImage
from hart_agent.vision.folders import find_image


def saved_events(trace: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What happened in a trace, as a question under way sends it: kinds and data of its events.

    Args:
        trace: as `load_trace` returns it.
    """
    size = (trace["image"]["width"], trace["image"]["height"])
    for turn in trace["turns"]:
        for call in turn["calls"]:
            yield "call", tell_call(call, size)
        yield "turn", tell_turn(turn, size)
    yield "end", tell_result(trace)


def find_photo(
    trace: dict[str, Any], given: SharedImage | None, settings: ServeSettings
) -> tuple[SharedImage | None, bool]:
    """The image of a trace, and whether it is the very one: the given one, or the one at its path under --root.

    Args:
        trace: as `load_trace` returns it.
        given: that the user gave, if they did.
        settings: the folders that may be read.

    Raises:
        ImageError: the given one has another size.
    """
    if given is not None:
        check_size(trace, given)
        if is_same(trace, given):
            return given, True
    found = next(_under_root(trace, settings), None)
    if found is not None:
        return found, is_same(trace, found)
    return given, False


def _under_root(trace: dict[str, Any], settings: ServeSettings) -> Iterator[SharedImage]:
    if settings.folders is None:
        return
    recorded = trace["image"]["path"]
    for name in dict.fromkeys((recorded, Path(recorded).name)):
        try:
            path, page = find_image(settings.folders, name)
            image = SharedImage(path, max_pixels=settings.max_image_pixels, page=page)
            check_size(trace, image)
        except (ToolError, ImageError):
            continue
        yield image
