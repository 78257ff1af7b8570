"""The door for tools, the built-in ones included: what a tool is, what it is given, and how tools are found.

A tool is a class with `name`, `description`, `parameters` (JSON Schema 2020-12) and `run`. Register it under the
entry-point group `hart_agent.tools`, or pass an instance to `Agent(tools=[...])`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from hart_agent.budget import CoordinateProfile
from hart_agent.errors import PluginError
from hart_agent.geometry import Box, Frame, Size
from hart_agent.imaging import SourceImage, View
from hart_agent.installation import check_siblings
from hart_agent.types import Evidence, Message, Reply, ToolSpec, Verification

ENTRY_POINT_GROUP: Final = "hart_agent.tools"

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
    "description": "[x0, y0, x1, y1]: the top left and bottom right corner of the region",
}
VIEW_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "format": VIEW_FORMAT,
    "description": "name of the image on which the box was read; the overview if left out",
}


@runtime_checkable
class Policy(Protocol):
    """A model that answers a conversation. The only thing in hart-agent that produces words.

    Attributes:
        name: shown in results and traces.
        profile: how the policy sees and points.
    """

    name: str
    profile: CoordinateProfile

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Reply:
        """The next reply.

        Args:
            messages: the whole conversation so far; only ever appended to.
            tools: the tools that may be called; none when the question is asked of the crops alone.

        Raises:
            PolicyError: no reply could be had.
        """
        ...


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
    """

    image: SourceImage
    question: str
    policy: Policy
    views: dict[str, View] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    verifications: list[Verification] = field(default_factory=list)

    def render(self, box: Box, kind: str, *, magnify: bool = False) -> View:
        """Show a region of the original as a new view.

        Args:
            box: in original pixels.
            kind: the name of the tool that makes the view.
            magnify: enlarge as far as the policy's budget allows; otherwise keep the original's own pixels and
                resample only what the policy could not take.

        Raises:
            ImageError: the pixel data is damaged.
        """
        budget = self.policy.profile.budget
        size = budget.magnify(box.size) if magnify else budget.fit(box.size)
        return self.add_view(kind, self.image.render(box, size), box)

    def add_view(self, kind: str, pixels: Any, box: Box) -> View:
        """Register pixels (a PIL image, RGB) that show the given box of the original, whatever was done to them."""
        name = f"view{len(self.views)}" if self.views else "overview"
        view = View(name, kind, pixels, Frame(box, Size(*pixels.size)))
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
            as a `Box` in original pixels, one with `format: view` as a `View`.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> ToolReturn | Awaitable[ToolReturn]:
        """Carry out a call whose arguments fit the schema. May be async; a plain function runs in a thread.

        Raises:
            ToolError: tells the model what to mend; the episode goes on. Any other exception is a bug of the tool.
        """
        ...


def tool_spec(tool: Tool) -> ToolSpec:
    """What a model needs to know of the tool."""
    return ToolSpec(tool.name, tool.description, dict(tool.parameters))


def discover_tools() -> list[Tool]:
    """All installed tools, the built-in ones first, then by name.

    Raises:
        InstallError: a foreign package stands in the place of one of ours.
        PluginError: a tool can't be loaded, or two tools have the same name.
    """
    check_siblings()
    found = sorted(
        entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (not point.value.startswith("tools."), point.name)
    )
    owners: dict[str, str] = {}
    tools = []
    for point in found:
        tool = _load(point)
        owner = _owner(point)
        if tool.name in owners:
            raise PluginError(
                f"the tool name {tool.name!r} is claimed by {owners[tool.name]} and by {owner}. Uninstall one of them."
            )
        owners[tool.name] = owner
        tools.append(tool)
    return tools


def _load(point: EntryPoint) -> Tool:
    try:
        tool = point.load()()
    except Exception as error:
        raise PluginError(
            f"the tool {point.name!r} of {_owner(point)} can't be loaded ({type(error).__name__}: {error}). "
            "Mend or uninstall that package."
        ) from error
    if not isinstance(tool, Tool):
        raise PluginError(
            f"the tool {point.name!r} of {_owner(point)} lacks one of name, description, parameters and run."
        )
    return tool


def _owner(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unknown package"
    return f"{package} ({point.value})"
