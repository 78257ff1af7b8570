"""What a policy is shown and what it replies: messages, prompts, and the reading of replies."""

from typing import Any

from hart_agent.moved import moved_attribute


def __getattr__(name: str) -> Any:
    return moved_attribute(__name__, name)
