"""The embedded policy: a text reader that works offline, without a language model."""

from hart_agent.backends.embedded.policy import EmbeddedPolicy

__all__ = ["EmbeddedPolicy"]
