"""hart-agent: answers questions about high-resolution images, with evidence.

from hart_agent import Agent
print(Agent().ask("image.jpg", "what is on the sign?"))
"""

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
from hart_agent.moved import MOVED, forward_moved
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

forward_moved(__name__, MOVED)
