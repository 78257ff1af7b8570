"""For authors of tools: `check_tool` puts a tool through hostile arguments and odd images."""

from hart_agent.testing.checking import PROFILES, Finding, check_tool, examine_tool

__all__ = ["PROFILES", "Finding", "check_tool", "examine_tool"]
