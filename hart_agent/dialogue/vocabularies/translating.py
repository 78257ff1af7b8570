"""From the calls of a published agent to ours, and from our words about them back to its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hart_agent.dialogue.results import RawCall
from hart_agent.dialogue.vocabularies.vocabulary import ImageNames, Vocabulary
from hart_agent.vision.geometry import Size
from hart_agent.vision.source import View

_IMAGE, _BOX = "image", "bbox_2d"
_MAX_LABEL = 200
_OUR_NAMES = re.compile(r"\b(?:overview|view\d+)\b")


def canonical(
    raw: RawCall, vocabulary: Vocabulary, views: Mapping[str, View], original: Size
) -> tuple[str, dict[str, Any]]:
    """The name and the arguments of a call in our words. What can't be translated is left for the runtime to refuse.

    Args:
        raw: the call as the agent wrote it.
        vocabulary: of the agent.
        views: all views so far, by our names.
        original: the size of the original, in pixels.
    """
    form = vocabulary.calls
    name = form.tools.get(raw.name or form.default_tool, raw.name)
    arguments = {ours: raw.arguments[theirs] for theirs, ours in form.arguments.items() if theirs in raw.arguments}
    if _IMAGE in arguments:
        written = _plain(arguments.pop(_IMAGE))
        if vocabulary.images.original:
            arguments[_IMAGE] = _names(vocabulary.images, views).get(written, written)
    if vocabulary.original_pixels and _BOX in arguments:
        shown = views.get(str(arguments.get(_IMAGE, "overview")), views["overview"])
        full = original if shown.id == "overview" else shown.frame.size
        arguments[_BOX] = _in_shares(arguments[_BOX], full)
    return name, arguments


def label_of(raw: RawCall) -> str:
    """What the agent calls the region of a call; empty if it doesn't say."""
    label = raw.arguments.get("label")
    return label[:_MAX_LABEL] if isinstance(label, str) else ""


def in_their_words(text: str, vocabulary: Vocabulary, views: Mapping[str, View]) -> str:
    """A message for the agent, with its own names of images and tools in the place of ours."""
    images = {ours: theirs for theirs, ours in _names(vocabulary.images, views).items()}
    text = _OUR_NAMES.sub(lambda found: images.get(found[0], found[0]), text)
    form = vocabulary.calls
    for names, end in ((form.tools, r"\b"), (form.arguments, ":")):
        for ours, theirs in {ours: theirs for theirs, ours in reversed(names.items())}.items():
            text = re.sub(rf"\b{re.escape(ours)}(?={end})", theirs, text)
    return text


def _names(images: ImageNames, views: Mapping[str, View]) -> dict[str, str]:
    """Our name of each image for the agent's."""
    crops = [name for name, view in views.items() if view.kind == "zoom"]
    numbered = {
        images.crop.replace("$number", str(number)): name for number, name in enumerate(crops, start=images.first)
    }
    return {images.original: "overview", **numbered} if images.original else {}


def _plain(value: Any) -> str:
    """A number as its digits, whatever its type."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _in_shares(box: Any, size: Size) -> Any:
    """A box in pixels as shares of an image's sides; one below 1 is left as it is."""
    numbers = isinstance(box, list) and len(box) == 4 and all(isinstance(n, int | float) for n in box)
    if not numbers or max(box) < 1:
        return box
    return [value / side for value, side in zip(box, (size.width, size.height) * 2, strict=True)]
