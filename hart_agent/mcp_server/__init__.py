"""The tools for any assistant that speaks the Model Context Protocol, on images in folders that the user named.

The server keeps a context for each image in use, so that a box can be given on a view that an earlier call returned.
Coordinates are thousandths of a view's sides: they stay true if the assistant's own client shrinks the picture.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hart_agent
from hart_agent.backends.openai.images import choose_level, data_url
from hart_agent.commands import install_command
from hart_agent.dialogue.messages import ToolCall, ToolSpec
from hart_agent.errors import ConfigError, ImageError, InstallError, PluginError, PolicyError, ToolError
from hart_agent.mcp_server.questions import PROFILE, Questions
from hart_agent.serve.addresses import Addresses, AddressGuard, is_loopback
from hart_agent.tooling.decorator import tool
from hart_agent.tooling.protocol import Tool, ToolContext, ToolOutput, tool_spec
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.tooling.standalone import open_context
from hart_agent.vision.folders import Folders, find_image
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS, SourceImage, View

if TYPE_CHECKING:
    from mcp.server import Server

ASKS_THE_POLICY: Final = frozenset({"verify"})
"""Built-in tools that are of no use without an episode's policy."""

_PATH: Final = "image_path"
_MAX_KEPT_PIXELS: Final = 100_000_000
"""Of views, 300 MB; the images used longest ago go first."""
_MAX_BYTES: Final = 700_000
"""Of one result's images, as text; some clients refuse results of a megabyte."""
_INSTRUCTIONS: Final = (
    "Tools that look into large images at their full resolution. Begin with overview. Boxes are [x0, y0, x1, y1], top "
    "left corner first, from 0 to 1000 along each side of the image named in 'image', or of the overview. Images may "
    "be read from: {roots}"
)


@tool
def overview(context: ToolContext) -> ToolOutput:
    """Show a whole image, shrunk to fit: begin with it. Boxes are read on it unless another image is named."""
    view = context.views["overview"]
    text = f"overview: {view.frame.size} pixels of an original of {context.image.size}."
    if context.image.frames > 1:
        text += f" The file holds {context.image.frames} frames or pages; #page=2 behind its path names another."
    return ToolOutput(text, (view,))


@dataclass
class _Desk:
    """An image in use."""

    context: ToolContext
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def pixels(self) -> int:
        return sum(view.frame.size.area for view in self.context.views.values())


class Workshop:
    """Runs tools on images by path. Safe for concurrent calls in one event loop.

    Args:
        folders: where images may be.
        tools: that may be called; those that need a policy tell so when they are.
        max_pixels: refuse larger images.

    Raises:
        PluginError: a tool has a parameter `image_path` of its own, or can't be offered.
    """

    def __init__(self, folders: Folders, tools: Sequence[Tool], *, max_pixels: int = DEFAULT_MAX_IMAGE_PIXELS) -> None:
        self.tools: list[Tool] = [overview, *(entry for entry in tools if entry.name not in ASKS_THE_POLICY)]
        for offered in self.tools:
            if _PATH in offered.parameters.get("properties", {}):
                raise PluginError(f"the tool {offered.name!r} has a parameter {_PATH!r}, which the server needs itself")
        self._runtime = ToolRuntime(self.tools)
        self._folders = folders
        self._max_pixels = max_pixels
        self._desks: OrderedDict[tuple[Path, int | None, int, int], _Desk] = OrderedDict()
        self._names_given = 0

    def spec(self, offered: Tool) -> ToolSpec:
        """A tool as it is offered: the image's path among its arguments, each of one type where one will do."""
        parameters = tool_spec(offered).parameters
        path = {"type": "string", "description": "path of the image file"}
        own = {name: _without_null(schema) for name, schema in parameters.get("properties", {}).items()}
        with_path = parameters | {
            "properties": {_PATH: path, **own},
            "required": [_PATH, *parameters.get("required", [])],
        }
        return ToolSpec(offered.name, offered.description, with_path)

    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[str, tuple[View, ...], bool]:
        """Run a call.

        Returns:
            What to tell the assistant, the views to show, and whether it is an error.
        """
        arguments = dict(arguments)
        path = arguments.pop(_PATH, None)
        try:
            if not isinstance(path, str):
                raise ToolError(f"{_PATH} is missing; give the path of the image file")
            desk = await asyncio.to_thread(self._desk, path)
            async with desk.lock:
                result, views = await self._runtime.execute(ToolCall("call", name, arguments, ""), desk.context)
        except (ToolError, ImageError, PolicyError) as error:
            return f"Error: {error}", (), True
        self._tidy()
        return result.text, views, result.error is not None

    def _desk(self, name: str) -> _Desk:
        """The desk of an image; a new one if the file has changed. Its views' names are never those of an old one."""
        path, page = find_image(self._folders, name)
        state = path.stat()
        key = (path, page, state.st_mtime_ns, state.st_size)
        if key not in self._desks:
            context = open_context(SourceImage(path, max_pixels=self._max_pixels, page=page), PROFILE)
            context.views_before = self._names_given
            self._desks.setdefault(key, _Desk(context))
        self._desks.move_to_end(key)
        return self._desks[key]

    def _tidy(self) -> None:
        desks = list(self._desks.items())
        self._names_given = max([self._names_given, *(_names(desk) for _, desk in desks)])
        for _, desk in desks[:-1]:
            if not desk.lock.locked():
                desk.context.image.close()
        kept = sum(desk.pixels for _, desk in desks)
        for key, desk in desks:
            if kept > _MAX_KEPT_PIXELS:
                del self._desks[key]
                kept -= desk.pixels


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """An argument's schema without null, which says no more than leaving the argument out, and makes a union of it."""
    plain = dict(schema)
    if isinstance(kinds := schema.get("type"), list):
        left = [kind for kind in kinds if kind != "null"]
        plain["type"] = left[0] if len(left) == 1 else left
    if "anyOf" in schema:
        plain["anyOf"] = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
    if "enum" in schema:
        plain["enum"] = [value for value in schema["enum"] if value is not None]
    return plain


def _names(desk: _Desk) -> int:
    return desk.context.views_before + len(desk.context.views)


def build_server(workshop: Workshop, folders: Folders, questions: Questions | None = None) -> Server[Any]:
    """The MCP server of a workshop.

    Args:
        workshop: runs the tools.
        folders: where images may be.
        questions: answers whole questions; None offers only the tools.

    Raises:
        InstallError: the package mcp is missing.
    """
    try:
        from mcp import types
        from mcp.server import Server, ServerRequestContext
    except ImportError as error:
        raise InstallError(f"the MCP server needs the package mcp. Run: {install_command(extra='mcp')}") from error

    asking = {spec.name: spec for spec in questions.specs} if questions is not None else {}
    working = {spec.name: spec for spec in map(workshop.spec, workshop.tools)}

    async def list_tools(
        context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        annotations = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=offered.name,
                    description=offered.description,
                    input_schema=offered.parameters,
                    annotations=annotations,
                )
                for offered in (asking | working).values()
            ]
        )

    async def call(name: str, arguments: dict[str, Any]) -> tuple[str, tuple[View, ...], bool]:
        if questions is not None and name in asking:
            return await questions.call(name, arguments)
        if name in working:
            return await workshop.call(name, arguments)
        return f"Error: there is no tool {name!r}; the tools are {', '.join(asking | working)}", (), True

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        text, views, failed = await call(params.name, params.arguments or {})
        level = choose_level(views, _MAX_BYTES)
        content: list[types.ContentBlock] = [types.TextContent(type="text", text=text)]
        for view in views:
            kind, data = data_url(view, level).removeprefix("data:").split(";base64,")
            content.append(types.ImageContent(type="image", data=data, mime_type=kind))
        return types.CallToolResult(content=content, is_error=failed)

    return Server(
        "hart-agent",
        version=hart_agent.__version__,
        instructions=_INSTRUCTIONS.format(roots=", ".join(map(str, folders.roots))),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def serve_stdio(server: Server[Any]) -> None:
    """Serve one client on standard input and output, until it hangs up."""
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (reader, writer):
        await server.run(reader, writer, server.create_initialization_options())


def serve_http(server: Server[Any], host: str, port: int, *, names: Sequence[str] = ()) -> None:
    """Serve at http://HOST:PORT/mcp until interrupted. Port 0 takes a free one; the address is printed on stderr.

    Args:
        server: the MCP server.
        host: the interface to listen on.
        port: of TCP.
        names: further host names by which clients reach it. A foreign Host or Origin is refused.

    Raises:
        ConfigError: the address can't be used.
    """
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(f"can't listen at {host}:{port} ({error.strerror}). Choose another address.") from error
    shown = f"[{host}]" if ":" in host else host
    print(f"hart-agent: MCP at http://{shown}:{listening.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
    if not is_loopback(host):
        print("hart-agent: whoever reaches this address can read the images; there is no password", file=sys.stderr)
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # the guard checks every address
    app = AddressGuard(
        server.streamable_http_app(host=host, transport_security=unchecked), Addresses(host, frozenset(names))
    )
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
