"""The backend for servers that speak OpenAI's chat completions."""

from hart_agent.backends.openai.policy import OpenAIPolicy
from hart_agent.backends.options import TOOL_FORMATS

__all__ = ["TOOL_FORMATS", "OpenAIPolicy"]
