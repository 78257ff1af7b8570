"""Whole questions for assistants that speak the Model Context Protocol: which images there are, and an agent to ask."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from hart_agent.agent import Agent
from hart_agent.agent.trajectory import Trajectory
from hart_agent.dialogue.messages import ToolSpec
from hart_agent.errors import ConfigError, ImageError, PluginError, PolicyError, ToolError
from hart_agent.tooling.records import Evidence
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.folders import Folders, find_image
from hart_agent.vision.geometry import CoordinateSpace, Frame, plain_box
from hart_agent.vision.source import SourceImage, View

_MOST_IMAGES: Final = 200
_MOST_ENTRIES: Final = 20_000
"""Files that are looked at for a list."""
_ENDINGS: Final = frozenset(
    ".avif .bmp .gif .heic .heif .j2k .jp2 .jpeg .jpg .mpo .pgm .png .pnm .ppm .tif .tiff .webp".split()
)
PROFILE: Final = CoordinateProfile(CoordinateSpace.THOUSAND, ViewBudget(max_pixels=1_150_000))
"""How assistants see and point: views of a size that they take as they are."""

_CROPS: Final = ViewBudget(max_pixels=1_150_000, max_magnification=4.0)

ASK: Final = ToolSpec(
    "ask",
    "Ask a question about a large image. An agent looks into it at full resolution and returns the answer, whether the "
    "evidence alone supports it, and the evidence as crops, with its boxes both in pixels of the original and as the "
    "other tools take them: 0 to 1000 along each side of the overview. Takes seconds to minutes.",
    {
        "type": "object",
        "properties": {
            "image_path": {"type": "string", "description": "path of the image file"},
            "question": {"type": "string", "description": "in words, about one thing"},
        },
        "required": ["image_path", "question"],
        "additionalProperties": False,
    },
)
LIST_IMAGES: Final = ToolSpec(
    "list_images",
    f"List image files that may be read, with their paths; at most {_MOST_IMAGES}.",
    {
        "type": "object",
        "properties": {
            "name_contains": {"type": "string", "description": "only paths that contain this text, in any case"}
        },
        "additionalProperties": False,
    },
)


class Questions:
    """Answers calls of `ask` and `list_images`.

    Args:
        folders: where images may be.
        make_agent: makes the agent when the first question is asked.
        max_pixels: refuse larger images.
    """

    specs: Final = (ASK, LIST_IMAGES)

    def __init__(self, folders: Folders, make_agent: Callable[[], Agent], *, max_pixels: int) -> None:
        self._folders = folders
        self._make_agent = make_agent
        self._max_pixels = max_pixels
        self._agent: Agent | None = None
        self._making = asyncio.Lock()

    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[str, tuple[View, ...], bool]:
        """Run a call.

        Returns:
            What to tell the assistant, the views to show, and whether it is an error.
        """
        try:
            if name == LIST_IMAGES.name:
                return await asyncio.to_thread(self._list, _text(arguments, "name_contains", "")), (), False
            return await self._ask(_text(arguments, "image_path"), _text(arguments, "question"))
        except (ConfigError, ToolError, ImageError, PluginError, PolicyError) as error:
            return f"Error: {error}", (), True

    async def _ask(self, name: str, question: str) -> tuple[str, tuple[View, ...], bool]:
        path, page = await asyncio.to_thread(find_image, self._folders, name)
        source = SourceImage(path, max_pixels=self._max_pixels, page=page)
        async with self._making:
            if self._agent is None:
                self._agent = await asyncio.to_thread(self._make_agent)
        run = await self._agent.aask(source, question)
        crops = await asyncio.to_thread(lambda: tuple(_crops(source, run.evidence)))
        return _words(run), crops, run.failure is not None

    def _list(self, part: str) -> str:
        found = [path for path in self._images() if part.lower() in path.lower()]
        listed = list(itertools.islice(found, _MOST_IMAGES))
        if not listed:
            return "There are no such images."
        more = f"\n... and {len(found) - len(listed)} more" if len(found) > len(listed) else ""
        return "\n".join(listed) + more

    def _images(self) -> Iterator[str]:
        """Paths of images, relative to their folder, in order."""
        for root in self._folders.roots:
            entries = itertools.islice(_files(root), _MOST_ENTRIES)
            yield from sorted(str(path.relative_to(root)) for path in entries if path.suffix.lower() in _ENDINGS)


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder; links are not followed, for they may lead out of it."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _files(entry)
        elif entry.is_file():
            yield entry


def _text(arguments: dict[str, Any], name: str, default: str | None = None) -> str:
    value = arguments.get(name, default)
    if not isinstance(value, str):
        raise ToolError(f"{name} must be a text")
    return value


def _crops(source: SourceImage, evidence: tuple[Evidence, ...]) -> Iterator[View]:
    with source:
        for number, item in enumerate(evidence, start=1):
            size = _CROPS.magnify(item.box.size)
            yield View(f"evidence{number}", "crop", source.render(item.box, size), Frame(item.box, size))


def _words(run: Trajectory) -> str:
    """The answer, the verdict and the evidence, a line each."""
    lines = [str(run)]
    if run.evidence:
        lines.append("Boxes are x0, y0, x1, y1 in pixels of the original; the crops follow in the same order.")
        whole = Frame(run.image.size.box, run.image.size)
        written = (plain_box(whole.from_original(item.box.as_tuple(), PROFILE.space)) for item in run.evidence)
        lines.append(f"As the other tools take them, {PROFILE.space.words} of the overview: {', '.join(written)}")
    return "\n".join(lines)
