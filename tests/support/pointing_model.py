"""A model behind the loopback server that really looks at the image it is sent, and points in the way it is told to."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from loopback import Behaviour, page, refuse, say
from PIL import Image

Bounds = tuple[int, int, int, int]
Box = Callable[[tuple[int, int], Bounds], list[float]]
"""What the model writes, from the size of the image and the bounds of the target in pixels."""

SPACES: dict[str, Box] = {
    "pixel": lambda size, box: list(box),
    "thousand": lambda size, box: [round(1000 * v / size[i % 2]) for i, v in enumerate(box)],
    "unit": lambda size, box: [round(v / size[i % 2], 3) for i, v in enumerate(box)],
}
_NO_TOOLS = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
_CALL = '{"name": "press", "arguments": {"number": 7}}'


def play(
    box: Box,
    *,
    most_images: int = 99,
    too_many: str = "At most {} image(s) may be provided in one prompt.",
    most_bytes: int = 10**9,
    tools: bool = True,
) -> Callable[[dict[str, Any], int], Behaviour]:
    """The model, for `serve`.

    Args:
        box: how it points.
        most_images: that the server takes in one request.
        too_many: what it says about more.
        most_bytes: of all images in one request, as data URLs.
        tools: whether it takes `tools`.
    """

    def behave(body: dict[str, Any], number: int) -> Behaviour:
        content = body["messages"][-1]["content"]
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        if len(urls) > most_images:
            return refuse(400, too_many.format(most_images))
        if sum(map(len, urls)) > most_bytes:
            return page(413, "<html>413 Request Entity Too Large</html>")
        if body.get("tools") and not tools:
            return refuse(400, _NO_TOOLS)
        text = " ".join(part["text"] for part in parts if part["type"] == "text")
        return _answer(body, text, urls)

    def _answer(body: dict[str, Any], text: str, urls: list[str]) -> Behaviour:
        if "<question>" in text:
            return say("<answer>x</answer>")
        if "button 7" in text:
            native = [("press", '{"number": 7}')]
            return say("", native) if body.get("tools") else say(f"<tool_call>{_CALL}</tool_call>")
        target = find_red(urls[0]) if len(urls) == 1 else None
        return say(json.dumps({"bbox_2d": box(*target)}) if target else "OK")

    return behave


@lru_cache(maxsize=16)
def find_red(url: str) -> tuple[tuple[int, int], Bounds] | None:
    """The size of the image that was sent, and the bounds of what is red in it."""
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    pixels = np.asarray(image)
    rows, columns = np.nonzero((pixels[..., 0] > 150) & (pixels[..., 1] < 90) & (pixels[..., 2] < 90))
    if not len(rows):
        return None
    return image.size, (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
