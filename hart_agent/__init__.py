"""hart-agent: answers questions about high-resolution images, with evidence.

from hart_agent import Agent
print(Agent().ask("image.jpg", "what is on the sign?"))
"""

from hart_agent.agent import Agent, OnUnsupported
from hart_agent.backends.scripted import ScriptedPolicy
from hart_agent.budget import CoordinateProfile, ViewBudget
from hart_agent.episode import Episode, EpisodeConfig
from hart_agent.errors import (
    ConfigError,
    HartError,
    ImageError,
    InstallError,
    PluginError,
    PolicyError,
    ToolError,
)
from hart_agent.geometry import Box, CoordinateSpace
from hart_agent.imaging import SourceImage, View
from hart_agent.runtime import ToolRuntime
from hart_agent.tooling import Policy, Tool, ToolContext, ToolOutput
from hart_agent.types import Evidence, Message, Mode, Reply, StopReason, Trajectory, Turn, Verdict

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
    "HartError",
    "ImageError",
    "InstallError",
    "Message",
    "Mode",
    "OnUnsupported",
    "PluginError",
    "Policy",
    "PolicyError",
    "Reply",
    "ScriptedPolicy",
    "SourceImage",
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
]
