"""Tools out of one file, and by name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hart_agent import Box, ScriptedPolicy, ToolContext, ToolRuntime
from hart_agent.dialogue.messages import ToolCall
from hart_agent.errors import ConfigError, PluginError
from hart_agent.tooling.discovery import find_tool, with_extra_tools
from hart_agent.tooling.protocol import Tool
from hart_agent.vision.source import SourceImage

ONE_OFF = '''
from hart_agent import tool
from hart_agent import ToolOutput

@tool
def shout(word: str) -> str:
    """Shout a word.

    Args:
        word: to shout
    """
    return word.upper()

class Whisper:
    name = "whisper"
    description = "Whispers."
    parameters = {"type": "object"}
    def run(self, context, arguments):
        return ToolOutput("psst")

class Needy(Whisper):
    def __init__(self, key):
        self.key = key

def plain(word: str) -> str:
    return word
'''


def run(made: Tool, **arguments: Any) -> str:
    context = ToolContext(SourceImage(Image.new("RGB", (20, 10))), "what?", ScriptedPolicy([]))
    context.add_view("overview", Image.new("RGB", (20, 10)), Box(0, 0, 20, 10))
    return asyncio.run(ToolRuntime([made]).execute(ToolCall("call1", made.name, arguments, ""), context))[0].text


def test_tools_come_from_files_and_by_name(tmp_path: Path) -> None:
    path = tmp_path / "my tools.py"
    path.write_text(ONE_OFF)
    shout = find_tool(f"{path}:shout")
    assert run(shout, word="hey") == "HEY"
    assert run(find_tool(f"{path}:Whisper")) == "psst"
    assert find_tool("ocr").name == "ocr"
    names = [entry.name for entry in with_extra_tools(["ruler", "zoom", f"{path}:shout", "ruler"])]
    assert names[:3] == ["crop", "verify", "zoom"]
    assert names[-2:] == ["ruler", "shout"]
    assert names.count("ruler") == names.count("zoom") == 1


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("enhance", ConfigError, ["'enhance'", "zoom", "ocr", "path.py:name"]),
        ("{}/none.py:shout", ConfigError, ["none.py", "no file"]),
        ("{}/tools.py:shuot", PluginError, ["tools.py", "'shuot'", "shout"]),
        ("{}/tools.py:plain", PluginError, ["'plain'", "tools.py", "@tool"]),
        ("{}/tools.py:Needy", PluginError, ["'Needy'", "tools.py", "key"]),
        ("{}/broken.py:shout", PluginError, ["broken.py", "ZeroDivisionError"]),
        ("{}/leaves.py:shout", PluginError, ["leaves.py", "SystemExit"]),
        ("{}/typo.py:shout", PluginError, ["typo.py", "SyntaxError"]),
    ],
)
def test_a_tool_that_is_not_there_or_broken_is_named(
    tmp_path: Path, name: str, error: type[Exception], words: list[str]
) -> None:
    for file, text in (("tools", ONE_OFF), ("broken", "1 / 0"), ("leaves", "raise SystemExit(3)"), ("typo", "def (")):
        (tmp_path / f"{file}.py").write_text(text)
    with pytest.raises(error) as caught:
        find_tool(name.format(tmp_path))
    assert all(word in str(caught.value) for word in words), str(caught.value)
