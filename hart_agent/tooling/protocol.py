"""The door for tools, the built-in ones included: what a tool is, what it is given, and how tools are found.

A tool is a class with `name`, `description`, `parameters` (JSON Schema 2020-12) and `run`, or a typed function under
`hart_agent.tooling.decorator.tool`. Register it under the entry-point group `hart_agent.tools`, or pass it to
`Agent(tools=[...])`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from PIL import Image

from hart_agent.dialogue.messages import ToolSpec
from hart_agent.dialogue.policy import Policy
from hart_agent.errors import PluginError
from hart_agent.tooling.records import Evidence, Verification
from hart_agent.tooling.validating import problem_of
from hart_agent.vision.budget import CoordinateProfile
from hart_agent.vision.geometry import Box, CoordinateSpace, Frame, Rect, Size, box_order
from hart_agent.vision.readonly import ReadOnlyImage, freeze
from hart_agent.vision.source import SourceImage, View

BOX_FORMAT: Final = "bbox"
"""The schema `format` that marks a box: the runtime hands the tool a `Box` in original pixels in its place."""

VIEW_FORMAT: Final = "view"
"""The schema `format` that marks the view on which the call's boxes were written; the tool gets the `View`."""

BOX_SCHEMA: Final[dict[str, Any]] = {
    "type": "array",
    "format": BOX_FORMAT,
    "items": {"type": "number"},
    "minItems": 4,
    "maxItems": 4,
    "description": f"{box_order(False)}: the top left and bottom right corner of the region",
}
VIEW_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "format": VIEW_FORMAT,
    "description": "name of the image on which the box was read; the overview if left out",
}


def specs_for(tools: Sequence[ToolSpec], profile: CoordinateProfile) -> list[ToolSpec]:
    """The tools as they are described to a policy: where it writes y before x, descriptions of boxes say so."""
    if not profile.y_first:
        return list(tools)
    ours, theirs = box_order(False), profile.box
    return [replace(spec, parameters=_renamed(spec.parameters, ours, theirs)) for spec in tools]


def _renamed(schema: Any, ours: str, theirs: str) -> Any:
    if isinstance(schema, str):
        return schema.replace(ours, theirs)
    if isinstance(schema, list):
        return [_renamed(item, ours, theirs) for item in schema]
    return {key: _renamed(item, ours, theirs) for key, item in schema.items()} if isinstance(schema, dict) else schema


@dataclass(frozen=True)
class ToolOutput:
    """What a tool gives back: words for the model and, if it made any, views made with the context."""

    text: str
    views: tuple[View, ...] = ()


@dataclass
class ToolContext:
    """What a tool may use while it runs. One context lives as long as its episode.

    Attributes:
        image: the original image.
        question: the user's question.
        policy: the policy that runs the episode; `verify` asks it again.
        views: every view so far, by id.
        evidence: the regions committed so far.
        verifications: the checks made so far.
        unpointable: ids of the views on which no box can be given.
        views_before: how many names of views were given away before this context began.
        misfits: the spaces that the last boxes in a row fit better than the policy's own.
    """

    image: SourceImage
    question: str
    policy: Policy
    views: dict[str, View] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    verifications: list[Verification] = field(default_factory=list)
    unpointable: set[str] = field(default_factory=set)
    views_before: int = 0
    misfits: list[CoordinateSpace] = field(default_factory=list)

    def render(self, box: Box, kind: str, *, magnify: bool = False) -> View:
        """Show a region of the original as a new view.

        Args:
            box: in original pixels.
            kind: the name of the tool that makes the view.
            magnify: enlarge as far as the policy's budget allows, or as the rule of its crops says; otherwise keep the
                original's own pixels and resample only what the policy could not take.

        Raises:
            ImageError: the pixel data is damaged.
        """
        return self._register(kind, self._rendered(box, magnify), box)

    def pixels(self, box: Box, *, magnify: bool = False) -> Image.Image:
        """The pixels that `render` would show, RGB: for tools that change them before they `add_view` them.

        They are the tool's own; those of a view are final and can't be changed.
        """
        pixels = self._rendered(box, magnify)
        return pixels.copy() if isinstance(pixels, ReadOnlyImage) else pixels  # the whole image is kept by its source

    def add_view(self, kind: str, pixels: Image.Image, box: Box, *, pointable: bool = True) -> View:
        """Show pixels that a tool made.

        Args:
            kind: the name of the tool.
            pixels: RGB, of which the view holds a copy; resampled if the policy could not take their size.
            box: the region of the original that they show, in original pixels.
            pointable: whether a place in them is the same place in `box`, merely scaled. It isn't once they are turned
                or warped, say: the message then says that the model can't give boxes on this view.

        Raises:
            TypeError, ValueError: the pixels are no RGB image, or the box reaches beyond the original: the tool's bugs.
        """
        if not isinstance(pixels, Image.Image) or pixels.mode != "RGB":
            what = f"mode {pixels.mode}" if isinstance(pixels, Image.Image) else type(pixels).__name__
            raise TypeError(f"a view needs a PIL image of mode RGB, got {what}")
        if box.overlap(self.image.size.box) < box.area:
            raise ValueError(f"the view's box {box} reaches beyond the original, {self.image.size} pixels")
        budget, size = self.policy.profile.budget, Size(*pixels.size)
        longer, shorter = max(pixels.size), min(pixels.size)
        on_grid = size.width % budget.grid == size.height % budget.grid == 0
        if size.area > budget.max_pixels or longer > budget.max_aspect * shorter or not on_grid:
            size = budget.fit(size)
            pixels = pixels.resize((size.width, size.height), Image.Resampling.LANCZOS, reducing_gap=3.0)
        else:
            pixels = pixels.copy()
        view = self._register(kind, pixels, box)
        if not pointable:
            self.unpointable.add(view.id)
        return view

    def locate(self, rect: Rect, view: View) -> str:
        """How the policy writes a rectangle, in original pixels, as a box on a view: to tell it of a place.

        On a view that it can't point on, the place is given on the overview, and the words say so.
        """
        frame, where = view.frame, ""
        if view.id in self.unpointable:
            frame, where = self.views["overview"].frame, " on the overview"
        profile = self.policy.profile
        digits = 3 if profile.space is CoordinateSpace.UNIT else 0
        numbers = frame.from_original(rect, profile.space, y_first=profile.y_first)
        return f"[{', '.join(f'{number:.{digits}f}' for number in numbers)}]{where}"

    def draft(self) -> ToolContext:
        """A copy for one call; what it adds counts once it is adopted, so a call that fails leaves nothing behind."""
        return ToolContext(
            self.image, self.question, self.policy,
            dict(self.views), list(self.evidence), list(self.verifications), set(self.unpointable),
            self.views_before, self.misfits,
        )  # fmt: skip

    def adopt(self, draft: ToolContext) -> None:
        """Take over what a call added to its draft."""
        self.views.update(draft.views)
        self.evidence[:] = draft.evidence
        self.verifications[:] = draft.verifications
        self.unpointable.update(draft.unpointable)

    def _rendered(self, box: Box, magnify: bool) -> Image.Image:
        profile, whole = self.policy.profile, box == self.image.size.box
        size = profile.view_size(box.size, whole=whole and not magnify, magnify=magnify)
        if profile.crop is None or not magnify:
            return self.image.render(box, size)
        return self.image.render(box, size, profile.crop.resampling.filter)

    def _register(self, kind: str, pixels: Image.Image, box: Box) -> View:
        name = f"view{self.views_before + len(self.views)}" if self.views else "overview"
        view = View(name, kind, freeze(pixels), Frame(box, Size(*pixels.size)))
        self.views[name] = view
        return view

    @property
    def evidence_views(self) -> list[View]:
        """The evidence crops, in the order in which they were committed."""
        return [self.views[item.view_id] for item in self.evidence]


ToolReturn: TypeAlias = "ToolOutput | str"


@runtime_checkable
class Tool(Protocol):
    """A tool that a policy can call.

    Attributes:
        name: letters, digits, `_` and `-`; unique among the tools of an agent.
        description: tells the model what the tool does and when to use it.
        parameters: JSON Schema 2020-12 of the arguments, an object. A property with `format: bbox` reaches `run`
            as a `Box` in original pixels, one with `format: view` as a `View`; so do the items of an array.
        timeout: optional: seconds for one call, in place of the agent's own limit.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> ToolReturn | Awaitable[ToolReturn]:
        """Run a call whose arguments fit the schema. May be async; a plain function runs in a thread.

        Raises:
            ToolError: tells the model what to fix; the episode continues. Any other exception is a bug of the tool.
        """
        ...


def tool_spec(tool: Tool) -> ToolSpec:
    """What a model needs to know of the tool."""
    return ToolSpec(tool.name, tool.description, dict(tool.parameters))


def check_definition(tool: object) -> Tool:
    """The tool itself, if it can be offered to a model.

    Raises:
        PluginError: an attribute is missing or can't be used.
    """
    if isinstance(tool, type) or not isinstance(tool, Tool):
        raise PluginError(f"the tool {tool!r} lacks one of name, description, parameters and run")
    if not isinstance(tool.name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tool.name):
        raise PluginError(f"the tool name {tool.name!r} can't be used; expected 1 to 64 letters, digits, _ and -")
    if not isinstance(tool.description, str) or not tool.description.strip():
        raise PluginError(f"the tool {tool.name!r} has no description; say what it does and when to use it")
    timeout = getattr(tool, "timeout", None)
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise PluginError(f"the timeout of the tool {tool.name!r} must be a positive number of seconds: {timeout!r}")
    if problem := problem_of(tool.parameters):
        raise PluginError(f"the parameters of the tool {tool.name!r} are not a JSON Schema: {problem}")
    if not isinstance(tool.parameters, Mapping) or tool.parameters.get("type") != "object":
        raise PluginError(f"the parameters of the tool {tool.name!r} must be a schema of the type object")
    return tool
