"""The backend for servers that speak OpenAI's chat completions."""

from hart_agent.backends.openai.policy import TOOL_FORMATS, OpenAIPolicy

__all__ = ["TOOL_FORMATS", "OpenAIPolicy"]
