"""Training of hart-agent's policies with reinforcement learning."""

from rl.moved import install

OWNER = "hart-agent"
install()
