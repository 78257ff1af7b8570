"""The harness for tool authors: our own tools pass it, and each kind of fault is found and told."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image
from variations import slow_but

from hart_agent import Box, ToolContext, ToolError, ToolOutput, View
from hart_agent.testing import check_tool, examine_tool
from hart_agent.testing.inputs import plain_image
from hart_agent.tooling.decorator import tool
from hart_agent.tooling.discovery import find_tool
from hart_agent.tooling.protocol import BOX_SCHEMA
from hart_agent.tooling.records import Evidence

SIGN = [160, 180, 480, 300]
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "zoom": [{"bbox_2d": SIGN}, {"bbox_2d": SIGN, "image": "overview"}],
    "crop": [{"bbox_2d": SIGN, "label": "sign", "text": "HART 1234"}],
    "verify": [{"answer": "HART 1234"}],
    "ocr": [{"bbox_2d": SIGN}],
    "rotate": [{"bbox_2d": SIGN}, {"bbox_2d": SIGN, "angle": -33.5}],
    "contrast": [{"bbox_2d": SIGN, "strength": 5}],
    "ruler": [{"bbox_2d": SIGN, "other": [0, 0, 50, 50], "reference": SIGN, "reference_length": 2.5, "unit": "cm"}],
    "colour": [{"bbox_2d": SIGN}],
}


@pytest.mark.parametrize("name", slow_but({"zoom", "crop", "verify"}, EXAMPLES))
def test_our_own_tools_keep_the_promises(name: str) -> None:
    check_tool(find_tool(name), EXAMPLES[name])


class Fine:
    """Each fault below is one change to this tool, which has none."""

    name = "fine"
    description = "Shows a region."
    parameters: Any = {
        "type": "object",
        "properties": {"bbox_2d": BOX_SCHEMA, "count": {"type": "integer", "description": "how many", "minimum": 1}},
        "required": ["bbox_2d"],
        "additionalProperties": False,
    }

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        view = context.render(arguments["bbox_2d"], self.name)
        return ToolOutput(f"{view.id} shows it", (view,))


class Raises(Fine):
    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        return str(10 // (arguments.get("count", 1) - 1))


class FailsOnThinPictures(Fine):
    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        if context.image.size.width < 10:
            raise IndexError("too thin")
        return super().run(context, arguments)


class Hangs(Fine):
    timeout = 0.05

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        time.sleep(0.2)
        return "late"


class ReturnsNothing(Fine):
    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        return None


class ReturnsALambda(Fine):
    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        return ToolOutput("see", (lambda: None,))  # type: ignore[arg-type]


class SaysNothing(Fine):
    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        return " "


class Mumbles(Fine):
    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        if "count" in arguments:
            raise ToolError("bad")
        return super().run(context, arguments)


class Throws(Fine):
    """Its pixels are another each time."""

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        noise = Image.effect_noise((40, 40), random.uniform(10, 90)).convert("RGB")
        return ToolOutput("noise", (context.add_view(self.name, noise, arguments["bbox_2d"]),))


class Counts(Fine):
    """Its words depend on how often it was called."""

    calls = 0

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        self.calls += 1
        return f"called {self.calls} times"


class Prints(Fine):
    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        print("debug")
        return super().run(context, arguments)


class Overdraws(Fine):
    """It paints on the user's own picture."""

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        picture = context.image.origin
        assert isinstance(picture, Image.Image)
        picture.paste(0, (0, 0, 5, 5))
        return super().run(context, arguments)


class Rewrites(Fine):
    parameters = Fine.parameters | {
        "properties": Fine.parameters["properties"] | {"words": {"type": "array", "description": "words"}}
    }

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        arguments.get("words", []).append("more")
        return super().run(context, arguments)


class Smuggles(Fine):
    """A view that was made without the context, larger than any policy takes."""

    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        view = super().run(context, arguments).views[0]
        return ToolOutput("big", (View("view1", "fine", Image.new("RGB", (1200, 1200)), view.frame),))


class Forges(Fine):
    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        context.evidence.append(Evidence(arguments["bbox_2d"], "x", None, "view77"))
        return super().run(context, arguments)


class Refuses(Fine):
    def run(self, context: ToolContext, arguments: dict[str, Any]) -> Any:
        raise ToolError("there is nothing that this tool could ever do for you")


class LetsAllThrough(Fine):
    parameters = {name: value for name, value in Fine.parameters.items() if name != "additionalProperties"}


class Undescribed(Fine):
    parameters = Fine.parameters | {"properties": {"bbox_2d": BOX_SCHEMA, "count": {"type": "integer"}}}


class WrongDefault(Fine):
    parameters = Fine.parameters | {
        "properties": {"bbox_2d": BOX_SCHEMA, "count": {"type": "integer", "description": "how many", "default": "1"}}
    }


class RequiresTheUnknown(Fine):
    parameters = Fine.parameters | {"required": ["box"]}


class NoSchema(Fine):
    parameters = {"type": "objekt"}


class BadName(Fine):
    name = "two words"


class NoDescription(Fine):
    description = ""


def test_a_tool_without_fault_passes() -> None:
    assert examine_tool(Fine()) == []
    check_tool(Fine(), [{"bbox_2d": SIGN, "count": 3}])


@pytest.mark.parametrize(
    ("faulty", "words"),
    [
        (Raises, "ZeroDivisionError"),
        (FailsOnThinPictures, "IndexError: too thin"),
        (Hangs, "within 0.05 seconds"),
        (ReturnsNothing, "NoneType"),
        (ReturnsALambda, "no view of this episode"),
        (SaysNothing, "no words"),
        (Mumbles, "doesn't say what to fix"),
        (Throws, "another result the second time"),
        (Counts, "another result the second time"),
        (Prints, "printed 'debug"),
        (Overdraws, "altered the picture"),
        (Rewrites, "altered the arguments"),
        (Smuggles, "no view of this episode"),
        (Forges, "no evidence with a view"),
        (Refuses, "no call succeeded"),
        (LetsAllThrough, "additionalProperties"),
        (Undescribed, "'count' has no description"),
        (WrongDefault, "default of 'count'"),
        (RequiresTheUnknown, "requires 'box'"),
        (NoSchema, "not a JSON Schema"),
        (BadName, "'two words' can't be used"),
        (NoDescription, "no description"),
    ],
)
def test_each_fault_is_found_and_told(faulty: type[Fine], words: str) -> None:
    findings = examine_tool(faulty(), timeout=5)
    assert any(words in str(finding) for finding in findings), findings


def test_the_error_names_the_tool_the_picture_and_the_call() -> None:
    with pytest.raises(AssertionError) as caught:
        check_tool(FailsOnThinPictures())
    text = str(caught.value)
    assert "'fine' breaks" in text
    assert "3x2000 pixels" in text or "1x1 pixels" in text
    assert '"bbox_2d": [' in text


def test_an_example_that_is_refused_is_a_finding() -> None:
    (finding,) = examine_tool(Fine(), [{"bbox_2d": SIGN, "count": 0}, {"bbox_2d": SIGN}])
    assert "minimum" in str(finding)


def test_the_ordinary_picture_is_as_the_docs_say() -> None:
    """640 x 480, and the sign in its middle can be read."""
    image = plain_image()
    assert (image.mode, image.size) == ("RGB", (640, 480))
    sign = np.asarray(image.crop((165, 185, 475, 295)).convert("L"))
    assert {0, 255} <= set(sign.ravel().tolist())


def test_a_function_is_examined_like_a_class() -> None:
    @tool
    def halves(context: ToolContext, bbox_2d: Box, boxes: list[Box] | None = None) -> str:
        """Count the boxes that are wider than a region.

        Args:
            boxes: to compare with it
        """
        return f"{sum(box.width > bbox_2d.width for box in boxes or [])} are wider"

    assert [str(finding) for finding in examine_tool(halves)] == []
