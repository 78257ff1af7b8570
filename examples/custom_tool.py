"""Give the policy a tool: a typed function. Its docstring and its types are what the model reads.

python examples/custom_tool.py photo.jpg "Which window is lit?" http://localhost:8000/v1

From the command line: hart-agent ask photo.jpg "Which window is lit?" --tool examples/custom_tool.py:brightness
"""

import sys

from PIL import ImageStat

from hart_agent import Agent, Box, PolicyOptions, ToolContext, ToolError, create_policy, tool
from hart_agent.tooling.discovery import discover_tools


@tool
def brightness(context: ToolContext, bbox_2d: Box) -> str:
    """Measure how bright a region of the original photo is, from 0 (black) to 255 (white)."""
    if bbox_2d.area < 4:
        raise ToolError("the region is too small to measure; give one of at least 4 pixels")
    return f"mean brightness {ImageStat.Stat(context.pixels(bbox_2d).convert('L')).mean[0]:.0f}"


def main(image: str, question: str, base_url: str) -> None:
    policy = create_policy("openai", PolicyOptions(base_url=base_url))
    result = Agent(policy, tools=[*discover_tools(), brightness]).ask(image, question)
    for turn in result.turns:
        for call in turn.results:
            print(f"{call.call.name}: {call.text}")
    print(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
