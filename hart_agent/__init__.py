"""hart-agent: answers questions about high-resolution images, with evidence.

from hart_agent import Agent
print(Agent().ask("image.jpg", "what is on the sign?"))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hart_agent.moved import MOVED, forward_moved

if TYPE_CHECKING:
    from hart_agent.agent import Agent, Observer, OnUnsupported
    from hart_agent.agent.config import EpisodeConfig
    from hart_agent.agent.episode import Episode
    from hart_agent.agent.modes import Goal, Mode, Stage
    from hart_agent.agent.trajectory import StopReason, Trajectory, Turn
    from hart_agent.backends import PolicyOptions, create_policy
    from hart_agent.backends.scripted import ScriptedPolicy
    from hart_agent.dialogue.messages import Message
    from hart_agent.dialogue.policy import Policy, Reply
    from hart_agent.errors import (
        ConfigError,
        HartError,
        ImageError,
        InstallError,
        PluginError,
        PolicyError,
        ToolError,
    )
    from hart_agent.tooling.decorator import tool
    from hart_agent.tooling.protocol import Tool, ToolContext, ToolOutput
    from hart_agent.tooling.records import Evidence, Verdict
    from hart_agent.tooling.runtime import ToolRuntime
    from hart_agent.vision.budget import CoordinateProfile, ViewBudget
    from hart_agent.vision.geometry import Box, CoordinateSpace
    from hart_agent.vision.source import SourceImage, View

__version__ = "0.1.0"
__all__ = [
    "Agent",
    "Box",
    "ConfigError",
    "CoordinateProfile",
    "CoordinateSpace",
    "Episode",
    "EpisodeConfig",
    "Evidence",
    "Goal",
    "HartError",
    "ImageError",
    "InstallError",
    "Message",
    "Mode",
    "Observer",
    "OnUnsupported",
    "PluginError",
    "Policy",
    "PolicyError",
    "PolicyOptions",
    "Reply",
    "ScriptedPolicy",
    "SourceImage",
    "Stage",
    "StopReason",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolOutput",
    "ToolRuntime",
    "Trajectory",
    "Turn",
    "Verdict",
    "View",
    "ViewBudget",
    "create_policy",
    "tool",
]

_HOMES = {
    "agent.agent": ("Agent", "OnUnsupported"),
    "agent.config": ("EpisodeConfig",),
    "agent.episode": ("Episode",),
    "agent.modes": ("Goal", "Mode", "Stage"),
    "agent.observer": ("Observer",),
    "agent.trajectory": ("StopReason", "Trajectory", "Turn"),
    "backends": ("create_policy",),
    "backends.options": ("PolicyOptions",),
    "backends.scripted": ("ScriptedPolicy",),
    "dialogue.messages": ("Message",),
    "dialogue.policy": ("Policy", "Reply"),
    "errors": ("ConfigError", "HartError", "ImageError", "InstallError", "PluginError", "PolicyError", "ToolError"),
    "tooling.decorator": ("tool",),
    "tooling.protocol": ("Tool", "ToolContext", "ToolOutput"),
    "tooling.records": ("Evidence", "Verdict"),
    "tooling.runtime": ("ToolRuntime",),
    "vision.budget": ("CoordinateProfile", "ViewBudget"),
    "vision.geometry": ("Box", "CoordinateSpace"),
    "vision.source": ("SourceImage", "View"),
}
"""Modules and their names above. A module is imported when one of its names is used: importing the package is fast."""

forward_moved(__name__, MOVED)

if not TYPE_CHECKING:  # so that type checkers report names that don't exist

    def __getattr__(name: str) -> Any:
        """A public name, or a module of the package."""
        home = next((home for home, names in _HOMES.items() if name in names), None)
        if home is not None:
            globals()[name] = value = getattr(import_module(f"{__name__}.{home}"), name)
            return value
        if not name.startswith("_"):
            try:
                return import_module(f"{__name__}.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"{__name__}.{name}":
                    raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
