"""Tools: what a tool is, how it is found, and how its calls are run."""

from typing import Any

from hart_agent.moved import moved_attribute


def __getattr__(name: str) -> Any:
    return moved_attribute(__name__, name)
