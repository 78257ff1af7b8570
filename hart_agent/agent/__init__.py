"""The agent: one loop that drives an episode with a policy, for one question or many."""

from hart_agent.agent.agent import Agent, OnUnsupported
from hart_agent.agent.observer import Observer

__all__ = ["Agent", "Observer", "OnUnsupported"]
