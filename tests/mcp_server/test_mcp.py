"""The MCP server, through the SDK's own client: over stdio and HTTP, and what it may not read."""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types
import numpy as np
import pytest
from conftest import answer, coded_pixels, tool_call
from in_process import hart_agent
from mcp import Client, StdioServerParameters
from PIL import Image

from hart_agent import Agent
from hart_agent.backends.scripted import ScriptedPolicy
from hart_agent.errors import ConfigError, PluginError
from hart_agent.mcp_server import PROFILE, Workshop, build_server
from hart_agent.mcp_server.questions import Questions
from hart_agent.tooling.decorator import tool
from hart_agent.tooling.discovery import all_tools
from hart_agent.tooling.protocol import ToolContext
from hart_agent.vision.folders import Folders

COMMAND = (sys.executable, "-m", "hart_agent", "mcp")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, beside one that may not be read, and links that lead out of it."""
    home = tmp_path_factory.mktemp("home")
    (home / "open" / "deep").mkdir(parents=True)
    (home / "open-too").mkdir()
    image = Image.fromarray(coded_pixels(0, 0, 2400, 1800))
    for place in ("open/coded.png", "secret.png", "open-too/secret.png"):
        image.save(home / place, compress_level=1)
    Image.new("RGB", (30, 20), "red").save(home / "open" / "deep" / "small.png")
    (home / "open" / "notes.txt").write_text("no image")
    (home / "open" / "inside.png").symlink_to(home / "open" / "deep" / "small.png")
    (home / "open" / "out.png").symlink_to(home / "secret.png")
    (home / "open" / "away").symlink_to(home)
    (home / "open" / "ring.png").symlink_to(home / "open" / "ring.png")
    return home / "open"


@asynccontextmanager
async def connected(folder: Path, *more: str, mode: Any = "auto") -> AsyncIterator[Client]:
    command, *arguments = (*COMMAND, "--root", str(folder), *more)
    server = StdioServerParameters(command=command, args=list(arguments))
    async with Client(server, read_timeout_seconds=60, mode=mode) as client:
        yield client


def here(folder: Path) -> Client:
    """A client of the same server without a process of its own."""
    folders = Folders([folder])
    return Client(build_server(Workshop(folders, all_tools()), folders))


def said(result: Any) -> str:
    assert isinstance(result.content[0], mcp_types.TextContent)
    return str(result.content[0].text)


def shown(result: Any) -> Image.Image:
    (picture,) = result.content[1:]
    assert isinstance(picture, mcp_types.ImageContent)
    image = Image.open(io.BytesIO(base64.b64decode(picture.data)))
    assert f"image/{image.format}".lower() == picture.mime_type
    return image.convert("RGB")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_lists_and_calls_the_tools_over_stdio(folder: Path, mode: str) -> None:
    """The protocol's present version, and the older ones that begin with a handshake."""
    async with connected(folder, mode=mode) as client:
        tools = {entry.name: entry for entry in (await client.list_tools()).tools}
        assert set(tools) >= {"overview", "zoom", "crop", "ocr", "rotate", "ruler", "contrast", "colour"}
        assert "verify" not in tools
        schema = tools["zoom"].input_schema
        assert schema["required"] == ["image_path", "bbox_2d"]
        assert {"image_path", "bbox_2d", "image"} == set(schema["properties"])

        whole = await client.call_tool("overview", {"image_path": "coded.png"})
        assert not whole.is_error
        assert "2400x1800" in said(whole)
        assert shown(whole).size[0] < 2400

        # A tenth of each side, from a half: 240 x 180 original pixels at (1200, 900).
        cropped = await client.call_tool(
            "crop", {"image_path": str(folder / "coded.png"), "bbox_2d": [500, 500, 600, 600], "label": "x"}
        )
        assert np.array_equal(shown(cropped), coded_pixels(1200, 900, 1440, 1080))

        # On that view, its lower right quarter.
        name = re.search(r"view\d+", said(cropped))[0]  # type: ignore[index]
        nested = await client.call_tool(
            "crop", {"image_path": "coded.png", "bbox_2d": [500, 500, 1000, 1000], "image": name, "label": "y"}
        )
        assert np.array_equal(shown(nested), coded_pixels(1320, 990, 1440, 1080))


async def test_wrong_calls_are_told_and_the_server_goes_on(folder: Path) -> None:
    async with here(folder) as client:
        for name, arguments, words in [
            ("zoom", {"image_path": "coded.png", "bbox_2d": [9, 9, 5, 5]}, "inverted"),
            ("zoom", {"image_path": "coded.png"}, "bbox_2d"),
            ("zoom", {"image_path": "coded.png", "bbox_2d": [0, 0, 9, 9], "image": "view7"}, "view7"),
            ("zoom", {"bbox_2d": [0, 0, 9, 9]}, "image_path"),
            ("zoom", {"image_path": 7, "bbox_2d": [0, 0, 9, 9]}, "image_path"),
            ("verify", {"image_path": "coded.png", "answer": "x"}, "no tool 'verify'"),
            ("enlarge", {"path": "coded.png"}, "no tool 'enlarge'; the tools are overview, "),
            ("overview", {"image_path": "notes.txt"}, "not an image"),
            ("ruler", {"image_path": "coded.png", "bbox_2d": [0, 0, 9, 9], "reference_length": 2}, "reference"),
        ]:
            result = await client.call_tool(name, arguments)
            assert result.is_error
            assert words in said(result)
            assert len(result.content) == 1
        assert not (await client.call_tool("overview", {"image_path": "deep/small.png"})).is_error


OUTSIDE = [
    "../secret.png", "deep/../../secret.png", "out.png", "away/secret.png", "away/open/../secret.png",
    "{home}/secret.png", "{home}/open/../secret.png", "{home}/open-too/secret.png", "../open-too/secret.png",
    "/etc/hostname", "", ".", "deep", "none.png", "ring.png", "a\0b", "x" * 5000, "~/secret.png",
    "file://{home}/secret.png", "http://127.0.0.1/coded.png", "data:image/png;base64,iVBORw0KGgo=",
]  # fmt: skip


async def test_paths_outside_the_folders_are_refused(folder: Path) -> None:
    async with here(folder) as client:
        for path in OUTSIDE:
            result = await client.call_tool("overview", {"image_path": path.format(home=folder.parent)})
            assert result.is_error, path
            assert "no file" in said(result)
            assert len(result.content) == 1
        inside = (
            "coded.png",
            "./deep/../coded.png",
            "inside.png",
            "away/open/coded.png",
            (folder / "coded.png").as_uri(),
        )
        for path in inside:
            assert not (await client.call_tool("overview", {"image_path": path})).is_error, path


def test_a_refusal_does_not_tell_whether_there_is_a_file(folder: Path) -> None:
    folders = Folders([folder])
    texts = []
    for path in ("../secret.png", "../nothing.png"):
        with pytest.raises(Exception, match="no file") as caught:
            folders.find(path)
        texts.append(str(caught.value).replace(path, ""))
    assert texts[0] == texts[1]


async def test_several_folders_and_a_tool_of_ones_own(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "blue").save(tmp_path / "blue.png")
    (tmp_path / "own.py").write_text(
        "from hart_agent.tooling.decorator import tool\nfrom hart_agent import ToolContext\n"
        "@tool\ndef size(context: ToolContext) -> str:\n    '''Tell the size.'''\n"
        "    print('chatter on stdout')\n    return str(context.image.size)\n"
    )
    async with connected(folder, "--root", str(tmp_path), "--tool", f"{tmp_path / 'own.py'}:size") as client:
        assert said(await client.call_tool("size", {"image_path": "blue.png"})) == "40x40"
        assert said(await client.call_tool("size", {"image_path": "deep/small.png"})) == "30x20"


async def test_a_tool_that_fails_does_not_end_the_server(folder: Path) -> None:
    @tool
    def broken(context: ToolContext) -> str:
        """Break."""
        return str(1 / 0)

    @tool
    async def asks(context: ToolContext) -> str:
        """Ask the policy."""
        return (await context.policy.reply([], ())).text

    folders = Folders([folder])
    async with Client(build_server(Workshop(folders, [broken, asks]), folders)) as client:
        for name, words in (("broken", "ZeroDivisionError"), ("asks", "there is none here")):
            result = await client.call_tool(name, {"image_path": "coded.png"})
            assert result.is_error
            assert words in said(result)
        assert not (await client.call_tool("overview", {"image_path": "coded.png"})).is_error


async def test_a_changed_file_is_seen_anew_and_old_views_name_nothing(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "changing.png"
    Image.new("RGB", (40, 40), "blue").save(path)
    workshop = Workshop(Folders([tmp_path]), all_tools())
    arguments = {"image_path": "changing.png", "bbox_2d": [0, 0, 500, 500]}
    _, (view,), _ = await workshop.call("zoom", arguments)
    Image.new("RGB", (80, 60), "green").save(path)
    text, _, failed = await workshop.call("zoom", arguments | {"image": view.id})
    assert failed
    assert f"no image {view.id!r}" in text
    _, (fresh,), _ = await workshop.call("zoom", arguments)
    assert fresh.frame.box.as_tuple() == (0, 0, 40, 30)
    assert fresh.id != view.id


@pytest.mark.long
async def test_many_views_do_not_pile_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hart_agent.mcp_server._MAX_KEPT_PIXELS", 3_000_000)
    workshop = Workshop(Folders([folder]), all_tools())
    names = []
    for _ in range(8):
        _, views, failed = await workshop.call("zoom", {"image_path": "coded.png", "bbox_2d": [0, 0, 900, 900]})
        assert not failed
        names += [view.id for view in views]
        kept = sum(view.frame.size.area for desk in workshop._desks.values() for view in desk.context.views.values())
        assert kept <= 3_000_000
    assert len(set(names)) == 8


async def test_a_question_is_asked_and_its_evidence_is_shown(folder: Path) -> None:
    policy = ScriptedPolicy(
        [tool_call("crop", bbox_2d=[500, 500, 600, 600], label="here"), answer("a sign"), answer("a sign")], PROFILE
    )
    folders = Folders([folder])
    questions = Questions(folders, lambda: Agent(policy), max_pixels=100_000_000)
    async with Client(build_server(Workshop(folders, all_tools()), folders, questions)) as client:
        tools = {entry.name: entry for entry in (await client.list_tools()).tools}
        for name in ("ask", "list_images"):  # a simple form can be made of each: one plain type an argument
            kinds = {key: value["type"] for key, value in tools[name].input_schema["properties"].items()}
            assert set(kinds.values()) == {"string"}
        for entry in tools.values():  # the optional tools, too, whose arguments may be left out
            for name, schema in entry.input_schema["properties"].items():
                assert isinstance(schema["type"], str), (entry.name, name)
                assert None not in schema.get("enum", [])
        read = await client.call_tool("colour", {"image_path": "coded.png", "bbox_2d": [0, 0, 9, 9], "image": None})
        assert not read.is_error
        listed = said(await client.call_tool("list_images", {}))
        assert listed.split("\n") == ["coded.png", "deep/small.png"]  # no links, nothing else
        assert said(await client.call_tool("list_images", {"name_contains": "SMALL"})) == "deep/small.png"
        assert said(await client.call_tool("list_images", {"name_contains": "other"})) == "There are no such images."

        found = await client.call_tool("ask", {"image_path": "coded.png", "question": "what is there?"})
        assert not found.is_error
        lines = said(found).split("\n")
        assert lines[:3] == ["a sign", "verdict: supported", "evidence: [1200, 900, 1440, 1080] here"]
        assert shown(found).size == (960, 720)  # magnified four times
        assert "0 to 1000" in tools["ask"].description
        place = re.search(r"from 0 to 1000 along each side of the overview: (\[.*\])$", lines[-1])
        zoomed = await client.call_tool(
            "crop",
            {"image_path": "coded.png", "bbox_2d": json.loads(place[1]), "label": "y"},  # type: ignore[index]
        )
        assert np.array_equal(shown(zoomed), coded_pixels(1200, 900, 1440, 1080))  # the same region

        for arguments, words in [
            ({"image_path": "../secret.png", "question": "x"}, "no file"),
            ({"image_path": "coded.png", "question": " "}, "empty"),
            ({"image_path": "coded.png"}, "question must be a text"),
            ({"image_path": "notes.txt", "question": "x"}, "not an image"),
        ]:
            result = await client.call_tool("ask", arguments)
            assert result.is_error
            assert words in said(result)


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The address of a server over HTTP."""
    command = [*COMMAND, "--root", str(folder), "--http", "127.0.0.1:0", "--allow-host", "photos.example"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            found = re.search(r"http://\S+", server.stderr.readline())
            assert found is not None
            yield found[0]
        finally:
            server.terminate()


def test_over_http_host_and_origin_are_checked(url: str) -> None:
    host = url.split("/")[2]
    for headers, refused in [
        ({}, False),
        ({"Host": "photos.example"}, False),
        ({"Host": "attacker.example"}, True),
        ({"Origin": "https://attacker.example"}, True),
        ({"Origin": f"http://{host}"}, False),
    ]:
        for path in ("/mcp", "/other"):
            connection = http.client.HTTPConnection(host, timeout=30)
            connection.request("POST", path, "{}", {"Content-Type": "application/json", **headers})
            assert (connection.getresponse().status == 403) is refused, (headers, path)
            connection.close()


async def test_over_http(url: str) -> None:
    async with Client(url, read_timeout_seconds=60) as client:
        assert "zoom" in {entry.name for entry in (await client.list_tools()).tools}
        result = await client.call_tool(
            "crop", {"image_path": "coded.png", "bbox_2d": [0, 0, 100, 100], "label": "corner"}
        )
        assert np.array_equal(shown(result), coded_pixels(0, 0, 240, 180))
        assert (await client.call_tool("overview", {"image_path": "../secret.png"})).is_error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--root"),
        (("--root", "none"), "'none' is not a folder"),
        (("--root", ".", "--http", "here"), "HOST:PORT"),
        (("--root", ".", "--http", "127.0.0.1:99999"), "HOST:PORT"),
        (("--root", ".", "--http", "192.0.2.1:8000"), "can't listen"),
        (("--root", ".", "--tool", "none.py:x"), "none.py"),
    ],
)
def test_what_can_not_be_served_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = hart_agent("mcp", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr


def test_a_tool_may_not_take_the_servers_own_argument(folder: Path) -> None:
    @tool
    def copies(image_path: str) -> str:
        """Copy.

        Args:
            image_path: where to
        """
        return image_path

    with pytest.raises(PluginError, match=r"'copies'.*'image_path'"):
        Workshop(Folders([folder]), [copies])
    with pytest.raises(ConfigError, match="at least one folder"):
        Folders([])
