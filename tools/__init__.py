"""The built-in tools. They come in by the same door as anyone's: the entry-point group `hart_agent.tools`."""

OWNER = "hart-agent"
