"""Training of hart-agent's policies with reinforcement learning."""

OWNER = "hart-agent"
